//! A real browser without a window: Chromium, driven through Debian's chromedriver.
//!
//! What the driver's own protocol has no word for (colour scheme, exact size, what was loaded) is asked of the tools for
//! developers, to which chromedriver passes it on.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::{ParseError, Url};

use super::child::{self, Process, Signal, Spawn};
use super::{folder, wait};

/// How many browsers may run at once: each takes several processes, and the other tests want to go on.
static SEATS: Semaphore = Semaphore::const_new(2);

/// A page of ours comes at once; a machine that does much else may take its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JavaScript {
    On,
    Off,
}

/// What a person looks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The narrowest that WCAG asks for (1.4.10): 320 pixels.
    Narrow,
    Phone,
    Desktop,
}

impl Window {
    /// Width and height in CSS pixels.
    pub fn size(self) -> (u32, u32) {
        match self {
            Self::Narrow => (320, 640),
            Self::Phone => (390, 844),
            Self::Desktop => (1280, 900),
        }
    }
}

/// Which colours a person has asked their system for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    /// As a style sheet names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Something that the browser has asked a server for.
#[derive(Clone, Debug)]
pub struct Load {
    pub url: Url,
    /// What came over the network, head and body, packed as it was.
    pub bytes: u64,
}

/// A browser with a new, empty profile, and its driver.
#[derive(Debug)]
pub struct Browser {
    /// What a test clicks and reads with.
    pub page: Client,
    driver: Process,
    profile: TempDir,
    _seat: SemaphorePermit<'static>,
}

impl Browser {
    pub async fn open(javascript: JavaScript) -> Self {
        let seat = SEATS.acquire().await.expect("never closed");
        Self::sit(seat, javascript).await
    }

    /// Two browsers at once, for two devices of one person. Opened one after the other, two tests could wait for each
    /// other for ever.
    pub async fn open_two(javascript: JavaScript) -> (Self, Self) {
        let mut seats = SEATS.acquire_many(2).await.expect("never closed");
        let other = seats.split(1).expect("two seats");
        (Self::sit(seats, javascript).await, Self::sit(other, javascript).await)
    }

    async fn sit(seat: SemaphorePermit<'static>, javascript: JavaScript) -> Self {
        super::install_crypto_provider();
        let profile = folder::new("browser");
        let (port, driver) = child::serve("chromedriver", spawn, is_ready);
        let page = ClientBuilder::rustls()
            .expect("a connector")
            .capabilities(capabilities(&profile, javascript))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a browser; `make setup` installs it");
        Self { page, driver, profile, _seat: seat }
    }

    // === going about

    pub async fn goto(&self, url: &str) {
        self.page.goto(url).await.expect("a page");
    }

    pub async fn url(&self) -> Url {
        self.page.current_url().await.expect("a page")
    }

    /// Types into the field with this name, in place of what stands there.
    pub async fn fill(&self, name: &str, value: &str) {
        let field = self.find(&format!("[name={name}]:not([type=hidden])")).await;
        field.clear().await.expect("a field");
        field.send_keys(value).await.expect("a field that takes text");
    }

    /// Clicks what leads to another page, and waits until that is there.
    pub async fn press(&self, what: &str) {
        self.leave(async || self.find(what).await.click().await.expect("something to click")).await;
    }

    /// Does what leads to another page, and waits until that is there.
    pub async fn leave(&self, act: impl AsyncFnOnce()) {
        let old = self.find("html").await;
        act().await;
        let is_gone = || async { old.tag_name().await.is_err().then_some(()) };
        wait::until_async("the next page", PATIENCE, is_gone).await;
        self.find("body").await;
    }

    /// The first element, once there is one.
    pub async fn find(&self, what: &str) -> fantoccini::elements::Element {
        let found = self.page.wait().at_most(PATIENCE).for_element(Locator::Css(what)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("no {what} ({error}) on {}: {}", self.url().await, self.text().await),
        }
    }

    /// Everything a person can read on the page.
    pub async fn text(&self) -> String {
        self.text_of("body").await
    }

    /// What a person can read in an element.
    pub async fn text_of(&self, what: &str) -> String {
        let element = self.page.find(Locator::Css(what)).await.unwrap_or_else(|error| panic!("no {what}: {error}"));
        element.text().await.expect("text")
    }

    /// What a script says, run by the tester and not by the page, so that it runs where pages may not.
    pub async fn ask(&self, script: &str) -> Value {
        self.page.execute(script, vec![]).await.expect("a script that runs")
    }

    // === looking

    /// A window of that size, without the frame that a real one has.
    pub async fn resize(&self, window: Window) {
        let (width, height) = window.size();
        let phone = window != Window::Desktop;
        let scale = if phone { 2 } else { 1 };
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// A system with those colours, and without motion: what is measured is then not on its way to somewhere.
    pub async fn colour(&self, scheme: Scheme) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme.name() },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// A person who reads this language.
    pub async fn speak(&self, language: &str) {
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.setExtraHTTPHeaders", json!({ "headers": { "Accept-Language": language } })).await;
    }

    /// The whole page as a PNG, what is below the edge of the window too.
    pub async fn picture(&self) -> Vec<u8> {
        let wanted = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.devtools("Page.captureScreenshot", wanted).await;
        STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64")
    }

    /// What the browser has asked servers for since the last time this was asked; nothing that it carries itself.
    pub async fn loads(&self) -> Vec<Load> {
        let mut loads: Vec<(Value, Load)> = Vec::new();
        for event in self.log("performance").await.iter().map(event) {
            let params = &event["params"];
            let id = params["requestId"].clone();
            if event["method"] == "Network.requestWillBeSent" {
                let url = Url::parse(params["request"]["url"].as_str().expect("a url")).expect("a url");
                loads.push((id, Load { url, bytes: 0 }));
            } else if event["method"] == "Network.loadingFinished" {
                // A redirect keeps its id: the last is the one that came to an end.
                let load = loads.iter_mut().rfind(|(of, _)| *of == id);
                let bytes = params["encodedDataLength"].as_f64().map_or(0, whole);
                if let Some((_, load)) = load {
                    load.bytes = bytes;
                }
            }
        }
        let is_served = |load: &Load| !matches!(load.url.scheme(), "chrome" | "data" | "blob" | "about");
        loads.into_iter().map(|(_, load)| load).filter(is_served).collect()
    }

    /// What the browser's console complains about, since the last time this was asked: scripts that fail, what the policy stops.
    pub async fn complaints(&self) -> Vec<String> {
        self.log("browser").await.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.command("se/log", json!({ "type": kind })).await;
        entries.as_array().expect("a list").clone()
    }

    async fn devtools(&self, method: &str, params: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": method, "params": params })).await
    }

    async fn command(&self, path: &'static str, body: Value) -> Value {
        self.page.issue_cmd(Command { path, body }).await.unwrap_or_else(|error| panic!("{path}: {error}"))
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

/// A command of chromedriver's own.
#[derive(Debug)]
struct Command {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// An entry of the log of the tools for developers is JSON in JSON.
fn event(entry: &Value) -> Value {
    let message: Value = serde_json::from_str(entry["message"].as_str().expect("text")).expect("JSON");
    message["message"].clone()
}

/// The tools for developers count bytes in floating point.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes, never negative")]
fn whole(bytes: f64) -> u64 {
    bytes as u64
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
        "--hide-scrollbars",
        "--window-size=1000,800",
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.path().display()));
    let mut options = json!({ "args": arguments });
    if javascript == JavaScript::Off {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let logs = json!({ "performance": "ALL", "browser": "ALL" });
    let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs });
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
