//! Everything that is listed, put into a database by statements of its own: the program would take an hour.

use doorward::audit::{Event, Outcome, Thing, What, Who};
use doorward::client::Seen;
use doorward::clock::Timestamp;
use doorward::id::{AccountId, SessionId};
#[cfg(feature = "mongodb")]
use mongodb::bson::{Bson, Document, doc};

use crate::support::mariadb::MariaDb;
#[cfg(feature = "mongodb")]
use crate::support::mongo::MongoDb;
use crate::support::postgres::Postgres;
use crate::{ACCOUNTS, APPS, Filled, KEYS, ROWS, SESSIONS, SUBJECTS};

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// Documents of one command.
#[cfg(feature = "mongodb")]
const DOCUMENTS: i64 = 5000;

/// A database that we promise to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
    #[cfg(feature = "mongodb")]
    MongoDb,
}

impl Kind {
    pub const ALL: &'static [Self] = &[
        Self::Sqlite,
        Self::Postgres,
        Self::MariaDb,
        #[cfg(feature = "mongodb")]
        Self::MongoDb,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            #[cfg(feature = "mongodb")]
            Self::MongoDb => "mongodb",
        }
    }
}

/// The `number`th event: of all accounts in turn, and of four sorts.
pub fn event(number: i64, now: i64) -> Event {
    let what = [What::CodeRequested, What::CodeEntered, What::SessionBegun, What::SignedOut]
        [usize::try_from((number + number / ACCOUNTS) % 4).unwrap()];
    let account = AccountId::new(format!("account-{:05}", number * 7 % ACCOUNTS));
    let seen = Seen {
        address: Some("192.0.2.7".parse().unwrap()),
        agent: AGENT.to_owned(),
        request_id: format!("request-{number:014}"),
        ..Seen::default()
    };
    let at = Timestamp::from_millis(now - (ROWS - number) * 100);
    let event = Event::new(what, Who::Account(account), at).on(Thing::Session(SessionId::new(format!("session-{number:014}"))));
    let event = event.detail("email").seen(&seen);
    if number % 1000 == 1 { event.came_to(Outcome::Wrong) } else { event }
}

pub async fn everything(filled: &Filled) {
    #[cfg(feature = "mongodb")]
    if filled.kind == Kind::MongoDb {
        return documents(filled);
    }
    for sql in statements(filled) {
        run(filled, sql).await;
    }
}

pub async fn analyse(filled: &Filled) {
    match filled.kind {
        Kind::Sqlite | Kind::Postgres => run(filled, "ANALYZE".to_owned()).await,
        Kind::MariaDb => run(filled, "ANALYZE TABLE audit_log, sessions, accounts, api_keys, apps, app_subjects".to_owned()).await,
        #[cfg(feature = "mongodb")]
        Kind::MongoDb => (),
    }
}

async fn run(filled: &Filled, sql: String) {
    match filled.kind {
        Kind::Sqlite => {
            let pool = sqlx::SqlitePool::connect(&filled.url).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
            pool.close().await;
        }
        Kind::Postgres => drop(Postgres::shared().psql(&filled.url, &sql)),
        Kind::MariaDb => drop(MariaDb::shared().sql(&filled.url, &sql)),
        #[cfg(feature = "mongodb")]
        Kind::MongoDb => panic!("it knows no SQL"),
    }
}

/// So many numbers, as a table `s (n)`.
fn numbers(kind: Kind, count: i64) -> String {
    let last = count - 1;
    match kind {
        Kind::Sqlite => format!("(WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s) AS s"),
        Kind::Postgres => format!("generate_series(0, {last}) AS s (n)"),
        _ => format!("(SELECT seq AS n FROM seq_0_to_{last}) AS s"),
    }
}

/// A text, then a number with zeros before it.
fn name(kind: Kind, text: &str, number: &str, width: i64) -> String {
    match kind {
        Kind::Sqlite => format!("'{text}' || printf('%0{width}d', {number})"),
        Kind::Postgres => format!("'{text}' || lpad(({number})::text, {width}, '0')"),
        _ => format!("CONCAT('{text}', lpad({number}, {width}, '0'))"),
    }
}

fn statements(filled: &Filled) -> Vec<String> {
    let (kind, now, lives) = (filled.kind, filled.now, filled.lives_until().as_millis());
    let [account, person] = ["account-", "person"].map(|text| name(kind, text, "n % 10000", 5));
    let domain = "'@example.com'";
    let email = if kind == Kind::MariaDb { format!("CONCAT({person}, {domain})") } else { format!("{person} || {domain}") };
    let session = name(kind, "filled-", "n", 6);
    let print = name(kind, "print-", "n", 6);
    let (key, app, subject) = (name(kind, "key-", "n", 5), name(kind, "app-", "n % 1000", 4), name(kind, "subject-", "n", 5));
    let half = SUBJECTS / 2;
    let [people, sessions, keys, apps, subjects] = [ACCOUNTS, 2 * SESSIONS, KEYS, APPS, SUBJECTS].map(|count| numbers(kind, count));
    vec![
        format!(
            "INSERT INTO accounts (id, username, username_folded, email, email_verified, phone_verified, group_names, claims, disabled_at, \
             created_at) SELECT {account}, {person}, {person}, {email}, 1, 0, CASE WHEN n % 1000 = 500 THEN '[\"staff\",\"rare\"]' ELSE \
             '[\"staff\"]' END, '{{}}', CASE WHEN n % 1000 = 999 THEN {now} ELSE NULL END, {now} FROM {people}"
        ),
        // Every other one is over.
        format!(
            "INSERT INTO sessions (id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, family_key, \
             newest) SELECT {session}, {account}, {now} - n, {now} - n, CASE WHEN n % 2 = 0 THEN {over} ELSE {lives} END, {now} - n, \
             '[\"email\"]', '\"one_factor\"', '192.0.2.7', '{AGENT}', 'sealed', 1 FROM {sessions}",
            over = now - 1000
        ),
        format!("INSERT INTO refresh_tokens (fingerprint, session_id, number) SELECT {print}, {session}, 1 FROM {sessions}"),
        format!(
            "INSERT INTO api_keys (id, name, held_name, hash, owner, scopes, group_names, created_at) SELECT {key}, {key}, {key}, \
             'hashed', 'Ada', '[\"read\"]', '[]', {now} FROM {keys}"
        ),
        format!(
            "INSERT INTO apps (id, name, owner, revision, created_at, changed_at) SELECT {app}, {app}, 'Ada', 1, {now}, {now} FROM {apps}"
        ),
        format!(
            "INSERT INTO app_subjects (id, app_id, name, created_at, seen_at) SELECT {subject}, CASE WHEN n < {half} THEN 'app-0007' ELSE \
             {app} END, {subject}, {now}, {now} FROM {subjects}"
        ),
    ]
}

#[cfg(feature = "mongodb")]
fn documents(filled: &Filled) {
    let (now, lives) = (filled.now, filled.lives_until().as_millis());
    let account = |n: i64| format!("account-{:05}", n % ACCOUNTS);
    insert(filled, "accounts", ACCOUNTS, &|n| {
        let person = format!("person{n:05}");
        let groups: Vec<&str> = if n % 1000 == 500 { vec!["staff", "rare"] } else { vec!["staff"] };
        let mut one = doc! {
            "_id": account(n), "username": &person, "username_folded": &person, "email": format!("{person}@example.com"),
            "email_verified": true, "phone_verified": false, "groups": groups, "claims": "{}", "created_at": now, "revision": 0_i64,
        };
        if n % 1000 == 999 {
            one.insert("disabled_at", now);
        }
        one
    });
    insert(filled, "sessions", 2 * SESSIONS, &|n| {
        doc! {
            "_id": format!("filled-{n:06}"), "account_id": account(n), "created_at": now - n, "last_seen_at": now - n,
            "expires_at": if n % 2 == 0 { now - 1000 } else { lives }, "auth_time": now - n, "amr": "[\"email\"]",
            "acr": "\"one_factor\"", "address": "192.0.2.7", "agent": AGENT, "family_key": "sealed", "newest": 1_i64,
        }
    });
    insert(filled, "refresh_tokens", 2 * SESSIONS, &|n| {
        doc! { "_id": format!("print-{n:06}"), "session_id": format!("filled-{n:06}"), "number": 1_i64, "made_at": now - n }
    });
    insert(filled, "api_keys", KEYS, &|n| {
        let key = format!("key-{n:05}");
        doc! {
            "_id": &key, "name": &key, "held_name": &key, "hash": "hashed", "owner": "Ada", "scopes": "[\"read\"]",
            "groups": Vec::<String>::new(), "created_at": now,
        }
    });
    insert(filled, "apps", APPS, &|n| {
        let app = format!("app-{n:04}");
        doc! { "_id": &app, "name": &app, "owner": "Ada", "revision": 1_i64, "created_at": now, "changed_at": now }
    });
    insert(filled, "app_subjects", SUBJECTS, &|n| {
        let app = if n < SUBJECTS / 2 { 7 } else { n % APPS };
        let subject = format!("subject-{n:05}");
        doc! {
            "_id": &subject, "app_id": format!("app-{app:04}"), "name": &subject, "email": Bson::Null, "phone": Bson::Null,
            "created_at": now, "seen_at": now,
        }
    });
}

#[cfg(feature = "mongodb")]
fn insert(filled: &Filled, into: &str, count: i64, document: &dyn Fn(i64) -> Document) {
    for begin in (0..count).step_by(usize::try_from(DOCUMENTS).unwrap()) {
        let documents: Vec<Document> = (begin..count.min(begin + DOCUMENTS)).map(document).collect();
        let answer = MongoDb::shared().run(&filled.url, doc! { "insert": into, "documents": documents });
        assert!(!answer.contains_key("writeErrors"), "{answer}");
    }
}
