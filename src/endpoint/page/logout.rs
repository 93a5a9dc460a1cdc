//! `/auth/logout` for people: a page with a button, and a page that says that it is done.

use askama::Template;
use http::StatusCode;

use crate::endpoint::call::Received;
use crate::endpoint::page::{Form, Frame};
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{No, Reply};
use crate::endpoint::{Endpoints, body};

#[derive(Template)]
#[template(path = "logout.html")]
struct LogoutPage<'a> {
    frame: Frame<'a>,
    who: Option<String>,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage<'a> {
    frame: Frame<'a>,
}

impl Endpoints {
    /// The buttons. Looking at them ends nothing.
    pub(in crate::endpoint) async fn logout_page(&self, received: &Received<'_>) -> Result<Reply, No> {
        let who = self.greeting(received).await;
        let page = LogoutPage { frame: self.pages.frame_for(received), who };
        self.pages.show(StatusCode::OK, page.frame.words, &page, Form::StaysHere)
    }

    /// What is left to say once the session has ended.
    pub(in crate::endpoint) fn signed_out_page(&self, received: &Received<'_>) -> Result<Reply, No> {
        let page = SignedOutPage { frame: self.pages.frame_for(received) };
        self.pages.show(StatusCode::OK, page.frame.words, &page, Form::StaysHere)
    }

    /// The word of the button that was pressed; none when it was no form.
    pub(in crate::endpoint) fn pressed(received: &Received<'_>) -> Result<Option<String>, Problem> {
        if !body::is_form(received) {
            return Ok(None);
        }
        let [scope] = body::form(received, ["scope"])?;
        Ok(Some(scope).filter(|scope| !scope.is_empty()))
    }
}
