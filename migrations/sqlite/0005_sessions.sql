-- Signed-in devices. `newest` counts the refresh tokens of the family.
CREATE TABLE sessions (
    id           TEXT    NOT NULL PRIMARY KEY,
    account_id   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    auth_time    INTEGER NOT NULL,
    amr          TEXT    NOT NULL,
    acr          TEXT    NOT NULL,
    address      TEXT,
    agent        TEXT    NOT NULL,
    ended_at     INTEGER,
    ended_reason TEXT,
    family_key   TEXT    NOT NULL,
    newest       INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_account_id ON sessions (account_id, created_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_ended_at ON sessions (ended_at);
