//! What survives: SIGKILL in the middle of writing, and a disk that fails. The writer is this test program again, as a
//! child that does nothing else.

use crate::records::{START, call, ended, history, id, kept, line, missed, request, user};
#[cfg(target_os = "linux")]
use crate::sqlite::{InFile, count, left_behind};
use ringback_core::step::{Key, Writes};
use ringback_core::time::Timestamp;
use ringback_store::{CommitError, OpenError, Sqlite, Store, StoreError};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const ROUNDS: u64 = 20;
/// In the child's environment: where to write.
const WRITE_TO: &str = "RINGBACK_TEST_WRITE_TO";
/// In the child's environment: after how many batches to stop; endless without.
const BATCHES: &str = "RINGBACK_TEST_BATCHES";
/// In the child's environment: to fold all the time; else it does so at its end alone.
const FOLDS: &str = "RINGBACK_TEST_FOLDS";
/// Records that gather before they are folded in a child that folds all the time: those of two batches or so.
const GATHERED: usize = 12;
/// After how many batches such a child folds everything, as if it were idle.
const IDLE: u64 = 4;

/// Batch `n` changes every table: a call begins, an older one ends, a call is missed, an older one handled.
pub(crate) fn batch(n: u64) -> Writes {
    Writes {
        calls: [Some(call(n, &["alice", "bob"])), n.checked_sub(3).map(|n| ended(call(n, &["alice", "bob"]), 9))]
            .into_iter()
            .flatten()
            .map(kept)
            .collect(),
        lines: vec![line("bob", n).into()],
        requests: vec![(user("bob"), request(n).into())],
        missed: vec![(user("bob"), missed(n))],
        handled: n.checked_sub(5).map(|n| (user("bob"), missed(n).id)).into_iter().collect(),
        history: vec![history("bob", n)],
        ..Writes::default()
    }
}

/// The last batch that the store holds, after a check that it holds exactly all up to that one.
pub(crate) fn last_whole(store: &mut Sqlite) -> Option<u64> {
    let mut loaded = store.load(&[Key::Line(user("bob"))]).unwrap();
    let bob = loaded.lines.remove(0);
    let last = bob.line.map(|line| line.revision);
    let upto = last.map_or(0, |last| last + 1);
    let from = |n: u64| upto.saturating_sub(n)..upto;
    let requests: Vec<u64> = bob.requests.iter().map(|made| made.no).collect();
    assert_eq!(requests, from(32).collect::<Vec<_>>());
    assert_eq!(bob.missed, from(5).map(missed).collect::<Vec<_>>());
    assert_eq!(bob.running, from(3).map(id).collect::<Vec<_>>());
    assert_eq!(store.running().unwrap(), from(3).map(|n| call(n, &["alice", "bob"])).collect::<Vec<_>>());
    let page = store.history(&user("bob"), None, usize::MAX).unwrap();
    assert_eq!(page.entries, (0..upto).rev().map(|n| history("bob", n)).collect::<Vec<_>>());
    let keys: Vec<Key> = (0..upto + 1).map(|n| Key::Call(id(n))).collect();
    let calls = store.load(&keys).unwrap().calls;
    assert!(calls.iter().zip(0..).all(|((_, call), n)| call.is_some() == (n < upto)));
    last
}

/// Writes batches and says of each what became of it; does nothing unless it is the child.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(WRITE_TO) else {
        return;
    };
    let batches = std::env::var(BATCHES).map_or(u64::MAX, |text| text.parse().unwrap());
    let folds = std::env::var_os(FOLDS).is_some();
    let store = match Sqlite::open(Path::new(&dir)) {
        Ok(store) => store,
        Err(OpenError::Fold { .. }) => return println!("\nnot opened: Fold"),
        Err(error) => panic!("{error:?}"),
    };
    let mut store = store.folding_at(if folds { GATHERED } else { usize::MAX });
    let first = last_whole(&mut store).map_or(0, |last| last + 1);
    println!("\nready");
    for n in (first..).take_while(|n| n - first < batches) {
        match store.commit(batch(n)) {
            Ok(()) => println!("committed {n}"),
            Err(CommitError::Failed(_)) => return println!("failed {n}"),
            Err(CommitError::Unknown(StoreError::Disk { .. })) => return println!("disk {n}"),
            Err(error) => panic!("{error:?}"),
        }
        match store.tidy(folds && n % IDLE == 0) {
            Ok(_) => {}
            Err(CommitError::Failed(_)) => return println!("fold failed {n}"),
            Err(CommitError::Unknown(StoreError::Disk { .. })) => return println!("fold disk {n}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn child(dir: &Path, mut with: Command) -> Command {
    with.args(["--exact", "killed::writer", "--nocapture"]).env(WRITE_TO, dir).stdout(Stdio::piped());
    with
}

fn this_program() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}

/// Numbers from a seed, which is printed: give it as RINGBACK_TEST_SEED to have them again.
struct Numbers(u64);

impl Numbers {
    #[allow(clippy::disallowed_methods)] // a fresh seed for each run
    fn new() -> Self {
        let fresh = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = std::env::var("RINGBACK_TEST_SEED").map_or_else(|_| fresh(), |text| text.parse().unwrap());
        println!("RINGBACK_TEST_SEED={seed}");
        Self(seed)
    }

    /// Splitmix64.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

// spec: M2, N2
#[test]
fn what_was_committed_survives_a_kill_at_any_moment() {
    let mut numbers = Numbers::new();
    let dir = TempDir::new().unwrap();
    let mut total = None;
    for round in 0..ROUNDS {
        let mut writer = child(dir.path(), Command::new(this_program())).env(FOLDS, "yes").spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
        lines.find(|line| line == "ready").expect("the writer starts");
        // The moment of the kill is the point here: nothing is waited for.
        std::thread::sleep(Duration::from_micros(numbers.below(40_000)));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let told = lines.filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok()).last().or(total);
        total = last_whole(&mut Sqlite::open(dir.path()).unwrap());
        // At most the one batch that was under way is there untold.
        let untold = total.map_or(0, |n| n + 1) - told.map_or(0, |n| n + 1);
        assert!(untold <= 1, "round {round}: told {told:?}, held {total:?}");
    }
    let total = total.expect("twenty rounds commit something");
    println!("{total} batches over {ROUNDS} kills");
    let newest = Sqlite::open(dir.path()).unwrap().newest().unwrap();
    assert_eq!(newest, Timestamp(START + total + 60_000));
}

/// Runs the writer under strace, which makes the system call `inject` fail for the log's file.
#[cfg(target_os = "linux")]
fn on_a_bad_disk(dir: &Path, inject: &str, folds: bool) -> Vec<String> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(dir.canonicalize().unwrap().join("ringback.db-wal"));
    strace.args(["-e", inject]).arg(this_program());
    let mut child = child(dir, strace);
    if folds {
        child.env(FOLDS, "yes");
    }
    let output = child.env(BATCHES, "50").output().expect("strace is installed (cargo xtask test does it)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let said = ["committed ", "failed ", "disk ", "fold failed ", "fold disk ", "not opened: "];
    let of_ours = |line: &&str| said.iter().any(|said| line.starts_with(said));
    told.lines().filter(of_ours).map(str::to_owned).collect()
}

/// A folder with an empty store.
#[cfg(target_os = "linux")]
fn fresh() -> TempDir {
    let dir = TempDir::new().unwrap();
    drop(Sqlite::open(dir.path()).unwrap());
    dir
}

// spec: N2
#[cfg(target_os = "linux")]
#[test]
fn a_failed_sync_is_of_unknown_outcome_and_ends_the_writing() {
    let dir = fresh();
    let told = on_a_bad_disk(dir.path(), "inject=fsync,fdatasync:error=EIO:when=9", false);
    let (last, before) = told.split_last().unwrap();
    let n = before.len() as u64;
    assert_eq!(*last, format!("disk {n}"));
    assert!(n > 0 && before.iter().all(|line| line.starts_with("committed ")), "{told:?}");
    let held = last_whole(&mut Sqlite::open(dir.path()).unwrap());
    assert!(held == Some(n - 1) || held == Some(n), "unknown means either: {held:?}");
}

// spec: N2
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_fails_the_commit_and_keeps_the_rest() {
    let dir = fresh();
    let told = on_a_bad_disk(dir.path(), "inject=pwrite64:error=ENOSPC:when=49", false);
    let (last, before) = told.split_last().unwrap();
    let n = before.len() as u64;
    assert_eq!(*last, format!("failed {n}"));
    assert!(n > 0, "{told:?}");
    assert_eq!(last_whole(&mut Sqlite::open(dir.path()).unwrap()), Some(n - 1));
}

/// Nothing can be written any more when a process that died is followed by another.
// spec: M2, N2
#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_a_store_opens_and_is_read_and_refuses_what_is_written() {
    let mut on = InFile::fresh();
    (0..4).for_each(|n| on.commit(batch(n)));
    on.fold();
    (4..9).for_each(|n| on.commit(batch(n)));
    let dir = left_behind(&on);
    // The child reads all of it before it writes.
    let told = on_a_bad_disk(dir.path(), "inject=pwrite64:error=ENOSPC:when=1+", false);
    assert_eq!(told, ["failed 9"]);
    assert_eq!((count(dir.path(), "journal"), count(dir.path(), "calls")), (5, 4), "as it was");
    assert_eq!(last_whole(&mut Sqlite::open(dir.path()).unwrap()), Some(8));
    assert_eq!((count(dir.path(), "journal"), count(dir.path(), "calls")), (0, 9));
}

// spec: N2
#[cfg(target_os = "linux")]
#[test]
fn a_failed_sync_when_a_store_is_opened_stops_it() {
    let mut on = InFile::fresh();
    (0..9).for_each(|n| on.commit(batch(n)));
    let dir = left_behind(&on);
    let told = on_a_bad_disk(dir.path(), "inject=fsync,fdatasync:error=EIO:when=1+", false);
    assert_eq!(told, ["not opened: Fold"]);
    assert_eq!(last_whole(&mut Sqlite::open(dir.path()).unwrap()), Some(8));
}

/// Has one system call after the other fail, until one that does is a fold's; tells what was committed before.
#[cfg(target_os = "linux")]
fn on_a_bad_fold(inject: &str, says: &str) -> (TempDir, u64) {
    for when in 9..60 {
        let dir = fresh();
        let told = on_a_bad_disk(dir.path(), &format!("{inject}:when={when}"), true);
        let n = told.iter().filter(|line| line.starts_with("committed ")).count() as u64;
        if n > 0 && told.last() == Some(&format!("{says} {}", n - 1)) {
            return (dir, n - 1);
        }
    }
    panic!("no {inject} was a fold's");
}

// spec: N2
#[cfg(target_os = "linux")]
#[test]
fn a_failed_sync_in_a_fold_ends_the_writing_and_takes_nothing_back() {
    let (dir, last) = on_a_bad_fold("inject=fsync,fdatasync:error=EIO", "fold disk");
    assert_eq!(last_whole(&mut Sqlite::open(dir.path()).unwrap()), Some(last));
}

// spec: N2
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_in_a_fold_takes_nothing_back() {
    let (dir, last) = on_a_bad_fold("inject=pwrite64:error=ENOSPC", "fold failed");
    assert_eq!(last_whole(&mut Sqlite::open(dir.path()).unwrap()), Some(last));
}
