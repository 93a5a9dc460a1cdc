//! `account set` and `remove`, beside a gateway that runs.

use serde_json::{Value, json};

use super::{behind_a_door, printed, sign_in};
use crate::support::smtp::Mailbox;
use crate::support::upstream::Upstream;

const SALES: &str = "[[route]]\nname = \"sales\"\npath = \"/sales\"\nupstream = [\"http://127.0.0.1:1\"]\ngroups = [\"sales\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_taken_away_counts_when_the_command_returns() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, SALES).await;
    assert_eq!(gateway.command(&["account", "add", "ada@example.com", "--group", "sales,staff"]).0, 0);
    let ada = gateway.person();
    sign_in(&ada, &mailbox, "ada@example.com", 1).await;
    assert_eq!(ada.get("/sales").await.status, 502, "she may, and the app is not there");

    let changed = printed(&gateway.command(&["account", "set", "ada@example.com", "--remove-group", "sales", "--json"]));

    assert_eq!(changed["groups"], json!(["staff"]));
    assert_eq!(ada.get("/sales").await.status, 403);
    assert_eq!(ada.get("/").await.status, 200, "her session goes on");
    let given_back = printed(&gateway.command(&["account", "set", "ada@example.com", "--add-group", "sales", "--json"]));
    assert_eq!(given_back["groups"], json!(["staff", "sales"]));
    assert_eq!(ada.get("/sales").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_named_stays_and_what_is_odd_is_refused() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;
    let made = printed(&gateway.command(&["account", "add", "ada@example.com", "--username", "ada", "--group", "staff", "--json"]));
    assert_eq!(gateway.command(&["account", "add", "grace@example.com"]).0, 0);

    let named = printed(&gateway.command(&[
        "account",
        "set",
        "ada@example.com",
        "--name",
        "Ada L.",
        "--claim",
        "level=3",
        "--claim",
        "unit=r&d",
        "--json",
    ]));
    assert_eq!((&named["name"], &named["claims"]), (&json!("Ada L."), &json!({ "level": 3, "unit": "r&d" })));
    assert_eq!((&named["groups"], &named["username"], &named["id"]), (&made["groups"], &made["username"], &made["id"]));
    let less =
        printed(&gateway.command(&["account", "set", "ada@example.com", "--no-name", "--no-claim", "unit", "--no-groups", "--json"]));
    assert_eq!((&less["name"], &less["claims"], &less["groups"]), (&Value::Null, &json!({ "level": 3 }), &json!([])));
    let moved = printed(&gateway.command(&["account", "set", "ada@example.com", "--email", "Ada@Elsewhere.com", "--json"]));
    assert_eq!((&moved["email"], &moved["email_verified"]), (&json!("ada@elsewhere.com"), &json!(false)));

    for refused in [
        &["--email", "grace@example.com"][..],
        &["--email", "nonsense"],
        &["--phone", "0151"],
        &["--name", "two\nlines"],
        &["--group", "a;b"],
        &["--claim", "sub=root"],
        &["--claim", "exp=9999999999"],
    ] {
        let (code, _, complaint) = gateway.command(&[&["account", "set", "ada@elsewhere.com"], refused].concat());
        assert_eq!(code, 1, "{refused:?}: {complaint}");
    }
    for wrong in [&[][..], &["--name", "x", "--no-name"], &["--claim", "nothing"], &["--username", "other"]] {
        assert_eq!(gateway.command(&[&["account", "set", "ada@elsewhere.com"], wrong].concat()).0, 2, "{wrong:?}");
    }
    assert_eq!(gateway.command(&["account", "set", "nobody@example.com", "--name", "x"]).0, 1);
    assert_eq!(printed(&gateway.command(&["account", "show", "ada@elsewhere.com", "--json"]))["claims"], json!({ "level": 3 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_is_out_and_begins_anew() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;
    let ada = gateway.person();
    sign_in(&ada, &mailbox, "ada@example.com", 1).await;
    let before = printed(&gateway.command(&["account", "show", "ada@example.com", "--json"]));

    let removed = printed(&gateway.command(&["account", "remove", "ada@example.com", "--json"]));

    assert_eq!(removed["id"], before["id"]);
    assert_eq!(ada.get("/").await.status, 401);
    assert_eq!(printed(&gateway.command(&["account", "list", "--json"])), json!([]));
    assert_eq!(gateway.command(&["account", "remove", "ada@example.com"]).0, 1);
    let again = gateway.person();
    sign_in(&again, &mailbox, "ada@example.com", 2).await;
    assert_ne!(printed(&gateway.command(&["account", "show", "ada@example.com", "--json"]))["id"], before["id"]);
}
