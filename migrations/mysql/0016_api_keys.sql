-- API keys, hashed. `held_name` is the name as it is compared, while it belongs to this key: not once it is revoked or followed.
CREATE TABLE api_keys (
    id           VARCHAR(191) NOT NULL PRIMARY KEY,
    name         VARCHAR(191) NOT NULL,
    held_name    VARCHAR(191) UNIQUE,
    hash         VARCHAR(191) NOT NULL,
    owner        VARCHAR(191),
    scopes       MEDIUMTEXT   NOT NULL,
    group_names  MEDIUMTEXT   NOT NULL,
    created_at   BIGINT       NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
