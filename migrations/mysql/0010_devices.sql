-- The devices, in words, that an account has signed in on: a new one is told to its owner.
CREATE TABLE devices (
    account_id VARCHAR(191) NOT NULL,
    device     VARCHAR(191) NOT NULL,
    seen_at    BIGINT       NOT NULL,
    PRIMARY KEY (account_id, device),
    INDEX devices_seen_at (seen_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
