-- The failure budget of each subject: what is used of it until its window ends.
CREATE TABLE failures (
    subject VARCHAR(191) NOT NULL,
    kind    VARCHAR(32)  NOT NULL,
    used    BIGINT       NOT NULL,
    ends_at BIGINT       NOT NULL,
    PRIMARY KEY (subject, kind),
    INDEX failures_ends_at (ends_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
