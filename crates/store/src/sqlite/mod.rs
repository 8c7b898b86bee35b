//! One SQLite file, written by one thread (G4).
//!
//! Write-ahead logging with `synchronous=FULL`: a commit that returned has been synced. A commit appends one row to the
//! journal, a table like any other. What is in the journal waits in memory, too, and is folded into the tables that
//! people read later and in bulk, in one transaction with the journal's cutting: so each record is in one of both, or in
//! both alike, and whoever is asked looks into memory first. History's index by user follows behind the same way. What
//! is derived, which running calls a user has a part in, isn't written; it is rebuilt from the running calls when first
//! asked for, and kept.

mod journal;
mod open;
mod rows;

pub(crate) use open::SCHEMA;

use crate::format::journal::pack;
use crate::index::RunningIndex;
use crate::pending::{Fold, Pending};
use crate::{CommitError, HistoryPage, OpenError, Store, StoreError};
use ringback_core::call::CallRecord;
use ringback_core::id::{InvitationId, UserId};
use ringback_core::step::{Key, Loaded, LoadedLine, Writes};
use ringback_core::time::Timestamp;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::path::Path;

/// How many records gather before they are folded under load: some 5 ms of work.
const GATHERED: usize = 1500;
/// How many bytes of journal gather at most: large records take longer to fold.
const GATHERED_BYTES: usize = 4 << 20;
/// How many times as much as that may gather if nobody tidies, or the tables can't be written: beyond it a commit folds
/// first, and fails if that does.
const OVERDUE: usize = 16;

/// Keeps everything in `ringback.db` of a data directory. Whoever may read that file may read all of it, with the
/// `sqlite3` shell as well, also while Ringback runs; writing to it is Ringback's alone.
pub struct Sqlite {
    db: Connection,
    /// What the tables don't have. None after a commit of unknown outcome: then the file has to be read.
    pending: Option<Pending>,
    /// None until first needed, and after a commit of unknown outcome.
    index: Option<RunningIndex>,
    /// How many records gather before they are folded under load.
    gathered: usize,
    /// Frees the directory for others when it goes, after the connection has closed.
    _lock: open::Lock,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("file", &self.db.path()).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens the data directory `dir`, making it (for this system user alone) and its database if they aren't there,
    /// and folds what a process that died left in the journal; if that can't be now, on a full disk, say, it waits like
    /// what was just committed. Fails if another process has it open, or a newer version of Ringback wrote it.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let open::Opened { db, lock, file, pending } = open::open(dir)?;
        let mut store = Self { db, pending: Some(pending), index: None, gathered: GATHERED, _lock: lock };
        match store.fold(Fold::Whole) {
            Err(error) if denies_file(&error) => Err(OpenError::Fold { file, source: error }),
            Ok(()) | Err(_) => Ok(store),
        }
    }

    /// Folds under load whenever so many records have gathered, in place of the usual number.
    pub fn folding_at(mut self, records: usize) -> Self {
        self.gathered = records;
        self
    }

    /// What the tables don't have, read again if need be.
    fn pending(&mut self) -> Result<&mut Pending, StoreError> {
        if self.pending.is_none() {
            self.pending = Some(journal::read(&self.db)?);
        }
        Ok(self.pending.get_or_insert_default())
    }

    /// Brings what waits into the tables, and cuts the journal.
    fn fold(&mut self, what: Fold) -> Result<(), CommitError> {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.has(what)) else {
            return Ok(());
        };
        let taken = pending.take(what);
        let done = transact(&mut self.db, |tx| {
            rows::write(tx, &taken)?;
            if let Some(first) = pending.note() {
                rows::note(tx, first)?;
            }
            journal::cut(tx, pending.needs())
        });
        if let Err(error) = done {
            pending.take_back(taken);
            return Err(self.known_after(error));
        }
        pending.folded();
        Ok(())
    }

    /// After an unknown outcome what is in memory may not be what is in the file.
    fn known_after(&mut self, error: CommitError) -> CommitError {
        if matches!(error, CommitError::Unknown(_)) {
            self.index = None;
            self.pending = None;
        }
        error
    }

    fn index(&mut self) -> Result<&mut RunningIndex, StoreError> {
        if self.index.is_none() {
            self.running()?;
        }
        Ok(self.index.get_or_insert_default())
    }

    fn call(&mut self, id: InvitationId) -> Result<Option<CallRecord>, StoreError> {
        match self.pending()?.records.call(id) {
            Some(call) => Ok(Some(call.clone())),
            None => rows::call(&self.db, id),
        }
    }

    fn line(&mut self, user: &UserId) -> Result<LoadedLine, StoreError> {
        let running = self.index()?.of(user);
        self.pending()?;
        let (db, records) = (&self.db, &self.pending.get_or_insert_default().records);
        let line = match records.line(user) {
            Some(line) => Some(line.clone()),
            None => rows::line(db, user)?,
        };
        let missed = records.missed(user, rows::missed(db, user)?);
        let requests = records.requests(user, rows::requests(db, user)?);
        Ok(LoadedLine { user: user.clone(), line, missed, requests, running })
    }
}

impl Drop for Sqlite {
    /// Folds, so that the tables are complete for whoever reads them; if that fails, the journal has the rest.
    fn drop(&mut self) {
        let _ = self.fold(Fold::Whole);
    }
}

impl Store for Sqlite {
    fn load(&mut self, keys: &[Key]) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        for key in keys {
            match key {
                Key::Call(id) => loaded.calls.push((*id, self.call(*id)?)),
                Key::Line(user) => loaded.lines.push(self.line(user)?),
            }
        }
        Ok(loaded)
    }

    fn commit(&mut self, writes: Writes) -> Result<(), CommitError> {
        if writes.is_empty() {
            return Ok(());
        }
        let (most, most_bytes) = (self.gathered.saturating_mul(OVERDUE), GATHERED_BYTES * OVERDUE);
        let pending = self.pending().map_err(CommitError::Failed)?;
        if pending.gathered() >= most || pending.bytes() >= most_bytes {
            self.fold(Fold::Settled)?;
        }
        let numbers = self.pending().map_err(CommitError::Failed)?.next();
        let body = pack(&writes, numbers.row);
        let done = transact(&mut self.db, |tx| journal::append(tx, numbers.seq, &body));
        done.map_err(|error| self.known_after(error))?;
        if let Some(index) = &mut self.index {
            writes.calls.iter().for_each(|call| index.put(call.record()));
        }
        self.pending.get_or_insert_default().put(writes, numbers, body.len());
        Ok(())
    }

    fn tidy(&mut self, idle: bool) -> Result<bool, CommitError> {
        let gathered = self.gathered;
        let pending = self.pending().map_err(CommitError::Failed)?;
        if idle {
            self.fold(Fold::All)?;
        } else if pending.gathered() >= gathered || pending.bytes() >= GATHERED_BYTES {
            self.fold(Fold::Settled)?;
        }
        Ok(self.pending.as_ref().is_some_and(|pending| !pending.is_empty()))
    }

    fn running(&mut self) -> Result<Vec<CallRecord>, StoreError> {
        self.pending()?;
        let (db, records) = (&self.db, &self.pending.get_or_insert_default().records);
        let mut calls = rows::running(db)?;
        calls.retain(|call| records.call(call.id).is_none());
        calls.extend(records.calls().filter(|call| call.running()).cloned());
        calls.sort_by_key(|call| call.id);
        let mut index = RunningIndex::default();
        calls.iter().for_each(|call| index.put(call));
        self.index = Some(index);
        Ok(calls)
    }

    fn newest(&mut self) -> Result<Timestamp, StoreError> {
        let waiting = self.pending()?.records.newest();
        Ok(rows::newest(&self.db)?.max(waiting))
    }

    fn history(&mut self, user: &UserId, before: Option<u64>, limit: usize) -> Result<HistoryPage, StoreError> {
        self.pending()?;
        let (db, records) = (&self.db, &self.pending.get_or_insert_default().records);
        let before = i64::try_from(before.unwrap_or(u64::MAX)).unwrap_or(i64::MAX);
        let more = limit.saturating_add(1);
        let mut rows = rows::indexed(db, user, before, more)?;
        rows.extend(records.rows_before(user, before.cast_unsigned()).take(more));
        rows.sort_unstable_by(|a, b| b.cmp(a));
        rows.dedup(); // after a commit of unknown outcome both may have some
        let next = rows.get(limit).and_then(|_| rows.get(limit.checked_sub(1)?)).copied();
        let entry = |row: &u64| match records.entry(*row) {
            Some(entry) => Ok(entry.clone()),
            None => rows::entry(db, *row),
        };
        let entries = rows.iter().take(limit).map(entry).collect::<Result<_, _>>()?;
        Ok(HistoryPage { entries, next })
    }

    fn forget(&mut self, before: Timestamp, limit: usize) -> Result<usize, CommitError> {
        self.pending().map_err(CommitError::Failed)?;
        self.fold(Fold::Whole)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let done = transact(&mut self.db, |tx| rows::forget(tx, before, limit));
        done.map_err(|error| self.known_after(error))
    }
}

/// Runs `work` in one transaction: all of it or nothing.
fn transact<T>(
    db: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, CommitError> {
    let failed = |doing| move |source| CommitError::Failed(StoreError::backend(doing, source));
    let begun = db.transaction_with_behavior(TransactionBehavior::Immediate);
    let tx = begun.map_err(failed("beginning a transaction"))?;
    let done = work(&tx).map_err(CommitError::Failed)?; // rolled back when dropped
    match tx.commit() {
        Ok(()) => Ok(done),
        Err(source) => Err(match source.sqlite_error_code() {
            // The commit's own frame in the log isn't whole, so no recovery will find it.
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::ConstraintViolation) => {
                failed("committing")(source)
            }
            Some(ErrorCode::SystemIoFailure) => CommitError::Unknown(StoreError::Disk { source: source.into() }),
            _ => CommitError::Unknown(StoreError::backend("committing", source)),
        }),
    }
}

/// Whether it says that what the file holds can't be believed. After any other error it is as it was, and another time
/// may do.
fn denies_file(error: &CommitError) -> bool {
    let (CommitError::Failed(error) | CommitError::Unknown(error)) = error;
    match error {
        StoreError::Disk { .. } => true,
        StoreError::Backend { source, .. } => {
            let code = source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
            matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        }
        StoreError::Value { .. } => false,
    }
}

fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::backend(doing, source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_core::call::CallType;
    use ringback_core::id::{CallId, DeviceId, MissedId, RequestId};
    use ringback_core::line::{Direction, HistoryRecord, LineRecord, Made, Outcome, Remembered};
    use std::sync::Arc;

    #[test]
    fn a_full_file_fails_the_commit_alone_and_then_goes_on() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut store = Sqlite::open(dir.path()).unwrap();
        let line = |revision, name: &str| {
            let mut line = LineRecord { revision, ..LineRecord::new(UserId::new("bob").unwrap()) };
            line.person.name = name.into();
            Writes { lines: vec![line.into()], ..Writes::default() }
        };
        let revision = |store: &mut Sqlite| {
            let loaded = store.load(&[Key::Line(UserId::new("bob").unwrap())]).unwrap();
            loaded.lines[0].line.as_ref().map(|line| line.revision)
        };
        store.commit(line(1, "Bob")).unwrap();
        let limit = |store: &Sqlite, pages| {
            store.db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0)).unwrap()
        };
        let most = limit(&store, 24);
        assert_eq!(most, 24);
        let large = line(2, &"x".repeat(1 << 20));
        assert!(matches!(store.commit(large.clone()), Err(CommitError::Failed(StoreError::Backend { .. }))));
        assert_eq!(revision(&mut store), Some(1));
        store.commit(line(3, "Bob")).unwrap();
        limit(&store, i64::from(u32::MAX - 1));
        store.commit(large).unwrap();
        assert_eq!(revision(&mut store), Some(2));
        // The tables don't fit where the journal did: it stays, and is folded once there is room.
        let used = store.db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).unwrap();
        limit(&store, used);
        assert!(matches!(store.tidy(true), Err(CommitError::Failed(StoreError::Backend { .. }))));
        assert_eq!(revision(&mut store), Some(2));
        limit(&store, i64::from(u32::MAX - 1));
        assert!(!store.tidy(true).unwrap());
        assert_eq!(revision(&mut store), Some(2));
    }
    /// As after a commit of unknown outcome, with a journal of which a part is folded and history that is half indexed.
    #[test]
    fn what_was_in_memory_is_rebuilt_from_the_file() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut store = Sqlite::open(dir.path()).unwrap().folding_at(1500);
        let users: Vec<_> = (0..10).map(|n| UserId::new(&format!("user-{n}")).unwrap()).collect();
        let entry = |user: &UserId, n: u64| HistoryRecord {
            user: user.clone(),
            id: MissedId { invitation: InvitationId(n.into()), turn: 0 },
            call_id: CallId::new("c-1").unwrap(),
            call_type: CallType::Voice,
            group: false,
            direction: Direction::Outgoing,
            with: vec![],
            with_count: 0,
            at: Timestamp(n),
            ended_at: Timestamp(n),
            outcome: Outcome::Answered,
        };
        let made = Remembered {
            no: 1,
            device: DeviceId::new("d-1").unwrap(),
            request: RequestId::new("r-1").unwrap(),
            made: Made::Engaged { invitation: InvitationId(1) },
        };
        for round in 0..20 {
            let history = users.iter().flat_map(|user| (0..100).map(|n| entry(user, 100 * round + n))).collect();
            let waits = users.iter().map(|user| (user.clone(), Arc::new(Remembered { no: round, ..made.clone() })));
            store.commit(Writes { history, requests: waits.collect(), ..Writes::default() }).unwrap();
            store.tidy(false).unwrap();
            (store.pending, store.index) = (None, None);
            for user in &users {
                let all = store.history(user, None, usize::MAX).unwrap().entries;
                assert!(all.iter().map(|entry| entry.at.0).eq((0..100 * (round + 1)).rev()), "{user}");
                let page = store.history(user, None, 30).unwrap();
                assert_eq!((page.entries.len(), page.next.is_some()), (30, true));
            }
        }
        let counted = |what: &str| store.db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0));
        let counted: Vec<i64> = ["history", "history_by_user", "journal"].map(|table| counted(table).unwrap()).into();
        assert!(counted[0] >= 19_000 && counted[1] > 0 && counted[1] < counted[0] && counted[2] > 1, "{counted:?}");
    }
}
