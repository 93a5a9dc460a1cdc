-- The lines of the ledger. `issued_before` is for accounts: tokens issued before that moment are revoked.
CREATE TABLE revocations (
    number        BIGINT       NOT NULL PRIMARY KEY,
    kind          VARCHAR(32)  NOT NULL,
    name          VARCHAR(191) NOT NULL,
    issued_before BIGINT,
    expires_at    BIGINT       NOT NULL,
    INDEX revocations_name (kind, name, expires_at),
    INDEX revocations_expires_at (expires_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
