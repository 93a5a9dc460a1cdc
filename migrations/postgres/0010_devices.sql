-- The devices, in words, that an account has signed in on: a new one is told to its owner.
CREATE TABLE devices (
    account_id TEXT COLLATE "C" NOT NULL,
    device     TEXT COLLATE "C" NOT NULL,
    seen_at    BIGINT           NOT NULL,
    PRIMARY KEY (account_id, device)
);

CREATE INDEX devices_seen_at ON devices (seen_at);
