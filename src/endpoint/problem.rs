//! The one place where an error becomes words: status, code, title and sentence (RFC 9457). `docs/errors.md` lists them.

use http::StatusCode;
use serde::{Serialize, Serializer};

use crate::admission::Refusal;
use crate::config::Mistake;

/// What we say when we do not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// A decision of the path that proxied requests take; our own endpoints share some of them.
    Refused(Refusal),
    /// The body is no JSON.
    InvalidJson,
    /// The body has another shape than the endpoint takes.
    InvalidBody,
    /// Neither an e-mail address nor a phone number.
    InvalidAddress,
    /// `scope` is none of `local`, `others`, `global`.
    InvalidScope,
    /// There would be no verified address left to sign in with.
    LastAddress,
    /// Codes are not sent this way here.
    ChannelUnavailable,
    /// Nothing is sent to this number: its country is not served, or it cannot exist.
    CountryNotAllowed,
    /// Another content type than the endpoint takes.
    UnsupportedMediaType,
    /// The body is over 16 KiB.
    BodyTooLarge,
    /// Nothing of ours is there.
    NotFound,
    /// Unknown account, nothing pending, wrong, expired or spent: one answer.
    InvalidCode,
    /// The account has an authenticator that counts.
    AlreadyEnrolled,
    /// The query is not one that this endpoint takes.
    InvalidQuery,
    /// A cursor that is not ours, or of another listing.
    InvalidCursor,
    /// An API key that is good, but not for this.
    InsufficientScope,
    /// Something that must be unique belongs to somebody else.
    Taken,
    /// What was to be changed is not what was read.
    PreconditionFailed,
    /// An account that cannot be kept like this.
    InvalidAccount,
    /// Neither address nor number would be left of an account.
    AddressRequired,
    /// A custom claim with the name of a registered one.
    ReservedClaim,
    /// An API key that cannot be made like this.
    InvalidKey,
    /// An app that cannot be registered like this.
    InvalidApp,
    /// The authenticator of an app's subject counts already.
    AlreadyEnabled,
    /// An app has no such subject, or the subject no authenticator.
    UnknownSubject,
    /// Not what an app may call somebody.
    InvalidSubject,
    /// No address is known of an app's subject.
    AddressNeeded,
    /// No attempt is left.
    TooManyAttempts,
    /// The address was asked for a moment ago.
    ResendTooSoon,
    /// A limit per address or network is used up.
    LimitReached,
    /// The refresh token is missing, or not good any more.
    InvalidRefresh,
    /// Something that a decision needs could not be asked.
    Unavailable,
    /// What was asked is done, and is not in the audit log yet.
    NotLogged,
    /// The app has as many requests as it may have at once.
    UpstreamBusy,
    /// The app could not be reached, or broke off.
    UpstreamFailed,
    /// The app did not answer in time.
    UpstreamTimeout,
    /// As many streams are open as may be.
    TooManyStreams,
    /// The head of the request took too long.
    RequestTimeout,
    /// The head of the request is too large.
    HeadTooLarge,
    /// A proxy asks whether a request may pass, and is not in `forward_auth.trusted_proxies`.
    ProxyNotTrusted,
    /// The admin listener was asked under a name that is not its own, or a TLS connection for a host that it was not made for.
    Misdirected,
    /// A mistake of ours.
    Internal,
}

/// The body of `application/problem+json`.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    title: &'static str,
    status: u16,
    detail: &'static str,
    code: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_url: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Mistake]>::is_empty")]
    errors: &'a [Mistake],
}

/// A code as a URI (RFC 9457 §3.1.1).
#[derive(Debug)]
struct Kind(&'static str);

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("urn:doorward:error:{}", self.0))
    }
}

impl Problem {
    /// All of them, in the order of `docs/errors.md`. Those of [`Refusal`] that differ only in a number stand once.
    pub const ALL: [Self; 56] = [
        Self::Refused(Refusal::Malformed),
        Self::Refused(Refusal::AmbiguousPath),
        Self::Refused(Refusal::RepeatedCookie),
        Self::Refused(Refusal::ConflictingCredentials),
        Self::InvalidJson,
        Self::InvalidCursor,
        Self::Refused(Refusal::Unauthenticated),
        Self::Refused(Refusal::InvalidToken),
        Self::Refused(Refusal::SessionEnded),
        Self::Refused(Refusal::SecondFactorNeeded),
        Self::Refused(Refusal::TooLongAgo(0)),
        Self::InvalidCode,
        Self::InvalidRefresh,
        Self::Refused(Refusal::Forbidden),
        Self::Refused(Refusal::CertificateNeeded),
        Self::Refused(Refusal::CrossSite),
        Self::Refused(Refusal::PreflightRefused),
        Self::ProxyNotTrusted,
        Self::InsufficientScope,
        Self::Refused(Refusal::NoRoute),
        Self::NotFound,
        Self::UnknownSubject,
        Self::Refused(Refusal::MethodNotAllowed),
        Self::RequestTimeout,
        Self::LastAddress,
        Self::AlreadyEnrolled,
        Self::Taken,
        Self::AlreadyEnabled,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::Misdirected,
        Self::InvalidBody,
        Self::InvalidAddress,
        Self::InvalidScope,
        Self::InvalidSubject,
        Self::AddressNeeded,
        Self::ChannelUnavailable,
        Self::CountryNotAllowed,
        Self::InvalidQuery,
        Self::InvalidAccount,
        Self::AddressRequired,
        Self::ReservedClaim,
        Self::InvalidKey,
        Self::InvalidApp,
        Self::TooManyAttempts,
        Self::ResendTooSoon,
        Self::LimitReached,
        Self::HeadTooLarge,
        Self::Internal,
        Self::UpstreamFailed,
        Self::Unavailable,
        Self::NotLogged,
        Self::TooManyStreams,
        Self::UpstreamBusy,
        Self::UpstreamTimeout,
    ];

    /// The stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::InvalidJson => "invalid_json",
            Self::InvalidBody => "invalid_body",
            Self::InvalidAddress => "invalid_address",
            Self::InvalidScope => "invalid_scope",
            Self::LastAddress => "last_address",
            Self::ChannelUnavailable => "channel_unavailable",
            Self::CountryNotAllowed => "country_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::BodyTooLarge => "body_too_large",
            Self::NotFound => "not_found",
            Self::InvalidCode => "invalid_code",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::InvalidQuery => "invalid_query",
            Self::InvalidCursor => "invalid_cursor",
            Self::InsufficientScope => "insufficient_scope",
            Self::Taken => "taken",
            Self::PreconditionFailed => "precondition_failed",
            Self::InvalidAccount => "invalid_account",
            Self::AddressRequired => "address_required",
            Self::ReservedClaim => "reserved_claim",
            Self::InvalidKey => "invalid_api_key",
            Self::InvalidApp => "invalid_app",
            Self::AlreadyEnabled => "already_enabled",
            Self::UnknownSubject => "unknown_subject",
            Self::InvalidSubject => "invalid_subject",
            Self::AddressNeeded => "address_needed",
            Self::TooManyAttempts => "too_many_attempts",
            Self::ResendTooSoon => "resend_too_soon",
            Self::LimitReached => "limit_reached",
            Self::InvalidRefresh => "invalid_refresh",
            Self::Unavailable => "unavailable",
            Self::NotLogged => "not_logged",
            Self::UpstreamBusy => "upstream_busy",
            Self::UpstreamFailed => "upstream_failed",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::TooManyStreams => "too_many_streams",
            Self::RequestTimeout => "request_timeout",
            Self::HeadTooLarge => "head_too_large",
            Self::ProxyNotTrusted => "proxy_not_trusted",
            Self::Misdirected => "misdirected",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Refused(refusal) => StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Self::InvalidJson | Self::InvalidCursor => StatusCode::BAD_REQUEST,
            Self::InvalidBody
            | Self::InvalidAddress
            | Self::InvalidScope
            | Self::ChannelUnavailable
            | Self::CountryNotAllowed
            | Self::InvalidQuery
            | Self::InvalidAccount
            | Self::AddressRequired
            | Self::ReservedClaim
            | Self::InvalidSubject
            | Self::AddressNeeded
            | Self::InvalidKey
            | Self::InvalidApp => StatusCode::UNPROCESSABLE_ENTITY,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound | Self::UnknownSubject => StatusCode::NOT_FOUND,
            Self::InvalidCode | Self::InvalidRefresh => StatusCode::UNAUTHORIZED,
            Self::LastAddress | Self::AlreadyEnrolled | Self::AlreadyEnabled | Self::Taken => StatusCode::CONFLICT,
            Self::TooManyAttempts | Self::ResendTooSoon | Self::LimitReached => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable | Self::NotLogged | Self::TooManyStreams | Self::UpstreamBusy => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamFailed => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::ProxyNotTrusted | Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A few words that are the same each time.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refused_title(refusal),
            Self::InvalidJson => "Not JSON",
            Self::InvalidBody => "Invalid body",
            Self::InvalidAddress => "Invalid address",
            Self::InvalidScope => "Invalid scope",
            Self::LastAddress => "Last address",
            Self::ChannelUnavailable => "Channel unavailable",
            Self::CountryNotAllowed => "Number not served",
            Self::UnsupportedMediaType => "Unsupported content type",
            Self::BodyTooLarge => "Body too large",
            Self::NotFound => "Not found",
            Self::InvalidCode => "Invalid code",
            Self::AlreadyEnrolled => "Already enrolled",
            Self::InvalidQuery => "Invalid query",
            Self::InvalidCursor => "Invalid cursor",
            Self::InsufficientScope => "Scope too small",
            Self::Taken => "Taken",
            Self::PreconditionFailed => "Changed meanwhile",
            Self::InvalidAccount => "Invalid account",
            Self::AddressRequired => "Address required",
            Self::ReservedClaim => "Reserved claim",
            Self::InvalidKey => "Invalid API key",
            Self::InvalidApp => "Invalid app",
            Self::AlreadyEnabled => "Already enabled",
            Self::UnknownSubject => "Unknown subject",
            Self::InvalidSubject => "Invalid subject",
            Self::AddressNeeded => "Address needed",
            Self::TooManyAttempts => "Too many attempts",
            Self::ResendTooSoon => "Asked too soon",
            Self::LimitReached => "Limit reached",
            Self::InvalidRefresh => "Session not renewable",
            Self::Unavailable => "Temporarily unavailable",
            Self::NotLogged => "Not in the audit log yet",
            Self::UpstreamBusy => "App busy",
            Self::UpstreamFailed => "App not reachable",
            Self::UpstreamTimeout => "App too slow",
            Self::TooManyStreams => "Too many streams",
            Self::RequestTimeout => "Request too slow",
            Self::HeadTooLarge => "Request head too large",
            Self::ProxyNotTrusted => "Proxy not trusted",
            Self::Misdirected => "Misdirected request",
            Self::Internal => "Internal error",
        }
    }

    /// A sentence for who asked. It says nothing of internals.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refused_detail(refusal),
            Self::InvalidJson => "The body is not well-formed JSON.",
            Self::InvalidBody => "The body must have exactly the members that this endpoint takes, each once and of the right type.",
            Self::InvalidAddress => {
                "This is neither an e-mail address (its domain in ASCII, as xn--...) nor a phone number in international form."
            }
            Self::LastAddress => "This is the last address from which a code has come back. Add another one first.",
            Self::InvalidScope => "The scope must be local, others or global.",
            Self::ChannelUnavailable => "Codes cannot be sent this way here.",
            Self::CountryNotAllowed => "No codes are sent to this number: its country is not served here, or there is no such number.",
            Self::UnsupportedMediaType => "This endpoint takes another content type; the JSON endpoints take application/json.",
            Self::BodyTooLarge => "The body is larger than what is taken here.",
            Self::NotFound => "There is nothing at this address.",
            Self::InvalidCode => "The code is wrong, has expired or has been used. Ask for a new one.",
            Self::AlreadyEnrolled => "This account has an authenticator already. Take that one away first.",
            Self::InvalidQuery => {
                "The query must have only the fields that this endpoint takes, each once and with a value that it can have."
            }
            Self::InvalidCursor => "The cursor is not one of this listing. Begin again without one.",
            Self::InsufficientScope => "The API key has not the scope that this needs.",
            Self::Taken => "This name or address belongs to another one already.",
            Self::PreconditionFailed => "It is not what If-Match says any more. Read it again.",
            Self::AddressRequired => "An account keeps an e-mail address or a phone number, or nobody could sign in with it.",
            Self::InvalidAccount => {
                "An account has an address; user names and groups (at most 64, each once) are 1 to 64 letters, digits, '.', '-' and '_'; a \
                 name is one line of at most 128 characters; custom claims and groups are at most 2 KiB of JSON; only an address that is there is verified."
            }
            Self::ReservedClaim => {
                "A custom claim cannot have the name of a registered one, nor one of more than 64 characters or with a control character in it."
            }
            Self::InvalidKey => {
                "A key has a name and groups of 1 to 64 letters, digits, '.', '-' and '_', 1 to 32 scopes (read, admin, app:NAME, \
                 route:NAME, route:NAME:GET,HEAD), and a life of a second to ten years."
            }
            Self::AlreadyEnabled => "The authenticator of this subject is enabled already. Disable or recover it first.",
            Self::UnknownSubject => "This app has no such subject, or the subject has no authenticator.",
            Self::InvalidSubject => "A subject is 1 to 256 characters, none of them a control character.",
            Self::AddressNeeded => "No address of this subject is known here for this channel. Say in \"to\" where the code is to go.",
            Self::InvalidApp => {
                "An app has a name of 1 to 60 lower-case letters, digits, '.', '_' and '-', an owner of one line, and a route that could stand \
                 in the configuration beside the others."
            }
            Self::TooManyAttempts => "Too many codes were tried. Wait as long as Retry-After says.",
            Self::ResendTooSoon => "A code was asked for a moment ago. Wait as long as Retry-After says.",
            Self::LimitReached => "Too many requests. Wait as long as Retry-After says.",
            Self::InvalidRefresh => "The session has ended or cannot be renewed. Sign in again.",
            Self::Unavailable => "This cannot be decided at the moment. Try again shortly.",
            Self::NotLogged => "It is done, and could not be written to the audit log yet. Look at what is there before asking again.",
            Self::UpstreamBusy => "The app behind this address has as many requests as it may have at once. Try again shortly.",
            Self::UpstreamFailed => "The app behind this address could not be reached or broke off its answer.",
            Self::UpstreamTimeout => "The app behind this address did not answer in time.",
            Self::TooManyStreams => "As many streams are open here as may be. Wait as long as Retry-After says.",
            Self::RequestTimeout => "The request took too long to arrive.",
            Self::HeadTooLarge => "The head of the request is larger than 32 KiB or has more than 100 fields.",
            Self::ProxyNotTrusted => "This address may not ask on behalf of others.",
            Self::Misdirected => "This connection is not for this host name. A new one may be.",
            Self::Internal => "Something went wrong here. The request id helps the operator to find out what.",
        }
    }

    /// The body of the reply, as JSON.
    pub fn body<'a>(self, request_id: &'a str, login_url: Option<&'a str>) -> Body<'a> {
        Body {
            kind: Kind(self.code()),
            title: self.title(),
            status: self.status().as_u16(),
            detail: self.detail(),
            code: self.code(),
            request_id,
            login_url,
            errors: &[],
        }
    }

    /// The same, with every mistake that was found, each with its key: for an operator, who wrote them.
    pub fn body_with<'a>(self, request_id: &'a str, errors: &'a [Mistake]) -> Body<'a> {
        Body { errors, ..self.body(request_id, None) }
    }
}

const fn refused_title(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoRoute => "No such site",
        Refusal::AmbiguousPath => "Ambiguous path",
        Refusal::Malformed => "Bad request",
        Refusal::RepeatedCookie => "Repeated cookie",
        Refusal::ConflictingCredentials => "Conflicting credentials",
        Refusal::Unauthenticated => "Not signed in",
        Refusal::InvalidToken => "Invalid token",
        Refusal::SessionEnded => "Session ended",
        Refusal::SecondFactorNeeded => "Second factor needed",
        Refusal::TooLongAgo(_) => "Recent sign-in needed",
        Refusal::Forbidden => "Not allowed",
        Refusal::CertificateNeeded => "Client certificate needed",
        Refusal::CrossSite => "Cross-site request",
        Refusal::MethodNotAllowed => "Method not allowed",
        Refusal::PreflightRefused => "Preflight refused",
    }
}

const fn refused_detail(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoRoute => "No app answers at this host and path.",
        Refusal::AmbiguousPath => {
            "The path can be read in more than one way. Write it without dot segments, doubled slashes or encoded separators."
        }
        Refusal::Malformed => "The request is malformed.",
        Refusal::RepeatedCookie => "A cookie of the gateway is there twice. Delete the cookies of this site and sign in again.",
        Refusal::ConflictingCredentials => "The credentials of this request name different sessions.",
        Refusal::Unauthenticated => "Sign in to go on.",
        Refusal::InvalidToken => "The token is not valid or has expired.",
        Refusal::SessionEnded => "This session has ended. Sign in again.",
        Refusal::SecondFactorNeeded => "This needs a sign-in with a second factor.",
        Refusal::TooLongAgo(_) => "This needs a more recent sign-in. Sign in again.",
        Refusal::Forbidden => "This account may not go here.",
        Refusal::CertificateNeeded => "This site asks for a client certificate, and none that it accepts was shown.",
        Refusal::CrossSite => "This request comes from another site and was not carried out.",
        Refusal::MethodNotAllowed => "This method is not allowed here.",
        Refusal::PreflightRefused => "Preflight requests are not answered here.",
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of the table in `docs/errors.md`.
    fn line(it: Problem) -> String {
        format!("| {} | `{}` | {} | {} |", it.status().as_u16(), it.code(), it.title(), it.detail())
    }

    #[test]
    fn the_document_lists_every_problem() {
        let document = include_str!("../../docs/errors.md");
        let listed: Vec<&str> = document.lines().filter(|line| line.contains(" | `")).collect();
        let expected = Problem::ALL.map(line);
        assert_eq!(listed, expected, "docs/errors.md should hold:\n{}", expected.join("\n"));
    }

    #[test]
    fn problems_are_listed_once_and_in_order_of_status() {
        let mut keys: Vec<_> = Problem::ALL.iter().map(|it| (it.status().as_u16(), it.code(), it.title())).collect();
        assert!(keys.is_sorted_by_key(|key| key.0));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), Problem::ALL.len());
    }

    #[test]
    fn a_body_has_the_members_of_the_contract() {
        let body = serde_json::to_value(Problem::InvalidCode.body("r1", None)).unwrap();
        let expected = serde_json::json!({
            "type": "urn:doorward:error:invalid_code", "title": "Invalid code", "status": 401, "code": "invalid_code", "request_id": "r1",
            "detail": "The code is wrong, has expired or has been used. Ask for a new one.",
        });
        assert_eq!(body, expected);
    }
}
