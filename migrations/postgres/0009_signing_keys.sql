-- Signing keys, sealed. Two nodes that make the next one at once cannot both store it.
CREATE TABLE signing_keys (
    kid            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    purpose        TEXT COLLATE "C" NOT NULL,
    algorithm      TEXT COLLATE "C" NOT NULL,
    generation     BIGINT           NOT NULL,
    sealed         TEXT COLLATE "C" NOT NULL,
    public_jwk     TEXT COLLATE "C",
    created_at     BIGINT           NOT NULL,
    signs_from     BIGINT           NOT NULL,
    verifies_until BIGINT,
    UNIQUE (purpose, generation)
);
