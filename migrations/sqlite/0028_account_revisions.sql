-- How often an account was changed; its tokens say it. Lines of accounts name the revision below which tokens are outdated
-- (`issued_before` is not read any more).
ALTER TABLE accounts ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE revocations ADD COLUMN below INTEGER NOT NULL DEFAULT 0;
