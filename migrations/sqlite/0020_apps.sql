-- Registered apps. `route` holds the keys of a [[route]] as JSON. Their keys are among the API keys.
CREATE TABLE apps (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    owner      TEXT    NOT NULL,
    route      TEXT,
    revision   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
