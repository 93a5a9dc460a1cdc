//! Pages for people: server-rendered, whole without JavaScript, under a strict content security policy. The one script only
//! adds comfort; it and the style sheet are parts of each page, named by their hashes.
//!
//! Chromium holds `form-action` against every redirect after a form, those of the app behind us too
//! (<https://github.com/w3c/webappsec-csp/issues/8>). So the pages whose form leads on to an app let it lead anywhere: an app
//! that sends people on to a host of its own choice would else be a dead button. All others keep theirs here.

pub(super) mod account;
mod brand;
mod complaint;
pub(super) mod inbox;
mod login;
mod logout;
mod message;
mod reference;
mod second;
mod step_up;
mod verify;
mod words;

use askama::Template;
use http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderValue, StatusCode};

use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::secret;

pub use brand::Brand;
pub(super) use reference::Reference;
pub(super) use words::Words;

/// The one script: what makes pages more comfortable, and nothing that they need.
const SCRIPT: &str = include_str!("../../../templates/page.js");

/// What all pages have in common.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    brand: Brand,
    prefix: String,
    policy: String,
    development: bool,
}

/// What the layout shows around a page.
struct Frame<'a> {
    words: &'static Words,
    brand: &'a Brand,
    prefix: &'a str,
    script: &'static str,
}

/// Where the form of a page leads in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// To a page of ours.
    StaysHere,
    /// By way of ours to an app, and to wherever that sends people.
    LeadsOn,
}

impl Pages {
    /// `prefix` is that of our endpoints, without a slash at its end; in `development` every code is zeros, and pages say so.
    pub(super) fn new(brand: Brand, prefix: &str, development: bool) -> Self {
        let (style, script) = (hash(&brand.style), hash(SCRIPT));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src 'self' data:; frame-ancestors 'none'; \
             base-uri 'none'; form-action 'self'"
        );
        Self { brand, prefix: prefix.to_owned(), policy, development }
    }

    fn frame(&self, words: &'static Words) -> Frame<'_> {
        Frame { words, brand: &self.brand, prefix: &self.prefix, script: SCRIPT }
    }

    /// The frame in the language of who asks.
    fn frame_for(&self, received: &Received<'_>) -> Frame<'_> {
        self.frame(Words::of(&received.head.headers))
    }

    /// The reply that shows `page`.
    fn show(&self, status: StatusCode, words: &Words, page: &impl Template, form: Form) -> Result<Reply, No> {
        let text = page.render().map_err(|_| No::from(Problem::Internal))?;
        let policy = match form {
            Form::StaysHere => HeaderValue::try_from(&self.policy),
            Form::LeadsOn => HeaderValue::try_from(format!("{} https: http:", self.policy)),
        };
        let policy = policy.map_err(|_| No::from(Problem::Internal))?;
        let mut reply = reply::body(status, "text/html; charset=utf-8", text);
        let headers = reply.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(words.language.tag()));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        Ok(reply)
    }
}

/// A hash source of the policy (CSP §2.3.1), in the standard alphabet, which older browsers ask for.
fn hash(text: &str) -> String {
    secret::fingerprint(text).replace('-', "+").replace('_', "/") + "="
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_as_browsers_do() {
        assert_eq!(hash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn what_stands_in_a_page_does_not_end_its_element() {
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--") && !brand::STYLE.contains("</"));
    }
}
