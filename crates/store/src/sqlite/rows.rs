//! The tables: a row a record, as JSON, written in bulk and read one by one.

use super::failed;
use crate::format::{FORMAT, FormatError, Stored};
use crate::pending::Pending;
use crate::records::Records;
use crate::{StoreError, newest_in};
use ringback_core::call::CallRecord;
use ringback_core::id::{InvitationId, MissedId, UserId};
use ringback_core::limits::REQUESTS;
use ringback_core::line::{HistoryRecord, LineRecord, MissedCall, Remembered};
use ringback_core::time::Timestamp;
use rusqlite::types::FromSqlError;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Transaction, params};

/// The name in `meta` of the first row of history that the index by user may not have.
const UNINDEXED: &str = "history_unindexed";

/// Writes what a fold takes.
pub(super) fn write(tx: &Transaction<'_>, records: &Records) -> Result<(), StoreError> {
    write_calls(tx, records)?;
    write_lines(tx, records)?;
    write_requests(tx, records)?;
    write_missed(tx, records)?;
    write_history(tx, records)?;
    write_index(tx, records)
}

/// Writes calls; those that run on are mostly known, and then no index is touched.
fn write_calls(tx: &Transaction<'_>, records: &Records) -> Result<(), StoreError> {
    let doing = "writing calls";
    let mut known =
        Statement::new(tx, doing, "UPDATE calls SET format = ?2, body = ?3 WHERE id = ?1 AND ended_at IS NULL")?;
    let mut any = Statement::new(
        tx,
        doing,
        "INSERT INTO calls (id, ended_at, format, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) \
         DO UPDATE SET ended_at = excluded.ended_at, format = excluded.format, body = excluded.body",
    )?;
    for call in records.calls() {
        let (id, body) = (bytes(call.id), encode(call, || format!("call {}", call.id))?);
        if call.running() && known.run(params![id, FORMAT, body])? > 0 {
            continue;
        }
        any.run(params![id, call.ended.map(|(_, at)| moment(at)), FORMAT, body])?;
    }
    Ok(())
}

fn write_lines(tx: &Transaction<'_>, records: &Records) -> Result<(), StoreError> {
    let doing = "writing lines";
    let mut known = Statement::new(tx, doing, "UPDATE lines SET format = ?2, body = ?3 WHERE user = ?1")?;
    let mut new = Statement::new(tx, doing, "INSERT INTO lines (user, format, body) VALUES (?1, ?2, ?3)")?;
    for line in records.lines() {
        let user = &line.person.id;
        let body = encode(line, || format!("line {user}"))?;
        if known.run(params![user.as_str(), FORMAT, body])? == 0 {
            new.run(params![user.as_str(), FORMAT, body])?;
        }
    }
    Ok(())
}

/// Writes requests, each over the one that is 32 older.
fn write_requests(tx: &Transaction<'_>, records: &Records) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO requests (user, slot, format, body) VALUES (?1, ?2, ?3, ?4)";
    let mut write = Statement::new(tx, "writing requests", sql)?;
    for (user, made) in records.all_requests() {
        let body = encode(made, || format!("request of {user}"))?;
        write.run(params![user.as_str(), (made.no % REQUESTS).cast_signed(), FORMAT, body])?;
    }
    Ok(())
}

fn write_missed(tx: &Transaction<'_>, records: &Records) -> Result<(), StoreError> {
    let doing = "writing missed calls";
    let sql = "INSERT INTO missed (user, invitation, turn, format, body) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT DO UPDATE SET format = excluded.format, body = excluded.body";
    let mut write = Statement::new(tx, doing, sql)?;
    let sql = "DELETE FROM missed WHERE user = ?1 AND invitation = ?2 AND turn = ?3";
    let mut delete = Statement::new(tx, doing, sql)?;
    for (user, MissedId { invitation, turn }, call) in records.all_missed() {
        if let Some(call) = call {
            let body = encode(call, || format!("missed call of {user}"))?;
            write.run(params![user.as_str(), bytes(invitation), turn, FORMAT, body])?;
        } else {
            delete.run(params![user.as_str(), bytes(invitation), turn])?;
        }
    }
    Ok(())
}

/// Writes lines of history as the rows they were given, which may have been written before.
fn write_history(tx: &Transaction<'_>, records: &Records) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO history (row, user, invitation, turn, ended_at, format, body) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut write = Statement::new(tx, "writing history", sql)?;
    for (row, entry) in records.history() {
        let HistoryRecord { user, id: MissedId { invitation, turn }, ended_at, .. } = entry;
        let body = encode(entry, || format!("history of {user}"))?;
        let (row, ended_at) = (row.cast_signed(), moment(*ended_at));
        write.run(params![row, user.as_str(), bytes(*invitation), turn, ended_at, FORMAT, body])?;
    }
    Ok(())
}

/// Writes the index of history by user, as far as it is to follow; it may have some of it already.
fn write_index(tx: &Transaction<'_>, records: &Records) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO history_by_user (user, row) VALUES (?1, ?2)";
    let mut write = Statement::new(tx, "writing the index of history", sql)?;
    for (user, row) in records.unindexed() {
        write.run(params![user.as_str(), row.cast_signed()])?;
    }
    Ok(())
}

/// Notes the first row of history that the index by user may not have.
pub(super) fn note(tx: &Transaction<'_>, first: Option<u64>) -> Result<(), StoreError> {
    let run = || match first {
        Some(first) => tx
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute(params![UNINDEXED, first.to_string()]),
        None => tx.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([UNINDEXED]),
    };
    run().map_err(failed("noting how far history is indexed")).map(|_| ())
}

/// Reads how far history goes, and the rows that its index by user may not have.
pub(super) fn behind(db: &Connection) -> Result<Pending, StoreError> {
    let run = || -> rusqlite::Result<Pending> {
        let last = db.query_row("SELECT coalesce(max(row), 0) FROM history", [], |row| row.get::<_, i64>(0))?;
        let sql = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = ?1";
        let noted = db.query_row(sql, [UNINDEXED], |row| row.get::<_, i64>(0)).optional()?;
        let mut rows = db.prepare_cached("SELECT user, row FROM history WHERE row >= ?1 ORDER BY row")?;
        let rows = rows.query_map([noted.unwrap_or(i64::MAX)], |row| {
            let user: String = row.get("user")?;
            let user = UserId::new(&user).map_err(FromSqlError::other)?;
            Ok((user, row.get::<_, i64>("row")?.cast_unsigned()))
        })?;
        let unindexed = rows.collect::<Result<_, _>>()?;
        Ok(Pending::behind(last.cast_unsigned(), noted.map(i64::cast_unsigned), unindexed))
    };
    run().map_err(failed("reading how far history is indexed"))
}

/// Reads a call.
pub(super) fn call(db: &Connection, id: InvitationId) -> Result<Option<CallRecord>, StoreError> {
    let sql = "SELECT format, body FROM calls WHERE id = ?1";
    let row = one(db, "reading a call", sql, [bytes(id)])?;
    row.map(|row| decode(&row, || format!("call {id}"))).transpose()
}

/// Reads a line.
pub(super) fn line(db: &Connection, user: &UserId) -> Result<Option<LineRecord>, StoreError> {
    let sql = "SELECT format, body FROM lines WHERE user = ?1";
    let row = one(db, "reading a line", sql, [user.as_str()])?;
    row.map(|row| decode(&row, || format!("line {user}"))).transpose()
}

/// Reads a user's missed calls, by invitation and turn.
pub(super) fn missed(db: &Connection, user: &UserId) -> Result<Vec<MissedCall>, StoreError> {
    let sql = "SELECT format, body FROM missed WHERE user = ?1 ORDER BY invitation, turn";
    let mut missed = Vec::new();
    each(db, "reading missed calls", sql, [user.as_str()], |_, value| {
        missed.push(decode(&value, || format!("missed call of {user}"))?);
        Ok(())
    })?;
    Ok(missed)
}

/// Reads a user's requests, by slot.
pub(super) fn requests(db: &Connection, user: &UserId) -> Result<Vec<Remembered>, StoreError> {
    let sql = "SELECT format, body FROM requests WHERE user = ?1";
    let mut requests = Vec::new();
    each(db, "reading requests", sql, [user.as_str()], |_, value| {
        requests.push(decode(&value, || format!("request of {user}"))?);
        Ok(())
    })?;
    Ok(requests)
}

/// Reads the running calls, the earlier sent first.
pub(super) fn running(db: &Connection) -> Result<Vec<CallRecord>, StoreError> {
    let sql = "SELECT id, format, body FROM calls WHERE ended_at IS NULL ORDER BY id";
    let mut calls = Vec::new();
    each(db, "reading the running calls", sql, [], |row, value| {
        let id = InvitationId(u128::from_be_bytes(row.get("id").map_err(failed("reading an id"))?));
        calls.push(decode(&value, || format!("call {id}"))?);
        Ok(())
    })?;
    Ok(calls)
}

/// Reads the newest moment at which something happened.
pub(super) fn newest(db: &Connection) -> Result<Timestamp, StoreError> {
    // The call sent last, the running ones, and the end of history: their ends bound all others'.
    let sql = "SELECT id, format, body FROM calls WHERE ended_at IS NULL OR id = (SELECT max(id) FROM calls)";
    let mut newest = Timestamp(0);
    each(db, "reading the newest calls", sql, [], |_, value| {
        newest = newest.max(newest_in(&decode(&value, || "newest call".to_owned())?));
        Ok(())
    })?;
    let sql = "SELECT ended_at FROM history ORDER BY row DESC LIMIT 1";
    let last = db.query_row(sql, [], |row| row.get::<_, i64>(0)).optional();
    let last = last.map_err(failed("reading the last history"))?;
    Ok(newest.max(Timestamp(last.map_or(0, i64::cast_unsigned))))
}

/// Reads the numbers of a user's rows of history that the index has: at most `limit` before a row, the newest first.
pub(super) fn indexed(db: &Connection, user: &UserId, before: i64, limit: usize) -> Result<Vec<u64>, StoreError> {
    let run = || -> rusqlite::Result<Vec<u64>> {
        let sql = "SELECT row FROM history_by_user WHERE user = ?1 AND row < ?2 ORDER BY row DESC LIMIT ?3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = db.prepare_cached(sql)?;
        let rows = rows.query_map(params![user.as_str(), before, limit], |row| row.get::<_, i64>("row"))?;
        rows.map(|row| row.map(i64::cast_unsigned)).collect()
    };
    run().map_err(failed("reading the index of history"))
}

/// Reads a row of history.
pub(super) fn entry(db: &Connection, row: u64) -> Result<HistoryRecord, StoreError> {
    let doing = "reading history";
    let value = one(db, doing, "SELECT format, body FROM history WHERE row = ?1", [row.cast_signed()])?;
    let value = value.ok_or_else(|| failed(doing)(rusqlite::Error::QueryReturnedNoRows))?;
    decode(&value, || format!("history {row}"))
}

/// Deletes the oldest rows. A call's id holds the moment it was sent, so ended calls need no index by age: the oldest
/// come first, and none that was sent after `before` has ended before it. History is in order of age by its rows.
pub(super) fn forget(tx: &Transaction<'_>, before: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let sent_before = bytes(InvitationId::v7(before.0, 0));
    let before = moment(before);
    let calls = "DELETE FROM calls WHERE id IN (SELECT id FROM calls \
                 WHERE id < ?1 AND ended_at < ?2 ORDER BY id LIMIT ?3)";
    let missed = "DELETE FROM missed WHERE (user, invitation, turn) IN (SELECT user, invitation, turn \
                  FROM (SELECT * FROM history ORDER BY row LIMIT ?2) WHERE ended_at < ?1)";
    let index = "DELETE FROM history_by_user WHERE (user, row) IN (SELECT user, row \
                 FROM (SELECT * FROM history ORDER BY row LIMIT ?2) WHERE ended_at < ?1)";
    let history = "DELETE FROM history WHERE row IN (SELECT row \
                   FROM (SELECT * FROM history ORDER BY row LIMIT ?2) WHERE ended_at < ?1)";
    let run = || -> rusqlite::Result<usize> {
        let mut gone = tx.prepare_cached(calls)?.execute(params![sent_before, before, limit])?;
        tx.prepare_cached(missed)?.execute(params![before, limit])?;
        tx.prepare_cached(index)?.execute(params![before, limit])?;
        gone += tx.prepare_cached(history)?.execute(params![before, limit])?;
        Ok(gone)
    };
    run().map_err(failed("forgetting what is old"))
}

/// A value's format and text.
type Value = (u32, String);

fn encode(record: &impl Stored, what: impl FnOnce() -> String) -> Result<String, StoreError> {
    record.encode().map_err(|source| StoreError::Value { what: what(), source })
}

fn decode<R: Stored>((format, body): &Value, what: impl FnOnce() -> String) -> Result<R, StoreError> {
    R::decode(*format, body).map_err(|source: FormatError| StoreError::Value { what: what(), source })
}

/// A statement that runs many times.
struct Statement<'a> {
    statement: CachedStatement<'a>,
    doing: &'static str,
}

impl<'a> Statement<'a> {
    fn new(tx: &'a Transaction<'_>, doing: &'static str, sql: &str) -> Result<Self, StoreError> {
        Ok(Self { statement: tx.prepare_cached(sql).map_err(failed(doing))?, doing })
    }

    /// Runs it; gives how many rows it changed.
    fn run(&mut self, values: impl Params) -> Result<usize, StoreError> {
        self.statement.execute(values).map_err(failed(self.doing))
    }
}

/// Reads the value of one row.
fn one(db: &Connection, doing: &'static str, sql: &str, key: impl Params) -> Result<Option<Value>, StoreError> {
    let run = || db.prepare_cached(sql)?.query_row(key, |row| Ok((row.get("format")?, row.get("body")?))).optional();
    run().map_err(failed(doing))
}

/// Reads rows, each with its value.
fn each(
    db: &Connection,
    doing: &'static str,
    sql: &str,
    key: impl Params,
    mut take: impl FnMut(&Row<'_>, Value) -> Result<(), StoreError>,
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
