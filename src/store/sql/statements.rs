//! What is said to a database, as data: once for each, bound parameters only.
//!
//! Parameters are numbered in the order in which they stand in MySQL's text, which has no numbers; so every database is
//! given the same values in the same order.

use super::app_statements::AppStatements;

/// A migration: its number, its noun, its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    /// Counts up from 1.
    pub(super) number: i64,
    /// What it is about; the rest of the file's name.
    pub(super) noun: &'static str,
    /// What is done.
    pub(super) sql: &'static str,
}

/// Everything that is said to one database.
#[derive(Debug)]
pub(super) struct Statements {
    /// Said once to every new connection.
    pub(super) session: &'static [&'static str],
    /// Begins a transaction that is going to write.
    pub(super) begin: &'static str,
    /// Asks for a sign of life.
    pub(super) ping: &'static str,
    /// Writes a page and changes nothing; empty where a server knows by itself whether it can write
    pub(super) touch: &'static str,
    /// How the database came to be what it is.
    pub(super) migrations: &'static [Script],
    /// Is there a table of migrations? One row if there is.
    pub(super) has_migrations: &'static str,
    /// The numbers of those that were applied.
    pub(super) applied_migrations: &'static str,

    /// id
    pub(super) account_by_id: &'static str,
    /// email
    pub(super) account_by_email: &'static str,
    /// phone
    pub(super) account_by_phone: &'static str,
    /// after, limit
    pub(super) accounts: &'static str,
    /// username, as it is compared
    pub(super) account_by_username: &'static str,
    /// after, disabled (-1: either), the same, group (empty: any), the same, limit
    pub(super) accounts_page: &'static str,
    /// id
    pub(super) account_revision: &'static str,
    /// name, email, `email_verified`, phone, `phone_verified`, `group_names`, claims, id
    pub(super) change_account: &'static str,
    /// id, revision
    pub(super) remove_account: &'static str,
    /// account, for each: what belongs to it and is under way, or remembered
    pub(super) drop_challenges: &'static str,
    pub(super) drop_changes: &'static str,
    pub(super) drop_pendings: &'static str,
    pub(super) drop_devices: &'static str,
    pub(super) drop_hook_claims: &'static str,
    /// id, username, the same as it is compared, name, email, `email_verified`, phone, `phone_verified`, `group_names`, claims, `disabled_at`, `created_at`, revision
    pub(super) add_account: &'static str,
    /// id, email
    pub(super) verify_email: &'static str,
    /// id, phone
    pub(super) verify_phone: &'static str,
    /// id
    pub(super) enable_account: &'static str,
    /// now, id
    pub(super) disable_account: &'static str,
    /// id: nobody else starts a session of it or ends one meanwhile
    pub(super) lock_account: &'static str,
    /// id: nobody disables it meanwhile
    pub(super) lock_enabled_account: &'static str,

    /// ends, handle, now
    pub(super) renew_resend: &'static str,
    /// handle, ends: nothing when it is there
    pub(super) add_resend: &'static str,
    /// handle
    pub(super) resend: &'static str,
    /// handle
    pub(super) release_resend: &'static str,
    /// id, subject, account, handle, channel, code, created, expires
    pub(super) add_challenge: &'static str,
    /// id
    pub(super) delete_challenge: &'static str,
    /// id, now
    pub(super) challenge_by_id: &'static str,
    /// subject, now, limit: newest first
    pub(super) challenges_of_subject: &'static str,
    /// subject, now: all, newest first
    pub(super) challenge_ids_of_subject: &'static str,
    /// subject, handle, now
    pub(super) challenge_of_subject_with_handle: &'static str,
    /// handle, subject, now: the newest
    pub(super) latest_challenge: &'static str,
    /// id, most, now
    pub(super) count_bound_attempt: &'static str,
    /// id, most, now
    pub(super) count_unbound_attempt: &'static str,
    /// id, now
    pub(super) spend_challenge: &'static str,
    /// subject, kind, now, most
    pub(super) use_budget: &'static str,
    /// ends, subject, kind, now
    pub(super) renew_budget: &'static str,
    /// subject, kind, ends: nothing when it is there
    pub(super) add_budget: &'static str,
    /// subject, kind
    pub(super) budget: &'static str,
    /// challenge
    pub(super) give_back_bound_attempt: &'static str,
    /// challenge
    pub(super) give_back_unbound_attempt: &'static str,
    /// half-finished sign-in
    pub(super) give_back_pending_attempt: &'static str,
    /// subject, kind, now
    pub(super) give_back_budget: &'static str,

    /// id, account, created, seen, expires, `auth_time`, amr, acr, address, agent, `family_key`
    pub(super) add_session: &'static str,
    /// id
    pub(super) session_by_id: &'static str,
    /// account, now, limit: newest first
    pub(super) sessions_of_account: &'static str,
    /// account, after, now, limit
    pub(super) sessions_of_account_page: &'static str,
    /// after, now, limit
    pub(super) sessions_page: &'static str,
    /// fingerprint
    pub(super) family_by_refresh: &'static str,
    /// now, address, id, presented, now
    pub(super) advance_session: &'static str,
    /// now, session, number
    pub(super) spend_refresh: &'static str,
    /// fingerprint, session, number
    pub(super) add_refresh: &'static str,
    /// id, now: locked
    pub(super) lock_live_session: &'static str,
    /// account, now: locked, in the order of ids
    pub(super) lock_live_sessions: &'static str,
    /// ids as a JSON list, now, reason
    pub(super) end_sessions: &'static str,

    /// now, account, device
    pub(super) see_device: &'static str,
    /// account, device, now: nothing when it is there
    pub(super) add_device: &'static str,
    /// account, device: any but that one
    pub(super) other_device: &'static str,
    /// id, account, handle, sealed, channel, code, created, expires
    pub(super) add_change: &'static str,
    /// id, account, now
    pub(super) change_by_id: &'static str,
    /// account, now: all, newest first
    pub(super) changes_of_account: &'static str,
    /// account, handle, now, limit: newest first
    pub(super) changes_to_handle: &'static str,
    /// id
    pub(super) delete_change: &'static str,
    /// id, most, now
    pub(super) count_change_attempt: &'static str,
    /// id, account, now
    pub(super) spend_change: &'static str,
    /// email, id: verified
    pub(super) set_email: &'static str,
    /// phone, id: verified
    pub(super) set_phone: &'static str,
    /// id
    pub(super) drop_email: &'static str,
    /// id
    pub(super) drop_phone: &'static str,

    /// name: nothing when there is one
    pub(super) name_ledger: &'static str,
    /// Its name and its newest number.
    pub(super) head: &'static str,
    /// The same, locked.
    pub(super) lock_head: &'static str,
    /// by how many
    pub(super) move_head: &'static str,
    /// number, kind, name, below, expires
    pub(super) add_line: &'static str,
    /// first number, expires, ids as a JSON list
    pub(super) add_session_lines: &'static str,
    /// kind, name, now
    pub(super) live_line: &'static str,
    /// number, now, limit
    pub(super) lines_since: &'static str,
    /// token, now, session, now, account, revision, now
    pub(super) revoked: &'static str,

    /// All, oldest generation first.
    pub(super) keys: &'static str,
    /// kid, purpose, algorithm, generation, sealed, jwk, created, signs from, verifies until
    pub(super) add_key: &'static str,
    /// until, purpose, generation
    pub(super) end_older_keys: &'static str,

    /// account: with the number of its recovery codes
    pub(super) factor: &'static str,
    /// sealed, now, account: nothing when it is confirmed
    pub(super) renew_factor: &'static str,
    /// account, sealed, now: nothing when there is one
    pub(super) add_factor: &'static str,
    /// account
    pub(super) confirmed_factor: &'static str,
    /// now, step, now, now, account, sealed
    pub(super) confirm_factor: &'static str,
    /// step, now, account, sealed, step
    pub(super) use_step: &'static str,
    /// account
    pub(super) remove_factor: &'static str,
    /// now, account: locks the confirmed one
    pub(super) remake_codes: &'static str,
    /// account
    pub(super) delete_codes: &'static str,
    /// account, code
    pub(super) add_code: &'static str,
    /// account, code
    pub(super) use_code: &'static str,
    /// account
    pub(super) codes_left: &'static str,

    /// id, account, amr, created, expires
    pub(super) add_pending: &'static str,
    /// id, now
    pub(super) pending_by_id: &'static str,
    /// id, most, now
    pub(super) count_pending_attempt: &'static str,
    /// id, now
    pub(super) spend_pending: &'static str,

    /// id, name, the same as it is compared, hash, owner, scopes, `group_names`, `created_at`, `expires_at`
    pub(super) add_api_key: &'static str,
    /// name as it is compared, now
    pub(super) free_expired_name: &'static str,
    /// until, until, id, now
    pub(super) retire_api_key: &'static str,
    /// now, id
    pub(super) revoke_api_key: &'static str,
    /// at, id, before
    pub(super) use_api_key: &'static str,
    /// id
    pub(super) api_key_by_id: &'static str,
    /// after, limit
    pub(super) api_keys: &'static str,
    /// The number, code and seal of the newest row.
    pub(super) audit_head: &'static str,
    /// The same, locked.
    pub(super) lock_audit_head: &'static str,
    /// number, code, seal
    pub(super) move_audit_head: &'static str,
    /// rows as a JSON list of lists, in the order of the columns
    pub(super) add_audit_rows: &'static str,
    /// number, limit: in the order of numbers
    pub(super) audit_rows_after: &'static str,
    /// far, near, near, its number, limit
    pub(super) newest_audit_rows: &'static str,
    /// account, account, far, near, near, its number, limit
    pub(super) newest_audit_rows_of_account: &'static str,
    /// what, what, far, near, near, its number, limit
    pub(super) newest_audit_rows_of_what: &'static str,
    /// account, account, what, far, near, near, its number, limit
    pub(super) newest_audit_rows_of_account_and_what: &'static str,
    /// far, near, near, its number, limit
    pub(super) oldest_audit_rows: &'static str,
    /// account, account, far, near, near, its number, limit
    pub(super) oldest_audit_rows_of_account: &'static str,
    /// what, what, far, near, near, its number, limit
    pub(super) oldest_audit_rows_of_what: &'static str,
    /// account, account, what, far, near, near, its number, limit
    pub(super) oldest_audit_rows_of_account_and_what: &'static str,
    /// What is said of apps.
    pub(super) apps: &'static AppStatements,

    /// account
    pub(super) last_claims: &'static str,
    /// account, answer, now: where it is another, or kept for a day
    pub(super) keep_claims: &'static str,

    /// A moment, for each: some of the rows that ended before it.
    pub(super) sweep_challenges: &'static str,
    pub(super) sweep_budgets: &'static str,
    pub(super) sweep_resends: &'static str,
    pub(super) sweep_expired_sessions: &'static str,
    pub(super) sweep_ended_sessions: &'static str,
    pub(super) sweep_changes: &'static str,
    pub(super) sweep_devices: &'static str,
    pub(super) sweep_claims: &'static str,
    pub(super) sweep_lines: &'static str,
    pub(super) sweep_keys: &'static str,
    pub(super) sweep_pendings: &'static str,
    pub(super) sweep_expired_keys: &'static str,
    pub(super) sweep_revoked_keys: &'static str,
}

/// How few rows say that a sweep has come to its end: no text deletes fewer at once while there are more. Sessions are deleted so
/// few at a time, since each takes its tokens along, and SQLite lets nobody else write meanwhile.
pub(super) const SWEPT: u64 = 20;
