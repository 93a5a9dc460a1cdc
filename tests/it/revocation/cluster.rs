//! Redis as a cluster: whoever has our keys dies, stands still, comes back, hands them on; its replica is late. Whoever was
//! signed out stays out, and nobody is thrown out, in the midst of requests.

use super::house::{House, Load, SOON, is_an_outage_and_no_more};
use crate::support::client::Person;
use crate::support::cluster::Cluster;
use crate::support::gateway::Gateway;
use crate::support::wait;

const STRICT: &str = "check = \"strict\"";
const MIRROR: &str = "check = \"mirror\"";

async fn start() -> Cluster {
    tokio::task::spawn_blocking(Cluster::start).await.unwrap()
}

/// What waits for servers, in the midst of requests.
fn wait_for<T>(act: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(act)
}

/// People at a house: who stays, who may leave, who has left.
struct People {
    live: Vec<(Person, Person)>,
    out: Vec<Person>,
}

impl People {
    async fn at(house: &House) -> Self {
        let (mut live, mut out) = (Vec::new(), Vec::new());
        for number in 0..6 {
            live.push(house.signs_in(&format!("live{number}")).await);
        }
        for number in 0..2 {
            let person = house.signs_in(&format!("out{number}")).await;
            out.push(house.signs_out(person).await);
        }
        Self { live, out }
    }

    fn load(&self, house: &House) -> Load {
        let staying: Vec<&Person> = self.live[..2].iter().map(|(program, _)| program).collect();
        Load::of(house, &staying, &self.out.iter().collect::<Vec<_>>())
    }

    async fn leaves(&mut self, house: &House) {
        let leaving = self.live.pop().expect("somebody who may leave");
        self.out.push(house.signs_out(leaving).await);
    }

    async fn are_out(&self, house: &House) {
        for person in &self.out {
            house.says_everywhere(person, 401).await;
        }
    }
}

/// Who has the keys dies; its replica, which has all or lacks the newest, takes its place.
async fn failover(check: &'static str) {
    let mut cluster = start().await;
    let house = House::at(cluster.url(), check).await;
    let mut people = People::at(&house).await;
    let mut replica = 3;
    for fault in ["dies", "dies with a late replica", "stands still", "hands over"] {
        let old = wait_for(|| cluster.owner());
        let mut load = people.load(&house);
        load.goes_on(100).await;
        // The newest line is not in a replica that stands still.
        let is_late = fault == "dies with a late replica";
        if is_late {
            cluster.nodes[replica].redis.pause();
        }
        people.leaves(&house).await;
        match fault {
            "stands still" => cluster.nodes[old].redis.pause(),
            "hands over" => cluster.nodes[replica].redis.command::<()>(&["CLUSTER", "FAILOVER"]),
            _ => cluster.nodes[old].kill(),
        }
        if is_late {
            cluster.nodes[replica].redis.resume();
        }

        // In the midst of it everybody is who they were, and who has just left is out.
        load.goes_on(200).await;
        people.are_out(&house).await;
        wait_for(|| cluster.wait_for_owner(replica));
        house.is_whole().await;
        load.goes_on(200).await;
        // The new one is asked again, and has what it lacked.
        let has_marker = || cluster.keys(replica).iter().any(|key| key == "{doorward}:rev:marker").then_some(());
        wait_for(|| wait::until("the index to be there", SOON, has_marker));

        // The old one comes back, empty or as it was, and takes itself for the owner until it hears otherwise.
        match fault {
            "stands still" => cluster.nodes[old].redis.resume(),
            "hands over" => {}
            _ => wait_for(|| cluster.nodes[old].start_again()),
        }
        load.goes_on(200).await;
        wait_for(|| cluster.wait_for_replica(old));
        replica = old;
        let asked = load.end().await;
        house.is_whole().await;
        people.are_out(&house).await;
        eprintln!("{check}, the owner {fault}: {asked} requests, all decided as they should be");
    }
    assert!(house.place.gateway.log().contains("The cluster names"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_lets_nobody_in_and_throws_nobody_out_with_strict_checks() {
    failover(STRICT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_lets_nobody_in_and_throws_nobody_out_with_a_mirror() {
    failover(MIRROR).await;
}

/// The lines of who is out, without the marker that vouches for them.
fn is_line(key: &str) -> bool {
    key.contains(":rev:") && !key.ends_with(":marker")
}

/// Nobody gets in and nobody is thrown out, now and when all is said to be well.
async fn stays(house: &House, people: &People, load: &mut Load, when: &str) {
    load.goes_on(200).await;
    people.are_out(house).await;
    house.is_whole().await;
    load.goes_on(200).await;
    people.are_out(house).await;
    eprintln!("{when}: as it should be");
}

/// The slot goes to another primary, key by key.
async fn moved(check: &'static str) {
    let cluster = start().await;
    let house = House::at(cluster.url(), check).await;
    let mut people = People::at(&house).await;
    let old = wait_for(|| cluster.owner());
    let new = (old + 1) % 3;
    let mut load = people.load(&house);
    load.goes_on(100).await;

    // Half-way: the lines are there, and the marker here.
    wait_for(|| cluster.begin_move(old, new));
    assert!(wait_for(|| cluster.move_keys(old, new, is_line)) >= 2, "there was nothing to move");
    load.goes_on(200).await;
    people.leaves(&house).await;
    people.are_out(&house).await;
    // A node that comes now has seen nothing of before.
    let late = house.place.another_node().await;
    for person in &people.out {
        assert_eq!(person.copy_at(late.public()).get("/page").await.status, 401);
    }
    assert_eq!(people.live[0].0.copy_at(late.public()).get("/page").await.status, 200);

    wait_for(|| cluster.end_move(old, new));
    stays(&house, &people, &mut load, "moved").await;
    people.leaves(&house).await;
    assert!(wait_for(|| cluster.keys(new)).iter().any(|key| is_line(key)), "the new owner is not asked");
    load.end().await;
    assert_eq!(late.operator().get("/readyz").await.json()["status"], "ok");
    for person in &people.out {
        assert_eq!(person.copy_at(late.public()).get("/page").await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_lets_nobody_in_and_throws_nobody_out_with_strict_checks() {
    moved(STRICT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_lets_nobody_in_and_throws_nobody_out_with_a_mirror() {
    moved(MIRROR).await;
}

/// A move that ends half-way leaves a marker that vouches for lines which are elsewhere.
async fn torn(check: &'static str) {
    let mut cluster = start().await;
    let house = House::at(cluster.url(), check).await;
    let people = People::at(&house).await;
    let old = wait_for(|| cluster.owner());
    let new = (old + 1) % 3;
    let mut load = people.load(&house);

    // It is called off.
    load.goes_on(100).await;
    wait_for(|| cluster.begin_move(old, new));
    assert!(wait_for(|| cluster.move_keys(old, new, is_line)) >= 2, "there was nothing to move");
    load.goes_on(100).await;
    assert!(wait_for(|| cluster.keys(old)).iter().any(|key| key.ends_with(":marker")), "nothing vouches for what is not there");
    wait_for(|| cluster.give_up_move(old, new));
    stays(&house, &people, &mut load, "called off").await;

    // The owner dies in the midst of it, and its replica knows nothing of the move.
    wait_for(|| cluster.begin_move(old, new));
    assert!(wait_for(|| cluster.move_keys(old, new, is_line)) >= 2, "there was nothing to move");
    wait_for(|| wait::until_true("the replica to lose them too", SOON, || !cluster.keys(3).iter().any(|key| is_line(key))));
    assert!(wait_for(|| cluster.keys(3)).iter().any(|key| key.ends_with(":marker")), "nothing vouches for what is not there");
    cluster.nodes[old].kill();
    load.goes_on(200).await;
    wait_for(|| cluster.wait_for_owner(3));
    stays(&house, &people, &mut load, "died half-way").await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_ends_half_way_lets_nobody_in_with_strict_checks() {
    torn(STRICT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_ends_half_way_lets_nobody_in_with_a_mirror() {
    torn(MIRROR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_down_is_an_outage_of_redis_and_no_more() {
    let mut cluster = start().await;
    let house = House::at(cluster.url(), STRICT).await;
    let mut people = People::at(&house).await;
    let owner = wait_for(|| cluster.owner());
    let mut load = people.load(&house);
    load.goes_on(100).await;

    // Without the two others nobody is in office: CLUSTERDOWN.
    for other in (0..3).filter(|number| *number != owner) {
        cluster.nodes[other].kill();
    }
    let says_down = || {
        let said = cluster.nodes[owner].redis.try_command::<Option<String>>(&["GET", "{doorward}:rev:marker"]);
        said.is_err_and(|error| error.to_string().contains("CLUSTERDOWN") || error.to_string().contains("cluster is down"))
    };
    wait_for(|| wait::until_true("the cluster to be down", SOON, says_down));
    house.place.gateway.wait_for_log("Redis failed");
    let is_degraded = async |node: &Gateway| (node.operator().get("/readyz").await.json()["status"] == "degraded").then_some(());
    wait::until_async("/readyz to say degraded", SOON, async || is_degraded(&house.place.gateway).await).await;
    load.goes_on(200).await;
    people.leaves(&house).await;
    people.are_out(&house).await;

    for other in (0..3).filter(|number| *number != owner) {
        wait_for(|| cluster.nodes[other].start_again());
    }
    stays(&house, &people, &mut load, "up again").await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_were_told_of_are_asked_where_every_seed_is_gone() {
    let mut cluster = start().await;
    let owner = wait_for(|| cluster.owner());
    let seed = (owner + 1) % 3;
    for node in &cluster.nodes {
        node.redis.command::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let house = House::at(cluster.url_with("", &[seed]), STRICT).await;
    let mut people = People::at(&house).await;
    cluster.nodes[seed].kill();
    cluster.nodes[3].redis.command::<()>(&["CLUSTER", "FAILOVER"]);
    wait_for(|| cluster.wait_for_owner(3));
    house.place.gateway.wait_for_log(&format!("127.0.0.1:{} as the primary", cluster.nodes[3].redis.port()));
    house.is_whole().await;
    people.leaves(&house).await;
    people.are_out(&house).await;
    assert!(wait_for(|| cluster.keys(3)).iter().any(|key| is_line(key)), "the new owner is not asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_few_rights_is_enough_and_all_keys_are_in_one_slot() {
    let cluster = start().await;
    for node in &cluster.nodes {
        let rights = "reset on >s3cret ~{doorward}:* +get +mget +set +del +pttl +evalsha +script|load +scan +client|tracking +cluster|slots \
            +cluster|nodes +info +ping";
        let words: Vec<&str> = ["ACL", "SETUSER", "door"].into_iter().chain(rights.split(' ')).collect();
        node.redis.command::<()>(&words);
    }
    let owner = wait_for(|| cluster.owner());
    let house = House::at(cluster.url_with("door:s3cret@", &[0, 1, 2]), MIRROR).await;
    let mut people = People::at(&house).await;
    people.leaves(&house).await;
    house.place.gateway.wait_for_log("The mirror of revocations is whole");

    let keys = wait_for(|| cluster.keys(owner));
    assert!(keys.iter().any(|key| key.starts_with("{doorward}:lim:")), "{keys:?}");
    assert!(keys.iter().any(|key| is_line(key)), "{keys:?}");
    for number in (0..3).filter(|number| *number != owner) {
        assert_eq!(wait_for(|| cluster.keys(number)), Vec::<String>::new());
    }
    let log = house.place.gateway.log();
    assert!(!log.contains("failed") && !log.contains("s3cret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_there_is_an_outage_of_redis_and_no_more() {
    is_an_outage_and_no_more("redis+cluster://127.0.0.1:9").await;
}
