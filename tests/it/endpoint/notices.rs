//! What the owner of an account is told of, and whom nobody tells.

use std::time::Duration;

use doorward::id::AccountId;
use doorward::language::Language;
use doorward::signin::{Channel, Notice};

use super::door::{Door, json};

const REFRESH: &str = "__Host-doorward_refresh";

/// Long enough for what must not come to have come.
const A_WHILE: Duration = Duration::from_millis(300);

fn to(address: &str, notice: Notice) -> (String, Notice) {
    (address.to_owned(), notice)
}

#[tokio::test]
async fn a_reused_refresh_token_is_told_to_its_owner_once() {
    let door = Door::open().await;
    let visitor = door.signed_in("ada@example.com").await;
    let thief = door.visitor();
    thief.set_cookie(REFRESH, &visitor.cookie(REFRESH).unwrap());
    visitor.send("POST", "/auth/refresh", None, b"").await;
    door.pass(Duration::from_secs(11));

    for _ in 0..3 {
        assert_eq!(thief.send("POST", "/auth/refresh", None, b"").await.status(), 401);
        thief.set_cookie(REFRESH, "nonsense");
    }

    let told = door.mailbox.notices_when(1).await;
    assert_eq!(told, [to("ada@example.com", Notice::RefreshTokenReused)]);
}

#[tokio::test]
async fn a_new_device_is_told_to_its_owner() {
    let door = Door::open().await;
    let (firefox, safari) = ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Version/26 Safari/605 (iPhone)");
    let newer = firefox.replace("145", "146");
    let sign_in = async |agent: &str| {
        door.pass(Duration::from_secs(61));
        let visitor = door.visitor();
        visitor.says("user-agent", agent);
        door.sign_in_with(&visitor, "ada@example.com").await;
        tokio::time::sleep(A_WHILE).await;
    };

    sign_in(firefox).await;
    sign_in(firefox).await;
    sign_in(&newer).await;
    assert_eq!(door.mailbox.notices(), [], "the first of all, the same, and a new version of it");
    sign_in(safari).await;
    sign_in(safari).await;
    sign_in("curl/8").await;
    door.pass(Duration::from_secs(3600));
    sign_in("").await;

    let new = |device: &str| Notice::NewDevice { device: device.to_owned(), address: Some("192.0.2.7".parse().unwrap()) };
    let told = door.mailbox.notices_when(2).await;
    assert_eq!(told, ["Safari, iPhone", "?"].map(|device| to("ada@example.com", new(device))), "the second within the hour is not told");
}

#[tokio::test]
async fn one_of_a_kind_is_told_in_an_hour() {
    let door = Door::open().await;
    let visitor = door.signed_in("ada@example.com").await;
    let id = AccountId::new(json(&visitor.get("/auth/session").await)["sub"].as_str().unwrap());
    let tell = |notice: Notice| door.sign_in.notify(&id, notice, Language::German, door.now());

    tell(Notice::AuthenticatorAdded);
    door.mailbox.notices_when(1).await;
    tell(Notice::AuthenticatorRemoved);
    tell(Notice::RefreshTokenReused);
    door.mailbox.notices_when(2).await;
    door.pass(Duration::from_secs(3599));
    tell(Notice::RecoveryCodesRenewed);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(door.mailbox.notices().len(), 2);
    door.pass(Duration::from_secs(1));
    tell(Notice::RecoveryCodesRenewed);

    let told = door.mailbox.notices_when(3).await;
    let all = [Notice::AuthenticatorAdded, Notice::RefreshTokenReused, Notice::RecoveryCodesRenewed];
    assert_eq!(told, all.map(|notice| to("ada@example.com", notice)));
}

#[tokio::test]
async fn what_is_told_goes_where_a_code_has_come_back() {
    let door = Door::open().await;
    let add = async |email: Option<&str>, email_verified, phone: Option<&str>, phone_verified| {
        let account = door.account(email, email_verified, phone, phone_verified);
        assert!(door.sign_in.accounts.add(&account).await.unwrap());
        door.sign_in.notify(&account.id, Notice::AuthenticatorAdded, Language::English, door.now());
    };

    add(Some("unverified@example.com"), false, None, false).await;
    add(Some("unverified-too@example.com"), false, Some("+15005550001"), true).await;
    add(None, false, Some("+15005550002"), true).await;
    door.sign_in.notify(&AccountId::new("nobody"), Notice::AuthenticatorAdded, Language::English, door.now());
    tokio::time::sleep(A_WHILE).await;
    assert!(!door.sign_in.settings.channels.contains(&Channel::Sms), "there is no provider of SMS here");
    assert_eq!(door.mailbox.notices(), []);
    add(Some("both@example.com"), true, Some("+15005550003"), true).await;

    assert_eq!(door.mailbox.notices_when(1).await, [to("both@example.com", Notice::AuthenticatorAdded)]);
}
