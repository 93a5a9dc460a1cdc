-- Signed-in devices. `newest` counts the refresh tokens of the family.
CREATE TABLE sessions (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id   TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT           NOT NULL,
    last_seen_at BIGINT           NOT NULL,
    expires_at   BIGINT           NOT NULL,
    auth_time    BIGINT           NOT NULL,
    amr          TEXT COLLATE "C" NOT NULL,
    acr          TEXT COLLATE "C" NOT NULL,
    address      TEXT COLLATE "C",
    agent        TEXT COLLATE "C" NOT NULL,
    ended_at     BIGINT,
    ended_reason TEXT COLLATE "C",
    family_key   TEXT COLLATE "C" NOT NULL,
    newest       BIGINT           NOT NULL
);

CREATE INDEX sessions_account_id ON sessions (account_id, created_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_ended_at ON sessions (ended_at);
