-- Requests for a code that are not spent yet. Fingerprints and MACs only: no code and no address.
CREATE TABLE challenges (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    subject          TEXT COLLATE "C" NOT NULL,
    account_id       TEXT COLLATE "C",
    handle           TEXT COLLATE "C" NOT NULL,
    channel          TEXT COLLATE "C" NOT NULL,
    code             TEXT COLLATE "C" NOT NULL,
    created_at       BIGINT           NOT NULL,
    expires_at       BIGINT           NOT NULL,
    bound_attempts   BIGINT           NOT NULL,
    unbound_attempts BIGINT           NOT NULL
);

CREATE INDEX challenges_subject ON challenges (subject);
CREATE INDEX challenges_handle ON challenges (handle);
CREATE INDEX challenges_expires_at ON challenges (expires_at);
