-- Authenticators of subjects, at most one for each. The secret is sealed; it counts once `enabled_at` is set.
CREATE TABLE app_authenticators (
    subject_id   TEXT    NOT NULL PRIMARY KEY REFERENCES app_subjects (id) ON DELETE CASCADE,
    sealed       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    enabled_at   INTEGER,
    last_step    INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
