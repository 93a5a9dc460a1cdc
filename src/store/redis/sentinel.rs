//! Asks sentinels where the primary is.
//!
//! All are asked at once, and who knows the newest configuration (the highest epoch) is believed: a sentinel that was cut off
//! still names the primary of before. Even so nothing that is read there is believed without the marker ([`super::index`]): a
//! sentinel promotes a replica that may be late, and an old primary does not know yet that it is none.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Client, ConnectionInfo, RedisResult};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::place::Watched;

/// What one sentinel says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    host: String,
    port: u16,
    epoch: u64,
}

impl Watched {
    /// Where the primary is, by those who answer within this time.
    ///
    /// # Errors
    /// Why nobody says, in words.
    pub(super) async fn primary(&self, within: Duration) -> Result<ConnectionInfo, String> {
        let mut asked = JoinSet::new();
        for sentinel in &self.sentinels {
            let (sentinel, name) = (sentinel.clone(), self.name.clone());
            asked.spawn(async move { timeout(within, ask(sentinel, &name)).await });
        }
        let mut newest: Option<Word> = None;
        let mut cause = "no sentinel answers in time".to_owned();
        while let Some(said) = asked.join_next().await {
            match said {
                Ok(Ok(Ok(Some(word)))) => newest = Some(newest.filter(|known| known.epoch >= word.epoch).unwrap_or(word)),
                Ok(Ok(Ok(None))) => "what the sentinels say is no address".clone_into(&mut cause),
                Ok(Ok(Err(error))) => cause = format!("a sentinel says: {error}"),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let word = newest.ok_or(cause)?;
        self.at(&word.host, word.port).map_err(|error| error.to_string())
    }
}

async fn ask(sentinel: ConnectionInfo, name: &str) -> RedisResult<Option<Word>> {
    let login = sentinel.redis_settings().clone().set_skip_set_lib_name();
    let client = Client::open(sentinel.set_redis_settings(login))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let told: HashMap<String, String> = redis::cmd("SENTINEL").arg("MASTER").arg(name).query_async(&mut connection).await?;
    Ok(word(&told))
}

fn word(told: &HashMap<String, String>) -> Option<Word> {
    let host = told.get("ip").filter(|host| !host.is_empty())?.clone();
    let port = told.get("port")?.parse().ok()?;
    // Older ones do not tell it; theirs is the oldest then.
    let epoch = told.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
    Some(Word { host, port, epoch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentinel_says_where_and_since_when() {
        let told = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let whole = told(&[("name", "main"), ("ip", "192.0.2.1"), ("port", "6380"), ("config-epoch", "7")]);
        assert_eq!(word(&whole), Some(Word { host: "192.0.2.1".to_owned(), port: 6380, epoch: 7 }));
        assert_eq!(word(&told(&[("ip", "a"), ("port", "1")])).map(|word| word.epoch), Some(0));
        for none in [told(&[]), told(&[("ip", ""), ("port", "1")]), told(&[("ip", "a"), ("port", "x")]), told(&[("ip", "a")])] {
            assert_eq!(word(&none), None);
        }
    }
}
