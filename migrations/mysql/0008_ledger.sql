-- One row: the name of this ledger and its newest number. Whoever writes a line holds its lock, so that numbers follow
-- one another in the order of commits.
CREATE TABLE ledger (
    id   BIGINT       NOT NULL PRIMARY KEY CHECK (id = 1),
    name VARCHAR(191) NOT NULL,
    head BIGINT       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
