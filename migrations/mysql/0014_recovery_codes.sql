-- Recovery codes that are not used up yet, as MACs.
CREATE TABLE recovery_codes (
    account_id VARCHAR(191) NOT NULL,
    code       VARCHAR(191) NOT NULL,
    PRIMARY KEY (account_id, code)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
