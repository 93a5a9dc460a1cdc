//! Doorward as a library: the example really runs, and somebody signs in through it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::child::{self, Output, Process, Signal, Spawn};
use crate::support::client::Person;
use crate::support::gateway::status_of;
use crate::support::upstream::Upstream;
use crate::support::{folder, ports, wait};

const SOURCE: &str = include_str!("../../../examples/own_delivery.rs");

/// The example, built as its first lines say.
fn example() -> PathBuf {
    let built = Command::new(env!("CARGO")).args(["build", "--locked", "--example", "own_delivery"]).output().expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Path::new(env!("CARGO_BIN_EXE_doorward")).parent().expect("a folder").join("examples/own_delivery")
}

#[test]
fn the_example_is_short() {
    assert!(SOURCE.lines().count() < 60, "{} lines", SOURCE.lines().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_through_the_example() {
    let app = Upstream::start().await;
    let (folder, public, admin) = (folder::new("library"), ports::free_address(), ports::free_address());
    let (file, database) = (folder.path().join("doorward.toml"), folder.path().join("doorward.db"));
    let text = format!(
        "public_url = \"http://{public}\"\n[listen]\npublic = [\"{public}\"]\nadmin = \"{admin}\"\n[store]\nurl = \"sqlite:{}\"\n\
         encryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n[cookies]\nsecure = false\n[[delivery.email]]\nkind = \"console\"\n\
         [[route]]\nname = \"app\"\nupstream = [\"{}\"]\ngroups = [\"staff\"]\n",
        database.display(),
        app.url()
    );
    std::fs::write(&file, text).unwrap();
    let program = tokio::task::spawn_blocking(example).await.unwrap().display().to_string();
    let (output, arguments) = (Output::default(), [file.display().to_string()]);
    let spawn = Spawn { program: &program, arguments: &arguments, environment: &[], user: None };
    let mut process = Process::start_into(spawn, Signal::Term, output.clone());
    child::await_ready("the example", &mut process, || status_of(admin, "/readyz") == Some(200));

    let (ada, eve) = (Person::at(public), Person::at(public));
    for (person, email) in [(&ada, "ada@example.com"), (&eve, "eve@evil.com")] {
        assert_eq!(person.post("/auth/request-otp", &json!({ "email": email })).await.status, 200);
        let said = format!("pigeon to {email}: ");
        let code = || output.text().lines().find_map(|line| Some(line.strip_prefix(&said)?.to_owned()));
        wait::until_true(&format!("a pigeon to {email}"), Duration::from_secs(10), || code().is_some());
        let verified = person.post("/auth/verify-otp", &json!({ "email": email, "code": code().unwrap() })).await;
        assert_eq!(verified.status, 200, "{}", verified.text());
    }

    assert_eq!((ada.get("/").await.status, eve.get("/").await.status), (200, 403));
    assert_eq!(app.last().header("remote-groups").as_deref(), Some("staff"));
}
