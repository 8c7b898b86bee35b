//! What goes wrong with a store, one enum an operation, with what to do about it.

use crate::format::FormatError;
use std::error::Error;
use std::io;
use std::path::PathBuf;

/// What a backend says went wrong.
type Source = Box<dyn Error + Send + Sync>;

/// Why a data directory can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder can't be made, read or locked.
    #[error("the data folder {} can't be used", dir.display())]
    Folder {
        /// The data directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the data directory.
    #[error("another ringback uses {}; stop it, or give --data another folder", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// The file is no database of Ringback's.
    #[error("{} is not Ringback's; give --data another folder", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The tables are those of a newer version.
    #[error(
        "{} has tables of version {found}, and ringback {} reads version {}; it was last written by ringback \
         {written_by}: use that version or a newer one",
        file.display(), env!("CARGO_PKG_VERSION"), crate::sqlite::SCHEMA
    )]
    Schema {
        /// The file.
        file: PathBuf,
        /// Its version of the tables.
        found: i64,
        /// The newest version of Ringback that wrote it.
        written_by: String,
    },
    /// What a process that died left in the journal can't be brought into the tables: it is a newer version's, or
    /// damaged. Nothing was changed.
    #[error("the journal in {} can't be used; nothing was changed", file.display())]
    Journal {
        /// The file.
        file: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// What a process that died left in the journal can't be brought into the tables, since what the file holds can't
    /// be believed: the disk confirmed no write, or SQLite found the file damaged. It stays in the journal.
    #[error("the journal in {} can't be brought into the tables", file.display())]
    Fold {
        /// The file.
        file: PathBuf,
        /// Why.
        source: CommitError,
    },
    /// SQLite can't open the file, or can't keep it as durably as asked.
    #[error("the database {} can't be opened ({doing})", file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file system can't hold a write-ahead log (a network file system, say).
    #[error("{} is on a file system without write-ahead logging (SQLite chose '{mode}'); use a local disk", file.display())]
    NoWal {
        /// The file.
        file: PathBuf,
        /// The journal mode that SQLite fell back to.
        mode: String,
    },
}

/// Why a store could not read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The backend refused or failed.
    #[error("the store failed {doing}")]
    Backend {
        /// What was being done: "reading calls".
        doing: &'static str,
        /// What it said.
        source: Source,
    },
    /// The disk didn't confirm that it has what it was given. What its cache says from now on can't be believed: the
    /// process has to end, and to start again from what the disk really holds (G3).
    #[error("the disk did not confirm a write; restart from what it holds")]
    Disk {
        /// What it said.
        source: Source,
    },
    /// A stored value can't be read or made.
    #[error("the stored {what} can't be used")]
    Value {
        /// Which: "call 0190…".
        what: String,
        /// Why.
        source: FormatError,
    },
}

impl StoreError {
    /// A failure of the backend while `doing` something ("reading calls").
    pub fn backend(doing: &'static str, source: impl Into<Source>) -> Self {
        Self::Backend { doing, source: source.into() }
    }
}

/// Why a commit failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was written.
    #[error("nothing was written")]
    Failed(#[source] StoreError),
    /// It may or may not have been written: load and decide again, or, with [`StoreError::Disk`], end the process.
    #[error("it may or may not have been written")]
    Unknown(#[source] StoreError),
}
