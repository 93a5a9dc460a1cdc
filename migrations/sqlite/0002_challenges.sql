-- Requests for a code that are not spent yet. Fingerprints and MACs only: no code and no address.
CREATE TABLE challenges (
    id               TEXT    NOT NULL PRIMARY KEY,
    subject          TEXT    NOT NULL,
    account_id       TEXT,
    handle           TEXT    NOT NULL,
    channel          TEXT    NOT NULL,
    code             TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    bound_attempts   INTEGER NOT NULL,
    unbound_attempts INTEGER NOT NULL
) STRICT;

CREATE INDEX challenges_subject ON challenges (subject);
CREATE INDEX challenges_handle ON challenges (handle);
CREATE INDEX challenges_expires_at ON challenges (expires_at);
