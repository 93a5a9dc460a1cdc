//! A person's own addresses: added and changed by a code that is sent there, taken away by a button. Each wants a fresh
//! sign-in; who has none is sent to show it, and comes back.

use askama::Template;
use http::StatusCode;

use super::{Done, authenticator};
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::page::complaint::Complaint;
use crate::endpoint::page::login::Phones;
use crate::endpoint::page::step_up::Need;
use crate::endpoint::page::words::{AccountWords, Text};
use crate::endpoint::page::{Form, Frame};
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, body};
use crate::secret::Secret;
use crate::signin::{AddressGuess, AddressRefusal, Ask, Changed, Channel, Handle};
use crate::token::Claims;

#[derive(Template)]
#[template(path = "address.html")]
struct AddressPage<'a> {
    frame: Frame<'a>,
    text: &'static Text,
    label: &'static str,
    page: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    address: &'a str,
    phones: Phones,
    by: &'a str,
    error: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "address_code.html")]
struct CodePage<'a> {
    frame: Frame<'a>,
    digits: usize,
    error: Option<&'a str>,
}

/// What a form said, to be shown again beside what is wrong with it.
#[derive(Default)]
struct Typed {
    address: String,
    by: String,
}

impl Endpoints {
    /// The form for a new address.
    pub(super) fn address_page(&self, received: &Received<'_>, claims: &Claims, which: Changed) -> Result<Reply, No> {
        if !authenticator::is_fresh(claims, received.call.now) {
            return self.better_for(which, Need::Fresh);
        }
        self.show_address(received, which, &Typed::default(), None)
    }

    /// Send a code there, then on to where it is entered.
    pub(super) async fn address_form(&self, received: &Received<'_>, claims: &Claims, which: Changed) -> Result<Reply, No> {
        let [address, by] = body::form(received, ["address", "by"])?;
        let typed = Typed { address, by };
        let phone = self.phones().channel(&typed.by)?;
        let read = match which {
            Changed::Email => Handle::email(&typed.address).map(|handle| (handle, Channel::Email)),
            Changed::Phone => Handle::phone(&typed.address).map(|handle| (handle, phone)),
        };
        let Ok((handle, channel)) = read else { return self.show_address(received, which, &typed, Some(wrong(which))) };
        let ask = Ask { handle, channel, seen: received.seen() };
        match self.sign_in.change_address(claims, ask, received.call.now).await {
            Ok(asked) => {
                let cookie = self.cookie(Kind::Challenge, &asked.challenge_id, asked.expires_in)?;
                let location = format!("{}/account/confirm", self.table.prefix());
                Ok(reply::with_cookies(reply::see_other(&location)?, [cookie]))
            }
            Err(AddressRefusal::Ask(refusal)) => self.show_address(received, which, &typed, Some(Complaint::of_ask(refusal)?)),
            Err(AddressRefusal::NotFresh) => self.better_for(which, Need::Fresh),
            Err(AddressRefusal::SecondFactorNeeded) => self.better_for(which, Need::Factor),
            Err(refusal @ (AddressRefusal::Last | AddressRefusal::Nothing | AddressRefusal::Ended | AddressRefusal::Guess(_))) => {
                Err(refusal.into())
            }
        }
    }

    /// The form for the code.
    pub(super) fn address_code_page(&self, received: &Received<'_>) -> Result<Reply, No> {
        self.show_address_code(received, None)
    }

    /// The code came back: the address is theirs.
    pub(super) async fn address_code_form(&self, received: &Received<'_>, claims: &Claims) -> Result<Reply, No> {
        let [code] = body::form(received, ["code"])?;
        let held = self.cookies.read(&received.head.headers)?.challenge;
        let wrong = if held.is_some() { Complaint::InvalidCode } else { Complaint::NoCode };
        let code = Secret::new(code.chars().filter(|c| !c.is_whitespace()).collect());
        let guess = AddressGuess { code, named: None, held, seen: received.seen() };
        match self.sign_in.confirm_address(claims, &guess, received.call.now).await {
            Ok(()) => {
                let reply = reply::with_cookies(self.done(Done::AddressSet)?, self.cookies.clear(Kind::Challenge));
                self.with_new_tokens(received, reply).await
            }
            Err(AddressRefusal::Guess(refusal)) => self.show_address_code(received, Some(Complaint::of_guess(refusal, wrong)?)),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Take an address away; never the last one.
    pub(super) async fn remove_own_address(&self, received: &Received<'_>, claims: &Claims) -> Result<Reply, No> {
        let [which] = body::form(received, ["which"])?;
        let which = match which.as_str() {
            "email" => Changed::Email,
            "phone" => Changed::Phone,
            _ => return Err(Problem::InvalidBody.into()),
        };
        match self.sign_in.remove_address(claims, which, &received.seen(), received.call.now).await {
            Ok(()) => self.with_new_tokens(received, self.done(Done::AddressRemoved)?).await,
            Err(AddressRefusal::Last) => self.done(Done::LastAddress),
            Err(AddressRefusal::Nothing) => self.done(Done::Gone),
            Err(AddressRefusal::NotFresh) => self.to_step_up(Need::Fresh, &self.onward("")),
            Err(AddressRefusal::SecondFactorNeeded) => self.to_step_up(Need::Factor, &self.onward("")),
            Err(refusal @ (AddressRefusal::Ended | AddressRefusal::Ask(_) | AddressRefusal::Guess(_))) => Err(refusal.into()),
        }
    }

    /// To show who they are, and back to the form.
    fn better_for(&self, which: Changed, need: Need) -> Result<Reply, No> {
        self.to_step_up(need, &self.places.next(&format!("{}/account/{}", self.table.prefix(), page(which))))
    }

    fn show_address(&self, received: &Received<'_>, which: Changed, typed: &Typed, complaint: Option<Complaint>) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let error = complaint.map(|complaint| complaint.text(frame.words));
        let status = complaint.map_or(StatusCode::OK, |complaint| complaint.problem().status());
        let (text, label, kind, autocomplete) = asked(&frame.words.account, which);
        let phones = match which {
            Changed::Email => Phones::default(),
            Changed::Phone => self.phones(),
        };
        let (address, by, page) = (typed.address.as_str(), typed.by.as_str(), page(which));
        let page = AddressPage { frame, text, label, page, kind, autocomplete, address, phones, by, error: error.as_deref() };
        let reply = self.pages.show(status, page.frame.words, &page, Form::StaysHere)?;
        Ok(reply::with_wait(reply, complaint.and_then(Complaint::wait)))
    }

    fn show_address_code(&self, received: &Received<'_>, complaint: Option<Complaint>) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let error = complaint.map(|complaint| complaint.text(frame.words));
        let status = complaint.map_or(StatusCode::OK, |complaint| complaint.problem().status());
        let page = CodePage { frame, digits: self.sign_in.settings.otp.length, error: error.as_deref() };
        let reply = self.pages.show(status, page.frame.words, &page, Form::StaysHere)?;
        Ok(reply::with_wait(reply, complaint.and_then(Complaint::wait)))
    }
}

const fn page(which: Changed) -> &'static str {
    match which {
        Changed::Email => "email",
        Changed::Phone => "phone",
    }
}

const fn wrong(which: Changed) -> Complaint {
    match which {
        Changed::Email => Complaint::InvalidAddress,
        Changed::Phone => Complaint::InvalidPhone,
    }
}

/// What the form says: its text, its label, the kind of its field, and what a browser may fill in.
const fn asked(words: &'static AccountWords, which: Changed) -> (&'static Text, &'static str, &'static str, &'static str) {
    match which {
        Changed::Email => (&words.set_email, words.new_email, "email", "email"),
        Changed::Phone => (&words.set_phone, words.new_phone, "tel", "tel"),
    }
}
