//! `/auth/account`: what a person sees and changes of their own: devices, authenticator, addresses. Plain forms: each is
//! answered with a redirect to a page that says, by a fixed word in its query, what was done.

mod addresses;
mod authenticator;
mod devices;

use askama::Template;
use http::StatusCode;
use http::header::SET_COOKIE;

use crate::admission::Refusal;
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::page::login::Phones;
use crate::endpoint::page::{Form, Frame, Words};
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::signin::is_of_nobody;
use crate::endpoint::{Endpoints, body};
use crate::signin::{Account, Changed, FactorStatus, Presented, RefreshRefusal};
use crate::token::{Claims, Issued};
use devices::Row;

pub(in crate::endpoint) use authenticator::Change;

/// One page of the account, or one form of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::endpoint) enum Desk {
    Overview,
    EndSessions,
    Authenticator,
    Begin,
    Confirm,
    ChangePage(Change),
    ChangeForm(Change),
    AddressPage(Changed),
    AddressForm(Changed),
    AddressCodePage,
    AddressCodeForm,
    RemoveAddress,
}

/// Who is there, and the tokens that were made in passing, because the access token had run out.
pub(super) struct Entrant {
    pub(super) claims: Claims,
    issued: Option<Issued>,
}

/// Why nobody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Nobody is signed in.
    Nobody,
    /// The session ended a moment ago, and another tab may have one in its place.
    Replaced,
}

/// How often tokens that were made in passing may be outdated at once.
const TRIES: u32 = 3;

/// What was done, as the query of the overview says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Ended,
    OthersEnded,
    Gone,
    TurnedOff,
    AddressSet,
    AddressRemoved,
    LastAddress,
}

impl Done {
    const ALL: [Self; 7] =
        [Self::Ended, Self::OthersEnded, Self::Gone, Self::TurnedOff, Self::AddressSet, Self::AddressRemoved, Self::LastAddress];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::OthersEnded => "others-ended",
            Self::Gone => "gone",
            Self::TurnedOff => "turned-off",
            Self::AddressSet => "address-set",
            Self::AddressRemoved => "address-removed",
            Self::LastAddress => "last-address",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.as_str() == word)
    }

    const fn text(self, words: &Words) -> &'static str {
        match self {
            Self::Ended => words.account.ended,
            Self::OthersEnded => words.account.others_ended,
            Self::Gone => words.account.gone,
            Self::TurnedOff => words.account.turned_off,
            Self::AddressSet => words.account.address_set,
            Self::AddressRemoved => words.account.address_removed,
            Self::LastAddress => words.account.last_address,
        }
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    frame: Frame<'a>,
    who: String,
    done: Option<&'static str>,
    rows: &'a [Row],
    account: &'a Account,
    factor: Option<FactorStatus>,
    phones: Phones,
}

impl Endpoints {
    /// A page of the account. Who is not signed in is sent to sign in, and comes back.
    pub(in crate::endpoint) async fn account(&self, received: &Received<'_>, desk: Desk) -> Result<Reply, No> {
        let entrant = match self.entrant(received).await? {
            Ok(entrant) => entrant,
            Err(absent) => return self.to_sign_in(received, absent),
        };
        let claims = &entrant.claims;
        let reply = match desk {
            Desk::Overview => self.overview(received, claims).await,
            Desk::EndSessions => self.end_sessions(received, claims).await,
            Desk::Authenticator => self.authenticator(received, claims).await,
            Desk::Begin => self.begin_authenticator(received, claims).await,
            Desk::Confirm => self.confirm_authenticator(received, claims).await,
            Desk::ChangePage(change) => self.change_page(received, claims, change).await,
            Desk::ChangeForm(change) => self.change_form(received, claims, change).await,
            Desk::AddressPage(which) => self.address_page(received, claims, which),
            Desk::AddressForm(which) => self.address_form(received, claims, which).await,
            Desk::AddressCodePage => self.address_code_page(received),
            Desk::AddressCodeForm => self.address_code_form(received, claims).await,
            Desk::RemoveAddress => self.remove_own_address(received, claims).await,
        };
        self.with_renewed(reply, &entrant)
    }

    /// Who is signed in, by the cookies of this browser; their session is renewed where its access token has run out.
    ///
    /// # Errors
    /// 503 when it cannot be found out.
    pub(super) async fn entrant(&self, received: &Received<'_>) -> Result<Result<Entrant, Absent>, No> {
        match self.signed_in(received).await {
            Ok(claims) => return Ok(Ok(Entrant { claims, issued: None })),
            Err(no) if !is_of_nobody(&no) => return Err(no),
            Err(_) => {}
        }
        let Some(mut token) = self.cookies.read(&received.head.headers)?.refresh else { return Ok(Err(Absent::Nobody)) };
        // An account that changes at this very moment makes them outdated: those of the next try say what it is then.
        for _ in 0..TRIES {
            let issued = match self.sign_in.refresh(&token, &received.seen(), received.call.now).await {
                Ok(issued) => issued,
                Err(RefreshRefusal::Ended) => return Ok(Err(Absent::Nobody)),
                Err(RefreshRefusal::Replaced) => return Ok(Err(Absent::Replaced)),
                Err(RefreshRefusal::Outage(outage)) => return Err(outage.into()),
            };
            let presented = Presented { access: vec![issued.access.clone()], refresh: None };
            if let Some(claims) = self.sign_in.current(&presented, received.call.now).await? {
                return Ok(Ok(Entrant { claims, issued: Some(issued) }));
            }
            token = issued.refresh;
        }
        Ok(Err(Absent::Replaced))
    }

    /// The cookies of a session that was renewed in passing go with the reply, whatever it says, unless it begins another one.
    pub(super) fn with_renewed(&self, reply: Result<Reply, No>, entrant: &Entrant) -> Result<Reply, No> {
        let Some(issued) = &entrant.issued else { return reply };
        let cookies = self.session_cookies(issued)?;
        match reply {
            Ok(reply) if self.sets_session(&reply) => Ok(reply),
            Ok(reply) => Ok(reply::with_cookies(reply, cookies)),
            Err(no) => Err(cookies.into_iter().fold(no, |no, cookie| no.with(SET_COOKIE, cookie))),
        }
    }

    /// Does a reply set or clear a session's cookies already? That of a challenge is another one.
    fn sets_session(&self, reply: &Reply) -> bool {
        let name = format!("{}=", self.cookies.name(Kind::Refresh));
        reply.headers().get_all(SET_COOKIE).iter().any(|cookie| cookie.as_bytes().starts_with(name.as_bytes()))
    }

    /// To the sign-in page, and back to the page that was asked for; after a form, to the overview.
    fn to_sign_in(&self, received: &Received<'_>, absent: Absent) -> Result<Reply, No> {
        let overview = format!("{}/account", self.table.prefix());
        let next = match received.head.uri.path_and_query() {
            Some(path) if received.is_safe() => self.places.next(path.as_str()),
            Some(_) | None => self.places.next(&overview),
        };
        let reply = reply::see_other(&format!("{}/login?next={}", self.table.prefix(), next.encoded()))?;
        Ok(match absent {
            Absent::Nobody => reply::with_cookies(reply, self.cleared([Kind::Access, Kind::Refresh])),
            Absent::Replaced => reply,
        })
    }

    async fn overview(&self, received: &Received<'_>, claims: &Claims) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let done = Done::parse(&body::field(received.query(), "said").unwrap_or_default()).map(|done| done.text(frame.words));
        let account = self.sign_in.accounts.find(&claims.sub).await?.ok_or(Refusal::SessionEnded)?;
        let factor = self.sign_in.factor_status(&claims.sub).await?;
        let rows = self.rows(claims, frame.words, received.call.now).await?;
        let who = frame.words.signed_in_as.replace("{who}", called(&account, claims));
        let page = AccountPage { frame, who, done, rows: &rows, account: &account, factor, phones: self.phones() };
        self.pages.show(StatusCode::OK, page.frame.words, &page, Form::StaysHere)
    }

    /// Back to the overview, which says what was done.
    fn done(&self, done: Done) -> Result<Reply, No> {
        reply::see_other(&format!("{}/account?said={}", self.table.prefix(), done.as_str()))
    }
}

/// What the person is called now: the token may be older than their address.
fn called<'a>(account: &'a Account, claims: &'a Claims) -> &'a str {
    let handle = account.email.as_deref().or(account.phone.as_deref());
    account.username.as_deref().or(handle).unwrap_or(claims.user())
}
