//! What [`Challenges`] promises.

use std::time::Duration;

use doorward::clock::Timestamp;
use doorward::id::AccountId;
use doorward::limits::Quota;
use doorward::signin::{Attempt, Candidate, Challenge, Challenges, Channel, Opened, Pointer, Taken};

use super::{Fresh, HOUR, NOW, at, at_once, on_each_database};

on_each_database!(
    an_attempt_is_compared_with_the_code_that_was_sent,
    nothing_is_counted_where_nothing_is_pending,
    a_challenge_lives_until_it_expires,
    of_sixty_guesses_at_once_five_are_counted,
    of_sixty_guesses_by_address_at_once_five_are_counted,
    guesses_by_address_leave_the_browser_that_asked_its_own,
    the_budget_of_a_subject_outlives_its_challenges,
    a_budget_is_used_up_exactly_by_guesses_at_several_challenges_at_once,
    an_attempt_that_finds_no_budget_is_not_counted_at_the_challenge,
    the_window_of_a_budget_is_fixed_from_its_first_use,
    a_budget_of_none_allows_none,
    of_twenty_who_spend_at_once_one_does,
    what_is_spent_is_gone,
    spending_gives_back_to_the_budget_that_was_used,
    an_attempt_that_is_given_back_was_never_made,
    of_twenty_who_ask_at_once_one_opens,
    an_address_may_be_asked_for_again_after_its_wait,
    a_released_address_may_be_asked_for_at_once,
    only_the_newest_challenges_of_a_subject_stay,
    a_typed_address_must_belong_to_the_challenge,
    an_address_finds_the_challenges_of_its_account,
    fingerprints_that_differ_in_case_are_two,
    sweeping_deletes_what_is_over_and_nothing_else,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Challenges + Clone + 'static {}

impl<S: Challenges + Clone + 'static> Promised for S {}

const WAIT: Duration = Duration::from_secs(60);
const LIFETIME: i64 = 600_000;
const BUDGET: Quota = Quota { count: 10, window: Duration::from_secs(3600) };

/// A challenge of the account `ada` for her address `mail`.
fn challenge(id: &str, now: i64) -> Challenge {
    Challenge {
        id: id.to_owned(),
        subject: "ada".to_owned(),
        account: Some(AccountId::new("ada")),
        handle: "mail".to_owned(),
        channel: Channel::Email,
        code: format!("code of {id}"),
        created_at: at(now),
        expires_at: at(now + LIFETIME),
    }
}

/// The same for another address, so that none has to wait.
fn challenge_for(id: &str, handle: &str, now: i64) -> Challenge {
    Challenge { handle: handle.to_owned(), ..challenge(id, now) }
}

fn candidate(challenge: &Challenge) -> Candidate {
    Candidate { id: challenge.id.clone(), code: challenge.code.clone(), channel: challenge.channel, handle: challenge.handle.clone() }
}

fn bound(id: &str) -> Pointer {
    Pointer::Bound { id: id.to_owned(), handle: None }
}

fn unbound(handle: &str, account: Option<&str>) -> Pointer {
    Pointer::Unbound { handle: handle.to_owned(), account: account.map(AccountId::new) }
}

fn attempt(pointer: Pointer) -> Attempt {
    Attempt { pointer, per_challenge: 5, budget: BUDGET }
}

fn is_counted(taken: &Taken) -> bool {
    matches!(taken, Taken::Counted { .. })
}

impl<S: Promised> Fresh<S> {
    async fn open(&self, challenge: &Challenge) -> Opened {
        self.store.open(challenge, WAIT, 3).await.unwrap()
    }

    async fn take(&self, pointer: Pointer, now: Timestamp) -> Taken {
        self.store.take_attempt(&attempt(pointer), now).await.unwrap()
    }

    async fn take_at_once(&self, count: usize, attempts: &[Attempt]) -> Vec<Taken> {
        at_once(count, |number| {
            let (store, attempt) = (self.store.clone(), attempts[number % attempts.len()].clone());
            async move { store.take_attempt(&attempt, at(NOW + 1)).await.unwrap() }
        })
        .await
    }
}

async fn an_attempt_is_compared_with_the_code_that_was_sent<S: Promised>(fresh: &Fresh<S>) {
    let asked = challenge("one", NOW);
    let counted = Taken::Counted { account: asked.account.clone(), candidates: vec![candidate(&asked)] };

    assert_eq!(fresh.open(&asked).await, Opened::Open);

    assert_eq!(fresh.take(bound("one"), at(NOW)).await, counted);
    assert_eq!(fresh.take(unbound("mail", None), at(NOW)).await, counted);

    let nobody = Challenge { subject: "mac".to_owned(), account: None, handle: "mac".to_owned(), ..challenge("two", NOW) };
    fresh.open(&nobody).await;
    let counted = Taken::Counted { account: None, candidates: vec![candidate(&nobody)] };
    assert_eq!(fresh.take(bound("two"), at(NOW)).await, counted);
    assert_eq!(fresh.take(unbound("mac", None), at(NOW)).await, counted);
}

async fn nothing_is_counted_where_nothing_is_pending<S: Promised>(fresh: &Fresh<S>) {
    assert_eq!(fresh.take(bound("one"), at(NOW)).await, Taken::Nothing);
    assert_eq!(fresh.take(unbound("mail", Some("ada")), at(NOW)).await, Taken::Nothing);
    assert_eq!(fresh.take(bound("\0' --"), at(NOW)).await, Taken::Nothing);
    assert!(!fresh.store.spend("one", &bound("one"), at(NOW)).await.unwrap());

    // No budget was used: ten attempts are still there.
    fresh.open(&challenge("one", NOW)).await;
    let many = Attempt { per_challenge: 100, ..attempt(bound("one")) };
    for _ in 0..10 {
        assert!(is_counted(&fresh.store.take_attempt(&many, at(NOW)).await.unwrap()));
    }
}

async fn a_challenge_lives_until_it_expires<S: Promised>(fresh: &Fresh<S>) {
    let asked = challenge("one", NOW);
    fresh.open(&asked).await;
    let end = NOW + LIFETIME;

    assert!(is_counted(&fresh.take(bound("one"), at(end - 1)).await));
    assert!(is_counted(&fresh.take(unbound("mail", None), at(end - 1)).await));
    for after in [end, end + 1] {
        assert_eq!(fresh.take(bound("one"), at(after)).await, Taken::Nothing);
        assert_eq!(fresh.take(unbound("mail", Some("ada")), at(after)).await, Taken::Nothing);
        assert!(!fresh.store.spend("one", &bound("one"), at(after)).await.unwrap());
    }
    assert!(fresh.store.spend("one", &bound("one"), at(end - 1)).await.unwrap());
}

async fn of_sixty_guesses_at_once_five_are_counted<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge("one", NOW)).await;

    let taken = fresh.take_at_once(60, &[attempt(bound("one"))]).await;

    assert_eq!(taken.iter().filter(|taken| is_counted(taken)).count(), 5);
    let wait = Duration::from_millis(u64::try_from(LIFETIME - 1).unwrap());
    assert_eq!(taken.iter().filter(|taken| **taken == Taken::Exhausted(wait)).count(), 55);
}

async fn of_sixty_guesses_by_address_at_once_five_are_counted<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge("one", NOW)).await;

    let taken = fresh.take_at_once(60, &[attempt(unbound("mail", Some("ada")))]).await;

    assert_eq!(taken.iter().filter(|taken| is_counted(taken)).count(), 5);
}

async fn guesses_by_address_leave_the_browser_that_asked_its_own<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge("one", NOW)).await;
    let strangers = Attempt { budget: Quota { count: 3, ..BUDGET }, ..attempt(unbound("mail", None)) };

    let taken = fresh.take_at_once(10, &[strangers]).await;
    assert_eq!(taken.iter().filter(|taken| is_counted(taken)).count(), 3);

    for _ in 0..5 {
        assert!(is_counted(&fresh.take(bound("one"), at(NOW)).await));
    }
    assert!(!is_counted(&fresh.take(bound("one"), at(NOW)).await));
}

async fn the_budget_of_a_subject_outlives_its_challenges<S: Promised>(fresh: &Fresh<S>) {
    let mut counted = 0;
    for round in 0..4 {
        let now = NOW + round * 60_000;
        fresh.open(&challenge(&format!("round {round}"), now)).await;
        for _ in 0..5 {
            counted += u32::from(is_counted(&fresh.take(bound(&format!("round {round}")), at(now)).await));
        }
    }

    assert_eq!(counted, 10);
    let now = NOW + 3 * 60_000;
    let left = Duration::from_mins(57);
    assert_eq!(fresh.take(bound("round 3"), at(now)).await, Taken::Exhausted(left));
}

async fn a_budget_is_used_up_exactly_by_guesses_at_several_challenges_at_once<S: Promised>(fresh: &Fresh<S>) {
    let attempts = ["a", "b", "c"].map(|id| attempt(bound(id)));
    for id in ["a", "b", "c"] {
        fresh.open(&challenge_for(id, id, NOW)).await;
    }

    let taken = fresh.take_at_once(60, &attempts).await;

    assert_eq!(taken.iter().filter(|taken| is_counted(taken)).count(), 10);
}

async fn an_attempt_that_finds_no_budget_is_not_counted_at_the_challenge<S: Promised>(fresh: &Fresh<S>) {
    let lasting = Challenge { expires_at: at(NOW + 3 * HOUR), ..challenge("one", NOW) };
    fresh.open(&lasting).await;
    let scarce = Attempt { budget: Quota { count: 2, ..BUDGET }, ..attempt(bound("one")) };

    let first = fresh.take_at_once(20, std::slice::from_ref(&scarce)).await;
    assert_eq!(first.iter().filter(|taken| is_counted(taken)).count(), 2);

    // In the next window the challenge still has three of its five.
    let plenty = attempt(bound("one"));
    let mut counted = 0;
    for _ in 0..5 {
        counted += u32::from(is_counted(&fresh.store.take_attempt(&plenty, at(NOW + 2 * HOUR)).await.unwrap()));
    }
    assert_eq!(counted, 3);
}

async fn the_window_of_a_budget_is_fixed_from_its_first_use<S: Promised>(fresh: &Fresh<S>) {
    let lasting = Challenge { expires_at: at(NOW + 5 * HOUR), ..challenge("one", NOW) };
    fresh.open(&lasting).await;
    let twice = Attempt { per_challenge: 100, budget: Quota { count: 2, ..BUDGET }, ..attempt(bound("one")) };
    let take = async |now: i64| fresh.store.take_attempt(&twice, at(now)).await.unwrap();

    assert!(is_counted(&take(NOW).await));
    assert!(is_counted(&take(NOW + HOUR - 2).await), "a later use does not move the window");
    assert_eq!(take(NOW + HOUR - 1).await, Taken::Exhausted(Duration::from_millis(1)));
    assert!(is_counted(&take(NOW + HOUR).await), "the next window begins");
    assert!(is_counted(&take(NOW + HOUR + 1).await));
    assert_eq!(take(NOW + HOUR + 2).await, Taken::Exhausted(Duration::from_millis(u64::try_from(HOUR - 2).unwrap())));
}

async fn a_budget_of_none_allows_none<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge("one", NOW)).await;
    let none = Attempt { budget: Quota { count: 0, ..BUDGET }, ..attempt(bound("one")) };

    assert_eq!(fresh.store.take_attempt(&none, at(NOW)).await.unwrap(), Taken::Exhausted(BUDGET.window));
    let none = Attempt { per_challenge: 0, ..attempt(bound("one")) };
    assert!(matches!(fresh.store.take_attempt(&none, at(NOW)).await.unwrap(), Taken::Exhausted(_)));
}

async fn of_twenty_who_spend_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge("one", NOW)).await;

    let spent = at_once(20, |_| {
        let store = fresh.store.clone();
        async move { store.spend("one", &bound("one"), at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(spent.iter().filter(|spent| **spent).count(), 1);
}

async fn what_is_spent_is_gone<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge_for("one", "mail", NOW)).await;
    fresh.open(&challenge_for("two", "phone", NOW + 1)).await;

    assert!(fresh.store.spend("one", &bound("one"), at(NOW + 1)).await.unwrap());

    assert_eq!(fresh.take(bound("one"), at(NOW + 1)).await, Taken::Nothing);
    assert!(!fresh.store.spend("one", &bound("one"), at(NOW + 1)).await.unwrap());
    // Another code of the same account is not touched, and the spent one is no candidate.
    let Taken::Counted { candidates, .. } = fresh.take(bound("two"), at(NOW + 1)).await else { panic!("the other is live") };
    assert_eq!(candidates, vec![candidate(&challenge_for("two", "phone", NOW + 1))]);
}

async fn spending_gives_back_to_the_budget_that_was_used<S: Promised>(fresh: &Fresh<S>) {
    for (id, handle) in [("one", "a"), ("two", "b")] {
        fresh.open(&challenge_for(id, handle, NOW)).await;
    }
    let scarce = |pointer| Attempt { budget: Quota { count: 2, ..BUDGET }, ..attempt(pointer) };
    let take = async |pointer| is_counted(&fresh.store.take_attempt(&scarce(pointer), at(NOW)).await.unwrap());
    assert!(take(bound("one")).await);
    assert!(take(unbound("b", None)).await);

    // Spent through its own pointer: the bound budget is whole again, the unbound one is not.
    assert!(fresh.store.spend("one", &bound("one"), at(NOW)).await.unwrap());

    assert!(take(bound("two")).await);
    assert!(take(bound("two")).await);
    assert!(!take(bound("two")).await);
    assert!(take(unbound("b", None)).await);
    assert!(!take(unbound("b", None)).await);
}

async fn of_twenty_who_ask_at_once_one_opens<S: Promised>(fresh: &Fresh<S>) {
    let opened = at_once(20, |number| {
        let store = fresh.store.clone();
        async move { store.open(&challenge(&format!("id-{number}"), NOW), WAIT, 3).await.unwrap() }
    })
    .await;

    assert_eq!(opened.iter().filter(|opened| **opened == Opened::Open).count(), 1);
    assert_eq!(opened.iter().filter(|opened| **opened == Opened::TooSoon(WAIT)).count(), 19);
    let Taken::Counted { candidates, .. } = fresh.take(unbound("mail", None), at(NOW)).await else { panic!("one is open") };
    assert_eq!(candidates.len(), 1, "those who came too soon left nothing");
}

async fn an_address_may_be_asked_for_again_after_its_wait<S: Promised>(fresh: &Fresh<S>) {
    assert_eq!(fresh.open(&challenge("one", NOW)).await, Opened::Open);

    assert_eq!(fresh.open(&challenge("two", NOW + 59_999)).await, Opened::TooSoon(Duration::from_millis(1)));
    assert_eq!(fresh.open(&challenge("three", NOW + 60_000)).await, Opened::Open);
    assert_eq!(fresh.open(&challenge("four", NOW + 60_001)).await, Opened::TooSoon(Duration::from_millis(59_999)));
    assert_eq!(fresh.open(&challenge_for("five", "another", NOW + 60_001)).await, Opened::Open);
}

async fn a_released_address_may_be_asked_for_at_once<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge("one", NOW)).await;
    fresh.open(&challenge_for("two", "another", NOW)).await;

    fresh.store.release("mail").await.unwrap();
    fresh.store.release("never asked for").await.unwrap();

    assert_eq!(fresh.open(&challenge("three", NOW)).await, Opened::Open);
    assert_eq!(fresh.open(&challenge_for("four", "another", NOW)).await, Opened::TooSoon(WAIT));
}

async fn only_the_newest_challenges_of_a_subject_stay<S: Promised>(fresh: &Fresh<S>) {
    let all: Vec<Challenge> =
        (0_i32..4).map(|number| challenge_for(&format!("id-{number}"), &format!("handle-{number}"), NOW + i64::from(number))).collect();
    let stranger =
        Challenge { subject: "grace".to_owned(), account: Some(AccountId::new("grace")), ..challenge_for("other", "other", NOW) };
    fresh.open(&stranger).await;
    for challenge in &all {
        assert_eq!(fresh.open(challenge).await, Opened::Open);
    }

    let now = at(NOW + 10);
    assert_eq!(fresh.take(bound("id-0"), now).await, Taken::Nothing);
    let Taken::Counted { candidates, .. } = fresh.take(bound("id-1"), now).await else { panic!("the second is live") };
    assert_eq!(candidates, all[1..].iter().rev().map(candidate).collect::<Vec<_>>());
    assert!(is_counted(&fresh.take(bound("other"), now).await));
}

async fn a_typed_address_must_belong_to_the_challenge<S: Promised>(fresh: &Fresh<S>) {
    let typed = |handle: &str| Pointer::Bound { id: "mine".to_owned(), handle: Some(handle.to_owned()) };
    let stranger = Challenge { subject: "grace".to_owned(), account: Some(AccountId::new("grace")), ..challenge_for("other", "hers", NOW) };
    fresh.open(&challenge_for("mine", "mail", NOW)).await;
    fresh.open(&stranger).await;
    let other = Challenge { expires_at: at(NOW + 1000), ..challenge_for("phone", "phone", NOW + 1) };
    fresh.open(&other).await;

    assert!(is_counted(&fresh.take(typed("mail"), at(NOW + 1)).await));
    assert!(is_counted(&fresh.take(typed("phone"), at(NOW + 999)).await), "the account asked for both");
    assert_eq!(fresh.take(typed("phone"), at(NOW + 1000)).await, Taken::Nothing, "that one has expired");
    assert_eq!(fresh.take(typed("hers"), at(NOW + 1)).await, Taken::Nothing);
    assert_eq!(fresh.take(typed("unknown"), at(NOW + 1)).await, Taken::Nothing);
}

async fn an_address_finds_the_challenges_of_its_account<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge_for("mail", "mail", NOW)).await;
    let nobody = Challenge { subject: "mac".to_owned(), account: None, handle: "mac".to_owned(), ..challenge("nobody", NOW) };
    fresh.open(&nobody).await;

    assert!(is_counted(&fresh.take(unbound("phone", Some("ada")), at(NOW)).await));
    assert_eq!(fresh.take(unbound("phone", None), at(NOW)).await, Taken::Nothing);
    assert_eq!(fresh.take(unbound("phone", Some("grace")), at(NOW)).await, Taken::Nothing);

    // The latest counts: five attempts at it exhaust it, though the older one has all of its own.
    fresh.open(&challenge_for("phone", "phone", NOW + 1)).await;
    for _ in 0..5 {
        assert!(is_counted(&fresh.take(unbound("mail", Some("ada")), at(NOW + 2)).await));
    }
    assert!(matches!(fresh.take(unbound("mail", Some("ada")), at(NOW + 2)).await, Taken::Exhausted(_)));
}

async fn fingerprints_that_differ_in_case_are_two<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge_for("aBc", "Mail", NOW)).await;

    assert_eq!(fresh.take(bound("ABC"), at(NOW)).await, Taken::Nothing);
    assert_eq!(fresh.take(unbound("mail", None), at(NOW)).await, Taken::Nothing);
    assert_eq!(fresh.take(unbound("mail", Some("ADA")), at(NOW)).await, Taken::Nothing);
    assert_eq!(fresh.open(&challenge_for("ABC", "MAIL", NOW)).await, Opened::Open);
}

async fn sweeping_deletes_what_is_over_and_nothing_else<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge("one", NOW)).await;
    fresh.take(bound("one"), at(NOW)).await;

    assert_eq!(fresh.store.sweep_challenges(NOW + 59_999).await, 0);
    assert_eq!(fresh.store.sweep_challenges(NOW + 60_000).await, 1, "the wait");
    assert_eq!(fresh.store.sweep_challenges(NOW + LIFETIME).await, 0);
    assert!(is_counted(&fresh.take(bound("one"), at(NOW + LIFETIME - 1)).await));
    assert_eq!(fresh.store.sweep_challenges(NOW + LIFETIME + 1).await, 1, "the challenge");
    assert_eq!(fresh.store.sweep_challenges(NOW + HOUR - 1).await, 0);
    assert_eq!(fresh.store.sweep_challenges(NOW + HOUR).await, 1, "the budget");
}

trait Sweep {
    async fn sweep_challenges(&self, now: i64) -> u64;
}

impl<S: Promised> Sweep for S {
    async fn sweep_challenges(&self, now: i64) -> u64 {
        Challenges::sweep(self, at(now)).await.unwrap()
    }
}

async fn an_attempt_that_is_given_back_was_never_made<S: Promised>(fresh: &Fresh<S>) {
    fresh.open(&challenge("one", NOW)).await;
    for pointer in [bound("one"), unbound("mail", Some("ada"))] {
        for round in 0..12 {
            assert!(is_counted(&fresh.take(pointer.clone(), at(NOW)).await), "{pointer:?}, round {round}");
            fresh.store.give_back(&pointer, at(NOW)).await.unwrap();
        }
        // What was not taken is not given back.
        for _ in 0..3 {
            fresh.store.give_back(&pointer, at(NOW)).await.unwrap();
        }
        for _ in 0..5 {
            assert!(is_counted(&fresh.take(pointer.clone(), at(NOW)).await), "{pointer:?}");
        }
        assert!(matches!(fresh.take(pointer.clone(), at(NOW)).await, Taken::Exhausted(_)), "{pointer:?}");
    }
    fresh.store.give_back(&bound("unknown"), at(NOW)).await.unwrap();
    assert!(fresh.store.spend("one", &bound("one"), at(NOW)).await.unwrap(), "the code is there still");
}
