-- Until when an address (its MAC) has to wait before it is sent another code.
CREATE TABLE resends (
    handle  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    ends_at BIGINT           NOT NULL
);

CREATE INDEX resends_ends_at ON resends (ends_at);
