//! What [`Audit`] promises, and what a walk over it finds.

use std::sync::Arc;

use doorward::audit::{
    Audit, Break, Chain, Cursor, Event, Filter, Head, Order, Outcome, Record, Thing, Verdict, Wanted, What, Who, verify,
};
use doorward::client::Seen;
use doorward::clock::Timestamp;
use doorward::id::{AccountId, SessionId};
use doorward::secret::RootKey;

use serde_json::{Value, json};

use super::{Database, Fresh, NOW, at, at_once, on_each_database};

on_each_database!(
    rows_are_read_as_they_were_told,
    nothing_appended_moves_nothing,
    two_hundred_at_once_from_two_stores_are_one_chain,
    pages_go_both_ways_and_meet,
    a_filter_says_which,
    rows_of_one_moment_are_not_lost_between_pages,
    a_changed_byte_is_found,
    a_tail_that_was_cut_is_found,
    another_key_fits_nowhere,
);

// What it takes to tamper with rows is written in SQL.
on_each_database!(
    in_sql:
    a_deleted_row_is_found,
    a_swapped_pair_is_found,
    an_inserted_row_is_found,
    a_head_that_was_moved_is_found_and_told_of_for_ever,
    a_log_that_was_put_back_is_found_by_who_has_noted_a_row,
    rows_are_not_changed_by_mistake,
);

/// What this suite is about.
pub(super) trait Promised: Audit + 'static {}

impl<S: Audit + 'static> Promised for S {}

fn chain() -> Chain {
    Chain::new(&RootKey::new([7; 32]))
}

fn event(millis: i64) -> Event {
    Event::new(What::SessionBegun, Who::Account(AccountId::new("ada")), at(NOW + millis))
}

impl<S: Promised> Fresh<S> {
    async fn append(&self, events: &[Event]) -> Head {
        self.store.append(events, &chain()).await.unwrap()
    }

    /// So many rows, a millisecond apart.
    async fn with_rows(&self, count: i64) -> Head {
        self.append(&(1..=count).map(event).collect::<Vec<_>>()).await
    }

    async fn verdict(&self) -> Verdict {
        verify(&self.store, &chain(), None, |_| ()).await.unwrap()
    }

    async fn broken(&self) -> Break {
        match self.verdict().await {
            Verdict::Broken(found) => found,
            Verdict::Whole(head) => panic!("nothing was found up to {head:?}"),
        }
    }

    /// Runs SQL as who may do everything to the tables, and takes what guards them away first.
    async fn tamper(&self, sql: &'static str) {
        match self.database {
            Database::Sqlite => {
                self.sql("DROP TRIGGER IF EXISTS audit_log_no_update").await;
                self.sql("DROP TRIGGER IF EXISTS audit_log_no_delete").await;
            }
            Database::Postgres => drop(self.sql("ALTER TABLE audit_log DISABLE TRIGGER ALL").await),
            Database::MariaDb => {}
            #[cfg(feature = "mongodb")]
            Database::MongoDb => panic!("MongoDB knows no SQL: {sql}"),
        }
        self.sql(sql).await;
    }

    /// The same, where MongoDB has a command for it.
    async fn tamper_anywhere(&self, sql: &'static str, command: Value) {
        #[cfg(feature = "mongodb")]
        if self.database == Database::MongoDb {
            self.behind(sql, command).await;
            return;
        }
        drop(command);
        self.tamper(sql).await;
    }

    async fn page(&self, filter: &Filter, order: Order, after: Option<Cursor>, limit: u32) -> Vec<Record> {
        self.store.page(&Wanted { filter: filter.clone(), order, after, limit }).await.unwrap()
    }

    /// The numbers of all rows, read so many at a time.
    async fn numbers(&self, filter: &Filter, order: Order, limit: u32) -> Vec<i64> {
        let mut numbers = Vec::new();
        let mut after = None;
        loop {
            let page = self.page(filter, order, after, limit).await;
            let Some(last) = page.last() else { return numbers };
            after = Some(Cursor::of(last));
            numbers.extend(page.iter().map(|record| record.number));
        }
    }
}

async fn rows_are_read_as_they_were_told<S: Promised>(fresh: &Fresh<S>) {
    let seen = Seen {
        address: Some("2001:db8::7".parse().unwrap()),
        agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(),
        request_id: "request-1\0\r\n'\"\\ü".to_owned(),
        ..Seen::default()
    };
    let whole = Event::new(What::CodeEntered, Who::Machine("key".to_owned()), at(NOW))
        .on(Thing::Session(SessionId::new("session")))
        .of(&AccountId::new("ada"))
        .detail("email")
        .came_to(Outcome::Wrong)
        .seen(&seen);
    let bare = Event::new(What::SigningKeyRotated, Who::Operator, at(NOW + 1));

    fresh.append(&[Event { times: 3, ..whole }, bare]).await;

    let rows = fresh.store.walk(0, 10).await.unwrap();
    let texts = |row: &Record| {
        [&row.who, &row.who_id, &row.account, &row.what, &row.thing, &row.thing_id, &row.detail, &row.outcome].map(String::clone)
    };
    assert_eq!(texts(&rows[0]), ["machine", "key", "ada", "code_entered", "session", "session", "email", "wrong"]);
    assert_eq!((rows[0].number, rows[0].at, rows[0].times), (1, at(NOW), 3));
    assert_eq!([&rows[0].address, &rows[0].agent, &rows[0].request_id], ["2001:db8::7", "Firefox, Linux", "request-1'\"\\ü"]);
    assert_eq!(texts(&rows[1]), ["operator", "", "", "signing_key_rotated", "", "", "", "done"]);
    assert_eq!((rows[1].number, rows.len()), (2, 2));
    assert!(matches!(fresh.verdict().await, Verdict::Whole(head) if head.number == 2));
}

async fn nothing_appended_moves_nothing<S: Promised>(fresh: &Fresh<S>) {
    assert_eq!(fresh.append(&[]).await, Head::default());
    assert_eq!(fresh.store.newest().await.unwrap(), Head::default());
    assert_eq!(fresh.verdict().await, Verdict::Whole(Head::default()));

    let head = fresh.with_rows(1).await;
    assert_eq!(fresh.append(&[]).await, head);
    assert_eq!(fresh.store.newest().await.unwrap(), head);
}

async fn two_hundred_at_once_from_two_stores_are_one_chain<S: Promised>(fresh: &Fresh<S>) {
    let stores = [Arc::new(fresh.node()), Arc::new(fresh.node())];
    let chain = Arc::new(chain());

    let heads = at_once(200, |number| {
        let (store, chain) = (Arc::clone(&stores[number % 2]), Arc::clone(&chain));
        let millis = i64::try_from(number).unwrap();
        async move { store.append(&[event(millis), event(millis)], &chain).await.unwrap().number }
    })
    .await;

    let mut heads = heads;
    heads.sort_unstable();
    assert_eq!(heads, (1..=200).map(|number| number * 2).collect::<Vec<_>>());
    assert!(matches!(fresh.verdict().await, Verdict::Whole(head) if head.number == 400));
}

async fn pages_go_both_ways_and_meet<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_rows(25).await;
    let all = Filter::default();

    for limit in [1, 7, 25, 100] {
        assert_eq!(fresh.numbers(&all, Order::Newest, limit).await, (1..=25).rev().collect::<Vec<_>>());
        assert_eq!(fresh.numbers(&all, Order::Oldest, limit).await, (1..=25).collect::<Vec<_>>());
    }
    let middle = fresh.page(&all, Order::Newest, None, 10).await.pop().unwrap();
    let newer = fresh.page(&all, Order::Oldest, Some(Cursor::of(&middle)), 100).await;
    assert_eq!(newer.iter().map(|record| record.number).collect::<Vec<_>>(), (17..=25).collect::<Vec<_>>());
}

async fn a_filter_says_which<S: Promised>(fresh: &Fresh<S>) {
    let people = ["ada", "grace", "Ada"].map(AccountId::new);
    let whats = [What::SessionBegun, What::SignedOut];
    let events: Vec<_> = (0..60_i64)
        .map(|number| {
            let place = usize::try_from(number).unwrap();
            Event::new(whats[place % 2], Who::Account(people[place % 3].clone()), at(NOW + number))
        })
        .collect();
    fresh.append(&events).await;
    let expected = |keep: &dyn Fn(i64) -> bool| (1..=60).filter(|number| keep(number - 1)).collect::<Vec<i64>>();

    for order in [Order::Newest, Order::Oldest] {
        let found = async |filter: Filter| {
            let mut numbers = fresh.numbers(&filter, order, 4).await;
            if order == Order::Newest {
                numbers.reverse();
            }
            numbers
        };
        let ada = Filter { account: Some(people[0].clone()), ..Filter::default() };
        assert_eq!(found(ada.clone()).await, expected(&|number| number % 3 == 0));
        let signed_out = Filter { what: Some(What::SignedOut), ..Filter::default() };
        assert_eq!(found(signed_out).await, expected(&|number| number % 2 == 1));
        let both = Filter { what: Some(What::SignedOut), ..ada };
        assert_eq!(found(both.clone()).await, expected(&|number| number % 6 == 3));
        let while_ = Filter { since: Some(at(NOW + 10)), until: Some(at(NOW + 20)), ..Filter::default() };
        assert_eq!(found(while_.clone()).await, expected(&|number| (10..20).contains(&number)));
        assert_eq!(found(Filter { since: while_.since, until: while_.until, ..both }).await, expected(&|number| number == 15));
        let nobody = Filter { account: Some(AccountId::new("nobody\0")), ..Filter::default() };
        assert_eq!(found(nobody).await, Vec::<i64>::new());
        let never = Filter { since: Some(at(NOW + 20)), until: Some(at(NOW + 10)), ..Filter::default() };
        assert_eq!(found(never).await, Vec::<i64>::new());
    }
}

async fn rows_of_one_moment_are_not_lost_between_pages<S: Promised>(fresh: &Fresh<S>) {
    // Clocks of two nodes differ: a later row may be of an earlier moment.
    let moments = [5, 5, 5, 4, 5, 6, 5, 4];
    fresh.append(&moments.map(event)).await;

    let all = Filter::default();
    for limit in [1, 2, 3] {
        assert_eq!(fresh.numbers(&all, Order::Oldest, limit).await, [4, 8, 1, 2, 3, 5, 7, 6]);
        assert_eq!(fresh.numbers(&all, Order::Newest, limit).await, [6, 7, 5, 3, 2, 1, 8, 4]);
    }
}

async fn a_changed_byte_is_found<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_rows(2500).await;

    let command = json!({ "update": "audit_log", "updates": [{ "q": { "_id": 1234 }, "u": { "$set": { "account_id": "adb" } } }] });
    fresh.tamper_anywhere("UPDATE audit_log SET account_id = 'adb' WHERE number = 1234", command).await;

    assert_eq!(fresh.broken().await, Break::Changed(1234));
}

async fn a_deleted_row_is_found(fresh: &Fresh) {
    fresh.with_rows(20).await;

    fresh.tamper("DELETE FROM audit_log WHERE number = 7").await;

    assert_eq!(fresh.broken().await, Break::Missing(7));
    // Who closes the gap breaks the codes.
    fresh.tamper("UPDATE audit_log SET number = 7 WHERE number = 20").await;
    assert_eq!(fresh.broken().await, Break::Changed(7));
}

async fn a_swapped_pair_is_found(fresh: &Fresh) {
    fresh.with_rows(20).await;

    fresh.tamper("UPDATE audit_log SET number = 99 WHERE number = 7").await;
    fresh.tamper("UPDATE audit_log SET number = 7 WHERE number = 8").await;
    fresh.tamper("UPDATE audit_log SET number = 8 WHERE number = 99").await;

    assert_eq!(fresh.broken().await, Break::Changed(7));
}

async fn an_inserted_row_is_found(fresh: &Fresh) {
    fresh.with_rows(20).await;

    fresh
        .tamper(
            "INSERT INTO audit_log SELECT 21, happened_at, who, who_id, account_id, what, thing, thing_id, detail, outcome, address, \
             agent, request_id, times, mac FROM audit_log WHERE number = 20",
        )
        .await;
    assert_eq!(fresh.broken().await, Break::Changed(21));

    // A row of our own that lies beyond the head: the head was put back.
    let other = Fresh::new(fresh.database).await;
    let old = other.with_rows(20).await;
    other.append(&[event(21)]).await;
    other.tamper("UPDATE audit_head SET number = 20").await;
    assert_eq!(other.broken().await, Break::Head, "{old:?}");
}

async fn a_tail_that_was_cut_is_found<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_rows(20).await;

    let command = json!({ "delete": "audit_log", "deletes": [{ "q": { "_id": { "$gt": 15 } }, "limit": 0 }] });
    fresh.tamper_anywhere("DELETE FROM audit_log WHERE number > 15", command).await;
    assert_eq!(fresh.broken().await, Break::Cut(16, 20));

    // The head goes on where it was: the gap stays.
    fresh.append(&[event(21)]).await;
    assert_eq!(fresh.broken().await, Break::Missing(16));
}

async fn a_head_that_was_moved_is_found_and_told_of_for_ever(fresh: &Fresh) {
    fresh.with_rows(20).await;
    fresh.tamper("DELETE FROM audit_log WHERE number > 15").await;
    // Who can read the table knows the code of row 15, but not the seal of a head that ends there.
    fresh.tamper("UPDATE audit_head SET number = 15, mac = (SELECT mac FROM audit_log WHERE number = 15)").await;
    assert_eq!(fresh.broken().await, Break::Head);

    let head = fresh.append(&[event(21)]).await;

    assert_eq!(head.number, 17, "a row that says so, and the event");
    assert_eq!(fresh.broken().await, Break::Marked(16));
}

async fn a_log_that_was_put_back_is_found_by_who_has_noted_a_row(fresh: &Fresh) {
    fresh.with_rows(10).await;
    fresh.tamper("CREATE TABLE kept AS SELECT number, mac, seal FROM audit_head").await;
    let noted = fresh.append(&[event(11), event(12)]).await;
    fresh.tamper("DELETE FROM audit_log WHERE number > 10").await;
    fresh
        .tamper("UPDATE audit_head SET number = (SELECT number FROM kept), mac = (SELECT mac FROM kept), seal = (SELECT seal FROM kept)")
        .await;

    assert!(matches!(fresh.verdict().await, Verdict::Whole(head) if head.number == 10), "this alone cannot be seen");
    let expected = (noted.number, noted.mac);
    let verdict = async || verify(&fresh.store, &chain(), Some(&expected), |_| ()).await.unwrap();
    assert_eq!(verdict().await, Verdict::Broken(Break::Cut(11, 12)));

    // A process that has seen row 12 writes it down.
    let running = chain();
    running.know(&Head { number: expected.0, ..Head::default() });
    fresh.store.append(&[event(13)], &running).await.unwrap();
    assert_eq!(verdict().await, Verdict::Broken(Break::Marked(11)));
}

async fn another_key_fits_nowhere<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_rows(3).await;

    let other = Chain::new(&RootKey::new([8; 32]));

    assert_eq!(verify(&fresh.store, &other, None, |_| ()).await.unwrap(), Verdict::Broken(Break::Changed(1)));
}

/// MySQL lets only an administrator make what would refuse it.
async fn rows_are_not_changed_by_mistake(fresh: &Fresh) {
    fresh.with_rows(3).await;
    if fresh.database == Database::MariaDb {
        return;
    }
    for sql in ["UPDATE audit_log SET times = 2", "DELETE FROM audit_log"] {
        let url = fresh.url.clone();
        let refused = match fresh.database {
            Database::Sqlite => {
                let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
                sqlx::query(sql).execute(&pool).await.unwrap_err().to_string()
            }
            #[cfg(feature = "mongodb")]
            Database::MongoDb => panic!("not in SQL"),
            Database::Postgres | Database::MariaDb => {
                let pool = sqlx::PgPool::connect(&url).await.unwrap();
                sqlx::query(sql).execute(&pool).await.unwrap_err().to_string()
            }
        };
        assert!(refused.contains("rows of the audit log stay as they are"), "{refused}");
    }
    assert!(matches!(fresh.verdict().await, Verdict::Whole(head) if head.number == 3));
}

#[test]
fn a_moment_is_milliseconds() {
    assert_eq!(Timestamp::parse("2026-11-30").map(Timestamp::as_millis), Some(1_795_996_800_000));
}
