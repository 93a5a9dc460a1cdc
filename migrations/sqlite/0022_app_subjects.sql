-- Whom apps mean. The id is a MAC of the app and of its name for them; addresses are sealed.
CREATE TABLE app_subjects (
    id         TEXT    NOT NULL PRIMARY KEY,
    app_id     TEXT    NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    email      TEXT,
    phone      TEXT,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX app_subjects_app_id ON app_subjects (app_id, id);
