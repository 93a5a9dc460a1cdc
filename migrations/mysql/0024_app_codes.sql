-- Codes that apps have sent and that are not spent yet. Fingerprints, MACs and sealed addresses only.
CREATE TABLE app_codes (
    id         VARCHAR(191) NOT NULL PRIMARY KEY,
    subject_id VARCHAR(191) NOT NULL,
    channel    VARCHAR(191) NOT NULL,
    sealed     TEXT         NOT NULL,
    code       VARCHAR(191) NOT NULL,
    created_at BIGINT       NOT NULL,
    expires_at BIGINT       NOT NULL,
    attempts   BIGINT       NOT NULL,
    INDEX app_codes_subject_id (subject_id),
    INDEX app_codes_expires_at (expires_at),
    FOREIGN KEY (subject_id) REFERENCES app_subjects (id) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
