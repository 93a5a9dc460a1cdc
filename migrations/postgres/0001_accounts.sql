-- People we know. Times are milliseconds since the epoch, flags 0 or 1, lists and maps JSON.
CREATE TABLE accounts (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    username       TEXT COLLATE "C" UNIQUE,
    name           TEXT COLLATE "C",
    email          TEXT COLLATE "C" UNIQUE,
    email_verified BIGINT           NOT NULL,
    phone          TEXT COLLATE "C" UNIQUE,
    phone_verified BIGINT           NOT NULL,
    group_names    TEXT COLLATE "C" NOT NULL,
    claims         TEXT COLLATE "C" NOT NULL,
    disabled_at    BIGINT,
    created_at     BIGINT           NOT NULL
);
