-- Recovery codes that are not used up yet, as MACs.
CREATE TABLE recovery_codes (
    account_id TEXT NOT NULL,
    code       TEXT NOT NULL,
    PRIMARY KEY (account_id, code)
) STRICT;
