//! A real browser without a window: Chromium, driven through Debian's chromedriver.

use fantoccini::{Client, ClientBuilder};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::child::{self, Process, Signal, Spawn};
use super::folder;

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JavaScript {
    On,
    Off,
}

/// A browser with a new, empty profile, and its driver.
#[derive(Debug)]
pub struct Browser {
    /// What a test clicks and reads with.
    pub page: Client,
    driver: Process,
    profile: TempDir,
}

impl Browser {
    pub async fn open(javascript: JavaScript) -> Self {
        super::install_crypto_provider();
        let profile = folder::new("browser");
        let (port, driver) = child::serve("chromedriver", spawn, is_ready);
        let page = ClientBuilder::rustls()
            .expect("a connector")
            .capabilities(capabilities(&profile, javascript))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a browser; `make setup` installs it");
        Self { page, driver, profile }
    }

    /// Everything a person can read on the page.
    pub async fn text(&self) -> String {
        let body = self.page.find(fantoccini::Locator::Css("body")).await.expect("a body");
        body.text().await.expect("text")
    }

    /// Closes the window and its driver. A browser that is only dropped is killed.
    pub async fn close(self) {
        self.page.clone().close().await.expect("the driver answers");
    }
}

impl Drop for Browser {
    /// The driver does not take the browser with it: every process that uses this profile is ended, and those are ours.
    fn drop(&mut self) {
        self.driver.signal(Signal::Kill);
        for pid in processes_with(&self.profile.path().display().to_string()) {
            child::send(Signal::Kill, &pid);
        }
    }
}

fn capabilities(profile: &TempDir, javascript: JavaScript) -> Map<String, Value> {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1000,800",
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.path().display()));
    let mut options = json!({ "args": arguments });
    if javascript == JavaScript::Off {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options });
    wanted.as_object().expect("an object").clone()
}

fn spawn(port: u16) -> Process {
    let arguments = [format!("--port={port}"), "--silent".to_owned()];
    Process::start(Spawn { program: "chromedriver", arguments: &arguments, environment: &[], user: None }, Signal::Kill)
}

fn is_ready(port: u16) -> bool {
    super::gateway::status_of(([127, 0, 0, 1], port).into(), "/status") == Some(200)
}

/// The processes with a text in their command line.
fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("Linux");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(text)))
        .collect()
}
