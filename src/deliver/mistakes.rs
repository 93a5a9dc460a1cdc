//! What is wrong in the sections of delivery: every mistake by its key, in a sentence without the value.

use super::Wrong;
use super::resend::Resend;
use super::settings::{DeliverySettings, EmailKind, EmailProvider, PhoneKind, PhoneProvider};
use super::smtp::Server;
use super::templates::Templates;
use super::twilio::Twilio;
use super::webhook::Webhook;
use crate::signin::Channel;

/// Every mistake: its key below `delivery`, and what is wrong.
pub fn mistakes(settings: &DeliverySettings) -> Vec<(String, String)> {
    let templates = settings.templates.as_deref().and_then(|folder| Templates::read(folder).err());
    let mut all: Vec<(String, String)> = templates.into_iter().map(|problems| ("templates".to_owned(), problems.join("; "))).collect();
    for (index, provider) in settings.email.iter().enumerate() {
        all.extend(named("email", index, email(provider)));
    }
    for (channel, word, providers) in [(Channel::Sms, "sms", &settings.sms), (Channel::Whatsapp, "whatsapp", &settings.whatsapp)] {
        for (index, provider) in providers.iter().enumerate() {
            all.extend(named(word, index, phone(provider, channel)));
        }
    }
    all
}

fn named(word: &'static str, index: usize, wrong: Vec<Wrong>) -> impl Iterator<Item = (String, String)> {
    wrong.into_iter().map(move |(field, problem)| (format!("{word}[{index}].{field}"), problem.to_owned()))
}

fn email(provider: &EmailProvider) -> Vec<Wrong> {
    let (fields, wrong): (&[&str], _) = match provider.kind {
        EmailKind::Smtp => (&["url", "password", "from"], Server::read(provider).err()),
        EmailKind::Resend => (&["url", "from", "api_key"], Resend::read(provider).err()),
        EmailKind::Webhook => {
            let read = Webhook::read(provider.url.as_ref(), provider.secret.as_ref(), provider.allow_private);
            (&["url", "secret", "allow_private"], read.err())
        }
        EmailKind::Console => (&[], None),
    };
    let set = [
        ("url", provider.url.is_some()),
        ("password", provider.password.is_some()),
        ("from", provider.from.is_some()),
        ("api_key", provider.api_key.is_some()),
        ("secret", provider.secret.is_some()),
        ("allow_private", provider.allow_private),
    ];
    [wrong.unwrap_or_default(), foreign(&set, fields), label(provider.name.as_deref())].concat()
}

fn phone(provider: &PhoneProvider, channel: Channel) -> Vec<Wrong> {
    let (fields, wrong): (&[&str], _) = match provider.kind {
        PhoneKind::Twilio => (twilio_fields(channel), Twilio::read(provider, channel).err()),
        PhoneKind::Webhook => {
            let read = Webhook::read(provider.url.as_ref(), provider.secret.as_ref(), provider.allow_private);
            (&["url", "secret", "allow_private"], read.err())
        }
        PhoneKind::Console if channel == Channel::Sms => (&[], None),
        PhoneKind::Console => (&[], Some(vec![("kind", "should be \"twilio\" or \"webhook\"")])),
    };
    let set = [
        ("url", provider.url.is_some()),
        ("account_sid", provider.account_sid.is_some()),
        ("auth_token", provider.auth_token.is_some()),
        ("api_key_sid", provider.api_key_sid.is_some()),
        ("api_key_secret", provider.api_key_secret.is_some()),
        ("from", provider.from.is_some()),
        ("messaging_service_sid", provider.messaging_service_sid.is_some()),
        ("content_sid", provider.content_sid.is_some()),
        ("content_sids", !provider.content_sids.is_empty()),
        ("secret", provider.secret.is_some()),
        ("allow_private", provider.allow_private),
    ];
    [wrong.unwrap_or_default(), foreign(&set, fields), label(provider.name.as_deref())].concat()
}

const fn twilio_fields(channel: Channel) -> &'static [&'static str] {
    match channel {
        Channel::Whatsapp => &[
            "url",
            "account_sid",
            "auth_token",
            "api_key_sid",
            "api_key_secret",
            "from",
            "messaging_service_sid",
            "content_sid",
            "content_sids",
        ],
        Channel::Sms | Channel::Email => {
            &["url", "account_sid", "auth_token", "api_key_sid", "api_key_secret", "from", "messaging_service_sid"]
        }
    }
}

/// What is set, and not for this kind.
fn foreign(set: &[(&'static str, bool)], fields: &[&str]) -> Vec<Wrong> {
    let others = set.iter().filter(|(field, set)| *set && !fields.contains(field));
    others.map(|(field, _)| (*field, "is not for a provider of this kind here")).collect()
}

fn label(name: Option<&str>) -> Vec<Wrong> {
    let plain = |name: &str| {
        let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
        (1..=32).contains(&name.len()) && letters && name != "none"
    };
    if name.is_none_or(plain) { Vec::new() } else { vec![("name", "should be a word of a-z, 0-9, - and _, and not \"none\"")] }
}
