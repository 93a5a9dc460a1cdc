-- User names as they are compared: two that differ in case alone are one.
ALTER TABLE accounts ADD COLUMN username_folded TEXT;
UPDATE accounts SET username_folded = LOWER(username);
CREATE UNIQUE INDEX accounts_username_folded ON accounts (username_folded);
