-- Whom apps mean. The id is a MAC of the app and of its name for them; addresses are sealed.
CREATE TABLE app_subjects (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app_id     TEXT COLLATE "C" NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name       TEXT COLLATE "C" NOT NULL,
    email      TEXT COLLATE "C",
    phone      TEXT COLLATE "C",
    created_at BIGINT           NOT NULL,
    seen_at    BIGINT           NOT NULL
);

CREATE INDEX app_subjects_app_id ON app_subjects (app_id, id);
