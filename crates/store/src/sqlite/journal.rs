//! The journal: a row a commit, until everything in it is folded into the tables.

use super::{failed, rows};
use crate::StoreError;
use crate::format::journal::{JOURNAL, Unpacked, unpack};
use crate::pending::{Numbers, Pending};
use rusqlite::{Connection, Transaction, params};

/// Appends a commit's body.
pub(super) fn append(tx: &Transaction<'_>, seq: u64, body: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO journal (seq, format, body) VALUES (?1, ?2, ?3)";
    let run = || tx.prepare_cached(sql)?.execute(params![seq.cast_signed(), JOURNAL, body]);
    run().map_err(failed("writing the journal")).map(|_| ())
}

/// Deletes the rows before `first`, or all.
pub(super) fn cut(tx: &Transaction<'_>, first: Option<u64>) -> Result<(), StoreError> {
    let run = || match first {
        Some(first) => tx.prepare_cached("DELETE FROM journal WHERE seq < ?1")?.execute([first.cast_signed()]),
        None => tx.prepare_cached("DELETE FROM journal")?.execute([]),
    };
    run().map_err(failed("cutting the journal")).map(|_| ())
}

/// Reads what waits: all of the journal, the newest version of each record, and what history's index is behind by.
pub(super) fn read(db: &Connection) -> Result<Pending, StoreError> {
    let doing = "reading the journal";
    let mut pending = rows::behind(db)?;
    let mut statement =
        db.prepare_cached("SELECT seq, format, body FROM journal ORDER BY seq").map_err(failed(doing))?;
    let mut rows = statement.query([]).map_err(failed(doing))?;
    while let Some(row) = rows.next().map_err(failed(doing))? {
        let values = || Ok((row.get::<_, i64>("seq")?, row.get("format")?, row.get_ref("body")?.as_blob()?));
        let (seq, format, body) = values().map_err(failed(doing))?;
        let value = |source| StoreError::Value { what: format!("row {seq} of the journal"), source };
        let Unpacked { calls, writes, row } = unpack(format, body).map_err(value)?;
        let numbers = Numbers { seq: seq.cast_unsigned(), row };
        pending.put(writes, numbers, body.len());
        pending.records.put_found(calls, numbers.seq);
    }
    Ok(pending)
}
