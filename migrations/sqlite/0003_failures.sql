-- The failure budget of each subject: what is used of it until its window ends.
CREATE TABLE failures (
    subject TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    used    INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (subject, kind)
) STRICT;

CREATE INDEX failures_ends_at ON failures (ends_at);
