//! `/auth/step-up`: who is signed in, but not well enough or too long ago for what they want to open, shows what is missing
//! and comes back to where they were.

use askama::Template;
use http::StatusCode;

use crate::admission::Refusal;
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::page::complaint::Complaint;
use crate::endpoint::page::words::Text;
use crate::endpoint::page::{Form, Frame};
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, Next, body};
use crate::signin::{Account, Ask, Channel, Handle};
use crate::token::Claims;

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A second factor.
    Factor,
    /// A sign-in that is not so long ago.
    Fresh,
}

impl Need {
    /// Its word, in the query.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Factor => "factor",
            Self::Fresh => "fresh",
        }
    }

    fn parse(word: &str) -> Self {
        if word == Self::Factor.as_str() { Self::Factor } else { Self::Fresh }
    }
}

#[derive(Template)]
#[template(path = "step_up.html")]
struct StepUpPage<'a> {
    frame: Frame<'a>,
    text: &'static Text,
    next: &'a Next,
    way: Way,
    error: Option<&'a str>,
}

/// How what is missing can be shown.
enum Way {
    /// An authenticator is set up first.
    Enrol,
    /// By a code to this address.
    Code(String),
    /// Not at all, but by signing in anew.
    SignIn,
}

impl Endpoints {
    /// What is missing, and how to show it. Whose account has an authenticator shows a code of it, whatever is missing.
    pub(in crate::endpoint) async fn step_up_page(&self, received: &Received<'_>) -> Result<Reply, No> {
        let next = self.places.next(&body::field(received.query(), "next").unwrap_or_default());
        let need = Need::parse(&body::field(received.query(), "need").unwrap_or_default());
        let Ok(entrant) = self.entrant(received).await? else { return self.to_login_for(&next) };
        let reply = match self.sign_in.factor_status(&entrant.claims.sub).await {
            Ok(Some(_)) => reply::see_other(&format!("{}/second-factor?next={}", self.table.prefix(), next.encoded())),
            Ok(None) => self.show_step_up(received, &entrant.claims, need, &next, None).await,
            Err(outage) => Err(outage.into()),
        };
        self.with_renewed(reply, &entrant)
    }

    /// Send a code to the address of who is signed in, then on to where it is entered.
    pub(in crate::endpoint) async fn step_up_form(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [next] = body::form(received, ["next"])?;
        let next = self.places.next(&next);
        let Ok(entrant) = self.entrant(received).await? else { return self.to_login_for(&next) };
        let reply = self.send_to_self(received, &entrant.claims, &next).await;
        self.with_renewed(reply, &entrant)
    }

    /// To the step-up page, and back to `next`.
    pub(super) fn to_step_up(&self, need: Need, next: &Next) -> Result<Reply, No> {
        reply::see_other(&format!("{}/step-up?need={}&next={}", self.table.prefix(), need.as_str(), next.encoded()))
    }

    fn to_login_for(&self, next: &Next) -> Result<Reply, No> {
        reply::see_other(&format!("{}/login?next={}", self.table.prefix(), next.encoded()))
    }

    async fn send_to_self(&self, received: &Received<'_>, claims: &Claims, next: &Next) -> Result<Reply, No> {
        let account = self.sign_in.accounts.find(&claims.sub).await?.ok_or(Refusal::SessionEnded)?;
        let Some((handle, channel)) = self.own_address(&account) else { return self.to_login_for(next) };
        match self.sign_in.request(Ask { handle, channel, seen: received.seen() }, received.call.now).await {
            Ok(asked) => {
                let cookie = self.cookie(Kind::Challenge, &asked.challenge_id, asked.expires_in)?;
                let location = format!("{}/verify?next={}", self.table.prefix(), next.encoded());
                Ok(reply::with_cookies(reply::see_other(&location)?, [cookie]))
            }
            Err(refusal) => self.show_step_up(received, claims, Need::Fresh, next, Some(Complaint::of_ask(refusal)?)).await,
        }
    }

    /// Where a code for who is signed in can go: the e-mail address, else the phone.
    fn own_address(&self, account: &Account) -> Option<(Handle, Channel)> {
        let by = |channel: Channel| self.sign_in.settings.channels.contains(&channel);
        let email = account.email.clone().filter(|_| by(Channel::Email)).map(|text| (Handle::Email(text), Channel::Email));
        let channel = [Channel::Sms, Channel::Whatsapp].into_iter().find(|channel| by(*channel));
        email.or_else(|| Some((Handle::Phone(account.phone.clone()?), channel?)))
    }

    async fn show_step_up(
        &self,
        received: &Received<'_>,
        claims: &Claims,
        need: Need,
        next: &Next,
        complaint: Option<Complaint>,
    ) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let account = self.sign_in.accounts.find(&claims.sub).await?.ok_or(Refusal::SessionEnded)?;
        let (text, way) = match need {
            Need::Factor => (&frame.words.factor.enrol_first, Way::Enrol),
            Need::Fresh => {
                let address = self.own_address(&account);
                (&frame.words.factor.fresh, address.map_or(Way::SignIn, |(handle, _)| Way::Code(handle.expose().to_owned())))
            }
        };
        let error = complaint.map(|complaint| complaint.text(frame.words));
        let status = complaint.map_or(StatusCode::OK, |complaint| complaint.problem().status());
        let page = StepUpPage { frame, text, next, way, error: error.as_deref() };
        let reply = self.pages.show(status, page.frame.words, &page, Form::StaysHere)?;
        Ok(reply::with_wait(reply, complaint.and_then(Complaint::wait)))
    }
}
