//! Folding under load: what waits and for how long, and what a process that died leaves halfway.

use crate::killed::{batch, last_whole};
use crate::records::{call, ended, history, id, kept, missed, request, user};
use crate::sqlite::{InFile, break_table, count, left_behind};
use ringback_core::step::{Key, Writes};
use ringback_store::{Sqlite, Store};
use std::collections::BTreeSet;

/// Under load what has gathered is folded, and a call that runs stays in the journal until it doesn't, or too long.
#[test]
fn what_gathers_is_folded_but_for_calls_that_run() {
    let mut on = InFile::fresh();
    on.folding_at(10);
    on.commit(Writes { calls: vec![kept(call(100, &["alice", "bob"]))], ..Writes::default() });
    assert!(on.store().tidy(false).unwrap());
    assert_eq!((on.count("journal"), on.count("calls")), (1, 0), "too little has gathered");
    let gather = |on: &mut InFile, round: u64| {
        let past = |n| kept(ended(call(1000 + 10 * round + n, &["carol", "dave"]), 1));
        on.commit(Writes { calls: (0..10).map(past).collect(), ..Writes::default() });
        assert!(on.store().tidy(false).is_ok());
    };
    gather(&mut on, 0);
    assert_eq!((on.count("journal"), on.count("calls")), (2, 10), "it waits, and all that was committed since with it");
    assert_eq!(on.store().load(&[Key::Call(id(100))]).unwrap().calls[0].1, Some(call(100, &["alice", "bob"])));
    on.commit(Writes { calls: vec![kept(ended(call(100, &["alice", "bob"]), 1))], ..Writes::default() });
    gather(&mut on, 1);
    assert_eq!((on.count("journal"), on.count("calls")), (0, 21), "it ended");
    // One that runs for long is folded now and then.
    on.commit(Writes { calls: vec![kept(call(101, &["alice", "bob"]))], ..Writes::default() });
    let waited = (2..100).find(|round| {
        gather(&mut on, *round);
        on.count("journal") == 0
    });
    assert!((30..60).contains(&waited.unwrap()), "{waited:?}");
    assert_eq!(on.store().running().unwrap(), [call(101, &["alice", "bob"])]);
}

// spec: N2
#[test]
fn what_nobody_tidies_is_folded_by_a_commit_or_fails_it() {
    let mut on = InFile::fresh();
    on.folding_at(2);
    (0..40).for_each(|n| on.commit(batch(n)));
    assert!(on.count("journal") < 10, "{}", on.count("journal"));
    on.break_table("history", true);
    let failed = (40..60).find(|n| on.store().commit(batch(*n)).is_err()).unwrap();
    assert!(failed < 50);
    on.break_table("history", false);
    on.commit(batch(failed));
    assert_eq!(last_whole(on.store()), Some(failed));
}

/// Everything a user's history has, page by page: the calls' numbers, each once, the newest first.
fn pages(store: &mut Sqlite, name: &str, limit: usize) -> Vec<u128> {
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.history(&user(name), before, limit).unwrap();
        assert!(page.entries.len() == limit || page.next.is_none());
        seen.extend(page.entries.iter().map(|entry| entry.id.invitation.0));
        let Some(next) = page.next else { return seen };
        before = Some(next);
    }
}

/// More rows of history than their index may be behind by, folded under load, and some that aren't even folded.
fn half_indexed() -> (InFile, Vec<String>) {
    let mut on = InFile::fresh();
    on.folding_at(1500);
    let names: Vec<_> = (0..50).map(|n| format!("user-{n:02}")).collect();
    for round in 0..42 {
        let rows = (10 * round..10 * round + 10).flat_map(|n| names.iter().map(move |name| history(name, n)));
        on.commit(Writes { history: rows.collect(), ..Writes::default() });
        on.store().tidy(false).unwrap();
    }
    on.commit(Writes { history: names.iter().map(|name| history(name, 420)).collect(), ..Writes::default() });
    (on, names)
}

// spec: L11, N2
#[test]
fn history_is_paged_across_what_is_indexed_and_what_is_not() {
    let (mut on, names) = half_indexed();
    let (rows, indexed) = (on.count("history"), on.count("history_by_user"));
    assert_eq!((rows, on.count("journal")), (21_000, 1));
    assert!((rows - 16_384 - 50..=rows - 16_384 + 500).contains(&indexed), "{indexed}");
    let sql = "SELECT count(*) FROM (SELECT count(*) AS n FROM history_by_user GROUP BY user) WHERE n < 420";
    let partly: i64 = on.beside().query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(partly > 0, "some users have rows in both");
    let all: Vec<_> = (0..=420).rev().map(|n| id(n).0).collect();
    for name in &names {
        assert_eq!(pages(on.store(), name, 97), all, "{name}");
    }
    assert_eq!(on.count("journal"), 1, "reading folds nothing");
    assert_eq!(on.count("history_by_user"), indexed);
}

// spec: L11, N2
#[test]
fn half_indexed_history_is_whole_after_a_crash() {
    let (on, names) = half_indexed();
    let dir = left_behind(&on);
    assert!((1..20_000).contains(&count(dir.path(), "history_by_user")));
    assert_eq!(count(dir.path(), "meta WHERE name = 'history_unindexed'"), 1);
    let mut store = Sqlite::open(dir.path()).unwrap();
    let counted = ["history", "history_by_user", "journal", "meta WHERE name = 'history_unindexed'"];
    assert_eq!(counted.map(|table| count(dir.path(), table)), [21_050, 21_050, 0, 0]);
    let all: Vec<_> = (0..=420).rev().map(|n| id(n).0).collect();
    names.iter().for_each(|name| assert_eq!(pages(&mut store, name, 100), all));
    // What comes now is put after it.
    store.commit(Writes { history: vec![history(&names[0], 421)], ..Writes::default() }).unwrap();
    assert_eq!(pages(&mut store, &names[0], 100).len(), 422);
    drop(store);
    assert_eq!(counted.map(|table| count(dir.path(), table)), [21_051, 21_051, 0, 0]);
}

// spec: M1, N2
#[test]
fn a_journal_of_which_a_part_is_folded_is_read_again_and_changes_nothing() {
    let mut on = InFile::fresh();
    on.folding_at(20);
    let mut partly = 0;
    for n in 0..80 {
        on.commit(batch(n));
        on.store().tidy(false).unwrap();
        if n % 7 == 0 {
            let dir = left_behind(&on);
            partly += u64::from(count(dir.path(), "history") > 0 && count(dir.path(), "journal") > 1);
            assert_eq!(last_whole(&mut Sqlite::open(dir.path()).unwrap()), Some(n));
            let ids: BTreeSet<_> = pages(&mut Sqlite::open(dir.path()).unwrap(), "bob", 9).into_iter().collect();
            assert_eq!(ids.len() as i64, count(dir.path(), "history"), "no line of history is doubled");
        }
    }
    assert!(partly > 8, "{partly}");
}

/// Written, folded and handled while the journal keeps all of it for a call that runs.
// spec: M1, N2
#[test]
fn a_missed_call_that_was_handled_stays_handled_when_the_journal_is_read_again() {
    let mut on = InFile::fresh();
    on.folding_at(3);
    let past = |n| Writes {
        calls: (n..n + 3).map(|n| kept(ended(call(n, &["carol", "dave"]), 1))).collect(),
        ..Writes::default()
    };
    on.commit(Writes {
        calls: vec![kept(call(1, &["alice", "bob"]))],
        missed: vec![(user("bob"), missed(2))],
        ..Writes::default()
    });
    on.commit(past(20));
    on.store().tidy(false).unwrap();
    assert_eq!(on.count("missed"), 1);
    on.commit(Writes { handled: vec![(user("bob"), missed(2).id)], ..past(30) });
    on.store().tidy(false).unwrap();
    let dir = left_behind(&on);
    assert_eq!([count(dir.path(), "missed"), count(dir.path(), "journal")], [0, 3]);
    let mut store = Sqlite::open(dir.path()).unwrap();
    assert_eq!(store.load(&[Key::Line(user("bob"))]).unwrap().lines[0].missed, []);
    assert_eq!(store.running().unwrap(), [call(1, &["alice", "bob"])]);
}

// spec: N2
#[test]
fn the_journal_stays_bounded_under_steady_load() {
    let mut on = InFile::fresh();
    on.folding_at(20);
    let (mut most, mut most_bytes) = (0, 0);
    for n in 1..2500 {
        let runs = [Some(call(n, &["alice", "bob"])), n.checked_sub(3).map(|n| ended(call(n, &["alice", "bob"]), 9))];
        let calls = runs.into_iter().flatten().filter(|call| call.id != id(100) || call.ended.is_none());
        let calls = calls.map(kept).collect();
        let of = user(&format!("user-{}", n % 50));
        let requests = vec![(of, request(n / 50).into())];
        on.commit(Writes { calls, requests, history: vec![history("bob", n)], ..Writes::default() });
        on.store().tidy(false).unwrap();
        if n % 10 == 0 {
            let sql = "SELECT count(*), coalesce(sum(length(body)), 0) FROM journal";
            let (rows, bytes) = on.beside().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            (most, most_bytes) = (most.max(rows), most_bytes.max(bytes));
        }
    }
    assert!((40..500).contains(&most), "{most} rows");
    assert!(most_bytes < 500_000, "{most_bytes} bytes");
    assert_eq!(on.store().running().unwrap().len(), 4);
    let dir = left_behind(&on);
    assert_eq!(Sqlite::open(dir.path()).unwrap().running().unwrap().len(), 4);
}

/// What a process that died left counts like what has come in since: it is bounded, whatever can't be folded.
// spec: N2
#[test]
fn what_could_not_be_folded_at_the_start_fails_commits_once_it_is_too_much() {
    let mut on = InFile::fresh();
    (0..40).for_each(|n| on.commit(batch(n)));
    on.break_table("history", true);
    let dir = left_behind(&on);
    let mut store = Sqlite::open(dir.path()).unwrap().folding_at(2);
    for _ in 0..3 {
        assert!(store.commit(batch(40)).is_err());
        assert_eq!(last_whole(&mut store), Some(39));
        assert_eq!(count(dir.path(), "journal"), 40);
    }
    break_table(dir.path(), "history", false);
    store.commit(batch(40)).unwrap();
    assert_eq!(last_whole(&mut store), Some(40));
    assert!(count(dir.path(), "journal") < 40);
}
