//! What the audit log is told of the steps. What was done is awaited before it is answered; what was refused, or asked for, is
//! noted, so that no answer takes longer for it.

use crate::audit::{Event, Outcome, Thing, What, Who};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::revocation::Subject;
use crate::signin::factor::Means;
use crate::signin::request::AskRefusal;
use crate::signin::verify::GuessRefusal;
use crate::signin::{Channel, SignIn};

/// A code comes back, from somebody who may be anybody.
pub(super) fn entered(seen: &Seen, now: Timestamp) -> Event {
    Event::new(What::CodeEntered, Who::Nobody, now).seen(seen)
}

/// A second factor is shown, by somebody who may be anybody.
pub(super) fn shown(means: Means, seen: &Seen, now: Timestamp) -> Event {
    Event::new(What::SecondFactorShown, Who::Nobody, now).detail(means.as_str()).seen(seen)
}

/// The owner of `account` has done `what`.
pub(super) fn by(account: &AccountId, what: What, seen: &Seen, now: Timestamp) -> Event {
    Event::new(what, Who::Account(account.clone()), now).seen(seen)
}

/// A session of `account` is ended by `who`.
pub(super) fn ended(who: Who, account: &AccountId, seen: &Seen, now: Timestamp) -> Event {
    Event::new(What::SessionEnded, who, now).of(account).seen(seen)
}

/// What a line of the ledger is about.
pub(super) fn thing(subject: &Subject) -> Thing {
    match subject {
        Subject::Token(id) => Thing::Token(id.clone()),
        Subject::Session(id) => Thing::Session(id.clone()),
        Subject::Account(id, _) => Thing::Account(id.clone()),
    }
}

impl SignIn {
    /// A code was asked for, as `told` says. Known or not, it is told in one way.
    pub(super) fn tell_asked<T>(&self, told: Event, asked: &Result<T, AskRefusal>) {
        let outcome = match asked {
            Ok(_) => Outcome::Done,
            Err(AskRefusal::TooSoon(_) | AskRefusal::Limited { .. }) => Outcome::Limited,
            Err(AskRefusal::CountryNotAllowed | AskRefusal::ChannelUnavailable) => Outcome::Refused,
            // Nothing was decided.
            Err(AskRefusal::Outage(_)) => return,
        };
        self.audit.note(told.came_to(outcome));
    }

    /// The code is right: it is `account` who is there.
    pub(super) fn tell_right(&self, account: &AccountId, channel: Channel, seen: &Seen, now: Timestamp) {
        self.audit.note(by(account, What::CodeEntered, seen, now).detail(channel.as_str()));
    }

    /// The code is not right, and why is for the log alone.
    pub(super) fn invalid(&self, outcome: Outcome, told: Event) -> GuessRefusal {
        self.events.otp_verified(None, outcome.as_str());
        self.audit.note(told.came_to(outcome));
        GuessRefusal::Invalid
    }

    /// The same for a second factor.
    pub(super) fn second_invalid(&self, means: Means, outcome: Outcome, told: &Event) -> GuessRefusal {
        self.events.second_factor_verified(means, outcome.as_str());
        self.audit.note(told.clone().came_to(outcome));
        GuessRefusal::Invalid
    }
}
