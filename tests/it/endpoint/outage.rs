//! The database is gone: 503 with `Retry-After`, cookies untouched, and nobody is told that they are signed out.

use super::door::{Door, Wish, cookies, problem, text};
use crate::support::postgres::Postgres;

#[tokio::test]
async fn without_a_database_nothing_is_decided() {
    let server = Postgres::start();
    let door = Door::wished(Wish { database: Some(server.database()), ..Wish::default() }).await;
    let visitor = door.signed_in("ada@example.com").await;

    drop(server);

    let calls = [
        ("/auth/request-otp", r#"{"email":"bob@example.com"}"#),
        ("/auth/register", r#"{"email":"bob@example.com"}"#),
        ("/auth/verify-otp", r#"{"email":"ada@example.com","code":"123456"}"#),
        ("/auth/refresh", "{}"),
        ("/auth/logout", ""),
        ("/auth/logout?scope=global", ""),
    ];
    for (path, body) in calls {
        let reply = visitor.post(path, body).await;
        assert_eq!(problem(&reply), (503, "unavailable".to_owned()), "{path}");
        assert_eq!(reply.headers()["retry-after"], "5", "{path}");
        assert_eq!(cookies(reply.headers()).len(), 0, "{path}");
    }
    visitor.browses();
    visitor.set_cookie("__Host-doorward_challenge", "one that was asked for");
    for (path, form) in [("/auth/login", "address=bob@example.com"), ("/auth/verify", "code=123456"), ("/auth/logout", "")] {
        let reply = visitor.submit(path, form).await;
        assert_eq!((reply.status().as_u16(), &reply.headers()["retry-after"]), (503, &http::HeaderValue::from_static("5")), "{path}");
        assert!(text(&reply).contains("Out of order for a moment"), "{path}");
        assert_eq!(cookies(reply.headers()).len(), 0, "{path}");
    }
    assert_eq!(visitor.get("/auth/login").await.status(), 200);
    assert_eq!(door.visitor().get("/auth/logout").await.status(), 200);
}
