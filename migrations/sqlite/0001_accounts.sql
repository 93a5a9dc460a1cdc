-- People we know. Times are milliseconds since the epoch, flags 0 or 1, lists and maps JSON.
CREATE TABLE accounts (
    id             TEXT    NOT NULL PRIMARY KEY,
    username       TEXT    UNIQUE,
    name           TEXT,
    email          TEXT    UNIQUE,
    email_verified INTEGER NOT NULL,
    phone          TEXT    UNIQUE,
    phone_verified INTEGER NOT NULL,
    group_names    TEXT    NOT NULL,
    claims         TEXT    NOT NULL,
    disabled_at    INTEGER,
    created_at     INTEGER NOT NULL
) STRICT;
