//! The second factor, stepping up and one's own addresses, by pages alone.

use std::time::Duration;

use doorward::admission::{Challenge, Refusal};

use super::door::{Door, Visitor, cookies, json, text};
use crate::support::authenticator::Authenticator;

const ADA: &str = "ada@example.com";
const ACCESS: &str = "__Host-doorward_access";
const STEP: Duration = Duration::from_secs(30);
const EVIL: &str = "%22%3E%3Cscript%3Ealert('1')%3C/script%3E";

fn location(reply: &doorward::endpoint::Reply) -> String {
    assert!(matches!(reply.status().as_u16(), 302 | 303), "{} {}", reply.status(), text(reply));
    reply.headers()["location"].to_str().unwrap().to_owned()
}

/// What stands between two texts of a page.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    page.split_once(before).unwrap_or_else(|| panic!("no {before} in {page}")).1.split(after).next().unwrap()
}

/// Somebody who has set up an authenticator by the pages, and their recovery codes.
async fn enrolled(door: &Door) -> (Visitor<'_>, Authenticator, Vec<String>) {
    let person = door.signed_in(ADA).await;
    person.browses();
    let begun = person.submit("/auth/account/authenticator", "next=%2Fwiki").await;
    let scan = text(&person.get(&location(&begun)).await);
    let phone = Authenticator::typed(&between(&scan, "id=\"key\">", "<").replace(' ', ""));
    let shown =
        person.submit("/auth/account/authenticator/confirm", &format!("code={}&next=%2Fwiki", phone.code(door.now().as_secs()))).await;
    assert_eq!((shown.status().as_u16(), cookies(shown.headers()).len()), (200, 2));
    let shown = text(&shown);
    assert!(shown.contains("class=\"button\" href=\"/wiki\""), "{shown}");
    let codes =
        between(&shown, "id=\"codes\">", "</ul>").split("<li>").skip(1).map(|item| item.split('<').next().unwrap().to_owned()).collect();
    door.pass(STEP);
    (person, phone, codes)
}

/// A browser in which the mailed code was entered, and the page that it was sent to.
async fn half_way(door: &Door) -> (Visitor<'_>, String) {
    door.pass(Duration::from_secs(61));
    let person = door.visitor();
    person.browses();
    let sent = door.mailbox.count();
    person.submit("/auth/login", "address=ada@example.com&next=%2Fwiki").await;
    let code = door.mailbox.code(sent + 1).await;
    let entered = person.submit("/auth/verify", &format!("code={code}&next=%2Fwiki")).await;
    (person, location(&entered))
}

#[tokio::test]
async fn an_authenticator_is_set_up_and_asked_for_from_then_on() {
    let door = Door::open().await;
    let (_, phone, codes) = enrolled(&door).await;
    assert_eq!(codes.len(), 10);

    let (person, asked) = half_way(&door).await;
    let form = text(&person.get(&asked).await);
    let before = person.get("/auth/session").await.status();
    let wrong = person.submit("/auth/second-factor", &format!("code={}&next=%2Fwiki", phone.wrong(door.now().as_secs()))).await;
    let right = person.submit("/auth/second-factor", &format!("code={}&next=%2Fwiki", phone.code(door.now().as_secs()))).await;

    assert_eq!(asked, "/auth/second-factor?next=%2Fwiki");
    assert!(form.contains("autocomplete=\"one-time-code\"") && form.contains("/auth/recovery?next=%2Fwiki"), "{form}");
    assert_eq!(before, 401, "half a sign-in is none");
    assert_eq!(wrong.status(), 401);
    assert!(text(&wrong).contains("This code is wrong or has been used."), "{}", text(&wrong));
    assert_eq!(location(&right), "/wiki");
    assert_eq!(json(&person.get("/auth/session").await)["acr"], "two_factor");
}

#[tokio::test]
async fn who_has_lost_the_phone_enters_a_recovery_code_once() {
    let door = Door::open().await;
    let (_, _, codes) = enrolled(&door).await;
    for expected in [303, 401] {
        let (person, _) = half_way(&door).await;
        let form = text(&person.get("/auth/recovery?next=%2Fwiki").await);
        let reply = person.submit("/auth/recovery", &format!("code={}&next=%2Fwiki", codes[0].to_lowercase())).await;
        assert_eq!(reply.status().as_u16(), expected, "{}", text(&reply));
        assert!(form.contains("Recovery code"));
        if expected == 303 {
            assert!(text(&person.get("/auth/account").await).contains("9 left"));
        }
    }
}

#[tokio::test]
async fn without_half_a_sign_in_there_is_nothing_to_add_to() {
    let door = Door::open().await;
    let person = door.visitor();
    person.browses();
    for path in ["/auth/second-factor", "/auth/recovery"] {
        let reply = person.submit(path, "code=123456").await;
        assert_eq!(reply.status(), 401);
        assert!(text(&reply).contains("This sign-in has expired."), "{}", text(&reply));
    }
    assert_eq!(location(&person.get("/auth/step-up?need=factor&next=%2Fwiki").await), "/auth/login?next=%2Fwiki");
}

#[tokio::test]
async fn the_authenticator_is_taken_away_and_its_codes_are_renewed_with_proof() {
    let door = Door::open().await;
    let (person, phone, codes) = enrolled(&door).await;

    let unproved = person.submit("/auth/account/recovery-codes", "code=0").await;
    let renewed = person.submit("/auth/account/recovery-codes", &format!("code={}", phone.code(door.now().as_secs()))).await;
    let old = person.submit("/auth/account/authenticator/remove", &format!("code={}", codes[1])).await;
    door.pass(STEP);
    let removed = person.submit("/auth/account/authenticator/remove", &format!("code={}", phone.code(door.now().as_secs()))).await;

    assert_eq!((unproved.status(), renewed.status(), old.status()).0, 401);
    assert_eq!(renewed.status(), 200);
    assert!(text(&renewed).contains("Your recovery codes") && !text(&renewed).contains(&codes[1]));
    assert_eq!(old.status(), 401, "the old codes are gone");
    assert_eq!(location(&removed), "/auth/account?said=turned-off");
    assert!(text(&person.get("/auth/account?said=turned-off").await).contains("The authenticator app is turned off."));
    assert_eq!(json(&person.get("/auth/session").await)["acr"], "one_factor");
}

#[tokio::test]
async fn a_refused_page_leads_to_what_is_missing() {
    let door = Door::open().await;
    let person = door.visitor();
    person.browses();
    for (refusal, method, page) in [
        (Refusal::SecondFactorNeeded, "GET", "/auth/step-up?need=factor&next=%2Fwiki%3Fa"),
        (Refusal::TooLongAgo(60), "GET", "/auth/step-up?need=fresh&next=%2Fwiki%3Fa"),
        (Refusal::TooLongAgo(60), "POST", "/auth/step-up?need=fresh&next=%2F"),
    ] {
        let reply = door.endpoints.refused(refusal, Challenge::Bearer, &person.head(method, "/wiki?a", None), "r1");
        assert_eq!(location(&reply), page);
    }
}

#[tokio::test]
async fn a_stale_sign_in_is_made_fresh_by_a_code_and_goes_on() {
    let door = Door::open().await;
    let person = door.signed_in(ADA).await;
    person.browses();
    door.pass(Duration::from_secs(700));
    let old = person.cookie(ACCESS).unwrap();

    let sent_away = location(&person.get("/auth/account/authenticator").await);
    let step_up = person.get(&sent_away).await;
    let sent = door.mailbox.count();
    let asked = person.submit("/auth/step-up", "next=%2Fauth%2Faccount%2Fauthenticator").await;
    let code = door.mailbox.code(sent + 1).await;
    let back = person.submit("/auth/verify", &format!("code={code}&next=%2Fauth%2Faccount%2Fauthenticator")).await;

    assert_eq!(sent_away, "/auth/step-up?need=fresh&next=%2Fauth%2Faccount%2Fauthenticator%3Fnext%3D%252Fauth%252Faccount");
    assert!(text(&step_up).contains("Send a code to ada@example.com"), "{}", text(&step_up));
    assert_eq!(location(&asked), "/auth/verify?next=%2Fauth%2Faccount%2Fauthenticator");
    assert_eq!(location(&back), "/auth/account/authenticator");
    assert!(text(&person.get("/auth/account/authenticator").await).contains("Set up an authenticator app"));
    let before = door.visitor();
    before.set_cookie(ACCESS, &old);
    assert_eq!(before.get("/auth/session").await.status(), 401, "the session before is over");
}

#[tokio::test]
async fn a_second_factor_that_is_missing_is_set_up_or_shown() {
    let door = Door::open().await;
    let plain = door.signed_in("bob@example.com").await;
    plain.browses();
    let page = text(&plain.get("/auth/step-up?need=factor&next=%2Fwiki").await);
    assert!(page.contains("href=\"/auth/account/authenticator?next=%2Fwiki\""), "{page}");

    let (person, phone, _) = enrolled(&door).await;
    door.pass(Duration::from_secs(3000));
    let old = person.cookie(ACCESS).unwrap();
    let asked = location(&person.get("/auth/step-up?need=fresh&next=%2Fwiki").await);
    let back = person.submit("/auth/second-factor", &format!("code={}&next=%2Fwiki", phone.code(door.now().as_secs()))).await;

    assert_eq!((asked.as_str(), location(&back).as_str()), ("/auth/second-factor?next=%2Fwiki", "/wiki"));
    let before = door.visitor();
    before.set_cookie(ACCESS, &old);
    assert_eq!(before.get("/auth/session").await.status(), 401, "another session took its place");
}

#[tokio::test]
async fn an_address_is_changed_by_a_code_that_comes_back() {
    let door = Door::open().await;
    let person = door.signed_in(ADA).await;
    person.browses();
    door.pass(Duration::from_secs(61));
    let sent = door.mailbox.count();

    let form = person.get("/auth/account/email").await;
    let wrong = person.submit("/auth/account/email", "address=ada").await;
    let asked = person.submit("/auth/account/email", "address=New%40Example.com").await;
    let early = person.submit("/auth/account/confirm", "code=x").await;
    let code = door.mailbox.code(sent + 1).await;
    let set = person.submit("/auth/account/confirm", &format!("code={code}")).await;

    assert_eq!(
        (form.status(), wrong.status(), early.status()),
        (http::StatusCode::OK, http::StatusCode::UNPROCESSABLE_ENTITY, http::StatusCode::UNAUTHORIZED)
    );
    assert_eq!((location(&asked), location(&set)), ("/auth/account/confirm".to_owned(), "/auth/account?said=address-set".to_owned()));
    let account = text(&person.get("/auth/account?said=address-set").await);
    assert!(
        account.contains("You are signed in as new@example.com.")
            && account.contains("<bdi>new@example.com</bdi>")
            && account.contains("The address is confirmed."),
        "{account}"
    );
    let last = person.submit("/auth/account/addresses/remove", "which=email").await;
    assert_eq!(location(&last), "/auth/account?said=last-address");
    assert_eq!(person.submit("/auth/account/addresses/remove", "which=all").await.status(), 422);
}

#[tokio::test]
async fn what_changes_an_account_wants_a_fresh_sign_in() {
    let door = Door::open().await;
    let person = door.signed_in(ADA).await;
    person.browses();
    door.pass(Duration::from_secs(601));
    for path in ["/auth/account/email", "/auth/account/authenticator", "/auth/account/addresses/remove"] {
        let form = if path.ends_with("email") {
            "address=x@example.com"
        } else if path.ends_with("remove") {
            "which=email"
        } else {
            ""
        };
        assert!(location(&person.submit(path, form).await).starts_with("/auth/step-up?need=fresh&next=%2Fauth%2Faccount"), "{path}");
    }
}

#[tokio::test]
async fn every_form_takes_its_own_fields_alone_and_shows_them_as_text() {
    let door = Door::open().await;
    let (person, _, _) = enrolled(&door).await;
    let pages = [
        person.submit("/auth/second-factor", &format!("code={EVIL}&next=%2F{EVIL}")).await,
        person.submit("/auth/recovery", &format!("code={EVIL}&next=%2F{EVIL}")).await,
        person.submit("/auth/account/recovery-codes", &format!("code={EVIL}")).await,
        person.submit("/auth/account/email", &format!("address={EVIL}")).await,
        person.submit("/auth/account/confirm", &format!("code={EVIL}")).await,
        person.get(&format!("/auth/recovery?next=%2F{EVIL}")).await,
        person.get(&format!("/auth/account?said={EVIL}")).await,
    ];
    for page in &pages {
        let text = text(page);
        assert!(text.contains("<!doctype html>") && !text.contains("alert('1')"), "{text}");
        assert!(text.len() < 50 * 1024 && !text.contains(" style="), "{text}");
    }
    for path in ["/auth/second-factor", "/auth/step-up", "/auth/account/email", "/auth/account/confirm", "/auth/account/authenticator"] {
        assert_eq!(person.submit(path, "x=y").await.status(), 422, "{path}");
    }
}
