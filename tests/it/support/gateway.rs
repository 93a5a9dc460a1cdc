//! The real binary, started as an operator starts it: `doorward serve --config FILE`, on free ports.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;

use super::child::{self, Output, Process, Signal, Spawn};
use super::client::Person;
use super::{folder, ports, wait};

/// The one that was built with these tests, or, to measure, another one: `DOORWARD_TEST_BINARY=target/release/doorward`.
fn binary() -> String {
    std::env::var("DOORWARD_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_doorward").to_owned())
}

/// What a configuration is written for: where this gateway listens, and a folder that is its own.
#[derive(Clone, Debug)]
pub struct Place {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    /// For its SQLite, its keys, its sockets. It goes with the gateway.
    pub folder: PathBuf,
}

/// A running gateway. It ends with the value.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    place: Place,
    folder: TempDir,
    environment: Vec<(String, String)>,
    output: Output,
}

impl Gateway {
    /// Starts a gateway whose configuration is written for the ports it is given, and waits until it is ready.
    pub fn start(configure: impl Fn(&Place) -> String) -> Self {
        Self::start_with(&[], configure)
    }

    /// [`Gateway::start`], with variables in its environment.
    pub fn start_with(environment: &[(&str, &str)], configure: impl Fn(&Place) -> String) -> Self {
        let environment: Vec<_> = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for _ in 0..3 {
            let mut gateway = Self::spawn(environment.clone(), &configure);
            if gateway.is_ready_in_time() {
                return gateway;
            }
            let log = gateway.log();
            assert!(log.contains("in use"), "the gateway did not start: {log}");
        }
        panic!("the gateway found no free port in three tries");
    }

    fn spawn(environment: Vec<(String, String)>, configure: &impl Fn(&Place) -> String) -> Self {
        let folder = folder::new("gateway");
        let place = Place { public: ports::free_address(), admin: ports::free_address(), folder: folder.path().to_owned() };
        std::fs::write(folder.path().join("doorward.toml"), configure(&place)).expect("a writable folder");
        let output = Output::default();
        let process = serve(&folder, &environment, &output, &[]);
        Self { process, place, folder, environment, output }
    }

    pub fn public(&self) -> SocketAddr {
        self.place.public
    }

    pub fn admin(&self) -> SocketAddr {
        self.place.admin
    }

    /// Somebody with an empty cookie jar.
    pub fn person(&self) -> Person {
        Person::at(self.place.public)
    }

    /// Somebody who asks for a host by name.
    pub fn person_at(&self, host: &str) -> Person {
        Person::at_host(self.place.public, host)
    }

    /// A client of the admin listener.
    pub fn operator(&self) -> Person {
        Person::at(self.place.admin)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The configuration file, to be changed while the gateway runs.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("doorward.toml")
    }

    /// Everything it has printed since it was first started.
    pub fn log(&self) -> String {
        self.output.text()
    }

    /// Waits until the log has a line with this text.
    pub fn wait_for_log(&self, text: &str) {
        wait::until_true(&format!("{text:?} in the log"), Duration::from_secs(10), || self.log().contains(text));
    }

    /// Runs another command of the program with this gateway's configuration; gives its exit code and output.
    pub fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        command(arguments, &self.environment_with_config())
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.has_ended().is_some()
    }

    /// As the kernel ends a process: at once, with nothing said.
    pub fn kill9(&mut self) {
        self.process.end(Signal::Kill);
    }

    /// As an operator ends it.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.end(Signal::Term)
    }

    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Starts it again (ended or not), same file, same ports, same log; gives the time until it was ready.
    pub fn restart(&mut self) -> Duration {
        if self.process.has_ended().is_none() {
            self.terminate();
        }
        let begun = std::time::Instant::now();
        self.process = serve(&self.folder, &self.environment, &self.output, &[]);
        assert!(self.is_ready_in_time(), "the gateway did not start again: {}", self.log());
        begun.elapsed()
    }

    /// Starts a new process with the same file, which takes over from this one; gives how this one ended.
    pub fn upgrade(&mut self) -> ExitStatus {
        let new = serve(&self.folder, &self.environment, &self.output, &["--upgrade"]);
        let mut old = std::mem::replace(&mut self.process, new);
        let log = || self.output.text();
        let ended = wait::within(Duration::from_secs(45), || old.has_ended());
        ended.unwrap_or_else(|| panic!("the process before did not leave: {}", log()))
    }

    fn is_ready_in_time(&mut self) -> bool {
        let admin = self.place.admin;
        child::await_ready("the gateway", &mut self.process, || status_of(admin, "/readyz") == Some(200))
    }

    fn environment_with_config(&self) -> Vec<(String, String)> {
        let mut environment = self.environment.clone();
        environment.push(("DOORWARD_CONFIG".to_owned(), self.config().display().to_string()));
        environment
    }
}

/// Runs a command of the program to its end; gives its exit code, what it printed, and what it complained.
pub fn command(arguments: &[&str], environment: &[(String, String)]) -> (i32, String, String) {
    let mut command = std::process::Command::new(binary());
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    let done = command.stdin(std::process::Stdio::null()).output().expect("the binary");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().expect("not killed"), text(&done.stdout), text(&done.stderr))
}

/// Starts any command of the program that runs on, such as `demo`.
pub fn start_command(arguments: &[&str], environment: &[(String, String)]) -> Process {
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    Process::start(Spawn { program: &binary(), arguments: &arguments, environment, user: None }, Signal::Term)
}

/// The status of a GET, or nothing when nobody answers. By hand, because it is asked before a runtime exists.
pub fn status_of(address: SocketAddr, path: &str) -> Option<u16> {
    status_at(address, &address.to_string(), path)
}

/// The same of another host at that address.
pub fn status_at(address: SocketAddr, host: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.split(' ').nth(1)?.parse().ok()
}

fn serve(folder: &TempDir, environment: &[(String, String)], output: &Output, more: &[&str]) -> Process {
    let config = folder.path().join("doorward.toml").display().to_string();
    let arguments: Vec<String> = ["serve", "--config", &config].iter().chain(more).map(|word| (*word).to_owned()).collect();
    Process::start_into(Spawn { program: &binary(), arguments: &arguments, environment, user: None }, Signal::Term, output.clone())
}
