//! `POST /auth/request-otp` and `/auth/register`: a person asks for a code.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::clock::ceil_secs;
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, body};
use crate::signin::address::NotAnAddress;
use crate::signin::{Ask, AskRefusal, Asked, Channel, Handle};

/// One sentence, whatever becomes of it.
const ON_ITS_WAY: &str = "If this address may sign in here, a code is on its way.";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestBody {
    email: Option<String>,
    phone: Option<String>,
    channel: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterBody {
    email: Option<String>,
    phone: Option<String>,
    channel: Option<String>,
    username: Option<String>,
    name: Option<String>,
}

#[derive(Serialize)]
struct AskedBody<'a> {
    message: &'a str,
    challenge_id: &'a str,
    channel: &'static str,
    expires_in: u64,
    resend_after: u64,
}

impl Endpoints {
    /// Send a code. One answer, whether the address is known or not.
    pub(in crate::endpoint) async fn request_otp(&self, received: &Received<'_>) -> Result<Reply, No> {
        let body: RequestBody = body::json(received)?;
        let (handle, channel) = addressed(body.email.as_deref(), body.phone.as_deref(), body.channel.as_deref())?;
        let ask = Ask { handle, channel, seen: received.seen() };
        let asked = self.sign_in.request(ask, received.call.now).await?;
        self.asked(&asked, ON_ITS_WAY)
    }

    /// Make an account if the address is free, then as `request-otp`. One answer, whether it was free or not.
    pub(in crate::endpoint) async fn register(&self, received: &Received<'_>) -> Result<Reply, No> {
        let body: RegisterBody = body::json(received)?;
        let (handle, channel) = addressed(body.email.as_deref(), body.phone.as_deref(), body.channel.as_deref())?;
        let username = body.username.as_deref().map(username).transpose()?;
        let name = body.name.as_deref().map(name).transpose()?;
        let ask = Ask { handle, channel, seen: received.seen() };
        let asked = self.sign_in.register(ask, username, name, received.call.now).await?;
        self.asked(&asked, ON_ITS_WAY)
    }

    /// The reply to who asked for a code, with a sentence that promises nothing.
    pub(super) fn asked(&self, asked: &Asked, said: &str) -> Result<Reply, No> {
        let development = asked.development_code.as_ref().map(|code| format!("Development: the code is {code}."));
        let body = AskedBody {
            message: development.as_deref().unwrap_or(said),
            challenge_id: asked.challenge_id.expose(),
            channel: asked.channel.as_str(),
            expires_in: ceil_secs(asked.expires_in),
            resend_after: ceil_secs(asked.resend_after),
        };
        let cookie = self.cookie(Kind::Challenge, &asked.challenge_id, asked.expires_in)?;
        Ok(reply::with_cookies(reply::json(StatusCode::OK, &body), [cookie]))
    }
}

/// The one address that a body names.
///
/// # Errors
/// 422 when it names none or two, or one that is no address.
pub(super) fn address(email: Option<&str>, phone: Option<&str>) -> Result<Handle, Problem> {
    match (email, phone) {
        (Some(email), None) => Ok(Handle::email(email)?),
        (None, Some(phone)) => Ok(Handle::phone(phone)?),
        (None, None) | (Some(_), Some(_)) => Err(Problem::InvalidBody),
    }
}

/// The address, and how the code is to be sent there: e-mail to e-mail addresses, SMS or WhatsApp to phones.
pub(super) fn addressed(email: Option<&str>, phone: Option<&str>, channel: Option<&str>) -> Result<(Handle, Channel), Problem> {
    let handle = address(email, phone)?;
    let wanted = channel.map(|word| Channel::parse(word).ok_or(Problem::InvalidBody)).transpose()?;
    match (&handle, wanted) {
        (Handle::Email(_), None | Some(Channel::Email)) => Ok((handle, Channel::Email)),
        (Handle::Phone(_), None | Some(Channel::Sms)) => Ok((handle, Channel::Sms)),
        (Handle::Phone(_), Some(Channel::Whatsapp)) => Ok((handle, Channel::Whatsapp)),
        (Handle::Email(_), Some(Channel::Sms | Channel::Whatsapp)) | (Handle::Phone(_), Some(Channel::Email)) => Err(Problem::InvalidBody),
    }
}

/// A user name: 1 to 64 lower-case letters, digits, `.`, `_` or `-`, the first a letter or digit. It reaches apps as the
/// name of a person, so it never looks like an address, and two of them never differ in case alone.
fn username(text: &str) -> Result<String, Problem> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let first = text.bytes().next().is_some_and(plain);
    let rest = text.bytes().all(|b| plain(b) || matches!(b, b'.' | b'_' | b'-'));
    if first && rest && text.len() <= 64 { Ok(text.to_owned()) } else { Err(Problem::InvalidBody) }
}

/// A name to show: 1 to 128 characters, none of which does something else than show (controls, marks that turn the direction).
fn name(text: &str) -> Result<String, Problem> {
    let trimmed = text.trim();
    let fits = (1..=128).contains(&trimmed.chars().count()) && !trimmed.chars().any(|c| c.is_control() || is_unseen(c));
    if fits { Ok(trimmed.to_owned()) } else { Err(Problem::InvalidBody) }
}

/// What nobody sees, and what turns what stands beside it round.
fn is_unseen(c: char) -> bool {
    matches!(u32::from(c), 0xAD | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180E | 0x200B | 0x200E | 0x200F | 0x2028..=0x202E)
        || matches!(u32::from(c), 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFD | 0xE0000..=0xE0FFF)
}

impl From<NotAnAddress> for Problem {
    fn from(wrong: NotAnAddress) -> Self {
        match wrong {
            NotAnAddress::Email | NotAnAddress::Phone => Self::InvalidAddress,
        }
    }
}

impl From<AskRefusal> for No {
    fn from(refusal: AskRefusal) -> Self {
        match refusal {
            AskRefusal::TooSoon(wait) => Self::after(Problem::ResendTooSoon, wait),
            AskRefusal::Limited { retry_after, .. } => Self::after(Problem::LimitReached, retry_after),
            AskRefusal::ChannelUnavailable => Problem::ChannelUnavailable.into(),
            AskRefusal::CountryNotAllowed => Problem::CountryNotAllowed.into(),
            AskRefusal::Outage(outage) => outage.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_one_address() {
        assert!(
            matches!(addressed(Some("Ada@example.com"), None, None), Ok((Handle::Email(email), Channel::Email)) if email == "ada@example.com")
        );
        assert!(matches!(addressed(None, Some("+49 151 12345678"), Some("whatsapp")), Ok((Handle::Phone(_), Channel::Whatsapp))));
        assert!(matches!(addressed(None, Some("+49 151 12345678"), None), Ok((_, Channel::Sms))));
        let wrong = [
            (None, None, None),
            (Some("a@b.cd"), Some("+4915112345678"), None),
            (Some("a@b.cd"), None, Some("sms")),
            (Some("a@b.cd"), None, Some("pigeon")),
            (Some("a@b.cd"), None, Some("")),
            (Some("a@b.cd"), None, Some("EMAIL")),
            (None, Some("+4915112345678"), Some("email")),
        ];
        for (email, phone, channel) in wrong {
            assert_eq!(addressed(email, phone, channel).unwrap_err(), Problem::InvalidBody, "{email:?} {phone:?} {channel:?}");
        }
        assert_eq!(addressed(Some(""), None, None).unwrap_err(), Problem::InvalidAddress);
        assert_eq!(addressed(None, Some("1"), None).unwrap_err(), Problem::InvalidAddress);
    }

    #[test]
    fn a_user_name_is_no_address_and_has_one_case() {
        for good in ["a", "ada", "ada.lovelace", "7-of_9", &"a".repeat(64)] {
            assert_eq!(username(good).as_deref(), Ok(good));
        }
        for bad in ["", " ", "Ada", "a@b.cd", "+491", ".a", "-a", "_a", "a b", "a,b", "ädä", "a\n", "a\0", &"a".repeat(65)] {
            assert_eq!(username(bad), Err(Problem::InvalidBody), "{bad:?}");
        }
    }

    #[test]
    fn a_name_can_be_seen() {
        assert_eq!(name("  Ada Lövelace ").as_deref(), Ok("Ada Lövelace"));
        // A joiner between letters or pictures belongs to some languages.
        assert!(name("می\u{200c}خواهم").is_ok());
        for bad in ["", " \t", "a\r\nb", "a\0", "Ada\u{202e}nimda", "\u{200b}", "\u{3164}", &"a".repeat(129)] {
            assert_eq!(name(bad), Err(Problem::InvalidBody), "{bad:?}");
        }
    }
}
