-- Codes that apps have sent and that are not spent yet. Fingerprints, MACs and sealed addresses only.
CREATE TABLE app_codes (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    subject_id TEXT COLLATE "C" NOT NULL REFERENCES app_subjects (id) ON DELETE CASCADE,
    channel    TEXT COLLATE "C" NOT NULL,
    sealed     TEXT COLLATE "C" NOT NULL,
    code       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    expires_at BIGINT           NOT NULL,
    attempts   BIGINT           NOT NULL
);

CREATE INDEX app_codes_subject_id ON app_codes (subject_id);
CREATE INDEX app_codes_expires_at ON app_codes (expires_at);
