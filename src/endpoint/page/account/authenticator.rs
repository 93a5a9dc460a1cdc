//! A person's authenticator app: set up by a picture and a code, taken away, its recovery codes made anew. Each step wants a
//! fresh sign-in; who has none is sent to show it, and comes back.

use askama::Template;
use http::StatusCode;

use super::Done;
use crate::clock::Timestamp;
use crate::endpoint::call::Received;
use crate::endpoint::page::complaint::Complaint;
use crate::endpoint::page::step_up::Need;
use crate::endpoint::page::words::Text;
use crate::endpoint::page::{Form, Frame};
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, Next, body};
use crate::secret::Secret;
use crate::signin::{Enrolment, FRESH, FactorRefusal, Means, Proof};
use crate::token::Claims;

/// Characters between two spaces of a secret that is typed by hand.
const GROUP: usize = 4;

#[derive(Template)]
#[template(path = "app_begin.html")]
struct BeginPage<'a> {
    frame: Frame<'a>,
    next: &'a Next,
}

#[derive(Template)]
#[template(path = "app_scan.html")]
struct ScanPage<'a> {
    frame: Frame<'a>,
    next: &'a Next,
    picture: &'a str,
    url: &'a str,
    key: String,
    recovery: bool,
    error: Option<&'a str>,
}

/// Takes the authenticator away, or makes recovery codes anew: both want a code as proof.
#[derive(Template)]
#[template(path = "app_prove.html")]
struct ProvePage<'a> {
    frame: Frame<'a>,
    text: &'static Text,
    action: &'static str,
    button: &'static str,
    grave: bool,
    error: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "app_codes.html")]
struct CodesPage<'a> {
    frame: Frame<'a>,
    codes: Vec<&'a str>,
    onward: String,
}

/// What a code is the proof for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::endpoint) enum Change {
    Remove,
    Renew,
}

impl Endpoints {
    /// Where the authenticator stands: not set up, waiting for its first code, or in use.
    pub(super) async fn authenticator(&self, received: &Received<'_>, claims: &Claims) -> Result<Reply, No> {
        let next = self.onward(&body::field(received.query(), "next").unwrap_or_default());
        if self.sign_in.factor_status(&claims.sub).await?.is_some() {
            return self.prove_page(received, claims, Change::Remove);
        }
        match self.sign_in.enrolment(claims, received.call.now).await {
            Ok(Some(enrolment)) => self.show_scan(received, &enrolment, &next, None),
            Ok(None) => {
                let page = BeginPage { frame: self.pages.frame_for(received), next: &next };
                self.pages.show(StatusCode::OK, page.frame.words, &page, Form::StaysHere)
            }
            Err(refusal) => self.not_changed(refusal, &next),
        }
    }

    /// Draw a new secret; the page shows it.
    pub(super) async fn begin_authenticator(&self, received: &Received<'_>, claims: &Claims) -> Result<Reply, No> {
        let [next] = body::form(received, ["next"])?;
        let next = self.onward(&next);
        match self.sign_in.enrol(claims, &received.seen(), received.call.now).await {
            Ok(_) | Err(FactorRefusal::AlreadyEnrolled) => reply::see_other(&self.authenticator_at(&next)),
            Err(refusal) => self.not_changed(refusal, &next),
        }
    }

    /// The first code of the app: from now on it counts. The recovery codes are shown, this once.
    pub(super) async fn confirm_authenticator(&self, received: &Received<'_>, claims: &Claims) -> Result<Reply, No> {
        let [code, next] = body::form(received, ["code", "next"])?;
        let (next, code) = (self.onward(&next), Secret::new(code));
        let refusal = match self.sign_in.confirm(claims, &code, &received.seen(), received.call.now).await {
            Ok(confirmed) => {
                let cookies = self.session_cookies(&confirmed.issued)?;
                return Ok(reply::with_cookies(self.show_codes(received, &confirmed.recovery_codes, &next)?, cookies));
            }
            Err(FactorRefusal::Guess(refusal)) => refusal,
            Err(FactorRefusal::AlreadyEnrolled) => return reply::see_other(&self.authenticator_at(&next)),
            Err(refusal) => return self.not_changed(refusal, &next),
        };
        let complaint = Complaint::of_guess(refusal, Complaint::InvalidTotp)?;
        match self.sign_in.enrolment(claims, received.call.now).await? {
            Some(enrolment) => self.show_scan(received, &enrolment, &next, Some(complaint)),
            None => reply::see_other(&self.authenticator_at(&next)),
        }
    }

    /// The form that asks for the proof; who has nothing to change goes to where it is set up.
    pub(super) async fn change_page(&self, received: &Received<'_>, claims: &Claims, change: Change) -> Result<Reply, No> {
        match self.sign_in.factor_status(&claims.sub).await? {
            Some(_) => self.prove_page(received, claims, change),
            None => reply::see_other(&self.authenticator_at(&self.onward(""))),
        }
    }

    /// Take the authenticator away, or make new recovery codes.
    pub(super) async fn change_form(&self, received: &Received<'_>, claims: &Claims, change: Change) -> Result<Reply, No> {
        let [code] = body::form(received, ["code"])?;
        let code = Secret::new(code);
        let proof = Proof { means: Means::of(&code), code, seen: received.seen() };
        let now = received.call.now;
        let refusal = match change {
            Change::Remove => match self.sign_in.disable(claims, &proof, now).await {
                Ok(issued) => return Ok(reply::with_cookies(self.done(Done::TurnedOff)?, self.session_cookies(&issued)?)),
                Err(refusal) => refusal,
            },
            Change::Renew => match self.sign_in.renew_recovery(claims, &proof, now).await {
                Ok(codes) => return self.show_codes(received, &codes, &self.onward("")),
                Err(refusal) => refusal,
            },
        };
        match refusal {
            FactorRefusal::Guess(refusal) => {
                let complaint = Complaint::of_guess(refusal, Complaint::wrong(proof.means))?;
                self.show_proof(received, change, Some(complaint))
            }
            FactorRefusal::NotFresh => self.to_step_up(Need::Fresh, &self.place_of(change)),
            FactorRefusal::AlreadyEnrolled | FactorRefusal::Ended => Err(refusal.into()),
        }
    }

    fn prove_page(&self, received: &Received<'_>, claims: &Claims, change: Change) -> Result<Reply, No> {
        if is_fresh(claims, received.call.now) {
            self.show_proof(received, change, None)
        } else {
            self.to_step_up(Need::Fresh, &self.place_of(change))
        }
    }

    fn show_proof(&self, received: &Received<'_>, change: Change, complaint: Option<Complaint>) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let error = complaint.map(|complaint| complaint.text(frame.words));
        let status = complaint.map_or(StatusCode::OK, |complaint| complaint.problem().status());
        let words = &frame.words.account;
        let (text, action, button, grave) = match change {
            Change::Remove => (&words.turn_off, "authenticator/remove", words.turn_off_button, true),
            Change::Renew => (&words.renew, "recovery-codes", words.renew_button, false),
        };
        let page = ProvePage { frame, text, action, button, grave, error: error.as_deref() };
        let reply = self.pages.show(status, page.frame.words, &page, Form::StaysHere)?;
        Ok(reply::with_wait(reply, complaint.and_then(Complaint::wait)))
    }

    fn show_scan(&self, received: &Received<'_>, told: &Enrolment, next: &Next, complaint: Option<Complaint>) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let error = complaint.map(|complaint| complaint.text(frame.words));
        let status = complaint.map_or(StatusCode::OK, |complaint| complaint.problem().status());
        let (picture, url, key) = (told.qr_svg.expose(), told.otpauth_url.expose(), grouped(told.secret.expose()));
        let page = ScanPage { frame, next, picture, url, key, recovery: false, error: error.as_deref() };
        let reply = self.pages.show(status, page.frame.words, &page, Form::StaysHere)?;
        Ok(reply::with_wait(reply, complaint.and_then(Complaint::wait)))
    }

    fn show_codes(&self, received: &Received<'_>, codes: &[Secret<String>], next: &Next) -> Result<Reply, No> {
        let codes = codes.iter().map(|code| code.expose().as_str()).collect();
        let page = CodesPage { frame: self.pages.frame_for(received), codes, onward: next.location().to_owned() };
        self.pages.show(StatusCode::OK, page.frame.words, &page, Form::StaysHere)
    }

    /// What is no wrong code: the sign-in is not fresh, or over.
    fn not_changed(&self, refusal: FactorRefusal, next: &Next) -> Result<Reply, No> {
        match refusal {
            FactorRefusal::NotFresh => self.to_step_up(Need::Fresh, &self.places.next(&self.authenticator_at(next))),
            FactorRefusal::Ended | FactorRefusal::AlreadyEnrolled | FactorRefusal::Guess(_) => Err(refusal.into()),
        }
    }

    /// The page of the authenticator, on the way to `next`.
    fn authenticator_at(&self, next: &Next) -> String {
        format!("{}/account/authenticator?next={}", self.table.prefix(), next.encoded())
    }

    fn place_of(&self, change: Change) -> Next {
        let page = match change {
            Change::Remove => "authenticator",
            Change::Renew => "recovery-codes",
        };
        self.places.next(&format!("{}/account/{page}", self.table.prefix()))
    }

    /// Where the person goes afterwards: back to what sent them here, else to the overview.
    pub(super) fn onward(&self, next: &str) -> Next {
        if next.is_empty() { self.places.next(&format!("{}/account", self.table.prefix())) } else { self.places.next(next) }
    }
}

/// Did the person show who they are a moment ago?
pub(super) fn is_fresh(claims: &Claims, now: Timestamp) -> bool {
    now.since(Timestamp::from_secs(claims.auth_time)) <= FRESH
}

/// In groups, with spaces between.
fn grouped(secret: &str) -> String {
    let mut text = String::with_capacity(secret.len() * 5 / 4);
    for (place, c) in secret.chars().enumerate() {
        if place > 0 && place % GROUP == 0 {
            text.push(' ');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_typed_in_groups() {
        assert_eq!(grouped("JBSWY3DPEHPK3PXP7"), "JBSW Y3DP EHPK 3PXP 7");
        assert_eq!(grouped(""), "");
    }
}
