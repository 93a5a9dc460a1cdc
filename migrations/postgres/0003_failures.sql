-- The failure budget of each subject: what is used of it until its window ends.
CREATE TABLE failures (
    subject TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    used    BIGINT           NOT NULL,
    ends_at BIGINT           NOT NULL,
    PRIMARY KEY (subject, kind)
);

CREATE INDEX failures_ends_at ON failures (ends_at);
