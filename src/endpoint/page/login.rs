//! `/auth/login`: where a person says which address is theirs.

use askama::Template;
use http::StatusCode;

use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::page::complaint::Complaint;
use crate::endpoint::page::{Form, Frame, Words};
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, Next, body};
use crate::signin::{Ask, AskRefusal, Channel, Handle};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: Frame<'a>,
    next: &'a Next,
    address: &'a str,
    error: Option<&'a str>,
    /// Who is signed in already.
    who: Option<String>,
}

/// What a form said, to be shown again beside what is wrong with it.
struct Typed {
    address: String,
    next: Next,
}

impl Endpoints {
    /// The empty form. Who is signed in already is told so, and may still sign in anew.
    pub(in crate::endpoint) async fn login_page(&self, received: &Received<'_>) -> Result<Reply, No> {
        let next = self.places.next(&body::field(received.query(), "next").unwrap_or_default());
        let who = self.greeting(received).await;
        let page = LoginPage { frame: self.pages.frame(Words::of(&received.head.headers)), next: &next, address: "", error: None, who };
        self.pages.show(StatusCode::OK, page.frame.words, &page, Form::StaysHere)
    }

    /// Send a code, then on to where it is entered.
    pub(in crate::endpoint) async fn login_form(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [address, next] = body::form(received, ["address", "next"])?;
        let form = Typed { address, next: self.places.next(&next) };
        let Ok(handle) = Handle::parse(&form.address) else {
            return self.login_again(received, &form, Complaint::InvalidAddress);
        };
        let channel = match handle {
            Handle::Email(_) => Channel::Email,
            Handle::Phone(_) => Channel::Sms,
        };
        match self.sign_in.request(Ask { handle, channel, seen: received.seen() }, received.call.now).await {
            Ok(asked) => {
                let cookie = self.cookie(Kind::Challenge, &asked.challenge_id, asked.expires_in)?;
                let location = format!("{}/verify?next={}", self.table.prefix(), form.next.encoded());
                Ok(reply::with_cookies(reply::see_other(&location)?, [cookie]))
            }
            Err(AskRefusal::TooSoon(wait)) => self.login_again(received, &form, Complaint::TooSoon(wait)),
            Err(AskRefusal::Limited { retry_after, .. }) => self.login_again(received, &form, Complaint::LimitReached(retry_after)),
            Err(AskRefusal::ChannelUnavailable) => self.login_again(received, &form, Complaint::ChannelUnavailable),
            Err(AskRefusal::Outage(outage)) => Err(outage.into()),
        }
    }

    /// The form again, with what is wrong.
    fn login_again(&self, received: &Received<'_>, form: &Typed, complaint: Complaint) -> Result<Reply, No> {
        let frame = self.pages.frame(Words::of(&received.head.headers));
        let error = complaint.text(frame.words);
        let page = LoginPage { frame, next: &form.next, address: &form.address, error: Some(&error), who: None };
        let reply = self.pages.show(complaint.problem().status(), page.frame.words, &page, Form::StaysHere)?;
        Ok(reply::with_wait(reply, complaint.wait()))
    }
}
