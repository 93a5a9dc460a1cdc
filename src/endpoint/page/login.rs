//! `/auth/login`: where a person says which address is theirs.

use askama::Template;
use http::StatusCode;

use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::page::complaint::Complaint;
use crate::endpoint::page::{Form, Frame};
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, Next, body};
use crate::signin::{Ask, Channel, Handle};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: Frame<'a>,
    next: &'a Next,
    address: &'a str,
    phones: Phones,
    by: &'a str,
    error: Option<&'a str>,
    /// Who is signed in already.
    who: Option<String>,
    /// Messages may take longer.
    slow: bool,
}

/// How codes can be sent to phones here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Phones {
    sms: bool,
    whatsapp: bool,
}

impl Phones {
    /// Can they be sent at all?
    pub(super) const fn any(self) -> bool {
        self.sms || self.whatsapp
    }

    /// Is there a choice?
    pub(super) const fn both(self) -> bool {
        self.sms && self.whatsapp
    }

    /// The channel to a phone, as the form's word chose; where nothing was chosen, the one that there is.
    ///
    /// # Errors
    /// 422 when the word is no choice of ours.
    pub(super) fn channel(self, by: &str) -> Result<Channel, Problem> {
        match by {
            "" if self.whatsapp && !self.sms => Ok(Channel::Whatsapp),
            "" | "sms" => Ok(Channel::Sms),
            "whatsapp" => Ok(Channel::Whatsapp),
            _ => Err(Problem::InvalidBody),
        }
    }
}

/// What a form said, to be shown again beside what is wrong with it.
struct Typed {
    address: String,
    by: String,
    next: Next,
}

impl Endpoints {
    /// How codes can be sent to phones here.
    pub(super) fn phones(&self) -> Phones {
        let channels = &self.sign_in.settings.channels;
        Phones { sms: channels.contains(&Channel::Sms), whatsapp: channels.contains(&Channel::Whatsapp) }
    }

    /// Does a channel that codes are sent by not answer at the moment? Said to everybody alike.
    pub(super) fn is_slow(&self) -> bool {
        self.sign_in.settings.channels.iter().any(|channel| self.sign_in.deliver.is_slow(*channel))
    }

    /// The empty form. Who is signed in already is told so, and may still sign in anew.
    pub(in crate::endpoint) async fn login_page(&self, received: &Received<'_>) -> Result<Reply, No> {
        let next = self.places.next(&body::field(received.query(), "next").unwrap_or_default());
        let who = self.greeting(received).await;
        let frame = self.pages.frame_for(received);
        let page = LoginPage { frame, next: &next, address: "", phones: self.phones(), by: "", error: None, who, slow: self.is_slow() };
        self.pages.show(StatusCode::OK, page.frame.words, &page, Form::StaysHere)
    }

    /// Send a code, then on to where it is entered.
    pub(in crate::endpoint) async fn login_form(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [address, by, next] = body::form(received, ["address", "by", "next"])?;
        let form = Typed { address, by, next: self.places.next(&next) };
        let phone = self.phones().channel(&form.by)?;
        let Ok(handle) = Handle::parse(&form.address) else {
            let complaint = if self.phones().any() { Complaint::NoAddress } else { Complaint::InvalidAddress };
            return self.login_again(received, &form, complaint);
        };
        let channel = match handle {
            Handle::Email(_) => Channel::Email,
            Handle::Phone(_) => phone,
        };
        match self.sign_in.request(Ask { handle, channel, seen: received.seen() }, received.call.now).await {
            Ok(asked) => {
                let cookie = self.cookie(Kind::Challenge, &asked.challenge_id, asked.expires_in)?;
                let location = format!("{}/verify?next={}", self.table.prefix(), form.next.encoded());
                Ok(reply::with_cookies(reply::see_other(&location)?, [cookie]))
            }
            Err(refusal) => self.login_again(received, &form, Complaint::of_ask(refusal)?),
        }
    }

    /// The form again, with what is wrong.
    fn login_again(&self, received: &Received<'_>, form: &Typed, complaint: Complaint) -> Result<Reply, No> {
        let frame = self.pages.frame_for(received);
        let error = complaint.text(frame.words);
        let (next, address, by) = (&form.next, form.address.as_str(), form.by.as_str());
        let page = LoginPage { frame, next, address, phones: self.phones(), by, error: Some(&error), who: None, slow: self.is_slow() };
        let reply = self.pages.show(complaint.problem().status(), page.frame.words, &page, Form::StaysHere)?;
        Ok(reply::with_wait(reply, complaint.wait()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_reached_as_chosen_or_as_it_can_be() {
        let (both, whatsapp) = (Phones { sms: true, whatsapp: true }, Phones { sms: false, whatsapp: true });
        assert_eq!((both.channel(""), both.channel("whatsapp")), (Ok(Channel::Sms), Ok(Channel::Whatsapp)));
        assert_eq!((whatsapp.channel(""), whatsapp.channel("sms")), (Ok(Channel::Whatsapp), Ok(Channel::Sms)));
        assert_eq!(both.channel("email"), Err(Problem::InvalidBody));
        assert!(whatsapp.any() && !whatsapp.both() && both.both());
    }
}
