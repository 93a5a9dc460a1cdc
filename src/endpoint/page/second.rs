//! `/auth/second-factor` and `/auth/recovery`: where a code of the authenticator, or a recovery code, is entered. For a
//! sign-in that is half done, and for a session that steps up.

use askama::Template;
use http::StatusCode;

use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::page::complaint::Complaint;
use crate::endpoint::page::words::Text;
use crate::endpoint::page::{Form, Frame, Words};
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, Next, body};
use crate::secret::Secret;
use crate::signin::{Means, Presented, Proof, Scope, SecondGuess};
use crate::token::Issued;

#[derive(Template)]
#[template(path = "second.html")]
struct SecondPage<'a> {
    frame: Frame<'a>,
    text: &'static Text,
    /// Is it a recovery code that is asked for?
    recovery: bool,
    next: &'a Next,
    error: Option<&'a str>,
}

impl Endpoints {
    /// The empty form.
    pub(in crate::endpoint) fn second_page(&self, received: &Received<'_>, means: Means) -> Result<Reply, No> {
        let next = self.places.next(&body::field(received.query(), "next").unwrap_or_default());
        self.show_second(received, means, &next, None)
    }

    /// Try the code: of the half-finished sign-in that this browser holds, else of its session. If it is right, on to where
    /// the person wanted to go, in a new session.
    pub(in crate::endpoint) async fn second_form(&self, received: &Received<'_>, means: Means) -> Result<Reply, No> {
        let [code, next] = body::form(received, ["code", "next"])?;
        let next = self.places.next(&next);
        let held = self.cookies.read(&received.head.headers)?.challenge;
        let entrant = self.entrant(received).await?.ok();
        if held.is_none() && entrant.is_none() {
            return self.show_second(received, means, &next, Some(Complaint::Expired));
        }
        let session = entrant.as_ref().map(|entrant| entrant.claims.clone());
        let proof = Proof { means, code: Secret::new(code), seen: received.seen() };
        let guess = SecondGuess { proof, named: None, held, session };
        let reply = match self.sign_in.verify_second(&guess, received.call.now).await {
            Ok(issued) => self.lead_on(received, &issued, &next).await,
            Err(refusal) => {
                let complaint = Complaint::of_guess(refusal, Complaint::wrong(means));
                complaint.map_err(No::from).and_then(|complaint| self.show_second(received, means, &next, Some(complaint)))
            }
        };
        match entrant {
            Some(entrant) => self.with_renewed(reply, &entrant),
            None => reply,
        }
    }

    /// On to where the person wanted to go, with the cookies of a session that has just begun. The one that this browser held
    /// before is over: nobody would use it again, and it would stay in the list of devices.
    pub(super) async fn lead_on(&self, received: &Received<'_>, issued: &Issued, next: &Next) -> Result<Reply, No> {
        let reply = reply::with_cookies(reply::see_other(next.location())?, self.session_cookies(issued)?);
        let carried = self.cookies.read(&received.head.headers)?;
        let before = Presented { access: carried.access.into_iter().collect(), refresh: carried.refresh };
        if let Err(outage) = self.sign_in.sign_out(&before, Scope::Local, &received.seen(), received.call.now).await {
            tracing::warn!(cause = %outage, "the session that a browser held before could not be ended, it runs out by itself");
        }
        Ok(reply::with_cookies(reply, self.cookies.clear(Kind::Challenge)))
    }

    /// The form, with what is wrong. After the right code the browser follows the redirect to wherever the app leads.
    fn show_second(&self, received: &Received<'_>, means: Means, next: &Next, complaint: Option<Complaint>) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let error = complaint.map(|complaint| complaint.text(frame.words));
        let status = complaint.map_or(StatusCode::OK, |complaint| complaint.problem().status());
        let (text, recovery) = asked(frame.words, means);
        let page = SecondPage { frame, text, recovery, next, error: error.as_deref() };
        let reply = self.pages.show(status, page.frame.words, &page, Form::LeadsOn)?;
        Ok(reply::with_wait(reply, complaint.and_then(Complaint::wait)))
    }
}

const fn asked(words: &'static Words, means: Means) -> (&'static Text, bool) {
    match means {
        Means::Totp => (&words.factor.confirm, false),
        Means::RecoveryCode => (&words.factor.recovery, true),
    }
}
