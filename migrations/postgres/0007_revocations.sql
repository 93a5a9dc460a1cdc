-- The lines of the ledger. `issued_before` is for accounts: tokens issued before that moment are revoked.
CREATE TABLE revocations (
    number        BIGINT           NOT NULL PRIMARY KEY,
    kind          TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    issued_before BIGINT,
    expires_at    BIGINT           NOT NULL
);

CREATE INDEX revocations_name ON revocations (kind, name, expires_at);
CREATE INDEX revocations_expires_at ON revocations (expires_at);
