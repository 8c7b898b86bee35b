//! What Ringback keeps: the storage trait, memory, SQLite, and the formats of stored bytes.
//!
//! - [`Store`]: what the engine's driver needs.
//! - [`Memory`]: keeps everything in the process and loses it with it; for tests.
//! - [`Sqlite`]: one file in a data directory that belongs to one process (G4).
//! - [`mod@format`]: how a record becomes stored text and comes back (G12).

mod error;
pub mod format;
mod index;
mod memory;
mod pending;
mod records;
mod sqlite;
mod turns;

pub use error::{CommitError, OpenError, StoreError};
pub use memory::Memory;
pub use sqlite::Sqlite;

use ringback_core::call::CallRecord;
use ringback_core::id::UserId;
use ringback_core::line::HistoryRecord;
use ringback_core::step::{Key, Loaded, Writes};
use ringback_core::time::Timestamp;

/// What the engine needs of a store. Synchronous: the driver owns it on a thread of its own (G4).
///
/// One call at a time, and nobody else writes: a store may keep in memory what it can derive from its rows.
pub trait Store: Send {
    /// Reads calls and lines, each asked for once. A line comes with its unhandled missed calls (by invitation, the
    /// earlier sent first), its last requests (by number) and the running invitations in which it has any part, hidden
    /// turns included (the earlier sent first).
    fn load(&mut self, keys: &[Key]) -> Result<Loaded, StoreError>;

    /// Writes everything or nothing; when it returns, it is durable (G3). What is written twice, the last time counts;
    /// a missed call that is both written and handled is handled. Nothing to write costs nothing.
    fn commit(&mut self, writes: Writes) -> Result<(), CommitError>;

    /// Does a part of what commits put off, if much of it has gathered; with `idle`, all of it. Whoever commits calls it
    /// now and then, when nobody waits for an answer. What is durable stays so, whatever becomes of this. Returns
    /// whether something is left to do.
    fn tidy(&mut self, idle: bool) -> Result<bool, CommitError>;

    /// Reads every running call, the earlier sent first: what the engine starts with.
    fn running(&mut self) -> Result<Vec<CallRecord>, StoreError>;

    /// The newest moment at which a stored call or a line of history says that something happened; zero if there is
    /// none. Time goes on from it when the wall clock was set back (G8).
    fn newest(&mut self) -> Result<Timestamp, StoreError>;

    /// Reads a page of a user's history, newest first: at most `limit` rows older than the cursor `before`.
    fn history(&mut self, user: &UserId, before: Option<u64>, limit: usize) -> Result<HistoryPage, StoreError>;

    /// Forgets, durably, calls that ended and history written before `before`, with the missed calls it tells of (M7):
    /// at most `limit` rows of each, the oldest first. Returns how many went; call again until it is zero.
    fn forget(&mut self, before: Timestamp, limit: usize) -> Result<usize, CommitError>;
}

impl<S: Store + ?Sized> Store for Box<S> {
    fn load(&mut self, keys: &[Key]) -> Result<Loaded, StoreError> {
        (**self).load(keys)
    }
    fn commit(&mut self, writes: Writes) -> Result<(), CommitError> {
        (**self).commit(writes)
    }
    fn tidy(&mut self, idle: bool) -> Result<bool, CommitError> {
        (**self).tidy(idle)
    }
    fn running(&mut self) -> Result<Vec<CallRecord>, StoreError> {
        (**self).running()
    }
    fn newest(&mut self) -> Result<Timestamp, StoreError> {
        (**self).newest()
    }
    fn history(&mut self, user: &UserId, before: Option<u64>, limit: usize) -> Result<HistoryPage, StoreError> {
        (**self).history(user, before, limit)
    }
    fn forget(&mut self, before: Timestamp, limit: usize) -> Result<usize, CommitError> {
        (**self).forget(before, limit)
    }
}

/// A page of history, and where the next begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryPage {
    /// Newest first.
    pub entries: Vec<HistoryRecord>,
    /// What to give as `before` for the next page; none at the end.
    pub next: Option<u64>,
}

/// The newest moment at which this call says that something happened; deadlines are no such moments.
fn newest_in(call: &CallRecord) -> Timestamp {
    let turns = call.participants.iter().flat_map(|p| &p.turns);
    let moments = turns.flat_map(|turn| [Some(turn.at), turn.ended_at]).flatten();
    moments.chain([call.at]).chain(call.ended.map(|(_, at)| at)).max().unwrap_or_default()
}
