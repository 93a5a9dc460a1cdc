use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::id::{AccountId, SessionId, TokenId};
use crate::secret::Secret;
use crate::token::claims::{Acr, Amr};
use crate::token::ring::Key;
use crate::token::{Minter, Ring, Times};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const LEEWAY: i64 = 30;

#[derive(Default)]
struct Counted {
    known: AtomicUsize,
    unknown: AtomicUsize,
}

impl Lookups for Counted {
    fn looked_up(&self, is_known: bool) {
        let count = if is_known { &self.known } else { &self.unknown };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

struct World {
    ring: Arc<Ring>,
    minter: Minter,
    remembering: Remembering,
    counted: Arc<Counted>,
}

fn key(secret: &str) -> Key {
    Key::configured(&Secret::new(secret.repeat(32)))
}

impl World {
    fn new(most: usize) -> Self {
        let ring = Arc::new(Ring::new(vec![key("a")]));
        let counted = Arc::new(Counted::default());
        let times = Times { leeway: Duration::from_secs(30), lifetime: Duration::from_secs(7200) };
        let verifier = Verifier::new(Arc::clone(&ring), "door", "door", times);
        let remembering = Remembering::of_at_most(most, verifier, Arc::<Counted>::clone(&counted));
        Self { minter: Minter::new(Arc::clone(&ring)), ring, remembering, counted }
    }

    fn token(&self, claims: &Claims) -> String {
        self.minter.mint(claims, NOW).unwrap().expose().clone()
    }

    fn check(&self, token: &str, offset: i64) -> Result<Arc<Claims>, Invalid> {
        self.remembering.check(token, Timestamp::from_secs(NOW.as_secs() + offset))
    }

    /// How often a token was known, and how often not.
    fn counts(&self) -> (usize, usize) {
        (self.counted.known.load(Ordering::Relaxed), self.counted.unknown.load(Ordering::Relaxed))
    }
}

/// Another person may have a token of the same name: who brings their own `tokens.secret` may make them elsewhere.
fn claims(person: &str) -> Claims {
    Claims {
        iss: "door".into(),
        sub: AccountId::new(person),
        aud: "door".into(),
        iat: NOW.as_secs(),
        nbf: NOW.as_secs(),
        exp: NOW.as_secs() + 600,
        jti: TokenId::new("1"),
        sid: SessionId::new(person),
        kind: "access".into(),
        email: None,
        email_verified: false,
        phone_number: None,
        phone_number_verified: false,
        preferred_username: Some(person.to_owned()),
        name: None,
        groups: Vec::new(),
        amr: vec![Amr::Email],
        acr: Acr::OneFactor,
        auth_time: NOW.as_secs(),
        revision: 0,
        custom: Map::new(),
    }
}

#[test]
fn one_token_is_checked_once_and_believed_again() {
    let world = World::new(100);
    let token = world.token(&claims("ada"));
    let first = world.check(&token, 0).unwrap();
    let second = world.check(&token, 1).unwrap();
    assert_eq!(*first, claims("ada"));
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(world.counts(), (1, 1));
}

#[test]
fn what_is_remembered_begins_and_ends_with_the_token() {
    let world = World::new(100);
    let token = world.token(&claims("ada"));
    for (offset, verdict) in [
        (0, Ok(())),
        (600 + LEEWAY - 1, Ok(())),
        (600 + LEEWAY, Err(Invalid::Expired)),
        (0, Ok(())),
        (-LEEWAY, Ok(())),
        (-LEEWAY - 1, Err(Invalid::NotYet)),
    ] {
        assert_eq!(world.check(&token, offset).map(drop), verdict, "{offset}");
    }
}

#[test]
fn a_forged_token_is_forged_as_often_as_it_is_shown() {
    let world = World::new(100);
    let token = world.token(&claims("ada"));
    let forged = format!("{token}AAAA");
    for offset in [0, 1, 9999] {
        assert_eq!(world.check(&forged, offset).map(drop), Err(Invalid::Forged));
    }
    assert!(world.check(&token, 0).is_ok());
    assert_eq!((world.remembering.len(), world.counts()), (1, (0, 4)));
}

#[test]
fn what_is_not_believed_is_not_remembered() {
    let world = World::new(100);
    let token = world.token(&claims("ada"));
    let forged = format!("{}A", token.strip_suffix(|_: char| true).unwrap());
    for _ in 0..2 {
        assert!(world.check(&forged, 0).is_err());
        assert!(world.check(&token, 9999).is_err());
    }
    assert!(world.remembering.is_empty());
    assert_eq!(world.counts(), (0, 4));
}

#[test]
fn a_key_that_is_gone_takes_its_tokens_with_it() {
    let world = World::new(100);
    let token = world.token(&claims("ada"));
    world.check(&token, 0).unwrap();
    world.ring.replace(vec![key("b")]);
    assert_eq!(world.check(&token, 0), Err(Invalid::UnknownKey));
    // Nor is it believed on its old standing when the key comes back: it is checked anew.
    world.ring.replace(vec![key("a")]);
    assert!(world.check(&token, 0).is_ok());
    assert_eq!(world.counts(), (0, 3));
}

#[test]
fn keys_that_are_read_again_change_nothing() {
    let world = World::new(100);
    let token = world.token(&claims("ada"));
    world.check(&token, 0).unwrap();
    world.ring.replace(vec![key("a")]);
    world.check(&token, 0).unwrap();
    assert_eq!(world.counts(), (1, 1));
}

#[test]
fn a_key_that_verifies_no_longer_ends_what_it_signed() {
    let mut ending = key("a");
    ending.verifies_until = Some(Timestamp::from_secs(NOW.as_secs() + 60));
    let world = World::new(100);
    let token = world.token(&claims("ada"));
    world.check(&token, 0).unwrap();
    world.ring.replace(vec![ending]);
    assert!(world.check(&token, 59).is_ok());
    assert!(world.check(&token, 59).is_ok());
    assert_eq!(world.counts(), (1, 2));
    assert_eq!(world.check(&token, 60), Err(Invalid::UnknownKey));
}

#[test]
fn it_never_holds_more_than_its_bound() {
    let world = World::new(256);
    for number in 0..2_000 {
        let token = world.token(&claims(&format!("person-{number}")));
        assert_eq!(world.check(&token, 0).unwrap().sub.as_str(), format!("person-{number}"));
        assert!(world.remembering.len() <= 256, "{}", world.remembering.len());
    }
    assert!(world.remembering.len() > 128, "{}", world.remembering.len());
}

#[test]
fn a_known_token_names_us() {
    let world = World::new(100);
    let token = world.token(&claims("ada"));
    assert!(world.remembering.names_us(&token));
    world.check(&token, 0).unwrap();
    assert!(world.remembering.names_us(&token));
    assert!(!world.remembering.names_us("a.b.c"));
}

proptest! {
    /// One bit more or less is another token, wherever it is: in the header, in what it says, in the signature.
    #[test]
    fn no_other_bytes_are_taken_for_a_known_token(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let world = World::new(100);
        let token = world.token(&claims("ada"));
        world.check(&token, 0).unwrap();
        let mut other = token.clone().into_bytes();
        let place = place.index(other.len());
        other[place] ^= 1 << bit;
        if let Ok(other) = String::from_utf8(other) {
            prop_assert_ne!(Mark::of(&token, 0), Mark::of(&other, 0));
            prop_assert!(world.check(&other, 0).is_err());
        }
    }

    /// Whatever it is called, each token gives back the one whom it was made for; the second time too.
    #[test]
    fn two_people_never_cross(people in prop::collection::hash_set("[a-z]{1,12}", 2..20)) {
        let world = World::new(1000);
        let tokens: Vec<_> = people.iter().map(|person| (person, world.token(&claims(person)))).collect();
        for _ in 0..2 {
            for (person, token) in &tokens {
                prop_assert_eq!(&world.check(token, 0).unwrap().sub, &AccountId::new(person.as_str()));
            }
        }
        prop_assert_eq!(world.counts(), (tokens.len(), tokens.len()));
    }

    /// A mark is of the keys as well, and says nothing else.
    #[test]
    fn marks_differ_where_anything_differs(one in ".{0,40}", other in ".{0,40}", first in 0_u64..3, second in 0_u64..3) {
        let is_same = one == other && first == second;
        prop_assert_eq!(Mark::of(&one, first) == Mark::of(&other, second), is_same);
    }
}
