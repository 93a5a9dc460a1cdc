//! A real MariaDB, from mariadb-install-db on.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::child::{self, Process, Signal, Spawn};
use super::folder;

const USER: &str = "doorward";
const PASSWORD: &str = "secret";

/// A server of its own, with data that goes when it is dropped.
#[derive(Debug)]
pub struct MariaDb {
    process: Process,
    port: u16,
    data: TempDir,
    databases: AtomicU32,
}

impl MariaDb {
    /// The server that tests share. Take a [`database`](Self::database) of your own, and do not stop it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server for a test that stops or pauses it.
    pub fn start() -> Self {
        let data = folder::new("mariadb");
        initialise(&data);
        let (port, process) = child::serve("mariadb", |port| spawn(&data, port), |port| is_ready(&data, port));
        let server = Self { process, port, data, databases: AtomicU32::new(0) };
        server.as_root(&format!(
            "CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO {USER}@'%'; \
             CREATE USER IF NOT EXISTS {USER}@'localhost' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO {USER}@'localhost'"
        ));
        server
    }

    /// A new empty database, as a URL.
    pub fn database(&self) -> String {
        let name = format!("doorward_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.as_root(&format!("CREATE DATABASE {name}"));
        format!("mysql://{USER}:{PASSWORD}@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL in the database of a URL and gives the rows as the client prints them: by tabs, without headings.
    pub fn sql(&self, url: &str, sql: &str) -> String {
        let mut arguments = self.client();
        arguments.extend(["-N", "-B", database(url), "-e", sql].map(str::to_owned));
        child::run("mariadb", &arguments, None).trim_end().to_owned()
    }

    /// Everything in a database, as text: to look for what must not be there.
    pub fn dump(&self, url: &str) -> String {
        let mut arguments = self.client();
        arguments.extend(["--skip-extended-insert", "--complete-insert", database(url)].map(str::to_owned));
        child::run("mariadb-dump", &arguments, None)
    }

    /// Ends the server at once, connections and all. What was committed stays.
    pub fn stop(&mut self) {
        self.process.end(Signal::Kill);
    }

    /// Holds it: connections stay open and nobody answers.
    pub fn pause(&mut self) {
        self.process.signal(Signal::Stop);
    }

    pub fn resume(&mut self) {
        self.process.signal(Signal::Cont);
    }

    /// Starts it again on the same port with the same data.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.data, self.port);
        let (data, port) = (&self.data, self.port);
        assert!(
            child::await_ready("mariadb", &mut self.process, || is_ready(data, port)),
            "mariadb did not start again: {}",
            self.process.output().text()
        );
    }

    fn as_root(&self, sql: &str) {
        let mut arguments = self.client();
        arguments.extend(["-e", sql].map(str::to_owned));
        child::run("mariadb", &arguments, None);
    }

    fn client(&self) -> Vec<String> {
        client(&self.data)
    }
}

fn spawn(data: &TempDir, port: u16) -> Process {
    let folder = path(data);
    let mut arguments: Vec<String> = [
        "--no-defaults",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--character-set-server=utf8mb4",
        // The disk is not waited for, the kernel is: what was committed outlives the server, though not the machine.
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=16M",
        "--max-connections=300",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--port={port}"));
    arguments.push(format!("--datadir={folder}/data"));
    arguments.push(format!("--tmpdir={folder}/temporary"));
    arguments.push(format!("--socket={folder}/socket"));
    arguments.push(format!("--pid-file={folder}/pid"));
    arguments.extend(as_self());
    Process::start(Spawn { program: &program("mariadbd"), arguments: &arguments, environment: &[], user: None }, Signal::Kill)
}

/// A server that starts deletes the temporary tables that it finds, those of its neighbours too: each has a folder of its
/// own for them.
fn initialise(data: &TempDir) {
    let temporary = format!("{}/temporary", path(data));
    std::fs::create_dir(&temporary).expect("a folder that is ours");
    let mut arguments = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M"]
        .map(str::to_owned)
        .to_vec();
    arguments.push(format!("--datadir={}/data", path(data)));
    arguments.push(format!("--tmpdir={temporary}"));
    arguments.extend(as_self());
    child::run(&program("mariadb-install-db"), &arguments, None);
}

fn is_ready(data: &TempDir, port: u16) -> bool {
    let mut arguments = client(data);
    arguments.extend(["-N", "-B", "-e", "SELECT @@port"].map(str::to_owned));
    let asked = std::process::Command::new("mariadb").args(&arguments).output();
    asked.is_ok_and(|reply| String::from_utf8_lossy(&reply.stdout).trim() == port.to_string())
}

fn client(data: &TempDir) -> Vec<String> {
    vec!["--no-defaults".to_owned(), format!("--socket={}/socket", path(data)), "--user=root".to_owned()]
}

/// It refuses to run as root unless it is told so.
fn as_self() -> Option<String> {
    child::is_root().then(|| "--user=root".to_owned())
}

/// Debian puts servers where the path of an ordinary user does not look.
fn program(name: &str) -> String {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let found = places.iter().map(|place| format!("{place}/{name}")).find(|path| std::path::Path::new(path).exists());
    found.unwrap_or_else(|| panic!("{name} is not here; `make setup` installs it"))
}

fn database(url: &str) -> &str {
    url.rsplit('/').next().expect("a URL with a database")
}

fn path(folder: &TempDir) -> String {
    folder.path().display().to_string()
}
