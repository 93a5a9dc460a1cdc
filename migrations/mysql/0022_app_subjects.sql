-- Whom apps mean. The id is a MAC of the app and of its name for them; addresses are sealed.
CREATE TABLE app_subjects (
    id         VARCHAR(191) NOT NULL PRIMARY KEY,
    app_id     VARCHAR(191) NOT NULL,
    name       TEXT         NOT NULL,
    email      TEXT,
    phone      TEXT,
    created_at BIGINT       NOT NULL,
    seen_at    BIGINT       NOT NULL,
    INDEX app_subjects_app_id (app_id, id),
    FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
