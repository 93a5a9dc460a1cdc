//! What [`Apps`], [`Subjects`], [`SentCodes`] and [`Authenticators`] promise.

use std::time::Duration;

use doorward::app::{App, AppName, Apps, At, Authenticators, SentCode, SentCodes, ShownStep, Subject, SubjectName, Subjects, Tried, Try};
use doorward::id::{AppId, SubjectId};
use doorward::limits::Quota;
use doorward::signin::Channel;
use serde_json::json;

use super::{Fresh, HOUR, NOW, at, at_once, on_each_database};

on_each_database!(
    an_app_is_kept_as_it_is_and_its_name_is_one,
    of_twenty_who_take_a_name_at_once_one_gets_it,
    of_twenty_who_change_an_app_at_once_one_does,
    apps_are_listed_by_name,
    a_generation_grows_when_a_route_comes_changes_or_goes,
    an_app_that_is_removed_takes_all_that_is_its_own,
    a_subject_keeps_the_addresses_that_it_was_not_given_anew,
    subjects_are_listed_of_their_app_alone,
    a_subject_that_is_forgotten_takes_its_codes_and_its_authenticator,
    a_code_is_found_by_its_app_alone,
    of_five_hundred_attempts_at_a_challenge_at_once_five_are_counted,
    of_five_hundred_attempts_at_a_subject_at_once_five_are_counted,
    asking_again_gives_no_new_budget,
    the_two_sorts_of_attempts_have_budgets_of_their_own,
    an_attempt_at_nothing_is_not_counted,
    a_code_is_spent_once_and_gives_its_attempt_back,
    only_the_newest_codes_live,
    codes_that_have_expired_are_nothing_and_are_swept,
    an_authenticator_is_enabled_once_and_a_step_is_good_once,
    an_enabled_authenticator_is_not_replaced_by_registering,
    an_authenticator_that_is_replaced_counts_no_more,
    of_twenty_who_take_an_authenticator_away_at_once_one_does,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Apps + Authenticators + SentCodes + Subjects + Clone + 'static {}

impl<S: Apps + Authenticators + SentCodes + Subjects + Clone + 'static> Promised for S {}

const LIFETIME: i64 = 600_000;

fn app(name: &str) -> App {
    App {
        id: AppId::new(format!("id-of-{name}")),
        name: AppName::parse(name).unwrap(),
        owner: "Ada \u{1f98a} 'quoted'".to_owned(),
        route: None,
        revision: 1,
        created_at: at(NOW),
        changed_at: at(NOW),
    }
}

fn subject(app: &App, name: &str) -> Subject {
    Subject {
        id: SubjectId::new(format!("{}/{name}", app.id)),
        app: app.id.clone(),
        name: SubjectName::parse(name).unwrap(),
        email: None,
        phone: None,
        created_at: at(NOW),
        seen_at: at(NOW),
        enabled_at: None,
    }
}

fn code(id: &str, subject: &Subject, created: i64) -> SentCode {
    SentCode {
        id: id.to_owned(),
        subject: subject.id.clone(),
        channel: Channel::Sms,
        sealed: format!("sealed-{id}"),
        code: format!("mac-{id}"),
        created_at: at(created),
        expires_at: at(created + LIFETIME),
    }
}

fn attempt(subject: &Subject, at: At) -> Try {
    Try {
        subject: subject.id.clone(),
        at,
        per_code: 5,
        window: Quota { count: 5, window: Duration::from_secs(600) },
        budget: Quota { count: 10, window: Duration::from_secs(3600) },
    }
}

fn challenge(id: &str) -> At {
    At::Challenge(id.to_owned())
}

fn ids(tried: Tried) -> Vec<String> {
    let Tried::Counted(codes) = tried else { panic!("{tried:?}") };
    codes.into_iter().map(|code| code.id).collect()
}

fn counted(all: &[Tried]) -> usize {
    all.iter().filter(|tried| matches!(tried, Tried::Counted(_))).count()
}

impl<S: Promised> Fresh<S> {
    /// An app with one subject that was sent one code, `c1`.
    async fn with_code(&self) -> (App, Subject) {
        let app = app("billing");
        assert!(Apps::add(&self.store, &app).await.unwrap());
        let ada = subject(&app, "ada");
        self.sent("c1", &ada, NOW).await;
        (app, ada)
    }

    async fn sent(&self, id: &str, subject: &Subject, created: i64) {
        SentCodes::open(&self.store, subject, &code(id, subject, created), 3).await.unwrap();
    }

    async fn tried(&self, attempt: &Try, now: i64) -> Tried {
        SentCodes::take_attempt(&self.store, attempt, at(now)).await.unwrap()
    }

    async fn many(&self, attempt: &Try, count: usize) -> Vec<Tried> {
        at_once(count, |_| {
            let (store, attempt) = (self.store.clone(), attempt.clone());
            async move { SentCodes::take_attempt(&store, &attempt, at(NOW)).await.unwrap() }
        })
        .await
    }

    async fn app(&self, name: &str) -> Option<App> {
        Apps::find(&self.store, name).await.unwrap()
    }

    async fn subject(&self, id: &SubjectId) -> Option<Subject> {
        Subjects::find(&self.store, id).await.unwrap()
    }
}

async fn an_app_is_kept_as_it_is_and_its_name_is_one<S: Promised>(fresh: &Fresh<S>) {
    let billing = App { route: Some(json!({ "host": "b.example.com", "upstream": ["http://127.0.0.1:1"] })), ..app("billing") };

    assert!(Apps::add(&fresh.store, &billing).await.unwrap());

    assert_eq!(fresh.app("billing").await, Some(billing.clone()));
    assert_eq!(fresh.app("Billing").await, None);
    assert_eq!(fresh.app("billing ").await, None);
    let by_id = async |id: &str| Apps::by_id(&fresh.store, &AppId::new(id)).await.unwrap();
    assert_eq!(by_id("id-of-billing").await, Some(billing.clone()));
    for other in ["billing", "ID-of-billing", "id-of-billing ", ""] {
        assert_eq!(by_id(other).await, None, "{other:?}");
    }
    assert_eq!(fresh.app("id-of-billing").await, None);
    let same_name = App { id: AppId::new("another"), ..billing.clone() };
    assert!(!Apps::add(&fresh.store, &same_name).await.unwrap());
    let same_id = App { id: billing.id.clone(), ..app("other") };
    assert!(!Apps::add(&fresh.store, &same_id).await.unwrap());
    assert_eq!(fresh.app("other").await, None);
}

async fn of_twenty_who_take_a_name_at_once_one_gets_it<S: Promised>(fresh: &Fresh<S>) {
    let added = at_once(20, |number| {
        let store = fresh.store.clone();
        let mine = App { id: AppId::new(format!("id-{number}")), route: Some(json!({ "n": number })), ..app("billing") };
        async move { Apps::add(&store, &mine).await.unwrap() }
    })
    .await;

    assert_eq!(added.iter().filter(|added| **added).count(), 1);
    assert_eq!(fresh.store.generation().await.unwrap(), 1);
}

async fn of_twenty_who_change_an_app_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    Apps::add(&fresh.store, &app("billing")).await.unwrap();

    let changed = at_once(20, |number| {
        let store = fresh.store.clone();
        let mine = App { owner: format!("owner-{number}"), revision: 2, changed_at: at(NOW + 1), ..app("billing") };
        async move { Apps::change(&store, &mine).await.unwrap().then_some(mine) }
    })
    .await;

    let winners: Vec<App> = changed.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(fresh.app("billing").await.as_ref(), winners.first());
    let later = App { revision: 2, ..winners[0].clone() };
    assert!(!Apps::change(&fresh.store, &later).await.unwrap(), "it is at that revision already");
    let gone = App { id: AppId::new("nobody"), revision: 2, ..later };
    assert!(!Apps::change(&fresh.store, &gone).await.unwrap());
}

async fn apps_are_listed_by_name<S: Promised>(fresh: &Fresh<S>) {
    for name in ["wiki", "a.b", "billing", "a-b"] {
        Apps::add(&fresh.store, &app(name)).await.unwrap();
    }
    let listed = async |after: Option<&str>, limit| {
        let apps = Apps::list(&fresh.store, after, limit).await.unwrap();
        apps.into_iter().map(|app| app.name.to_string()).collect::<Vec<_>>()
    };

    assert_eq!(listed(None, 10).await, ["a-b", "a.b", "billing", "wiki"]);
    assert_eq!(listed(None, 2).await, ["a-b", "a.b"]);
    assert_eq!(listed(Some("a.b"), 10).await, ["billing", "wiki"]);
    assert_eq!(listed(Some("wiki"), 10).await, Vec::<String>::new());
}

async fn a_generation_grows_when_a_route_comes_changes_or_goes<S: Promised>(fresh: &Fresh<S>) {
    let generation = async || fresh.store.generation().await.unwrap();
    let route = |port: u16| Some(json!({ "upstream": [format!("http://127.0.0.1:{port}")] }));
    let change = async |app: App| assert!(Apps::change(&fresh.store, &app).await.unwrap());
    assert_eq!(generation().await, 0);

    Apps::add(&fresh.store, &app("billing")).await.unwrap();
    change(App { owner: "another".to_owned(), revision: 2, ..app("billing") }).await;
    assert_eq!(generation().await, 0, "there is no route yet");
    assert_eq!(fresh.store.with_routes().await.unwrap(), []);
    change(App { route: route(1), revision: 3, ..app("billing") }).await;
    assert_eq!(generation().await, 1);
    change(App { route: route(1), owner: "third".to_owned(), revision: 4, ..app("billing") }).await;
    assert_eq!(generation().await, 1, "the route is the same");
    change(App { route: route(2), revision: 5, ..app("billing") }).await;
    assert_eq!(generation().await, 2);
    let later = App { route: route(3), created_at: at(NOW - 1), ..app("wiki") };
    Apps::add(&fresh.store, &later).await.unwrap();
    let names: Vec<String> = fresh.store.with_routes().await.unwrap().iter().map(|app| app.name.to_string()).collect();
    assert_eq!((generation().await, names), (3, vec!["wiki".to_owned(), "billing".to_owned()]), "the oldest first");
    change(App { revision: 6, ..app("billing") }).await;
    assert_eq!(generation().await, 4);
    assert!(Apps::remove(&fresh.store, &app("billing").id).await.unwrap());
    assert_eq!(generation().await, 4, "its route was gone already");
    assert!(Apps::remove(&fresh.store, &later.id).await.unwrap());
    assert_eq!(generation().await, 5);
}

async fn an_app_that_is_removed_takes_all_that_is_its_own<S: Promised>(fresh: &Fresh<S>) {
    let (billing, ada) = fresh.with_code().await;
    let other = app("other");
    Apps::add(&fresh.store, &other).await.unwrap();
    let bob = subject(&other, "bob");
    for whose in [&ada, &bob] {
        assert!(Authenticators::enrol(&fresh.store, whose, "sealed", at(NOW)).await.unwrap());
    }

    assert!(Apps::remove(&fresh.store, &billing.id).await.unwrap());

    assert_eq!(fresh.app("billing").await, None);
    assert_eq!(fresh.subject(&ada.id).await, None);
    assert_eq!(Authenticators::find(&fresh.store, &ada.id).await.unwrap(), None);
    assert_eq!(fresh.tried(&attempt(&ada, challenge("c1")), NOW).await, Tried::Nothing);
    assert!(!Apps::remove(&fresh.store, &billing.id).await.unwrap());
    assert!(Authenticators::find(&fresh.store, &bob.id).await.unwrap().is_some());
    assert!(Apps::add(&fresh.store, &App { id: AppId::new("new"), ..app("billing") }).await.unwrap(), "the name is free again");
}

async fn a_subject_keeps_the_addresses_that_it_was_not_given_anew<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;
    let with = |email: Option<&str>, phone: Option<&str>, seen: i64| Subject {
        email: email.map(str::to_owned),
        phone: phone.map(str::to_owned),
        created_at: at(seen),
        seen_at: at(seen),
        ..ada.clone()
    };

    fresh.sent("c2", &with(Some("mail"), None, NOW + 1), NOW + 1).await;
    fresh.sent("c3", &with(None, Some("phone"), NOW + 2), NOW + 2).await;
    fresh.sent("c4", &with(None, None, NOW + 3), NOW + 3).await;

    let kept = Subject { created_at: at(NOW), ..with(Some("mail"), Some("phone"), NOW + 3) };
    assert_eq!(fresh.subject(&ada.id).await, Some(kept));
}

async fn subjects_are_listed_of_their_app_alone<S: Promised>(fresh: &Fresh<S>) {
    let (billing, other) = (app("billing"), app("other"));
    for app in [&billing, &other] {
        Apps::add(&fresh.store, app).await.unwrap();
    }
    for (app, name) in [(&billing, "c"), (&billing, "a"), (&other, "b"), (&billing, "b \u{1f98a}")] {
        fresh.sent(&format!("{}-{name}", app.name), &subject(app, name), NOW).await;
    }
    let a = subject(&billing, "a");
    Authenticators::enrol(&fresh.store, &a, "sealed", at(NOW)).await.unwrap();
    let step = ShownStep { subject: &a.id, sealed: "sealed", number: 7 };
    assert!(Authenticators::enable(&fresh.store, &step, at(NOW + 5)).await.unwrap());
    let listed = async |app: &App, after: Option<&Subject>, limit| {
        let subjects = Subjects::list(&fresh.store, &app.id, after.map(|it| &it.id), limit).await.unwrap();
        subjects.into_iter().map(|it| (it.name.expose().to_owned(), it.enabled_at)).collect::<Vec<_>>()
    };
    let of = |name: &str| (name.to_owned(), None);

    let all = [("a".to_owned(), Some(at(NOW + 5))), of("b \u{1f98a}"), of("c")];
    assert_eq!(listed(&billing, None, 10).await, all);
    assert_eq!(listed(&billing, None, 1).await, all[..1]);
    assert_eq!(listed(&billing, Some(&a), 10).await, all[1..]);
    assert_eq!(listed(&other, None, 10).await, [of("b")]);
}

async fn a_subject_that_is_forgotten_takes_its_codes_and_its_authenticator<S: Promised>(fresh: &Fresh<S>) {
    let (billing, ada) = fresh.with_code().await;
    Authenticators::enrol(&fresh.store, &ada, "sealed", at(NOW)).await.unwrap();
    let other = app("other");

    assert!(!Subjects::forget(&fresh.store, &other.id, &ada.id).await.unwrap(), "it is another app's");
    assert!(Subjects::forget(&fresh.store, &billing.id, &ada.id).await.unwrap());

    assert_eq!(fresh.subject(&ada.id).await, None);
    assert_eq!(Authenticators::find(&fresh.store, &ada.id).await.unwrap(), None);
    assert_eq!(fresh.tried(&attempt(&ada, At::Codes), NOW).await, Tried::Nothing);
    assert!(!Subjects::forget(&fresh.store, &billing.id, &ada.id).await.unwrap());
}

async fn a_code_is_found_by_its_app_alone<S: Promised>(fresh: &Fresh<S>) {
    let (billing, ada) = fresh.with_code().await;
    let other = app("other");
    Apps::add(&fresh.store, &other).await.unwrap();
    let bob = subject(&other, "bob");
    fresh.sent("c2", &bob, NOW).await;
    let whose = async |app: &App, id: &str, now: i64| fresh.store.subject_of(&app.id, id, at(now)).await.unwrap();

    assert_eq!(whose(&billing, "c1", NOW).await, Some(ada.id.clone()));
    assert_eq!(whose(&other, "c1", NOW).await, None);
    assert_eq!(whose(&other, "c2", NOW).await, Some(bob.id.clone()));
    assert_eq!(whose(&billing, "C1", NOW).await, None);
    assert_eq!(whose(&billing, "c1", NOW + LIFETIME).await, None);
    assert_eq!(fresh.tried(&attempt(&bob, challenge("c1")), NOW).await, Tried::Nothing, "of another subject");
    assert_eq!(ids(fresh.tried(&attempt(&bob, At::Codes), NOW).await), ["c2"]);
}

async fn of_five_hundred_attempts_at_a_challenge_at_once_five_are_counted<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;

    let tried = fresh.many(&attempt(&ada, challenge("c1")), 500).await;

    assert_eq!(counted(&tried), 5);
    let wait = Duration::from_secs(600);
    assert!(tried.iter().all(|it| matches!(it, Tried::Counted(_)) || *it == Tried::Exhausted(wait)), "{tried:?}");
}

async fn of_five_hundred_attempts_at_a_subject_at_once_five_are_counted<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;
    for place in [At::Codes, At::Either, At::Authenticator] {
        let tried = fresh.many(&attempt(&ada, place), 170).await;
        let of_these = if counted(&tried) > 0 { 5 } else { 0 };
        assert_eq!(counted(&tried), of_these);
    }
    assert_eq!(counted(&fresh.many(&attempt(&ada, At::Either), 10).await), 0);
}

async fn asking_again_gives_no_new_budget<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;
    fresh.sent("c2", &ada, NOW).await;
    fresh.sent("c3", &ada, NOW).await;

    let mut all = 0;
    for id in ["c1", "c2", "c3"] {
        all += counted(&fresh.many(&attempt(&ada, challenge(id)), 20).await);
    }

    assert_eq!(all, 10, "ten failures an hour, however often one asks");
    let later = fresh.tried(&attempt(&ada, challenge("c3")), NOW + LIFETIME - 1).await;
    assert_eq!(later, Tried::Exhausted(Duration::from_millis(3_600_000 - 599_999)));
    fresh.sent("c4", &ada, NOW + HOUR).await;
    assert_eq!(ids(fresh.tried(&attempt(&ada, challenge("c4")), NOW + HOUR).await), ["c4"]);
}

async fn the_two_sorts_of_attempts_have_budgets_of_their_own<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;

    assert_eq!(counted(&fresh.many(&attempt(&ada, At::Authenticator), 20).await), 5);

    assert_eq!(ids(fresh.tried(&attempt(&ada, challenge("c1")), NOW).await), ["c1"]);
    assert_eq!(fresh.tried(&attempt(&ada, At::Codes), NOW).await, Tried::Exhausted(Duration::from_secs(600)));
    let next = fresh.tried(&attempt(&ada, At::Authenticator), NOW + LIFETIME).await;
    assert_eq!(next, Tried::Counted(Vec::new()), "in the next window");
}

async fn an_attempt_at_nothing_is_not_counted<S: Promised>(fresh: &Fresh<S>) {
    let (app, ada) = fresh.with_code().await;
    let nobody = subject(&app, "nobody");
    for _ in 0..30 {
        assert_eq!(fresh.tried(&attempt(&nobody, At::Codes), NOW).await, Tried::Nothing);
        assert_eq!(fresh.tried(&attempt(&ada, challenge("unknown")), NOW).await, Tried::Nothing);
    }

    assert_eq!(ids(fresh.tried(&attempt(&ada, challenge("c1")), NOW).await), ["c1"]);
    let command = json!({ "find": "failures", "filter": { "_id": { "$regex": "nobody$" } } });
    assert_eq!(fresh.behind("SELECT subject FROM failures WHERE subject LIKE '%nobody'", command).await.trim(), "");
}

async fn a_code_is_spent_once_and_gives_its_attempt_back<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;
    for round in 0..15 {
        let id = format!("round-{round}");
        fresh.sent(&id, &ada, NOW).await;
        let attempt = attempt(&ada, challenge(&id));
        assert_eq!(ids(fresh.tried(&attempt, NOW).await), [id.as_str()], "the right ones cost nothing");
        assert!(SentCodes::spend(&fresh.store, &id, &attempt, at(NOW)).await.unwrap());
    }
    fresh.sent("last", &ada, NOW).await;

    let spent = at_once(20, |_| {
        let (store, attempt) = (fresh.store.clone(), attempt(&ada, At::Codes));
        async move { SentCodes::spend(&store, "last", &attempt, at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(spent.iter().filter(|spent| **spent).count(), 1);
    assert_eq!(fresh.tried(&attempt(&ada, challenge("last")), NOW).await, Tried::Nothing);
    assert!(!SentCodes::spend(&fresh.store, "c1", &attempt(&ada, At::Codes), at(NOW + LIFETIME)).await.unwrap(), "it has expired");
}

async fn only_the_newest_codes_live<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;
    for number in 2..=5 {
        fresh.sent(&format!("c{number}"), &ada, NOW + number).await;
    }

    assert_eq!(ids(fresh.tried(&attempt(&ada, At::Codes), NOW + 5).await), ["c5", "c4", "c3"]);
    assert_eq!(fresh.tried(&attempt(&ada, challenge("c2")), NOW + 5).await, Tried::Nothing);
}

async fn codes_that_have_expired_are_nothing_and_are_swept<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;

    assert_eq!(ids(fresh.tried(&attempt(&ada, At::Codes), NOW + LIFETIME - 1).await), ["c1"]);
    assert_eq!(fresh.tried(&attempt(&ada, At::Codes), NOW + LIFETIME).await, Tried::Nothing);

    assert_eq!(SentCodes::sweep(&fresh.store, at(NOW + LIFETIME)).await.unwrap(), 0);
    assert_eq!(SentCodes::sweep(&fresh.store, at(NOW + LIFETIME + 1)).await.unwrap(), 1);
}

async fn an_authenticator_is_enabled_once_and_a_step_is_good_once<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;
    let step = |number| ShownStep { subject: &ada.id, sealed: "sealed", number };
    assert!(Authenticators::enrol(&fresh.store, &ada, "sealed", at(NOW)).await.unwrap());
    assert!(!Authenticators::use_step(&fresh.store, &step(7), at(NOW)).await.unwrap(), "it does not count yet");

    let enabled = at_once(20, |_| {
        let (store, id) = (fresh.store.clone(), ada.id.clone());
        async move { Authenticators::enable(&store, &ShownStep { subject: &id, sealed: "sealed", number: 7 }, at(NOW + 1)).await.unwrap() }
    })
    .await;
    assert_eq!(enabled.iter().filter(|enabled| **enabled).count(), 1);

    let found = Authenticators::find(&fresh.store, &ada.id).await.unwrap().unwrap();
    assert_eq!((found.created_at, found.enabled_at, found.last_used_at), (at(NOW), Some(at(NOW + 1)), Some(at(NOW + 1))));
    for (number, good) in [(7, false), (6, false), (8, true), (8, false), (10, true), (9, false)] {
        assert_eq!(Authenticators::use_step(&fresh.store, &step(number), at(NOW + 2)).await.unwrap(), good, "{number}");
    }
    let used = at_once(20, |_| {
        let (store, id) = (fresh.store.clone(), ada.id.clone());
        async move { Authenticators::use_step(&store, &ShownStep { subject: &id, sealed: "sealed", number: 11 }, at(NOW)).await.unwrap() }
    })
    .await;
    assert_eq!(used.iter().filter(|used| **used).count(), 1);
    let other = ShownStep { subject: &ada.id, sealed: "another", number: 12 };
    assert!(!Authenticators::use_step(&fresh.store, &other, at(NOW)).await.unwrap());
}

async fn an_enabled_authenticator_is_not_replaced_by_registering<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;
    let enrol = async |sealed: &str| Authenticators::enrol(&fresh.store, &ada, sealed, at(NOW)).await.unwrap();

    assert!(enrol("first").await);
    assert!(enrol("second").await, "the first one never counted");
    let first = ShownStep { subject: &ada.id, sealed: "first", number: 7 };
    assert!(!Authenticators::enable(&fresh.store, &first, at(NOW)).await.unwrap());
    assert!(Authenticators::enable(&fresh.store, &ShownStep { sealed: "second", ..first }, at(NOW)).await.unwrap());

    assert!(!enrol("third").await);
    assert_eq!(Authenticators::find(&fresh.store, &ada.id).await.unwrap().unwrap().sealed, "second");
}

async fn an_authenticator_that_is_replaced_counts_no_more<S: Promised>(fresh: &Fresh<S>) {
    let (app, ada) = fresh.with_code().await;
    Authenticators::enrol(&fresh.store, &ada, "old", at(NOW)).await.unwrap();
    let old = ShownStep { subject: &ada.id, sealed: "old", number: 7 };
    assert!(Authenticators::enable(&fresh.store, &old, at(NOW)).await.unwrap());

    let replaced = at_once(20, |number| {
        let (store, id) = (fresh.store.clone(), ada.id.clone());
        async move { Authenticators::replace(&store, &id, "old", &format!("new-{number}"), at(NOW + 9)).await.unwrap() }
    })
    .await;

    assert_eq!(replaced.iter().filter(|replaced| **replaced).count(), 1);
    let found = Authenticators::find(&fresh.store, &ada.id).await.unwrap().unwrap();
    assert_eq!((found.enabled_at, found.last_used_at, found.created_at), (None, None, at(NOW + 9)));
    assert!(!Authenticators::use_step(&fresh.store, &ShownStep { number: 9, ..old }, at(NOW)).await.unwrap());
    let new = ShownStep { subject: &ada.id, sealed: &found.sealed, number: 1 };
    assert!(Authenticators::enable(&fresh.store, &new, at(NOW)).await.unwrap(), "its steps begin anew");
    let nobody = subject(&app, "nobody").id;
    assert!(!Authenticators::replace(&fresh.store, &nobody, "old", "new", at(NOW)).await.unwrap());
}

async fn of_twenty_who_take_an_authenticator_away_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    let (_, ada) = fresh.with_code().await;
    Authenticators::enrol(&fresh.store, &ada, "sealed", at(NOW)).await.unwrap();
    assert!(!Authenticators::remove(&fresh.store, &ada.id, "another").await.unwrap());

    let removed = at_once(20, |_| {
        let (store, id) = (fresh.store.clone(), ada.id.clone());
        async move { Authenticators::remove(&store, &id, "sealed").await.unwrap() }
    })
    .await;

    assert_eq!(removed.iter().filter(|removed| **removed).count(), 1);
    assert_eq!(Authenticators::find(&fresh.store, &ada.id).await.unwrap(), None);
    assert!(fresh.subject(&ada.id).await.is_some(), "the subject is known as before");
}
