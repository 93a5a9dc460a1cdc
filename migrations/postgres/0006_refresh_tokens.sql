-- The refresh tokens of each session, by fingerprint; they go with it.
CREATE TABLE refresh_tokens (
    fingerprint TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    session_id  TEXT COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number      BIGINT           NOT NULL,
    spent_at    BIGINT,
    UNIQUE (session_id, number)
);
