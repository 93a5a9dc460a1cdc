-- The lines of the ledger. `issued_before` is for accounts: tokens issued before that moment are revoked.
CREATE TABLE revocations (
    number        INTEGER NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    issued_before INTEGER,
    expires_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX revocations_name ON revocations (kind, name, expires_at);
CREATE INDEX revocations_expires_at ON revocations (expires_at);
