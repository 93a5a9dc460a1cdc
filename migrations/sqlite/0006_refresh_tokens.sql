-- The refresh tokens of each session, by fingerprint; they go with it.
CREATE TABLE refresh_tokens (
    fingerprint TEXT    NOT NULL PRIMARY KEY,
    session_id  TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    spent_at    INTEGER,
    UNIQUE (session_id, number)
) STRICT;
