-- People we know. Times are milliseconds since the epoch, flags 0 or 1, lists and maps JSON.
CREATE TABLE accounts (
    id             VARCHAR(191) NOT NULL PRIMARY KEY,
    username       VARCHAR(255) UNIQUE,
    name           MEDIUMTEXT,
    email          VARCHAR(255) UNIQUE,
    email_verified BIGINT       NOT NULL,
    phone          VARCHAR(255) UNIQUE,
    phone_verified BIGINT       NOT NULL,
    group_names    MEDIUMTEXT   NOT NULL,
    claims         MEDIUMTEXT   NOT NULL,
    disabled_at    BIGINT,
    created_at     BIGINT       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
