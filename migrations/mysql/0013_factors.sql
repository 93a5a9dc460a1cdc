-- Authenticator apps, at most one for an account. The secret is sealed; it counts once `confirmed_at` is set.
CREATE TABLE factors (
    account_id    VARCHAR(191) NOT NULL PRIMARY KEY,
    sealed        VARCHAR(191) NOT NULL,
    enrolled_at   BIGINT       NOT NULL,
    confirmed_at  BIGINT,
    last_step     BIGINT       NOT NULL,
    last_used_at  BIGINT,
    codes_made_at BIGINT
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
