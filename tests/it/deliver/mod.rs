//! Mail leaves: through a real queue, to real mail servers, with the resend wait in a real database.

mod flood;
mod kinds;
mod manners;
mod place;
mod queue;
mod smtp;
mod templates;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use doorward::clock::{Clock, ManualClock, Timestamp};
use doorward::config::Config;
use doorward::deliver::{DeliverySettings, Providers, Queue, QueueParts};
use doorward::id::AccountId;
use doorward::language::Language;
use doorward::random::{Entropy, SystemEntropy};
use doorward::secret::Secret;
use doorward::signin::{Challenge, Challenges, Channel, Content, Deliver, Handle, Message, Opened, Purpose};
use doorward::store::sql::Store;
use doorward::telemetry::Metrics;
use tempfile::TempDir;
use tokio::runtime;

use crate::support::gateway::Place;
use crate::support::{folder, install_crypto_provider, wait};

pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Names the resend wait of everybody here.
const HANDLE: &str = "mac-of-the-address";

/// A queue with all that it stands on.
pub struct Post {
    pub queue: Queue,
    pub clock: Arc<ManualClock>,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    _folder: TempDir,
}

impl Post {
    /// With the providers of these settings.
    pub async fn with(delivery: &str) -> Self {
        install_crypto_provider();
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
        let providers = Providers::new(&settings(delivery), "Wiki & Co", "wiki.example.com").unwrap();
        let folder = folder::new("deliver");
        let url = format!("sqlite:{}/doorward.db", folder.path().display());
        let store = Arc::new(Store::open(&url, &doorward::store::StoreSettings::default()).unwrap());
        store.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let metrics = Arc::new(Metrics::new().unwrap());
        let parts = QueueParts {
            providers,
            challenges: Arc::<Store>::clone(&store),
            clock: Arc::<ManualClock>::clone(&clock),
            entropy,
            metrics: Arc::clone(&metrics),
        };
        let queue = Queue::start(parts, &runtime::Handle::current());
        Self { queue, clock, store, metrics, _folder: folder }
    }

    /// A code for somebody, by mail and in English.
    pub fn send(&self, to: &str, code: &str) -> bool {
        self.send_by(Channel::Email, to, code, Language::English)
    }

    /// A code for somebody.
    pub fn send_by(&self, channel: Channel, to: &str, code: &str, language: Language) -> bool {
        let code = Secret::new(code.to_owned());
        self.send_content(channel, to, Content::Code { code, minutes: 10, purpose: Purpose::SignIn }, language)
    }

    /// Anything for somebody.
    pub fn send_content(&self, channel: Channel, to: &str, content: Content, language: Language) -> bool {
        let to = Handle::parse(to).unwrap();
        self.queue.enqueue(Message { to, channel, content, language, handle: HANDLE.to_owned() })
    }

    /// So many messages had this outcome at this provider, on all channels.
    pub fn counted(&self, provider: &str, outcome: &str) -> u64 {
        let labels = format!("outcome=\"{outcome}\",provider=\"{provider}\"}} ");
        let text = self.metrics.render();
        let lines = text.lines().filter(|line| line.starts_with("doorward_otp_sent_total{"));
        lines.filter_map(|line| line.split_once(&labels)?.1.parse::<u64>().ok()).sum()
    }

    pub async fn wait_for(&self, provider: &str, outcome: &str, count: u64) {
        let what = format!("{count} messages that are {outcome}");
        let look = || async { (self.counted(provider, outcome) >= count).then_some(()) };
        // A mail server that dawdles is given up after 30 s.
        wait::until_async(&what, Duration::from_secs(45), look).await;
    }

    /// Somebody asks for a code, which begins the resend wait.
    pub async fn ask(&self, id: &str) -> Opened {
        let now = self.clock.now();
        let challenge = Challenge {
            id: id.to_owned(),
            subject: "somebody".to_owned(),
            account: None::<AccountId>,
            handle: HANDLE.to_owned(),
            channel: Channel::Email,
            code: "mac".to_owned(),
            created_at: now,
            expires_at: now.plus(Duration::from_mins(10)),
        };
        self.store.open(&challenge, Duration::from_mins(1), 3).await.unwrap()
    }

    /// Somebody may ask again, although the wait has not run out.
    pub async fn wait_for_release(&self) {
        let ids = std::cell::Cell::new(0);
        let look = || async {
            ids.set(ids.get() + 1);
            (self.ask(&format!("again-{}", ids.get())).await == Opened::Open).then_some(())
        };
        wait::until_async("the resend wait to be released", Duration::from_secs(20), look).await;
    }
}

fn settings(delivery: &str) -> DeliverySettings {
    let text = format!(
        "public_url = \"http://127.0.0.1:8080\"\n[store]\nencryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n\
         [limits]\nsms_countries = [\"DE\"]\n{delivery}"
    );
    Config::read("delivery", &text, std::iter::empty()).unwrap().delivery
}

/// A provider that mails through this server.
pub fn through(url: &str) -> String {
    format!("[[delivery.email]]\nkind = \"smtp\"\nurl = \"{url}\"\nfrom = \"Wiki <door@example.com>\"\n")
}

/// The configuration of a whole gateway with these providers.
pub fn configuration(place: &Place, delivery: &str, more: &str) -> String {
    let Place { public, admin, folder } = place;
    let database = folder.join("doorward.db").display().to_string();
    format!(
        "public_url = \"http://{public}\"\n[listen]\npublic = [\"{public}\"]\nadmin = \"{admin}\"\n\
         [store]\nurl = \"sqlite:{database}\"\nencryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n\
         [cookies]\nsecure = false\n[otp]\nresend_after = \"0s\"\n[limits]\nsms_countries = [\"DE\"]\n\
         [telemetry]\nlog = \"doorward=trace,info\"\n{more}\n{delivery}\n\
         [[route]]\nname = \"app\"\nupstream = [\"http://127.0.0.1:9\"]\n"
    )
}
