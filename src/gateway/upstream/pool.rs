//! Who is well, and in which order they are taken: computed when something changes, read by every request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::health::Attempt;

/// The addresses of an upstream at this moment.
#[derive(Default)]
pub(super) struct Pool {
    all: Vec<Arc<Endpoint>>,
    /// Those that are well, with their share; all of them when none is.
    shares: Vec<(Arc<Endpoint>, u32)>,
    /// Those that are well, each as often as its share says, and spread out.
    order: Vec<Arc<Endpoint>>,
}

impl Pool {
    /// Of these addresses at `now`. Who comes back has its whole share after `slow_start`.
    pub(super) fn new(endpoints: &[Arc<Endpoint>], slow_start: Option<Duration>, now: Instant) -> Self {
        // In tenths, while somebody starts slowly.
        let share = |endpoint: &Arc<Endpoint>| endpoint.weight.saturating_mul(endpoint.health.share(slow_start, now));
        let weigh = |some: &mut dyn Iterator<Item = &Arc<Endpoint>>| -> Vec<_> {
            some.map(|endpoint| (Arc::clone(endpoint), share(endpoint))).collect()
        };
        let mut shares = weigh(&mut endpoints.iter().filter(|endpoint| endpoint.health.is_well(now)));
        if shares.is_empty() {
            // Nobody is: a request that is tried may succeed, one that is refused cannot.
            shares = weigh(&mut endpoints.iter());
        }
        let order = spread(&shares.iter().map(|(_, share)| *share).collect::<Vec<_>>());
        let order = order.into_iter().filter_map(|place| shares.get(place).map(|(endpoint, _)| Arc::clone(endpoint))).collect();
        Self { all: endpoints.to_vec(), shares, order }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Is there one that was not tried?
    pub(super) fn has_another(&self, tried: &[Arc<Endpoint>]) -> bool {
        self.all.iter().any(|endpoint| !tried.iter().any(|tried| Arc::ptr_eq(tried, endpoint)))
    }

    /// The next in turn.
    pub(super) fn next(&self, turn: usize, tried: &[Arc<Endpoint>]) -> Option<Attempt> {
        let start = turn.checked_rem(self.order.len())?;
        let (before, after) = self.order.split_at_checked(start)?;
        self.first(after.iter().chain(before), tried)
    }

    /// The home of who has this number: the address whose lot is the longest (rendezvous hashing, weighted). When one is lost,
    /// only those who lived there move.
    pub(super) fn home(&self, whose: u64, tried: &[Arc<Endpoint>]) -> Option<Attempt> {
        if let [(only, _)] = self.shares.as_slice() {
            return self.first(std::iter::once(only), tried);
        }
        let mut lots: Vec<(f64, &Arc<Endpoint>)> =
            self.shares.iter().map(|(endpoint, share)| (lot(whose, endpoint.number, *share), endpoint)).collect();
        lots.sort_by(|one, other| other.0.total_cmp(&one.0));
        self.first(lots.iter().map(|(_, endpoint)| *endpoint), tried)
    }

    /// The first that was not tried; one that is on trial takes one request at a time, unless there is nobody else.
    fn first<'a>(&'a self, some: impl Iterator<Item = &'a Arc<Endpoint>> + Clone, tried: &[Arc<Endpoint>]) -> Option<Attempt> {
        let is_new = |endpoint: &&Arc<Endpoint>| !tried.iter().any(|tried| Arc::ptr_eq(tried, endpoint));
        let free = some.clone().filter(is_new).find_map(Attempt::begin);
        free.or_else(|| some.filter(is_new).chain(self.all.iter().filter(is_new)).next().map(Attempt::anyway))
    }
}

/// The order in which places are taken, each as often as its share, and spread out: of those that are owed most, the first
/// (smooth weighted round robin).
fn spread(shares: &[u32]) -> Vec<usize> {
    let divisor = shares.iter().copied().fold(0, gcd).max(1);
    let shares: Vec<i64> = shares.iter().map(|share| i64::from(share / divisor)).collect();
    let total: i64 = shares.iter().sum();
    let mut owed = vec![0_i64; shares.len()];
    let mut order = Vec::new();
    for _ in 0..total {
        for (debt, share) in owed.iter_mut().zip(&shares) {
            *debt += share;
        }
        // The last of the greatest in a reversed walk is the first.
        let Some((place, debt)) = owed.iter_mut().enumerate().rev().max_by_key(|(_, debt)| **debt) else { break };
        *debt -= total;
        order.push(place);
    }
    order
}

const fn gcd(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// How long a lot one draws at an address.
fn lot(whose: u64, number: u64, share: u32) -> f64 {
    let mixed = mix(whose ^ mix(number));
    let chance = (f64::from(u32::try_from(mixed >> 32).unwrap_or(u32::MAX)) + 0.5) / 4_294_967_296.0;
    -f64::from(share) / chance.ln()
}

/// Every bit of the result depends on every bit of the number (the finisher of `SplitMix64`).
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
