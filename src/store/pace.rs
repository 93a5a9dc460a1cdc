//! How sweeping gives way: nobody waits for it, and people wait for signing in.

use std::time::Duration;

/// A sweeper rests for so many times as long as its last step took: it has a quarter of the one writer that SQLite has.
const RESTS: u32 = 3;

/// The longest rest. A step that took longer waited for somebody, or the database is in trouble.
const LONGEST: Duration = Duration::from_secs(2);

/// Let others go first, after a step that took so long.
pub(super) async fn give_way(took: Duration) {
    tokio::time::sleep(took.saturating_mul(RESTS).min(LONGEST)).await;
}
