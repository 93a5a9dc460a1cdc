-- The audit log: who did what, on what, from where, and what came of it. Texts are empty where there is nothing to say. Each row's
-- code binds it to the row before. Rows are added, and nothing else.
CREATE TABLE audit_log (
    number      BIGINT       NOT NULL PRIMARY KEY,
    happened_at BIGINT       NOT NULL,
    who         VARCHAR(191) NOT NULL,
    who_id      VARCHAR(191) NOT NULL,
    account_id  VARCHAR(191) NOT NULL,
    what        VARCHAR(191) NOT NULL,
    thing       VARCHAR(191) NOT NULL,
    thing_id    VARCHAR(191) NOT NULL,
    detail      VARCHAR(191) NOT NULL,
    outcome     VARCHAR(191) NOT NULL,
    address     VARCHAR(191) NOT NULL,
    agent       VARCHAR(191) NOT NULL,
    request_id  VARCHAR(191) NOT NULL,
    times       BIGINT       NOT NULL,
    mac         VARCHAR(191) NOT NULL,
    INDEX audit_log_happened_at (happened_at, number),
    INDEX audit_log_account_id (account_id, happened_at, number),
    INDEX audit_log_what (what, happened_at, number)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
