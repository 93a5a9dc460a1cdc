-- Addresses that an account is about to have, until the code sent there comes back. The address is sealed.
CREATE TABLE address_changes (
    id         TEXT    NOT NULL PRIMARY KEY,
    account_id TEXT    NOT NULL,
    handle     TEXT    NOT NULL,
    sealed     TEXT    NOT NULL,
    channel    TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL
) STRICT;

CREATE INDEX address_changes_account_id ON address_changes (account_id);
CREATE INDEX address_changes_expires_at ON address_changes (expires_at);
