-- One row: the newest row of the audit log, and a code of the two. Whoever adds rows holds its lock.
CREATE TABLE audit_head (
    id     BIGINT           NOT NULL PRIMARY KEY CHECK (id = 1),
    number BIGINT           NOT NULL,
    mac    TEXT COLLATE "C" NOT NULL,
    seal   TEXT COLLATE "C" NOT NULL
);

INSERT INTO audit_head (id, number, mac, seal) VALUES (1, 0, '', '');
