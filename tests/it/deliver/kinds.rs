//! What each kind of provider is sent: its authentication, its form, its encoding, as the provider would check them.

use std::time::Duration;

use aws_lc_rs::hmac;
use doorward::language::Language;
use doorward::signin::{Changed, Channel, Content, Notice};
use serde_json::json;

use super::{Post, START};
use crate::support::provider::{Manner, Provider, Request};

pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";
const TEMPLATE: &str = "HX0123456789abcdef0123456789abcdef";
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const PHONE: &str = "+4915112345678";

/// Every kind that is spoken to over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Resend,
    MailHook,
    TwilioSms,
    SmsHook,
    TwilioWhatsapp,
    WhatsappHook,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::Resend, Self::MailHook, Self::TwilioSms, Self::SmsHook, Self::TwilioWhatsapp, Self::WhatsappHook];

    pub fn channel(self) -> Channel {
        match self {
            Self::Resend | Self::MailHook => Channel::Email,
            Self::TwilioSms | Self::SmsHook => Channel::Sms,
            Self::TwilioWhatsapp | Self::WhatsappHook => Channel::Whatsapp,
        }
    }

    pub fn address(self) -> &'static str {
        if self.channel() == Channel::Email { "ada@example.com" } else { PHONE }
    }

    /// The settings of a provider of this kind at `url`, with this name.
    pub fn at(self, url: &str, name: &str) -> String {
        let channel = self.channel().as_str();
        let head = format!("[[delivery.{channel}]]\nname = \"{name}\"\nurl = \"{url}\"\n");
        let twilio = format!("kind = \"twilio\"\naccount_sid = \"{ACCOUNT}\"\nauth_token = \"hunter2\"\nfrom = \"+15005550006\"\n");
        let rest = match self {
            Self::Resend => "kind = \"resend\"\napi_key = \"re_hunter2\"\nfrom = \"Wiki <door@example.com>\"\n".to_owned(),
            Self::TwilioSms => twilio,
            Self::TwilioWhatsapp => format!("{twilio}content_sid = \"{TEMPLATE}\"\n"),
            Self::MailHook | Self::SmsHook | Self::WhatsappHook => {
                format!("kind = \"webhook\"\nsecret = \"{SECRET}\"\nallow_private = true\n")
            }
        };
        head + &rest
    }

    /// A webhook of the same channel.
    pub fn spare(self, url: &str) -> String {
        let hook = match self.channel() {
            Channel::Email => Self::MailHook,
            Channel::Sms => Self::SmsHook,
            Channel::Whatsapp => Self::WhatsappHook,
        };
        hook.at(url, "spare")
    }
}

/// What arrives when `send` is called on a post with one provider with these settings.
async fn arrives(settings: impl Fn(&str) -> String, send: impl Fn(&Post)) -> Request {
    let provider = Provider::start();
    let post = Post::with(&settings(&provider.url())).await;
    send(&post);
    post.wait_for("it", "sent", 1).await;
    let requests = provider.requests();
    assert_eq!(requests.len(), 1);
    requests[0].clone()
}

fn code(kind: Kind, language: Language) -> impl Fn(&Post) {
    move |post| assert!(post.send_by(kind.channel(), kind.address(), "123456", language))
}

#[tokio::test(flavor = "multi_thread")]
async fn resend_is_sent_what_its_api_documents() {
    let request = arrives(|url| Kind::Resend.at(url, "it"), code(Kind::Resend, Language::German)).await;

    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/emails"));
    assert_eq!(request.header("Authorization").unwrap(), "Bearer re_hunter2");
    assert_eq!(request.header("User-Agent").unwrap(), concat!("doorward/", env!("CARGO_PKG_VERSION")));
    assert_eq!(request.header("Idempotency-Key").unwrap().len(), 22);
    let body = request.json();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["from", "headers", "html", "subject", "text", "to"]);
    assert_eq!(body["from"], "Wiki <door@example.com>");
    assert_eq!(body["to"], json!(["ada@example.com"]));
    assert_eq!(body["subject"], "123456 ist Ihr Code für Wiki & Co");
    assert!(body["text"].as_str().unwrap().contains("123456"));
    assert!(body["html"].as_str().unwrap().contains("<html lang=\"de\" dir=\"ltr\">"));
    assert_eq!(body["headers"], json!({ "Auto-Submitted": "auto-generated" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_one_name_at_every_attempt() {
    let provider = Provider::start();
    provider.behave(Manner::Answer(503));
    let post = Post::with(&Kind::Resend.at(&provider.url(), "it")).await;

    code(Kind::Resend, Language::English)(&post);
    provider.wait_for(1);
    provider.behave(Manner::Answer(200));
    post.wait_for("it", "sent", 1).await;
    code(Kind::Resend, Language::English)(&post);
    post.wait_for("it", "sent", 2).await;

    let names: Vec<_> = provider.requests().iter().map(|request| request.header("Idempotency-Key").unwrap()).collect();
    assert_eq!(names.len(), 3);
    assert!(names[0] == names[1] && names[1] != names[2], "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_may_have_a_path() {
    let request = arrives(|url| Kind::Resend.at(&format!("{url}/mail/v1"), "it"), code(Kind::Resend, Language::English)).await;
    assert_eq!(request.path, "/mail/v1/emails");

    let request = arrives(|url| Kind::TwilioSms.at(&format!("{url}/t/"), "it"), code(Kind::TwilioSms, Language::English)).await;
    assert_eq!(request.path, format!("/t/2010-04-01/Accounts/{ACCOUNT}/Messages.json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_is_sent_an_sms_as_its_api_documents() {
    let request = arrives(|url| Kind::TwilioSms.at(url, "it"), code(Kind::TwilioSms, Language::French)).await;

    assert_eq!((request.method.as_str(), request.path.clone()), ("POST", format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json")));
    assert_eq!(request.basic(), format!("{ACCOUNT}:hunter2"));
    assert!(request.body.contains("To=%2B4915112345678"), "a plus sign is encoded, or it is a space: {}", request.body);
    let body = "123456 est votre code pour Wiki & Co\n\n@wiki.example.com #123456";
    assert_eq!(request.form(), pairs(&[("To", PHONE), ("From", "+15005550006"), ("Body", body)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_takes_an_api_key_and_a_messaging_service() {
    let settings = |url: &str| {
        let key = "api_key_sid = \"SK0123456789abcdef0123456789abcdef\"\napi_key_secret = \"s3cret:\"";
        let text = Kind::TwilioSms.at(url, "it").replace("auth_token = \"hunter2\"", key);
        text.replace("from = \"+15005550006\"", &format!("messaging_service_sid = \"{SERVICE}\""))
    };

    let request = arrives(settings, code(Kind::TwilioSms, Language::English)).await;

    assert_eq!(request.basic(), "SK0123456789abcdef0123456789abcdef:s3cret:");
    let form = request.form();
    assert_eq!(form[..2], pairs(&[("To", PHONE), ("MessagingServiceSid", SERVICE)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_is_sent_whatsapp_as_an_approved_template() {
    let request = arrives(|url| Kind::TwilioWhatsapp.at(url, "it"), code(Kind::TwilioWhatsapp, Language::Arabic)).await;

    assert_eq!(request.basic(), format!("{ACCOUNT}:hunter2"));
    let form = request.form();
    let expected = [
        ("To", "whatsapp:+4915112345678"),
        ("From", "whatsapp:+15005550006"),
        ("ContentSid", TEMPLATE),
        ("ContentVariables", "{\"1\":\"123456\"}"),
    ];
    assert_eq!(form, pairs(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_may_be_in_several_languages() {
    const GERMAN: &str = "HX00000000000000000000000000000001";
    for (language, template) in [(Language::German, GERMAN), (Language::French, TEMPLATE)] {
        let settings = |url: &str| format!("{}content_sids = {{ de = \"{GERMAN}\" }}\n", Kind::TwilioWhatsapp.at(url, "it"));
        let request = arrives(settings, code(Kind::TwilioWhatsapp, language)).await;
        assert!(request.form().contains(&("ContentSid".to_owned(), template.to_owned())), "{}", request.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_sent_signed_json() {
    for kind in [Kind::MailHook, Kind::SmsHook, Kind::WhatsappHook] {
        let request = arrives(|url| kind.at(&format!("{url}/hook?from=door"), "it"), code(kind, Language::Spanish)).await;

        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hook?from=door"));
        assert_signed(&request);
        let body = request.json();
        let said = ["channel", "to", "language", "kind", "code"].map(|field| body[field].as_str().unwrap().to_owned());
        assert_eq!(said, [kind.channel().as_str(), kind.address(), "es", "code", "123456"]);
        assert_eq!((body["expires_in"].as_u64(), body["id"].as_str().map(str::len)), (Some(600), Some(22)));
        if kind == Kind::MailHook {
            assert_eq!(body["subject"], "123456 es tu clave para Wiki & Co");
            assert!(body["html"].as_str().unwrap().contains("lang=\"es\""));
        } else {
            assert_eq!(body["text"], "123456 es tu clave para Wiki & Co\n\n@wiki.example.com #123456");
        }
    }
}

/// As a receiver does it: the time is believed because it is signed, the body because it is.
fn assert_signed(request: &Request) {
    let header = request.header("Doorward-Signature").unwrap();
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(time, START.as_secs().to_string());
    let bytes: Vec<u8> = (0..signature.len()).step_by(2).map(|at| u8::from_str_radix(&signature[at..at + 2], 16).unwrap()).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, format!("{time}.{}", request.body).as_bytes(), &bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_are_told_by_each_kind_that_can() {
    let notice = || Content::Notice(Notice::AddressChanged(Changed::Phone));
    for kind in [Kind::Resend, Kind::MailHook, Kind::TwilioSms, Kind::SmsHook, Kind::WhatsappHook] {
        let send = |post: &Post| assert!(post.send_content(kind.channel(), kind.address(), notice(), Language::German));
        let request = arrives(|url| kind.at(url, "it"), send).await;

        assert!(request.body.contains("Telefonnummer"), "{}", request.body);
        assert!(!request.body.contains("%40wiki") && !request.body.contains("@wiki"), "{}", request.body);
    }

    let provider = Provider::start();
    let post = Post::with(&Kind::TwilioWhatsapp.at(&provider.url(), "it")).await;
    assert!(post.send_content(Channel::Whatsapp, PHONE, notice(), Language::German));
    post.wait_for("it", "refused", 1).await;
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_of_other_channels_are_not_asked() {
    let (mail, sms) = (Provider::start(), Provider::start());
    let post = Post::with(&(Kind::MailHook.at(&mail.url(), "mail") + &Kind::SmsHook.at(&sms.url(), "sms"))).await;

    code(Kind::SmsHook, Language::English)(&post);
    post.wait_for("sms", "sent", 1).await;
    post.queue.drain(Duration::from_secs(5)).await;

    assert_eq!((mail.requests().len(), sms.requests().len()), (0, 1));
}

fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
