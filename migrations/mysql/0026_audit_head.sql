-- One row: the newest row of the audit log, and a code of the two. Whoever adds rows holds its lock.
CREATE TABLE audit_head (
    id     BIGINT       NOT NULL PRIMARY KEY CHECK (id = 1),
    number BIGINT       NOT NULL,
    mac    VARCHAR(191) NOT NULL,
    seal   VARCHAR(191) NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO audit_head (id, number, mac, seal) VALUES (1, 0, '', '');
