-- The refresh tokens of each session, by fingerprint; they go with it.
CREATE TABLE refresh_tokens (
    fingerprint VARCHAR(191) NOT NULL PRIMARY KEY,
    session_id  VARCHAR(191) NOT NULL,
    number      BIGINT       NOT NULL,
    spent_at    BIGINT,
    UNIQUE (session_id, number),
    CONSTRAINT refresh_tokens_session FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
