//! Providers that are spoken to over HTTP: one client for all, which follows no redirect, asks no proxy, waits for a bounded time
//! and reads a bounded answer. What a server answers is never repeated: of it only the status is told, and the
//! number of an error where a provider's API has one.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use url::Url;

use super::NotSent;
use super::reach::{NotPublic, PublicOnly};

/// For a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// For everything, until the answer's head is there.
const WHOLE: Duration = Duration::from_secs(10);
/// For the answer's body, which decides nothing.
const BODY: Duration = Duration::from_secs(2);
/// Of which so much is read.
const LARGEST: usize = 64 * 1024;

/// Where a client may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Wherever the settings say.
    Anywhere,
    /// To public addresses.
    PublicOnly,
}

/// The client.
pub(super) struct Web(Client);

/// An answer, whose body was read as far as it is of use.
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its body; empty when it was too long or too slow.
    pub(super) body: Vec<u8>,
}

impl Web {
    /// A client that connects to what `reach` allows. Addresses in a URL itself are judged where the URL is read.
    pub(super) fn new(reach: Reach) -> Result<Self, NotSent> {
        let builder = Client::builder()
            .user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(WHOLE);
        let builder = match reach {
            Reach::Anywhere => builder,
            Reach::PublicOnly => builder.dns_resolver(PublicOnly),
        };
        builder.build().map(Self).map_err(|error| not_sent(&error))
    }

    /// The beginning of a request.
    pub(super) fn post(&self, url: &Url) -> RequestBuilder {
        self.0.post(url.clone())
    }
}

/// Send `request`, and read what is answered.
pub(super) async fn ask(request: RequestBuilder) -> Result<Answer, NotSent> {
    let response = request.send().await.map_err(|error| not_sent(&error))?;
    let status = response.status();
    let body = tokio::time::timeout(BODY, read(response)).await.ok().flatten().unwrap_or_default();
    Ok(Answer { status, body })
}

/// What a status says: taken, later, or never.
pub(super) fn judge(status: StatusCode) -> Result<(), NotSent> {
    let cause = format!("HTTP {}", status.as_u16());
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => Err(NotSent::Later(cause)),
        _ if status.is_server_error() => Err(NotSent::Later(cause)),
        _ if status.is_redirection() => Err(NotSent::Refused(format!("{cause}, and redirects are not followed"))),
        _ => Err(NotSent::Refused(cause)),
    }
}

async fn read(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > LARGEST {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// The cause without the URL, which may hold a password.
fn not_sent(error: &reqwest::Error) -> NotSent {
    let root = root(error);
    if root.downcast_ref::<NotPublic>().is_some() {
        return NotSent::Refused(NotPublic.to_string());
    }
    match (error.is_timeout(), error.is_builder(), error.is_connect()) {
        (true, ..) => NotSent::Silent("timed out".to_owned()),
        (_, true, _) => NotSent::Refused("the request cannot be written".to_owned()),
        (_, _, true) => NotSent::Silent(format!("no connection: {root}")),
        (false, false, false) => NotSent::Silent(format!("the connection broke: {root}")),
    }
}

/// The innermost cause: what the operating system or TLS said.
fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut root = error;
    while let Some(inner) = root.source() {
        root = inner;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_an_answer() {
        let judged = |status: u16| judge(StatusCode::from_u16(status).unwrap());
        for status in [200, 201, 202, 204] {
            assert_eq!(judged(status), Ok(()), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(judged(status), Err(NotSent::Later(_))), "{status}");
        }
        for status in [300, 301, 302, 307, 308, 400, 401, 402, 403, 404, 409, 410, 413, 422, 451] {
            assert!(matches!(judged(status), Err(NotSent::Refused(_))), "{status}");
        }
    }
}
