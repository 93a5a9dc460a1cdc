//! When an answer leaves that must not tell whom it is about: at a beat, counted from when its request arrived.
//!
//! The work for an address that we know and for one that we do not is the same in kind and not to the microsecond (a row that
//! is there is read, one that is not is not). Whoever asks a thousand times would see it. A beat is longer than the work, so
//! nothing of it is left in the time of the answer; work that takes longer goes out at the next one.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Longer than the work with a database nearby, and shorter than anybody notices.
const BEAT: Duration = Duration::from_millis(20);

/// What `work` gives, at the first beat after it is done.
pub(super) async fn at_a_beat<T>(work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    sleep_until(begun + BEAT * beats(begun.elapsed())).await;
    done
}

/// How many beats have begun after `elapsed`; at least one.
fn beats(elapsed: Duration) -> u32 {
    let whole = elapsed.as_nanos().div_ceil(BEAT.as_nanos());
    u32::try_from(whole).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_goes_out_at_the_next_beat() {
        let nano = Duration::from_nanos(1);
        assert_eq!(beats(Duration::ZERO), 1);
        assert_eq!(beats(BEAT), 1);
        assert_eq!(beats(BEAT + nano), 2);
        assert_eq!(beats(BEAT * 2 + nano), 3);
        assert_eq!(beats(BEAT * 3), 3);
    }

    #[tokio::test]
    async fn work_is_done_at_once_and_given_at_the_beat() {
        let begun = Instant::now();
        let mut done_after = Duration::ZERO;
        at_a_beat(async { done_after = begun.elapsed() }).await;
        assert!(begun.elapsed() >= BEAT && done_after < begun.elapsed());
    }
}
