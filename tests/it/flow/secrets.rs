//! Codes, tokens and keys are in no log, no Redis key or value, and no table in the clear: all three are dumped and searched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::place::{ACCESS, CHALLENGE, Database, ENCRYPTION_KEY, Place, REFRESH, Wants, verify, wrong};
use crate::support::mariadb::MariaDb;
#[cfg(feature = "mongodb")]
use crate::support::mongo::MongoDb;
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;

async fn after_a_sign_in_nothing_is_in_the_clear(database: Database) {
    let redis = Redis::start();
    let (place, secrets) = signed_in(database.url(), &redis).await;
    let table = match database {
        Database::Postgres => Postgres::shared().dump(&place.wants.store),
        Database::MariaDb => MariaDb::shared().dump(&place.wants.store),
        Database::Sqlite => sqlite_bytes(&place.wants.store),
        #[cfg(feature = "mongodb")]
        Database::MongoDb => panic!("in a server of its own"),
    };
    nothing_is_found(database, &place, &redis, &table, &secrets);
}

/// A place where somebody has done all that leaves something behind, and what must not be found there.
async fn signed_in(store: String, redis: &Redis) -> (Place, Vec<String>) {
    let wants = Wants {
        store,
        redis: Some(redis.url()),
        sections: vec![("telemetry", "log = \"debug\""), ("tokens", "secret = \"a secret of one's own, long enough to sign with\"")],
        ..Wants::default()
    };
    let place = Place::with(wants).await;
    let person = place.person();
    let mut secrets = vec![ENCRYPTION_KEY.to_owned(), "a secret of one's own, long enough to sign with".to_owned()];
    let code = place.code_for(&person, "ada@example.com").await;
    let guess = wrong(&code);
    secrets.extend([code.clone(), guess.clone(), person.cookie(CHALLENGE).unwrap()]);
    verify(&person, "ada@example.com", &guess).await;
    assert_eq!(verify(&person, "ada@example.com", &code).await.status, 200);
    secrets.extend([person.cookie(ACCESS).unwrap(), person.cookie(REFRESH).unwrap()]);
    person.get("/page").await;
    person.post("/auth/refresh", &json!({})).await;
    secrets.extend([person.cookie(ACCESS).unwrap(), person.cookie(REFRESH).unwrap()]);
    assert_eq!(person.post("/auth/addresses", &json!({ "email": "pending@new.example" })).await.status, 200);
    let code = place.mailbox.wait_for("pending@new.example").await.code();
    let guess = wrong(&code);
    assert_eq!(person.post("/auth/addresses/confirm", &json!({ "code": guess })).await.status, 401);
    secrets.extend([code, guess, person.cookie(CHALLENGE).unwrap(), "pending@new.example".to_owned()]);
    person.visit("/auth/login").await;
    person.copy().post("/auth/logout", &json!({})).await;
    person.get("/page").await;
    (place, secrets)
}

/// What was dumped is what we think it is, and none of the secrets is in it, nor in the log or in Redis.
fn nothing_is_found(database: Database, place: &Place, redis: &Redis, table: &str, secrets: &[String]) {
    assert!(table.contains("ada@example.com"), "{database:?}");
    let (log, keys) = (place.gateway.log(), redis.dump());
    assert!(log.contains("signed in") && keys.contains("doorward"), "{log}\n{keys}");
    for secret in secrets {
        let encoded = STANDARD.encode(secret);
        for (place, dump) in [("the log", log.as_str()), ("Redis", &keys), ("a table", table)] {
            let found = finds(dump, secret) || dump.contains(&encoded);
            assert!(!found, "{database:?}: a secret of {} characters is in {place}", secret.len());
        }
    }
    // Addresses are in no log and not in Redis.
    for dump in [&log, &keys] {
        assert!(!dump.contains("ada@example.com"), "{dump}");
    }
}

/// A code is digits, and digits also stand in times: it is found only where no digit is beside it.
pub(super) fn finds(dump: &str, secret: &str) -> bool {
    dump.match_indices(secret).any(|(at, _)| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let bytes = dump.as_bytes();
        let beside = digit(at.checked_sub(1).and_then(|before| bytes.get(before))) || digit(bytes.get(at + secret.len()));
        // A fraction of a second, as in a log's time.
        let fraction = at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'.');
        !(secret.len() < 11 && (beside || fraction))
    })
}

fn sqlite_bytes(url: &str) -> String {
    let file = url.trim_start_matches("sqlite:");
    ["", "-wal"]
        .iter()
        .filter_map(|more| std::fs::read(format!("{file}{more}")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    after_a_sign_in_nothing_is_in_the_clear(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql() {
    after_a_sign_in_nothing_is_in_the_clear(Database::Postgres).await;
}

/// In the documents, and in what the server has written: its data, its journal, its log of operations.
#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread")]
async fn on_mongodb() {
    let (server, redis) = (MongoDb::start(), Redis::start());
    let (place, secrets) = signed_in(server.database(), &redis).await;

    for dump in [server.dump(&place.wants.store), server.files()] {
        nothing_is_found(Database::MongoDb, &place, &redis, &dump, &secrets);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb() {
    after_a_sign_in_nothing_is_in_the_clear(Database::MariaDb).await;
}
