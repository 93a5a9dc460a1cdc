//! `/auth/dev/inbox`: the codes that the demo has sent, for who has no mail server. Only where boot gives an inbox.

use std::net::IpAddr;

use askama::Template;
use http::StatusCode;
use http::header::ACCEPT;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::endpoint::call::Received;
use crate::endpoint::page::{Form, Frame};
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, Next, admin, body};

/// A code that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address it went to.
    pub to: String,
    /// The code, in the clear: this is for development only.
    pub code: String,
    /// When.
    pub at: Timestamp,
}

/// The inbox of the demo.
pub trait Inbox: Send + Sync {
    /// The latest mails, newest first, a bounded number.
    fn latest(&self) -> Vec<Mail>;
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage<'a> {
    frame: Frame<'a>,
    mails: &'a [Mail],
    next: &'a Next,
}

#[derive(Serialize)]
struct Item<'a> {
    to: &'a str,
    code: &'a str,
    at: String,
}

impl Endpoints {
    /// The inbox, as a page; as JSON for who accepts only that.
    ///
    /// # Errors
    /// 421 under another name than this machine's own, so that no page in a browser here reads codes under a name of its own (DNS
    /// rebinding).
    pub(in crate::endpoint) fn inbox_page(&self, received: &Received<'_>) -> Result<Reply, No> {
        let inbox = self.inbox.as_ref().ok_or(Problem::NotFound)?;
        if !is_this_machine(received) {
            return Err(Problem::Misdirected.into());
        }
        let mails = inbox.latest();
        let accept = received.head.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if accept.starts_with("application/json") {
            let items = mails.iter().map(|mail| Item { to: &mail.to, code: &mail.code, at: mail.at.to_string() });
            return Ok(reply::json(StatusCode::OK, &items.collect::<Vec<_>>()));
        }
        let next = self.places.next(&body::field(received.query(), "next").unwrap_or_default());
        let page = InboxPage { frame: self.pages.frame_for(received), mails: &mails, next: &next };
        self.pages.show(StatusCode::OK, page.frame.words, &page, Form::StaysHere)
    }
}

/// By the Host that came, not by one that was forwarded: a script can set the latter.
fn is_this_machine(received: &Received<'_>) -> bool {
    let host = admin::asked_for(received.head).unwrap_or(&received.call.client.host);
    let host = admin::without_port(host).to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}
