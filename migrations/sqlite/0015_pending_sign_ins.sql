-- Sign-ins whose second factor is missing. Fingerprints only.
CREATE TABLE pending_sign_ins (
    id         TEXT    NOT NULL PRIMARY KEY,
    account_id TEXT    NOT NULL,
    amr        TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL
) STRICT;

CREATE INDEX pending_sign_ins_expires_at ON pending_sign_ins (expires_at);
