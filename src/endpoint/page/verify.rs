//! `/auth/verify`: where a person enters the code.

use askama::Template;
use http::StatusCode;

use crate::clock::ceil_secs;
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::page::complaint::Complaint;
use crate::endpoint::page::{Form, Frame};
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, Next, body};
use crate::secret::Secret;
use crate::signin::{Entered, Guess};

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage<'a> {
    frame: Frame<'a>,
    next: &'a Next,
    error: Option<&'a str>,
    inbox: bool,
    development: bool,
    /// How long a code is.
    digits: usize,
    /// Seconds until another can be asked for.
    wait: u64,
    /// Messages may take longer.
    slow: bool,
}

impl Endpoints {
    /// The empty form.
    pub(in crate::endpoint) fn verify_page(&self, received: &Received<'_>) -> Result<Reply, No> {
        let next = self.places.next(&body::field(received.query(), "next").unwrap_or_default());
        self.show_verify(received, &next, None)
    }

    /// Try the code; if it is right, on to where the person wanted to go.
    pub(in crate::endpoint) async fn verify_form(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [code, next] = body::form(received, ["code", "next"])?;
        let next = self.places.next(&next);
        let held = self.cookies.read(&received.head.headers)?.challenge;
        let wrong = if held.is_some() { Complaint::InvalidCode } else { Complaint::NoCode };
        // People copy codes with spaces round and in them.
        let code = Secret::new(code.chars().filter(|c| !c.is_whitespace()).collect());
        let guess = Guess { handle: None, code, named: None, held, seen: received.seen() };
        match self.sign_in.verify(guess, received.call.now).await {
            Ok(Entered::SecondFactor { challenge_id, expires_in, .. }) => {
                let cookie = self.cookie(Kind::Challenge, &challenge_id, expires_in)?;
                let location = format!("{}/second-factor?next={}", self.table.prefix(), next.encoded());
                Ok(reply::with_cookies(reply::see_other(&location)?, [cookie]))
            }
            Ok(Entered::SignedIn(issued)) => self.lead_on(received, &issued, &next).await,
            Err(refusal) => self.show_verify(received, &next, Some(Complaint::of_guess(refusal, wrong)?)),
        }
    }

    /// The form, with what is wrong. After the right code the browser follows the redirect to `next`, and from there wherever
    /// the app leads: the policy of this page alone lets a form lead to any site.
    fn show_verify(&self, received: &Received<'_>, next: &Next, complaint: Option<Complaint>) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let error = complaint.map(|complaint| complaint.text(frame.words));
        let status = complaint.map_or(StatusCode::OK, |complaint| complaint.problem().status());
        let (inbox, development) = (self.inbox.is_some(), self.pages.development);
        let otp = &self.sign_in.settings.otp;
        let (digits, wait) = (otp.length, ceil_secs(otp.resend_after));
        let page = VerifyPage { frame, next, error: error.as_deref(), inbox, development, digits, wait, slow: self.is_slow() };
        let reply = self.pages.show(status, page.frame.words, &page, Form::LeadsOn)?;
        Ok(reply::with_wait(reply, complaint.and_then(Complaint::wait)))
    }
}
