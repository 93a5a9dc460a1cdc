-- Until when an address (its MAC) has to wait before it is sent another code.
CREATE TABLE resends (
    handle  VARCHAR(191) NOT NULL PRIMARY KEY,
    ends_at BIGINT       NOT NULL,
    INDEX resends_ends_at (ends_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
