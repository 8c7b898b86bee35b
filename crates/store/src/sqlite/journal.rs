//! The journal: a row a commit, until it is folded into the tables.

use super::failed;
use crate::StoreError;
use crate::format::journal::{JOURNAL, pack, unpack};
use crate::pending::Pending;
use ringback_core::step::Writes;
use rusqlite::{Connection, Transaction, params};

/// Appends a commit's body.
pub(super) fn append(tx: &Transaction<'_>, body: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO journal (format, body) VALUES (?1, ?2)";
    let run = || tx.prepare_cached(sql)?.execute(params![JOURNAL, body]);
    run().map_err(failed("writing the journal")).map(|_| ())
}

/// Leaves in it what is left, and nothing else.
pub(super) fn replace(tx: &Transaction<'_>, left: &Writes) -> Result<(), StoreError> {
    let run = || tx.prepare_cached("DELETE FROM journal")?.execute([]);
    run().map_err(failed("emptying the journal"))?;
    if left.is_empty() { Ok(()) } else { append(tx, &pack(left)) }
}

/// Reads all of it, the newest version of each record.
pub(super) fn read(db: &Connection) -> Result<Pending, StoreError> {
    let doing = "reading the journal";
    let mut pending = Pending::default();
    let mut statement =
        db.prepare_cached("SELECT seq, format, body FROM journal ORDER BY seq").map_err(failed(doing))?;
    let mut rows = statement.query([]).map_err(failed(doing))?;
    while let Some(row) = rows.next().map_err(failed(doing))? {
        let values = || Ok((row.get::<_, i64>("seq")?, row.get("format")?, row.get_ref("body")?.as_blob()?));
        let (seq, format, body) = values().map_err(failed(doing))?;
        let value = |source| StoreError::Value { what: format!("row {seq} of the journal"), source };
        pending.put(unpack(format, body).map_err(value)?, body.len());
    }
    Ok(pending)
}
