-- Addresses that an account is about to have, until the code sent there comes back. The address is sealed.
CREATE TABLE address_changes (
    id         VARCHAR(191) NOT NULL PRIMARY KEY,
    account_id VARCHAR(191) NOT NULL,
    handle     VARCHAR(191) NOT NULL,
    sealed     MEDIUMTEXT   NOT NULL,
    channel    VARCHAR(32)  NOT NULL,
    code       VARCHAR(191) NOT NULL,
    created_at BIGINT       NOT NULL,
    expires_at BIGINT       NOT NULL,
    attempts   BIGINT       NOT NULL,
    INDEX address_changes_account_id (account_id),
    INDEX address_changes_expires_at (expires_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
