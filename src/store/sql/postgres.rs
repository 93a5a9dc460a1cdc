//! What is said to PostgreSQL, where it differs from SQLite: rows are locked, and JSON is read with other words.

use super::app_statements::LOCKING;
use super::sqlite::SQLITE;
use super::statements::{Script, Statements};

/// PostgreSQL, at its default of READ COMMITTED. A node that stands still in the middle of a transaction holds its locks for
/// ten seconds at most.
pub(super) const POSTGRES: Statements = Statements {
    session: &["SET lock_timeout = '5s'", "SET idle_in_transaction_session_timeout = '10s'"],
    begin: "BEGIN",
    migrations: MIGRATIONS,
    touch: "",
    has_migrations: "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'",
    accounts_page: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE id > $1 AND ($2 < 0 OR CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END = $3) \
        AND ($4 = '' OR jsonb_exists(group_names::jsonb, $5)) ORDER BY id LIMIT $6",
    lock_account: "SELECT id FROM accounts WHERE id = $1 FOR UPDATE",
    lock_enabled_account: "SELECT id FROM accounts WHERE id = $1 AND disabled_at IS NULL FOR SHARE",
    lock_live_session: "SELECT id, account_id FROM sessions WHERE id = $1 AND ended_at IS NULL AND expires_at > $2 FOR UPDATE",
    lock_live_sessions: "SELECT id, account_id FROM sessions WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id \
        FOR UPDATE",
    end_sessions: "UPDATE sessions SET ended_at = $2, ended_reason = $3 WHERE id IN (SELECT jsonb_array_elements_text($1::jsonb))",
    lock_head: "SELECT name, head FROM ledger WHERE id = 1 FOR UPDATE",
    add_session_lines: "INSERT INTO revocations (number, kind, name, expires_at) SELECT $1 + line.place - 1, 'session', line.name, $2 \
        FROM jsonb_array_elements_text($3::jsonb) WITH ORDINALITY AS line (name, place)",
    lock_audit_head: "SELECT number, mac, seal FROM audit_head WHERE id = 1 FOR UPDATE",
    add_audit_rows: "INSERT INTO audit_log (number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, \
        outcome, address, agent, request_id, \
        times, mac) \
        SELECT (cells->>0)::bigint, (cells->>1)::bigint, cells->>2, cells->>3, cells->>4, cells->>5, cells->>6, cells->>7, \
        cells->>8, cells->>9, cells->>10, cells->>11, cells->>12, (cells->>13)::bigint, cells->>14 FROM jsonb_array_elements($1::jsonb) AS line (cells)",
    apps: &LOCKING,
    ..SQLITE
};

const MIGRATIONS: &[Script] = &[
    Script { number: 1, noun: "accounts", sql: include_str!("../../../migrations/postgres/0001_accounts.sql") },
    Script { number: 2, noun: "challenges", sql: include_str!("../../../migrations/postgres/0002_challenges.sql") },
    Script { number: 3, noun: "failures", sql: include_str!("../../../migrations/postgres/0003_failures.sql") },
    Script { number: 4, noun: "resends", sql: include_str!("../../../migrations/postgres/0004_resends.sql") },
    Script { number: 5, noun: "sessions", sql: include_str!("../../../migrations/postgres/0005_sessions.sql") },
    Script { number: 6, noun: "refresh_tokens", sql: include_str!("../../../migrations/postgres/0006_refresh_tokens.sql") },
    Script { number: 7, noun: "revocations", sql: include_str!("../../../migrations/postgres/0007_revocations.sql") },
    Script { number: 8, noun: "ledger", sql: include_str!("../../../migrations/postgres/0008_ledger.sql") },
    Script { number: 9, noun: "signing_keys", sql: include_str!("../../../migrations/postgres/0009_signing_keys.sql") },
    Script { number: 10, noun: "devices", sql: include_str!("../../../migrations/postgres/0010_devices.sql") },
    Script { number: 11, noun: "address_changes", sql: include_str!("../../../migrations/postgres/0011_address_changes.sql") },
    Script { number: 12, noun: "usernames", sql: include_str!("../../../migrations/postgres/0012_usernames.sql") },
    Script { number: 13, noun: "factors", sql: include_str!("../../../migrations/postgres/0013_factors.sql") },
    Script { number: 14, noun: "recovery_codes", sql: include_str!("../../../migrations/postgres/0014_recovery_codes.sql") },
    Script { number: 15, noun: "pending_sign_ins", sql: include_str!("../../../migrations/postgres/0015_pending_sign_ins.sql") },
    Script { number: 16, noun: "api_keys", sql: include_str!("../../../migrations/postgres/0016_api_keys.sql") },
    Script { number: 20, noun: "apps", sql: include_str!("../../../migrations/postgres/0020_apps.sql") },
    Script { number: 21, noun: "app_routes", sql: include_str!("../../../migrations/postgres/0021_app_routes.sql") },
    Script { number: 22, noun: "app_subjects", sql: include_str!("../../../migrations/postgres/0022_app_subjects.sql") },
    Script { number: 23, noun: "app_authenticators", sql: include_str!("../../../migrations/postgres/0023_app_authenticators.sql") },
    Script { number: 24, noun: "app_codes", sql: include_str!("../../../migrations/postgres/0024_app_codes.sql") },
    Script { number: 25, noun: "audit_log", sql: include_str!("../../../migrations/postgres/0025_audit_log.sql") },
    Script { number: 26, noun: "audit_head", sql: include_str!("../../../migrations/postgres/0026_audit_head.sql") },
    Script { number: 28, noun: "account_revisions", sql: include_str!("../../../migrations/postgres/0028_account_revisions.sql") },
    Script { number: 32, noun: "hook_claims", sql: include_str!("../../../migrations/postgres/0032_hook_claims.sql") },
];
