//! What is said of apps: apart from the other statements, which are long enough, and the same on SQLite and PostgreSQL.

/// Everything that is said of apps to one database.
#[derive(Debug)]
pub(super) struct AppStatements {
    /// id, name, owner, route, revision, created, changed
    pub(super) add: &'static str,
    /// name
    pub(super) by_name: &'static str,
    /// id
    pub(super) by_id: &'static str,
    /// id
    pub(super) lock: &'static str,
    /// after, limit
    pub(super) list: &'static str,
    /// Oldest first.
    pub(super) with_routes: &'static str,
    /// owner, route, revision, changed, id, revision before
    pub(super) change: &'static str,
    /// id
    pub(super) remove: &'static str,
    /// The number of the newest change of a route.
    pub(super) generation: &'static str,
    /// Count a change of a route.
    pub(super) next_generation: &'static str,

    /// seen, email or none, phone or none, id
    pub(super) see_subject: &'static str,
    /// id, app, name, email, phone, created, seen: nothing when it is there
    pub(super) add_subject: &'static str,
    /// id
    pub(super) subject: &'static str,
    /// app, after, limit
    pub(super) subjects: &'static str,
    /// id, app
    pub(super) forget_subject: &'static str,

    /// id, subject, channel, sealed, code, created, expires
    pub(super) add_code: &'static str,
    /// subject, now: all, newest first
    pub(super) codes_of_subject: &'static str,
    /// id, subject, now
    pub(super) code_by_id: &'static str,
    /// id, app, now
    pub(super) subject_of_code: &'static str,
    /// id
    pub(super) delete_code: &'static str,
    /// id, most, now
    pub(super) count_attempt: &'static str,
    /// id, now
    pub(super) spend_code: &'static str,
    /// A moment: some that ended before it.
    pub(super) sweep_codes: &'static str,

    /// subject
    pub(super) authenticator: &'static str,
    /// sealed, created, subject: nothing when it is enabled
    pub(super) renew_authenticator: &'static str,
    /// subject, sealed, created: nothing when there is one
    pub(super) add_authenticator: &'static str,
    /// now, step, now, subject, sealed
    pub(super) enable_authenticator: &'static str,
    /// step, now, subject, sealed, step
    pub(super) use_step: &'static str,
    /// subject, sealed
    pub(super) remove_authenticator: &'static str,
    /// sealed, created, subject, sealed before
    pub(super) replace_authenticator: &'static str,
}

/// SQLite, and PostgreSQL but for the lock.
pub(super) const NUMBERED: AppStatements = AppStatements {
    add: "INSERT INTO apps (id, name, owner, route, revision, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    by_name: "SELECT id, name, owner, route, revision, created_at, changed_at FROM apps WHERE name = $1",
    by_id: "SELECT id, name, owner, route, revision, created_at, changed_at FROM apps WHERE id = $1",
    lock: "SELECT route FROM apps WHERE id = $1",
    list: "SELECT id, name, owner, route, revision, created_at, changed_at FROM apps WHERE name > $1 ORDER BY name LIMIT $2",
    with_routes: "SELECT id, name, owner, route, revision, created_at, changed_at FROM apps WHERE route IS NOT NULL ORDER BY created_at, id",
    change: "UPDATE apps SET owner = $1, route = $2, revision = $3, changed_at = $4 WHERE id = $5 AND revision = $6",
    remove: "DELETE FROM apps WHERE id = $1",
    generation: "SELECT generation FROM app_routes WHERE id = 1",
    next_generation: "UPDATE app_routes SET generation = generation + 1 WHERE id = 1",
    see_subject: "UPDATE app_subjects SET seen_at = $1, email = COALESCE($2, email), phone = COALESCE($3, phone) WHERE id = $4",
    add_subject: "INSERT INTO app_subjects (id, app_id, name, email, phone, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT DO NOTHING",
    subject: "SELECT app_subjects.id, app_id, name, email, phone, app_subjects.created_at, seen_at, enabled_at FROM app_subjects \
        LEFT JOIN app_authenticators ON app_authenticators.subject_id = app_subjects.id WHERE app_subjects.id = $1",
    subjects: "SELECT app_subjects.id, app_id, name, email, phone, app_subjects.created_at, seen_at, enabled_at FROM app_subjects \
        LEFT JOIN app_authenticators ON app_authenticators.subject_id = app_subjects.id WHERE app_id = $1 AND app_subjects.id > $2 \
        ORDER BY app_subjects.id LIMIT $3",
    forget_subject: "DELETE FROM app_subjects WHERE id = $1 AND app_id = $2",
    add_code: "INSERT INTO app_codes (id, subject_id, channel, sealed, code, created_at, expires_at, attempts) VALUES ($1, $2, $3, $4, $5, \
        $6, $7, 0)",
    codes_of_subject: "SELECT id, subject_id, channel, sealed, code, created_at, expires_at FROM app_codes WHERE subject_id = $1 AND \
        expires_at > $2 ORDER BY created_at DESC, id DESC",
    code_by_id: "SELECT id, subject_id, channel, sealed, code, created_at, expires_at FROM app_codes WHERE id = $1 AND subject_id = $2 AND \
        expires_at > $3",
    subject_of_code: "SELECT app_codes.subject_id FROM app_codes JOIN app_subjects ON app_subjects.id = app_codes.subject_id WHERE \
        app_codes.id = $1 AND app_subjects.app_id = $2 AND app_codes.expires_at > $3",
    delete_code: "DELETE FROM app_codes WHERE id = $1",
    count_attempt: "UPDATE app_codes SET attempts = attempts + 1 WHERE id = $1 AND attempts < $2 AND expires_at > $3",
    spend_code: "DELETE FROM app_codes WHERE id = $1 AND expires_at > $2",
    sweep_codes: "DELETE FROM app_codes WHERE id IN (SELECT id FROM app_codes WHERE expires_at < $1 LIMIT 100)",
    authenticator: "SELECT sealed, created_at, enabled_at, last_used_at FROM app_authenticators WHERE subject_id = $1",
    renew_authenticator: "UPDATE app_authenticators SET sealed = $1, created_at = $2 WHERE subject_id = $3 AND enabled_at IS NULL",
    add_authenticator: "INSERT INTO app_authenticators (subject_id, sealed, created_at, last_step) VALUES ($1, $2, $3, -1) ON CONFLICT DO \
        NOTHING",
    enable_authenticator: "UPDATE app_authenticators SET enabled_at = $1, last_step = $2, last_used_at = $3 WHERE subject_id = $4 AND sealed \
        = $5 AND enabled_at IS NULL",
    use_step: "UPDATE app_authenticators SET last_step = $1, last_used_at = $2 WHERE subject_id = $3 AND sealed = $4 AND enabled_at IS NOT \
        NULL AND last_step < $5",
    remove_authenticator: "DELETE FROM app_authenticators WHERE subject_id = $1 AND sealed = $2",
    replace_authenticator: "UPDATE app_authenticators SET sealed = $1, created_at = $2, enabled_at = NULL, last_step = -1, last_used_at = \
        NULL WHERE subject_id = $3 AND sealed = $4",
};

/// PostgreSQL.
pub(super) const LOCKING: AppStatements = AppStatements { lock: "SELECT route FROM apps WHERE id = $1 FOR UPDATE", ..NUMBERED };

/// MySQL and MariaDB.
pub(super) const UNNUMBERED: AppStatements = AppStatements {
    add: "INSERT INTO apps (id, name, owner, route, revision, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    by_name: "SELECT id, name, owner, route, revision, created_at, changed_at FROM apps WHERE name = ?",
    by_id: "SELECT id, name, owner, route, revision, created_at, changed_at FROM apps WHERE id = ?",
    lock: "SELECT route FROM apps WHERE id = ? FOR UPDATE",
    list: "SELECT id, name, owner, route, revision, created_at, changed_at FROM apps WHERE name > ? ORDER BY name LIMIT ?",
    with_routes: "SELECT id, name, owner, route, revision, created_at, changed_at FROM apps WHERE route IS NOT NULL ORDER BY created_at, id",
    change: "UPDATE apps SET owner = ?, route = ?, revision = ?, changed_at = ? WHERE id = ? AND revision = ?",
    remove: "DELETE FROM apps WHERE id = ?",
    generation: "SELECT generation FROM app_routes WHERE id = 1",
    next_generation: "UPDATE app_routes SET generation = generation + 1 WHERE id = 1",
    see_subject: "UPDATE app_subjects SET seen_at = ?, email = COALESCE(?, email), phone = COALESCE(?, phone) WHERE id = ?",
    add_subject: "INSERT IGNORE INTO app_subjects (id, app_id, name, email, phone, created_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    subject: "SELECT app_subjects.id, app_id, name, email, phone, app_subjects.created_at, seen_at, enabled_at FROM app_subjects \
        LEFT JOIN app_authenticators ON app_authenticators.subject_id = app_subjects.id WHERE app_subjects.id = ?",
    subjects: "SELECT app_subjects.id, app_id, name, email, phone, app_subjects.created_at, seen_at, enabled_at FROM app_subjects \
        LEFT JOIN app_authenticators ON app_authenticators.subject_id = app_subjects.id WHERE app_id = ? AND app_subjects.id > ? \
        ORDER BY app_subjects.id LIMIT ?",
    forget_subject: "DELETE FROM app_subjects WHERE id = ? AND app_id = ?",
    add_code: "INSERT INTO app_codes (id, subject_id, channel, sealed, code, created_at, expires_at, attempts) VALUES (?, ?, ?, ?, ?, \
        ?, ?, 0)",
    codes_of_subject: "SELECT id, subject_id, channel, sealed, code, created_at, expires_at FROM app_codes WHERE subject_id = ? AND \
        expires_at > ? ORDER BY created_at DESC, id DESC",
    code_by_id: "SELECT id, subject_id, channel, sealed, code, created_at, expires_at FROM app_codes WHERE id = ? AND subject_id = ? AND \
        expires_at > ?",
    subject_of_code: "SELECT app_codes.subject_id FROM app_codes JOIN app_subjects ON app_subjects.id = app_codes.subject_id WHERE \
        app_codes.id = ? AND app_subjects.app_id = ? AND app_codes.expires_at > ?",
    delete_code: "DELETE FROM app_codes WHERE id = ?",
    count_attempt: "UPDATE app_codes SET attempts = attempts + 1 WHERE id = ? AND attempts < ? AND expires_at > ?",
    spend_code: "DELETE FROM app_codes WHERE id = ? AND expires_at > ?",
    sweep_codes: "DELETE FROM app_codes WHERE expires_at < ? LIMIT 100",
    authenticator: "SELECT sealed, created_at, enabled_at, last_used_at FROM app_authenticators WHERE subject_id = ?",
    renew_authenticator: "UPDATE app_authenticators SET sealed = ?, created_at = ? WHERE subject_id = ? AND enabled_at IS NULL",
    add_authenticator: "INSERT IGNORE INTO app_authenticators (subject_id, sealed, created_at, last_step) VALUES (?, ?, ?, -1)",
    enable_authenticator: "UPDATE app_authenticators SET enabled_at = ?, last_step = ?, last_used_at = ? WHERE subject_id = ? AND sealed \
        = ? AND enabled_at IS NULL",
    use_step: "UPDATE app_authenticators SET last_step = ?, last_used_at = ? WHERE subject_id = ? AND sealed = ? AND enabled_at IS NOT \
        NULL AND last_step < ?",
    remove_authenticator: "DELETE FROM app_authenticators WHERE subject_id = ? AND sealed = ?",
    replace_authenticator: "UPDATE app_authenticators SET sealed = ?, created_at = ?, enabled_at = NULL, last_step = -1, last_used_at = \
        NULL WHERE subject_id = ? AND sealed = ?",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// As MySQL has it: without numbers.
    fn unnumbered(sql: &str) -> String {
        let rest = |part: &str| format!("?{}", part.trim_start_matches(|c: char| c.is_ascii_digit()));
        sql.split('$').enumerate().map(|(i, part)| if i == 0 { part.to_owned() } else { rest(part) }).collect()
    }

    #[test]
    fn what_two_databases_are_told_is_the_same_but_for_the_numbers() {
        let same = |of: fn(&AppStatements) -> &'static str| assert_eq!(unnumbered(of(&NUMBERED)), of(&UNNUMBERED));
        same(|sql| sql.add);
        same(|sql| sql.change);
        same(|sql| sql.with_routes);
        same(|sql| sql.see_subject);
        same(|sql| sql.subjects);
        same(|sql| sql.add_code);
        same(|sql| sql.subject_of_code);
        same(|sql| sql.count_attempt);
        same(|sql| sql.enable_authenticator);
        same(|sql| sql.use_step);
        same(|sql| sql.replace_authenticator);
    }
}
