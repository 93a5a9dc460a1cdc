-- Codes that apps have sent and that are not spent yet. Fingerprints, MACs and sealed addresses only.
CREATE TABLE app_codes (
    id         TEXT    NOT NULL PRIMARY KEY,
    subject_id TEXT    NOT NULL REFERENCES app_subjects (id) ON DELETE CASCADE,
    channel    TEXT    NOT NULL,
    sealed     TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL
) STRICT;

CREATE INDEX app_codes_subject_id ON app_codes (subject_id);
CREATE INDEX app_codes_expires_at ON app_codes (expires_at);
