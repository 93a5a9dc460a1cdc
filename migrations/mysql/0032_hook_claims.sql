-- What the claims hook said last of an account: it counts while the hook is away.
CREATE TABLE hook_claims (
    account_id VARCHAR(191) NOT NULL PRIMARY KEY,
    answer     TEXT         NOT NULL,
    kept_at    BIGINT       NOT NULL,
    INDEX hook_claims_kept_at (kept_at)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
