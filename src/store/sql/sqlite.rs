//! What is said to SQLite; PostgreSQL understands most of it.

use super::app_statements::NUMBERED;
use super::statements::{Script, Statements};

/// SQLite has one writer at a time, and a transaction that is going to write says so at its beginning: rows need no locks.
pub(super) const SQLITE: Statements = Statements {
    session: &[],
    begin: "BEGIN IMMEDIATE",
    migrations: MIGRATIONS,
    has_migrations: "SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
    ping: "SELECT 1",
    touch: "UPDATE app_routes SET generation = generation WHERE id = 1",
    applied_migrations: "SELECT version FROM _sqlx_migrations ORDER BY version",
    account_by_id: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE id = $1",
    account_by_email: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE email = $1",
    account_by_phone: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE phone = $1",
    accounts: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE id > $1 ORDER BY id LIMIT $2",
    account_by_username: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE username_folded = $1",
    accounts_page: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE id > $1 AND ($2 < 0 OR CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END = $3) \
        AND ($4 = '' OR EXISTS (SELECT 1 FROM json_each(group_names) AS one WHERE one.value = $5)) ORDER BY id LIMIT $6",
    account_revision: "SELECT revision FROM accounts WHERE id = $1",
    change_account: "UPDATE accounts SET name = $1, email = $2, email_verified = $3, phone = $4, phone_verified = $5, \
        group_names = $6, claims = $7, revision = revision + 1 WHERE id = $8",
    remove_account: "DELETE FROM accounts WHERE id = $1 AND revision = $2",
    drop_challenges: "DELETE FROM challenges WHERE account_id = $1",
    drop_changes: "DELETE FROM address_changes WHERE account_id = $1",
    drop_pendings: "DELETE FROM pending_sign_ins WHERE account_id = $1",
    drop_devices: "DELETE FROM devices WHERE account_id = $1",
    drop_hook_claims: "DELETE FROM hook_claims WHERE account_id = $1",
    add_account: "INSERT INTO accounts (id, username, username_folded, name, email, email_verified, phone, phone_verified, group_names, \
        claims, disabled_at, created_at, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    verify_email: "UPDATE accounts SET email_verified = 1, revision = revision + 1 WHERE id = $1 AND email = $2 AND \
        email_verified = 0",
    verify_phone: "UPDATE accounts SET phone_verified = 1, revision = revision + 1 WHERE id = $1 AND phone = $2 AND \
        phone_verified = 0",
    enable_account: "UPDATE accounts SET revision = revision + CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END, disabled_at = NULL \
        WHERE id = $1",
    disable_account: "UPDATE accounts SET disabled_at = $1, revision = revision + 1 WHERE id = $2 AND disabled_at IS NULL",
    lock_account: "SELECT id FROM accounts WHERE id = $1",
    lock_enabled_account: "SELECT id FROM accounts WHERE id = $1 AND disabled_at IS NULL",
    renew_resend: "UPDATE resends SET ends_at = $1 WHERE handle = $2 AND ends_at <= $3",
    add_resend: "INSERT INTO resends (handle, ends_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    resend: "SELECT ends_at FROM resends WHERE handle = $1",
    release_resend: "DELETE FROM resends WHERE handle = $1",
    add_challenge: "INSERT INTO challenges (id, subject, account_id, handle, channel, code, created_at, expires_at, bound_attempts, \
        unbound_attempts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)",
    delete_challenge: "DELETE FROM challenges WHERE id = $1",
    challenge_by_id: "SELECT id, subject, account_id, handle, channel, code, expires_at, bound_attempts, unbound_attempts FROM \
        challenges WHERE id = $1 AND expires_at > $2",
    challenges_of_subject: "SELECT id, subject, account_id, handle, channel, code, expires_at, bound_attempts, unbound_attempts FROM \
        challenges WHERE subject = $1 AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT $3",
    challenge_ids_of_subject: "SELECT id FROM challenges WHERE subject = $1 AND expires_at > $2 ORDER BY created_at DESC, id DESC",
    challenge_of_subject_with_handle: "SELECT id FROM challenges WHERE subject = $1 AND handle = $2 AND expires_at > $3 LIMIT 1",
    latest_challenge: "SELECT id, subject, account_id, handle, channel, code, expires_at, bound_attempts, unbound_attempts FROM \
        challenges WHERE (handle = $1 OR subject = $2) AND expires_at > $3 ORDER BY created_at DESC, id DESC LIMIT 1",
    count_bound_attempt: "UPDATE challenges SET bound_attempts = bound_attempts + 1 WHERE id = $1 AND bound_attempts < $2 AND expires_at > \
        $3",
    count_unbound_attempt: "UPDATE challenges SET unbound_attempts = unbound_attempts + 1 WHERE id = $1 AND unbound_attempts < $2 AND \
        expires_at > $3",
    spend_challenge: "DELETE FROM challenges WHERE id = $1 AND expires_at > $2",
    use_budget: "UPDATE failures SET used = used + 1 WHERE subject = $1 AND kind = $2 AND ends_at > $3 AND used < $4",
    renew_budget: "UPDATE failures SET used = 1, ends_at = $1 WHERE subject = $2 AND kind = $3 AND ends_at <= $4",
    add_budget: "INSERT INTO failures (subject, kind, used, ends_at) VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING",
    budget: "SELECT used, ends_at FROM failures WHERE subject = $1 AND kind = $2",
    give_back_bound_attempt: "UPDATE challenges SET bound_attempts = bound_attempts - 1 WHERE id = $1 AND bound_attempts > 0",
    give_back_unbound_attempt: "UPDATE challenges SET unbound_attempts = unbound_attempts - 1 WHERE id = $1 AND unbound_attempts > 0",
    give_back_pending_attempt: "UPDATE pending_sign_ins SET attempts = attempts - 1 WHERE id = $1 AND attempts > 0",
    give_back_budget: "UPDATE failures SET used = used - 1 WHERE subject = $1 AND kind = $2 AND ends_at > $3 AND used > 0",
    add_session: "INSERT INTO sessions (id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, \
        family_key, newest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)",
    session_by_id: "SELECT id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, ended_at FROM \
        sessions WHERE id = $1",
    sessions_of_account: "SELECT id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, ended_at FROM \
        sessions WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT \
        $3",
    sessions_of_account_page: "SELECT id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, ended_at FROM \
        sessions WHERE account_id = $1 AND id > $2 AND ended_at IS NULL AND expires_at > $3 ORDER BY id LIMIT $4",
    sessions_page: "SELECT id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, ended_at FROM \
        sessions WHERE id > $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id LIMIT $3",
    family_by_refresh: "SELECT sessions.id, sessions.account_id, sessions.created_at, sessions.last_seen_at, sessions.expires_at, \
        sessions.auth_time, sessions.amr, sessions.acr, sessions.address, sessions.agent, sessions.ended_at, \
        sessions.family_key, sessions.newest, refresh_tokens.number, refresh_tokens.spent_at FROM refresh_tokens JOIN \
        sessions ON sessions.id = refresh_tokens.session_id WHERE refresh_tokens.fingerprint = $1",
    advance_session: "UPDATE sessions SET newest = newest + 1, last_seen_at = $1, address = COALESCE($2, address) WHERE id = $3 AND \
        newest = $4 AND ended_at IS NULL AND expires_at > $5",
    spend_refresh: "UPDATE refresh_tokens SET spent_at = $1 WHERE session_id = $2 AND number = $3",
    add_refresh: "INSERT INTO refresh_tokens (fingerprint, session_id, number) VALUES ($1, $2, $3)",
    lock_live_session: "SELECT id, account_id FROM sessions WHERE id = $1 AND ended_at IS NULL AND expires_at > $2",
    lock_live_sessions: "SELECT id, account_id FROM sessions WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id",
    end_sessions: "UPDATE sessions SET ended_at = $2, ended_reason = $3 WHERE id IN (SELECT value FROM json_each($1))",
    see_device: "UPDATE devices SET seen_at = $1 WHERE account_id = $2 AND device = $3",
    add_device: "INSERT INTO devices (account_id, device, seen_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    other_device: "SELECT device FROM devices WHERE account_id = $1 AND device <> $2 LIMIT 1",
    add_change: "INSERT INTO address_changes (id, account_id, handle, sealed, channel, code, created_at, expires_at, attempts) VALUES \
        ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
    change_by_id: "SELECT id, handle, expires_at FROM address_changes WHERE id = $1 AND account_id = $2 AND expires_at > $3",
    changes_of_account: "SELECT id, handle, expires_at FROM address_changes WHERE account_id = $1 AND expires_at > $2 ORDER BY \
        created_at DESC, id DESC",
    changes_to_handle: "SELECT id, handle, sealed, channel, code FROM address_changes WHERE account_id = $1 AND handle = $2 AND expires_at > $3 ORDER BY \
        created_at DESC, id DESC LIMIT $4",
    delete_change: "DELETE FROM address_changes WHERE id = $1",
    count_change_attempt: "UPDATE address_changes SET attempts = attempts + 1 WHERE id = $1 AND attempts < $2 AND expires_at > $3",
    spend_change: "DELETE FROM address_changes WHERE id = $1 AND account_id = $2 AND expires_at > $3",
    set_email: "UPDATE accounts SET email = $1, email_verified = 1, revision = revision + 1 WHERE id = $2 AND disabled_at IS NULL",
    set_phone: "UPDATE accounts SET phone = $1, phone_verified = 1, revision = revision + 1 WHERE id = $2 AND disabled_at IS NULL",
    drop_email: "UPDATE accounts SET email = NULL, email_verified = 0, revision = revision + 1 WHERE id = $1",
    drop_phone: "UPDATE accounts SET phone = NULL, phone_verified = 0, revision = revision + 1 WHERE id = $1",
    name_ledger: "INSERT INTO ledger (id, name, head) VALUES (1, $1, 0) ON CONFLICT DO NOTHING",
    head: "SELECT name, head FROM ledger WHERE id = 1",
    lock_head: "SELECT name, head FROM ledger WHERE id = 1",
    move_head: "UPDATE ledger SET head = head + $1 WHERE id = 1",
    add_line: "INSERT INTO revocations (number, kind, name, below, expires_at) VALUES ($1, $2, $3, $4, $5)",
    add_session_lines: "INSERT INTO revocations (number, kind, name, expires_at) SELECT $1 + key, 'session', value, $2 FROM \
        json_each($3)",
    live_line: "SELECT number FROM revocations WHERE kind = $1 AND name = $2 AND expires_at > $3 LIMIT 1",
    lines_since: "SELECT number, kind, name, below, expires_at FROM revocations WHERE number > $1 AND expires_at > $2 \
        ORDER BY number LIMIT $3",
    revoked: "SELECT kind FROM revocations WHERE kind = 'token' AND name = $1 AND expires_at > $2 UNION ALL SELECT kind \
        FROM revocations WHERE kind = 'session' AND name = $3 AND expires_at > $4 UNION ALL SELECT kind FROM \
        revocations WHERE kind = 'account' AND name = $5 AND below > $6 AND expires_at > $7 ORDER BY kind DESC LIMIT 1",
    keys: "SELECT kid, purpose, algorithm, generation, sealed, public_jwk, created_at, signs_from, verifies_until FROM \
        signing_keys ORDER BY generation, kid",
    add_key: "INSERT INTO signing_keys (kid, purpose, algorithm, generation, sealed, public_jwk, created_at, signs_from, \
        verifies_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    end_older_keys: "UPDATE signing_keys SET verifies_until = $1 WHERE purpose = $2 AND generation < $3 AND verifies_until IS NULL",
    factor: "SELECT sealed, enrolled_at, confirmed_at, last_used_at, (SELECT COUNT(*) FROM recovery_codes WHERE \
        recovery_codes.account_id = factors.account_id) AS codes FROM factors WHERE account_id = $1",
    renew_factor: "UPDATE factors SET sealed = $1, enrolled_at = $2 WHERE account_id = $3 AND confirmed_at IS NULL",
    add_factor: "INSERT INTO factors (account_id, sealed, enrolled_at, last_step) VALUES ($1, $2, $3, -1) ON CONFLICT DO NOTHING",
    confirmed_factor: "SELECT account_id FROM factors WHERE account_id = $1 AND confirmed_at IS NOT NULL",
    confirm_factor: "UPDATE factors SET confirmed_at = $1, last_step = $2, last_used_at = $3, codes_made_at = $4 WHERE account_id = $5 AND \
        sealed = $6 AND confirmed_at IS NULL",
    use_step: "UPDATE factors SET last_step = $1, last_used_at = $2 WHERE account_id = $3 AND sealed = $4 AND confirmed_at IS NOT NULL \
        AND last_step < $5",
    remove_factor: "DELETE FROM factors WHERE account_id = $1",
    remake_codes: "UPDATE factors SET codes_made_at = $1 WHERE account_id = $2 AND confirmed_at IS NOT NULL",
    delete_codes: "DELETE FROM recovery_codes WHERE account_id = $1",
    add_code: "INSERT INTO recovery_codes (account_id, code) VALUES ($1, $2)",
    use_code: "DELETE FROM recovery_codes WHERE account_id = $1 AND code = $2",
    codes_left: "SELECT COUNT(*) AS codes FROM recovery_codes WHERE account_id = $1",
    add_pending: "INSERT INTO pending_sign_ins (id, account_id, amr, created_at, expires_at, attempts) VALUES ($1, $2, $3, $4, $5, 0)",
    pending_by_id: "SELECT account_id, amr, expires_at FROM pending_sign_ins WHERE id = $1 AND expires_at > $2",
    count_pending_attempt: "UPDATE pending_sign_ins SET attempts = attempts + 1 WHERE id = $1 AND attempts < $2 AND expires_at > $3",
    spend_pending: "DELETE FROM pending_sign_ins WHERE id = $1 AND expires_at > $2",
    add_api_key: "INSERT INTO api_keys (id, name, held_name, hash, owner, scopes, group_names, created_at, expires_at) VALUES \
        ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    free_expired_name: "UPDATE api_keys SET held_name = NULL WHERE held_name = $1 AND expires_at <= $2",
    retire_api_key: "UPDATE api_keys SET held_name = NULL, expires_at = CASE WHEN expires_at < $1 THEN expires_at ELSE $2 END WHERE \
        id = $3 AND held_name IS NOT NULL AND (expires_at IS NULL OR expires_at > $4)",
    revoke_api_key: "UPDATE api_keys SET revoked_at = $1, held_name = NULL WHERE id = $2 AND revoked_at IS NULL",
    use_api_key: "UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at <= $3)",
    api_key_by_id: "SELECT id, name, hash, owner, scopes, group_names, created_at, expires_at, last_used_at, revoked_at FROM \
        api_keys WHERE id = $1",
    api_keys: "SELECT id, name, hash, owner, scopes, group_names, created_at, expires_at, last_used_at, revoked_at FROM api_keys \
        WHERE id > $1 ORDER BY id LIMIT $2",
    audit_head: "SELECT number, mac, seal FROM audit_head WHERE id = 1",
    lock_audit_head: "SELECT number, mac, seal FROM audit_head WHERE id = 1",
    move_audit_head: "UPDATE audit_head SET number = $1, mac = $2, seal = $3 WHERE id = 1",
    add_audit_rows: "INSERT INTO audit_log (number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, \
        outcome, address, agent, request_id, \
        times, mac) \
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), \
        json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'), \
        json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'), \
        json_extract(value, '$[9]'), json_extract(value, '$[10]'), json_extract(value, '$[11]'), \
        json_extract(value, '$[12]'), json_extract(value, '$[13]'), json_extract(value, '$[14]') FROM json_each($1)",
    audit_rows_after: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, \
        times, mac FROM audit_log WHERE number > $1 ORDER BY number LIMIT $2",
    newest_audit_rows: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, \
        times, mac FROM audit_log WHERE happened_at >= $1 AND happened_at <= $2 AND (happened_at < $3 OR number < $4) \
        ORDER BY happened_at DESC, number DESC LIMIT $5",
    newest_audit_rows_of_account: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, \
        address, agent, request_id, times, mac FROM audit_log WHERE account_id = $1 AND account_id = $2 AND happened_at >= $3 AND \
        happened_at <= $4 AND (happened_at < $5 OR number < $6) ORDER BY happened_at DESC, number DESC LIMIT $7",
    newest_audit_rows_of_what: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, times, mac FROM audit_log WHERE what = $1 AND what = $2 AND happened_at >= $3 AND happened_at <= $4 AND \
        (happened_at < $5 OR number < $6) ORDER BY happened_at DESC, number DESC LIMIT $7",
    newest_audit_rows_of_account_and_what: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, \
        outcome, address, agent, request_id, times, mac FROM audit_log WHERE account_id = $1 AND account_id = $2 AND what = $3 AND \
        happened_at >= $4 AND happened_at <= $5 AND (happened_at < $6 OR number < $7) ORDER BY happened_at DESC, number DESC LIMIT $8",
    oldest_audit_rows: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, \
        times, mac FROM audit_log WHERE happened_at <= $1 AND happened_at >= $2 AND (happened_at > $3 OR number > $4) \
        ORDER BY happened_at, number LIMIT $5",
    oldest_audit_rows_of_account: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, \
        address, agent, request_id, times, mac FROM audit_log WHERE account_id = $1 AND account_id = $2 AND happened_at <= $3 AND \
        happened_at >= $4 AND (happened_at > $5 OR number > $6) ORDER BY happened_at, number LIMIT $7",
    oldest_audit_rows_of_what: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, times, mac FROM audit_log WHERE what = $1 AND what = $2 AND happened_at <= $3 AND happened_at >= $4 AND \
        (happened_at > $5 OR number > $6) ORDER BY happened_at, number LIMIT $7",
    oldest_audit_rows_of_account_and_what: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, \
        outcome, address, agent, request_id, times, mac FROM audit_log WHERE account_id = $1 AND account_id = $2 AND what = $3 AND \
        happened_at <= $4 AND happened_at >= $5 AND (happened_at > $6 OR number > $7) ORDER BY happened_at, number LIMIT $8",
    apps: &NUMBERED,
    sweep_challenges: "DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE expires_at < $1 LIMIT 100)",
    sweep_budgets: "DELETE FROM failures WHERE (subject, kind) IN (SELECT subject, kind FROM failures WHERE ends_at <= $1 LIMIT 100)",
    sweep_resends: "DELETE FROM resends WHERE handle IN (SELECT handle FROM resends WHERE ends_at <= $1 LIMIT 100)",
    sweep_expired_sessions: "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT 20)",
    sweep_ended_sessions: "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ended_at < $1 LIMIT 20)",
    sweep_changes: "DELETE FROM address_changes WHERE id IN (SELECT id FROM address_changes WHERE expires_at < $1 LIMIT 100)",
    last_claims: "SELECT answer FROM hook_claims WHERE account_id = $1",
    keep_claims: "INSERT INTO hook_claims (account_id, answer, kept_at) VALUES ($1, $2, $3) ON CONFLICT (account_id) DO UPDATE SET \
        answer = excluded.answer, kept_at = excluded.kept_at \
        WHERE hook_claims.answer <> excluded.answer OR hook_claims.kept_at < excluded.kept_at - 86400000",
    sweep_claims: "DELETE FROM hook_claims WHERE account_id IN (SELECT account_id FROM hook_claims WHERE kept_at < $1 LIMIT 100)",
    sweep_devices: "DELETE FROM devices WHERE (account_id, device) IN (SELECT account_id, device FROM devices WHERE seen_at < $1 LIMIT \
        100)",
    sweep_lines: "DELETE FROM revocations WHERE number IN (SELECT number FROM revocations WHERE expires_at < $1 LIMIT 100)",
    sweep_keys: "DELETE FROM signing_keys WHERE kid IN (SELECT kid FROM signing_keys WHERE verifies_until <= $1 LIMIT 100)",
    sweep_pendings: "DELETE FROM pending_sign_ins WHERE id IN (SELECT id FROM pending_sign_ins WHERE expires_at < $1 LIMIT 100)",
    sweep_expired_keys: "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE expires_at < $1 LIMIT 100)",
    sweep_revoked_keys: "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE revoked_at < $1 LIMIT 100)",
};

const MIGRATIONS: &[Script] = &[
    Script { number: 1, noun: "accounts", sql: include_str!("../../../migrations/sqlite/0001_accounts.sql") },
    Script { number: 2, noun: "challenges", sql: include_str!("../../../migrations/sqlite/0002_challenges.sql") },
    Script { number: 3, noun: "failures", sql: include_str!("../../../migrations/sqlite/0003_failures.sql") },
    Script { number: 4, noun: "resends", sql: include_str!("../../../migrations/sqlite/0004_resends.sql") },
    Script { number: 5, noun: "sessions", sql: include_str!("../../../migrations/sqlite/0005_sessions.sql") },
    Script { number: 6, noun: "refresh_tokens", sql: include_str!("../../../migrations/sqlite/0006_refresh_tokens.sql") },
    Script { number: 7, noun: "revocations", sql: include_str!("../../../migrations/sqlite/0007_revocations.sql") },
    Script { number: 8, noun: "ledger", sql: include_str!("../../../migrations/sqlite/0008_ledger.sql") },
    Script { number: 9, noun: "signing_keys", sql: include_str!("../../../migrations/sqlite/0009_signing_keys.sql") },
    Script { number: 10, noun: "devices", sql: include_str!("../../../migrations/sqlite/0010_devices.sql") },
    Script { number: 11, noun: "address_changes", sql: include_str!("../../../migrations/sqlite/0011_address_changes.sql") },
    Script { number: 12, noun: "usernames", sql: include_str!("../../../migrations/sqlite/0012_usernames.sql") },
    Script { number: 13, noun: "factors", sql: include_str!("../../../migrations/sqlite/0013_factors.sql") },
    Script { number: 14, noun: "recovery_codes", sql: include_str!("../../../migrations/sqlite/0014_recovery_codes.sql") },
    Script { number: 15, noun: "pending_sign_ins", sql: include_str!("../../../migrations/sqlite/0015_pending_sign_ins.sql") },
    Script { number: 16, noun: "api_keys", sql: include_str!("../../../migrations/sqlite/0016_api_keys.sql") },
    Script { number: 20, noun: "apps", sql: include_str!("../../../migrations/sqlite/0020_apps.sql") },
    Script { number: 21, noun: "app_routes", sql: include_str!("../../../migrations/sqlite/0021_app_routes.sql") },
    Script { number: 22, noun: "app_subjects", sql: include_str!("../../../migrations/sqlite/0022_app_subjects.sql") },
    Script { number: 23, noun: "app_authenticators", sql: include_str!("../../../migrations/sqlite/0023_app_authenticators.sql") },
    Script { number: 24, noun: "app_codes", sql: include_str!("../../../migrations/sqlite/0024_app_codes.sql") },
    Script { number: 25, noun: "audit_log", sql: include_str!("../../../migrations/sqlite/0025_audit_log.sql") },
    Script { number: 26, noun: "audit_head", sql: include_str!("../../../migrations/sqlite/0026_audit_head.sql") },
    Script { number: 28, noun: "account_revisions", sql: include_str!("../../../migrations/sqlite/0028_account_revisions.sql") },
    Script { number: 32, noun: "hook_claims", sql: include_str!("../../../migrations/sqlite/0032_hook_claims.sql") },
];
