//! SQLite passes the suite; its directory, its refusals, its settings.

use crate::conformance::{Backend, conformance, odd_user};
use crate::killed::{batch, last_whole};
use crate::records::{call, id, kept, line, missed, request, user};
use ringback_core::call::{Call, CallRecord};
use ringback_core::line::LineRecord;
use ringback_core::step::{Key, Writes};
use ringback_store::format::journal::{JOURNAL, unpack};
use ringback_store::{CommitError, OpenError, Sqlite, Store};
use rusqlite::Connection;
use std::error::Error;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::TempDir;

pub(crate) struct InFile {
    pub(crate) dir: TempDir,
    pub(crate) store: Option<Sqlite>,
}

impl InFile {
    pub(crate) fn fresh() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Some(Sqlite::open(dir.path()).unwrap());
        Self { dir, store }
    }

    /// Somebody else's connection to the same file.
    pub(crate) fn beside(&self) -> Connection {
        beside(self.dir.path())
    }

    pub(crate) fn store(&mut self) -> &mut Sqlite {
        self.store.as_mut().unwrap()
    }

    pub(crate) fn break_table(&self, table: &str, broken: bool) -> bool {
        break_table(self.dir.path(), table, broken);
        true
    }

    pub(crate) fn commit(&mut self, writes: Writes) {
        self.store().commit(writes).unwrap();
    }

    /// From now on folds under load whenever so many records have gathered.
    pub(crate) fn folding_at(&mut self, records: usize) {
        let store = self.store.take().unwrap();
        self.store = Some(store.folding_at(records));
    }

    /// Brings everything into the tables, so that they can be looked at, or changed, past the store.
    pub(crate) fn fold(&mut self) {
        assert!(!self.store().tidy(true).unwrap());
    }

    pub(crate) fn count(&self, table: &str) -> i64 {
        count(self.dir.path(), table)
    }
}

/// Makes every new row of a table fail, or mends that.
pub(crate) fn break_table(dir: &Path, table: &str, broken: bool) {
    let sql = if broken {
        format!("CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT raise(ABORT, 'broken'); END")
    } else {
        "DROP TRIGGER broken".to_owned()
    };
    beside(dir).execute_batch(&sql).unwrap();
}

/// How many rows a table of a folder has, as the `sqlite3` shell would see it.
pub(crate) fn count(dir: &Path, table: &str) -> i64 {
    beside(dir).query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

pub(crate) fn beside(dir: &Path) -> Connection {
    Connection::open(dir.join("ringback.db")).unwrap()
}

impl Backend for InFile {
    fn store(&mut self) -> &mut dyn Store {
        self.store()
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Sqlite::open(self.dir.path()).unwrap());
    }

    fn break_commits(&mut self, broken: bool) -> bool {
        self.break_table("journal", broken)
    }

    fn break_tidying(&mut self, broken: bool) -> bool {
        self.break_table("history", broken)
    }
}

/// An error with all its causes, as an operator is shown it.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

conformance!(InFile::fresh());

#[test]
fn a_second_opener_is_kept_out_and_told_what_to_do() {
    let on = InFile::fresh();
    let error = Sqlite::open(on.dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }));
    let dir = on.dir.path().display();
    assert_eq!(told(&error), format!("another ringback uses {dir}; stop it, or give --data another folder"));
    let InFile { dir, store } = on;
    drop(store);
    Sqlite::open(dir.path()).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = Sqlite::open(&dir.path().join("file/data")).unwrap_err();
    assert!(matches!(error, OpenError::Folder { .. }));
    assert!(told(&error).contains("file/data can't be used: "), "{}", told(&error));
}

#[cfg(unix)]
#[test]
fn a_new_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    Sqlite::open(&dir.path().join("a/b")).unwrap();
    assert_eq!(dir.path().join("a/b").metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn somebody_elses_file_is_left_alone() {
    let dir = TempDir::new().unwrap();
    beside(dir.path()).execute_batch("CREATE TABLE notes (text)").unwrap();
    assert!(matches!(Sqlite::open(dir.path()).unwrap_err(), OpenError::Foreign { .. }));
    let tables: i64 = beside(dir.path()).query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);

    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("ringback.db"), "not a database, but long enough to be looked at as one").unwrap();
    assert!(matches!(Sqlite::open(dir.path()).unwrap_err(), OpenError::Foreign { .. }));
}

#[test]
fn newer_tables_are_refused_naming_who_reads_them() {
    let mut on = InFile::fresh();
    on.store = None;
    let sql = "PRAGMA user_version = 2; UPDATE meta SET value = '7.8.9' WHERE name = 'written_by'";
    on.beside().execute_batch(sql).unwrap();
    let error = told(&Sqlite::open(on.dir.path()).unwrap_err());
    assert!(error.contains("has tables of version 2"), "{error}");
    assert!(error.contains("last written by ringback 7.8.9: use that version or a newer one"), "{error}");
}

/// The tables of version 1 as 0.1.0 made them, with four of `killed`'s batches in them.
const VERSION_1: &str = include_str!("../../fixtures/schema-1.sql");

#[test]
fn tables_of_version_1_are_read_and_written() {
    let dir = TempDir::new().unwrap();
    beside(dir.path()).execute_batch(VERSION_1).unwrap();
    let mut store = Sqlite::open(dir.path()).unwrap();
    assert_eq!(last_whole(&mut store), Some(3));
    store.commit(batch(4)).unwrap();
    assert_eq!(last_whole(&mut store), Some(4));
}

#[test]
fn a_value_of_format_2_is_refused_naming_what_reads_it() {
    let mut on = InFile::fresh();
    on.commit(Writes { calls: vec![kept(call(1, &["alice", "bob"]))], ..Writes::default() });
    on.fold();
    on.beside().execute_batch("UPDATE calls SET format = 2").unwrap();
    for error in [on.store().load(&[Key::Call(id(1))]).unwrap_err(), on.store().running().unwrap_err()] {
        let error = told(&error);
        assert!(error.starts_with(&format!("the stored call {} can't be used: ", id(1))), "{error}");
        assert!(error.contains("it is of format 2, and ringback 0.1.0 reads format 1 alone"), "{error}");
    }
}

#[test]
fn a_damaged_value_is_named_and_kept() {
    let mut on = InFile::fresh();
    on.commit(Writes { lines: vec![line("bob", 1).into()], ..Writes::default() });
    on.fold();
    on.beside().execute_batch("UPDATE lines SET body = '{\"person\":{\"id\":\"\"}}'").unwrap();
    let error = told(&on.store().load(&[Key::Line(user("bob"))]).unwrap_err());
    assert!(
        error
            .starts_with("the stored line bob can't be used: it is damaged: not what format 1 says: must not be empty"),
        "{error}"
    );
}

#[test]
fn any_id_is_only_a_value() {
    let mut on = InFile::fresh();
    let odd = LineRecord::new(odd_user());
    on.commit(Writes {
        lines: vec![odd.clone().into()],
        requests: vec![(odd_user(), request(1).into())],
        missed: vec![(odd_user(), missed(1))],
        ..Writes::default()
    });
    for _ in 0..2 {
        let mut loaded = on.store().load(&[Key::Line(odd_user())]).unwrap();
        let line = loaded.lines.remove(0);
        assert_eq!((line.user, line.line, line.missed), (odd_user(), Some(odd.clone()), vec![missed(1)]));
        assert_eq!(line.requests, [request(1).into()]);
        on.fold();
    }
}

#[test]
fn the_file_is_set_up_to_last() {
    let on = InFile::fresh();
    let beside = on.beside();
    let text = |sql: &str| beside.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let number = |sql: &str| beside.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(text("PRAGMA journal_mode"), "wal");
    assert_eq!(number("PRAGMA page_size"), 8192);
    assert_eq!(number("PRAGMA user_version"), 1);
    assert_eq!(text("SELECT value FROM meta WHERE name = 'written_by'"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn somebody_elses_write_lock_fails_the_commit_alone() {
    let mut on = InFile::fresh();
    let beside = on.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writes = Writes { lines: vec![line("bob", 1).into()], ..Writes::default() };
    assert!(matches!(on.store().commit(writes.clone()), Err(CommitError::Failed(_))));
    beside.execute_batch("ROLLBACK").unwrap();
    on.commit(writes);
}

/// What a process that died leaves: the folder as it is while the store is open, nothing folded at the end.
pub(crate) fn left_behind(on: &InFile) -> TempDir {
    let dir = TempDir::new().unwrap();
    for name in ["ringback.db", "ringback.db-wal"] {
        std::fs::copy(on.dir.path().join(name), dir.path().join(name)).unwrap();
    }
    dir
}

// spec: N2
#[test]
fn what_a_dead_process_left_in_the_journal_is_in_the_tables_when_it_is_opened() {
    let mut on = InFile::fresh();
    (0..9).for_each(|n| on.commit(batch(n)));
    assert_eq!((on.count("journal"), on.count("calls")), (9, 0), "one row a commit, and nothing else yet");
    let dir = left_behind(&on);
    let mut store = Sqlite::open(dir.path()).unwrap();
    let count = |table: &str| count(dir.path(), table);
    assert_eq!((count("journal"), count("calls"), count("history"), count("missed")), (0, 9, 9, 5));
    assert_eq!(last_whole(&mut store), Some(8));
}

// spec: N2
#[test]
fn a_closed_store_has_everything_in_the_tables() {
    let mut on = InFile::fresh();
    (0..40).for_each(|n| on.commit(batch(n)));
    on.store = None;
    assert_eq!(["journal", "calls", "lines", "history", "requests"].map(|table| on.count(table)), [0, 40, 1, 40, 32]);
    on.reopen();
    assert_eq!(last_whole(on.store()), Some(39));
}

// spec: G12 of the design
#[test]
fn a_newer_or_damaged_journal_is_refused_and_nothing_changed() {
    for (change, says) in [
        ("format = 2", "it is of format 2, and ringback 0.1.0 reads format 1 alone; use the version of ringback that"),
        ("body = substr(body, 1, length(body) - 1)", "it is damaged: not what format 1 says: it ends too early"),
        ("body = x'01'", "it is damaged: not what format 1 says"),
    ] {
        let mut on = InFile::fresh();
        (0..3).for_each(|n| on.commit(batch(n)));
        let dir = left_behind(&on);
        let change = format!("UPDATE journal SET {change} WHERE seq = 2; UPDATE meta SET value = '0.0.1'");
        beside(dir.path()).execute_batch(&change).unwrap();
        let error = Sqlite::open(dir.path()).unwrap_err();
        assert!(matches!(error, OpenError::Journal { .. }));
        let error = told(&error);
        assert!(error.contains("can't be used; nothing was changed: the stored row 2 of the journal"), "{error}");
        assert!(error.contains(says), "{error}");
        let look = beside(dir.path());
        let text = |sql: &str| look.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(text("SELECT value FROM meta WHERE name = 'written_by'"), "0.0.1");
        assert_eq!(text("SELECT count(*) || ' ' || (SELECT count(*) FROM calls) FROM journal"), "3 0");
    }
}

/// The same body with one byte changed, so that it reads as before but for its first call, which can't be.
fn with_a_broken_call(body: &[u8]) -> (Vec<u8>, CallRecord) {
    let whole = unpack(JOURNAL, body).unwrap();
    let broken = |at: usize, byte: u8| {
        let mut body = body.to_vec();
        body[at] = byte;
        let mut found = unpack(JOURNAL, &body).ok()?;
        let call = found.calls.remove(0);
        let same = call.id == whole.calls[0].id && found.calls == whole.calls[1..] && found.writes == whole.writes;
        (same && call.running() && Call::from_record(call.clone()).is_err()).then_some((body, call))
    };
    (0..body.len()).find_map(|at| (0..9).find_map(|byte| broken(at, byte))).expect("some byte breaks it")
}

/// A call that can't be is a matter of whoever takes it up, wherever it was read from: what the store has of it stays.
// spec: M2, N2
#[test]
fn a_broken_call_in_the_journal_is_given_as_one_in_the_tables_and_kept() {
    let mut on = InFile::fresh();
    (0..3).for_each(|n| on.commit(batch(n)));
    let dir = left_behind(&on);
    let body: Vec<u8> =
        beside(dir.path()).query_row("SELECT body FROM journal WHERE seq = 2", [], |row| row.get("body")).unwrap();
    let (body, broken) = with_a_broken_call(&body);
    beside(dir.path()).execute("UPDATE journal SET body = ?1 WHERE seq = 2", [body]).unwrap();
    let all = [call(0, &["alice", "bob"]), broken.clone(), call(2, &["alice", "bob"])];
    let served = |store: &mut Sqlite| {
        assert_eq!(store.load(&[Key::Call(broken.id)]).unwrap().calls, [(broken.id, Some(broken.clone()))]);
        assert_eq!(store.running().unwrap(), all);
        let history = store.history(&user("bob"), None, 9).unwrap().entries;
        assert_eq!(history.len(), 3);
    };
    break_table(dir.path(), "history", true);
    let mut store = Sqlite::open(dir.path()).unwrap();
    assert_eq!((count(dir.path(), "journal"), count(dir.path(), "calls")), (3, 0), "it can't be folded yet");
    served(&mut store);
    break_table(dir.path(), "history", false);
    assert!(!store.tidy(true).unwrap());
    assert_eq!((count(dir.path(), "journal"), count(dir.path(), "calls")), (0, 3));
    served(&mut store);
    store.commit(batch(3)).unwrap();
    drop(store);
    let mut store = Sqlite::open(dir.path()).unwrap();
    assert_eq!(store.running().unwrap(), [&all[1..], &[call(3, &["alice", "bob"])]].concat());
}

#[test]
fn a_journal_is_not_folded_into_a_damaged_file() {
    let mut on = InFile::fresh();
    (0..3).for_each(|n| on.commit(batch(n)));
    let dir = left_behind(&on);
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'missed'";
    let page: u32 = beside(dir.path()).query_row(sql, [], |row| row.get(0)).unwrap();
    let mut file = std::fs::File::options().write(true).open(dir.path().join("ringback.db")).unwrap();
    file.seek(SeekFrom::Start(u64::from(page - 1) * 8192)).unwrap();
    file.write_all(&[0xa5; 8192]).unwrap();
    let error = Sqlite::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Fold { .. }));
    assert!(told(&error).contains("writing missed calls: database disk image is malformed"), "{}", told(&error));
    assert_eq!(count(dir.path(), "journal"), 3);
}
