//! A real cluster of Redis: three primaries, and a replica of the one that has Doorward's keys.

use std::sync::OnceLock;
use std::time::Duration;

use super::child::Signal;
use super::redis::Redis;
use super::{ports, wait};

/// What all keys are hashed by: `redis.prefix` as it is when nothing is said.
const TAG: &str = "doorward";

/// The first and the last slot of each primary.
const RANGES: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

/// How long a cluster may need to see what there is, and to put a replica in office.
const PATIENCE: Duration = Duration::from_secs(60);

/// One server of a cluster, and the port on which it speaks with the others.
pub struct Node {
    pub redis: Redis,
    bus: String,
}

/// Three primaries, then the replica.
pub struct Cluster {
    pub nodes: Vec<Node>,
    /// The slot of Doorward's keys.
    slot: String,
}

impl Node {
    fn start() -> Self {
        let bus = ports::free().to_string();
        Self { redis: Redis::start_with(&arguments(&bus)), bus }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.redis.stop(Signal::Kill);
    }

    /// Starts it again, empty; it knows the others still.
    pub fn start_again(&mut self) {
        self.redis.start_again_with(&arguments(&self.bus));
    }

    fn name(&self) -> String {
        self.redis.command(&["CLUSTER", "MYID"])
    }

    fn says(&self, command: &str, text: &str) -> bool {
        let words: Vec<&str> = command.split(' ').collect();
        self.redis.try_command::<String>(&words).is_ok_and(|said| said.contains(text))
    }

    /// Has it Doorward's slot, in its own eyes, and does it answer for it?
    fn is_owner(&self) -> bool {
        self.redis.try_command::<Option<String>>(&["GET", &format!("{{{TAG}}}:test")]).is_ok()
    }
}

/// A node counts as dead after a second, and a replica may take over however late it is.
fn arguments(bus: &str) -> [&str; 8] {
    ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0", "--cluster-port", bus]
}

impl Cluster {
    pub fn start() -> Self {
        let nodes: Vec<_> = (0..4).map(|_| Node::start()).collect();
        for (number, (node, (first, last))) in nodes.iter().zip(RANGES).enumerate() {
            node.redis.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
            node.redis.command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        let (first, others) = nodes.split_first().expect("four");
        for node in others {
            node.redis.command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &first.redis.port().to_string(), &first.bus]);
        }
        let slot: i64 = first.redis.command(&["CLUSTER", "KEYSLOT", TAG]);
        let cluster = Self { slot: slot.to_string(), nodes };
        cluster.wait_until_whole();
        let owner = cluster.nodes[cluster.owner()].name();
        let replicates = || cluster.nodes[3].redis.try_command::<()>(&["CLUSTER", "REPLICATE", &owner]).is_ok();
        wait::until_true("the replica to know its primary", PATIENCE, replicates);
        cluster.wait_for_replica(3);
        cluster
    }

    /// A cluster of one, for all tests of this process: each has a prefix of its own.
    pub fn of_one() -> &'static Node {
        static NODE: OnceLock<Node> = OnceLock::new();
        NODE.get_or_init(|| {
            let node = Node::start();
            node.redis.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
            wait::until_true("the cluster to be whole", PATIENCE, || node.says("CLUSTER INFO", "cluster_state:ok"));
            node
        })
    }

    /// For `redis.url`: a seed that is not there, and two that are.
    pub fn url(&self) -> String {
        self.url_with("", &[0, 2])
    }

    /// With what stands before the `@`, and these seeds behind one that is not there.
    pub fn url_with(&self, user: &str, seeds: &[usize]) -> String {
        let seeds: Vec<_> = seeds.iter().map(|number| format!("127.0.0.1:{}", self.nodes[*number].redis.port())).collect();
        format!("redis+cluster://{user}127.0.0.1:9,{}", seeds.join(","))
    }

    /// Which of the nodes has Doorward's keys.
    pub fn owner(&self) -> usize {
        let owner = || self.nodes.iter().position(Node::is_owner);
        wait::until("somebody to have the slot", PATIENCE, owner)
    }

    /// Waits until all four know one another, and think that all is well.
    pub fn wait_until_whole(&self) {
        let is_whole = |node: &Node| node.says("CLUSTER INFO", "cluster_state:ok") && node.says("CLUSTER INFO", "cluster_known_nodes:4");
        wait::until_true("the cluster to be whole", PATIENCE, || self.nodes.iter().all(is_whole));
    }

    /// Waits until this one has Doorward's keys, in the eyes of all who are there.
    pub fn wait_for_owner(&self, number: usize) {
        wait::until_true("another owner", PATIENCE, || self.nodes[number].is_owner());
    }

    /// Waits until this one is a replica that has all.
    pub fn wait_for_replica(&self, number: usize) {
        let node = &self.nodes[number];
        let is_whole = || node.says("INFO replication", "role:slave") && node.says("INFO replication", "master_link_status:up");
        wait::until_true("a whole replica", PATIENCE, is_whole);
        self.wait_until_whole();
    }

    /// The keys of Doorward on this node.
    pub fn keys(&self, number: usize) -> Vec<String> {
        self.nodes[number].redis.keys()
    }

    /// Begins to move Doorward's slot: whoever has it knows it, and so does whoever will.
    pub fn begin_move(&self, from: usize, to: usize) {
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        target.redis.command::<()>(&["CLUSTER", "SETSLOT", &self.slot, "IMPORTING", &source.name()]);
        source.redis.command::<()>(&["CLUSTER", "SETSLOT", &self.slot, "MIGRATING", &target.name()]);
    }

    /// Moves the keys that are wanted; how many that were.
    pub fn move_keys(&self, from: usize, to: usize, is_wanted: impl Fn(&str) -> bool) -> usize {
        let port = self.nodes[to].redis.port().to_string();
        let keys: Vec<_> = self.keys(from).into_iter().filter(|key| is_wanted(key)).collect();
        for key in &keys {
            // One that has expired meanwhile is not there: NOKEY.
            self.nodes[from].redis.command::<String>(&["MIGRATE", "127.0.0.1", &port, key, "0", "1000", "REPLACE"]);
        }
        keys.len()
    }

    /// Moves what is left, and tells everybody.
    pub fn end_move(&self, from: usize, to: usize) {
        self.move_keys(from, to, |_| true);
        let name = self.nodes[to].name();
        for node in [to, from] {
            let told = || self.nodes[node].redis.try_command::<()>(&["CLUSTER", "SETSLOT", &self.slot, "NODE", &name]).is_ok();
            wait::until_true("the slot to be another's", PATIENCE, || {
                self.move_keys(from, to, |_| node == from);
                told()
            });
        }
        self.wait_for_owner(to);
    }

    /// Calls the move off; the keys that were moved stay where they are.
    pub fn give_up_move(&self, from: usize, to: usize) {
        for node in [from, to] {
            self.nodes[node].redis.command::<()>(&["CLUSTER", "SETSLOT", &self.slot, "STABLE"]);
        }
    }
}
