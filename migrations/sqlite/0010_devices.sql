-- The devices, in words, that an account has signed in on: a new one is told to its owner.
CREATE TABLE devices (
    account_id TEXT    NOT NULL,
    device     TEXT    NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (account_id, device)
) STRICT;

CREATE INDEX devices_seen_at ON devices (seen_at);
