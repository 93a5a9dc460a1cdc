//! The PROXY protocol, both versions: before its first byte, a proxy in front says for whom it speaks
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use bytes::BytesMut;
use ppp::{HeaderResult, PartialResult as _, v1, v2};
use tokio::io::AsyncReadExt as _;

use super::Socket;

/// The longest header that is read, in bytes. Addresses take 232 at most; the rest is room for what proxies add.
const LONGEST: usize = 4096;

/// Read the header, and have the socket's peer be whom it names. A proxy that speaks for itself (a health check) stays the peer.
///
/// # Errors
/// When there is none, or none that can be read.
pub(super) async fn read(socket: &mut Socket) -> io::Result<()> {
    let mut read = BytesMut::with_capacity(LONGEST);
    loop {
        if socket.read_buf(&mut read).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let header = HeaderResult::parse(&read);
        if header.is_complete() {
            let (length, peer) = said(&header).ok_or(ErrorKind::InvalidData)?;
            socket.put_back(read.split_off(length).freeze());
            if let Some(peer) = peer {
                socket.speaks_for(peer);
            }
            return Ok(());
        }
        if read.len() >= LONGEST {
            return Err(ErrorKind::InvalidData.into());
        }
    }
}

/// How long the header is, and whom it names; `None` when it is none.
fn said(header: &HeaderResult<'_>) -> Option<(usize, Option<SocketAddr>)> {
    match header {
        HeaderResult::V1(Ok(header)) => Some((header.header.len(), first(&header.addresses))),
        HeaderResult::V2(Ok(header)) => {
            let peer = if header.command == v2::Command::Proxy { second(&header.addresses) } else { None };
            Some((header.len(), peer))
        }
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => None,
    }
}

fn first(addresses: &v1::Addresses) -> Option<SocketAddr> {
    match addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(four) => Some((four.source_address, four.source_port).into()),
        v1::Addresses::Tcp6(six) => Some((six.source_address, six.source_port).into()),
    }
}

fn second(addresses: &v2::Addresses) -> Option<SocketAddr> {
    match addresses {
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
        v2::Addresses::IPv4(four) => Some((four.source_address, four.source_port).into()),
        v2::Addresses::IPv6(six) => Some((six.source_address, six.source_port).into()),
    }
}
