//! A ledger in a real database.

use std::sync::Arc;

use doorward::revocation::Ledger;
use doorward::store::StoreSettings;
use doorward::store::sql::Store;
use tempfile::TempDir;

use crate::support::folder;

/// A ledger in a database of its own.
pub struct Truth {
    store: Arc<Store>,
    _folder: Option<TempDir>,
}

impl Truth {
    /// In a new SQLite file.
    pub async fn new() -> Self {
        let folder = folder::new("ledger");
        let url = format!("sqlite:{}/doorward.db", folder.path().display());
        Self { _folder: Some(folder), ..Self::at(&url).await }
    }

    /// In an empty database.
    pub async fn at(url: &str) -> Self {
        let store = Store::open(url, &StoreSettings::default()).unwrap();
        store.migrate().await.unwrap();
        Self { store: Arc::new(store), _folder: None }
    }

    /// The store itself.
    pub fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    pub fn ledger(&self) -> Arc<dyn Ledger> {
        self.store.clone()
    }
}
