//! What every backend does alike.

use crate::records::{START, call, ended, hidden, history, id, line, missed, user};
use ringback_core::call::CallRecord;
use ringback_core::id::{InvitationId, UserId};
use ringback_core::line::MissedCall;
use ringback_core::step::{Key, LoadedLine, Writes};
use ringback_core::time::Timestamp;
use ringback_store::{CommitError, Store};

/// A backend under test.
pub(crate) trait Backend {
    fn store(&mut self) -> &mut dyn Store;
    /// What a restart of the process does.
    fn reopen(&mut self);
    /// Makes every commit that writes history fail after all its other rows, or, with `false`, mends that.
    /// Answers false if no commit of this backend can fail.
    fn break_history(&mut self, broken: bool) -> bool;
}

impl dyn Backend + '_ {
    fn commit(&mut self, writes: Writes) {
        self.store().commit(&writes).unwrap();
    }

    fn call(&mut self, id: InvitationId) -> Option<CallRecord> {
        let mut loaded = self.store().load(&[Key::Call(id)]).unwrap();
        assert_eq!((loaded.calls.len(), loaded.lines.len()), (1, 0));
        let (of, call) = loaded.calls.remove(0);
        assert_eq!(of, id);
        call
    }

    fn line(&mut self, name: &str) -> LoadedLine {
        let mut loaded = self.store().load(&[Key::Line(user(name))]).unwrap();
        assert_eq!((loaded.calls.len(), loaded.lines.len()), (0, 1));
        loaded.lines.remove(0)
    }

    fn missed(&mut self, name: &str) -> Vec<MissedCall> {
        self.line(name).missed
    }

    fn history(&mut self, name: &str) -> Vec<InvitationId> {
        let page = self.store().history(&user(name), None, 1000).unwrap();
        page.entries.iter().map(|entry| entry.id.invitation).collect()
    }
}

fn calls(calls: impl IntoIterator<Item = CallRecord>) -> Writes {
    Writes { calls: calls.into_iter().collect(), ..Writes::default() }
}

pub(crate) fn unknown_keys_load_as_nothing(on: &mut dyn Backend) {
    let loaded = on.store().load(&[Key::Call(id(1)), Key::Line(user("bob"))]).unwrap();
    assert_eq!(loaded.calls, [(id(1), None)]);
    let nothing = LoadedLine { user: user("bob"), line: None, missed: vec![], running: vec![] };
    assert_eq!(loaded.lines, [nothing]);
    assert_eq!(on.store().load(&[]).unwrap(), Default::default());
    assert_eq!(on.store().running().unwrap(), []);
    assert_eq!(on.store().history(&user("bob"), None, 10).unwrap(), Default::default());
    assert_eq!(on.store().newest().unwrap(), Timestamp(0));
}

pub(crate) fn what_is_written_is_read_and_overwritten(on: &mut dyn Backend) {
    on.commit(Writes { calls: vec![call(1, &["alice", "bob"])], lines: vec![line("bob", 1)], ..Writes::default() });
    let newer =
        CallRecord { revision: 7, message: Some("it's \"urgent\" \u{1f4de}\0".into()), ..call(1, &["alice", "bob"]) };
    on.commit(Writes { calls: vec![newer.clone()], lines: vec![line("bob", 2)], ..Writes::default() });
    for _ in 0..2 {
        assert_eq!(on.call(id(1)), Some(newer.clone()));
        assert_eq!(on.line("bob").line, Some(line("bob", 2)));
        assert_eq!(on.line("alice").line, None);
        on.reopen();
    }
}

pub(crate) fn of_two_writes_in_one_commit_the_last_counts(on: &mut dyn Backend) {
    on.commit(Writes {
        calls: vec![call(1, &["alice", "bob"]), ended(call(1, &["alice", "bob"]), 5)],
        lines: vec![line("bob", 1), line("bob", 2)],
        missed: vec![(user("bob"), missed(1)), (user("bob"), missed(2))],
        handled: vec![(user("bob"), missed(1).id)],
        ..Writes::default()
    });
    assert_eq!(on.call(id(1)), Some(ended(call(1, &["alice", "bob"]), 5)));
    assert_eq!(on.line("bob").line, Some(line("bob", 2)));
    assert_eq!(on.missed("bob"), [missed(2)]);
    assert_eq!(on.store().running().unwrap(), []);
}

// spec: M2
pub(crate) fn a_commit_that_fails_midway_leaves_nothing(on: &mut dyn Backend) {
    on.commit(Writes { calls: vec![call(1, &["alice", "bob"])], lines: vec![line("bob", 1)], ..Writes::default() });
    on.commit(Writes { missed: vec![(user("bob"), missed(7))], ..Writes::default() });
    let whole = Writes {
        calls: vec![ended(call(1, &["alice", "bob"]), 60_000), call(2, &["carol", "bob"])],
        lines: vec![line("bob", 2), line("carol", 1)],
        missed: vec![(user("bob"), missed(1))],
        handled: vec![(user("bob"), missed(7).id)],
        history: vec![history("bob", 1)],
        ..Writes::default()
    };
    if !on.break_history(true) {
        return;
    }
    for _ in 0..2 {
        assert!(matches!(on.store().commit(&whole), Err(CommitError::Failed(_))));
        for _ in 0..2 {
            assert_eq!(on.call(id(1)), Some(call(1, &["alice", "bob"])));
            assert_eq!(on.call(id(2)), None);
            let bob = LoadedLine {
                user: user("bob"),
                line: Some(line("bob", 1)),
                missed: vec![missed(7)],
                running: vec![id(1)],
            };
            assert_eq!(on.line("bob"), bob);
            assert_eq!(on.line("carol").line, None);
            assert_eq!(on.store().running().unwrap(), [call(1, &["alice", "bob"])]);
            assert_eq!(on.history("bob"), []);
            on.reopen();
        }
    }
    on.break_history(false);
    on.commit(whole);
    assert_eq!(on.line("bob").running, [id(2)]);
    assert_eq!(on.missed("bob"), [missed(1)]);
    assert_eq!(on.history("bob"), [id(1)]);
}

// spec: M1, M4
pub(crate) fn missed_calls_are_kept_by_user_and_turn_until_handled(on: &mut dyn Backend) {
    let again = MissedCall { id: ringback_core::id::MissedId { turn: 2, ..missed(1).id }, ..missed(1) };
    let all = [missed(3), missed(1), again.clone(), missed(2)];
    on.commit(Writes {
        missed: all.iter().map(|call| (user("bob"), call.clone())).chain([(user("bo"), missed(1))]).collect(),
        ..Writes::default()
    });
    assert_eq!(on.missed("bob"), [missed(1), again.clone(), missed(2), missed(3)]);
    let silent = MissedCall { silent: true, ..missed(2) };
    on.commit(Writes {
        missed: vec![(user("bob"), silent.clone())],
        handled: vec![(user("bob"), missed(1).id), (user("bob"), missed(9).id)],
        ..Writes::default()
    });
    for _ in 0..2 {
        assert_eq!(on.missed("bob"), [again.clone(), silent.clone(), missed(3)]);
        assert_eq!(on.missed("bo"), [missed(1)]);
        assert_eq!(on.missed("bob2"), []);
        on.reopen();
    }
}

// spec: L8, L13
pub(crate) fn a_line_comes_with_the_running_calls_it_has_a_part_in(on: &mut dyn Backend) {
    on.commit(calls([call(2, &["alice", "bob"]), hidden(call(1, &["carol", "bob", "dave"]), "bob")]));
    assert_eq!(on.line("bob").running, [id(1), id(2)]);
    assert_eq!(on.line("alice").running, [id(2)]);
    assert_eq!(on.line("dave").running, [id(1)]);
    // Someone is added to one, the other ends, a third never runs.
    let larger = hidden(call(1, &["carol", "bob", "dave", "erin"]), "bob");
    let past = ended(call(3, &["bob", "alice"]), 1);
    on.commit(calls([larger.clone(), ended(call(2, &["alice", "bob"]), 9), past]));
    for _ in 0..2 {
        assert_eq!(on.line("bob").running, [id(1)]);
        assert_eq!(on.line("alice").running, []);
        assert_eq!(on.line("erin").running, [id(1)]);
        assert_eq!(on.store().running().unwrap(), std::slice::from_ref(&larger));
        on.reopen();
    }
}

// spec: L9, M2
pub(crate) fn what_runs_is_the_same_after_a_restart(on: &mut dyn Backend) {
    let runs: Vec<_> = (0..50).map(|n| call(n, &["alice", &format!("user-{n}")])).collect();
    on.commit(calls(runs.iter().rev().cloned()));
    on.commit(calls(runs.iter().step_by(5).map(|call| ended(call.clone(), 3))));
    let left: Vec<_> = runs.into_iter().enumerate().filter(|(n, _)| n % 5 != 0).map(|(_, call)| call).collect();
    assert_eq!(on.store().running().unwrap(), left);
    on.reopen();
    assert_eq!(on.store().running().unwrap(), left);
    assert_eq!(on.line("alice").running, left.iter().map(|call| call.id).collect::<Vec<_>>());
}

// spec: L11
pub(crate) fn history_comes_in_pages_newest_first(on: &mut dyn Backend) {
    for n in 0..10 {
        on.commit(Writes { history: vec![history("bob", n), history("alice", n)], ..Writes::default() });
    }
    let (mut seen, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = on.store().history(&user("bob"), before, 4).unwrap();
        assert!(page.entries.iter().all(|entry| entry.user == user("bob")));
        seen.extend(page.entries.iter().map(|entry| entry.id.invitation));
        pages += 1;
        if pages == 1 {
            // What comes in meanwhile moves no page.
            on.commit(Writes { history: vec![history("bob", 99)], ..Writes::default() });
            on.reopen();
        }
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, (0..10).rev().map(id).collect::<Vec<_>>());
    assert_eq!(on.history("bob")[0], id(99));
    let exact = on.store().history(&user("alice"), None, 10).unwrap();
    assert_eq!((exact.entries.len(), exact.next), (10, None));
    assert_eq!(on.store().history(&user("alice"), Some(0), 10).unwrap(), Default::default());
}

// spec: E (§10): 16 KiB of customData, 1,000 invitees
pub(crate) fn the_largest_values_fit(on: &mut dyn Backend) {
    let names: Vec<String> = (0..1001).map(|n| format!("{}-{n}", "x".repeat(120))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let large = CallRecord { custom_data: "\u{1}\u{20ac}\"\\".repeat(16 * 1024 / 6).into(), ..call(1, &names) };
    on.commit(calls([large.clone()]));
    for _ in 0..2 {
        assert_eq!(on.call(id(1)), Some(large.clone()));
        assert_eq!(on.line(names[1000]).running, [id(1)]);
        on.reopen();
    }
}

pub(crate) fn many_keys_come_at_once_each_with_its_own(on: &mut dyn Backend) {
    let names: Vec<String> = (0..500).map(|n| format!("user-{n}")).collect();
    on.commit(Writes {
        calls: (0..500).map(|n| call(n, &["alice", &names[n as usize]])).collect(),
        lines: (0..500).map(|n| line(&names[n as usize], n)).collect(),
        missed: (0..500).map(|n| (user(&names[n as usize]), missed(n + 1000))).collect(),
        ..Writes::default()
    });
    let keys: Vec<Key> = (0..600).flat_map(|n| [Key::Call(id(n)), Key::Line(user(&format!("user-{n}")))]).collect();
    let loaded = on.store().load(&keys).unwrap();
    assert_eq!((loaded.calls.len(), loaded.lines.len()), (600, 600));
    for (n, (of, call)) in loaded.calls.into_iter().enumerate() {
        assert_eq!(of, id(n as u64));
        assert_eq!(call.map(|call| call.id), (n < 500).then_some(of));
    }
    for (n, of) in loaded.lines.into_iter().enumerate() {
        assert_eq!(of.user, user(&format!("user-{n}")));
        assert_eq!(of.line.map(|line| line.revision), (n < 500).then_some(n as u64));
        assert_eq!((of.missed.len(), of.running.len()), if n < 500 { (1, 1) } else { (0, 0) });
    }
}

// spec: M7
pub(crate) fn what_is_older_than_the_retention_is_forgotten(on: &mut dyn Backend) {
    let bob = |n| (user("bob"), missed(n));
    for n in 0..10 {
        on.commit(Writes {
            calls: vec![ended(call(n, &["alice", "bob"]), 60_000)],
            missed: vec![bob(n)],
            history: vec![history("bob", n)],
            ..Writes::default()
        });
    }
    // Sent first of all, and still running; sent early, ended late.
    on.commit(calls([
        CallRecord { id: InvitationId(1), ..call(0, &["alice", "bob"]) },
        ended(call(3, &["alice", "bob"]), 70_000),
    ]));
    let before = Timestamp(START + 60_000 + 6);
    let mut rounds = 0;
    while on.store().forget(before, 2).unwrap() > 0 {
        rounds += 1;
        on.reopen();
    }
    assert_eq!(rounds, 3);
    let left: Vec<u64> = (0..10).filter(|n| on.call(id(*n)).is_some()).collect();
    assert_eq!(left, [3, 6, 7, 8, 9]);
    assert_eq!(on.store().running().unwrap().len(), 1);
    assert_eq!(on.history("bob"), [9, 8, 7, 6].map(id));
    assert_eq!(on.missed("bob"), [6, 7, 8, 9].map(missed));
}

pub(crate) fn the_newest_moment_is_that_of_what_happened_last(on: &mut dyn Backend) {
    on.commit(calls([call(1, &["alice", "bob"])]));
    assert_eq!(on.store().newest().unwrap(), Timestamp(START + 1), "a deadline hasn't happened yet");
    on.commit(calls([ended(call(1, &["alice", "bob"]), 500)]));
    assert_eq!(on.store().newest().unwrap(), Timestamp(START + 501));
    on.commit(Writes { history: vec![history("bob", 2)], ..calls([call(600, &["alice", "bob"])]) });
    on.reopen();
    assert_eq!(on.store().newest().unwrap(), Timestamp(START + 60_002));
}

pub(crate) fn a_write_of_nothing_succeeds(on: &mut dyn Backend) {
    on.commit(Writes::default());
    on.break_history(true);
    on.commit(Writes::default());
}

/// Ids come back as they were given, whatever they hold.
pub(crate) fn odd_user() -> UserId {
    user("O'Brien \"; DROP TABLE lines; -- \u{1f600} %_\\")
}

/// Makes a test of each case, on a backend that `$fresh` makes.
macro_rules! conformance {
    ($fresh:expr) => {
        crate::conformance::conformance! { $fresh;
            unknown_keys_load_as_nothing
            what_is_written_is_read_and_overwritten
            of_two_writes_in_one_commit_the_last_counts
            a_commit_that_fails_midway_leaves_nothing
            missed_calls_are_kept_by_user_and_turn_until_handled
            a_line_comes_with_the_running_calls_it_has_a_part_in
            what_runs_is_the_same_after_a_restart
            history_comes_in_pages_newest_first
            the_largest_values_fit
            many_keys_come_at_once_each_with_its_own
            what_is_older_than_the_retention_is_forgotten
            the_newest_moment_is_that_of_what_happened_last
            a_write_of_nothing_succeeds
        }
    };
    ($fresh:expr; $($case:ident)*) => {$(
        #[test]
        fn $case() {
            crate::conformance::$case(&mut $fresh);
        }
    )*};
}

pub(crate) use conformance;
