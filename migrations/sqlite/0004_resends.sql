-- Until when an address (its MAC) has to wait before it is sent another code.
CREATE TABLE resends (
    handle  TEXT    NOT NULL PRIMARY KEY,
    ends_at INTEGER NOT NULL
) STRICT;

CREATE INDEX resends_ends_at ON resends (ends_at);
