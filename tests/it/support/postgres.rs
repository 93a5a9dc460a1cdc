//! A real PostgreSQL, from initdb on, as Debian packages it (`/usr/lib/postgresql/*/bin`).

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::child::{self, Process, Signal, Spawn};
use super::folder;

const USER: &str = "doorward";

/// A server of its own, with data that goes when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    data: TempDir,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that tests share. Take a [`database`](Self::database) of your own, and do not stop it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server for a test that stops or pauses it.
    pub fn start() -> Self {
        let data = folder::new("postgres");
        let owner = user();
        if let Some(owner) = owner {
            child::run("chown", &[owner.to_owned(), path(&data)], None);
        }
        initialise(&data, owner);
        let (port, process) = child::serve("postgres", |port| spawn(&data, port, owner), is_ready);
        Self { process, port, data, databases: AtomicU32::new(0) }
    }

    /// A new empty database, as a URL.
    pub fn database(&self) -> String {
        let name = format!("doorward_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let url = self.url("postgres");
        self.psql(&url, &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The address of a database by its name.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:secret@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL in a database and gives the rows as `psql` prints them: unaligned, without headings.
    pub fn psql(&self, url: &str, sql: &str) -> String {
        let url = self.own(url);
        let arguments = ["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", url, "-c", sql];
        let printed = child::run(&program("psql"), &arguments.map(str::to_owned), None);
        printed.trim_end().to_owned()
    }

    /// Everything in a database, as text: to look for what must not be there.
    pub fn dump(&self, url: &str) -> String {
        let arguments = ["--inserts", self.own(url)];
        child::run(&program("pg_dump"), &arguments.map(str::to_owned), None)
    }

    /// A test that asks one server about another's database is wrong, and should hear it.
    fn own<'a>(&self, url: &'a str) -> &'a str {
        assert!(url.contains(&format!(":{}/", self.port)), "{url} is a database of another server");
        url
    }

    /// Ends the server at once, connections and all. What was committed stays.
    pub fn stop(&mut self) {
        self.process.end(Signal::Quit);
    }

    /// Holds it: connections stay open and nobody answers.
    pub fn pause(&mut self) {
        self.signal_all(Signal::Stop);
    }

    pub fn resume(&mut self) {
        self.signal_all(Signal::Cont);
    }

    /// A connection is served by a process of its own: pausing the first one alone holds only newcomers.
    fn signal_all(&mut self, signal: Signal) {
        self.process.signal(signal);
        for backend in child::children_of(self.process.pid()) {
            child::send(signal, &backend);
        }
    }

    /// Starts it again on the same port with the same data.
    pub fn start_again(&mut self) {
        // The lock file of a server that was cut off names a process that is no more.
        self.process = spawn(&self.data, self.port, user());
        let port = self.port;
        assert!(
            child::await_ready("postgres", &mut self.process, || is_ready(port)),
            "postgres did not start again: {}",
            self.process.output().text()
        );
    }
}

fn spawn(data: &TempDir, port: u16, owner: Option<&str>) -> Process {
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        // The disk is not waited for, the kernel is: what was committed outlives the server, though not the machine.
        "fsync=off",
        "synchronous_commit=on",
        "full_page_writes=off",
        "shared_buffers=32MB",
        "max_connections=300",
    ];
    let mut arguments = vec!["-D".to_owned(), path(data), "-p".to_owned(), port.to_string()];
    arguments.extend(settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
    // SIGQUIT is PostgreSQL's "immediately": it leaves no shared memory behind, as SIGKILL would.
    Process::start(Spawn { program: &program("postgres"), arguments: &arguments, environment: &[], user: owner }, Signal::Quit)
}

fn initialise(data: &TempDir, owner: Option<&str>) {
    let folder = path(data);
    let arguments = ["-D", &folder, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"];
    child::run(&program("initdb"), &arguments.map(str::to_owned), owner);
}

fn is_ready(port: u16) -> bool {
    Command::new(program("pg_isready"))
        .args(["-q", "-h", "127.0.0.1", "-t", "1", "-p", &port.to_string()])
        .status()
        .is_ok_and(|status| status.success())
}

/// PostgreSQL refuses to run as root; Debian makes a user for it.
fn user() -> Option<&'static str> {
    child::is_root().then_some("postgres")
}

/// The newest installed version's program.
fn program(name: &str) -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL; `make setup` installs it");
    let mut found: Vec<PathBuf> =
        versions.flatten().map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().expect("a PostgreSQL server; `make setup` installs it").display().to_string()
}

fn path(folder: &TempDir) -> String {
    folder.path().display().to_string()
}
