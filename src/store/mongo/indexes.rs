//! What the collections are called, and their indexes: made by any number of nodes at once, and never changed. An index that
//! has to be different gets another name, so that old and new nodes run side by side during a deploy.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use mongodb::IndexModel;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::IndexOptions;

use super::Store;
use super::fault::Fault;
use crate::outage::Outage;

pub(super) const ACCOUNTS: &str = "accounts";
pub(super) const ADDRESS_CHANGES: &str = "address_changes";
pub(super) const API_KEYS: &str = "api_keys";
pub(super) const APPS: &str = "apps";
pub(super) const APP_CODES: &str = "app_codes";
pub(super) const APP_ROUTES: &str = "app_routes";
pub(super) const APP_SUBJECTS: &str = "app_subjects";
pub(super) const AUDIT_HEAD: &str = "audit_head";
pub(super) const AUDIT_LOG: &str = "audit_log";
pub(super) const CHALLENGES: &str = "challenges";
pub(super) const DEVICES: &str = "devices";
pub(super) const FACTORS: &str = "factors";
pub(super) const FAILURES: &str = "failures";
pub(super) const HOOK_CLAIMS: &str = "hook_claims";
pub(super) const LEDGER: &str = "ledger";
pub(super) const PENDING_SIGN_INS: &str = "pending_sign_ins";
pub(super) const REFRESH_TOKENS: &str = "refresh_tokens";
pub(super) const RESENDS: &str = "resends";
pub(super) const REVOCATIONS: &str = "revocations";
pub(super) const SESSIONS: &str = "sessions";
pub(super) const SIGNING_KEYS: &str = "signing_keys";

/// How long building indexes may take.
const LIMIT: Duration = Duration::from_mins(10);

/// Between two looks for a server that is not there.
const AGAIN: Duration = Duration::from_millis(100);

/// The server itself deletes what was written longer ago than this and lives for an hour at most: a net below the sweepers, by
/// its own clock. What is over is decided by the moment that is passed, never by this.
const FORGOTTEN: Duration = Duration::from_hours(7 * 24);

/// The field with the server's time at which a document that lives shortly was written.
pub(super) const WRITTEN: &str = "written_at";

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Finding and sorting.
    Plain,
    /// And there is one document of each value at most; documents without it are not in it.
    Unique,
    /// The server deletes what is old.
    Net,
}

/// One index: of which collection, its fields (with a minus: descending), what for.
type Index = (&'static str, &'static [&'static str], Sort);

const INDEXES: &[Index] = &[
    (ACCOUNTS, &["username_folded"], Sort::Unique),
    (ACCOUNTS, &["email"], Sort::Unique),
    (ACCOUNTS, &["phone"], Sort::Unique),
    (ACCOUNTS, &["groups", "_id"], Sort::Plain),
    (ADDRESS_CHANGES, &["account_id", "-created_at", "-_id"], Sort::Plain),
    (ADDRESS_CHANGES, &["expires_at"], Sort::Plain),
    (ADDRESS_CHANGES, &[WRITTEN], Sort::Net),
    (API_KEYS, &["held_name"], Sort::Unique),
    (APPS, &["name"], Sort::Unique),
    (APP_CODES, &["subject_id", "-created_at", "-_id"], Sort::Plain),
    (APP_CODES, &["expires_at"], Sort::Plain),
    (APP_CODES, &[WRITTEN], Sort::Net),
    (APP_SUBJECTS, &["app_id", "_id"], Sort::Plain),
    (AUDIT_LOG, &["happened_at", "_id"], Sort::Plain),
    (AUDIT_LOG, &["account_id", "happened_at", "_id"], Sort::Plain),
    (AUDIT_LOG, &["what", "happened_at", "_id"], Sort::Plain),
    (CHALLENGES, &["handle", "-created_at", "-_id"], Sort::Plain),
    (CHALLENGES, &["subject", "-created_at", "-_id"], Sort::Plain),
    (CHALLENGES, &["account_id"], Sort::Plain),
    (CHALLENGES, &["expires_at"], Sort::Plain),
    (CHALLENGES, &[WRITTEN], Sort::Net),
    (DEVICES, &["account_id", "device"], Sort::Unique),
    (DEVICES, &["seen_at"], Sort::Plain),
    (FAILURES, &["ends_at"], Sort::Plain),
    (FAILURES, &[WRITTEN], Sort::Net),
    (HOOK_CLAIMS, &["kept_at"], Sort::Plain),
    (PENDING_SIGN_INS, &["account_id"], Sort::Plain),
    (PENDING_SIGN_INS, &["expires_at"], Sort::Plain),
    (PENDING_SIGN_INS, &[WRITTEN], Sort::Net),
    (REFRESH_TOKENS, &["session_id", "number"], Sort::Unique),
    (RESENDS, &["ends_at"], Sort::Plain),
    (RESENDS, &[WRITTEN], Sort::Net),
    (REVOCATIONS, &["kind", "name", "expires_at"], Sort::Plain),
    (REVOCATIONS, &["expires_at"], Sort::Plain),
    (SESSIONS, &["account_id", "-created_at", "-_id"], Sort::Plain),
    (SESSIONS, &["account_id", "_id"], Sort::Plain),
    (SESSIONS, &["expires_at"], Sort::Plain),
    (SESSIONS, &["ended_at"], Sort::Plain),
    (SIGNING_KEYS, &["purpose", "generation"], Sort::Unique),
];

impl Store {
    /// Make the indexes that are missing.
    pub(super) async fn build_indexes(&self) -> Result<(), Outage> {
        let work = async {
            for collection in collections() {
                self.build(collection).await?;
            }
            Ok::<(), Fault>(())
        };
        let built = tokio::time::timeout(LIMIT, work).await.unwrap_or(Err(Fault::Late));
        Ok(built?)
    }

    /// The names of the indexes that are missing, and of the ledger if it has no name yet.
    pub(super) async fn missing_indexes(&self) -> Result<Vec<String>, Outage> {
        let there = self.within(self.index_names()).await?;
        let names = INDEXES.iter().map(name);
        let mut missing: Vec<String> = names.filter(|name| !there.contains(name)).collect();
        if !self.is_ledger_named().await? {
            missing.push(LEDGER.to_owned());
        }
        if !self.is_audit_begun().await? {
            missing.push(AUDIT_HEAD.to_owned());
        }
        Ok(missing)
    }

    /// Several nodes may make the same one at once: the server makes it once. What got in each other's way tries again.
    async fn build(&self, collection: &'static str) -> Result<(), Fault> {
        loop {
            let models: Vec<IndexModel> = INDEXES.iter().filter(|(of, ..)| *of == collection).map(model).collect();
            match self.documents(collection).create_indexes(models).await.map_err(Fault::from) {
                Err(fault) if fault.is_transient() => tokio::task::yield_now().await,
                built => return built.map(drop),
            }
        }
    }

    async fn index_names(&self) -> Result<HashSet<String>, Fault> {
        let there: HashSet<String> = self.database.list_collection_names().await?.into_iter().collect();
        let mut names = HashSet::new();
        for collection in collections().into_iter().filter(|name| there.contains(*name)) {
            let there = self.documents(collection).list_index_names().await?;
            names.extend(there.into_iter().map(|name| format!("{collection}.{name}")));
        }
        Ok(names)
    }

    /// As [`Store::refuse_alone`], for who begins: a server that is not found at once is looked for until the time is up.
    pub(super) async fn await_server(&self) -> Result<(), Outage> {
        let began = Instant::now();
        loop {
            match self.refuse_alone().await {
                Err(outage) if began.elapsed() > self.timeout => return Err(outage),
                Err(outage) if outage.cause == Fault::Alone.to_string() => return Err(outage),
                Err(_) => tokio::time::sleep(AGAIN).await,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Does the database answer, and can it do transactions?
    pub(super) async fn refuse_alone(&self) -> Result<(), Outage> {
        let hello = self.within(async { Ok(self.database.run_command(doc! { "hello": 1 }).await?) }).await?;
        let is_router = hello.get_str("msg").is_ok_and(|said| said == "isdbgrid");
        if hello.contains_key("setName") || is_router { Ok(()) } else { Err(Fault::Alone.into()) }
    }
}

/// The collections that have indexes beside that of their ids.
fn collections() -> BTreeSet<&'static str> {
    INDEXES.iter().map(|(collection, ..)| *collection).collect()
}

fn model((_, fields, sort): &Index) -> IndexModel {
    let keys: Document = fields.iter().map(|field| key(field)).collect();
    let options = match sort {
        Sort::Plain => IndexOptions::builder().name(label(fields)).build(),
        Sort::Unique => IndexOptions::builder().name(label(fields)).unique(true).sparse(true).build(),
        Sort::Net => IndexOptions::builder().name(label(fields)).expire_after(FORGOTTEN).build(),
    };
    IndexModel::builder().keys(keys).options(options).build()
}

fn key(field: &str) -> (String, Bson) {
    match field.strip_prefix('-') {
        Some(field) => (field.to_owned(), Bson::Int32(-1)),
        None => (field.to_owned(), Bson::Int32(1)),
    }
}

/// The index's name within its collection.
fn label(fields: &[&str]) -> String {
    fields.join("_").replace('-', "")
}

/// The index's name within the database.
fn name((collection, fields, _): &Index) -> String {
    format!("{collection}.{}", label(fields))
}
