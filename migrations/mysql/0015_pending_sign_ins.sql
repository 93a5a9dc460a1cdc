-- Sign-ins whose second factor is missing. Fingerprints only.
CREATE TABLE pending_sign_ins (
    id         VARCHAR(191) NOT NULL PRIMARY KEY,
    account_id VARCHAR(191) NOT NULL,
    amr        MEDIUMTEXT   NOT NULL,
    created_at BIGINT       NOT NULL,
    expires_at BIGINT       NOT NULL,
    attempts   BIGINT       NOT NULL,
    INDEX pending_sign_ins_expires_at (expires_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
