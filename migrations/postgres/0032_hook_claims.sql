-- What the claims hook said last of an account: it counts while the hook is away.
CREATE TABLE hook_claims (
    account_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    answer     TEXT             NOT NULL,
    kept_at    BIGINT           NOT NULL
);

CREATE INDEX hook_claims_kept_at ON hook_claims (kept_at);
