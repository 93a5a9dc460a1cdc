//! Keeps the mirror: one task with a connection of its own, on which Redis pushes what has changed.
//!
//! Pushes are turned on *before* everything is read once, so that nothing falls between. A push names keys and brings no
//! values: they are read again, with the next beat. Whatever is not as it should be ends the connection, and all begins anew.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, PushInfo, PushKind, RedisError, Value};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::beat::{self, Beat, Beats};
use super::index::{head_of, line};
use super::mirror::Mirror;
use crate::clock::{Clock, Timestamp};
use crate::revocation::{Head, Near};

/// Between two attempts where nothing came of the last one.
const PAUSE: Duration = Duration::from_millis(100);

/// How long an answer may take beyond `max_staleness` before the connection is given up: a Redis that stood still goes on
/// where it was, and the mirror need not be read anew.
const PATIENCE: Duration = Duration::from_secs(2);

/// Beats in `max_staleness` where nothing is pushed.
const BEATS: u32 = 8;

/// Keys in one command.
const PAGE: usize = 1000;

/// Between two sweeps of what has expired.
const SWEEP: Duration = Duration::from_mins(1);

/// A step back of the clock that is no correction.
const STEP: Duration = Duration::from_secs(1);

/// The running task; it ends when this is dropped.
#[derive(Debug)]
pub struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Follower {
    /// Begin to keep `mirror`, in the runtime `slow`.
    pub fn start(mirror: &Arc<Mirror>, clock: Arc<dyn Clock>, slow: &Handle) -> Self {
        let mirror = Arc::clone(mirror);
        Self(slow.spawn(async move {
            loop {
                let lost = follow(&mirror, clock.as_ref()).await;
                if let Lost::Connection(error) = &lost {
                    mirror.redis.heard(error);
                }
                let was_kept = mirror.is_kept();
                if lost.is_doubt() {
                    mirror.doubt();
                }
                mirror.is_stale(&lost.to_string());
                if !was_kept {
                    tracing::debug!("The mirror of revocations could not be made: {lost}.");
                    sleep(PAUSE).await;
                }
            }
        }))
    }
}

/// Why it begins anew.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the connection failed ({0})")]
    Connection(#[from] RedisError),
    #[error("the connection was closed")]
    Closed,
    #[error("no answer came in time")]
    Late,
    #[error("Redis was emptied")]
    Emptied,
    #[error("the marker in Redis went back")]
    WentBack,
    #[error("the clock of this machine was set back")]
    Clock,
    #[error("another Redis is the primary")]
    Moved,
}

impl Lost {
    /// Is what was proven before worth nothing now?
    const fn is_doubt(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Closed | Self::Late | Self::Moved => false,
            Self::Emptied | Self::WentBack | Self::Clock => true,
        }
    }
}

/// Until something is wrong.
async fn follow(mirror: &Mirror, clock: &dyn Clock) -> Lost {
    let following = match timeout(PATIENCE, Following::begin(mirror, clock)).await {
        Ok(Ok(following)) => following,
        Ok(Err(lost)) => return lost,
        Err(_) => return Lost::Late,
    };
    match following.run().await {
        Ok(never) => match never {},
        Err(lost) => lost,
    }
}

/// One connection.
struct Following<'a> {
    mirror: &'a Mirror,
    clock: &'a dyn Clock,
    connection: MultiplexedConnection,
    pushes: UnboundedReceiver<PushInfo>,
    /// Keys to be read again.
    changed: Vec<String>,
    beats: Beats,
    /// The marker as it was read last.
    marker: Option<Head>,
    /// The last beat, by both clocks.
    clocks: (Instant, Timestamp),
    swept: Instant,
    /// How often Redis had moved when it was connected to.
    moves: u64,
}

impl<'a> Following<'a> {
    async fn begin(mirror: &'a Mirror, clock: &'a dyn Clock) -> Result<Self, Lost> {
        let (sender, pushes) = mpsc::unbounded_channel();
        let moves = mirror.redis.moves();
        let mut connection = mirror.redis.listen(sender).await?;
        mirror.begin();
        let mut command = redis::cmd("CLIENT");
        command.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(mirror.strict.prefix());
        command.exec_async(&mut connection).await?;
        let (changed, beats, marker) = (Vec::new(), Beats::default(), None);
        let clocks = (Instant::now(), clock.now());
        Ok(Self { mirror, clock, connection, pushes, changed, beats, marker, clocks, swept: Instant::now(), moves })
    }

    async fn run(mut self) -> Result<Infallible, Lost> {
        self.read_all().await?;
        loop {
            let is_all = self.beat().await?;
            self.sweep();
            if is_all {
                self.wait().await?;
            }
        }
    }

    /// Everything that is in Redis now. What is written meanwhile is pushed.
    async fn read_all(&mut self) -> Result<(), Lost> {
        let pattern = format!("{}*", escaped(self.mirror.strict.prefix()));
        let mut cursor = 0_u64;
        loop {
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(PAGE);
            let (next, keys): (u64, Vec<String>) = self.say(&command).await?;
            self.read(&keys).await?;
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// One beat. `true` when there is no more to find out before something happens.
    async fn beat(&mut self) -> Result<bool, Lost> {
        let (at, now) = (Instant::now(), self.clock.now());
        self.look_at_clocks(at, now)?;
        if self.mirror.redis.moves() != self.moves {
            return Err(Lost::Moved);
        }
        let changed = std::mem::take(&mut self.changed);
        let (first, rest) = changed.split_at_checked(PAGE).unwrap_or((&changed, &[]));
        self.read(first).await?;
        for page in rest.chunks(PAGE) {
            self.read(page).await?;
        }
        let is_quiet = self.hear_all()?;
        let proven = self.beats.add(Beat { at, now, marker: self.marker.clone() }, is_quiet);
        if let Some(beat) = &proven.beat {
            self.mirror.proven(beat);
        }
        Ok(proven.is_all)
    }

    /// Read these keys and the marker, as of one moment. What has gone meanwhile has expired, and stays in memory until it has
    /// expired here too.
    async fn read(&mut self, keys: &[String]) -> Result<(), Lost> {
        let mut command = redis::cmd("MGET");
        command.arg(self.mirror.strict.marker_key()).arg(keys).arg(self.mirror.strict.nobody_key());
        let values: Vec<Option<Vec<u8>>> = self.say(&command).await?;
        let mut values = values.iter().map(Option::as_deref);
        let marker = values.next().flatten().and_then(|marker| head_of(&String::from_utf8_lossy(marker)));
        if !beat::follows(self.marker.as_ref(), marker.as_ref()) {
            return Err(Lost::WentBack);
        }
        self.marker = marker;
        let strict = &self.mirror.strict;
        let lines = keys.iter().zip(values).filter_map(|(key, value)| {
            let (kind, name) = strict.named(key)?;
            Some((kind, name, line(kind, &String::from_utf8_lossy(value?))))
        });
        self.mirror.memory.hold(lines, self.clock.now());
        Ok(())
    }

    /// Until something is pushed, or the next beat is due.
    async fn wait(&mut self) -> Result<(), Lost> {
        let until_next = self.mirror.max_staleness() / BEATS;
        match timeout(until_next, self.pushes.recv()).await {
            Ok(Some(push)) => self.hear(&push),
            Ok(None) => Err(Lost::Closed),
            Err(_) => Ok(()),
        }
    }

    /// Whatever has been pushed. `true` when that is nothing.
    fn hear_all(&mut self) -> Result<bool, Lost> {
        let mut is_quiet = true;
        while let Ok(push) = self.pushes.try_recv() {
            is_quiet = false;
            self.hear(&push)?;
        }
        Ok(is_quiet)
    }

    fn hear(&mut self, push: &PushInfo) -> Result<(), Lost> {
        if push.kind == PushKind::Disconnection {
            return Err(Lost::Closed);
        }
        if push.kind != PushKind::Invalidate {
            return Ok(());
        }
        match push.data.first() {
            Some(Value::Array(keys)) => {
                let keys = keys.iter().filter_map(|key| String::from_redis_value_ref(key).ok());
                self.changed.extend(keys.filter(|key| key != self.mirror.strict.marker_key()));
                Ok(())
            }
            Some(_) | None => Err(Lost::Emptied),
        }
    }

    /// Ask, on this connection. An answer that comes late is told of, and awaited for a while.
    async fn say<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Lost> {
        let mut answer = pin!(command.query_async(&mut self.connection));
        if let Ok(answer) = timeout(self.mirror.max_staleness(), &mut answer).await {
            return Ok(answer?);
        }
        self.mirror.is_stale(&Lost::Late.to_string());
        timeout(PATIENCE, answer).await.map_err(|_| Lost::Late)?.map_err(Lost::from)
    }

    /// What had expired by a clock that was wrong may not have expired by one that is right.
    fn look_at_clocks(&mut self, at: Instant, now: Timestamp) -> Result<(), Lost> {
        let (last_at, last_now) = std::mem::replace(&mut self.clocks, (at, now));
        let expected = last_now.plus(at.saturating_duration_since(last_at));
        if expected.since(now) > STEP { Err(Lost::Clock) } else { Ok(()) }
    }

    fn sweep(&mut self) {
        if self.swept.elapsed() >= SWEEP {
            self.swept = Instant::now();
            self.mirror.sweep(self.clock.now());
        }
    }
}

/// A pattern that means these characters themselves.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '^' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_means_itself_in_a_pattern() {
        assert_eq!(escaped("{a}:rev:"), "{a}:rev:");
        assert_eq!(escaped("a*b?[c]\\^"), "a\\*b\\?\\[c\\]\\\\\\^");
    }
}
