//! `account` and `session`, beside a gateway that runs.

use serde_json::{Value, json};

use super::{behind_a_door, printed, sign_in};
use crate::support::smtp::Mailbox;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_shown_and_listed() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;

    let made = printed(&gateway.command(&[
        "account",
        "add",
        "--email",
        " Ada@Example.com",
        "--phone",
        "+49 151 1234567",
        "--username",
        "ada",
        "--name",
        "Ada L.",
        "--group",
        "staff",
        "--group",
        "wiki",
        "--json",
    ]));
    let by_email = printed(&gateway.command(&["account", "show", "ADA@example.com", "--json"]));
    let by_id = printed(&gateway.command(&["account", "show", made["id"].as_str().unwrap(), "--json"]));
    let by_username = printed(&gateway.command(&["account", "show", "Ada", "--json"]));
    let all = printed(&gateway.command(&["account", "list", "--json"]));

    assert_eq!(by_username, made, "user names are unique, whatever their case");
    assert_eq!(made["email"], "ada@example.com");
    assert_eq!(made["phone"], "+491511234567");
    assert_eq!(made["groups"], json!(["staff", "wiki"]));
    assert_eq!((&by_email, &by_id, &all), (&made, &made, &json!([made])));
    let table = gateway.command(&["account", "list"]).1;
    assert!(table.starts_with("ID ") && table.contains("  ada       ada@example.com  +491511234567  staff,wiki  enabled  "), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_alone_makes_an_account() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;

    let mailed = printed(&gateway.command(&["account", "add", "Ada@example.com", "--groups", "staff,wiki", "--json"]));
    let called = printed(&gateway.command(&["account", "add", "+49 151 1234567", "--json"]));
    let both = gateway.command(&["account", "add", "grace@example.com", "--email", "ada@example.com"]);

    assert_eq!((&mailed["email"], &mailed["groups"]), (&json!("ada@example.com"), &json!(["staff", "wiki"])));
    assert_eq!(called["phone"], "+491511234567");
    assert_eq!(both.0, 2, "{}", both.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_or_odd_is_refused() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;
    assert_eq!(gateway.command(&["account", "add", "--email", "ada@example.com", "--username", "ada"]).0, 0);

    let refused = [
        &["account", "add", "--email", "Ada@Example.com"][..],
        &["account", "add", "--email", "other@example.com", "--username", "ada"],
        &["account", "add", "--email", "not an address"],
        &["account", "add", "--phone", "0151 1234567"],
        &["account", "add", "--email", "b@example.com", "--username", "b@example.com"],
        &["account", "add", "--email", "b@example.com", "--group", "staff;admins"],
        &["account", "add", "--email", "b@example.com", "--name", "two\nlines"],
        &["account", "show", "nobody@example.com"],
        &["account", "disable", "nobody"],
        &["session", "list", "nobody@example.com"],
        &["session", "revoke", "nothing"],
    ];
    for arguments in refused {
        let (code, printed, complaint) = gateway.command(arguments);
        assert_eq!((code, printed.as_str()), (1, ""), "{arguments:?}: {complaint}");
        assert!(complaint.starts_with("doorward: "), "{complaint}");
    }
    assert_eq!(printed(&gateway.command(&["account", "list", "--json"])).as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_is_out_when_the_command_returns_and_stays_out() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;
    let person = gateway.person();
    sign_in(&person, &mailbox, "ada@example.com", 1).await;
    assert_eq!(person.get("/").await.status, 200);
    let seen = app.count();

    let disabled = gateway.command(&["account", "disable", "ada@example.com"]);
    let refused = person.get("/").await;

    assert_eq!((disabled.0, disabled.2.as_str()), (0, "disabled; sessions ended: 1\n"));
    assert_eq!((refused.status, app.count()), (401, seen));
    let asked = person.post("/auth/request-otp", &json!({ "email": "ada@example.com" })).await;
    assert_eq!(asked.status, 200, "the answer is that of anybody");
    assert_eq!(gateway.command(&["account", "enable", "ada@example.com"]).0, 0);
    assert_eq!(person.get("/").await.status, 401, "what has ended does not come back");
    sign_in(&person, &mailbox, "ada@example.com", 2).await;
    assert_eq!(person.get("/").await.status, 200);
    assert_eq!(mailbox.mails().len(), 2, "nothing was sent to a disabled account");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_is_ended_and_the_other_goes_on() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;
    let (phone, laptop) = (gateway.person(), gateway.person());
    sign_in(&phone, &mailbox, "ada@example.com", 1).await;
    sign_in(&laptop, &mailbox, "ada@example.com", 2).await;
    let listed = printed(&gateway.command(&["session", "list", "ada@example.com", "--json"]));
    let other = gateway.person();
    sign_in(&other, &mailbox, "eve@example.com", 1).await;
    let all = printed(&gateway.command(&["session", "list", "--json"]));
    let ids = |sessions: &Value| sessions.as_array().unwrap().iter().map(|session| session["id"].clone()).collect::<Vec<_>>();
    let of_eve = printed(&gateway.command(&["session", "list", "eve@example.com", "--json"]));
    assert_eq!(ids(&all), [ids(&of_eve), ids(&listed)].concat(), "without an account those of all, the newest first");
    let (code, table, _) = gateway.command(&["session", "list"]);
    assert_eq!((code, table.lines().count()), (0, 4), "{table}");
    let of_phone = phone.get("/auth/session").await.json()["sid"].as_str().unwrap().to_owned();
    assert_eq!(listed.as_array().unwrap().len(), 2);

    let ended = printed(&gateway.command(&["session", "revoke", &of_phone, "--json"]));

    assert_eq!(ended, json!({ "ended": [of_phone] }));
    assert_eq!((phone.get("/").await.status, laptop.get("/").await.status), (401, 200));
    assert_eq!(gateway.command(&["session", "revoke", "--all-of", "ada@example.com"]).2, "sessions ended: 1\n");
    assert_eq!(laptop.get("/").await.status, 401);
    assert_eq!(printed(&gateway.command(&["session", "list", "ada@example.com", "--json"])), json!([]));
}
