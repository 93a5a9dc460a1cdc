//! Clients that can send nothing but a user name and a password: git, pip, curl.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{basic, key, place};
use crate::flow::place::code_of;
use crate::support::child::{self, Process, Signal, Spawn};
use crate::support::curl;
use crate::support::gateway::{self, Gateway};
use crate::support::{folder, python};

/// A web server for files, and a gateway in front of it that asks for a user name and a password.
struct Shelf {
    gateway: Gateway,
    _server: Process,
    folder: tempfile::TempDir,
}

impl Shelf {
    async fn new() -> Self {
        let folder = folder::new("shelf");
        let path = folder.path().display().to_string();
        tokio::task::spawn_blocking(move || {
            let is_open = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            let (port, server) = child::serve("the web server", |port| files(&path, port), is_open);
            let gateway = Gateway::start(|place| configuration(place, port));
            Self { gateway, _server: server, folder }
        })
        .await
        .unwrap()
    }

    fn url(&self, credential: &str, path: &str) -> String {
        format!("http://{credential}{}{path}", self.gateway.public())
    }
}

fn files(path: &str, port: u16) -> Process {
    let interpreter = python::interpreter().display().to_string();
    let arguments = ["-m", "http.server", "--bind", "127.0.0.1", "--directory", path, &port.to_string()].map(str::to_owned);
    Process::start(Spawn { program: &interpreter, arguments: &arguments, environment: &[], user: None }, Signal::Kill)
}

fn configuration(place: &gateway::Place, port: u16) -> String {
    let gateway::Place { public, admin, folder } = place;
    format!(
        r#"
public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
[store]
url = "sqlite:{}/doorward.db"
encryption_key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
[cookies]
secure = false
[[delivery.email]]
kind = "console"
[development]
enabled = true
[[route]]
name = "shelf"
upstream = ["http://127.0.0.1:{port}"]
challenge = "basic"
"#,
        folder.display()
    )
}

/// Runs a program without a person beside it; what it said, and whether it did its work.
fn run(program: &str, arguments: &[&str], at: &Path) -> (bool, String) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(at).env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", at);
    command.env("GIT_ASKPASS", "true").env("PIP_NO_INPUT", "1").env("PIP_CONFIG_FILE", "/dev/null").env("no_proxy", "*");
    let done = command.stdin(Stdio::null()).output().expect("the program");
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn must(program: &str, arguments: &[&str], at: &Path) -> String {
    let (done, said) = run(program, arguments, at);
    assert!(done, "{program} {arguments:?}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn git_clones_with_a_key_as_its_password() {
    let shelf = Shelf::new().await;
    let made = key(&shelf.gateway, &["ci", "--scope", "route:shelf:GET"]);
    let work = folder::new("work");
    let (at, bare) = (work.path(), shelf.folder.path().join("app.git"));
    must("git", &["init", "-q", "app"], at);
    std::fs::write(at.join("app/readme"), "hello").unwrap();
    let app = at.join("app");
    must("git", &["add", "readme"], &app);
    must("git", &["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-qm", "One"], &app);
    must("git", &["clone", "-q", "--bare", "app", &bare.display().to_string()], at);
    must("git", &["update-server-info"], &bare);

    let cloned = run("git", &["clone", "-q", &shelf.url(&format!("me:{made}@"), "/app.git"), "cloned"], at);
    let without = run("git", &["clone", "-q", &shelf.url("", "/app.git"), "without"], at);
    let wrong = run("git", &["clone", "-q", &shelf.url(&format!("me:{}@", &made[..74]), "/app.git"), "wrong"], at);

    assert!(cloned.0, "{}", cloned.1);
    assert_eq!(std::fs::read_to_string(at.join("cloned/readme")).unwrap(), "hello");
    assert!(!without.0 && !at.join("without/readme").exists(), "{}", without.1);
    assert!(!wrong.0 && wrong.1.contains("Authentication failed"), "{}", wrong.1);
    assert!(!shelf.gateway.log().contains("dwk_"));
}

/// A wheel that holds one module.
const WHEEL: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    info = 'parcel-1.0.dist-info/'
    wheel.writestr('parcel.py', 'WHAT = 1')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: parcel\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', '')
";

#[tokio::test(flavor = "multi_thread")]
async fn pip_downloads_with_a_key_as_its_password() {
    let shelf = Shelf::new().await;
    let made = key(&shelf.gateway, &["ci", "--scope", "route:shelf"]);
    let index = shelf.folder.path().join("simple/parcel");
    std::fs::create_dir_all(&index).unwrap();
    let wheel = "parcel-1.0-py3-none-any.whl";
    python::run(WHEEL, &[&index.join(wheel).display().to_string()]);
    let work = folder::new("work");
    let python = python::interpreter().display().to_string();
    let download = |credential: &str, into: &str| {
        let url = shelf.url(credential, "/simple/");
        let arguments =
            ["-m", "pip", "download", "--no-deps", "--no-cache-dir", "--retries", "0", "--index-url", &url, "-d", into, "parcel"];
        run(&python, &arguments, work.path())
    };

    let got = download(&format!("me:{made}@"), "got");
    let without = download("", "without");

    assert!(got.0 && work.path().join("got").join(wheel).exists(), "{}", got.1);
    assert!(!without.0 && !work.path().join("without").join(wheel).exists(), "{}", without.1);
    assert!(!shelf.gateway.log().contains("dwk_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_asks_for_a_password_and_others_do_not() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:git"]);
    let address = place.gateway.public();
    let at = |path: &str, options: &[&str]| curl::at(address, &format!("http://{address}{path}"), options);
    let basic_of = |curled: &curl::Curled| {
        let asked =
            |(name, value): &&(String, String)| name.eq_ignore_ascii_case("www-authenticate") && value.starts_with("Basic realm=\"");
        curled.headers.iter().filter(asked).count()
    };

    let (asked, not_asked) = (at("/git/x", &[]), at("/page", &[]));
    // It sends the password only when it is asked for one.
    let answered = at("/git/x", &["--anyauth", "--user", &format!("me:{made}")]);
    let wrong = at("/git/x", &["--anyauth", "--user", "me:dwk_wrong"]);

    assert_eq!((asked.status, basic_of(&asked)), (401, 1));
    assert_eq!((not_asked.status, basic_of(&not_asked)), (401, 0));
    assert!(answered.said.contains("< HTTP/1.1 200 "), "{}", answered.said);
    assert_eq!(place.upstream.count(), 1);
    assert!(!wrong.said.contains("< HTTP/1.1 200 "), "{}", wrong.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_sent_to_sign_in_and_never_asked_for_a_password() {
    let place = place().await;
    let page = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for headers in [[("Accept", page), ("Sec-Fetch-Mode", "navigate")], [("Accept", page), ("Accept-Language", "en")]] {
        let person = place.person();
        let request =
            headers.iter().fold(person.request(http::Method::GET, "/git/x"), |request, (name, value)| request.header(name, value));
        let reply = request.send().await;
        assert_eq!(reply.status, 302);
        assert_eq!(reply.all("www-authenticate"), Vec::<String>::new());
    }
    let pip = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
    let person = place.person();
    let reply =
        person.request(http::Method::GET, "/git/x").header("Accept", pip).header("Authorization", &basic("me", "dwk_x")).send().await;
    assert_eq!((reply.status, code_of(&reply).as_str()), (401, "invalid_token"));
    assert_eq!(place.upstream.count(), 0);
}
