//! SMS and WhatsApp through Twilio's API: `POST /2010-04-01/Accounts/{sid}/Messages.json`,
//! <https://www.twilio.com/docs/messaging/api/message-resource>; for WhatsApp with an approved template,
//! <https://www.twilio.com/docs/content/send-templates-created-with-the-content-template-builder>.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::letters::Letters;
use super::settings::PhoneProvider;
use super::web::{self, Answer, Reach, Web};
use super::{NotSent, Provider, Sending, Wrong, base};
use crate::language::Language;
use crate::secret::Secret;
use crate::signin::{Channel, Message};

const BASE: &str = "https://api.twilio.com";

/// Twilio, as the settings describe it.
#[derive(Debug)]
pub(super) struct Twilio {
    messages: Url,
    user: String,
    password: Secret<String>,
    sender: Sender,
    /// The approved template, for WhatsApp.
    content: Option<Content>,
}

/// An approved template, in one language or several.
#[derive(Debug)]
struct Content {
    usual: String,
    others: HashMap<Language, String>,
}

/// Who a message comes from: the field of the form, and its value.
#[derive(Debug)]
struct Sender {
    field: &'static str,
    value: String,
}

impl Twilio {
    /// What `settings` describe, for this channel.
    ///
    /// # Errors
    /// Every mistake: the field, and a sentence without its value.
    pub(super) fn read(settings: &PhoneProvider, channel: Channel) -> Result<Self, Vec<Wrong>> {
        let base = base(settings.url.as_ref(), BASE);
        let account = sid(settings.account_sid.as_deref(), "AC", ("account_sid", "should be \"AC\" and 32 hexadecimal digits"));
        let login = read_login(settings);
        let sender = read_sender(settings, channel);
        let content = read_content(settings, channel);
        match (base, account, login, sender, content) {
            (Ok(base), Ok(account), Ok((user, password)), Ok(sender), Ok(content)) => {
                let messages = base.join(&format!("2010-04-01/Accounts/{account}/Messages.json"));
                let messages = messages.map_err(|_| vec![("url", "cannot be used")])?;
                Ok(Self { messages, user: user.unwrap_or(account), password, sender, content })
            }
            (base, account, login, sender, content) => {
                let wrong = [base.err(), account.err(), sender.err(), content.err()].into_iter().flatten();
                Err(wrong.chain(login.err().unwrap_or_default()).collect())
            }
        }
    }

    /// What sends through it; `name` is for logs and metrics.
    pub(super) fn sender(self, name: &str, letters: Arc<Letters>) -> Result<TwilioSender, NotSent> {
        Ok(TwilioSender { twilio: self, web: Web::new(Reach::Anywhere)?, name: name.to_owned(), letters })
    }

    /// The form that Twilio reads.
    fn form(&self, message: &Message, letters: &Letters) -> Result<Vec<(&'static str, String)>, NotSent> {
        let to = message.to.expose();
        let (to, what) = match (&self.content, message.code()) {
            (None, _) => (to.to_owned(), vec![("Body", letters.short(message))]),
            (Some(template), Some(code)) => {
                let variables = json!({ "1": code.expose() }).to_string();
                let template = template.others.get(&message.language).unwrap_or(&template.usual).clone();
                (format!("whatsapp:{to}"), vec![("ContentSid", template), ("ContentVariables", variables)])
            }
            (Some(_), None) => return Err(NotSent::Refused("WhatsApp has a template for codes alone".to_owned())),
        };
        Ok([vec![("To", to), (self.sender.field, self.sender.value.clone())], what].concat())
    }
}

fn sid(given: Option<&str>, prefix: &str, wrong: Wrong) -> Result<String, Wrong> {
    let given = given.ok_or((wrong.0, "is missing"))?;
    let digits = given.strip_prefix(prefix).unwrap_or_default();
    let right = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if right { Ok(given.to_owned()) } else { Err(wrong) }
}

/// The user (nobody: the account itself) and the password.
fn read_login(settings: &PhoneProvider) -> Result<(Option<String>, Secret<String>), Vec<Wrong>> {
    let key = settings.api_key_sid.as_deref();
    let key = key.map(|key| sid(Some(key), "SK", ("api_key_sid", "should be \"SK\" and 32 hexadecimal digits"))).transpose();
    let key = key.map_err(|wrong| vec![wrong])?;
    match (settings.auth_token.as_ref(), key, settings.api_key_secret.as_ref()) {
        (Some(token), None, None) if token.expose().is_empty() => Err(vec![("auth_token", "is empty")]),
        (Some(token), None, None) => Ok((None, token.clone())),
        (None, Some(_), Some(secret)) if secret.expose().is_empty() => Err(vec![("api_key_secret", "is empty")]),
        (None, Some(key), Some(secret)) => Ok((Some(key), secret.clone())),
        (None, None, None) => Err(vec![("auth_token", "is missing, or api_key_sid and api_key_secret")]),
        (None, Some(_), None) => Err(vec![("api_key_secret", "is missing for api_key_sid")]),
        (None, None, Some(_)) => Err(vec![("api_key_sid", "is missing for api_key_secret")]),
        (Some(_), ..) => Err(vec![("auth_token", "stands beside an API key; keep one of them")]),
    }
}

fn read_sender(settings: &PhoneProvider, channel: Channel) -> Result<Sender, Wrong> {
    match (settings.from.as_deref(), settings.messaging_service_sid.as_deref()) {
        (Some(_), Some(_)) => Err(("messaging_service_sid", "stands beside from; keep one of them")),
        (None, None) => Err(("from", "is missing, or messaging_service_sid")),
        (None, Some(service)) => {
            let wrong = ("messaging_service_sid", "should be \"MG\" and 32 hexadecimal digits");
            sid(Some(service), "MG", wrong).map(|value| Sender { field: "MessagingServiceSid", value })
        }
        (Some(from), None) => read_from(from, channel).map(|value| Sender { field: "From", value }),
    }
}

fn read_from(from: &str, channel: Channel) -> Result<String, Wrong> {
    let digits = |text: &str, least, most| (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = from.strip_prefix('+').is_some_and(|rest| digits(rest, 8, 15) && !rest.starts_with('0'));
    let name = (1..=11).contains(&from.len()) && from.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ');
    match channel {
        Channel::Whatsapp if number => Ok(format!("whatsapp:{from}")),
        Channel::Whatsapp => Err(("from", "should be a number, as \"+4915112345678\"")),
        Channel::Sms | Channel::Email if number || name => Ok(from.to_owned()),
        Channel::Sms | Channel::Email => Err(("from", "should be a number, as \"+4915112345678\", or a name of up to 11 letters")),
    }
}

fn read_content(settings: &PhoneProvider, channel: Channel) -> Result<Option<Content>, Wrong> {
    match channel {
        Channel::Whatsapp => {
            let wrong = ("content_sid", "should be \"HX\" and 32 hexadecimal digits");
            let usual = sid(settings.content_sid.as_deref(), "HX", wrong)?;
            let others = settings.content_sids.iter().map(|(tag, given)| in_language(tag, given)).collect::<Result<_, _>>()?;
            Ok(Some(Content { usual, others }))
        }
        Channel::Sms | Channel::Email => Ok(None),
    }
}

fn in_language(tag: &str, given: &str) -> Result<(Language, String), Wrong> {
    let language = Language::ALL.into_iter().find(|language| language.tag() == tag);
    let language = language.ok_or(("content_sids", "should be by language: en, de, fr, es, ar"))?;
    Ok((language, sid(Some(given), "HX", ("content_sids", "should each be \"HX\" and 32 hexadecimal digits"))?))
}

/// Sends through Twilio.
pub(super) struct TwilioSender {
    twilio: Twilio,
    web: Web,
    name: String,
    letters: Arc<Letters>,
}

#[async_trait]
impl Provider for TwilioSender {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<(), NotSent> {
        let form = self.twilio.form(sending.message, &self.letters)?;
        let request = self.web.post(&self.twilio.messages).basic_auth(&self.twilio.user, Some(self.twilio.password.expose()));
        let answer = web::ask(request.form(&form)).await?;
        web::judge(answer.status).map_err(|not_sent| explained(not_sent, &answer, sending.message))
    }
}

/// What Twilio says of an error: <https://www.twilio.com/docs/usage/requests-to-twilio>.
#[derive(Deserialize)]
struct Complaint {
    code: u32,
}

/// The number of Twilio's error, which says what 400 does not. It has five digits; one that is the code itself is not told.
fn explained(not_sent: NotSent, answer: &Answer, message: &Message) -> NotSent {
    let complaint = serde_json::from_slice::<Complaint>(&answer.body).ok().filter(|complaint| (10_000..100_000).contains(&complaint.code));
    let told = complaint.filter(|complaint| message.code().is_none_or(|code| *code.expose() != complaint.code.to_string()));
    let Some(Complaint { code }) = told else { return not_sent };
    match not_sent {
        NotSent::Refused(cause) => NotSent::Refused(format!("{cause}, error {code}")),
        NotSent::Later(cause) => NotSent::Later(format!("{cause}, error {code}")),
        NotSent::Silent(cause) => NotSent::Silent(cause),
    }
}
