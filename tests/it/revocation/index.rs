//! What an index promises, in memory and in Redis.

use std::sync::Arc;
use std::time::Duration;

use doorward::clock::Timestamp;
use doorward::id::{AccountId, SessionId, TokenId};
use doorward::revocation::{Answer, Entry, Index, Lines, Subject};
use doorward::store::memory::MemoryIndex;
use doorward::store::redis::RedisIndex;

use super::node::{self, HOUR, Person, T};
use crate::support::redis::Redis;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Runs a promise on every implementation, each time on an empty one.
async fn on_each(promise: impl AsyncFn(Arc<dyn Index>, &str)) {
    promise(Arc::new(MemoryIndex::new()), "memory").await;
    let server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    promise(Arc::new(RedisIndex::new(redis)), "redis").await;
    let (redis, _prober) = node::whole_in_cluster().await;
    promise(Arc::new(RedisIndex::new(redis)), "cluster").await;
}

fn line(number: i64, subject: Subject) -> Entry {
    Entry { number, subject, expires_at: T.plus(HOUR) }
}

fn session(number: i64) -> Entry {
    line(number, Subject::Session(SessionId::new(format!("s{number}"))))
}

fn somebody(session: &str) -> Person {
    Person { session: SessionId::new(session), ..Person::new("somebody") }
}

/// Writes lines of the ledger `a` that follow one another.
async fn write(index: &dyn Index, entries: &[Entry]) -> bool {
    let (first, last) = (entries.first().unwrap(), entries.last().unwrap());
    index.write(Lines { ledger: "a", after: first.number - 1, upto: last.number, entries }, T).await.unwrap()
}

async fn ask(index: &dyn Index, person: &Person) -> Answer {
    index.ask(person.ids(), "a", T).await.unwrap()
}

#[tokio::test]
async fn an_empty_index_has_no_marker() {
    on_each(async |index, kind| {
        assert_eq!(index.marker("a").await.unwrap(), None, "{kind}");
        assert_eq!(ask(index.as_ref(), &somebody("s1")).await, Answer::Clear(None), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn a_ledger_without_lines_is_covered_by_the_marker_zero() {
    on_each(async |index, kind| {
        let none = Lines { ledger: "a", after: 0, upto: 0, entries: &[] };
        assert!(index.write(none, T).await.unwrap(), "{kind}");
        assert_eq!(ask(index.as_ref(), &somebody("s1")).await, Answer::Clear(Some(0)), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn each_kind_of_line_concerns_who_it_names_and_nobody_else() {
    on_each(async |index, kind| {
        let person = Person::new("a");
        let other = Person::new("b");
        let token = Person { token: TokenId::new("t1"), ..other.clone() };
        let session = Person { session: SessionId::new("s1"), ..other.clone() };
        let account = Person { account: AccountId::new("a1"), ..other.clone() };
        let lines = [
            line(1, Subject::Token(token.token.clone())),
            line(2, Subject::Session(session.session.clone())),
            line(3, Subject::Account(account.account.clone(), 1)),
        ];
        assert!(write(index.as_ref(), &lines).await, "{kind}");
        for revoked in [&token, &session] {
            assert_eq!(ask(index.as_ref(), revoked).await, Answer::Revoked, "{kind} {revoked:?}");
        }
        assert_eq!(ask(index.as_ref(), &account).await, Answer::Outdated, "{kind}");
        let ended = Person { account: account.account, ..session };
        assert_eq!(ask(index.as_ref(), &ended).await, Answer::Revoked, "{kind}: what ends a session counts first");
        for clear in [&person, &other] {
            assert_eq!(ask(index.as_ref(), clear).await, Answer::Clear(Some(3)), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_of_one_kind_revokes_nothing_of_another() {
    on_each(async |index, kind| {
        write(index.as_ref(), &[line(1, Subject::Session(SessionId::new("same")))]).await;
        let person = Person { token: TokenId::new("same"), account: AccountId::new("same"), ..Person::new("a") };
        assert_eq!(ask(index.as_ref(), &person).await, Answer::Clear(Some(1)), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn an_account_line_concerns_tokens_of_lower_revisions() {
    on_each(async |index, kind| {
        let person = Person::new("a");
        write(index.as_ref(), &[line(1, Subject::Account(person.account.clone(), 7))]).await;
        for (revision, answer) in
            [(i64::MIN, Answer::Outdated), (6, Answer::Outdated), (7, Answer::Clear(Some(1))), (i64::MAX, Answer::Clear(Some(1)))]
        {
            let person = Person { revision, ..person.clone() };
            assert_eq!(ask(index.as_ref(), &person).await, answer, "{kind} {revision}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_revision_that_no_account_has_escapes_no_line_for_a_session() {
    on_each(async |index, kind| {
        write(index.as_ref(), &[session(1)]).await;
        for revision in [i64::MAX, i64::from(u32::MAX), i64::MIN] {
            let person = Person { revision, ..somebody("s1") };
            assert_eq!(ask(index.as_ref(), &person).await, Answer::Revoked, "{kind} {revision}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_two_lines_for_one_account_the_higher_revision_and_the_later_end_hold() {
    on_each(async |index, kind| {
        let person = Person::new("a");
        let (old, new) = (Subject::Account(person.account.clone(), 9), Subject::Account(person.account.clone(), 10));
        write(index.as_ref(), &[line(1, new)]).await;
        write(index.as_ref(), &[Entry { expires_at: T.plus(SECOND), ..line(2, old) }]).await;
        let person = Person { revision: 9, ..person };
        assert_eq!(index.ask(person.ids(), "a", T.plus(HOUR).minus(MILLI)).await.unwrap(), Answer::Outdated, "{kind}");
    })
    .await;
}

#[tokio::test]
async fn a_line_holds_until_it_expires() {
    on_each(async |index, kind| {
        write(index.as_ref(), &[session(1)]).await;
        let ends = T.plus(HOUR);
        for (now, answer) in
            [(ends.minus(MILLI), Answer::Revoked), (ends, Answer::Clear(Some(1))), (ends.plus(MILLI), Answer::Clear(Some(1)))]
        {
            assert_eq!(index.ask(somebody("s1").ids(), "a", now).await.unwrap(), answer, "{kind} {now:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_line_that_has_expired_moves_the_marker_and_takes_no_room() {
    on_each(async |index, kind| {
        let expired = Entry { expires_at: T, ..session(1) };
        assert!(write(index.as_ref(), &[expired]).await, "{kind}");
        assert_eq!(ask(index.as_ref(), &somebody("s1")).await, Answer::Clear(Some(1)), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn the_marker_stays_before_a_hole_and_what_lies_behind_it_is_found() {
    on_each(async |index, kind| {
        assert!(write(index.as_ref(), &[session(1)]).await, "{kind}");
        assert!(!write(index.as_ref(), &[session(3)]).await, "{kind}");
        assert_eq!(index.marker("a").await.unwrap(), Some(1), "{kind}");
        assert_eq!(ask(index.as_ref(), &somebody("s3")).await, Answer::Revoked, "{kind}");
        assert!(write(index.as_ref(), &[session(2)]).await, "{kind}");
        assert_eq!(index.marker("a").await.unwrap(), Some(2), "{kind}");
        assert!(write(index.as_ref(), &[session(2), session(3)]).await, "{kind}");
        assert_eq!(index.marker("a").await.unwrap(), Some(3), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn the_marker_never_goes_down() {
    on_each(async |index, kind| {
        write(index.as_ref(), &[session(1), session(2), session(3)]).await;
        assert!(write(index.as_ref(), &[session(2)]).await, "{kind}");
        assert!(write(index.as_ref(), &[session(1)]).await, "{kind}");
        assert_eq!(index.marker("a").await.unwrap(), Some(3), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn an_index_that_was_emptied_gets_its_marker_from_the_beginning_only() {
    on_each(async |index, kind| {
        assert!(!write(index.as_ref(), &[session(6), session(7)]).await, "{kind}");
        assert_eq!(index.marker("a").await.unwrap(), None, "{kind}");
        let all = Lines { ledger: "a", after: 0, upto: 7, entries: &[session(6), session(7)] };
        assert!(index.write(all, T).await.unwrap(), "{kind}");
        assert_eq!(index.marker("a").await.unwrap(), Some(7), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn the_marker_of_another_ledger_counts_for_nothing() {
    on_each(async |index, kind| {
        write(index.as_ref(), &[session(1), session(2)]).await;
        assert_eq!(index.marker("b").await.unwrap(), None, "{kind}");
        assert_eq!(index.ask(somebody("s9").ids(), "b", T).await.unwrap(), Answer::Clear(None), "{kind}");
        let third = [session(3)];
        let later = Lines { ledger: "b", after: 2, upto: 3, entries: &third };
        assert!(!index.write(later, T).await.unwrap(), "{kind}");
        assert_eq!(index.marker("a").await.unwrap(), Some(2), "{kind}");
        assert!(index.write(Lines { after: 0, ..later }, T).await.unwrap(), "{kind}");
        assert_eq!((index.marker("a").await.unwrap(), index.marker("b").await.unwrap()), (None, Some(3)), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn a_marker_is_forgotten_only_where_it_stands() {
    on_each(async |index, kind| {
        write(index.as_ref(), &[session(1), session(2)]).await;
        for (ledger, marker, left) in [("a", 1, Some(2)), ("a", 3, Some(2)), ("b", 2, Some(2)), ("a", 2, None)] {
            index.forget(ledger, marker).await.unwrap();
            assert_eq!(index.marker("a").await.unwrap(), left, "{kind} {ledger} {marker}");
        }
        assert_eq!(ask(index.as_ref(), &somebody("s2")).await, Answer::Revoked, "{kind}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_never_move_the_marker_past_a_hole() {
    const LINES: i64 = 300;
    const HOLE: i64 = 200;
    on_each(async |index, kind| {
        let writers: Vec<_> = (1..=LINES)
            .filter(|number| *number != HOLE)
            .map(|number| {
                let index = Arc::clone(&index);
                tokio::spawn(async move { write(index.as_ref(), &[session(number)]).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let marker = index.marker("a").await.unwrap().unwrap_or(0);
        assert!(marker < HOLE, "{kind}: {marker}");
        for number in (1..=LINES).filter(|number| *number != HOLE) {
            assert_eq!(ask(index.as_ref(), &somebody(&format!("s{number}"))).await, Answer::Revoked, "{kind} {number}");
        }
        let rest: Vec<_> = (marker + 1..=LINES).map(session).collect();
        assert!(write(index.as_ref(), &rest).await, "{kind}");
        assert_eq!(index.marker("a").await.unwrap(), Some(LINES), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn in_redis_every_line_expires_with_its_life_and_the_marker_never() {
    let server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    let index = RedisIndex::new(redis);
    write(&index, &[session(1), line(2, Subject::Account(AccountId::new("a1"), 1))]).await;

    for key in ["{doorward}:rev:s:s1", "{doorward}:rev:a:a1"] {
        let life = server.command::<i64>(&["PTTL", key]);
        assert!((3_590_000..=3_600_000).contains(&life), "{key} {life}");
    }
    assert_eq!(server.command::<i64>(&["PTTL", "{doorward}:rev:marker"]), -1);
}

#[tokio::test]
async fn in_redis_a_line_that_came_later_does_not_shorten_an_earlier_one() {
    let server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    let index = RedisIndex::new(redis);
    write(&index, &[session(1)]).await;
    write(&index, &[Entry { number: 2, expires_at: T.plus(SECOND), ..session(1) }]).await;

    assert!(server.command::<i64>(&["PTTL", "{doorward}:rev:s:s1"]) > 3_590_000);
    assert_eq!(server.command::<String>(&["GET", "{doorward}:rev:s:s1"]), format!("0:{}", T.plus(HOUR).as_millis()));
}

#[tokio::test]
async fn in_redis_one_question_is_one_command() {
    let server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    let index = RedisIndex::new(redis);
    ask(&index, &somebody("s1")).await;
    server.command::<()>(&["CONFIG", "RESETSTAT"]);

    ask(&index, &somebody("s1")).await;

    let stats: String = server.command(&["INFO", "commandstats"]);
    assert!(stats.contains("cmdstat_mget:calls=1,"), "{stats}");
    // Besides, only this test's own connections.
    let ours = stats.lines().filter(|line| !line.contains("info") && !line.contains("config") && !line.contains("client")).count();
    assert_eq!(ours, 2, "{stats}");
}

#[tokio::test]
async fn in_memory_what_has_expired_leaves() {
    let index = MemoryIndex::new();
    let early: Timestamp = T.minus(HOUR).minus(HOUR);
    let gone: Vec<_> = (1..=1000).map(|number| Entry { expires_at: early.plus(HOUR), ..session(number) }).collect();
    index.write(Lines { ledger: "a", after: 0, upto: 1000, entries: &gone }, early).await.unwrap();
    assert_eq!(index.len(), 1000);

    write(&index, &[session(1001)]).await;

    assert_eq!(index.len(), 1);
}
