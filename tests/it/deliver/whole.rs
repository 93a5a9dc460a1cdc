//! The whole program and its providers: what the person sees, what the log and the metrics say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use doorward::language::Language;
use serde_json::json;

use super::kinds::{Kind, PHONE, SECRET};
use super::{Post, configuration};
use crate::support::gateway::Gateway;
use crate::support::provider::{Manner, Provider, Request};
use crate::support::{folder, ports, wait};

async fn started(delivery: String, trusted: Option<PathBuf>) -> Gateway {
    let trusted = trusted.map(|file| file.display().to_string());
    let start = move || {
        let environment: Vec<(&str, &str)> = trusted.iter().map(|file| ("SSL_CERT_FILE", file.as_str())).collect();
        Gateway::start_with(&environment, |place| configuration(place, &delivery, ""))
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

/// What somebody asks for a code with.
fn ask(kind: Kind) -> serde_json::Value {
    match kind {
        Kind::Resend | Kind::MailHook => json!({ "email": "ada@example.com" }),
        Kind::TwilioSms | Kind::SmsHook => json!({ "phone": PHONE, "channel": "sms" }),
        Kind::TwilioWhatsapp | Kind::WhatsappHook => json!({ "phone": PHONE, "channel": "whatsapp" }),
    }
}

/// The code in what a provider was sent.
fn code(request: &Request) -> String {
    let text = if request.header("Content-Type").as_deref() == Some("application/json") {
        let body = request.json();
        body["code"].as_str().or(body["subject"].as_str()).unwrap().to_owned()
    } else {
        let form: BTreeMap<String, String> = request.form().into_iter().collect();
        form.get("Body").or(form.get("ContentVariables")).unwrap().replace("\"1\"", "")
    };
    text.split(|letter: char| !letter.is_ascii_digit()).find(|run| run.len() == 6).unwrap().to_owned()
}

/// No line holds what is nobody's business.
fn assert_discreet(gateway: &Gateway, codes: &[String]) {
    let log = gateway.log();
    let secrets = ["ada@example.com", PHONE, "4915112345678", "hunter2", SECRET].map(str::to_owned);
    for secret in secrets.iter().chain(codes) {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log:\n{log}");
    }
}

/// What is printed arrives a moment later.
async fn logged(gateway: &Gateway, what: &str, is_there: impl Fn(&str) -> bool) {
    let look = || async { is_there(&gateway.log()).then_some(()) };
    wait::until_async(&format!("{what:?} in the log"), Duration::from_secs(10), look).await;
}

async fn metrics(gateway: &Gateway) -> String {
    gateway.operator().get("/metrics").await.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_every_kind() {
    for kind in Kind::ALL {
        let provider = Provider::start();
        let gateway = started(kind.at(&provider.url(), "it"), None).await;
        let person = gateway.person();

        let asked = person.post("/auth/request-otp", &ask(kind)).await;
        assert_eq!((asked.status, asked.json()["channel"].as_str()), (200, Some(kind.channel().as_str())), "{}", asked.text());
        let code = code(&provider.wait_for(1)[0]);
        let mut proof = ask(kind);
        proof.as_object_mut().unwrap().remove("channel");
        proof["code"] = json!(code);
        let verified = person.post("/auth/verify-otp", &proof).await;

        assert_eq!(verified.status, 200, "{kind:?}: {}", verified.text());
        let line = format!("doorward_otp_sent_total{{channel=\"{}\",outcome=\"sent\",provider=\"it\"}} 1", kind.channel().as_str());
        assert!(metrics(&gateway).await.contains(&line));
        assert_discreet(&gateway, &[code]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_without_a_provider_is_refused() {
    let provider = Provider::start();
    let gateway = started(Kind::SmsHook.at(&provider.url(), "it"), None).await;

    for kind in [Kind::MailHook, Kind::WhatsappHook] {
        let asked = gateway.person().post("/auth/request-otp", &ask(kind)).await;
        assert_eq!(asked.status, 422, "{}", asked.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_of_a_message_stays_with_us() {
    let echo = "{\"code\":21211,\"message\":\"ada@example.com +4915112345678 hunter2\",\"status\":400}".to_owned();
    let cases = [
        (Manner::Say(400, echo.clone()), "refused: HTTP 400"),
        (Manner::Say(500, echo), "not now: HTTP 500"),
        (Manner::Cut, "no answer: the connection broke: "),
        (Manner::Redirect(302, "http://hunter2@127.0.0.1:1/ada@example.com".to_owned()), "refused: HTTP 302, and redirects are not"),
    ];
    for kind in Kind::ALL {
        let (provider, spare) = (Provider::start(), Provider::start());
        let gateway = started(kind.at(&provider.url(), "it") + &kind.spare(&spare.url()), None).await;
        let mut codes = Vec::new();

        for (nth, (manner, cause)) in cases.iter().enumerate() {
            provider.behave(manner.clone());
            let asked = gateway.person().post("/auth/request-otp", &ask(kind)).await;
            assert_eq!(asked.status, 200, "{}", asked.text());
            codes.push(code(&spare.wait_for(nth + 1)[nth]));
            logged(&gateway, cause, |log| log.contains(cause)).await;
        }

        let told = gateway.log().contains("refused: HTTP 400, error 21211");
        assert_eq!(told, matches!(kind, Kind::TwilioSms | Kind::TwilioWhatsapp));
        assert_discreet(&gateway, &codes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_must_be_for_the_name_and_of_an_authority_that_is_trusted() {
    for kind in Kind::ALL {
        let (right, wrong, stranger) =
            (Provider::start_tls("127.0.0.1"), Provider::start_tls("other.example"), Provider::start_tls("127.0.0.1"));
        let folder = folder::new("authorities");
        let trusted = folder.path().join("trusted.pem");
        let authorities = [&right, &wrong].map(|provider| std::fs::read_to_string(provider.authority()).unwrap());
        std::fs::write(&trusted, authorities.concat()).unwrap();
        let delivery = [kind.at(&wrong.url(), "wrong"), kind.at(&stranger.url(), "stranger"), kind.at(&right.url(), "right")].concat();
        let gateway = started(delivery, Some(trusted)).await;

        let asked = gateway.person().post("/auth/request-otp", &ask(kind)).await;

        assert_eq!(asked.status, 200);
        let code = code(&right.wait_for(1)[0]);
        assert_eq!((wrong.requests().len(), stranger.requests().len()), (0, 0), "{kind:?}");
        for (name, cause) in [("wrong", "certificate not valid for name"), ("stranger", "invalid peer certificate: ")] {
            let name = format!("Provider {name} did not take");
            logged(&gateway, cause, |log| log.lines().any(|line| line.contains(&name) && line.contains(cause))).await;
        }
        assert_discreet(&gateway, &[code]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_gets_nothing() {
    for kind in Kind::ALL {
        let (stranger, spare) = (Provider::start_tls("127.0.0.1"), Provider::start());
        let post = Post::with(&(kind.at(&stranger.url(), "it") + &kind.spare(&spare.url()))).await;

        assert!(post.send_by(kind.channel(), kind.address(), "123456", Language::English));

        post.wait_for("spare", "sent", 1).await;
        assert_eq!((post.counted("it", "deferred"), stranger.requests().len()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_nothing_from_anybody_may_ask_again() {
    let provider = Provider::start();
    provider.behave(Manner::Answer(401));
    let delivery = Kind::TwilioSms.at(&provider.url(), "it");
    let start =
        move || Gateway::start(|place| configuration(place, &delivery, "").replace("resend_after = \"0s\"", "resend_after = \"10m\""));
    let gateway = tokio::task::spawn_blocking(start).await.unwrap();

    let first = gateway.person().post("/auth/request-otp", &ask(Kind::TwilioSms)).await;
    assert_eq!(first.status, 200);
    let again = || async { gateway.person().post("/auth/request-otp", &ask(Kind::TwilioSms)).await };
    wait::until_async("the wait to be released", Duration::from_secs(20), || async { (again().await.status == 200).then_some(()) }).await;

    logged(&gateway, "nobody", |log| log.contains("No provider of the channel sms took a message")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_written_to_in_the_language_of_their_browser() {
    let provider = Provider::start();
    let gateway = started(Kind::MailHook.at(&provider.url(), "it") + &Kind::SmsHook.at(&provider.url(), "it"), None).await;

    for (kind, accepted, tag) in [(Kind::MailHook, "de-CH, en;q=0.8", "de"), (Kind::SmsHook, "ar", "ar")] {
        let person = gateway.person();
        let asking = person.request(reqwest::Method::POST, "/auth/request-otp").header("Accept-Language", accepted);
        assert_eq!(asking.json(&ask(kind)).send().await.status, 200);
        let all = || async { provider.requests().into_iter().map(|one| one.json()).find(|body| body["language"] == tag) };
        let body = wait::until_async("a message", Duration::from_secs(10), all).await;

        let expected = if tag == "de" { "Ihr Code für" } else { "هو رمزك للدخول إلى" };
        assert!(body["text"].as_str().unwrap().contains(expected), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_message_is_in_the_log_however_much_is_logged() {
    let (gone, spares) = (ports::free(), Provider::start());
    let url = format!("http://door:hunter2@127.0.0.1:{gone}/hunter2?key=hunter2");
    let mut delivery = String::new();
    for kind in [Kind::MailHook, Kind::SmsHook, Kind::WhatsappHook] {
        delivery += &(kind.at(&url, "gone") + &kind.at(&spares.url(), "spare"));
    }
    let loud = move || Gateway::start(|place| configuration(place, &delivery, "").replace("doorward=trace,info", "trace"));
    let gateway = tokio::task::spawn_blocking(loud).await.unwrap();

    let mut codes = Vec::new();
    for (nth, kind) in [Kind::MailHook, Kind::SmsHook, Kind::WhatsappHook].into_iter().enumerate() {
        assert_eq!(gateway.person().post("/auth/request-otp", &ask(kind)).await.status, 200);
        codes.push(code(&spares.wait_for(nth + 1)[nth]));
    }

    logged(&gateway, "a refused connection", |log| log.matches("Provider gone did not take a message").count() == 3).await;
    assert_discreet(&gateway, &codes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_names_the_configured_host_whatever_the_request_says() {
    let provider = Provider::start();
    let gateway = started(Kind::TwilioSms.at(&provider.url(), "it"), None).await;

    let person = gateway.person_at("evil.example");
    let asking = person.request(reqwest::Method::POST, "/auth/request-otp").json(&ask(Kind::TwilioSms));
    let asking = asking.header("X-Forwarded-Host", "evil.example").header("Forwarded", "host=evil.example");
    assert_eq!(asking.send().await.status, 200);

    let request = &provider.wait_for(1)[0];
    let body = request.form().pop().unwrap().1;
    assert!(body.ends_with(&format!("\n\n@127.0.0.1 #{}", code(request))) && !body.contains("evil"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sign_in_page_says_when_nobody_answers_to_everybody_alike() {
    let nowhere = format!("http://127.0.0.1:{}", ports::free());
    let gateway = started(Kind::MailHook.at(&nowhere, "it"), None).await;
    let person = gateway.person();
    let says = async || person.visit("/auth/login").await.text().contains("may take longer");
    assert!(!says().await);

    for number in 0..6 {
        let asked = person.post("/auth/request-otp", &json!({ "email": format!("person-{number}@example.com") })).await;
        assert_eq!(asked.status, 200, "{}", asked.text());
    }

    wait::until_async("the page to say so", Duration::from_secs(20), async || says().await.then_some(())).await;
    assert!(gateway.person().visit("/auth/verify").await.text().contains("may take longer"));
}
