//! A person signs in and out with pages, without a script.

use std::time::Duration;

use http::HeaderMap;

use super::door::{Door, Wish, cookies, text};

const SCRIPT: &str = include_str!("../../../templates/page.js");
const EVIL: &str = "\"><script>alert('1')</script>&";

fn policy(headers: &HeaderMap) -> String {
    headers["content-security-policy"].to_str().unwrap().to_owned()
}

fn directive<'a>(policy: &'a str, name: &str) -> &'a str {
    policy.split("; ").find_map(|directive| directive.strip_prefix(name)).unwrap().trim()
}

/// What a browser would run.
fn scripts(text: &str) -> impl Iterator<Item = &str> {
    text.split("<script").skip(1).map(|rest| rest.split_once('>').unwrap().1.split("</script>").next().unwrap())
}

#[tokio::test]
async fn a_person_signs_in_goes_on_and_signs_out() {
    let door = Door::open().await;
    let person = door.visitor();
    person.browses();

    let form = person.get("/auth/login?next=%2Fwiki%3Fa%3D1").await;
    let sent = person.submit("/auth/login", "address=Ada%40Example.com&next=%2Fwiki%3Fa%3D1").await;
    let entry = person.get(sent.headers()["location"].to_str().unwrap()).await;
    let code = door.mailbox.code(1).await;
    let spaced = format!("code=+{}+{}&next=%2Fwiki%3Fa%3D1", &code[..3], &code[3..]);
    let entered = person.submit("/auth/verify", &spaced).await;

    assert_eq!(form.status(), 200);
    assert!(text(&form).contains(r#"<input type="hidden" name="next" value="/wiki?a=1">"#));
    assert_eq!((sent.status().as_u16(), sent.headers()["location"].to_str().unwrap()), (303, "/auth/verify?next=%2Fwiki%3Fa%3D1"));
    assert!(text(&entry).contains(r#"autocomplete="one-time-code""#) && text(&entry).contains(r#"inputmode="numeric""#));
    assert_eq!((entered.status().as_u16(), entered.headers()["location"].to_str().unwrap()), (303, "/wiki?a=1"));
    assert_eq!(cookies(entered.headers()).len(), 3);
    assert!(text(&person.get("/auth/login").await).contains("You are signed in as ada@example.com."));
    assert!(text(&person.get("/auth/logout").await).contains("<button"));
    assert_eq!(person.get("/auth/session").await.status(), 200, "looking at the page ends nothing");
    let out = person.submit("/auth/logout", "").await;
    assert_eq!((out.status().as_u16(), cookies(out.headers()).len()), (200, 3));
    assert!(text(&out).contains("You are signed out") && text(&out).contains("/auth/login"));
}

#[tokio::test]
async fn everywhere_is_a_button() {
    let door = Door::open().await;
    let first = door.signed_in("ada@example.com").await;
    door.pass(Duration::from_secs(61));
    let second = door.signed_in("ada@example.com").await;
    second.browses();

    assert_eq!(second.submit("/auth/logout", "scope=global").await.status(), 200);

    assert_eq!(first.get("/auth/session").await.status(), 401);
}

#[tokio::test]
async fn no_page_lets_a_script_or_a_stranger_in() {
    let door = Door::wished(Wish { inbox: true, ..Wish::default() }).await;
    let person = door.visitor();
    person.browses();
    person.says("host", "127.0.0.1");

    for path in ["/auth/login", "/auth/verify", "/auth/logout", "/auth/dev/inbox", "/auth/nothing"] {
        let expected = if path == "/auth/verify" { "'self' https: http:" } else { "'self'" };
        let page = person.get(path).await;
        let policy = policy(page.headers());
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert_eq!(directive(&policy, "script-src").split(' ').count(), 1, "{policy}");
        assert!(directive(&policy, "script-src").starts_with("'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && directive(&policy, "form-action") == expected && policy.contains("frame-ancestors 'none'"));
        assert_eq!(page.headers()["x-frame-options"], "DENY");
        assert_eq!(page.headers()["cache-control"], "no-store");
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let text = text(&page);
        assert!(!text.contains(" style=") && !text.contains(" onclick=") && !text.contains("src=\"http"), "{text}");
        assert!(page.body().len() < 50 * 1024, "{path}");
        for script in scripts(&text) {
            assert_eq!(script, SCRIPT, "{path}: no script but ours");
        }
        assert_eq!(text.matches("<style>").count(), 1);
    }
}

#[tokio::test]
async fn what_was_typed_is_shown_as_text() {
    let door = Door::open().await;
    let person = door.visitor();
    person.browses();
    let encoded: String = url::form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();

    let pages = [
        person.submit("/auth/login", &format!("address={encoded}&next={encoded}")).await,
        person.submit("/auth/login", &format!("address=x&next=%2F{encoded}")).await,
        person.submit("/auth/verify", &format!("code={encoded}&next=%2F{encoded}")).await,
        person.get(&format!("/auth/login?next=%2F{encoded}")).await,
        person.get(&format!("/auth/verify?next={encoded}")).await,
    ];

    for page in &pages {
        let text = text(page);
        assert!(scripts(&text).all(|script| script == SCRIPT) && !text.contains("alert('1')"), "{text}");
    }
    assert!(text(&pages[0]).contains("&#62;&#60;script&#62;"), "{}", text(&pages[0]));
}

#[tokio::test]
async fn what_is_wrong_is_said_beside_the_field() {
    let door = Door::open().await;
    let person = door.visitor();
    person.browses();

    let wrong = person.submit("/auth/login", "address=ada").await;
    let phone = person.submit("/auth/login", "address=%2B4915112345678").await;
    let no_code = person.submit("/auth/verify", "code=123456").await;
    person.submit("/auth/login", "address=ada@example.com").await;
    let soon = person.submit("/auth/login", "address=ada@example.com").await;
    let code = person.submit("/auth/verify", "code=").await;
    let mut last = code.status().as_u16();
    for _ in 0..5 {
        last = person.submit("/auth/verify", "code=x").await.status().as_u16();
    }

    let said = [
        (&wrong, 422, "This is not an e-mail address."),
        (&phone, 422, "Codes cannot be sent to this kind of address here."),
        (&no_code, 401, "In this browser no code is waited for"),
        (&soon, 429, "ask again in 60 seconds"),
        (&code, 401, "This code is wrong, has expired or has been used."),
    ];
    for (page, status, words) in said {
        let text = text(page);
        assert_eq!(page.status(), status, "{words}");
        assert!(text.contains(words) && text.contains("<title>Error: "), "{text}");
        assert!(text.contains(r#"aria-describedby="hint error" aria-invalid="true""#) && text.contains(r#"id="error""#), "{text}");
    }
    assert_eq!(soon.headers()["retry-after"], "60");
    assert_eq!(last, 429);
}

#[tokio::test]
async fn unknown_repeated_and_broken_fields_are_refused() {
    let door = Door::open().await;
    let person = door.visitor();
    person.browses();
    for (path, form) in [
        ("/auth/login", "address=a@example.com&admin=1"),
        ("/auth/login", "address=a@example.com&address=b@example.com"),
        ("/auth/login", "address=%FF%FE"),
        ("/auth/verify", "code=1&token=2"),
        ("/auth/verify", "code=1&code=2"),
        ("/auth/logout", "x=y"),
    ] {
        let reply = person.submit(path, form).await;
        assert_eq!(reply.status(), 422, "{path} {form}");
        assert!(text(&reply).contains("<!doctype html>"), "{path} {form}");
    }
    let scope = person.submit("/auth/logout", "scope=everything").await;
    assert_eq!(scope.status(), 422);
}

#[tokio::test]
async fn next_leads_to_configured_hosts_only() {
    let door = Door::open().await;
    for (next, location) in [
        ("https%3A%2F%2Fwiki.example.com%2Fa", "https://wiki.example.com/a"),
        ("https%3A%2F%2Fevil.com%2F", "/"),
        ("%2F%2Fevil.com", "/"),
        ("%2F%5Cevil.com", "/"),
        ("javascript%3Aalert(1)", "/"),
    ] {
        let person = door.visitor();
        person.browses();
        door.pass(Duration::from_secs(61));
        let sent = door.mailbox.count();
        person.submit("/auth/login", &format!("address=ada@example.com&next={next}")).await;
        let code = door.mailbox.code(sent + 1).await;

        let entered = person.submit("/auth/verify", &format!("code={code}&next={next}")).await;

        assert_eq!((entered.status().as_u16(), entered.headers()["location"].to_str().unwrap()), (303, location), "{next}");
    }
}

#[tokio::test]
async fn pages_speak_five_languages() {
    let door = Door::open().await;
    for (accept, lang, dir, words) in [
        ("de-AT,de;q=0.9,en;q=0.5", "de", "ltr", "Anmelden"),
        ("fr", "fr", "ltr", "Se connecter"),
        ("es-MX", "es", "ltr", "Iniciar sesión"),
        ("ar-EG,en;q=0.3", "ar", "rtl", "تسجيل الدخول"),
        ("ja", "en", "ltr", "Sign in"),
    ] {
        let person = door.visitor();
        person.browses().says("accept-language", accept);
        let page = person.get("/auth/login").await;
        assert_eq!(page.headers()["content-language"], lang);
        assert!(text(&page).contains(&format!("<html lang=\"{lang}\" dir=\"{dir}\">")) && text(&page).contains(words), "{accept}");
    }
}

#[tokio::test]
async fn the_inbox_is_there_only_when_it_is_given() {
    let door = Door::wished(Wish { inbox: true, ..Wish::default() }).await;
    let (person, reader) = (door.visitor(), door.visitor());
    person.browses();
    reader.browses();
    reader.says("host", "127.0.0.1:8080");
    assert!(text(&reader.get("/auth/dev/inbox").await).contains("No codes have been sent yet."));
    person.submit("/auth/login", "address=ada@example.com").await;
    let code = door.mailbox.code(1).await;

    let page = reader.get("/auth/dev/inbox").await;
    let entry = person.get("/auth/verify").await;
    let tool = door.visitor();
    tool.says("accept", "application/json");
    tool.says("host", "localhost");

    assert!(text(&page).contains(&code) && text(&page).contains("ada@example.com"));
    assert!(text(&entry).contains("/auth/dev/inbox"));
    assert_eq!(super::door::json(&tool.get("/auth/dev/inbox").await)[0]["code"], code);
    assert_eq!(Door::open().await.visitor().get("/auth/dev/inbox").await.status(), 404);

    for (host, status) in [
        ("localhost:8080", 200),
        ("LOCALHOST", 200),
        ("wiki.localhost:8080", 200),
        ("127.0.0.1", 200),
        ("127.9.9.9:80", 200),
        ("[::1]:8080", 200),
        ("evil.test", 421),
        ("evil.test:8080", 421),
        ("localhost.evil.test", 421),
        ("notlocalhost", 421),
        ("127.0.0.1.evil.test", 421),
        ("192.168.0.7", 421),
        ("wiki.example.com", 421),
    ] {
        let caller = door.visitor();
        caller.says("host", host);
        let reply = caller.get("/auth/dev/inbox").await;
        assert_eq!(reply.status(), status, "{host}");
        assert_eq!(text(&reply).contains(&code), status == 200, "{host}");
    }
}

#[tokio::test]
async fn devices_are_told_in_words_and_ended_by_a_button() {
    let door = Door::open().await;
    let mine = door.signed_in("ada@example.com").await;
    door.pass(Duration::from_secs(7200));
    let other = door.visitor();
    other.says("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0");
    door.sign_in_with(&other, "ada@example.com").await;
    mine.browses();

    let page = text(&mine.get("/auth/account").await);
    let end = page.split("name=\"end\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let ended = mine.submit("/auth/account/sessions", &format!("end={end}")).await;
    let again = mine.submit("/auth/account/sessions", &format!("end={end}")).await;

    assert!(page.contains("Firefox, Linux") && page.contains("Unknown device") && page.contains("2 hours ago"), "{page}");
    assert_eq!(page.matches("This device").count(), 1);
    assert_eq!((ended.status().as_u16(), &ended.headers()["location"]), (303, &"/auth/account?said=ended".parse().unwrap()));
    assert_eq!(again.headers()["location"], "/auth/account?said=gone");
    assert!(text(&mine.get("/auth/account?said=ended").await).contains("The device is signed out."));
    assert_eq!(other.get("/auth/session").await.status(), 401);
}

#[tokio::test]
async fn all_other_devices_are_ended_by_one_button() {
    let door = Door::open().await;
    let first = door.signed_in("ada@example.com").await;
    door.pass(Duration::from_secs(61));
    let stranger = door.signed_in("bob@example.com").await;
    let mine = door.signed_in("ada@example.com").await;
    mine.browses();

    let done = mine.submit("/auth/account/sessions", "end=others").await;

    assert_eq!(done.headers()["location"], "/auth/account?said=others-ended");
    assert_eq!(first.get("/auth/session").await.status(), 401);
    assert_eq!(mine.get("/auth/session").await.status(), 200);
    assert_eq!(stranger.get("/auth/session").await.status(), 200);
}

#[tokio::test]
async fn the_account_is_for_who_is_signed_in_and_renews_in_passing() {
    let door = Door::open().await;
    let nobody = door.visitor();
    nobody.browses();
    let late = door.signed_in("ada@example.com").await;
    late.browses();

    let sent = nobody.get("/auth/account?said=ended").await;
    let form = nobody.submit("/auth/account/sessions", "end=others").await;
    door.pass(Duration::from_secs(3 * 3600));
    let renewed = late.get("/auth/account").await;
    door.pass(Duration::from_secs(8 * 86_400));
    let over = late.get("/auth/account").await;

    assert_eq!(
        (sent.status().as_u16(), sent.headers()["location"].to_str().unwrap()),
        (303, "/auth/login?next=%2Fauth%2Faccount%3Fsaid%3Dended")
    );
    assert_eq!(form.headers()["location"], "/auth/login?next=%2Fauth%2Faccount");
    assert_eq!((renewed.status().as_u16(), cookies(renewed.headers()).len()), (200, 2));
    assert_eq!(over.headers()["location"], "/auth/login?next=%2Fauth%2Faccount");
}

#[tokio::test]
async fn a_device_ends_only_what_is_its_own() {
    let door = Door::open().await;
    let ada = door.signed_in("ada@example.com").await;
    let bob = door.signed_in("bob@example.com").await;
    let hers = super::door::json(&ada.get("/auth/sessions").await)["sessions"][0]["id"].as_str().unwrap().to_owned();
    bob.browses();

    let tried = bob.submit("/auth/account/sessions", &format!("end={hers}")).await;

    assert_eq!(tried.headers()["location"], "/auth/account?said=gone");
    assert_eq!(ada.get("/auth/session").await.status(), 200);
}
