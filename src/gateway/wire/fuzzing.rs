//! The reader of heads and bodies as the fuzz targets reach it; nothing else does.

use super::framing::Framing;
use super::head;

/// How a head says that its body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// By its length in bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Not at all: another protocol follows.
    Tunnel,
}

/// The length of the head at the beginning of `bytes` and how its body is framed; `None` where it is not whole or refused.
/// The first `looked_at` bytes were looked at before.
pub fn head(bytes: &[u8], looked_at: usize) -> Option<(usize, Body)> {
    let length = head::length(bytes, looked_at).ok()??;
    let body = match head::read(bytes.get(..length)?).ok()?.framing {
        Framing::Length(length) => Body::Length(length),
        Framing::Chunked(_) => Body::Chunked,
        Framing::Tunnel => Body::Tunnel,
    };
    Some((length, body))
}

/// How many of `bytes`, which arrive in pieces of `piece` bytes, belong to a chunked body, and whether it ends there; `None`
/// where it is not sound.
pub fn chunked(bytes: &[u8], piece: usize) -> Option<(usize, bool)> {
    let mut framing = Framing::CHUNKED;
    let mut taken = 0;
    for piece in bytes.chunks(piece.max(1)) {
        let count = framing.take(piece).ok()?;
        taken += count;
        if count < piece.len() {
            break;
        }
    }
    Some((taken, framing.is_over()))
}
