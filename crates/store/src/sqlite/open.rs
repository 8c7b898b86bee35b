//! Opening a data directory: the lock, the file, the settings, the tables.

use super::journal;
use crate::OpenError;
use crate::pending::Pending;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the tables that is written and read.
pub(crate) const SCHEMA: i64 = 1;
const TABLES: &str = include_str!("schema.sql");
/// Says in the file's header whose it is: "RngB".
const APPLICATION: i64 = 0x526e_6742;
const FILE: &str = "ringback.db";
const LOCK: &str = "ringback.lock";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An opened database. While the lock lives, no other process opens the same directory.
pub(super) struct Opened {
    pub(super) db: Connection,
    pub(super) lock: Lock,
    pub(super) file: PathBuf,
    /// What the journal holds.
    pub(super) pending: Pending,
}

/// The data directory's lock. The system frees it with the process, however it ends.
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Frees it at once: closing alone would leave it to a child that was just forked and hasn't closed its copy yet.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

pub(super) fn open(dir: &Path) -> Result<Opened, OpenError> {
    let lock = lock(dir)?;
    let file = dir.join(FILE);
    let failed = |doing| {
        let file = file.clone();
        move |source| OpenError::Database { file, doing, source }
    };
    let mut db = Connection::open(&file).map_err(failed("opening"))?;
    let new = check(&db, &file)? == Found::Nothing;
    set(&db, &file)?;
    // Before anything is changed: it may be a newer version's.
    let pending = if new { Ok(Pending::default()) } else { journal::read(&db) };
    let pending = pending.map_err(|source| OpenError::Journal { file: file.clone(), source })?;
    create(&mut db).map_err(failed("making the tables"))?;
    Ok(Opened { db, lock, file, pending })
}

/// Makes the directory, for this user alone, and takes its lock.
fn lock(dir: &Path) -> Result<Lock, OpenError> {
    let folder = |source| OpenError::Folder { dir: dir.to_owned(), source };
    make(dir).map_err(folder)?;
    let lock = File::options().create(true).truncate(false).write(true).open(dir.join(LOCK)).map_err(folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(Lock(lock)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(folder(source)),
    }
}

fn make(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    // The directory's own entry has to survive a power cut as well; a folder can be opened for that on Unix alone.
    #[cfg(unix)]
    if let Some(parent) = dir.canonicalize()?.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Nothing: it is new.
    Nothing,
    /// Tables of ours.
    Tables,
}

/// Refuses a file of somebody else's, and one with newer tables, before anything is changed in it.
fn check(db: &Connection, file: &Path) -> Result<Found, OpenError> {
    let file = || PathBuf::from(file);
    let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let read = || -> rusqlite::Result<_> {
        Ok((number("application_id")?, number("user_version")?, number("schema_version")?))
    };
    let (application, version, changes) = read().map_err(|source| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign { file: file() },
        _ => OpenError::Database { file: file(), doing: "reading its version", source },
    })?;
    if (application, version, changes) == (0, 0, 0) {
        return Ok(Found::Nothing);
    }
    if application != APPLICATION {
        return Err(OpenError::Foreign { file: file() });
    }
    if version > SCHEMA {
        let written_by = written_by(db).ok().flatten().unwrap_or_else(|| "a newer version".to_owned());
        return Err(OpenError::Schema { file: file(), found: version, written_by });
    }
    Ok(Found::Tables)
}

/// Settings of the connection; the page size holds from the file's first page on.
fn set(db: &Connection, file: &Path) -> Result<(), OpenError> {
    let apply = || -> rusqlite::Result<String> {
        db.busy_timeout(Duration::from_secs(2))?; // somebody's sqlite3 shell may be writing
        db.set_prepared_statement_cache_capacity(32);
        db.pragma_update(None, "page_size", 8192)?;
        let mode = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "journal_size_limit", 64 << 20)?;
        // A page that many batches change goes into the file once: 16 MB of log at a time, where the usual is 8. More
        // would spare little, and the batch that folds it in takes as long as it is.
        db.pragma_update(None, "wal_autocheckpoint", 2048)?;
        // In KiB when negative; what a busy server changes again and again should never have to be read again.
        db.pragma_update(None, "cache_size", -16 * 1024)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        db.pragma_update(None, "trusted_schema", false)?;
        Ok(mode)
    };
    let mode =
        apply().map_err(|source| OpenError::Database { file: file.to_owned(), doing: "setting it up", source })?;
    if mode == "wal" { Ok(()) } else { Err(OpenError::NoWal { file: file.to_owned(), mode }) }
}

/// Makes the tables of a new file in one transaction, and notes who writes it from now on.
fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if tx.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? == 0 {
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", SCHEMA)?;
    }
    if written_by(&tx)?.is_none_or(|version| newer(VERSION, &version)) {
        tx.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('written_by', ?1)", [VERSION])?;
    }
    tx.commit()
}

fn written_by(db: &Connection) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE name = 'written_by'", [], |row| row.get(0)).optional()
}

/// Whether version `a` is newer than `b`, by their numbers.
fn newer(a: &str, b: &str) -> bool {
    let numbers =
        |version: &str| -> Vec<u64> { version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect() };
    numbers(a) > numbers(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(newer("0.10.0", "0.9.3"));
        assert!(!newer("0.9.3", "0.10.0"));
        assert!(!newer("1.0.0", "1.0.0"));
    }
}
