//! What [`Factors`], [`RecoveryCodes`] and [`Pendings`] promise.

use std::time::Duration;

use doorward::id::{AccountId, SessionId};
use doorward::limits::Quota;
use doorward::signin::{
    Attempt, Bounds, Challenge, Challenges, Channel, Counted, Factor, Factors, Pending, Pendings, Place, Pointer, RecoveryCodes, Step,
    Taken,
};
use doorward::token::Amr;

use super::{Fresh, HOUR, NOW, at, at_once, on_each_database};

on_each_database!(
    an_authenticator_counts_once_it_is_confirmed,
    a_new_authenticator_takes_the_place_of_one_that_never_counted,
    of_twenty_who_enrol_at_once_the_last_is_kept,
    of_twenty_who_confirm_at_once_one_does,
    an_authenticator_that_was_replaced_is_not_confirmed,
    a_step_is_good_once_and_no_earlier_one_after_it,
    of_twenty_who_use_a_step_at_once_one_does,
    of_two_nodes_that_use_a_step_at_once_one_does,
    a_step_of_another_authenticator_is_not_used,
    a_recovery_code_is_good_once_for_its_account_alone,
    of_twenty_who_use_a_recovery_code_at_once_one_does,
    new_recovery_codes_take_the_place_of_all_old_ones,
    an_authenticator_that_is_removed_takes_its_codes,
    a_half_finished_sign_in_lives_until_it_expires_or_is_spent,
    of_sixty_attempts_at_a_half_finished_sign_in_at_once_five_are_counted,
    of_sixty_attempts_in_a_session_at_once_five_are_counted,
    attempts_in_a_session_are_counted_anew_in_the_next_window,
    the_budget_of_an_account_is_one_for_codes_and_second_factors,
    an_attempt_that_finds_no_budget_is_not_counted_at_its_place,
    of_twenty_who_settle_at_once_one_does,
    settling_gives_back_what_the_attempt_took,
    an_attempt_at_a_second_factor_that_is_given_back_was_never_made,
    sweeping_deletes_half_finished_sign_ins_that_are_over,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Challenges + Factors + Pendings + RecoveryCodes + Clone + 'static {}

impl<S: Challenges + Factors + Pendings + RecoveryCodes + Clone + 'static> Promised for S {}

const LIFETIME: i64 = 600_000;

fn bounds() -> Bounds {
    let place = Quota { count: 5, window: Duration::from_millis(600_000) };
    Bounds { place, account: Quota { count: 10, window: Duration::from_secs(3600) } }
}

fn ada() -> AccountId {
    AccountId::new("ada")
}

fn pending(id: &str) -> Pending {
    Pending { id: id.to_owned(), account: ada(), amr: vec![Amr::Email, Amr::Sms], created_at: at(NOW), expires_at: at(NOW + LIFETIME) }
}

fn half(id: &str) -> Place {
    Place::Pending(id.to_owned())
}

fn of_session(id: &str) -> Place {
    Place::Session(ada(), SessionId::new(id))
}

fn macs(sort: &str) -> Vec<String> {
    (0..10).map(|number| format!("{sort}{number}")).collect()
}

fn is_counted(counted: &Counted) -> bool {
    matches!(counted, Counted::At { .. })
}

fn counted(all: &[Counted]) -> usize {
    all.iter().filter(|counted| is_counted(counted)).count()
}

async fn use_step(store: &impl Factors, sealed: &str, number: i64) -> bool {
    store.use_step(&Step { account: &ada(), sealed, number }, at(NOW)).await.unwrap()
}

impl<S: Promised> Fresh<S> {
    async fn enrol(&self, sealed: &str) -> bool {
        self.store.enrol(&ada(), sealed, at(NOW)).await.unwrap()
    }

    async fn confirm(&self, sealed: &str, number: i64) -> bool {
        self.store.confirm(&Step { account: &ada(), sealed, number }, &macs("a"), at(NOW + 1)).await.unwrap()
    }

    async fn enrolled(&self) {
        assert!(self.enrol("one").await);
        assert!(self.confirm("one", 100).await);
    }

    async fn factor(&self) -> Option<Factor> {
        Factors::find(&self.store, &ada()).await.unwrap()
    }

    async fn count(&self, place: &Place, now: i64) -> Counted {
        self.store.count_attempt(place, &bounds(), at(now)).await.unwrap()
    }

    async fn count_at_once(&self, count: usize, places: &[Place]) -> Vec<Counted> {
        at_once(count, |number| {
            let (store, place) = (self.store.clone(), places[number % places.len()].clone());
            async move { store.count_attempt(&place, &bounds(), at(NOW + 1)).await.unwrap() }
        })
        .await
    }

    async fn use_up(&self, account: &str, code: &str) -> Option<u32> {
        self.store.use_up(&AccountId::new(account), code).await.unwrap()
    }
}

async fn an_authenticator_counts_once_it_is_confirmed<S: Promised>(fresh: &Fresh<S>) {
    assert_eq!(fresh.factor().await, None);
    assert!(!fresh.confirm("one", 100).await);

    assert!(fresh.enrol("one").await);
    let unconfirmed = Factor { sealed: "one".into(), enrolled_at: at(NOW), confirmed_at: None, last_used_at: None, recovery_codes: 0 };
    assert_eq!(fresh.factor().await, Some(unconfirmed.clone()));
    assert!(!use_step(&fresh.store, "one", 100).await, "it counts for nothing yet");

    assert!(fresh.confirm("one", 100).await);
    let confirmed = Factor { confirmed_at: Some(at(NOW + 1)), last_used_at: Some(at(NOW + 1)), recovery_codes: 10, ..unconfirmed };
    assert_eq!(fresh.factor().await, Some(confirmed.clone()));
    assert!(!fresh.enrol("two").await, "one that counts is not replaced");
    assert!(!fresh.confirm("one", 101).await, "it counts already");
    assert_eq!(fresh.factor().await, Some(confirmed));
}

async fn a_new_authenticator_takes_the_place_of_one_that_never_counted<S: Promised>(fresh: &Fresh<S>) {
    assert!(fresh.enrol("one").await);
    assert!(fresh.enrol("two").await);
    assert!(fresh.enrol("two").await, "the same again");

    assert_eq!(fresh.factor().await.unwrap().sealed, "two");
}

async fn of_twenty_who_enrol_at_once_the_last_is_kept<S: Promised>(fresh: &Fresh<S>) {
    let kept = at_once(20, |number| {
        let store = fresh.store.clone();
        async move { store.enrol(&ada(), &format!("number {number}"), at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(kept, vec![true; 20]);
    assert!(fresh.factor().await.unwrap().sealed.starts_with("number "));
}

async fn of_twenty_who_confirm_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.enrol("one").await;

    let done = at_once(20, |number| {
        let (store, codes) = (fresh.store.clone(), macs(&format!("round {number} ")));
        let number = i64::try_from(number % 2).unwrap();
        async move { store.confirm(&Step { account: &ada(), sealed: "one", number }, &codes, at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(done.iter().filter(|done| **done).count(), 1);
    assert_eq!(fresh.factor().await.unwrap().recovery_codes, 10);
}

async fn an_authenticator_that_was_replaced_is_not_confirmed<S: Promised>(fresh: &Fresh<S>) {
    fresh.enrol("one").await;
    fresh.enrol("two").await;

    assert!(!fresh.confirm("one", 100).await);
    assert!(fresh.confirm("two", 100).await);
}

async fn a_step_is_good_once_and_no_earlier_one_after_it<S: Promised>(fresh: &Fresh<S>) {
    fresh.enrolled().await;

    let mut used = Vec::new();
    for number in [100, 99, 101, 101, 100, 103, 102, 104] {
        used.push(use_step(&fresh.store, "one", number).await);
    }

    assert_eq!(used, [false, false, true, false, false, true, false, true], "the one that confirmed is used too");
    assert_eq!(fresh.factor().await.unwrap().last_used_at, Some(at(NOW)));
}

async fn of_twenty_who_use_a_step_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.enrolled().await;

    let used = at_once(20, |_| {
        let store = fresh.store.clone();
        async move { use_step(&store, "one", 101).await }
    })
    .await;

    assert_eq!(used.iter().filter(|used| **used).count(), 1);
}

async fn of_two_nodes_that_use_a_step_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.enrolled().await;
    let nodes = [fresh.node(), fresh.node()];

    for step in 101..111 {
        let used = at_once(2, |number| {
            let store = nodes[number].clone();
            async move { use_step(&store, "one", step).await }
        })
        .await;

        assert_eq!(used.iter().filter(|used| **used).count(), 1, "step {step}");
    }
}

async fn a_step_of_another_authenticator_is_not_used<S: Promised>(fresh: &Fresh<S>) {
    fresh.enrolled().await;

    assert!(!use_step(&fresh.store, "two", 101).await);
    let bob = AccountId::new("bob");
    assert!(!fresh.store.use_step(&Step { account: &bob, sealed: "one", number: 101 }, at(NOW)).await.unwrap());
}

async fn a_recovery_code_is_good_once_for_its_account_alone<S: Promised>(fresh: &Fresh<S>) {
    assert_eq!(fresh.use_up("ada", "a3").await, None);
    fresh.enrolled().await;

    assert_eq!(fresh.use_up("bob", "a3").await, None);
    assert_eq!(fresh.use_up("ada", "a").await, None);
    assert_eq!(fresh.use_up("ada", "A3").await, None);
    assert_eq!(fresh.use_up("ada", "a3").await, Some(9));
    assert_eq!(fresh.use_up("ada", "a3").await, None);
    assert_eq!(fresh.use_up("ada", "a4").await, Some(8));
    assert_eq!(fresh.factor().await.unwrap().recovery_codes, 8);
}

async fn of_twenty_who_use_a_recovery_code_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.enrolled().await;

    let used = at_once(20, |_| {
        let store = fresh.store.clone();
        async move { store.use_up(&ada(), "a0").await.unwrap() }
    })
    .await;

    assert_eq!(used.iter().flatten().collect::<Vec<_>>(), [&9]);
}

async fn new_recovery_codes_take_the_place_of_all_old_ones<S: Promised>(fresh: &Fresh<S>) {
    assert!(!fresh.store.renew(&ada(), &macs("b"), at(NOW)).await.unwrap());
    fresh.enrol("one").await;
    assert!(!fresh.store.renew(&ada(), &macs("b"), at(NOW)).await.unwrap(), "none for what does not count");
    fresh.confirm("one", 100).await;

    let renewed = at_once(8, |number| {
        let (store, codes) = (fresh.store.clone(), macs(&format!("{number} ")));
        async move { store.renew(&ada(), &codes, at(NOW)).await.unwrap() }
    })
    .await;
    assert_eq!(renewed, [true; 8]);
    assert_eq!(fresh.factor().await.unwrap().recovery_codes, 10, "those of one of them");

    assert!(fresh.store.renew(&ada(), &macs("b"), at(NOW)).await.unwrap());
    assert_eq!(fresh.use_up("ada", "a1").await, None);
    assert_eq!(fresh.use_up("ada", "b1").await, Some(9));
}

async fn an_authenticator_that_is_removed_takes_its_codes<S: Promised>(fresh: &Fresh<S>) {
    assert!(!fresh.store.remove(&ada()).await.unwrap());
    fresh.enrolled().await;

    assert!(fresh.store.remove(&ada()).await.unwrap());

    assert_eq!(fresh.factor().await, None);
    assert_eq!(fresh.use_up("ada", "a1").await, None);
    assert!(!use_step(&fresh.store, "one", 101).await);
    assert!(fresh.enrol("one").await, "and another may come");
}

async fn a_half_finished_sign_in_lives_until_it_expires_or_is_spent<S: Promised>(fresh: &Fresh<S>) {
    assert_eq!(fresh.count(&half("one"), NOW).await, Counted::Nothing);
    fresh.store.hold(&pending("one")).await.unwrap();
    let end = NOW + LIFETIME;

    assert_eq!(fresh.count(&half("one"), end - 1).await, Counted::At { account: ada(), amr: vec![Amr::Email, Amr::Sms] });
    for after in [end, end + 1] {
        assert_eq!(fresh.count(&half("one"), after).await, Counted::Nothing);
        assert!(!fresh.store.settle(&half("one"), at(after)).await.unwrap());
    }
    assert_eq!(fresh.count(&half("\0' --"), NOW).await, Counted::Nothing);
    assert!(fresh.store.settle(&half("one"), at(end - 1)).await.unwrap());
    assert!(!fresh.store.settle(&half("one"), at(end - 1)).await.unwrap());
    assert_eq!(fresh.count(&half("one"), NOW).await, Counted::Nothing);
}

async fn of_sixty_attempts_at_a_half_finished_sign_in_at_once_five_are_counted<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.hold(&pending("one")).await.unwrap();

    let all = fresh.count_at_once(60, &[half("one")]).await;

    assert_eq!(counted(&all), 5);
    let wait = Duration::from_millis(u64::try_from(LIFETIME - 1).unwrap());
    assert_eq!(all.iter().filter(|one| **one == Counted::Exhausted(wait)).count(), 55);
}

async fn of_sixty_attempts_in_a_session_at_once_five_are_counted<S: Promised>(fresh: &Fresh<S>) {
    let all = fresh.count_at_once(60, &[of_session("s")]).await;

    assert_eq!(counted(&all), 5);
    assert!(all.iter().any(|one| *one == Counted::At { account: ada(), amr: Vec::new() }));
}

async fn attempts_in_a_session_are_counted_anew_in_the_next_window<S: Promised>(fresh: &Fresh<S>) {
    let mut good = 0;
    for now in [NOW, NOW + LIFETIME - 1, NOW + LIFETIME, NOW + 2 * LIFETIME] {
        for _ in 0..6 {
            good += u32::from(is_counted(&fresh.count(&of_session("s"), now).await));
        }
    }

    assert_eq!(good, 10, "five in a window, and ten in all in an hour");
    assert!(is_counted(&fresh.count(&of_session("s"), NOW + HOUR).await));
}

async fn the_budget_of_an_account_is_one_for_codes_and_second_factors<S: Promised>(fresh: &Fresh<S>) {
    for id in ["one", "two"] {
        fresh.store.hold(&pending(id)).await.unwrap();
    }
    let code = Challenge {
        id: "code".into(),
        subject: "ada".into(),
        account: Some(ada()),
        handle: "mail".into(),
        channel: Channel::Email,
        code: "mac".into(),
        created_at: at(NOW),
        expires_at: at(NOW + LIFETIME),
    };
    fresh.store.open(&code, Duration::from_secs(60), 3).await.unwrap();
    let pointer = Pointer::Bound { id: "code".into(), handle: None };
    let attempt = Attempt { pointer, per_challenge: 5, budget: bounds().account };

    let first = fresh.count_at_once(60, &[half("one"), of_session("s")]).await;
    assert_eq!(counted(&first), 10, "five at each, which is all that the account has");

    assert!(matches!(fresh.store.take_attempt(&attempt, at(NOW + 2)).await.unwrap(), Taken::Exhausted(_)));
    assert!(!is_counted(&fresh.count(&half("two"), NOW + 2).await));
    assert!(!is_counted(&fresh.count(&of_session("t"), NOW + 2).await));
}

async fn an_attempt_that_finds_no_budget_is_not_counted_at_its_place<S: Promised>(fresh: &Fresh<S>) {
    let lasting = Pending { expires_at: at(NOW + 2 * HOUR), ..pending("one") };
    fresh.store.hold(&lasting).await.unwrap();
    let scarce = Bounds { account: Quota { count: 2, ..bounds().account }, ..bounds() };
    let take = async |place: Place, now: i64| is_counted(&fresh.store.count_attempt(&place, &scarce, at(now)).await.unwrap());

    let mut good = 0;
    for _ in 0..10 {
        good += u32::from(take(half("one"), NOW).await);
    }
    assert_eq!(good, 2);
    assert!(!take(of_session("s"), NOW).await);

    // In the account's next window the sign-in still has three of its five.
    let mut left = 0;
    for _ in 0..5 {
        left += u32::from(is_counted(&fresh.count(&half("one"), NOW + HOUR).await));
    }
    assert_eq!(left, 3);
}

async fn of_twenty_who_settle_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.hold(&pending("one")).await.unwrap();

    let settled = at_once(20, |_| {
        let store = fresh.store.clone();
        async move { store.settle(&half("one"), at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(settled.iter().filter(|settled| **settled).count(), 1);
}

async fn settling_gives_back_what_the_attempt_took<S: Promised>(fresh: &Fresh<S>) {
    for round in 0..30 {
        let id = format!("round {round}");
        fresh.store.hold(&pending(&id)).await.unwrap();
        for place in [half(&id), of_session("s")] {
            assert!(is_counted(&fresh.count(&place, NOW).await), "{id}");
            assert!(fresh.store.settle(&place, at(NOW)).await.unwrap());
        }
    }
}

async fn sweeping_deletes_half_finished_sign_ins_that_are_over<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.hold(&pending("one")).await.unwrap();
    fresh.store.hold(&Pending { expires_at: at(NOW + LIFETIME + 1), ..pending("two") }).await.unwrap();

    assert_eq!(Pendings::sweep(&fresh.store, at(NOW + LIFETIME)).await.unwrap(), 0);
    assert_eq!(Pendings::sweep(&fresh.store, at(NOW + LIFETIME + 1)).await.unwrap(), 1);

    assert!(is_counted(&fresh.count(&half("two"), NOW).await));
}

async fn an_attempt_at_a_second_factor_that_is_given_back_was_never_made<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.hold(&pending("one")).await.unwrap();
    for place in [half("one"), of_session("s")] {
        for _ in 0..12 {
            assert!(is_counted(&fresh.count(&place, NOW).await), "{place:?}");
            Pendings::give_back(&fresh.store, &place, at(NOW)).await.unwrap();
        }
        Pendings::give_back(&fresh.store, &place, at(NOW)).await.unwrap();
        for _ in 0..5 {
            assert!(is_counted(&fresh.count(&place, NOW).await), "{place:?}");
        }
        assert!(matches!(fresh.count(&place, NOW).await, Counted::Exhausted(_)), "{place:?}");
    }
    Pendings::give_back(&fresh.store, &half("unknown"), at(NOW)).await.unwrap();
    assert!(fresh.store.settle(&half("one"), at(NOW)).await.unwrap(), "the half-finished sign-in is there still");
}
