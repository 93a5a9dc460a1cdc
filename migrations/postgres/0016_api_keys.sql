-- API keys, hashed. `held_name` is the name as it is compared, while it belongs to this key: not once it is revoked or followed.
CREATE TABLE api_keys (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name         TEXT COLLATE "C" NOT NULL,
    held_name    TEXT COLLATE "C" UNIQUE,
    hash         TEXT COLLATE "C" NOT NULL,
    owner        TEXT COLLATE "C",
    scopes       TEXT COLLATE "C" NOT NULL,
    group_names  TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT           NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
