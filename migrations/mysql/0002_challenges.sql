-- Requests for a code that are not spent yet. Fingerprints and MACs only: no code and no address.
CREATE TABLE challenges (
    id               VARCHAR(191) NOT NULL PRIMARY KEY,
    subject          VARCHAR(191) NOT NULL,
    account_id       VARCHAR(191),
    handle           VARCHAR(191) NOT NULL,
    channel          VARCHAR(32)  NOT NULL,
    code             VARCHAR(191) NOT NULL,
    created_at       BIGINT       NOT NULL,
    expires_at       BIGINT       NOT NULL,
    bound_attempts   BIGINT       NOT NULL,
    unbound_attempts BIGINT       NOT NULL,
    INDEX challenges_subject (subject),
    INDEX challenges_handle (handle),
    INDEX challenges_expires_at (expires_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
