//! Error pages: what happened and what to do, in plain words.

use askama::Template;

use crate::admission::Refusal;
use crate::endpoint::Next;
use crate::endpoint::page::words::Text;
use crate::endpoint::page::{Form, Frame, Pages, Words};
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{No, Reply};

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    frame: Frame<'a>,
    text: &'a Text,
    way: Way,
    next: &'a Next,
    reference: &'a str,
}

/// Which way leads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    SignIn,
    TryAgain,
    None,
}

impl Pages {
    /// The page of a problem; `next` is where the person was going.
    pub(in crate::endpoint) fn message(&self, problem: Problem, words: &'static Words, next: &Next, reference: &str) -> Result<Reply, No> {
        let (text, way) = told(words, problem);
        let page = MessagePage { frame: self.frame(words), text, way, next, reference };
        self.show(problem.status(), words, &page, Form::StaysHere)
    }
}

fn told(words: &'static Words, problem: Problem) -> (&'static Text, Way) {
    match problem {
        Problem::Refused(refusal) => refused(words, refusal),
        Problem::InvalidRefresh | Problem::InvalidCode => (&words.not_signed_in, Way::SignIn),
        Problem::NotFound | Problem::UnknownSubject | Problem::Misdirected => (&words.not_found, Way::None),
        Problem::Unavailable | Problem::NotLogged => (&words.unavailable, Way::TryAgain),
        Problem::UpstreamFailed | Problem::TooManyStreams => (&words.upstream_failed, Way::TryAgain),
        Problem::UpstreamTimeout | Problem::UpstreamBusy => (&words.upstream_timeout, Way::TryAgain),
        Problem::Internal => (&words.internal, Way::TryAgain),
        Problem::InvalidJson
        | Problem::InvalidBody
        | Problem::InvalidAddress
        | Problem::InvalidScope
        | Problem::LastAddress
        | Problem::ChannelUnavailable
        | Problem::CountryNotAllowed
        | Problem::UnsupportedMediaType
        | Problem::BodyTooLarge
        | Problem::AlreadyEnrolled
        | Problem::AlreadyEnabled
        | Problem::InvalidSubject
        | Problem::AddressNeeded
        | Problem::TooManyAttempts
        | Problem::ResendTooSoon
        | Problem::LimitReached
        | Problem::RequestTimeout
        | Problem::ProxyNotTrusted
        // Of the admin API, which has no pages.
        | Problem::InvalidQuery
        | Problem::InvalidCursor
        | Problem::InsufficientScope
        | Problem::Taken
        | Problem::PreconditionFailed
        | Problem::InvalidAccount
        | Problem::AddressRequired
        | Problem::ReservedClaim
        | Problem::InvalidKey
        | Problem::InvalidApp
        | Problem::HeadTooLarge => (&words.bad_request, Way::None),
    }
}

fn refused(words: &'static Words, refusal: Refusal) -> (&'static Text, Way) {
    match refusal {
        Refusal::Unauthenticated | Refusal::InvalidToken | Refusal::SessionEnded => (&words.not_signed_in, Way::SignIn),
        Refusal::TooLongAgo(_) => (&words.too_long_ago, Way::SignIn),
        Refusal::SecondFactorNeeded => (&words.second_factor, Way::SignIn),
        Refusal::Forbidden => (&words.forbidden, Way::SignIn),
        Refusal::CertificateNeeded => (&words.forbidden, Way::None),
        Refusal::NoRoute => (&words.not_found, Way::None),
        Refusal::CrossSite | Refusal::PreflightRefused => (&words.cross_site, Way::None),
        Refusal::AmbiguousPath
        | Refusal::Malformed
        | Refusal::RepeatedCookie
        | Refusal::ConflictingCredentials
        | Refusal::MethodNotAllowed => (&words.bad_request, Way::None),
    }
}
