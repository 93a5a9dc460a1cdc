//! A real sentinel, which watches a real primary and its replica.

use std::collections::HashMap;
use std::time::Duration;

use redis::Value;
use tempfile::TempDir;

use super::child::{self, Process, Signal, Spawn};
use super::redis::Redis;
use super::{folder, wait};

/// What the sentinel calls the primary.
pub const NAME: &str = "main";

/// How long the sentinel may need to see what there is, and to put a replica in office.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two servers and their sentinel.
pub struct Watched {
    /// Each may be the primary.
    pub servers: [Redis; 2],
    port: u16,
    _sentinel: Process,
    _folder: TempDir,
}

impl Watched {
    /// The first is the primary, and the other has all of it.
    pub fn start() -> Self {
        let servers = [Redis::start(), Redis::start()];
        let folder = folder::new("sentinel");
        servers[1].command::<()>(&["REPLICAOF", "127.0.0.1", &servers[0].port().to_string()]);
        let config = format!(
            "dir {}\nsentinel monitor {NAME} 127.0.0.1 {} 1\nsentinel down-after-milliseconds {NAME} 300\nsentinel failover-timeout {NAME} 2000\n",
            folder.path().display(),
            servers[0].port()
        );
        let spawn = |port: u16| {
            let file = folder.path().join(format!("sentinel-{port}.conf"));
            std::fs::write(&file, format!("bind 127.0.0.1\nport {port}\n{config}")).expect("a writable folder");
            let arguments = [file.display().to_string(), "--sentinel".to_owned()];
            Process::start(Spawn { program: "redis-server", arguments: &arguments, environment: &[], user: None }, Signal::Kill)
        };
        let (port, sentinel) = child::serve("the sentinel", spawn, |port| ask(port, &["PING"]).is_some());
        let watched = Self { servers, port, _sentinel: sentinel, _folder: folder };
        watched.wait_for_replica();
        watched
    }

    /// For `redis.url`: this sentinel, and one that is not there.
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:9,127.0.0.1:{}/{NAME}", self.port)
    }

    /// Which of the servers the sentinel takes for the primary.
    pub fn primary(&self) -> usize {
        let address = ask(self.port, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).unwrap_or(Value::Nil);
        let (_, port): (String, u16) = redis::from_redis_value(address).expect("an address");
        self.servers.iter().position(|server| server.port() == port).expect("one of them")
    }

    /// Waits until the sentinel has put the other one in office.
    pub fn wait_for_primary(&self, place: usize) {
        wait::until_true("another primary", PATIENCE, || {
            self.primary() == place && role(&self.servers[place]).as_deref() == Some("master")
        });
    }

    /// Does the sentinel take what listens at this port for a replica, that is up?
    fn knows(&self, port: u16) -> bool {
        let replicas = ask(self.port, &["SENTINEL", "REPLICAS", NAME]).unwrap_or(Value::Nil);
        let replicas: Vec<HashMap<String, String>> = redis::from_redis_value(replicas).unwrap_or_default();
        replicas.iter().any(|replica| replica["port"] == port.to_string() && replica["flags"] == "slave")
    }

    /// Waits until the other server is a replica that has all, and the sentinel knows of it.
    pub fn wait_for_replica(&self) {
        let other = 1 - self.primary();
        let is_whole = || {
            let info: String = self.servers[other].try_command(&["INFO", "replication"]).unwrap_or_default();
            info.contains("role:slave") && info.contains("master_link_status:up") && self.knows(self.servers[other].port())
        };
        wait::until_true("a whole replica", PATIENCE, is_whole);
    }
}

fn role(server: &Redis) -> Option<String> {
    let info: String = server.try_command(&["INFO", "replication"]).ok()?;
    info.lines().find_map(|line| line.strip_prefix("role:")).map(str::to_owned)
}

fn ask(port: u16, words: &[&str]) -> Option<Value> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).expect("a URL");
    let mut connection = client.get_connection_with_timeout(Duration::from_secs(1)).ok()?;
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query(&mut connection).ok()
}
