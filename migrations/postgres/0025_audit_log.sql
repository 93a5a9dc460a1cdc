-- The audit log: who did what, on what, from where, and what came of it. Texts are empty where there is nothing to say. Each row's
-- code binds it to the row before. Rows are added, and nothing else: changing one is refused here, too.
CREATE TABLE audit_log (
    number      BIGINT           NOT NULL PRIMARY KEY,
    happened_at BIGINT           NOT NULL,
    who         TEXT COLLATE "C" NOT NULL,
    who_id      TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C" NOT NULL,
    what        TEXT COLLATE "C" NOT NULL,
    thing       TEXT COLLATE "C" NOT NULL,
    thing_id    TEXT COLLATE "C" NOT NULL,
    detail      TEXT COLLATE "C" NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL,
    address     TEXT COLLATE "C" NOT NULL,
    agent       TEXT COLLATE "C" NOT NULL,
    request_id  TEXT COLLATE "C" NOT NULL,
    times       BIGINT           NOT NULL,
    mac         TEXT COLLATE "C" NOT NULL
);

CREATE INDEX audit_log_happened_at ON audit_log (happened_at, number);
CREATE INDEX audit_log_account_id ON audit_log (account_id, happened_at, number);
CREATE INDEX audit_log_what ON audit_log (what, happened_at, number);

CREATE FUNCTION audit_log_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of the audit log stay as they are';
END
$$;

CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_stays();
