//! One SQLite file, written by one thread, a transaction a batch (G4).
//!
//! Write-ahead logging with `synchronous=FULL`: a commit that returned has been synced. What is derived, which running
//! calls a user has a part in, isn't written; it is rebuilt from the running calls when first asked for, and kept.

mod open;

pub(crate) use open::SCHEMA;

use crate::format::{FORMAT, FormatError, Stored};
use crate::index::RunningIndex;
use crate::{CommitError, HistoryPage, OpenError, Store, StoreError, newest_in};
use ringback_core::call::CallRecord;
use ringback_core::id::{InvitationId, MissedId, UserId};
use ringback_core::line::{HistoryRecord, LineRecord, MissedCall};
use ringback_core::step::{Key, Loaded, LoadedLine, Writes};
use ringback_core::time::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use std::path::Path;

/// Keeps everything in `ringback.db` of a data directory. Whoever may read that file may read all of it, with the
/// `sqlite3` shell as well, also while Ringback runs; writing to it is Ringback's alone.
pub struct Sqlite {
    db: Connection,
    /// None until first needed, and after a commit of unknown outcome.
    index: Option<RunningIndex>,
    /// Frees the directory for others when it goes, after the connection has closed.
    _lock: open::Lock,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("file", &self.db.path()).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens the data directory `dir`, making it (for this system user alone) and its database if they aren't there.
    /// Fails if another process has it open, or a newer version of Ringback wrote it.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let open::Opened { db, lock } = open::open(dir)?;
        Ok(Self { db, index: None, _lock: lock })
    }

    fn index(&mut self) -> Result<&mut RunningIndex, StoreError> {
        if self.index.is_none() {
            self.running()?; // fills it
        }
        Ok(self.index.get_or_insert_default())
    }

    fn line(&self, user: &UserId) -> Result<Option<LineRecord>, StoreError> {
        let sql = "SELECT format, body FROM lines WHERE user = ?1";
        let row = one(&self.db, "reading a line", sql, [user.as_str()])?;
        row.map(|row| decode(&row, || format!("line {user}"))).transpose()
    }

    fn call(&self, id: InvitationId) -> Result<Option<CallRecord>, StoreError> {
        let sql = "SELECT format, body FROM calls WHERE id = ?1";
        let row = one(&self.db, "reading a call", sql, [bytes(id)])?;
        row.map(|row| decode(&row, || format!("call {id}"))).transpose()
    }

    fn missed(&self, user: &UserId) -> Result<Vec<MissedCall>, StoreError> {
        let sql = "SELECT format, body FROM missed WHERE user = ?1 ORDER BY invitation, turn";
        let mut missed = Vec::new();
        each(&self.db, "reading missed calls", sql, [user.as_str()], |_, value| {
            missed.push(decode(&value, || format!("missed call of {user}"))?);
            Ok(())
        })?;
        Ok(missed)
    }

    /// Runs `work` in one transaction: all of it or nothing.
    fn transact<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, CommitError> {
        let failed = |doing| move |source| CommitError::Failed(StoreError::backend(doing, source));
        let begun = self.db.transaction_with_behavior(TransactionBehavior::Immediate);
        let tx = begun.map_err(failed("beginning a transaction"))?;
        let done = work(&tx).map_err(CommitError::Failed)?; // rolled back when dropped
        match tx.commit() {
            Ok(()) => Ok(done),
            Err(source) => Err(match source.sqlite_error_code() {
                // The commit's own frame in the log isn't whole, so no recovery will find it.
                Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::ConstraintViolation) => {
                    failed("committing")(source)
                }
                Some(ErrorCode::SystemIoFailure) => {
                    self.index = None;
                    CommitError::Unknown(StoreError::Disk { source: source.into() })
                }
                _ => {
                    self.index = None;
                    CommitError::Unknown(StoreError::backend("committing", source))
                }
            }),
        }
    }
}

impl Store for Sqlite {
    fn load(&mut self, keys: &[Key]) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        for key in keys {
            match key {
                Key::Call(id) => loaded.calls.push((*id, self.call(*id)?)),
                Key::Line(user) => loaded.lines.push(LoadedLine {
                    user: user.clone(),
                    line: self.line(user)?,
                    missed: self.missed(user)?,
                    running: self.index()?.of(user),
                }),
            }
        }
        Ok(loaded)
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), CommitError> {
        if writes.is_empty() {
            return Ok(());
        }
        self.transact(|tx| write(tx, writes))?;
        if let Some(index) = &mut self.index {
            writes.calls.iter().for_each(|call| index.put(call));
        }
        Ok(())
    }

    fn running(&mut self) -> Result<Vec<CallRecord>, StoreError> {
        let sql = "SELECT id, format, body FROM calls WHERE ended_at IS NULL ORDER BY id";
        let mut calls: Vec<CallRecord> = Vec::new();
        each(&self.db, "reading the running calls", sql, [], |row, value| {
            let id = InvitationId(u128::from_be_bytes(row.get("id").map_err(failed("reading an id"))?));
            calls.push(decode(&value, || format!("call {id}"))?);
            Ok(())
        })?;
        let mut index = RunningIndex::default();
        calls.iter().for_each(|call| index.put(call));
        self.index = Some(index);
        Ok(calls)
    }

    fn newest(&mut self) -> Result<Timestamp, StoreError> {
        // The call sent last, the running ones, and the end of history: their ends bound all others'.
        let sql = "SELECT id, format, body FROM calls WHERE ended_at IS NULL OR id = (SELECT max(id) FROM calls)";
        let mut newest = Timestamp(0);
        each(&self.db, "reading the newest calls", sql, [], |_, value| {
            newest = newest.max(newest_in(&decode(&value, || "newest call".to_owned())?));
            Ok(())
        })?;
        let sql = "SELECT ended_at FROM history ORDER BY row DESC LIMIT 1";
        let last = self.db.query_row(sql, [], |row| row.get::<_, i64>(0)).optional();
        let last = last.map_err(failed("reading the last history"))?;
        Ok(newest.max(Timestamp(last.map_or(0, i64::cast_unsigned))))
    }

    fn history(&mut self, user: &UserId, before: Option<u64>, limit: usize) -> Result<HistoryPage, StoreError> {
        let sql = "SELECT row, format, body FROM history WHERE user = ?1 AND row < ?2 ORDER BY row DESC LIMIT ?3";
        let before = i64::try_from(before.unwrap_or(u64::MAX)).unwrap_or(i64::MAX);
        let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut rows: Vec<(u64, HistoryRecord)> = Vec::new();
        each(&self.db, "reading history", sql, params![user.as_str(), before, more], |row, value| {
            let number = row.get::<_, i64>("row").map_err(failed("reading a row's number"))?.cast_unsigned();
            rows.push((number, decode(&value, || format!("history {number} of {user}"))?));
            Ok(())
        })?;
        let whole = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().map(|(row, _)| *row).filter(|_| !whole);
        Ok(HistoryPage { entries: rows.into_iter().map(|(_, entry)| entry).collect(), next })
    }

    fn forget(&mut self, before: Timestamp, limit: usize) -> Result<usize, CommitError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.transact(|tx| forget(tx, before, limit).map_err(failed("forgetting what is old")))
    }
}

/// Writes a batch's rows.
fn write(tx: &Transaction<'_>, writes: &Writes) -> Result<(), StoreError> {
    for call in &writes.calls {
        write_call(tx, call)?;
    }
    for line in &writes.lines {
        let user = &line.person.id;
        let body = encode(line, || format!("line {user}"))?;
        let known = "UPDATE lines SET format = ?2, body = ?3 WHERE user = ?1";
        if execute(tx, "writing a line", known, params![user.as_str(), FORMAT, body])? == 0 {
            let new = "INSERT INTO lines (user, format, body) VALUES (?1, ?2, ?3)";
            execute(tx, "writing a line", new, params![user.as_str(), FORMAT, body])?;
        }
    }
    for (user, call) in &writes.missed {
        let body = encode(call, || format!("missed call of {user}"))?;
        let sql = "INSERT INTO missed (user, invitation, turn, format, body) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT DO UPDATE SET format = excluded.format, body = excluded.body";
        let MissedId { invitation, turn } = call.id;
        execute(tx, "writing a missed call", sql, params![user.as_str(), bytes(invitation), turn, FORMAT, body])?;
    }
    for (user, MissedId { invitation, turn }) in &writes.handled {
        let sql = "DELETE FROM missed WHERE user = ?1 AND invitation = ?2 AND turn = ?3";
        execute(tx, "handling a missed call", sql, params![user.as_str(), bytes(*invitation), turn])?;
    }
    for entry in &writes.history {
        let user = &entry.user;
        let body = encode(entry, || format!("history of {user}"))?;
        let MissedId { invitation, turn } = entry.id;
        let sql =
            "INSERT INTO history (user, invitation, turn, ended_at, format, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![user.as_str(), bytes(invitation), turn, moment(entry.ended_at), FORMAT, body];
        execute(tx, "writing history", sql, values)?;
    }
    Ok(())
}

/// Writes a call: most run on and are known, and then no index is touched.
fn write_call(tx: &Transaction<'_>, call: &CallRecord) -> Result<(), StoreError> {
    let body = encode(call, || format!("call {}", call.id))?;
    if call.running() {
        let known = "UPDATE calls SET format = ?2, body = ?3 WHERE id = ?1 AND ended_at IS NULL";
        if execute(tx, "writing a call", known, params![bytes(call.id), FORMAT, body])? > 0 {
            return Ok(());
        }
    }
    let ended = call.ended.map(|(_, at)| moment(at));
    let any = "INSERT INTO calls (id, ended_at, format, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) \
               DO UPDATE SET ended_at = excluded.ended_at, format = excluded.format, body = excluded.body";
    execute(tx, "writing a call", any, params![bytes(call.id), ended, FORMAT, body])?;
    Ok(())
}

/// Deletes the oldest rows. A call's id holds the moment it was sent, so ended calls need no index by age: the oldest
/// come first, and none that was sent after `before` has ended before it. History is in order of age by its rows.
fn forget(tx: &Transaction<'_>, before: Timestamp, limit: i64) -> rusqlite::Result<usize> {
    let sent_before = bytes(InvitationId::v7(before.0, 0));
    let before = moment(before);
    let calls = "DELETE FROM calls WHERE rowid IN (SELECT rowid FROM calls \
                 WHERE id < ?1 AND ended_at < ?2 ORDER BY id LIMIT ?3)";
    let missed = "DELETE FROM missed WHERE (user, invitation, turn) IN (SELECT user, invitation, turn \
                  FROM (SELECT * FROM history ORDER BY row LIMIT ?2) WHERE ended_at < ?1)";
    let history = "DELETE FROM history WHERE row IN (SELECT row \
                   FROM (SELECT * FROM history ORDER BY row LIMIT ?2) WHERE ended_at < ?1)";
    let mut gone = tx.prepare_cached(calls)?.execute(params![sent_before, before, limit])?;
    tx.prepare_cached(missed)?.execute(params![before, limit])?;
    gone += tx.prepare_cached(history)?.execute(params![before, limit])?;
    Ok(gone)
}

/// A value's format and text.
type Value = (u32, String);

fn encode(record: &impl Stored, what: impl FnOnce() -> String) -> Result<String, StoreError> {
    record.encode().map_err(|source| StoreError::Value { what: what(), source })
}

fn decode<R: Stored>((format, body): &Value, what: impl FnOnce() -> String) -> Result<R, StoreError> {
    R::decode(*format, body).map_err(|source: FormatError| StoreError::Value { what: what(), source })
}

fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::backend(doing, source)
}

/// Runs a statement; gives how many rows it changed.
fn execute(
    tx: &Transaction<'_>,
    doing: &'static str,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    let run = || tx.prepare_cached(sql)?.execute(values);
    run().map_err(failed(doing))
}

/// Reads the value of one row.
fn one(
    db: &Connection,
    doing: &'static str,
    sql: &str,
    key: impl rusqlite::Params,
) -> Result<Option<Value>, StoreError> {
    let run = || db.prepare_cached(sql)?.query_row(key, |row| Ok((row.get("format")?, row.get("body")?))).optional();
    run().map_err(failed(doing))
}

/// Reads rows, each with its value.
fn each(
    db: &Connection,
    doing: &'static str,
    sql: &str,
    key: impl rusqlite::Params,
    mut take: impl FnMut(&rusqlite::Row<'_>, Value) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(sql).map_err(failed(doing))?;
    let mut rows = statement.query(key).map_err(failed(doing))?;
    while let Some(row) = rows.next().map_err(failed(doing))? {
        let value = || -> rusqlite::Result<Value> { Ok((row.get("format")?, row.get("body")?)) };
        let value = value().map_err(failed(doing))?;
        take(row, value)?;
    }
    Ok(())
}

/// An id as its column has it: in order of being sent.
fn bytes(id: InvitationId) -> [u8; 16] {
    id.0.to_be_bytes()
}

/// A moment as its column has it; SQLite's integers end at 2^63, some 292 million years from 1970.
fn moment(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_fails_the_commit_alone_and_then_goes_on() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut store = Sqlite::open(dir.path()).unwrap();
        let line = |revision, name: &str| {
            let mut line = LineRecord { revision, ..LineRecord::new(UserId::new("bob").unwrap()) };
            line.person.name = name.into();
            Writes { lines: vec![line], ..Writes::default() }
        };
        let revision = |store: &mut Sqlite| {
            let loaded = store.load(&[Key::Line(UserId::new("bob").unwrap())]).unwrap();
            loaded.lines[0].line.as_ref().map(|line| line.revision)
        };
        store.commit(&line(1, "Bob")).unwrap();
        let limit = |store: &Sqlite, pages| {
            store.db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0)).unwrap()
        };
        let most = limit(&store, 20);
        assert_eq!(most, 20);
        let large = line(2, &"x".repeat(1 << 20));
        assert!(matches!(store.commit(&large), Err(CommitError::Failed(StoreError::Backend { .. }))));
        assert_eq!(revision(&mut store), Some(1));
        store.commit(&line(3, "Bob")).unwrap();
        limit(&store, i64::from(u32::MAX - 1));
        store.commit(&large).unwrap();
        assert_eq!(revision(&mut store), Some(2));
    }
}
