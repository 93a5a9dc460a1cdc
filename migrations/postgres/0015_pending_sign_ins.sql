-- Sign-ins whose second factor is missing. Fingerprints only.
CREATE TABLE pending_sign_ins (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id TEXT COLLATE "C" NOT NULL,
    amr        TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    expires_at BIGINT           NOT NULL,
    attempts   BIGINT           NOT NULL
);

CREATE INDEX pending_sign_ins_expires_at ON pending_sign_ins (expires_at);
