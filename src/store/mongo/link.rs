//! One transaction in use. It begins with a question, whatever is done in it: the server has answered, then, before anything
//! holds a document. A transaction that is dropped half-way is ended by a message on another connection, which could
//! otherwise be faster than the one that begins it, and the documents would stay held until the server's own limit.

use mongodb::bson::{Document, doc};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReadConcern, ReturnDocument};
use mongodb::{ClientSession, Collection, Database, SessionCursor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;
use super::open::durable;
use super::query::Query;

/// What can be read out of a document.
pub(super) trait Read: DeserializeOwned + Send + Sync + Unpin + 'static {}

impl<T: DeserializeOwned + Send + Sync + Unpin + 'static> Read for T {}

/// One transaction. Dropped without an end, it is ended as if nothing had been done.
pub(super) struct Link {
    session: ClientSession,
    database: Database,
    has_begun: bool,
}

impl Link {
    /// Begin a transaction, which sees the database as it is now and keeps what it does on a majority's disks.
    pub(super) async fn begin(database: &Database) -> Result<Self, Fault> {
        let mut session = database.client().start_session().await?;
        session.start_transaction().read_concern(ReadConcern::snapshot()).write_concern(durable()).await?;
        Ok(Self { session, database: database.clone(), has_begun: false })
    }

    /// All documents of an answer.
    pub(super) async fn ask<T: Read>(&mut self, query: Query) -> Result<Vec<T>, Fault> {
        let Query { from, filter, sort, limit, is_proven: _ } = query;
        if limit == Some(0) {
            return Ok(Vec::new());
        }
        let collection: Collection<T> = self.database.collection(from);
        let find = collection.find(filter).sort(sort).limit(limit.map_or(0, i64::from));
        let mut cursor: SessionCursor<T> = find.session(&mut self.session).await?;
        self.has_begun = true;
        let mut all = Vec::new();
        while let Some(one) = cursor.next(&mut self.session).await {
            all.push(one?);
        }
        Ok(all)
    }

    /// The first document of an answer, if there is one.
    pub(super) async fn ask_one<T: Read>(&mut self, query: Query) -> Result<Option<T>, Fault> {
        let collection: Collection<T> = self.database.collection(query.from);
        let found = collection.find_one(query.filter).sort(query.sort).session(&mut self.session).await?;
        self.has_begun = true;
        Ok(found)
    }

    /// Keep a new document.
    pub(super) async fn insert<T: Serialize + Send + Sync>(&mut self, into: &'static str, document: &T) -> Result<(), Fault> {
        self.arrive(into).await?;
        let collection: Collection<T> = self.database.collection(into);
        collection.insert_one(document).session(&mut self.session).await?;
        Ok(())
    }

    /// Keep new documents.
    pub(super) async fn insert_all<T: Serialize + Send + Sync>(&mut self, into: &'static str, documents: &[T]) -> Result<(), Fault> {
        if documents.is_empty() {
            return Ok(());
        }
        self.arrive(into).await?;
        let collection: Collection<T> = self.database.collection(into);
        collection.insert_many(documents).session(&mut self.session).await?;
        Ok(())
    }

    /// Change one document. Returns how many there were to change: one or none.
    pub(super) async fn update(&mut self, of: &'static str, filter: Document, change: Document) -> Result<u64, Fault> {
        self.arrive(of).await?;
        let done = self.documents(of).update_one(filter, change).session(&mut self.session).await?;
        Ok(done.matched_count)
    }

    /// Change one document, or make it. Returns how many there were to change: one or none.
    pub(super) async fn put(&mut self, into: &'static str, filter: Document, change: Document) -> Result<u64, Fault> {
        self.arrive(into).await?;
        let done = self.documents(into).update_one(filter, change).upsert(true).session(&mut self.session).await?;
        Ok(done.matched_count)
    }

    /// Change all documents that fit. Returns how many there were.
    pub(super) async fn update_all(&mut self, of: &'static str, filter: Document, change: Document) -> Result<u64, Fault> {
        self.arrive(of).await?;
        let done = self.documents(of).update_many(filter, change).session(&mut self.session).await?;
        Ok(done.matched_count)
    }

    /// Change one document, and read what became of it.
    pub(super) async fn change<T: Read>(&mut self, of: &'static str, filter: Document, change: Document) -> Result<Option<T>, Fault> {
        self.arrive(of).await?;
        let collection: Collection<T> = self.database.collection(of);
        let changed = collection.find_one_and_update(filter, change);
        Ok(changed.return_document(ReturnDocument::After).session(&mut self.session).await?)
    }

    /// Delete one document. Returns how many there were to delete: one or none.
    pub(super) async fn delete(&mut self, from: &'static str, filter: Document) -> Result<u64, Fault> {
        self.arrive(from).await?;
        Ok(self.documents(from).delete_one(filter).session(&mut self.session).await?.deleted_count)
    }

    /// Delete all documents that fit. Returns how many there were.
    pub(super) async fn delete_all(&mut self, from: &'static str, filter: Document) -> Result<u64, Fault> {
        self.arrive(from).await?;
        Ok(self.documents(from).delete_many(filter).session(&mut self.session).await?.deleted_count)
    }

    /// Hold a document, changing nothing that is read: who else holds it has to begin again, and then sees what was done here.
    pub(super) async fn hold(&mut self, of: &'static str, id: &str) -> Result<u64, Fault> {
        self.update(of, doc! { "_id": id }, doc! { "$inc": { "held": 1_i64 } }).await
    }

    /// End it and keep what was done: durable when this returns, and so is what was read.
    ///
    /// Saying it again is no second time, so a commit of which nothing is known is said again, until the caller's time is up.
    pub(super) async fn commit(&mut self) -> Result<(), Fault> {
        loop {
            match self.session.commit_transaction().await {
                Ok(()) => return Ok(()),
                Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => tokio::task::yield_now().await,
                Err(error) => return Err(unless_transient(error)),
            }
        }
    }

    /// End it as if nothing had been done.
    pub(super) async fn roll_back(&mut self) -> Result<(), Fault> {
        Ok(self.session.abort_transaction().await?)
    }

    async fn arrive(&mut self, at: &'static str) -> Result<(), Fault> {
        if self.has_begun {
            return Ok(());
        }
        self.ask_one::<Document>(Query::by_id(at, "")).await.map(drop)
    }

    fn documents(&self, name: &'static str) -> Collection<Document> {
        self.database.collection(name)
    }
}

/// What a commit failed with: either nothing of it was kept, or nobody knows.
fn unless_transient(error: Error) -> Fault {
    let nothing_was_kept = error.contains_label(TRANSIENT_TRANSACTION_ERROR);
    if nothing_was_kept { Fault::Driver(error) } else { Fault::Unsure(error) }
}
