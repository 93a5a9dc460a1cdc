//! What [`Devices`] promises.

use doorward::id::AccountId;
use doorward::signin::{Devices, Met};

use super::{Fresh, HOUR, NOW, at, at_once, on_each_database};

on_each_database!(
    a_device_is_new_once_to_its_account,
    of_twenty_who_meet_one_device_at_once_one_is_told_that_it_is_new,
    a_device_is_forgotten_when_nobody_was_on_it_for_long,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Devices + Clone + 'static {}

impl<S: Devices + Clone + 'static> Promised for S {}

impl<S: Promised> Fresh<S> {
    async fn meet(&self, account: &str, device: &str, now: i64) -> Met {
        self.store.meet(&AccountId::new(account), device, at(now)).await.unwrap()
    }
}

async fn a_device_is_new_once_to_its_account<S: Promised>(fresh: &Fresh<S>) {
    assert_eq!(fresh.meet("ada", "Firefox, Linux", NOW).await, Met::First);
    assert_eq!(fresh.meet("ada", "Firefox, Linux", NOW).await, Met::Again);
    assert_eq!(fresh.meet("ada", "firefox, linux", NOW).await, Met::New);
    assert_eq!(fresh.meet("ada", "Safari, iPhone", NOW).await, Met::New);
    assert_eq!(fresh.meet("Ada", "Safari, iPhone", NOW).await, Met::First);
    for known in ["Firefox, Linux", "firefox, linux", "Safari, iPhone"] {
        assert_eq!(fresh.meet("ada", known, NOW + HOUR).await, Met::Again, "{known}");
    }
}

async fn of_twenty_who_meet_one_device_at_once_one_is_told_that_it_is_new<S: Promised>(fresh: &Fresh<S>) {
    fresh.meet("ada", "curl", NOW).await;

    let met = at_once(20, |_| {
        let store = fresh.store.clone();
        async move { store.meet(&AccountId::new("ada"), "Firefox, Linux", at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(met.iter().filter(|met| **met == Met::New).count(), 1);
    assert_eq!(met.iter().filter(|met| **met == Met::Again).count(), 19);
}

async fn a_device_is_forgotten_when_nobody_was_on_it_for_long<S: Promised>(fresh: &Fresh<S>) {
    fresh.meet("ada", "curl", NOW).await;
    fresh.meet("ada", "Firefox, Linux", NOW).await;
    fresh.meet("ada", "Firefox, Linux", NOW + HOUR).await;

    assert_eq!(Devices::sweep(&fresh.store, at(NOW)).await.unwrap(), 0);
    assert_eq!(Devices::sweep(&fresh.store, at(NOW + 1)).await.unwrap(), 1);

    assert_eq!(fresh.meet("ada", "Firefox, Linux", NOW + HOUR).await, Met::Again);
    assert_eq!(fresh.meet("ada", "curl", NOW + HOUR).await, Met::New);
}
