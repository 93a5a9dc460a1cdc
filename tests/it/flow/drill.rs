//! Ten thousand requests while everything around them changes: the configuration is reloaded, the certificate replaced, the
//! process upgraded, an app killed and started again. None fails but those that were in flight at the app that was killed, and
//! must not be sent twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, Method};
use tokio::runtime::Handle;

use super::place::ENCRYPTION_KEY;
use crate::support::child::Signal;
use crate::support::gateway::{Gateway, Place};
use crate::support::tls::{Authority, Pair};
use crate::support::upstream::Upstream;
use crate::support::wait;

const REQUESTS: usize = 10_000;
const CLIENTS: usize = 6;
const RELOADS: usize = 20;
const CERTIFICATES: usize = 5;
const UPGRADES: usize = 3;
const KILLS: usize = 5;
/// Between two changes at least so many requests are answered.
const BETWEEN: usize = 50;
const PATIENCE: Duration = Duration::from_secs(60);

fn configuration(place: &Place, apps: [SocketAddr; 2], certificate: &Pair) -> String {
    let Place { public, admin, folder } = place;
    format!(
        r#"public_url = "https://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
workers = 2
connections_per_address = 20000
upgrade_socket = "{folder}/upgrade.sock"
[tls]
certificate = [{certificate}]
[store]
url = "sqlite:{folder}/doorward.db"
encryption_key = "{ENCRYPTION_KEY}"
[telemetry]
log = "access=off,info"
[[delivery.email]]
kind = "console"
[[route]]
name = "app"
upstream = ["http://{}", "http://{}"]
require = "public"
"#,
        apps[0],
        apps[1],
        folder = folder.display(),
        certificate = certificate.toml(),
    )
}

/// A request that was not answered as it should be.
#[derive(Clone, Debug)]
struct Failure {
    method: Method,
    what: String,
    at: Instant,
}

/// What the clients share.
#[derive(Default)]
struct Crowd {
    answered: AtomicUsize,
    is_over: AtomicBool,
}

impl Crowd {
    fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    /// Until so many more were answered.
    fn go_on(&self, more: usize) {
        let goal = self.answered() + more;
        wait::until_true("more answers", PATIENCE, || self.answered() >= goal);
    }
}

/// Asks again and again, one request in ten not to be sent twice.
async fn ask(client: Client, url: String, crowd: Arc<Crowd>) -> Vec<Failure> {
    let mut failures = Vec::new();
    for number in 0_usize.. {
        if crowd.is_over.load(Ordering::SeqCst) {
            break;
        }
        let method = if number.is_multiple_of(10) { Method::POST } else { Method::GET };
        let answer = match client.request(method.clone(), &url).send().await {
            Ok(answer) => Ok((answer.status().as_u16(), answer.bytes().await)),
            Err(error) => Err(error),
        };
        match answer {
            Ok((200, Ok(_))) => {}
            other => failures.push(Failure { method, what: format!("{other:?}"), at: Instant::now() }),
        }
        crowd.answered.fetch_add(1, Ordering::SeqCst);
    }
    failures
}

/// What is changed meanwhile, on a thread of its own.
struct Operator {
    gateway: Gateway,
    authority: Authority,
    certificate: Pair,
    crowd: Arc<Crowd>,
}

impl Operator {
    fn reload(&mut self, number: usize) {
        let file = self.gateway.config();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}# reload {number}\n")).unwrap();
        self.hang_up();
    }

    fn hang_up(&mut self) {
        let said = || self.gateway.log().matches("the configuration was read again, and counts").count();
        let before = said();
        let pid = self.gateway.pid().to_string();
        crate::support::child::send(Signal::Hup, &pid);
        wait::until_true("the configuration to be read again", PATIENCE, || said() > before);
    }

    fn renew(&mut self) {
        self.authority.server(&["app.example"]).replace(&self.certificate);
        self.hang_up();
    }

    fn upgrade(&mut self) {
        let socket = self.gateway.config().with_file_name("upgrade.sock");
        wait::until_true("the control socket", PATIENCE, || socket.exists());
        assert!(self.gateway.upgrade().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_survive_every_change() {
    let authority = Authority::new("ours");
    let certificate = authority.server(&["app.example"]);
    let (steady, mortal) = (Upstream::start().await, Upstream::start().await);
    let apps = [steady.address(), mortal.address()];
    let theirs = certificate.clone();
    let gateway = tokio::task::spawn_blocking(move || Gateway::start(|place| configuration(place, apps, &theirs))).await.unwrap();
    let root = Certificate::from_pem(&std::fs::read(authority.file()).unwrap()).unwrap();
    let builder = || Client::builder().tls_certs_only([root.clone()]).no_proxy().timeout(Duration::from_secs(30));
    let crowd = Arc::new(Crowd::default());
    let url = format!("https://app.example:{}/", gateway.public().port());
    let clients: Vec<_> = std::iter::repeat_with(|| {
        let client = builder().resolve("app.example", gateway.public()).build().unwrap();
        tokio::spawn(ask(client, url.clone(), Arc::clone(&crowd)))
    })
    .take(CLIENTS)
    .collect();

    let (mut operator, runtime) = (Operator { gateway, authority, certificate, crowd: Arc::clone(&crowd) }, Handle::current());
    let changes = tokio::task::spawn_blocking(move || {
        let mut mortal = Some(mortal);
        let mut killed = Vec::new();
        for number in 0..RELOADS {
            operator.reload(number);
            operator.crowd.go_on(BETWEEN);
            if number < CERTIFICATES {
                operator.renew();
                operator.crowd.go_on(BETWEEN);
            }
            if number % 6 == 5 && number / 6 < UPGRADES {
                operator.upgrade();
                operator.crowd.go_on(BETWEEN);
            }
            if number % 4 == 3 && number / 4 < KILLS {
                killed.push(Instant::now());
                drop(mortal.take());
                operator.crowd.go_on(BETWEEN);
                mortal = Some(runtime.block_on(Upstream::start_at(apps[1])));
                operator.crowd.go_on(BETWEEN);
            }
        }
        wait::until_true("all requests", PATIENCE, || operator.crowd.answered() >= REQUESTS);
        (operator, killed, mortal)
    });
    let (operator, killed, _mortal) = changes.await.unwrap();
    crowd.is_over.store(true, Ordering::SeqCst);
    let mut failures = Vec::new();
    for client in clients {
        failures.extend(client.await.unwrap());
    }

    assert!(crowd.answered() >= REQUESTS);
    assert_eq!(killed.len(), KILLS);
    let at_the_killed = |failure: &Failure| {
        let since = killed.iter().filter_map(|at| failure.at.checked_duration_since(*at)).min();
        failure.method == Method::POST && failure.what.contains("502") && since.is_some_and(|since| since < Duration::from_secs(5))
    };
    let others: Vec<_> = failures.iter().filter(|failure| !at_the_killed(failure)).collect();
    assert!(others.is_empty(), "{} of {} failed: {:?}\n{}", others.len(), crowd.answered(), others, operator.gateway.log());
    // Each kill takes at most what each client had in flight.
    assert!(failures.len() <= KILLS * CLIENTS, "{failures:?}");
    eprintln!("{} requests, {} of them in flight at an app that was killed and lost", crowd.answered(), failures.len());
}
