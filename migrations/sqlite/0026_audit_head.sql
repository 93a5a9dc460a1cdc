-- One row: the newest row of the audit log, and a code of the two. Whoever adds rows holds its lock.
CREATE TABLE audit_head (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    mac    TEXT    NOT NULL,
    seal   TEXT    NOT NULL
) STRICT;

INSERT INTO audit_head (id, number, mac, seal) VALUES (1, 0, '', '');
