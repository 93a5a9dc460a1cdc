//! A new process takes over from the one that runs: nothing is dropped, and where it fails, nothing has changed. Systemd is told.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::{configuration, get, public};
use crate::support::child::{self, Signal};
use crate::support::client::Raw;
use crate::support::gateway::{self, Gateway, Place};
use crate::support::upstream::Upstream;
use crate::support::{folder, ports, wait};

const SOON: Duration = Duration::from_secs(20);

fn replaceable(place: &Place, app: &str) -> String {
    let socket = format!("upgrade_socket = \"{}\"", place.folder.join("upgrade.sock").display());
    configuration(place, &socket, &public("app", &[app], ""))
}

fn start(app: &Upstream) -> Gateway {
    let url = app.url();
    let gateway = Gateway::start(|place| replaceable(place, &url));
    let socket = gateway.config().with_file_name("upgrade.sock");
    wait::until_true("the control socket", SOON, || socket.exists());
    gateway
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_takes_over_while_people_go_on() {
    let app = Upstream::start().await;
    let mut gateway = start(&app);
    let address = gateway.public();
    let chunks = app.stream_next();
    let mut in_flight = Raw::connect(address).await;
    in_flight.send(get("")).await;
    assert_eq!(in_flight.reply_head().await.unwrap().status, 200);
    let (first, told) = (gateway.pid(), tokio::sync::watch::channel(false));
    let busy = told.1.clone();
    // Somebody who keeps one connection busy, and connects again where an answer says that it closes.
    let person = tokio::spawn(async move {
        let (mut answered, mut raw) = (0, Raw::connect(address).await);
        while !*busy.borrow() {
            raw.send(get("")).await;
            let reply = raw.reply().await.expect("an answer");
            assert_eq!(reply.status, 200);
            answered += 1;
            if reply.header("Connection").is_some_and(|value| value == "close") {
                raw = Raw::connect(address).await;
            }
        }
        answered
    });

    let upgrade = tokio::task::spawn_blocking(move || {
        let status = gateway.upgrade();
        (gateway, status)
    });
    let readable = || async { (Raw::exchange(address, get("")).await.status == 200).then_some(()) };
    wait::until_async("an answer meanwhile", SOON, readable).await;
    chunks.send("last words".to_owned()).unwrap();
    assert_eq!(in_flight.chunk().await.as_deref(), Some(&b"last words"[..]));
    drop(chunks);
    let (gateway, status) = upgrade.await.unwrap();
    told.0.send_replace(true);

    assert!(status.success(), "{status}");
    assert_ne!(gateway.pid(), first);
    assert!(person.await.unwrap() > 0);
    assert_eq!(Raw::exchange(address, get("")).await.status, 200);
    assert_eq!(gateway::status_of(gateway.admin(), "/readyz"), Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_that_fails_leaves_the_old_one_serving() {
    let app = Upstream::start().await;
    let mut gateway = start(&app);
    let file = gateway.config();
    let good = std::fs::read_to_string(&file).unwrap();
    let other = file.with_file_name("other.toml");
    let serve = |config: &std::path::Path| gateway::command(&["serve", "--upgrade", "--config", &config.display().to_string()], &[]);

    // A mistake in its file; a listener that it cannot have.
    std::fs::write(&other, format!("nonsense = true\n{good}")).unwrap();
    assert_eq!(serve(&other).0, 1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let both = format!("public = [\"{}\", \"{}\"]", gateway.public(), taken.local_addr().unwrap());
    std::fs::write(&other, good.replace(&format!("public = [\"{}\"]", gateway.public()), &both)).unwrap();
    let (code, _, complaint) = serve(&other);
    assert_eq!(code, 1);
    assert!(complaint.contains("cannot listen on"), "{complaint}");
    gateway.wait_for_log("a new process did not take over, this one serves on");
    assert_eq!(Raw::exchange(gateway.public(), get("")).await.status, 200);

    // And the next one does.
    let gateway = tokio::task::spawn_blocking(move || {
        assert!(gateway.upgrade().success());
        gateway
    });
    assert_eq!(Raw::exchange(gateway.await.unwrap().public(), get("")).await.status, 200);
}

#[test]
fn without_a_process_to_take_over_from_nothing_starts() {
    let folder = folder::new("alone");
    let place = Place { public: ports::free_address(), admin: ports::free_address(), folder: folder.path().to_owned() };
    let file = folder.path().join("doorward.toml");
    std::fs::write(&file, replaceable(&place, "http://127.0.0.1:1")).unwrap();

    let (code, _, complaint) = gateway::command(&["serve", "--upgrade", "--config", &file.display().to_string()], &[]);

    assert_eq!(code, 1);
    assert!(complaint.contains("listen.upgrade_socket: the sockets cannot be taken over"), "{complaint}");
}

/// A process that is no child of ours, ended with the value.
struct Orphan(String);

impl Drop for Orphan {
    fn drop(&mut self) {
        child::send(Signal::Term, &self.0);
    }
}

/// What systemd hears.
struct Ear(UnixDatagram);

impl Ear {
    /// The next message that begins so; the others are passed over.
    fn hear(&self, beginning: &str) -> String {
        wait::until(beginning, SOON, || {
            let mut words = [0; 256];
            let count = self.0.recv(&mut words).ok()?;
            let words = String::from_utf8_lossy(&words[..count]).into_owned();
            words.starts_with(beginning).then_some(words)
        })
    }

    fn main_pid(&self) -> String {
        let words = self.hear("READY=1");
        words.lines().find_map(|line| line.strip_prefix("MAINPID=")).expect("a pid").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_of_readiness_reloads_upgrades_and_the_end() {
    let app = Upstream::start().await;
    let folder = folder::new("notify");
    let path = folder.path().join("notify.sock");
    let ear = Ear(UnixDatagram::bind(&path).unwrap());
    ear.0.set_nonblocking(true).unwrap();
    let url = app.url();
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let mut gateway = Gateway::start_with(&environment, |place| replaceable(place, &url));
    let socket = gateway.config().with_file_name("upgrade.sock");

    assert_eq!(ear.main_pid(), gateway.pid().to_string());
    ear.hear("WATCHDOG=1");
    gateway.signal(Signal::Hup);
    assert!(ear.hear("RELOADING=1").contains("MONOTONIC_USEC="));
    assert_eq!(ear.main_pid(), gateway.pid().to_string());

    wait::until_true("the control socket", SOON, || socket.exists());
    gateway.signal(Signal::Usr2);
    let next = Orphan(ear.main_pid());
    assert_ne!(next.0, gateway.pid().to_string());
    wait::until_true("the old process to leave", SOON, || gateway.has_ended());
    assert_eq!(Raw::exchange(gateway.public(), get("")).await.status, 200);

    drop(next);
    ear.hear("STOPPING=1");
    wait::until_true("the control socket to go", SOON, || !socket.exists());
}
