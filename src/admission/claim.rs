//! What a rule or a header asks of a token: a claim by its name, as the texts that it holds.
//!
//! Apart, because policy compares them and identity tells them: what the app is told is what the rule has seen.

use serde_json::Value;

use crate::token::claims::{self, Acr, Amr, Claims};

/// A claim of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// `user`: what they are called towards an app: the user name, else the verified address, else the account's id.
    User,
    /// `preferred_username`.
    Username,
    /// `email`, if it is verified.
    Email,
    /// `phone_number`, if it is verified.
    Phone,
    /// `name`.
    Name,
    /// `groups`, each.
    Groups,
    /// `sub`.
    Subject,
    /// `sid`.
    Session,
    /// `acr`.
    Acr,
    /// `amr`, each.
    Amr,
    /// One of the account's own.
    Custom(String),
}

impl Claim {
    /// By its name; `None` when it says nothing of a person.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "user" => Self::User,
            "preferred_username" => Self::Username,
            "email" => Self::Email,
            "phone_number" => Self::Phone,
            "name" => Self::Name,
            "groups" => Self::Groups,
            "sub" => Self::Subject,
            "sid" => Self::Session,
            "acr" => Self::Acr,
            "amr" => Self::Amr,
            custom if claims::may_be_custom(custom) => Self::Custom(custom.to_owned()),
            _ => return None,
        })
    }

    /// Say each text of it that is not empty.
    pub(super) fn each(&self, claims: &Claims, say: &mut dyn FnMut(&str)) {
        let mut some = |text: &str| {
            if !text.is_empty() {
                say(text);
            }
        };
        match self {
            Self::User => some(user(claims)),
            Self::Username => claims.preferred_username.iter().for_each(|text| some(text)),
            Self::Email => email(claims).into_iter().for_each(some),
            Self::Phone => phone(claims).into_iter().for_each(some),
            Self::Name => claims.name.iter().for_each(|text| some(text)),
            Self::Groups => claims.groups.iter().for_each(|text| some(text)),
            Self::Subject => some(claims.sub.as_str()),
            Self::Session => some(claims.sid.as_str()),
            Self::Acr => some(acr(claims.acr)),
            Self::Amr => claims.amr.iter().for_each(|how| some(amr(*how))),
            Self::Custom(name) => claims.custom.get(name).into_iter().for_each(|value| texts(value, &mut some)),
        }
    }

    /// Can it have several texts? Where it can, what separates them is a separator even beside a single one.
    pub(super) fn is_list(&self, claims: &Claims) -> bool {
        match self {
            Self::Groups | Self::Amr => true,
            Self::Custom(name) => claims.custom.get(name).is_some_and(Value::is_array),
            Self::User | Self::Username | Self::Email | Self::Phone | Self::Name | Self::Subject | Self::Session | Self::Acr => false,
        }
    }

    /// Is one of its texts among `wanted`?
    pub(super) fn is_one_of(&self, claims: &Claims, wanted: &[String]) -> bool {
        let mut found = false;
        self.each(claims, &mut |text| found |= wanted.iter().any(|wanted| wanted == text));
        found
    }
}

/// The e-mail address, if a code sent there has come back.
pub(super) fn email(claims: &Claims) -> Option<&str> {
    claims.email.as_deref().filter(|_| claims.email_verified)
}

/// The phone number, if a code sent there has come back.
pub(super) fn phone(claims: &Claims) -> Option<&str> {
    claims.phone_number.as_deref().filter(|_| claims.phone_number_verified)
}

fn user(claims: &Claims) -> &str {
    let address = email(claims).or_else(|| phone(claims)).unwrap_or(claims.sub.as_str());
    claims.preferred_username.as_deref().unwrap_or(address)
}

/// A list says its elements; what is nested deeper has no text.
fn texts(value: &Value, say: &mut dyn FnMut(&str)) {
    match value {
        Value::Array(list) => list.iter().for_each(|element| text(element, say)),
        single => text(single, say),
    }
}

fn text(value: &Value, say: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => say(text),
        Value::Bool(truth) => say(if *truth { "true" } else { "false" }),
        Value::Number(number) => say(&number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {}
    }
}

const fn acr(acr: Acr) -> &'static str {
    match acr {
        Acr::OneFactor => "one_factor",
        Acr::TwoFactor => "two_factor",
    }
}

const fn amr(amr: Amr) -> &'static str {
    match amr {
        Amr::Email => "email",
        Amr::Sms => "sms",
        Amr::Whatsapp => "whatsapp",
        Amr::Otp => "otp",
        Amr::Recovery => "recovery",
        Amr::Mfa => "mfa",
        Amr::ApiKey => "apikey",
    }
}
