//! Pages for people: server-rendered, without JavaScript, under a strict content security policy.
//!
//! Chromium holds `form-action` against every redirect after a form, those of the app behind us too
//! (<https://github.com/w3c/webappsec-csp/issues/8>). So the one page whose form leads on to an app lets its form lead
//! anywhere: an app that sends people on to a host of its own choice would else be a dead button. All others keep theirs here.

mod complaint;
pub(super) mod inbox;
mod login;
mod logout;
mod message;
mod verify;
mod words;

use askama::Template;
use http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderValue, StatusCode};

use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::settings::PageSettings;
use crate::secret;

pub(super) use words::Words;

/// The one style sheet, part of each page, so that an error page needs nothing else.
const STYLE: &str = include_str!("../../../templates/style.css");

/// What all pages have in common.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    name: String,
    prefix: String,
    policy: String,
    development: bool,
}

/// What the layout shows around a page.
struct Frame<'a> {
    words: &'static Words,
    name: &'a str,
    prefix: &'a str,
    style: &'static str,
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
    pub(super) fn new(settings: &PageSettings, prefix: &str, development: bool) -> Self {
        let hash = hash(STYLE);
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        );
        Self { name: settings.name.clone(), prefix: prefix.to_owned(), policy, development }
    }

    fn frame(&self, words: &'static Words) -> Frame<'_> {
        Frame { words, name: &self.name, prefix: &self.prefix, style: STYLE }
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
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(words.lang));
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
    use std::collections::HashMap;

    use super::*;

    /// The colours of `:root` in light and in dark, by name.
    fn colours() -> [HashMap<String, [f64; 3]>; 2] {
        let blocks: Vec<&str> = STYLE.split(":root{").skip(1).map(|block| block.split('}').next().unwrap()).collect();
        assert_eq!(blocks.len(), 2);
        let read = |block: &str| block.split(';').filter_map(colour).collect();
        [read(blocks[0]), read(blocks[1])]
    }

    fn colour(declaration: &str) -> Option<(String, [f64; 3])> {
        let (name, hex) = declaration.strip_prefix("--")?.split_once(":#")?;
        let wide: String = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
        let [_, red, green, blue] = u32::from_str_radix(&wide, 16).unwrap().to_be_bytes();
        Some((name.to_owned(), [red, green, blue].map(|part| f64::from(part) / 255.0)))
    }

    /// The contrast of two colours (WCAG 2.2, "contrast ratio").
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let linear = |part: f64| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
        let light = |[red, green, blue]: [f64; 3]| 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) + 0.05;
        let (one, other) = (light(one), light(other));
        one.max(other) / one.min(other)
    }

    #[test]
    fn text_and_edges_stand_out_in_light_and_dark() {
        let text =
            [("ink", "ground"), ("ink", "card"), ("soft", "card"), ("link", "card"), ("link", "note-ground"), ("ink", "note-ground")];
        let marks = [("accent-ink", "accent"), ("accent-ink", "accent-deep"), ("error", "error-ground")];
        let edges = [("line", "card"), ("error", "card"), ("accent", "card"), ("accent", "ground")];
        for colours in colours() {
            for (names, least) in [(&text[..], 4.5), (&marks[..], 4.5), (&edges[..], 3.0)] {
                for (one, other) in names {
                    let ratio = contrast(colours[*one], colours[*other]);
                    assert!(ratio >= least, "{one} on {other}: {ratio:.2}");
                }
            }
        }
    }

    #[test]
    fn a_hash_is_written_as_browsers_do() {
        assert_eq!(hash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
