//! Doorward as a library: the example really runs, and somebody signs in through it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use doorward::Gateway;
use doorward::config::Config;
use doorward::gateway::Stop;
use doorward::id::AccountId;
use doorward::outage::Outage;
use doorward::signin::{Account, Accounts, Channel, Deliver, Errand, Handle, Message};
use serde_json::{Value, json};

use crate::support::child::{self, Output, Process, Signal, Spawn};
use crate::support::client::Person;
use crate::support::gateway::{command, status_of};
use crate::support::upstream::Upstream;
use crate::support::{folder, ports, wait};

const SOURCE: &str = include_str!("../../../examples/own_delivery.rs");

/// The example, built as its first lines say, with the features that these tests have: the package is there as it needs it.
fn example() -> PathBuf {
    let features = [("mongodb", cfg!(feature = "mongodb")), ("otel", cfg!(feature = "otel"))];
    let features: Vec<_> = features.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect();
    let arguments = ["build", "--locked", "--example", "own_delivery", "--features", &features.join(",")];
    let built = Command::new(env!("CARGO")).args(arguments).output().expect("cargo");
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

/// People who are known to this program alone.
#[derive(Clone, Default)]
struct Members(Arc<Mutex<Vec<Account>>>);

impl Members {
    fn all(&self) -> MutexGuard<'_, Vec<Account>> {
        self.0.lock().expect("no holder panics")
    }

    fn one(&self, is_it: impl Fn(&Account) -> bool) -> Option<Account> {
        self.all().iter().find(|account| is_it(account)).cloned()
    }
}

#[async_trait]
impl Accounts for Members {
    async fn find(&self, id: &AccountId) -> Result<Option<Account>, Outage> {
        Ok(self.one(|account| account.id == *id))
    }

    async fn find_by_handle(&self, handle: &Handle) -> Result<Option<Account>, Outage> {
        Ok(self.one(|account| account.email.as_deref() == Some(handle.expose())))
    }

    async fn add(&self, account: &Account) -> Result<bool, Outage> {
        let mut added = account.clone();
        added.groups = vec!["members".to_owned()];
        self.all().push(added);
        Ok(true)
    }

    async fn mark_verified(&self, id: &AccountId, _handle: &Handle) -> Result<(), Outage> {
        self.all().iter_mut().filter(|account| account.id == *id).for_each(|account| account.email_verified = true);
        Ok(())
    }

    async fn enable(&self, _id: &AccountId) -> Result<bool, Outage> {
        Ok(false)
    }

    async fn list(&self, _after: Option<&AccountId>, _limit: u32) -> Result<Vec<Account>, Outage> {
        Ok(self.all().clone())
    }
}

/// Keeps the codes that are sent.
#[derive(Clone, Default)]
struct Codes(Arc<Mutex<Vec<String>>>);

impl Deliver for Codes {
    fn enqueue(&self, message: Message) -> bool {
        self.0.lock().expect("no holder panics").extend(message.code().map(|code| code.expose().clone()));
        true
    }

    fn is_slow(&self, _channel: Channel) -> bool {
        false
    }

    fn after(&self, pause: Duration, _channel: Channel, errand: Errand) -> bool {
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            errand.await;
        });
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_program_sign_in_and_are_disabled_by_their_id() {
    let app = Upstream::start().await;
    let (folder, public, admin) = (folder::new("library"), ports::free_address(), ports::free_address());
    let file = folder.path().join("doorward.toml");
    let text = format!(
        "public_url = \"http://{public}\"\n[listen]\npublic = [\"{public}\"]\nadmin = \"{admin}\"\n[store]\nurl = \"sqlite:{}/doorward.db\"\n\
         encryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n[cookies]\nsecure = false\n[[delivery.email]]\nkind = \"console\"\n\
         [[route]]\nname = \"app\"\nupstream = [\"{}\"]\ngroups = [\"members\"]\n",
        folder.path().display(),
        app.url()
    );
    std::fs::write(&file, &text).unwrap();
    let config = Config::read("doorward.toml", &text, std::iter::empty()).unwrap();
    let (members, codes, stop) = (Members::default(), Codes::default(), Stop::default());
    let (own, sends, told) = (members.clone(), codes.clone(), stop.clone());
    // It is built where it runs: what it is told when it is ready may be of that thread.
    let running =
        std::thread::spawn(move || Gateway::builder(config).accounts(own).deliver(sends, [Channel::Email]).stop(told).build().run());
    wait::until_true("the gateway to be ready", Duration::from_secs(30), || status_of(admin, "/readyz") == Some(200));

    let ada = Person::at(public);
    assert_eq!(ada.post("/auth/request-otp", &json!({ "email": "ada@example.com" })).await.status, 200);
    let code = || codes.0.lock().expect("no holder panics").first().cloned();
    wait::until_true("a code", Duration::from_secs(10), || code().is_some());
    let verified = ada.post("/auth/verify-otp", &json!({ "email": "ada@example.com", "code": code().unwrap() })).await;
    assert_eq!(verified.status, 200, "{}", verified.text());
    assert_eq!(ada.get("/").await.status, 200);
    assert_eq!(ada.post("/auth/refresh", &json!({})).await.status, 200);
    let known = members.one(|account| account.email.as_deref() == Some("ada@example.com")).expect("she is known");
    assert!(known.email_verified);
    let environment = [("DOORWARD_CONFIG".to_owned(), file.display().to_string())];
    let rows: Value = serde_json::from_str(&command(&["account", "list", "--json"], &environment).1).unwrap();
    assert_eq!((&rows[0]["id"], &rows[0]["email"], &rows[0]["groups"]), (&json!(known.id), &Value::Null, &json!([])));

    assert_eq!(command(&["account", "disable", known.id.as_str()], &environment).0, 0);

    assert_eq!(ada.get("/").await.status, 401);
    stop.stop();
    tokio::task::spawn_blocking(move || running.join().expect("no panic").expect("it ran")).await.unwrap();
}
