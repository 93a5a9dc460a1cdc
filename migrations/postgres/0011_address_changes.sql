-- Addresses that an account is about to have, until the code sent there comes back. The address is sealed.
CREATE TABLE address_changes (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id TEXT COLLATE "C" NOT NULL,
    handle     TEXT COLLATE "C" NOT NULL,
    sealed     TEXT COLLATE "C" NOT NULL,
    channel    TEXT COLLATE "C" NOT NULL,
    code       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    expires_at BIGINT           NOT NULL,
    attempts   BIGINT           NOT NULL
);

CREATE INDEX address_changes_account_id ON address_changes (account_id);
CREATE INDEX address_changes_expires_at ON address_changes (expires_at);
