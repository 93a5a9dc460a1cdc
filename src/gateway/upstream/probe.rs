//! Asking an address whether it is well, on our own account: over the same kind of connection as a request, so that a
//! certificate that a request would refuse is refused here too.

use http::header::{HOST, USER_AGENT};
use pingora::connectors::TransportConnector;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::ALPN;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use tokio::time::timeout;

use super::{Endpoint, Manner};
use crate::admission::{CheckKind, HealthSettings};

/// What we call ourselves in an app's log.
const AGENT: &str = concat!("doorward-health/", env!("CARGO_PKG_VERSION"));

/// Asks. Its connections are its own: none is shared with requests.
pub(super) struct Prober {
    http: Connector,
    transport: TransportConnector,
}

impl Default for Prober {
    fn default() -> Self {
        Self { http: Connector::new(None), transport: TransportConnector::new(None) }
    }
}

impl Prober {
    /// Ask once.
    ///
    /// # Errors
    /// Why the answer is not a good one.
    pub(super) async fn ask(&self, endpoint: &Endpoint, health: &HealthSettings) -> Result<(), String> {
        let mut peer = endpoint.peer(Manner::default());
        // A connection for this question alone: one that stands for long says nothing about the next.
        peer.options.max_h2_streams = 1;
        if health.kind == CheckKind::Tcp && peer.is_tls() {
            // Nothing is said after the handshake.
            peer.options.alpn = ALPN::H2H1;
        }
        let asked = async {
            match health.kind {
                CheckKind::Tcp => self.transport.new_stream(&peer).await.map(drop).map_err(|error| kind(&error)),
                CheckKind::Http => self.get(endpoint, health, &peer).await,
            }
        };
        timeout(health.patience(), asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn get(&self, endpoint: &Endpoint, health: &HealthSettings, peer: &HttpPeer) -> Result<(), String> {
        let (mut session, _) = self.http.get_http_session(peer).await.map_err(|error| kind(&error))?;
        let status = status(&mut session, endpoint, health).await.map_err(|error| kind(&error))?;
        session.shutdown().await;
        let is_good = health.status.map_or_else(|| (200..400).contains(&status), |wanted| status == wanted);
        if is_good { Ok(()) } else { Err(format!("status {status}")) }
    }
}

async fn status(session: &mut HttpSession, endpoint: &Endpoint, health: &HealthSettings) -> pingora::Result<u16> {
    let mut request = RequestHeader::build("GET", health.path.as_bytes(), None)?;
    request.insert_header(HOST, &*endpoint.authority)?;
    request.insert_header(USER_AGENT, AGENT)?;
    session.write_request_header(Box::new(request)).await?;
    session.finish_request_body().await?;
    session.read_response_header().await?;
    Ok(session.response_header().map_or(0, |head| head.status.as_u16()))
}

/// The kind of an error: its words could hold what the app sent.
fn kind(error: &pingora::Error) -> String {
    error.root_etype().as_str().to_owned()
}
