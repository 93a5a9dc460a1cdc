-- Registered apps. `route` holds the keys of a [[route]] as JSON. Their keys are among the API keys.
CREATE TABLE apps (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    owner      TEXT COLLATE "C" NOT NULL,
    route      TEXT COLLATE "C",
    revision   BIGINT           NOT NULL,
    created_at BIGINT           NOT NULL,
    changed_at BIGINT           NOT NULL
);
