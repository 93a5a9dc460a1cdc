-- One row: the name of this ledger and its newest number. Whoever writes a line holds its lock, so that numbers follow
-- one another in the order of commits.
CREATE TABLE ledger (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    name TEXT    NOT NULL,
    head INTEGER NOT NULL
) STRICT;
