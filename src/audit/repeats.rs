//! The same refusal again and again is one row, with a number: however many guesses strangers make, the log grows by a bounded
//! number of rows a minute.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::client;
use crate::id::AccountId;

use super::event::{Event, Origin};
use super::words::{Outcome, What};

/// Refusals that are told apart in one minute, by what, account and network. Those beyond are one, whoever they concern.
const TOLD_APART: usize = 100;

/// What makes two refusals the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sort {
    what: What,
    outcome: Outcome,
    detail: Cow<'static, str>,
    account: Option<AccountId>,
    network: Option<String>,
}

/// The refusals of this minute.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<Sort, Option<Event>>);

impl Repeats {
    /// The event, if it is the first of its sort in this minute; else it is counted.
    pub(super) fn take(&mut self, event: Event) -> Option<Event> {
        let (sort, event) = self.sort(event);
        match self.0.get_mut(&sort) {
            None => {
                self.0.insert(sort, None);
                Some(event)
            }
            Some(more) => {
                let times = more.as_ref().map_or(0, |before| before.times).saturating_add(event.times);
                *more = Some(Event { times, ..event });
                None
            }
        }
    }

    /// The minute is over: what was counted in it, a row for each sort, as the last of them was.
    pub(super) fn end(&mut self) -> Vec<Event> {
        let mut counted: Vec<Event> = self.0.drain().filter_map(|(_, more)| more).collect();
        counted.sort_by_key(|event| event.at);
        counted
    }

    fn sort(&self, event: Event) -> (Sort, Event) {
        let network = event.origin.address.parse().ok().and_then(client::network);
        let Event { what, outcome, .. } = event;
        let sort = Sort { what, outcome, detail: event.detail.clone(), account: event.account.clone(), network };
        if self.0.contains_key(&sort) || self.0.len() < TOLD_APART {
            return (sort, event);
        }
        let anybody = Sort { account: None, network: None, ..sort };
        (anybody, Event { account: None, on: None, origin: Origin::default(), ..event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Who;
    use crate::clock::Timestamp;

    fn wrong(address: &str, millis: i64) -> Event {
        let origin = Origin { address: address.to_owned(), ..Origin::default() };
        let event = Event::new(What::CodeEntered, Who::Nobody, Timestamp::from_millis(millis)).came_to(Outcome::Wrong);
        Event { origin, ..event }
    }

    #[test]
    fn the_first_is_told_and_the_rest_counted() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.take(wrong("192.0.2.1", 1)), Some(wrong("192.0.2.1", 1)));
        assert_eq!(repeats.take(wrong("192.0.2.2", 2)), Some(wrong("192.0.2.2", 2)));
        for millis in 3..13 {
            assert_eq!(repeats.take(wrong("192.0.2.1", millis)), None);
        }

        assert_eq!(repeats.end(), [Event { times: 10, ..wrong("192.0.2.1", 12) }]);

        assert_eq!(repeats.take(wrong("192.0.2.1", 14)), Some(wrong("192.0.2.1", 14)));
        assert_eq!(repeats.end(), []);
    }

    #[test]
    fn a_million_refusals_are_few_rows() {
        let mut repeats = Repeats::default();
        let address = |number: u32| std::net::Ipv4Addr::from_bits(number).to_string();
        let told = (0..1_000_000).filter_map(|number| repeats.take(wrong(&address(0x0A00_0000 + number), 1))).count();
        let counted = repeats.end();

        assert_eq!(told, TOLD_APART + 1);
        assert_eq!(counted.len(), 1, "each came once, but those beyond");
        assert_eq!((counted[0].times, counted[0].origin.address.as_str()), (1_000_000 - 101, ""));
    }
}
