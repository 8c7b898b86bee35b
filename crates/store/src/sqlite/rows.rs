//! The tables: a row a record, as JSON, written in bulk and read one by one.

use super::failed;
use crate::format::{FORMAT, FormatError, Stored};
use crate::pending::Pending;
use crate::{HistoryPage, StoreError, newest_in};
use ringback_core::call::{Call, CallRecord};
use ringback_core::id::{InvitationId, MissedId, UserId};
use ringback_core::limits::REQUESTS;
use ringback_core::line::{HistoryRecord, LineRecord, MissedCall, Remembered};
use ringback_core::time::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Transaction, params};

/// Writes everything that waits.
pub(super) fn write(tx: &Transaction<'_>, pending: &Pending) -> Result<(), StoreError> {
    write_calls(tx, pending)?;
    write_lines(tx, pending)?;
    write_requests(tx, pending)?;
    write_missed(tx, pending)?;
    write_history(tx, pending)
}

/// Writes calls; those that run on are mostly known, and then no index is touched.
fn write_calls(tx: &Transaction<'_>, pending: &Pending) -> Result<(), StoreError> {
    let doing = "writing calls";
    let mut known =
        Statement::new(tx, doing, "UPDATE calls SET format = ?2, body = ?3 WHERE id = ?1 AND ended_at IS NULL")?;
    let mut any = Statement::new(
        tx,
        doing,
        "INSERT INTO calls (id, ended_at, format, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) \
         DO UPDATE SET ended_at = excluded.ended_at, format = excluded.format, body = excluded.body",
    )?;
    for call in pending.calls().map(Call::record) {
        let (id, body) = (bytes(call.id), encode(call, || format!("call {}", call.id))?);
        if call.running() && known.run(params![id, FORMAT, body])? > 0 {
            continue;
        }
        any.run(params![id, call.ended.map(|(_, at)| moment(at)), FORMAT, body])?;
    }
    Ok(())
}

fn write_lines(tx: &Transaction<'_>, pending: &Pending) -> Result<(), StoreError> {
    let doing = "writing lines";
    let mut known = Statement::new(tx, doing, "UPDATE lines SET format = ?2, body = ?3 WHERE user = ?1")?;
    let mut new = Statement::new(tx, doing, "INSERT INTO lines (user, format, body) VALUES (?1, ?2, ?3)")?;
    for line in pending.lines() {
        let user = &line.person.id;
        let body = encode(line, || format!("line {user}"))?;
        if known.run(params![user.as_str(), FORMAT, body])? == 0 {
            new.run(params![user.as_str(), FORMAT, body])?;
        }
    }
    Ok(())
}

/// Writes requests, each over the one that is 32 older.
fn write_requests(tx: &Transaction<'_>, pending: &Pending) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO requests (user, slot, format, body) VALUES (?1, ?2, ?3, ?4)";
    let mut write = Statement::new(tx, "writing requests", sql)?;
    for (user, made) in pending.all_requests() {
        let body = encode(made, || format!("request of {user}"))?;
        write.run(params![user.as_str(), (made.no % REQUESTS).cast_signed(), FORMAT, body])?;
    }
    Ok(())
}

fn write_missed(tx: &Transaction<'_>, pending: &Pending) -> Result<(), StoreError> {
    let doing = "writing missed calls";
    let sql = "INSERT INTO missed (user, invitation, turn, format, body) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT DO UPDATE SET format = excluded.format, body = excluded.body";
    let mut write = Statement::new(tx, doing, sql)?;
    let sql = "DELETE FROM missed WHERE user = ?1 AND invitation = ?2 AND turn = ?3";
    let mut delete = Statement::new(tx, doing, sql)?;
    for (user, MissedId { invitation, turn }, call) in pending.all_missed() {
        if let Some(call) = call {
            let body = encode(call, || format!("missed call of {user}"))?;
            write.run(params![user.as_str(), bytes(invitation), turn, FORMAT, body])?;
        } else {
            delete.run(params![user.as_str(), bytes(invitation), turn])?;
        }
    }
    Ok(())
}

fn write_history(tx: &Transaction<'_>, pending: &Pending) -> Result<(), StoreError> {
    let sql = "INSERT INTO history (user, invitation, turn, ended_at, format, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut write = Statement::new(tx, "writing history", sql)?;
    for entry in pending.history() {
        let HistoryRecord { user, id: MissedId { invitation, turn }, ended_at, .. } = entry;
        let body = encode(entry, || format!("history of {user}"))?;
        write.run(params![user.as_str(), bytes(*invitation), turn, moment(*ended_at), FORMAT, body])?;
    }
    Ok(())
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

/// Reads a page of a user's history.
pub(super) fn history(
    db: &Connection,
    user: &UserId,
    before: Option<u64>,
    limit: usize,
) -> Result<HistoryPage, StoreError> {
    let sql = "SELECT row, format, body FROM history WHERE user = ?1 AND row < ?2 ORDER BY row DESC LIMIT ?3";
    let before = i64::try_from(before.unwrap_or(u64::MAX)).unwrap_or(i64::MAX);
    let more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows: Vec<(u64, HistoryRecord)> = Vec::new();
    each(db, "reading history", sql, params![user.as_str(), before, more], |row, value| {
        let number = row.get::<_, i64>("row").map_err(failed("reading a row's number"))?.cast_unsigned();
        rows.push((number, decode(&value, || format!("history {number} of {user}"))?));
        Ok(())
    })?;
    let whole = rows.len() <= limit;
    rows.truncate(limit);
    let next = rows.last().map(|(row, _)| *row).filter(|_| !whole);
    Ok(HistoryPage { entries: rows.into_iter().map(|(_, entry)| entry).collect(), next })
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
    let history = "DELETE FROM history WHERE row IN (SELECT row \
                   FROM (SELECT * FROM history ORDER BY row LIMIT ?2) WHERE ended_at < ?1)";
    let run = || -> rusqlite::Result<usize> {
        let mut gone = tx.prepare_cached(calls)?.execute(params![sent_before, before, limit])?;
        tx.prepare_cached(missed)?.execute(params![before, limit])?;
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
