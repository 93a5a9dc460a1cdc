//! A session that a page renews in passing stays renewed, whatever else the page sets.

use super::door::{Door, Visitor};

const ACCESS: &str = "__Host-doorward_access";
const REFRESH: &str = "__Host-doorward_refresh";
const CHALLENGE: &str = "__Host-doorward_challenge";

/// Somebody whose access token is good no more, and the refresh token that the next page spends.
async fn come_back(door: &Door) -> (Visitor<'_>, String) {
    let visitor = door.signed_in("ada@example.com").await;
    visitor.browses();
    visitor.set_cookie(ACCESS, "over");
    let spent = visitor.cookie(REFRESH).unwrap();
    (visitor, spent)
}

#[tokio::test]
async fn a_form_that_asks_for_a_code_keeps_the_session_that_it_renewed() {
    let door = Door::open().await;
    let (visitor, spent) = come_back(&door).await;

    let asked = visitor.submit("/auth/account/email", "address=new%40example.com").await;

    assert_eq!((asked.status().as_u16(), asked.headers()["location"].to_str().unwrap()), (303, "/auth/account/confirm"));
    assert!(visitor.cookie(CHALLENGE).is_some());
    assert_ne!(visitor.cookie(REFRESH).unwrap(), spent, "the spent token would look like a thief's");
    assert_eq!(visitor.get("/auth/session").await.status(), 200);
}

#[tokio::test]
async fn a_form_that_takes_the_code_keeps_the_session_that_it_renewed() {
    let door = Door::open().await;
    let (visitor, _) = come_back(&door).await;
    let sent = door.mailbox.count();
    assert_eq!(visitor.submit("/auth/account/email", "address=new%40example.com").await.status(), 303);
    let code = door.mailbox.code(sent + 1).await;
    visitor.set_cookie(ACCESS, "over");
    let spent = visitor.cookie(REFRESH).unwrap();

    let taken = visitor.submit("/auth/account/confirm", &format!("code={code}")).await;

    assert_eq!(taken.status(), 303);
    assert_eq!(visitor.cookie(CHALLENGE), None);
    assert_ne!(visitor.cookie(REFRESH).unwrap(), spent, "the spent token would look like a thief's");
    assert_eq!(visitor.get("/auth/session").await.status(), 200);
}
