//! What is said to MySQL and MariaDB, whole: their parameters have no numbers.

use super::app_statements::UNNUMBERED;
use super::statements::{Script, Statements};

/// MySQL and MariaDB. READ COMMITTED, as PostgreSQL: their default locks gaps between rows, and two that add to one table
/// would get in each other's way. The driver asks for rows found, not rows changed.
///
/// Pages of the audit log are ranges of an index in both their columns: told that the first is equal to something, the optimizer
/// looks that up and reads all there is, instead of going to where the page begins.
pub(super) const MYSQL: Statements = Statements {
    session: &["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET SESSION innodb_lock_wait_timeout = 5"],
    begin: "START TRANSACTION",
    migrations: MIGRATIONS,
    has_migrations: "SELECT table_name FROM information_schema.tables \
        WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations'",
    ping: "SELECT 1",
    touch: "",
    applied_migrations: "SELECT version FROM _sqlx_migrations ORDER BY version",
    account_by_id: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE id = ?",
    account_by_email: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE email = ?",
    account_by_phone: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE phone = ?",
    accounts: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE id > ? ORDER BY id LIMIT ?",
    account_by_username: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE username_folded = ?",
    accounts_page: "SELECT id, username, name, email, email_verified, phone, phone_verified, group_names, claims, disabled_at, \
        created_at, revision FROM accounts WHERE id > ? AND (? < 0 OR CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END = ?) \
        AND (? = '' OR JSON_CONTAINS(group_names, JSON_QUOTE(?))) ORDER BY id LIMIT ?",
    account_revision: "SELECT revision FROM accounts WHERE id = ?",
    change_account: "UPDATE accounts SET name = ?, email = ?, email_verified = ?, phone = ?, phone_verified = ?, \
        group_names = ?, claims = ?, revision = revision + 1 WHERE id = ?",
    remove_account: "DELETE FROM accounts WHERE id = ? AND revision = ?",
    drop_challenges: "DELETE FROM challenges WHERE account_id = ?",
    drop_changes: "DELETE FROM address_changes WHERE account_id = ?",
    drop_pendings: "DELETE FROM pending_sign_ins WHERE account_id = ?",
    drop_devices: "DELETE FROM devices WHERE account_id = ?",
    drop_hook_claims: "DELETE FROM hook_claims WHERE account_id = ?",
    add_account: "INSERT INTO accounts (id, username, username_folded, name, email, email_verified, phone, phone_verified, group_names, \
        claims, disabled_at, created_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    verify_email: "UPDATE accounts SET email_verified = 1, revision = revision + 1 WHERE id = ? AND email = ? AND \
        email_verified = 0",
    verify_phone: "UPDATE accounts SET phone_verified = 1, revision = revision + 1 WHERE id = ? AND phone = ? AND \
        phone_verified = 0",
    enable_account: "UPDATE accounts SET revision = revision + CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END, disabled_at = NULL \
        WHERE id = ?",
    disable_account: "UPDATE accounts SET disabled_at = ?, revision = revision + 1 WHERE id = ? AND disabled_at IS NULL",
    lock_account: "SELECT id FROM accounts WHERE id = ? FOR UPDATE",
    lock_enabled_account: "SELECT id FROM accounts WHERE id = ? AND disabled_at IS NULL LOCK IN SHARE MODE",
    renew_resend: "UPDATE resends SET ends_at = ? WHERE handle = ? AND ends_at <= ?",
    add_resend: "INSERT IGNORE INTO resends (handle, ends_at) VALUES (?, ?)",
    resend: "SELECT ends_at FROM resends WHERE handle = ?",
    release_resend: "DELETE FROM resends WHERE handle = ?",
    add_challenge: "INSERT INTO challenges (id, subject, account_id, handle, channel, code, created_at, expires_at, bound_attempts, \
        unbound_attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0)",
    delete_challenge: "DELETE FROM challenges WHERE id = ?",
    challenge_by_id: "SELECT id, subject, account_id, handle, channel, code, expires_at, bound_attempts, unbound_attempts FROM \
        challenges WHERE id = ? AND expires_at > ?",
    challenges_of_subject: "SELECT id, subject, account_id, handle, channel, code, expires_at, bound_attempts, unbound_attempts FROM \
        challenges WHERE subject = ? AND expires_at > ? ORDER BY created_at DESC, id DESC LIMIT ?",
    challenge_ids_of_subject: "SELECT id FROM challenges WHERE subject = ? AND expires_at > ? ORDER BY created_at DESC, id DESC",
    challenge_of_subject_with_handle: "SELECT id FROM challenges WHERE subject = ? AND handle = ? AND expires_at > ? LIMIT 1",
    latest_challenge: "SELECT id, subject, account_id, handle, channel, code, expires_at, bound_attempts, unbound_attempts FROM \
        challenges WHERE (handle = ? OR subject = ?) AND expires_at > ? ORDER BY created_at DESC, id DESC LIMIT 1",
    count_bound_attempt: "UPDATE challenges SET bound_attempts = bound_attempts + 1 WHERE id = ? AND bound_attempts < ? AND expires_at > ?",
    count_unbound_attempt: "UPDATE challenges SET unbound_attempts = unbound_attempts + 1 WHERE id = ? AND unbound_attempts < ? AND \
        expires_at > ?",
    spend_challenge: "DELETE FROM challenges WHERE id = ? AND expires_at > ?",
    use_budget: "UPDATE failures SET used = used + 1 WHERE subject = ? AND kind = ? AND ends_at > ? AND used < ?",
    renew_budget: "UPDATE failures SET used = 1, ends_at = ? WHERE subject = ? AND kind = ? AND ends_at <= ?",
    add_budget: "INSERT IGNORE INTO failures (subject, kind, used, ends_at) VALUES (?, ?, 1, ?)",
    budget: "SELECT used, ends_at FROM failures WHERE subject = ? AND kind = ?",
    give_back_bound_attempt: "UPDATE challenges SET bound_attempts = bound_attempts - 1 WHERE id = ? AND bound_attempts > 0",
    give_back_unbound_attempt: "UPDATE challenges SET unbound_attempts = unbound_attempts - 1 WHERE id = ? AND unbound_attempts > 0",
    give_back_pending_attempt: "UPDATE pending_sign_ins SET attempts = attempts - 1 WHERE id = ? AND attempts > 0",
    give_back_budget: "UPDATE failures SET used = used - 1 WHERE subject = ? AND kind = ? AND ends_at > ? AND used > 0",
    add_session: "INSERT INTO sessions (id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, \
        family_key, newest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
    session_by_id: "SELECT id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, ended_at FROM \
        sessions WHERE id = ?",
    sessions_of_account: "SELECT id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, ended_at FROM \
        sessions WHERE account_id = ? AND ended_at IS NULL AND expires_at > ? ORDER BY created_at DESC, id DESC LIMIT ?",
    sessions_of_account_page: "SELECT id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, ended_at FROM \
        sessions WHERE account_id = ? AND id > ? AND ended_at IS NULL AND expires_at > ? ORDER BY id LIMIT ?",
    sessions_page: "SELECT id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, ended_at FROM \
        sessions WHERE id > ? AND ended_at IS NULL AND expires_at > ? ORDER BY id LIMIT ?",
    family_by_refresh: "SELECT sessions.id, sessions.account_id, sessions.created_at, sessions.last_seen_at, sessions.expires_at, \
        sessions.auth_time, sessions.amr, sessions.acr, sessions.address, sessions.agent, sessions.ended_at, \
        sessions.family_key, sessions.newest, refresh_tokens.number, refresh_tokens.spent_at FROM refresh_tokens JOIN \
        sessions ON sessions.id = refresh_tokens.session_id WHERE refresh_tokens.fingerprint = ?",
    advance_session: "UPDATE sessions SET newest = newest + 1, last_seen_at = ?, address = COALESCE(?, address) WHERE id = ? AND \
        newest = ? AND ended_at IS NULL AND expires_at > ?",
    spend_refresh: "UPDATE refresh_tokens SET spent_at = ? WHERE session_id = ? AND number = ?",
    add_refresh: "INSERT INTO refresh_tokens (fingerprint, session_id, number) VALUES (?, ?, ?)",
    lock_live_session: "SELECT id, account_id FROM sessions WHERE id = ? AND ended_at IS NULL AND expires_at > ? FOR UPDATE",
    lock_live_sessions: "SELECT id, account_id FROM sessions WHERE account_id = ? AND ended_at IS NULL AND expires_at > ? ORDER BY id FOR \
        UPDATE",
    end_sessions: "UPDATE sessions JOIN JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(191) PATH '$')) AS line ON sessions.id = \
        line.name SET sessions.ended_at = ?, sessions.ended_reason = ?",
    see_device: "UPDATE devices SET seen_at = ? WHERE account_id = ? AND device = ?",
    add_device: "INSERT IGNORE INTO devices (account_id, device, seen_at) VALUES (?, ?, ?)",
    other_device: "SELECT device FROM devices WHERE account_id = ? AND device <> ? LIMIT 1",
    add_change: "INSERT INTO address_changes (id, account_id, handle, sealed, channel, code, created_at, expires_at, attempts) VALUES \
        (?, ?, ?, ?, ?, ?, ?, ?, 0)",
    change_by_id: "SELECT id, handle, expires_at FROM address_changes WHERE id = ? AND account_id = ? AND expires_at > ?",
    changes_of_account: "SELECT id, handle, expires_at FROM address_changes WHERE account_id = ? AND expires_at > ? ORDER BY created_at \
        DESC, id DESC",
    changes_to_handle: "SELECT id, handle, sealed, channel, code FROM address_changes WHERE account_id = ? AND handle = ? AND expires_at > ? ORDER BY \
        created_at DESC, id DESC LIMIT ?",
    delete_change: "DELETE FROM address_changes WHERE id = ?",
    count_change_attempt: "UPDATE address_changes SET attempts = attempts + 1 WHERE id = ? AND attempts < ? AND expires_at > ?",
    spend_change: "DELETE FROM address_changes WHERE id = ? AND account_id = ? AND expires_at > ?",
    set_email: "UPDATE accounts SET email = ?, email_verified = 1, revision = revision + 1 WHERE id = ? AND disabled_at IS NULL",
    set_phone: "UPDATE accounts SET phone = ?, phone_verified = 1, revision = revision + 1 WHERE id = ? AND disabled_at IS NULL",
    drop_email: "UPDATE accounts SET email = NULL, email_verified = 0, revision = revision + 1 WHERE id = ?",
    drop_phone: "UPDATE accounts SET phone = NULL, phone_verified = 0, revision = revision + 1 WHERE id = ?",
    name_ledger: "INSERT IGNORE INTO ledger (id, name, head) VALUES (1, ?, 0)",
    head: "SELECT name, head FROM ledger WHERE id = 1",
    lock_head: "SELECT name, head FROM ledger WHERE id = 1 FOR UPDATE",
    move_head: "UPDATE ledger SET head = head + ? WHERE id = 1",
    add_line: "INSERT INTO revocations (number, kind, name, below, expires_at) VALUES (?, ?, ?, ?, ?)",
    add_session_lines: "INSERT INTO revocations (number, kind, name, expires_at) SELECT ? + line.place - 1, 'session', line.name, ? FROM \
        JSON_TABLE(?, '$[*]' COLUMNS (place FOR ORDINALITY, name VARCHAR(191) PATH '$')) AS line",
    live_line: "SELECT number FROM revocations WHERE kind = ? AND name = ? AND expires_at > ? LIMIT 1",
    lines_since: "SELECT number, kind, name, below, expires_at FROM revocations WHERE number > ? AND expires_at > ? ORDER \
        BY number LIMIT ?",
    revoked: "SELECT kind FROM revocations WHERE kind = 'token' AND name = ? AND expires_at > ? UNION ALL SELECT kind \
        FROM revocations WHERE kind = 'session' AND name = ? AND expires_at > ? UNION ALL SELECT kind FROM \
        revocations WHERE kind = 'account' AND name = ? AND below > ? AND expires_at > ? ORDER BY kind DESC LIMIT 1",
    keys: "SELECT kid, purpose, algorithm, generation, sealed, public_jwk, created_at, signs_from, verifies_until FROM \
        signing_keys ORDER BY generation, kid",
    add_key: "INSERT INTO signing_keys (kid, purpose, algorithm, generation, sealed, public_jwk, created_at, signs_from, \
        verifies_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    end_older_keys: "UPDATE signing_keys SET verifies_until = ? WHERE purpose = ? AND generation < ? AND verifies_until IS NULL",
    factor: "SELECT sealed, enrolled_at, confirmed_at, last_used_at, (SELECT COUNT(*) FROM recovery_codes WHERE \
        recovery_codes.account_id = factors.account_id) AS codes FROM factors WHERE account_id = ?",
    renew_factor: "UPDATE factors SET sealed = ?, enrolled_at = ? WHERE account_id = ? AND confirmed_at IS NULL",
    add_factor: "INSERT IGNORE INTO factors (account_id, sealed, enrolled_at, last_step) VALUES (?, ?, ?, -1)",
    confirmed_factor: "SELECT account_id FROM factors WHERE account_id = ? AND confirmed_at IS NOT NULL",
    confirm_factor: "UPDATE factors SET confirmed_at = ?, last_step = ?, last_used_at = ?, codes_made_at = ? WHERE account_id = ? AND \
        sealed = ? AND confirmed_at IS NULL",
    use_step: "UPDATE factors SET last_step = ?, last_used_at = ? WHERE account_id = ? AND sealed = ? AND confirmed_at IS NOT NULL \
        AND last_step < ?",
    remove_factor: "DELETE FROM factors WHERE account_id = ?",
    remake_codes: "UPDATE factors SET codes_made_at = ? WHERE account_id = ? AND confirmed_at IS NOT NULL",
    delete_codes: "DELETE FROM recovery_codes WHERE account_id = ?",
    add_code: "INSERT INTO recovery_codes (account_id, code) VALUES (?, ?)",
    use_code: "DELETE FROM recovery_codes WHERE account_id = ? AND code = ?",
    codes_left: "SELECT COUNT(*) AS codes FROM recovery_codes WHERE account_id = ?",
    add_pending: "INSERT INTO pending_sign_ins (id, account_id, amr, created_at, expires_at, attempts) VALUES (?, ?, ?, ?, ?, 0)",
    pending_by_id: "SELECT account_id, amr, expires_at FROM pending_sign_ins WHERE id = ? AND expires_at > ?",
    count_pending_attempt: "UPDATE pending_sign_ins SET attempts = attempts + 1 WHERE id = ? AND attempts < ? AND expires_at > ?",
    spend_pending: "DELETE FROM pending_sign_ins WHERE id = ? AND expires_at > ?",
    add_api_key: "INSERT INTO api_keys (id, name, held_name, hash, owner, scopes, group_names, created_at, expires_at) VALUES \
        (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    free_expired_name: "UPDATE api_keys SET held_name = NULL WHERE held_name = ? AND expires_at <= ?",
    retire_api_key: "UPDATE api_keys SET held_name = NULL, expires_at = CASE WHEN expires_at < ? THEN expires_at ELSE ? END WHERE \
        id = ? AND held_name IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)",
    revoke_api_key: "UPDATE api_keys SET revoked_at = ?, held_name = NULL WHERE id = ? AND revoked_at IS NULL",
    use_api_key: "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)",
    api_key_by_id: "SELECT id, name, hash, owner, scopes, group_names, created_at, expires_at, last_used_at, revoked_at FROM \
        api_keys WHERE id = ?",
    api_keys: "SELECT id, name, hash, owner, scopes, group_names, created_at, expires_at, last_used_at, revoked_at FROM api_keys \
        WHERE id > ? ORDER BY id LIMIT ?",
    audit_head: "SELECT number, mac, seal FROM audit_head WHERE id = 1",
    lock_audit_head: "SELECT number, mac, seal FROM audit_head WHERE id = 1 FOR UPDATE",
    move_audit_head: "UPDATE audit_head SET number = ?, mac = ?, seal = ? WHERE id = 1",
    add_audit_rows: "INSERT INTO audit_log (number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, \
        outcome, address, agent, request_id, \
        times, mac) \
        SELECT line.number, line.happened_at, line.who, line.who_id, line.account_id, line.what, line.thing, line.thing_id, \
        line.detail, line.outcome, line.address, line.agent, line.request_id, line.times, line.mac FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT PATH '$[0]', happened_at BIGINT PATH '$[1]', who VARCHAR(191) PATH '$[2]', \
        who_id VARCHAR(191) PATH '$[3]', account_id VARCHAR(191) PATH '$[4]', what VARCHAR(191) PATH '$[5]', \
        thing VARCHAR(191) PATH '$[6]', thing_id VARCHAR(191) PATH '$[7]', detail VARCHAR(191) PATH '$[8]', \
        outcome VARCHAR(191) PATH '$[9]', address VARCHAR(191) PATH '$[10]', agent VARCHAR(191) PATH '$[11]', \
        request_id VARCHAR(191) PATH '$[12]', times BIGINT PATH '$[13]', mac VARCHAR(191) PATH '$[14]')) AS line",
    audit_rows_after: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, \
        times, mac FROM audit_log WHERE number > ? ORDER BY number LIMIT ?",
    newest_audit_rows: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, \
        times, mac FROM audit_log WHERE happened_at >= ? AND happened_at <= ? AND (happened_at < ? OR number < ?) \
        ORDER BY happened_at DESC, number DESC LIMIT ?",
    newest_audit_rows_of_account: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, \
        address, agent, request_id, times, mac FROM audit_log WHERE account_id >= ? AND account_id <= ? AND happened_at >= ? AND \
        happened_at <= ? AND (happened_at < ? OR number < ?) ORDER BY account_id DESC, happened_at DESC, number DESC LIMIT ?",
    newest_audit_rows_of_what: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, times, mac FROM audit_log WHERE what >= ? AND what <= ? AND happened_at >= ? AND happened_at <= ? AND \
        (happened_at < ? OR number < ?) ORDER BY what DESC, happened_at DESC, number DESC LIMIT ?",
    newest_audit_rows_of_account_and_what: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, \
        outcome, address, agent, request_id, times, mac FROM audit_log WHERE account_id >= ? AND account_id <= ? AND what = ? AND \
        happened_at >= ? AND happened_at <= ? AND (happened_at < ? OR number < ?) ORDER BY account_id DESC, happened_at DESC, number \
        DESC LIMIT ?",
    oldest_audit_rows: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, \
        times, mac FROM audit_log WHERE happened_at <= ? AND happened_at >= ? AND (happened_at > ? OR number > ?) \
        ORDER BY happened_at, number LIMIT ?",
    oldest_audit_rows_of_account: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, \
        address, agent, request_id, times, mac FROM audit_log WHERE account_id >= ? AND account_id <= ? AND happened_at <= ? AND \
        happened_at >= ? AND (happened_at > ? OR number > ?) ORDER BY account_id, happened_at, number LIMIT ?",
    oldest_audit_rows_of_what: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
        agent, request_id, times, mac FROM audit_log WHERE what >= ? AND what <= ? AND happened_at <= ? AND happened_at >= ? AND \
        (happened_at > ? OR number > ?) ORDER BY what, happened_at, number LIMIT ?",
    oldest_audit_rows_of_account_and_what: "SELECT number, happened_at, who, who_id, account_id, what, thing, thing_id, detail, \
        outcome, address, agent, request_id, times, mac FROM audit_log WHERE account_id >= ? AND account_id <= ? AND what = ? AND \
        happened_at <= ? AND happened_at >= ? AND (happened_at > ? OR number > ?) ORDER BY account_id, happened_at, number LIMIT ?",
    apps: &UNNUMBERED,
    sweep_challenges: "DELETE FROM challenges WHERE expires_at < ? LIMIT 100",
    sweep_budgets: "DELETE FROM failures WHERE ends_at <= ? LIMIT 100",
    sweep_resends: "DELETE FROM resends WHERE ends_at <= ? LIMIT 100",
    sweep_expired_sessions: "DELETE FROM sessions WHERE expires_at < ? LIMIT 20",
    sweep_ended_sessions: "DELETE FROM sessions WHERE ended_at < ? LIMIT 20",
    sweep_changes: "DELETE FROM address_changes WHERE expires_at < ? LIMIT 100",
    last_claims: "SELECT answer FROM hook_claims WHERE account_id = ?",
    keep_claims: "INSERT INTO hook_claims (account_id, answer, kept_at) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE \
        answer = VALUES(answer), kept_at = VALUES(kept_at)",
    sweep_claims: "DELETE FROM hook_claims WHERE kept_at < ? LIMIT 100",
    sweep_devices: "DELETE FROM devices WHERE seen_at < ? LIMIT 100",
    sweep_lines: "DELETE FROM revocations WHERE expires_at < ? LIMIT 100",
    sweep_keys: "DELETE FROM signing_keys WHERE verifies_until <= ? LIMIT 100",
    sweep_pendings: "DELETE FROM pending_sign_ins WHERE expires_at < ? LIMIT 100",
    sweep_expired_keys: "DELETE FROM api_keys WHERE expires_at < ? LIMIT 100",
    sweep_revoked_keys: "DELETE FROM api_keys WHERE revoked_at < ? LIMIT 100",
};

const MIGRATIONS: &[Script] = &[
    Script { number: 1, noun: "accounts", sql: include_str!("../../../migrations/mysql/0001_accounts.sql") },
    Script { number: 2, noun: "challenges", sql: include_str!("../../../migrations/mysql/0002_challenges.sql") },
    Script { number: 3, noun: "failures", sql: include_str!("../../../migrations/mysql/0003_failures.sql") },
    Script { number: 4, noun: "resends", sql: include_str!("../../../migrations/mysql/0004_resends.sql") },
    Script { number: 5, noun: "sessions", sql: include_str!("../../../migrations/mysql/0005_sessions.sql") },
    Script { number: 6, noun: "refresh_tokens", sql: include_str!("../../../migrations/mysql/0006_refresh_tokens.sql") },
    Script { number: 7, noun: "revocations", sql: include_str!("../../../migrations/mysql/0007_revocations.sql") },
    Script { number: 8, noun: "ledger", sql: include_str!("../../../migrations/mysql/0008_ledger.sql") },
    Script { number: 9, noun: "signing_keys", sql: include_str!("../../../migrations/mysql/0009_signing_keys.sql") },
    Script { number: 10, noun: "devices", sql: include_str!("../../../migrations/mysql/0010_devices.sql") },
    Script { number: 11, noun: "address_changes", sql: include_str!("../../../migrations/mysql/0011_address_changes.sql") },
    Script { number: 12, noun: "usernames", sql: include_str!("../../../migrations/mysql/0012_usernames.sql") },
    Script { number: 13, noun: "factors", sql: include_str!("../../../migrations/mysql/0013_factors.sql") },
    Script { number: 14, noun: "recovery_codes", sql: include_str!("../../../migrations/mysql/0014_recovery_codes.sql") },
    Script { number: 15, noun: "pending_sign_ins", sql: include_str!("../../../migrations/mysql/0015_pending_sign_ins.sql") },
    Script { number: 16, noun: "api_keys", sql: include_str!("../../../migrations/mysql/0016_api_keys.sql") },
    Script { number: 20, noun: "apps", sql: include_str!("../../../migrations/mysql/0020_apps.sql") },
    Script { number: 21, noun: "app_routes", sql: include_str!("../../../migrations/mysql/0021_app_routes.sql") },
    Script { number: 22, noun: "app_subjects", sql: include_str!("../../../migrations/mysql/0022_app_subjects.sql") },
    Script { number: 23, noun: "app_authenticators", sql: include_str!("../../../migrations/mysql/0023_app_authenticators.sql") },
    Script { number: 24, noun: "app_codes", sql: include_str!("../../../migrations/mysql/0024_app_codes.sql") },
    Script { number: 25, noun: "audit_log", sql: include_str!("../../../migrations/mysql/0025_audit_log.sql") },
    Script { number: 26, noun: "audit_head", sql: include_str!("../../../migrations/mysql/0026_audit_head.sql") },
    Script { number: 28, noun: "account_revisions", sql: include_str!("../../../migrations/mysql/0028_account_revisions.sql") },
    Script { number: 32, noun: "hook_claims", sql: include_str!("../../../migrations/mysql/0032_hook_claims.sql") },
];

#[cfg(test)]
mod tests {
    use super::super::sqlite::SQLITE;
    use super::*;

    /// Numbered parameters, as SQLite has them, without their numbers.
    fn unnumbered(sql: &str) -> String {
        sql.split('$')
            .enumerate()
            .map(|(i, part)| if i == 0 { part.to_owned() } else { format!("?{}", part.trim_start_matches(|c: char| c.is_ascii_digit())) })
            .collect()
    }

    #[test]
    fn what_two_databases_are_told_is_the_same_but_for_the_numbers() {
        let same = [
            (SQLITE.add_account, MYSQL.add_account),
            (SQLITE.count_bound_attempt, MYSQL.count_bound_attempt),
            (SQLITE.count_unbound_attempt, MYSQL.count_unbound_attempt),
            (SQLITE.use_budget, MYSQL.use_budget),
            (SQLITE.renew_budget, MYSQL.renew_budget),
            (SQLITE.advance_session, MYSQL.advance_session),
            (SQLITE.add_session, MYSQL.add_session),
            (SQLITE.add_change, MYSQL.add_change),
            (SQLITE.count_change_attempt, MYSQL.count_change_attempt),
            (SQLITE.set_email, MYSQL.set_email),
            (SQLITE.see_device, MYSQL.see_device),
            (SQLITE.lines_since, MYSQL.lines_since),
            (SQLITE.revoked, MYSQL.revoked),
            (SQLITE.change_account, MYSQL.change_account),
            (SQLITE.sessions_of_account_page, MYSQL.sessions_of_account_page),
            (SQLITE.add_key, MYSQL.add_key),
            (SQLITE.add_api_key, MYSQL.add_api_key),
            (SQLITE.retire_api_key, MYSQL.retire_api_key),
            (SQLITE.revoke_api_key, MYSQL.revoke_api_key),
            (SQLITE.use_api_key, MYSQL.use_api_key),
            (SQLITE.confirm_factor, MYSQL.confirm_factor),
            (SQLITE.use_step, MYSQL.use_step),
            (SQLITE.count_pending_attempt, MYSQL.count_pending_attempt),
            (SQLITE.move_audit_head, MYSQL.move_audit_head),
            (SQLITE.newest_audit_rows, MYSQL.newest_audit_rows),
            (SQLITE.oldest_audit_rows, MYSQL.oldest_audit_rows),
        ];
        for (sqlite, mysql) in same {
            assert_eq!(unnumbered(sqlite), mysql);
        }
    }
}
