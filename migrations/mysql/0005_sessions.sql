-- Signed-in devices. `newest` counts the refresh tokens of the family.
CREATE TABLE sessions (
    id           VARCHAR(191) NOT NULL PRIMARY KEY,
    account_id   VARCHAR(191) NOT NULL,
    created_at   BIGINT       NOT NULL,
    last_seen_at BIGINT       NOT NULL,
    expires_at   BIGINT       NOT NULL,
    auth_time    BIGINT       NOT NULL,
    amr          MEDIUMTEXT   NOT NULL,
    acr          VARCHAR(32)  NOT NULL,
    address      VARCHAR(191),
    agent        MEDIUMTEXT   NOT NULL,
    ended_at     BIGINT,
    ended_reason VARCHAR(191),
    family_key   MEDIUMTEXT   NOT NULL,
    newest       BIGINT       NOT NULL,
    INDEX sessions_account_id (account_id, created_at),
    INDEX sessions_expires_at (expires_at),
    INDEX sessions_ended_at (ended_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
