-- Signing keys, sealed. Two nodes that make the next one at once cannot both store it.
CREATE TABLE signing_keys (
    kid            VARCHAR(191) NOT NULL PRIMARY KEY,
    purpose        VARCHAR(32)  NOT NULL,
    algorithm      VARCHAR(32)  NOT NULL,
    generation     BIGINT       NOT NULL,
    sealed         MEDIUMTEXT   NOT NULL,
    public_jwk     MEDIUMTEXT,
    created_at     BIGINT       NOT NULL,
    signs_from     BIGINT       NOT NULL,
    verifies_until BIGINT,
    UNIQUE (purpose, generation)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
