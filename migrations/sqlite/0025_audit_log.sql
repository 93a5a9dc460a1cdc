-- The audit log: who did what, on what, from where, and what came of it. Texts are empty where there is nothing to say. Each row's
-- code binds it to the row before. Rows are added, and nothing else: changing one is refused here, too.
CREATE TABLE audit_log (
    number      INTEGER NOT NULL PRIMARY KEY,
    happened_at INTEGER NOT NULL,
    who         TEXT    NOT NULL,
    who_id      TEXT    NOT NULL,
    account_id  TEXT    NOT NULL,
    what        TEXT    NOT NULL,
    thing       TEXT    NOT NULL,
    thing_id    TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    times       INTEGER NOT NULL,
    mac         TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_log_happened_at ON audit_log (happened_at, number);
CREATE INDEX audit_log_account_id ON audit_log (account_id, happened_at, number);
CREATE INDEX audit_log_what ON audit_log (what, happened_at, number);

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'rows of the audit log stay as they are');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'rows of the audit log stay as they are');
END;
