//! Unix sockets: for proxies on the same machine, with the file's mode as the door.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::{configuration, public};
use crate::support::curl::{Curled, curl};
use crate::support::gateway::{self, Gateway, Place};
use crate::support::upstream::Upstream;
use crate::support::{folder, ports};

/// A configuration whose public listener has a socket in the folder too.
fn with_socket(place: &Place, listen: &str, app: &str) -> String {
    let socket = place.folder.join("public.sock");
    let more = format!("public = [\"{}\", \"unix:{}\"]", place.public, socket.display());
    let text = configuration(place, listen, &public("app", &[app], ""));
    text.replace(&format!("public = [\"{}\"]", place.public), &more)
}

fn call(socket: &Path, options: &[&str]) -> Curled {
    let socket = socket.display().to_string();
    curl(&[&["--unix-socket", &socket, "http://a.example/page"], options].concat())
}

fn socket(gateway: &Gateway) -> std::path::PathBuf {
    gateway.config().with_file_name("public.sock")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_served_through_a_socket() {
    let app = Upstream::start().await;
    let mut gateway = Gateway::start(|place| with_socket(place, "unix_mode = \"0600\"", &app.url()));
    let path = socket(&gateway);

    let reply = call(&path, &[]);

    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(app.last().header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(gateway.terminate().success());
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_through_it_is_believed_only_where_that_is_said() {
    let app = Upstream::start().await;
    let forwarded = ["-H", "X-Forwarded-For: 192.0.2.7", "-H", "X-Forwarded-Proto: https"];
    for (listen, client, proto) in [
        ("", "127.0.0.1", "http"),
        ("trusted_proxies = [\"127.0.0.0/8\"]", "127.0.0.1", "http"),
        ("trusted_proxies = [\"unix\"]", "192.0.2.7, 127.0.0.1", "https"),
    ] {
        let gateway = Gateway::start(|place| with_socket(place, listen, &app.url()));
        assert_eq!(call(&socket(&gateway), &forwarded).status, 200);

        let seen = app.last();
        assert_eq!(seen.header("x-forwarded-for").as_deref(), Some(client), "{listen}");
        assert_eq!(seen.header("x-forwarded-proto").as_deref(), Some(proto), "{listen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_taken_over() {
    let app = Upstream::start().await;
    let mut gateway = Gateway::start(|place| with_socket(place, "", &app.url()));
    gateway.kill9();
    assert!(socket(&gateway).exists());

    gateway.restart();

    assert_eq!(call(&socket(&gateway), &[]).status, 200);
}

#[test]
fn a_socket_that_is_listened_on_and_a_file_that_is_none_are_left_alone() {
    let folder = folder::new("sockets");
    let place = Place { public: ports::free_address(), admin: ports::free_address(), folder: folder.path().to_owned() };
    let file = folder.path().join("doorward.toml");
    std::fs::write(&file, with_socket(&place, "", "http://127.0.0.1:1")).unwrap();
    let start = || gateway::command(&["serve", "--config", &file.display().to_string()], &[]);
    let path = folder.path().join("public.sock");

    let alive = UnixListener::bind(&path).unwrap();
    let (code, _, complaint) = start();
    assert_eq!(code, 1);
    assert!(complaint.contains("listen.public: cannot listen on unix:") && complaint.contains("another process"), "{complaint}");
    drop(alive);

    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    let (code, _, complaint) = start();
    assert_eq!(code, 1);
    assert!(complaint.contains("no socket"), "{complaint}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_can_be_a_socket() {
    let app = Upstream::start().await;
    let folder = folder::new("admin");
    let place = Place { public: ports::free_address(), admin: ports::free_address(), folder: folder.path().to_owned() };
    let path = folder.path().join("admin.sock");
    let text = configuration(&place, "", &public("app", &[&app.url()], ""));
    let text = text.replace(&format!("admin = \"{}\"", place.admin), &format!("admin = \"unix:{}\"", path.display()));
    let file = folder.path().join("doorward.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let _process = gateway::start_command(&["serve", "--config", &file], &[]);
    let ready = || gateway::command(&["healthcheck", "--config", &file], &[]).0 == 0;
    crate::support::wait::until_true("the gateway to be healthy", std::time::Duration::from_secs(20), ready);

    let metrics = curl(&["--unix-socket", &path.display().to_string(), "http://localhost/metrics"]);

    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("doorward_build_info"), "{metrics:?}");
}
