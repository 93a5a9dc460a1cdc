-- Authenticator apps, at most one for an account. The secret is sealed; it counts once `confirmed_at` is set.
CREATE TABLE factors (
    account_id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed        TEXT COLLATE "C" NOT NULL,
    enrolled_at   BIGINT           NOT NULL,
    confirmed_at  BIGINT,
    last_step     BIGINT           NOT NULL,
    last_used_at  BIGINT,
    codes_made_at BIGINT
);
