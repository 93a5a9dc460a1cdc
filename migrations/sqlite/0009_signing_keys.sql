-- Signing keys, sealed. Two nodes that make the next one at once cannot both store it.
CREATE TABLE signing_keys (
    kid            TEXT    NOT NULL PRIMARY KEY,
    purpose        TEXT    NOT NULL,
    algorithm      TEXT    NOT NULL,
    generation     INTEGER NOT NULL,
    sealed         TEXT    NOT NULL,
    public_jwk     TEXT,
    created_at     INTEGER NOT NULL,
    signs_from     INTEGER NOT NULL,
    verifies_until INTEGER,
    UNIQUE (purpose, generation)
) STRICT;
