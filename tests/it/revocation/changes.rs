//! An account is changed on one node: tokens from before it are worth nothing on another, sessions go on.

use std::sync::Arc;

use doorward::clock::{Clock as _, SystemClock};
use doorward::id::AccountId;
use doorward::revocation::{Act, Standing};
use doorward::signin::{Account, Draft, Edit, Registrar, RosterRefusal};
use doorward::store::sql::Store;
use tokio::task::JoinSet;

use super::node::{Node, Person, SOON};
use super::truth::Truth;
use crate::support::redis::Redis;
use crate::support::wait;

fn registrar(node: &Node, store: &Arc<Store>) -> Registrar {
    Registrar { accounts: store.clone(), roster: store.clone(), revocations: Arc::clone(&node.revocations) }
}

fn groups(names: &[&str]) -> Edit {
    Edit { groups: Some(names.iter().map(|&name| name.to_owned()).collect()), ..Edit::default() }
}

async fn ada(registrar: &Registrar, person: &Person) -> Account {
    registrar.add(person.account.clone(), &Draft { edit: groups(&["g0"]), ..Draft::default() }, SystemClock.now()).await.unwrap()
}

/// Two nodes that look at one ledger, each in its own way.
async fn pairs(truth: &Truth, redis: &Redis) -> Vec<(&'static str, Node, Node)> {
    vec![
        (
            "strict",
            Node::with_redis(&redis.url(), truth.ledger()).settled().await,
            Node::with_redis(&redis.url(), truth.ledger()).settled().await,
        ),
        (
            "mirror",
            Node::mirrored(&redis.url(), truth.ledger()).settled().await,
            Node::mirrored(&redis.url(), truth.ledger()).settled().await,
        ),
        ("memory", Node::alone(truth.ledger()).settled().await, Node::alone(truth.ledger()).settled().await),
    ]
}

#[tokio::test]
async fn tokens_from_before_each_of_many_changes_within_a_second_are_outdated_and_those_after_it_are_good() {
    let redis = Redis::start();
    let truth = Truth::new().await;
    let (first, second) =
        (Node::with_redis(&redis.url(), truth.ledger()).settled().await, Node::with_redis(&redis.url(), truth.ledger()).settled().await);
    let registrar = registrar(&first, &truth.store());
    let person = Person::new("ada");
    let mut revision = ada(&registrar, &person).await.revision;

    for round in 1..=50 {
        let before = Person { revision, ..person.clone() };
        assert_eq!(second.ask(&before).await.unwrap(), Standing::Good, "{round}");

        let changed = registrar.change(&person.account, Some(revision), &groups(&[&format!("g{round}")]), SystemClock.now()).await.unwrap();

        assert_eq!(changed.revision, revision + 1);
        revision = changed.revision;
        for node in [&second, &first] {
            assert_eq!(node.ask(&before).await.unwrap(), Standing::Outdated, "{round}");
            assert_eq!(node.ask(&Person { revision, ..person.clone() }).await.unwrap(), Standing::Good, "{round}");
        }
    }
}

#[tokio::test]
async fn every_sort_of_index_learns_of_a_change_and_of_a_sign_out_after_it() {
    let redis = Redis::start();
    let truth = Truth::new().await;
    for (number, (kind, first, second)) in pairs(&truth, &redis).await.into_iter().enumerate() {
        let registrar = registrar(&first, &truth.store());
        let person = Person::new(&format!("ada{number}"));
        ada(&registrar, &person).await;

        registrar.change(&person.account, None, &groups(&[]), SystemClock.now()).await.unwrap();

        assert_eq!(first.ask(&person).await.unwrap(), Standing::Outdated, "{kind}: where it was changed, at once");
        let outdated = async || (second.ask(&person).await.unwrap() == Standing::Outdated).then_some(());
        wait::until_async(kind, SOON, outdated).await;
        let renewed = Person { revision: 1, ..person.clone() };
        assert_eq!(second.ask(&renewed).await.unwrap(), Standing::Good, "{kind}");

        // The index is emptied: the ledger says the same, and the index is filled again from it.
        first.revoke(Act::Token(person.token.clone())).await.unwrap();
        wait::until_async(kind, SOON, async || (second.ask(&renewed).await.unwrap() == Standing::Revoked).then_some(())).await;
    }
}

#[tokio::test]
async fn what_redis_forgot_of_a_change_is_found_in_the_ledger() {
    let redis = Redis::start();
    let truth = Truth::new().await;
    let (first, second) =
        (Node::with_redis(&redis.url(), truth.ledger()).settled().await, Node::mirrored(&redis.url(), truth.ledger()).settled().await);
    let registrar = registrar(&first, &truth.store());
    let person = Person::new("ada");
    ada(&registrar, &person).await;
    registrar.change(&person.account, None, &groups(&[]), SystemClock.now()).await.unwrap();

    redis.command::<()>(&["FLUSHALL"]);

    for node in [&first, &second] {
        assert_eq!(node.ask(&person).await.unwrap(), Standing::Outdated);
        assert_eq!(node.ask(&Person { revision: 1, ..person.clone() }).await.unwrap(), Standing::Good);
    }
}

#[tokio::test]
async fn changes_at_once_of_which_each_expects_a_revision_are_done_one_after_another() {
    let truth = Truth::new().await;
    let node = Node::alone(truth.ledger()).settled().await;
    let registrar = registrar(&node, &truth.store());
    let person = Person::new("ada");
    ada(&registrar, &person).await;

    let mut all = JoinSet::new();
    for number in 0..20 {
        let (registrar, id) = (registrar.clone(), person.account.clone());
        all.spawn(async move { registrar.change(&id, Some(0), &groups(&[&format!("h{number}")]), SystemClock.now()).await });
    }
    let done = all.join_all().await;

    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1);
    assert_eq!(done.iter().filter(|one| matches!(one, Err(RosterRefusal::Stale))).count(), 19);
    let nobody = registrar.change(&AccountId::new("nobody"), None, &groups(&[]), SystemClock.now()).await;
    assert!(matches!(nobody, Err(RosterRefusal::Unknown)));
    let same = registrar.change(&person.account, None, &Edit::default(), SystemClock.now()).await.unwrap();
    assert_eq!(same.revision, 1, "nothing is another: nothing is done");
}
