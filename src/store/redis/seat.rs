//! Before a node of a cluster is asked for anything: is all that was written still there?
//!
//! A slot is moved key by key. While that goes on its node answers no command that names a key which is not there, and with it
//! no question of ours; so nothing that is half-way is believed. But who takes the node's place in the midst of it knows
//! nothing of the move, and neither does the node once it was called off: the marker says "all", and lines are elsewhere. So a
//! node that was not asked before loses the marker, as does one on which keys were seen half-way, and the ledger gives it anew.

use std::sync::atomic::{AtomicU64, Ordering};

use redis::{Client, RedisResult, Script};

use super::index::{marker_of, nobody_of};
use super::link::untimed;

/// Who is to be asked.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    pub(super) tag: &'a str,
    /// What the cluster calls it.
    pub(super) node: &'a str,
    /// Were keys seen half-way there?
    pub(super) is_torn: bool,
}

impl Seat<'_> {
    /// Asked from here on.
    pub(super) async fn take(&self, client: &Client) -> RedisResult<()> {
        let mut connection = client.get_multiplexed_async_connection_with_config(&untimed()).await?;
        let script = Script::new(include_str!("scripts/seat.lua"));
        let mut invocation = script.key(marker_of(self.tag));
        invocation.key(format!("{{{}}}:seat", self.tag)).key(nobody_of(self.tag)).arg(self.node).arg(u8::from(self.is_torn));
        let is_emptied: bool = invocation.invoke_async(&mut connection).await?;
        if is_emptied {
            tracing::info!("The index of revocations is written anew there.");
        }
        Ok(())
    }
}

/// How often keys were seen half-way, and up to which time that was put right.
#[derive(Debug, Default)]
pub(super) struct Torn {
    seen: AtomicU64,
    mended: AtomicU64,
}

impl Torn {
    pub(super) fn see(&self) {
        self.seen.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// What was seen up to then is put right.
    pub(super) fn mend(&self, upto: u64) {
        self.mended.fetch_max(upto, Ordering::AcqRel);
    }

    /// Is there something to put right?
    pub(super) fn is_open(&self) -> bool {
        self.seen() > self.mended.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_while_it_is_put_right_stays_to_be_put_right() {
        let torn = Torn::default();
        assert!(!torn.is_open());
        torn.see();
        let upto = torn.seen();
        torn.see();
        torn.mend(upto);
        assert!(torn.is_open());
        torn.mend(torn.seen());
        assert!(!torn.is_open());
    }
}
