//! Two nodes and the people at them, while something happens to their Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::flow::place::{Database, Place, REFRESH, Wants};
use crate::support::client::Person;
use crate::support::gateway::Gateway;
use crate::support::wait;

/// Long enough for a machine that does much else.
pub const SOON: Duration = Duration::from_secs(90);

/// A Redis of which nobody says where it is: an outage like any other.
pub async fn is_an_outage_and_no_more(url: &str) {
    let place = Place::with(Wants { redis: Some(url.to_owned()), ..Wants::default() }).await;
    let (ada, eve) = (place.sign_in("ada@example.com").await, place.sign_in("eve@example.com").await);
    let kept = eve.copy();
    assert_eq!(eve.post("/auth/logout", &json!({})).await.status, 200);
    assert_eq!((ada.get("/page").await.status, kept.get("/page").await.status), (200, 401));
    assert_eq!(place.gateway.operator().get("/readyz").await.json()["status"], "degraded");
    place.gateway.wait_for_log("Redis does not take writes");
}

/// Two nodes.
pub struct House {
    pub place: Place,
    pub other: Gateway,
}

impl House {
    /// Whose Redis is there.
    pub async fn at(redis: String, check: &'static str) -> Self {
        let wants = Wants { store: Database::Postgres.url(), redis: Some(redis), sections: vec![("redis", check)], ..Wants::default() };
        let place = Place::with(wants).await;
        let other = place.another_node().await;
        let house = Self { place, other };
        house.is_whole().await;
        house
    }

    pub fn nodes(&self) -> [&Gateway; 2] {
        [&self.place.gateway, &self.other]
    }

    /// Waits until both nodes say that nothing is amiss.
    pub async fn is_whole(&self) {
        for node in self.nodes() {
            let says = async || (node.operator().get("/readyz").await.json()["status"] == "ok").then_some(());
            wait::until_async("/readyz to say ok", SOON, says).await;
        }
    }

    /// Somebody who holds an access token alone, and the browser that can sign out.
    pub async fn signs_in(&self, name: &str) -> (Person, Person) {
        let browser = self.place.sign_in(&format!("{name}@example.com")).await;
        let program = browser.copy();
        program.forget_cookie(REFRESH);
        (program, browser)
    }

    /// Signs out, and is out: here at once, on the other node within what is promised.
    pub async fn signs_out(&self, (program, browser): (Person, Person)) -> Person {
        let out = async || (browser.copy().post("/auth/logout", &json!({})).await.status == 200).then_some(());
        wait::until_async("signing out to be durable", SOON, out).await;
        assert_eq!(program.get("/page").await.status, 401, "signed out, and let in where that was said");
        let there = program.copy_at(self.other.public());
        let refused = async || (there.get("/page").await.status == 401).then_some(());
        wait::until_async("the other node to refuse", Duration::from_millis(1500), refused).await;
        program
    }
}

impl House {
    /// Somebody who is out, or in, at both nodes.
    pub async fn says_everywhere(&self, person: &Person, status: u16) {
        for node in self.nodes() {
            assert_eq!(person.copy_at(node.public()).get("/page").await.status, status);
        }
    }
}

/// Requests of everybody to both nodes, for as long as it is not told to end.
pub struct Load {
    over: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Load {
    pub fn of(house: &House, live: &[&Person], out: &[&Person]) -> Self {
        let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for (people, status) in [(live, 200), (out, 401)] {
            for person in people {
                for node in house.nodes() {
                    let (person, over, asked) = (person.copy_at(node.public()), Arc::clone(&over), Arc::clone(&asked));
                    tasks.spawn(async move {
                        while !over.load(Ordering::Relaxed) {
                            let reply = person.get("/page").await;
                            assert_eq!(reply.status, status, "{}", reply.text());
                            asked.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            }
        }
        Self { over, asked, tasks }
    }

    /// So many more have been asked.
    pub async fn goes_on(&mut self, more: usize) {
        let before = self.asked.load(Ordering::Relaxed);
        let enough = async || (self.asked.load(Ordering::Relaxed) >= before + more).then_some(());
        wait::until_async("more requests", SOON, enough).await;
        while let Some(done) = self.tasks.try_join_next() {
            done.expect("nobody is let in who is out, and nobody thrown out who is in");
        }
    }

    pub async fn end(mut self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        while let Some(done) = self.tasks.join_next().await {
            done.expect("nobody is let in who is out, and nobody thrown out who is in");
        }
        self.asked.load(Ordering::Relaxed)
    }
}
