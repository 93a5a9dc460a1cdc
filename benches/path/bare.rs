//! A bare pingora proxy: what Doorward is compared with.

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::prelude::{HttpPeer, ProxyHttp, Session};

struct Bare(SocketAddr);

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

/// Forward everything that comes to `address` to `app`, with one worker.
pub fn serve(address: &str, app: SocketAddr) {
    let configuration = pingora::server::configuration::ServerConf { threads: 1, work_stealing: false, ..Default::default() };
    let mut server = pingora::server::Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();
    let mut proxy = pingora::proxy::http_proxy_service(&server.configuration, Bare(app));
    proxy.add_tcp(address);
    server.add_service(proxy);
    server.run_forever();
}
