-- Registered apps. `route` holds the keys of a [[route]] as JSON. Their keys are among the API keys.
CREATE TABLE apps (
    id         VARCHAR(191) NOT NULL PRIMARY KEY,
    name       VARCHAR(191) NOT NULL UNIQUE,
    owner      TEXT         NOT NULL,
    route      TEXT,
    revision   BIGINT       NOT NULL,
    created_at BIGINT       NOT NULL,
    changed_at BIGINT       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
