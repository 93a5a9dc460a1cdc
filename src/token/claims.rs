//! What an access token says (RFC 9068, OpenID Connect Core §5.1 for the names of a person's claims).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{AccountId, SessionId, TokenId};

/// How a person has shown who they are (RFC 8176); how a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amr {
    /// A code by e-mail.
    Email,
    /// A code by SMS.
    Sms,
    /// A code by WhatsApp.
    Whatsapp,
    /// A code of an authenticator app.
    Otp,
    /// A recovery code.
    Recovery,
    /// More than one factor.
    Mfa,
    /// No person: a machine, with an API key. Never in an access token.
    ApiKey,
}

/// How much that was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acr {
    /// Codes to addresses of theirs, however many: one factor.
    OneFactor,
    /// And an authenticator app or a recovery code.
    TwoFactor,
}

/// The claims of an access token. Times are whole seconds since the epoch (`NumericDate`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: `public_url`.
    pub iss: String,
    /// Whom it speaks of.
    pub sub: AccountId,
    /// Who shall believe it.
    pub aud: String,
    /// Issued at.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Not after.
    pub exp: i64,
    /// Its own name.
    pub jti: TokenId,
    /// The session it belongs to.
    pub sid: SessionId,
    /// Always `access`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The e-mail address, canonical.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Has a code sent there come back?
    #[serde(default)]
    pub email_verified: bool,
    /// The phone number, E.164.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone_number: Option<String>,
    /// Has a code sent there come back?
    #[serde(default)]
    pub phone_number_verified: bool,
    /// The user name, fixed when the account was made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preferred_username: Option<String>,
    /// The name to show.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// How they signed in.
    pub amr: Vec<Amr>,
    /// What that was worth.
    pub acr: Acr,
    /// When they signed in.
    pub auth_time: i64,
    /// How often the account had been changed when the token was made: what was made before a change is outdated.
    #[serde(rename = "rev", skip_serializing_if = "is_first", default)]
    pub revision: i64,
    /// The account's custom claims; never one of the names above.
    #[serde(flatten)]
    pub custom: Map<String, Value>,
}

/// The value of `type` in an access token.
pub const ACCESS: &str = "access";

/// Names that a custom claim cannot take: those of RFC 7519, RFC 9068, OpenID Connect and ours.
pub const REGISTERED: [&str; 41] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "rev",
    "type",
    "typ",
    "cnf",
    "act",
    "may_act",
    "scope",
    "client_id",
    "azp",
    "nonce",
    "at_hash",
    "c_hash",
    "auth_time",
    "acr",
    "amr",
    "roles",
    "groups",
    "entitlements",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "preferred_username",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "events",
    "txn",
    "alg",
];

impl Claims {
    /// What a person is called towards an app: the user name, else the address they sign in with.
    pub fn user(&self) -> &str {
        let handle = self.email.as_deref().or(self.phone_number.as_deref());
        self.preferred_username.as_deref().or(handle).unwrap_or(self.sub.as_str())
    }
}

/// A token of an account that was never changed does not mention it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_first(revision: &i64) -> bool {
    *revision == 0
}

/// May a custom claim bear this name? Not one that differs from a registered one by its capitals alone: some readers take them
/// for one.
pub fn may_be_custom(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control) && !REGISTERED.iter().any(|registered| name.eq_ignore_ascii_case(registered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_claim_never_takes_a_registered_name() {
        assert!(may_be_custom("department"));
        for name in ["sub", "exp", "amr", "groups", "", "email_verified", "a\nb", "a\0", "\u{85}"] {
            assert!(!may_be_custom(name), "{name}");
        }
    }
}
