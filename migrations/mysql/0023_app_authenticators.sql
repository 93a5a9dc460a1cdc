-- Authenticators of subjects, at most one for each. The secret is sealed; it counts once `enabled_at` is set.
CREATE TABLE app_authenticators (
    subject_id   VARCHAR(191) NOT NULL PRIMARY KEY,
    sealed       TEXT         NOT NULL,
    created_at   BIGINT       NOT NULL,
    enabled_at   BIGINT,
    last_step    BIGINT       NOT NULL,
    last_used_at BIGINT,
    FOREIGN KEY (subject_id) REFERENCES app_subjects (id) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
