-- API keys, hashed. `held_name` is the name as it is compared, while it belongs to this key: not once it is revoked or followed.
CREATE TABLE api_keys (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    held_name    TEXT    UNIQUE,
    hash         TEXT    NOT NULL,
    owner        TEXT,
    scopes       TEXT    NOT NULL,
    group_names  TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
