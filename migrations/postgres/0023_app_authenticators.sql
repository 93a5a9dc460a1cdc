-- Authenticators of subjects, at most one for each. The secret is sealed; it counts once `enabled_at` is set.
CREATE TABLE app_authenticators (
    subject_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES app_subjects (id) ON DELETE CASCADE,
    sealed       TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT           NOT NULL,
    enabled_at   BIGINT,
    last_step    BIGINT           NOT NULL,
    last_used_at BIGINT
);
