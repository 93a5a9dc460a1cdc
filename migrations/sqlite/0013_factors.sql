-- Authenticator apps, at most one for an account. The secret is sealed; it counts once `confirmed_at` is set.
CREATE TABLE factors (
    account_id    TEXT    NOT NULL PRIMARY KEY,
    sealed        TEXT    NOT NULL,
    enrolled_at   INTEGER NOT NULL,
    confirmed_at  INTEGER,
    last_step     INTEGER NOT NULL,
    last_used_at  INTEGER,
    codes_made_at INTEGER
) STRICT;
