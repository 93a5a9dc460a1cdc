//! What is MongoDB's alone: a server without transactions is refused, the net below the sweepers, what a proven answer rests on.

use std::time::Duration;

use doorward::revocation::Ledger;
use doorward::signin::{Challenge, Challenges, Channel, Sessions};
use doorward::store::Durable;
use mongodb::bson::{Bson, Document, doc};

use super::{Fresh, NOW, at, open_mongodb};
use crate::support::mongo::{self, MongoDb};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_alone_is_refused_with_what_to_do() {
    let server = MongoDb::start_alone(&[]);
    let store = open_mongodb(&server.database(), Duration::from_secs(10));

    let refusals = [store.ping().await, store.migrate().await, store.pending_migrations().await.map(drop)];

    for refused in refusals {
        let says = refused.unwrap_err().to_string();
        assert!(says.contains("stands alone") && says.contains("--replSet") && says.contains("rs.initiate()"), "{says}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_replica_set_was_never_begun_is_an_outage() {
    let server = MongoDb::start_alone(&["--replSet", "doorward"]);
    let store = open_mongodb(&server.database(), Duration::from_secs(10));

    store.ping().await.unwrap_err();
    store.migrate().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_long_ago_is_deleted_by_the_server_and_what_has_expired_is_not() {
    let fresh = Fresh::in_mongodb().await;
    let server = MongoDb::shared();
    for id in ["forgotten", "expired"] {
        fresh.store.open(&challenge(id), Duration::from_secs(60), 3).await.unwrap();
    }

    // Written eight days ago, by the server's clock.
    let change =
        doc! { "q": { "_id": "forgotten" }, "u": [{ "$set": { "written_at": { "$subtract": ["$written_at", 8 * 86_400_000_i64] } } }] };
    server.run(&fresh.url, doc! { "update": "challenges", "updates": [change] });
    server.await_gone(&fresh.url, "challenges", "forgotten");

    // The other expired years before the server looked, and stays until it is swept.
    assert_eq!(server.documents(&fresh.url, "challenges").len(), 1);
    assert!(Challenges::sweep(&fresh.store, at(NOW + 3_600_000)).await.unwrap() >= 1);
    assert!(server.documents(&fresh.url, "challenges").is_empty());
}

/// The server ends a transaction that only read with an entry in its log. Should a later one not do so, this is the place to
/// learn it: proven answers rest on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proven_answer_is_confirmed_by_a_majority() {
    let server = MongoDb::start();
    let store = open_mongodb(&server.database(), Duration::from_secs(10));
    store.migrate().await.unwrap();
    let confirmed = || {
        let filter = doc! { "op": "n", "o.msg": { "$regex": "^read-only transaction with writeConcern" } };
        let count = doc! { "count": "oplog.rs", "query": filter };
        mongo::command(server.port(), "local", count).and_then(|answer| answer.get("n").and_then(Bson::as_i32)).unwrap()
    };

    let before = confirmed();
    store.head().await.unwrap();
    assert_eq!(confirmed(), before + 1);
    store.since(0, at(NOW), 10).await.unwrap();
    assert_eq!(confirmed(), before + 2);
    store.family("nobody's").await.unwrap();
    assert_eq!(confirmed(), before + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_has_an_index() {
    let fresh = Fresh::in_mongodb().await;
    let server = MongoDb::shared();
    let now = doc! { "$gt": NOW };
    let questions: [(&str, Document, Document); 9] = [
        ("accounts", doc! { "email": "x" }, doc! {}),
        ("accounts", doc! { "_id": { "$gt": "x" } }, doc! { "_id": 1 }),
        (
            "challenges",
            doc! { "$or": [{ "handle": "x" }, { "subject": "x" }], "expires_at": now.clone() },
            doc! { "created_at": -1, "_id": -1 },
        ),
        ("address_changes", doc! { "account_id": "x", "expires_at": now.clone() }, doc! { "created_at": -1, "_id": -1 }),
        ("sessions", doc! { "account_id": "x", "ended_at": Bson::Null, "expires_at": now.clone() }, doc! { "created_at": -1, "_id": -1 }),
        ("refresh_tokens", doc! { "session_id": "x", "number": 1_i64 }, doc! {}),
        ("revocations", doc! { "_id": { "$gt": 1_i64 }, "expires_at": now.clone() }, doc! { "_id": 1 }),
        ("revocations", doc! { "$or": [{ "kind": "token", "name": "x", "expires_at": now.clone() }] }, doc! {}),
        ("devices", doc! { "account_id": "x" }, doc! {}),
    ];

    for (collection, filter, sort) in questions {
        let find = doc! { "find": collection, "filter": filter.clone(), "sort": sort };
        let plan = server.run(&fresh.url, doc! { "explain": find, "verbosity": "queryPlanner" });
        let plan = plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap().to_string();
        assert!(plan.contains("IXSCAN") || plan.contains("IDHACK"), "{collection} {filter}: {plan}");
        assert!(!plan.contains("COLLSCAN") && !plan.contains("\"SORT\""), "{collection} {filter}: {plan}");
    }
}

fn challenge(id: &str) -> Challenge {
    Challenge {
        id: id.to_owned(),
        subject: id.to_owned(),
        account: None,
        handle: id.to_owned(),
        channel: Channel::Email,
        code: "mac".to_owned(),
        created_at: at(0),
        expires_at: at(1000),
    }
}
