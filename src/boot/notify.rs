//! Words for systemd (`sd_notify(3)`): that we are ready, read the configuration again, leave, live. Without a listener there
//! nothing is said.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Everything listens, and this is the process to ask from now on: after an upgrade it is another one.
pub(super) fn ready() {
    say(&format!("READY=1\nMAINPID={}\nSTATUS=serving\n", std::process::id()));
}

/// The configuration is being read again; [`ready`] follows.
pub(super) fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
    say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
}

/// We leave, and nobody has taken over.
pub(super) fn stopping() {
    say("STOPPING=1\nSTATUS=requests in flight finish\n");
}

/// Says again and again that we live, as often as systemd wants to hear it; ends when this is dropped.
pub(super) struct Alive(Option<JoinHandle<()>>);

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Alive {
    /// In the runtime of everything slow: where that hangs, nothing is said.
    pub(super) fn keep_saying(slow: &Handle) -> Self {
        let period = std::env::var("WATCHDOG_USEC").ok().and_then(|micros| micros.parse().ok()).map(Duration::from_micros);
        // Twice as often as needed.
        let period = period.map(|period| period / 2).filter(|period| !period.is_zero());
        Self(period.map(|period| slow.spawn(keep_saying(period))))
    }
}

async fn keep_saying(period: Duration) {
    let mut ticks = tokio::time::interval(period);
    loop {
        ticks.tick().await;
        say("WATCHDOG=1\n");
    }
}

fn say(words: &str) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&place, words) {
        tracing::debug!(%error, "systemd was not told: {error}");
    }
}

/// A name that begins with `@` has no file.
fn send(place: &OsStr, words: &str) -> io::Result<()> {
    let address = match place.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    UnixDatagram::unbound()?.send_to_addr(words.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_at_both_kinds_of_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("doorward-test-{}", std::process::id());
        let with_file = UnixDatagram::bind(&path).unwrap();
        let without = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (socket, place) in [(with_file, path.into_os_string()), (without, format!("@{name}").into())] {
            send(&place, "READY=1\n").unwrap();
            let mut said = [0; 16];
            let count = socket.recv(&mut said).unwrap();
            assert_eq!(&said[..count], b"READY=1\n");
        }
        assert!(send(OsStr::new("/nowhere/at/all"), "READY=1\n").is_err());
    }
}
