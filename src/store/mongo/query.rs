//! A question: from which collection, which documents, in which order, how many.

use mongodb::bson::{Document, doc};

use crate::clock::Timestamp;

/// A question.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// The collection.
    pub(super) from: &'static str,
    /// Which documents.
    pub(super) filter: Document,
    /// In which order.
    pub(super) sort: Document,
    /// At most so many; none: all.
    pub(super) limit: Option<u32>,
    /// The answer must be what a majority has, now.
    pub(super) is_proven: bool,
}

impl Query {
    /// All documents of `from` that `filter` fits.
    pub(super) fn of(from: &'static str, filter: Document) -> Self {
        Self { from, filter, sort: Document::new(), limit: None, is_proven: false }
    }

    /// The one with this id.
    pub(super) fn by_id(from: &'static str, id: &str) -> Self {
        Self::of(from, doc! { "_id": id })
    }

    /// In this order.
    pub(super) fn sorted(self, sort: Document) -> Self {
        Self { sort, ..self }
    }

    /// Newest first, as [`crate::store::sql::Store`] sorts them.
    pub(super) fn newest_first(self) -> Self {
        self.sorted(doc! { "created_at": -1, "_id": -1 })
    }

    /// Not more than so many.
    pub(super) fn at_most(self, limit: u32) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// What a majority has, now. Costs a round among the servers.
    pub(super) fn proven(self) -> Self {
        Self { is_proven: true, ..self }
    }
}

/// Later than `now`.
pub(super) fn after(now: Timestamp) -> Document {
    doc! { "$gt": now.as_millis() }
}

/// Earlier than `now`.
pub(super) fn before(now: Timestamp) -> Document {
    doc! { "$lt": now.as_millis() }
}

/// At `now` or earlier.
pub(super) fn until(now: Timestamp) -> Document {
    doc! { "$lte": now.as_millis() }
}

/// A moment, if there is one.
pub(super) fn millis(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::as_millis)
}

/// The moment in a field that may be missing.
pub(super) fn moment(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}
