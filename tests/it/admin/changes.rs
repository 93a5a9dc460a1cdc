//! An operator changes an account: it holds at the next request, on every node, and nobody who is signed in is thrown out.

use std::time::Duration;

use serde_json::json;

use super::desk::{Desk, code_of};
use crate::flow::place::{ACCESS, Place, REFRESH, Wants, claims_of};
use crate::support::client::{Person, Reply};
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::wait;

/// Other nodes' changes are known after this, where there is no Redis; with a machine that runs all tests at once, and more.
const SOON: Duration = Duration::from_secs(10);

const ROUTES: &str = "[[route]]\nname = \"staff\"\npath = \"/staff\"\nupstream = [\"UPSTREAM\"]\ngroups = [\"staff\"]\n";

/// Two nodes, and somebody who is signed in on the first.
struct Scene {
    place: Place,
    second: Gateway,
    desk: Desk,
    ada: Person,
    account: String,
}

impl Scene {
    async fn new(redis: Option<&Redis>, check: &'static str) -> Self {
        let sections = if redis.is_some() { vec![("redis", check)] } else { Vec::new() };
        let wants = Wants { redis: redis.map(Redis::url), sections, routes: ROUTES, ..Wants::default() };
        let place = Place::with(wants).await;
        let second = place.another_node().await;
        let ada = place.sign_in("ada@example.com").await;
        let desk = Desk::open(&place, "admin").await;
        let account = desk.all("/api/accounts").await[0]["id"].as_str().unwrap().to_owned();
        Self { place, second, desk, ada, account: format!("/api/accounts/{account}") }
    }

    async fn groups(&self, groups: &[&str]) {
        let changed = self.desk.patch(&self.account, &json!({ "groups": groups })).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
    }

    /// The next request on a node; the person's browser keeps what it sets.
    async fn ask(&self, node: &Gateway, path: &str) -> Reply {
        let there = self.ada.copy_at(node.public());
        let reply = there.get(path).await;
        for name in [ACCESS, REFRESH] {
            self.ada.set_cookie(name, &there.cookie(name).unwrap_or_default());
        }
        reply
    }

    /// The group came and went, on the node that was told and on the other one.
    async fn a_group_comes_and_goes(&self, is_at_once: bool) {
        assert_eq!(self.ask(&self.place.gateway, "/staff").await.status, 403);
        for round in 0..3 {
            for (groups, status) in [(&["staff"][..], 200), (&["other"][..], 403)] {
                self.groups(groups).await;
                let reply = if is_at_once {
                    self.ask(&self.second, "/staff").await
                } else {
                    let became = async || Some(self.ask(&self.second, "/staff").await).filter(|reply| reply.status == status);
                    wait::until_async("the other node to know", SOON, became).await
                };
                assert_eq!(reply.status, status, "round {round}, {groups:?}");
                assert_eq!(self.ask(&self.place.gateway, "/staff").await.status, status, "round {round}, {groups:?}");
                assert_eq!(self.ask(&self.place.gateway, "/").await.status, 200, "still signed in");
                assert_eq!(self.place.upstream.last().header("remote-groups").as_deref(), Some(groups[0]));
            }
        }
        let sessions = self.desk.all("/api/sessions").await;
        assert_eq!(sessions.len(), 1, "it is the same session all the time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_a_group_that_is_taken_away_is_gone_at_the_next_request_on_every_node() {
    let redis = Redis::start();
    let scene = Scene::new(Some(&redis), "check = \"strict\"").await;
    scene.a_group_comes_and_goes(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_mirror_a_group_that_is_taken_away_is_gone_within_its_bound() {
    let redis = Redis::start();
    let scene = Scene::new(Some(&redis), "check = \"mirror\"").await;
    scene.a_group_comes_and_goes(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_group_that_is_taken_away_is_gone_at_once_here_and_soon_elsewhere() {
    let scene = Scene::new(None, "").await;
    scene.a_group_comes_and_goes(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_renewed_in_passing_and_a_bearer_client_is_told_to_refresh() {
    let scene = Scene::new(None, "").await;
    let old = scene.ada.cookie(ACCESS).unwrap();
    let spent = scene.ada.cookie(REFRESH).unwrap();

    scene.groups(&["staff"]).await;

    // The bearer client: 401, refresh, in.
    let program = scene.place.person();
    let refused = program.request(reqwest::Method::GET, "/staff").bearer(&old).send().await;
    assert_eq!((refused.status, code_of(&refused).as_str()), (401, "invalid_token"));
    let reply = scene.ada.get("/staff").await;
    assert_eq!(reply.status, 200);
    assert!(reply.set_cookie(ACCESS).is_some() && reply.set_cookie(REFRESH).is_some(), "renewed in passing");
    let new = scene.ada.cookie(ACCESS).unwrap();
    assert_eq!(claims_of(&new)["groups"], json!(["staff"]));
    assert_eq!(claims_of(&new)["sid"], claims_of(&old)["sid"], "the session goes on");
    assert_eq!(program.request(reqwest::Method::GET, "/staff").bearer(&new).send().await.status, 200);
    assert_eq!(program.request(reqwest::Method::GET, "/staff").bearer(&old).send().await.status, 401);

    // An access token alone renews nothing, whichever change it is from before.
    let thief = scene.place.person();
    thief.set_cookie(ACCESS, &old);
    assert_eq!(thief.get("/staff").await.status, 401);
    // The account's own page is renewed too.
    let tab = scene.place.person();
    tab.set_cookie(ACCESS, &old);
    tab.set_cookie(REFRESH, &spent);
    assert_eq!(tab.visit("/auth/account").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_and_a_removed_account_are_out_at_the_next_request() {
    let redis = Redis::start();
    let scene = Scene::new(Some(&redis), "check = \"strict\"").await;
    let program = scene.second.person();
    let token = scene.ada.cookie(ACCESS).unwrap();
    assert_eq!(program.request(reqwest::Method::GET, "/").bearer(&token).send().await.status, 200);

    scene.desk.post(&format!("{}/disable", scene.account), &json!({})).await;
    assert_eq!(scene.ask(&scene.second, "/").await.status, 401);
    assert_eq!(program.request(reqwest::Method::GET, "/").bearer(&token).send().await.status, 401);

    scene.desk.post(&format!("{}/enable", scene.account), &json!({})).await;
    assert_eq!(program.request(reqwest::Method::GET, "/").bearer(&token).send().await.status, 401, "what was over stays over");
    let again = scene.place.sign_in("ada@example.com").await;
    assert_eq!(again.get("/").await.status, 200);

    assert_eq!(scene.desk.delete(&scene.account).await.status, 204);
    assert_eq!(again.copy_at(scene.second.public()).get("/").await.status, 401);
    assert_eq!(again.post("/auth/refresh", &json!({})).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_to_an_address_that_was_replaced_signs_nobody_in() {
    let scene = Scene::new(None, "").await;
    let eve = scene.place.person();
    let code = scene.place.code_for(&eve, "ada@example.com").await;

    let changed = scene.desk.patch(&scene.account, &json!({ "email": "ada@new.example", "email_verified": true })).await;
    assert_eq!(changed.status, 200, "{}", changed.text());

    let verified = crate::flow::place::verify(&eve, "ada@example.com", &code).await;
    assert_eq!((verified.status, code_of(&verified).as_str()), (401, "invalid_code"));
    assert_eq!(scene.ada.get("/").await.status, 200);
    assert_eq!(scene.place.upstream.last().header("remote-email").as_deref(), Some("ada@new.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_renewed_and_stay_signed_in_while_their_account_changes() {
    let scene = Scene::new(None, "").await;
    let tabs: Vec<Person> = (0..20).map(|_| scene.ada.copy()).collect();

    let mut asking = tokio::task::JoinSet::new();
    for tab in tabs {
        asking.spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..10 {
                statuses.push(tab.get("/").await.status);
            }
            statuses
        });
    }
    for round in 0..5 {
        scene.groups(&[&format!("g{round}")]).await;
    }
    let statuses: Vec<u16> = asking.join_all().await.into_iter().flatten().collect();

    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}
