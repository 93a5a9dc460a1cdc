-- Recovery codes that are not used up yet, as MACs.
CREATE TABLE recovery_codes (
    account_id TEXT COLLATE "C" NOT NULL,
    code       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, code)
);
