//! Keys that are believed, and all those that are not. The store here is in memory, counts its questions and can be out.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use proptest::prelude::*;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, yield_now};

use super::known::{FRESH, USED_EVERY};
use super::*;
use crate::admission::{Machines as _, Pass, Refusal, Revocations, Why};
use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::outage::Outage;
use crate::random::SystemEntropy;
use crate::revocation::{Ids, Standing};
use crate::secret::SecretStr;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const LASTS: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Behind {
    keys: Mutex<BTreeMap<String, ApiKey>>,
    revoked: Mutex<HashSet<String>>,
    uses: Mutex<Vec<(KeyId, Timestamp)>>,
    used: tokio::sync::Notify,
    asked: AtomicUsize,
    /// Questions that wait for their answer, and the most that ever did.
    waiting: AtomicUsize,
    most: AtomicUsize,
    is_out: AtomicBool,
    hangs: AtomicBool,
}

impl Behind {
    fn out(&self) -> Result<(), Outage> {
        if self.is_out.load(Ordering::SeqCst) { Err(Outage::store("gone")) } else { Ok(()) }
    }
}

#[async_trait]
impl ApiKeys for Behind {
    async fn add(&self, key: &ApiKey, _now: Timestamp) -> Result<bool, Outage> {
        self.out()?;
        Ok(self.keys.lock().unwrap().insert(key.id.to_string(), key.clone()).is_none())
    }

    async fn replace(&self, _id: &KeyId, _successor: &ApiKey, _until: Timestamp, _now: Timestamp) -> Result<bool, Outage> {
        Err(Outage::store("not here"))
    }

    async fn find(&self, id: &KeyId) -> Result<Option<ApiKey>, Outage> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(self.waiting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        for _ in 0..10 {
            yield_now().await;
        }
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        self.out()?;
        Ok(self.keys.lock().unwrap().get(id.as_str()).cloned())
    }

    async fn list(&self, _after: Option<&KeyId>, _limit: u32) -> Result<Vec<ApiKey>, Outage> {
        Err(Outage::store("not here"))
    }

    async fn sweep(&self, _before: Timestamp) -> Result<u64, Outage> {
        Ok(0)
    }

    async fn used(&self, id: &KeyId, at: Timestamp, before: Timestamp) -> Result<bool, Outage> {
        let is_kept = self.keys.lock().unwrap().get_mut(id.as_str()).is_some_and(|key| {
            let is_newer = key.last_used_at.is_none_or(|last| last <= before);
            key.last_used_at = if is_newer { Some(at) } else { key.last_used_at };
            is_newer
        });
        if is_kept {
            self.uses.lock().unwrap().push((id.clone(), at));
            self.used.notify_one();
        }
        Ok(is_kept)
    }
}

#[async_trait]
impl Revocations for Behind {
    async fn revoked(&self, ids: Ids<'_>, _now: Timestamp) -> Result<Standing, Outage> {
        let revoked = self.revoked.lock().unwrap();
        let is_revoked = [ids.token.as_str(), ids.session.as_str(), ids.account.as_str()].iter().any(|id| revoked.contains(*id));
        Ok(if is_revoked { Standing::Revoked } else { Standing::Good })
    }
}

struct World {
    behind: Arc<Behind>,
    check: KeyCheck,
}

impl World {
    fn new() -> Self {
        let behind = Arc::new(Behind::default());
        let parts = Parts {
            keys: Arc::<Behind>::clone(&behind),
            revocations: Arc::<Behind>::clone(&behind),
            slow: Handle::current(),
            issuer: "https://door.example.com".to_owned(),
            lasts: LASTS,
        };
        Self { check: KeyCheck::new(parts), behind }
    }

    fn key(&self, change: impl FnOnce(&mut ApiKey)) -> PlainKey {
        let plain = drawn();
        let mut key = ApiKey {
            id: plain.id().clone(),
            hash: plain.hashed(),
            name: "ci".to_owned(),
            owner: None,
            scopes: vec![scope("read"), scope("route:wiki:GET"), scope("app:shop")],
            groups: vec!["robots".to_owned()],
            created_at: NOW,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        change(&mut key);
        self.behind.keys.lock().unwrap().insert(key.id.to_string(), key);
        plain
    }

    fn change(&self, plain: &PlainKey, change: impl FnOnce(&mut ApiKey)) {
        change(self.behind.keys.lock().unwrap().get_mut(plain.id().as_str()).unwrap());
    }

    fn is_out(&self, is_out: bool) {
        self.behind.is_out.store(is_out, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.behind.asked.load(Ordering::SeqCst)
    }

    async fn ask(&self, text: &str, now: Timestamp) -> Result<Arc<ApiKey>, Why> {
        self.check.authenticate(SecretStr::new(text), now).await
    }

    async fn refuses(&self, text: &str, now: Timestamp) -> bool {
        matches!(self.ask(text, now).await, Err(Why::Refused(Refusal::InvalidToken)))
    }
}

fn drawn() -> PlainKey {
    PlainKey::draw(&SystemEntropy::default()).unwrap()
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_good_key_is_believed_and_says_whose_it_is() {
    let world = World::new();
    let plain = world.key(|_| ());

    let key = world.ask(plain.expose(), NOW).await.unwrap();
    let machine = world.check.believe(SecretStr::new(plain.expose()), NOW).await.unwrap().unwrap();

    assert_eq!((key.name.as_str(), key.may_read(), key.may_change()), ("ci", true, false));
    assert!(key.speaks_for("shop") && !key.speaks_for("shop2"));
    assert_eq!(machine.claims.preferred_username.as_deref(), Some("apikey:ci"));
    assert_eq!(serde_json::to_value(&machine.claims.amr).unwrap(), serde_json::json!(["apikey"]));
    assert_eq!((machine.claims.sub.as_str(), machine.claims.jti.as_str()), (plain.id().as_str(), plain.id().as_str()));
    assert_eq!(&*machine.passes, [Pass { route: "wiki".to_owned(), methods: vec![Method::GET] }]);
    assert_eq!(world.asked(), 1, "the second time it is known");
}

#[tokio::test]
async fn unknown_wrong_mistyped_expired_and_revoked_are_one_answer() {
    let world = World::new();
    let expired = world.key(|key| key.expires_at = Some(NOW));
    let revoked = world.key(|key| key.revoked_at = Some(NOW));
    let listed = world.key(|_| ());
    world.behind.revoked.lock().unwrap().insert(listed.id().to_string());
    let other = drawn();
    // The id of a key that is there, the rest of another: whole, and wrong.
    let wrong = world.key(|key| key.hash = other.hashed());

    for text in [drawn().expose(), expired.expose(), revoked.expose(), listed.expose(), wrong.expose(), "", "dwk_", "dwk_x", "sesame"] {
        assert!(world.refuses(text, NOW).await, "{text}");
    }
}

#[tokio::test]
async fn a_text_that_was_cut_off_mistyped_or_lengthened_is_found_without_the_store() {
    let world = World::new();
    let plain = world.key(|_| ());
    let text = plain.expose();

    for cut in 0..text.len() {
        assert!(world.refuses(text.get(..cut).unwrap(), NOW).await, "cut to {cut}");
    }
    for more in ["a", "0", "-", "=", " ", "\n", "aaaaaa"] {
        assert!(world.refuses(&format!("{text}{more}"), NOW).await, "{more:?} after it");
        assert!(world.refuses(&format!("{more}{text}"), NOW).await, "{more:?} before it");
    }
    for place in 0..text.len() {
        let swapped: String = text.chars().enumerate().map(|(i, c)| if i == place { swapped(c) } else { c }).collect();
        assert!(world.refuses(&swapped, NOW).await, "case at {place}");
    }
    assert!(world.refuses(&text.to_uppercase(), NOW).await);
    assert!(world.refuses(&text.to_lowercase(), NOW).await);
    assert_eq!(world.asked(), 0);
    assert!(world.ask(text, NOW).await.is_ok());
}

/// A character that the text did not have there: the other case, or another digit.
fn swapped(c: char) -> char {
    match c {
        'a'..='z' => c.to_ascii_uppercase(),
        'A'..='Z' => c.to_ascii_lowercase(),
        '9' => '0',
        '0'..='8' => '9',
        _ => '-',
    }
}

#[tokio::test]
async fn keys_that_are_made_up_wait_for_one_another_and_one_that_is_known_for_nobody() {
    let world = Arc::new(World::new());
    let (known, fresh) = (world.key(|_| ()), world.key(|_| ()));
    assert!(world.ask(known.expose(), NOW).await.is_ok());

    let mut asking = JoinSet::new();
    for _ in 0..500 {
        let world = Arc::clone(&world);
        asking.spawn(async move { world.refuses(drawn().expose(), NOW).await });
    }
    yield_now().await;
    assert!(world.ask(known.expose(), NOW).await.is_ok());
    assert!(world.asked() < 100, "it was believed before they were through");

    assert!(world.ask(fresh.expose(), NOW).await.is_ok(), "a good one has its turn");
    assert!(asking.join_all().await.into_iter().all(|refused| refused));
    assert_eq!((world.asked(), world.behind.most.load(Ordering::SeqCst)), (502, 8));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_behind_a_store_that_does_not_answer() {
    let world = Arc::new(World::new());
    let known = world.key(|_| ());
    assert!(world.ask(known.expose(), NOW).await.is_ok());
    world.behind.hangs.store(true, Ordering::SeqCst);
    let mut hanging = JoinSet::new();
    for _ in 0..8 {
        let world = Arc::clone(&world);
        hanging.spawn(async move { world.refuses(drawn().expose(), NOW).await });
    }
    while world.asked() < 9 {
        yield_now().await;
    }

    assert!(matches!(world.ask(drawn().expose(), NOW).await, Err(Why::Outage(_))));
    assert_eq!(world.asked(), 9, "it was not even asked");
    assert!(world.ask(known.expose(), NOW).await.is_ok());
}

#[tokio::test]
async fn its_time_is_compared_on_every_use() {
    let world = World::new();
    let plain = world.key(|key| key.expires_at = Some(later(10)));

    assert!(world.ask(plain.expose(), later(9)).await.is_ok());
    assert!(world.refuses(plain.expose(), later(10)).await);
}

#[tokio::test]
async fn a_key_that_is_known_and_then_revoked_is_refused_at_once() {
    let world = World::new();
    let plain = world.key(|_| ());
    assert!(world.ask(plain.expose(), NOW).await.is_ok());

    world.behind.revoked.lock().unwrap().insert(plain.id().to_string());

    assert!(world.refuses(plain.expose(), NOW).await);
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn an_end_that_was_given_elsewhere_is_learned_in_a_second() {
    let world = World::new();
    let plain = world.key(|_| ());
    assert!(world.ask(plain.expose(), NOW).await.is_ok());
    world.change(&plain, |key| key.expires_at = Some(NOW.plus(FRESH / 2)));

    assert!(world.ask(plain.expose(), NOW.plus(FRESH)).await.is_ok());
    assert!(world.refuses(plain.expose(), NOW.plus(FRESH + Duration::from_millis(1))).await);
}

#[tokio::test]
async fn a_clock_that_went_back_has_it_read_again() {
    let world = World::new();
    let plain = world.key(|_| ());
    assert!(world.ask(plain.expose(), later(100)).await.is_ok());
    world.change(&plain, |key| key.revoked_at = Some(NOW));

    assert!(world.refuses(plain.expose(), NOW).await);
}

#[tokio::test]
async fn without_the_store_a_known_key_goes_on_for_as_long_as_a_token_and_others_are_an_outage() {
    let world = World::new();
    let (known, unknown) = (world.key(|_| ()), world.key(|_| ()));
    let expiring = world.key(|key| key.expires_at = Some(later(60)));
    for plain in [&known, &expiring] {
        assert!(world.ask(plain.expose(), NOW).await.is_ok());
    }
    world.is_out(true);

    assert!(world.ask(known.expose(), later(31)).await.is_ok());
    assert!(world.ask(known.expose(), NOW.plus(LASTS)).await.is_ok());
    assert!(world.refuses(expiring.expose(), later(60)).await, "its own end is no later");
    assert!(matches!(world.ask(unknown.expose(), NOW).await, Err(Why::Outage(_))));
    let over = NOW.plus(LASTS + Duration::from_millis(1));
    assert!(matches!(world.ask(known.expose(), over).await, Err(Why::Outage(_))));
    world.is_out(false);
    assert!(world.ask(known.expose(), over).await.is_ok());
    assert!(world.ask(unknown.expose(), over).await.is_ok());
}

#[tokio::test]
async fn a_store_that_is_out_is_asked_once_a_second_about_what_is_known() {
    let world = World::new();
    let plain = world.key(|_| ());
    assert!(world.ask(plain.expose(), NOW).await.is_ok());
    world.is_out(true);

    for _ in 0..50 {
        assert!(world.ask(plain.expose(), later(40)).await.is_ok());
    }
    assert_eq!(world.asked(), 2);
    assert!(world.ask(plain.expose(), later(41)).await.is_ok());
    assert_eq!(world.asked(), 3);
}

#[tokio::test]
async fn a_use_is_told_once_a_minute() {
    let world = World::new();
    let plain = world.key(|_| ());

    for second in (0..=60).step_by(5) {
        assert!(world.ask(plain.expose(), later(second)).await.is_ok());
    }
    world.behind.used.notified().await;
    while world.behind.uses.lock().unwrap().len() < 2 {
        world.behind.used.notified().await;
    }

    assert_eq!(*world.behind.uses.lock().unwrap(), [(plain.id().clone(), NOW), (plain.id().clone(), NOW.plus(USED_EVERY))]);
}

#[test]
fn a_key_prints_nothing_of_itself() {
    let plain = drawn();

    let printed = format!("{plain:?}");

    assert!(printed.contains("[secret]") && !printed.contains(plain.expose().get(26..).unwrap()), "{printed}");
    assert_ne!(plain.hashed().as_str(), plain.expose());
    assert_eq!(plain.expose().len(), 75);
}

#[test]
fn scopes_are_read_as_they_are_written() {
    for text in ["read", "admin", "app:shop", "route:wiki", "route:wiki:GET", "route:a.b-c_d:GET,HEAD,PROPFIND,VERSION-CONTROL"] {
        assert_eq!(scope(text).to_string(), text);
        assert_eq!(serde_json::to_string(&scope(text)).unwrap(), format!("{text:?}"));
    }
    let long = format!("app:{}", "a".repeat(65));
    for text in [
        "",
        " ",
        "READ",
        "read ",
        "write",
        "read:",
        "admin:x",
        "app",
        "app:",
        "app:a:b",
        "app:a b",
        "route",
        "route:",
        "route::GET",
        "route:*",
        "route:wiki:",
        "route:wiki:get",
        "route:wiki:GET,",
        "route:wiki:,GET",
        "route:wiki:GET, HEAD",
        "route:wiki:GET:HEAD",
        "route:wi/ki",
        "session",
        &long,
    ] {
        assert_eq!(text.parse::<Scope>(), Err(NotAScope), "{text:?}");
    }
}

proptest! {
    #[test]
    fn nothing_but_what_was_drawn_is_a_key(text in "(dwk_)?[0-9A-Za-z_-]{0,80}") {
        prop_assert!(PlainKey::parse(SecretStr::new(&text)).is_err());
    }

    #[test]
    fn any_text_can_be_asked_about(text in any::<String>()) {
        prop_assert!(PlainKey::parse(SecretStr::new(&text)).is_err());
        prop_assert!(text.parse::<Scope>().is_err() || text.parse::<Scope>().unwrap().to_string() == text);
    }

    #[test]
    fn one_character_makes_it_another_text(place in 0_usize..75, instead in "[0-9A-Za-z]") {
        let plain = drawn();
        let mut text = plain.expose().to_owned();
        text.replace_range(place..=place, &instead);
        let parsed = PlainKey::parse(SecretStr::new(&text));
        prop_assert!(text == plain.expose() || parsed.is_err());
    }
}
