//! How the database of a URL is connected to.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mongodb::options::{Acknowledgment, ClientOptions, ConnectionString, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Database};

use crate::outage::Outage;
use crate::store::StoreSettings;

/// How long a primary is looked for at most. A server that was restarted is found within it; an election that takes longer is
/// an outage, and whoever asks is told so instead of being kept waiting.
const LOOKING: Duration = Duration::from_millis(1200);

/// How long making a connection may take.
const CONNECTING: Duration = Duration::from_secs(2);

/// How often the driver looks at each server; it is pushed changes between two looks.
const LOOKS: Duration = Duration::from_secs(2);

/// The database that `url` names.
///
/// # Errors
/// When the URL cannot be read, or names no database. It holds a password and is never repeated.
pub(super) fn database(url: &str, settings: &StoreSettings) -> Result<Database, Outage> {
    if url.starts_with("mongodb+srv:") {
        return Err(unusable("mongodb+srv:// is not supported; list the servers: mongodb://one,two,three/DATABASE?replicaSet=NAME"));
    }
    let options = at_once(ClientOptions::parse(ConnectionString::parse(url).map_err(unreadable)?));
    let options = options.ok_or_else(|| unusable("it cannot be read at once"))?.map_err(unreadable)?;
    let Some(name) = options.default_database.clone() else {
        return Err(unusable("it names no database: mongodb://HOST/DATABASE"));
    };
    let client = Client::with_options(ours(options, settings)).map_err(unreadable)?;
    Ok(client.database(&name))
}

/// What the URL may not decide: who is asked, and when something is kept.
fn ours(mut options: ClientOptions, settings: &StoreSettings) -> ClientOptions {
    options.app_name = Some("doorward".to_owned());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.read_concern = Some(ReadConcern::local());
    options.write_concern = Some(durable());
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    options.max_pool_size = Some(settings.connections.max(1));
    options.server_selection_timeout = Some(LOOKING.min(settings.timeout));
    options.connect_timeout = Some(CONNECTING.min(settings.timeout));
    options.heartbeat_freq = Some(LOOKS);
    options
}

/// On the disks of a majority.
pub(super) fn durable() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build()
}

/// The outcome of a future that waits for nothing: the driver's parser would wait for the name service, and for that alone.
fn at_once<T>(future: impl IntoFuture<Output = T>) -> Option<T> {
    match pin!(future.into_future()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// Without the driver's words, which quote what they could not read.
fn unreadable(_: mongodb::error::Error) -> Outage {
    unusable("it should be mongodb://USER:PASSWORD@HOST:PORT/DATABASE?replicaSet=NAME, with % and two digits for what is special in it")
}

fn unusable(cause: &str) -> Outage {
    Outage::store(format_args!("store.url cannot be used: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_repeating_it() {
        for url in [
            "mongodb://ada:hunter2@db",
            "mongodb://ada:hunter2@db/",
            "mongodb://ada:hunter2@db:port/x",
            "mongodb://ada:hunt/er2@db/x",
            "mongodb://ada:hunter2@db/x?w=none&journal=hunter2",
            "mongodb+srv://ada:hunter2@db/x",
            "mongodb:",
            "mongodb://",
        ] {
            let refused = database(url, &StoreSettings::default()).unwrap_err().to_string();
            assert!(refused.contains("store.url") && !refused.contains("hunt"), "{refused}");
        }
    }

    #[tokio::test]
    async fn the_url_does_not_decide_what_is_durable() {
        let url = "mongodb://db/doorward?w=1&journal=false&readPreference=secondary&readConcernLevel=available&retryWrites=false";
        let database = database(url, &StoreSettings::default()).unwrap();

        assert_eq!(database.name(), "doorward");
        assert_eq!(database.write_concern(), Some(&durable()));
        assert_eq!(database.read_concern(), Some(&ReadConcern::local()));
        assert!(matches!(database.selection_criteria(), Some(SelectionCriteria::ReadPreference(ReadPreference::Primary))));
    }
}
