//! Asks a cluster which node serves our keys.
//!
//! All our keys carry one hash tag, so they are in one slot, and one primary has them: what one command reads and one script
//! writes elsewhere is read and written so here too. The cluster gives somebody who takes the primary's place, not more room.
//!
//! All seeds are asked at once, and who knows the newest claim on the slot (the highest configuration epoch of its owner, by
//! which the nodes themselves settle it) is believed. Where none of them answers, the nodes are asked that were told of last.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::{ConnectionInfo, FromRedisValue, RedisResult, Value};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::link::{client, untimed};
use super::place::{Login, host_and_port};
use crate::secret::Secret;

/// Where nodes listen when nothing is said.
const PORT: u16 = 6379;

const SHAPE: &str = "should list nodes of the cluster: redis+cluster://host:port,host:port";

/// A cluster, one of whose nodes has our keys.
#[derive(Debug)]
pub(super) struct Clustered {
    /// Those whom the operator names.
    seeds: Vec<ConnectionInfo>,
    /// Those who were told of last.
    told: Mutex<Vec<ConnectionInfo>>,
    login: Login,
}

/// Who has our keys.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) info: ConnectionInfo,
    /// The node's own name, which it keeps wherever it goes.
    pub(super) node: String,
}

/// Where somebody listens.
type Address = (String, u16);

/// What one node says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    address: Address,
    node: String,
    epoch: u64,
    /// Every node that it knows.
    all: Vec<Address>,
}

impl Clustered {
    pub(super) fn read(scheme: &'static str, rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !matches!(path, "" | "0") {
            return Err("should name no database, since a cluster has none but 0: redis+cluster://host:port,host:port");
        }
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let login = Login::new(scheme, user, "0");
        let seed = |host| {
            let (host, port) = host_and_port(scheme, host, PORT)?;
            login.at(&host, port).ok()
        };
        let seeds = hosts.split(',').map(seed).collect::<Option<Vec<_>>>().ok_or(SHAPE)?;
        Ok(Self { seeds, told: Mutex::new(Vec::new()), login })
    }

    /// Who serves this slot, by those who answer within this time.
    ///
    /// # Errors
    /// Why nobody says, in words.
    pub(super) async fn owner(&self, slot: u16, password: Option<&Secret<String>>, within: Duration) -> Result<Owner, String> {
        let word = match newest(&self.seeds, slot, password, within).await {
            Ok(word) => word,
            Err(cause) => {
                let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
                newest(&told, slot, password, within).await.map_err(|_| cause)?
            }
        };
        let told = word.all.iter().filter_map(|(host, port)| self.login.at(host, *port).ok()).collect();
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
        let info = self.login.at(&word.address.0, word.address.1).map_err(|error| error.to_string())?;
        Ok(Owner { info, node: word.node })
    }
}

async fn newest(nodes: &[ConnectionInfo], slot: u16, password: Option<&Secret<String>>, within: Duration) -> Result<Word, String> {
    let mut asked = JoinSet::new();
    for node in nodes {
        let (node, password) = (node.clone(), password.cloned());
        asked.spawn(async move { timeout(within, ask(node, slot, password.as_ref())).await });
    }
    let mut newest: Option<Word> = None;
    let mut cause = "no node of the cluster answers in time".to_owned();
    while let Some(said) = asked.join_next().await {
        match said {
            Ok(Ok(Ok(Some(word)))) => newest = Some(newest.filter(|known| known.epoch >= word.epoch).unwrap_or(word)),
            Ok(Ok(Ok(None))) => cause = format!("nobody in the cluster serves slot {slot}"),
            Ok(Ok(Err(error))) => cause = format!("a node of the cluster says: {error}"),
            Ok(Err(_)) | Err(_) => {}
        }
    }
    newest.ok_or(cause)
}

async fn ask(node: ConnectionInfo, slot: u16, password: Option<&Secret<String>>) -> RedisResult<Option<Word>> {
    let here = node.addr().clone();
    let mut connection = client(node, password, None)?.get_multiplexed_async_connection_with_config(&untimed()).await?;
    let slots: Value = redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
    // Not all who may ask the one may ask the other; then all words count the same.
    let nodes: String = redis::cmd("CLUSTER").arg("NODES").query_async(&mut connection).await.unwrap_or_default();
    Ok(word(&slots, &nodes, slot, &host_of(&here)))
}

fn host_of(address: &redis::ConnectionAddr) -> String {
    match address {
        redis::ConnectionAddr::Tcp(host, _) | redis::ConnectionAddr::TcpTls { host, .. } => host.clone(),
        other => other.to_string(),
    }
}

fn word(slots: &Value, nodes: &str, slot: u16, here: &str) -> Option<Word> {
    let ranges: Vec<_> = list(slots)?.iter().filter_map(range).collect();
    let (.., owners) = ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot))?;
    let (address, node) = named(owners.first()?, here)?;
    let all = ranges.iter().flat_map(|(.., nodes)| nodes.iter()).filter_map(|node| named(node, here));
    Some(Word { epoch: epoch_of(nodes, &node), all: all.map(|(address, _)| address).collect(), address, node })
}

/// First slot, last slot, and who has them: the primary, then its replicas.
fn range(range: &Value) -> Option<(u16, u16, &[Value])> {
    let (first, rest) = list(range)?.split_first()?;
    let (last, nodes) = rest.split_first()?;
    Some((u16::from_redis_value_ref(first).ok()?, u16::from_redis_value_ref(last).ok()?, nodes))
}

/// A node: where it is, and what it is called. One that does not know its own address is where it was asked.
fn named(node: &Value, here: &str) -> Option<(Address, String)> {
    let mut parts = list(node)?.iter();
    let host = Option::<String>::from_redis_value_ref(parts.next()?).ok()?.filter(|host| !matches!(host.as_str(), "" | "?"));
    let port = u16::from_redis_value_ref(parts.next()?).ok()?;
    let name = String::from_redis_value_ref(parts.next()?).ok()?;
    Some(((host.unwrap_or_else(|| here.to_owned()), port), name))
}

fn list(value: &Value) -> Option<&[Value]> {
    if let Value::Array(items) = value { Some(items) } else { None }
}

/// The configuration epoch of this node: the seventh word of its line.
fn epoch_of(nodes: &str, name: &str) -> u64 {
    let line = nodes.lines().find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.split(' ').nth(6)?.parse().ok()).unwrap_or(0)
}

/// The slot of the keys with this hash tag.
pub(super) fn slot_of(tag: &str) -> u16 {
    const SLOTS: u16 = 16384;
    let shift = |crc: u16| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
    let crc = tag.bytes().fold(0, |crc, byte| (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| shift(crc)));
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(host: Value, port: i64, name: &str) -> Value {
        Value::Array(vec![host, Value::Int(port), text(name), Value::Array(vec![])])
    }

    fn slots(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
    }

    #[test]
    fn slots_are_those_of_redis() {
        // What `CLUSTER KEYSLOT` says.
        for (tag, slot) in [("123456789", 12739), ("foo", 12182), ("bar", 5061), ("", 0)] {
            assert_eq!(slot_of(tag), slot, "{tag}");
        }
    }

    #[test]
    fn a_node_says_who_has_a_slot_and_since_when() {
        let (one, two) = (node(text("192.0.2.1"), 7000, "aa"), node(text("192.0.2.2"), 7001, "bb"));
        let told = Value::Array(vec![slots(0, 99, vec![one.clone()]), slots(100, 200, vec![two, one])]);
        let nodes =
            "aa 192.0.2.1:7000@17000 myself,master - 0 0 3 connected 0-99\nbb 192.0.2.2:7001@17001 master - 0 1 7 connected 100-200\n";
        let found = word(&told, nodes, 100, "seed").unwrap();
        assert_eq!((found.address, found.node.as_str(), found.epoch), (("192.0.2.2".to_owned(), 7001), "bb", 7));
        assert_eq!(found.all.len(), 3);
        assert_eq!(word(&told, nodes, 99, "seed").map(|word| word.epoch), Some(3));
        assert_eq!(word(&told, "", 99, "seed").map(|word| word.epoch), Some(0));
        assert_eq!(word(&told, nodes, 201, "seed"), None);
        assert_eq!(word(&Value::Nil, nodes, 1, "seed"), None);
    }

    #[test]
    fn a_node_that_does_not_know_its_address_is_where_it_was_asked() {
        for host in [Value::Nil, text(""), text("?")] {
            let told = Value::Array(vec![slots(0, 16383, vec![node(host, 7000, "aa")])]);
            assert_eq!(word(&told, "", 1, "seed").map(|word| word.address), Some(("seed".to_owned(), 7000)));
        }
    }
}
