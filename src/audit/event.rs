//! One thing that happened, as it is told, and as it is kept.

use std::borrow::Cow;

use crate::client::{Seen, device};
use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId, TokenId};

use super::words::{Outcome, What};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// A person who is signed in, or has just shown who they are.
    Account(AccountId),
    /// A program, by the id of its API key or app.
    Machine(String),
    /// Somebody at the command line of this machine.
    Operator,
    /// A stranger, or the program itself.
    Nobody,
}

/// What it was done to, by an id of ours: never by a word that a stranger chose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Thing {
    /// An account.
    Account(AccountId),
    /// A session.
    Session(SessionId),
    /// An access token, by its `jti`.
    Token(TokenId),
    /// An app, by its id.
    App(String),
    /// An API key, by its id.
    ApiKey(String),
    /// A signing key, by its `kid`.
    SigningKey(String),
    /// A route, by its name.
    Route(String),
    /// Something else that has an id of ours; the first word says what.
    Other(&'static str, String),
}

/// From where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address; empty when nobody called.
    pub address: String,
    /// Its agent in two words, as "Firefox, Linux"; empty when nobody called.
    pub agent: String,
    /// The request's id; empty when there was none.
    pub request_id: String,
}

/// Something that happened. Made in one go: `Event::new(What::ApiKeyCreated, Who::Operator, now).on(Thing::ApiKey(id))`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: Who,
    /// What.
    pub what: What,
    /// To what.
    pub on: Option<Thing>,
    /// Whose account it concerns.
    pub account: Option<AccountId>,
    /// One more word: a channel, a scope, a reason; or several, which say what was changed. Fixed in the program, so that nothing of a
    /// stranger gets in.
    pub detail: Cow<'static, str>,
    /// What came of it.
    pub outcome: Outcome,
    /// From where.
    pub origin: Origin,
    /// How often, where the same was refused again and again.
    pub times: u32,
}

impl Event {
    /// `who` has done `what` at `now`; it concerns their own account, if they have one.
    pub fn new(what: What, who: Who, now: Timestamp) -> Self {
        let account = match &who {
            Who::Account(id) => Some(id.clone()),
            Who::Machine(_) | Who::Operator | Who::Nobody => None,
        };
        Self {
            at: now,
            who,
            what,
            on: None,
            account,
            detail: Cow::Borrowed(""),
            outcome: Outcome::Done,
            origin: Origin::default(),
            times: 1,
        }
    }

    /// To this. If it is an account, that is whom it concerns.
    #[must_use]
    pub fn on(mut self, thing: Thing) -> Self {
        if let Thing::Account(id) = &thing {
            self.account = Some(id.clone());
        }
        self.on = Some(thing);
        self
    }

    /// It concerns this account.
    #[must_use]
    pub fn of(mut self, account: &AccountId) -> Self {
        self.account = Some(account.clone());
        self
    }

    /// With one more word.
    #[must_use]
    pub fn detail(mut self, word: &'static str) -> Self {
        self.detail = Cow::Borrowed(word);
        self
    }

    /// With several words, which say what of it.
    #[must_use]
    pub fn details(mut self, words: &[&'static str]) -> Self {
        self.detail = Cow::Owned(words.join(","));
        self
    }

    /// What came of it, where it was not done.
    #[must_use]
    pub const fn came_to(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// By a request from there.
    #[must_use]
    pub fn seen(mut self, seen: &Seen) -> Self {
        self.origin = Origin::of(seen);
        self
    }

    /// Did it change nothing? Such events may be many.
    pub(super) fn is_idle(&self) -> bool {
        self.outcome != Outcome::Done || (self.who == Who::Nobody && self.account.is_none())
    }
}

impl Origin {
    /// Where a request came from.
    pub fn of(seen: &Seen) -> Self {
        Self {
            address: seen.address.map(|address| address.to_canonical().to_string()).unwrap_or_default(),
            agent: device::words(&seen.agent).to_string(),
            request_id: seen.request_id.clone(),
        }
    }
}

/// A row of the log. Words are texts here: one of a newer program must not stop an older one from reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place: from 1, without gaps.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// `account`, `machine`, `operator`, `nobody`.
    pub who: String,
    /// The id of who it was; empty for an operator and for nobody.
    pub who_id: String,
    /// Whose account it concerns; empty for nobody's.
    pub account: String,
    /// What happened.
    pub what: String,
    /// What sort of thing it was done to; empty for none.
    pub thing: String,
    /// Its id.
    pub thing_id: String,
    /// One more word, or none.
    pub detail: String,
    /// What came of it.
    pub outcome: String,
    /// The client's address, or nothing.
    pub address: String,
    /// Its agent in two words, or nothing.
    pub agent: String,
    /// The request's id, or nothing.
    pub request_id: String,
    /// How often.
    pub times: i64,
    /// The code that binds it to the row before.
    pub mac: String,
}

/// The longest text of a row, in bytes; what is longer was not made by us.
const LONGEST: usize = 128;

impl Record {
    /// `event` at its place; not yet bound to the row before.
    pub(super) fn new(number: i64, event: &Event) -> Self {
        let (who, who_id) = match &event.who {
            Who::Account(id) => ("account", id.as_str()),
            Who::Machine(id) => ("machine", id.as_str()),
            Who::Operator => ("operator", ""),
            Who::Nobody => ("nobody", ""),
        };
        let (thing, thing_id) = event.on.as_ref().map_or(("", ""), Thing::words);
        Self {
            number,
            at: event.at,
            who: who.to_owned(),
            who_id: plain(who_id),
            account: plain(event.account.as_ref().map_or("", AccountId::as_str)),
            what: event.what.as_str().to_owned(),
            thing: plain(thing),
            thing_id: plain(thing_id),
            detail: plain(&event.detail),
            outcome: event.outcome.as_str().to_owned(),
            address: plain(&event.origin.address),
            agent: plain(&event.origin.agent),
            request_id: plain(&event.origin.request_id),
            times: i64::from(event.times),
            mac: String::new(),
        }
    }
}

impl Thing {
    /// Its sort, and its id.
    fn words(&self) -> (&str, &str) {
        match self {
            Self::Account(id) => ("account", id.as_str()),
            Self::Session(id) => ("session", id.as_str()),
            Self::Token(id) => ("token", id.as_str()),
            Self::App(id) => ("app", id),
            Self::ApiKey(id) => ("api_key", id),
            Self::SigningKey(id) => ("signing_key", id),
            Self::Route(name) => ("route", name),
            Self::Other(sort, id) => (sort, id),
        }
    }
}

/// A text that every database gives back as it was: without control characters, and not too long.
fn plain(text: &str) -> String {
    let cut = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
    cut.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_concerns_whom_it_is_done_to() {
        let now = Timestamp::default();
        let (ada, grace) = (AccountId::new("ada"), AccountId::new("grace"));
        let own = Event::new(What::SessionBegun, Who::Account(ada.clone()), now).on(Thing::Session(SessionId::new("s")));
        assert_eq!(own.account, Some(ada.clone()));
        let others = Event::new(What::AccountDisabled, Who::Operator, now).on(Thing::Account(grace.clone()));
        assert_eq!(others.account, Some(grace));
        assert_eq!(Event::new(What::SessionEnded, Who::Operator, now).of(&ada).account, Some(ada));
    }

    #[test]
    fn texts_are_plain_and_short() {
        assert_eq!(plain("a\0b\r\nc"), "abc");
        assert_eq!(plain(&"ü".repeat(100)).len(), LONGEST);
    }
}
