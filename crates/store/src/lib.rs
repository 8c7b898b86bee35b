//! What Ringback keeps: the storage trait, memory, SQLite.

use ringback_core::call::CallRecord;
use ringback_core::id::UserId;
use ringback_core::line::HistoryRecord;
use ringback_core::step::{Key, Loaded, Writes};

/// What the engine needs of a store. Synchronous: the driver owns it on a thread of its own (G4).
pub trait Store: Send {
    /// Reads calls and lines; a line comes with its missed calls and the running invitations it has a part in.
    fn load(&mut self, keys: &[Key]) -> Result<Loaded, StoreError>;
    /// Writes everything or nothing; when it returns, it is durable.
    fn commit(&mut self, writes: &Writes) -> Result<(), CommitError>;
    /// Reads every running call, at the start.
    fn running(&mut self) -> Result<Vec<CallRecord>, StoreError>;
    /// Reads a page of a user's history, newest first: at most `limit` rows older than `before`.
    fn history(
        &mut self,
        user: &UserId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError>;
}

/// A page of history, and where the next begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryPage {
    /// Newest first.
    pub entries: Vec<HistoryRecord>,
    /// What to give as `before` for the next page; none at the end.
    pub next: Option<u64>,
}

/// Why a store could not read.
#[derive(Debug)]
pub struct StoreError;

/// Why a commit failed.
#[derive(Debug)]
pub enum CommitError {
    /// Nothing was written.
    Failed(StoreError),
    /// It may or may not have been written: load and decide again.
    Unknown(StoreError),
}
