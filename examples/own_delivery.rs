//! Doorward inside a program: codes leave the program's own way, and groups come from its own directory.
//!
//!     DOORWARD__STORE__ENCRYPTION_KEY=$(openssl rand -base64 32) cargo run --example own_delivery -- config/demo.toml
#![expect(clippy::print_stdout, reason = "the pigeon lands there")]

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use doorward::Gateway;
use doorward::clock::Timestamp;
use doorward::config::Config;
use doorward::id::SessionId;
use doorward::outage::Outage;
use doorward::signin::{Account, Channel, ClaimsSource, Deliver, Errand, Extra, Message};

/// Sends codes by pigeon, which is to say: prints them.
struct Pigeon;

impl Deliver for Pigeon {
    fn enqueue(&self, message: Message) -> bool {
        if let Some(code) = message.code() {
            println!("pigeon to {}: {}", message.to.expose(), code.expose());
        }
        true
    }

    fn is_slow(&self, _channel: Channel) -> bool {
        false
    }

    fn after(&self, pause: Duration, _channel: Channel, errand: Errand) -> bool {
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            errand.await;
        });
        true
    }
}

/// Everybody at example.com is staff.
struct Directory;

#[async_trait]
impl ClaimsSource for Directory {
    async fn claims(&self, account: &Account, _session: &SessionId, _now: Timestamp) -> Result<Extra, Outage> {
        let is_staff = account.email.as_deref().is_some_and(|email| email.ends_with("@example.com"));
        Ok(Extra { groups: is_staff.then(|| vec!["staff".to_owned()]), ..Extra::default() })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "config/demo.toml".to_owned());
    let config = Config::load(file.as_ref()).map_err(|mistakes| format!("{mistakes:?}"))?;
    Ok(Gateway::builder(config).deliver(Pigeon, [Channel::Email]).claims(Directory).build().run()?)
}
