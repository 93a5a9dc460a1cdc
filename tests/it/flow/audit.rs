//! Everything of a life at the door is in the audit log, in the right words; nothing that must not be is; and who alters a row is
//! found out.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::factors::{enrol, half_way};
use super::place::{ACCESS, CHALLENGE, Database, Place, REFRESH, Wants, verify, wrong};
use super::secrets::finds;
use crate::support::mariadb::MariaDb;
#[cfg(feature = "mongodb")]
use crate::support::mongo::MongoDb;
use crate::support::postgres::Postgres;
use crate::support::wait;

const ADA: &str = "ada@example.com";
const NEW: &str = "countess@new.example";

impl Place {
    /// What `doorward audit list --json` prints, oldest first.
    fn told(&self, more: &[&str]) -> String {
        let (code, printed, complained) = self.gateway.command(&[&["audit", "list", "--json", "--order", "oldest"][..], more].concat());
        assert_eq!(code, 0, "{complained}");
        printed
    }

    fn rows(&self, more: &[&str]) -> Vec<Value> {
        self.told(more).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Who, what, what came of it, and the word beside it.
fn words(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
    [text("who"), text("what"), text("outcome"), text("detail")].join(" ")
}

async fn a_whole_life_is_written_down(database: Database) {
    let wants = Wants { store: database.url(), sections: vec![("session", "concurrent_refresh_window = \"0s\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    let mut secrets = vec![ADA.to_owned(), NEW.to_owned()];

    // She comes for the first time, and mistypes once.
    let ada = place.person();
    let code = place.code_for(&ada, ADA).await;
    let guess = wrong(&code);
    secrets.extend([code.clone(), guess.clone(), ada.cookie(CHALLENGE).unwrap()]);
    assert_eq!(verify(&ada, ADA, &guess).await.status, 401);
    assert_eq!(verify(&ada, ADA, &code).await.status, 200);
    secrets.extend([ada.cookie(ACCESS).unwrap(), ada.cookie(REFRESH).unwrap()]);
    // Two factors from now on; then she refreshes, which nobody needs to know.
    let (_phone, recovery) = enrol(&ada).await;
    secrets.extend(recovery.clone());
    assert_eq!(ada.post("/auth/refresh", &json!({})).await.status, 200);
    secrets.extend([ada.cookie(ACCESS).unwrap(), ada.cookie(REFRESH).unwrap()]);
    // Another address.
    assert_eq!(ada.post("/auth/addresses", &json!({ "email": NEW })).await.status, 200);
    let code = place.mailbox.wait_for(NEW).await.code();
    secrets.push(code.clone());
    assert_eq!(ada.post("/auth/addresses/confirm", &json!({ "code": code })).await.status, 200);
    // The old one is none any more.
    assert_eq!(verify(&place.person(), ADA, "000000").await.status, 401);
    place.gateway.command(&["account", "add", "grace@example.com"]);

    let life = [
        "nobody code_requested done email",
        "nobody account_registered done email",
        "nobody code_entered wrong -",
        "account code_entered done email",
        "account session_begun done one_factor",
        "account factor_enrolled done -",
        "account factor_added done -",
        "account session_begun done two_factor",
        "account session_ended done factor_added",
        "account address_change_requested done email",
        "account code_entered done email",
        "account address_changed done email",
        "nobody code_entered nothing -",
        "operator account_added done -",
    ];
    let rows = settled(&place, life.len());
    assert_eq!(rows.iter().map(words).collect::<Vec<_>>(), life);

    // Of whom, and from where.
    let account = rows[1]["account"].as_str().unwrap();
    let whose: Vec<bool> = rows.iter().map(|row| row["account"] == account).collect();
    assert_eq!(whose, [false, true, true, true, true, true, true, true, true, true, true, true, false, false]);
    assert!(rows[..13].iter().all(|row| row["address"] == "127.0.0.1" && row["request_id"].as_str().is_some()), "{rows:?}");
    assert_eq!((&rows[13]["address"], &rows[13]["on"]), (&Value::Null, &"account".into()));
    assert_eq!(rows[4]["on_id"], rows[8]["on_id"], "the session that began is the one that ended");
    // With filters, a page at a time.
    let begun = place.rows(&["--account", NEW, "--what", "session_begun"]);
    assert_eq!(begun, [rows[4].clone(), rows[7].clone()]);
    let first = place.gateway.command(&["audit", "list", "--json", "--what", "session_begun", "--limit", "1"]);
    let cursor = first.2.trim().rsplit(' ').next().unwrap().to_owned();
    let second = place.gateway.command(&["audit", "list", "--json", "--what", "session_begun", "--limit", "1", "--cursor", &cursor]);
    assert_eq!([first.1, second.1].map(|line| serde_json::from_str::<Value>(&line).unwrap()), [rows[7].clone(), rows[4].clone()]);
    assert!(place.rows(&["--since", "1h"]).len() >= life.len());
    assert_eq!(place.told(&["--until", "1h"]), "");

    let everything = place.told(&[]);
    for secret in &secrets {
        assert!(!finds(&everything, secret), "{database:?}: a secret of {} characters is in the audit log", secret.len());
    }
    whole_and_then_not(&place, database).await;
}

async fn ends_of_sessions_are_written_down(database: Database) {
    let wants = Wants { store: database.url(), sections: vec![("session", "concurrent_refresh_window = \"0s\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    let first = place.sign_in(ADA).await;
    let (_phone, recovery) = enrol(&first).await;
    let (second, half) = half_way(&place).await;
    let proof = json!({ "challenge_id": half["challenge_id"], "code": recovery[0] });
    assert_eq!(second.post("/auth/verify-recovery", &proof).await.status, 200);
    assert_eq!(second.post("/auth/verify-recovery", &proof).await.status, 401);
    let before = settled(&place, 14).len();

    // One copied cookie, used a second time.
    let thief = second.copy();
    assert_eq!(second.post("/auth/refresh", &json!({})).await.status, 200);
    assert_eq!(thief.post("/auth/refresh", &json!({})).await.status, 401);
    // She ends one session from another, and leaves everywhere.
    let other = half_way(&place).await;
    let proof = json!({ "challenge_id": other.1["challenge_id"], "code": recovery[1] });
    assert_eq!(other.0.post("/auth/verify-recovery", &proof).await.status, 200);
    let listed = first.get("/auth/sessions").await.json();
    let id = listed["sessions"].as_array().unwrap().iter().find(|session| session["current"] == false).unwrap()["id"].clone();
    let ended = first.request(Method::DELETE, &format!("/auth/sessions/{}", id.as_str().unwrap())).send().await;
    assert_eq!(ended.status, 204);
    assert_eq!(first.post("/auth/logout?scope=global", &json!({})).await.status, 200);
    // And the operator.
    for command in [["account", "disable"], ["account", "enable"], ["account", "remove-factor"]] {
        assert_eq!(place.gateway.command(&[&command[..], &[ADA]].concat()).0, 0);
    }
    assert_eq!(place.gateway.command(&["key", "rotate", "--purpose", "assertion"]).0, 0);

    let ends = [
        "nobody refresh_token_reused done -",
        "nobody session_ended done refresh_token_reused",
        "nobody code_requested done email",
        "account code_entered done email",
        "account recovery_code_used done -",
        "account second_factor_shown done recovery_code",
        "account session_begun done two_factor",
        "account session_ended done ended_by_person",
        "account signed_out done global",
        "account session_ended done signed_out",
        "operator account_disabled done disabled by the operator",
        "operator account_enabled done -",
        "operator factor_removed done -",
        "operator signing_key_rotated done assertion",
    ];
    let rows = settled(&place, before + ends.len());
    assert_eq!(rows[before..].iter().map(words).collect::<Vec<_>>(), ends);
    let told = place.rows(&["--what", "notified"]);
    assert!(told.iter().any(|row| row["detail"] == "factor_changed"), "{told:?}");
}

/// The rows, without what is told to people in their own time, once there are so many.
fn settled(place: &Place, count: usize) -> Vec<Value> {
    let look = || {
        let rows = place.rows(&[]).into_iter().filter(|row| row["what"] != "notified").collect::<Vec<_>>();
        (rows.len() >= count).then_some(rows)
    };
    let found = wait::within(Duration::from_secs(20), look);
    found.unwrap_or_else(|| panic!("not {count} rows: {:#?}", place.rows(&[]).iter().map(words).collect::<Vec<_>>()))
}

async fn whole_and_then_not(place: &Place, database: Database) {
    let verify = |more: &[&str]| place.gateway.command(&[&["audit", "list", "--verify"][..], more].concat());
    let whole = verify(&[]);
    assert_eq!(whole.0, 0, "{whole:?}");
    let noted = whole.1.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(verify(&["--expect", &noted]).0, 0);
    let other = format!("{}:{}", noted.split(':').next().unwrap(), "A".repeat(43));
    assert_eq!(verify(&["--expect", &other]).0, 1);
    assert_eq!(verify(&["--account", ADA]).0, 2);

    let url = &place.wants.store;
    match database {
        Database::Sqlite => {
            let pool = sqlx::SqlitePool::connect(url).await.unwrap();
            for sql in ["DROP TRIGGER audit_log_no_update", "UPDATE audit_log SET outcome = 'done' WHERE outcome = 'wrong'"] {
                sqlx::query(sql).execute(&pool).await.unwrap();
            }
        }
        Database::Postgres => {
            Postgres::shared().psql(url, "ALTER TABLE audit_log DISABLE TRIGGER ALL");
            Postgres::shared().psql(url, "UPDATE audit_log SET outcome = 'done' WHERE outcome = 'wrong'");
        }
        Database::MariaDb => drop(MariaDb::shared().sql(url, "UPDATE audit_log SET outcome = 'done' WHERE outcome = 'wrong'")),
        #[cfg(feature = "mongodb")]
        Database::MongoDb => {
            let done = json!({ "q": { "outcome": "wrong" }, "u": { "$set": { "outcome": "done" } }, "multi": true });
            MongoDb::shared().first(url, &json!({ "update": "audit_log", "updates": [done] }));
        }
    }

    let altered = verify(&[]);
    assert_eq!(altered.0, 1);
    assert!(altered.2.contains("row 3 was changed"), "{altered:?}");
    assert!(verify(&["--json"]).1.contains(r#""whole":false"#));
}

macro_rules! on_each {
    ($($database:ident, $life:ident => $way:ident;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $life() {
                $way(Database::$database).await;
            }
        )+
    };
}

on_each! {
    Sqlite, a_life_on_sqlite => a_whole_life_is_written_down;
    Postgres, a_life_on_postgresql => a_whole_life_is_written_down;
    MariaDb, a_life_on_mariadb => a_whole_life_is_written_down;
    Sqlite, ends_on_sqlite => ends_of_sessions_are_written_down;
    Postgres, ends_on_postgresql => ends_of_sessions_are_written_down;
    MariaDb, ends_on_mariadb => ends_of_sessions_are_written_down;
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_life_on_mongodb() {
    a_whole_life_is_written_down(Database::MongoDb).await;
}
