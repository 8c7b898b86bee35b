//! What every backend does alike.

use crate::records::{START, call, ended, hidden, history, id, kept, line, missed, request, user};
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
    /// Makes every commit fail, or, with `false`, mends that. Answers false if no commit of this backend can fail.
    fn break_commits(&mut self, broken: bool) -> bool;
    /// Makes the end of all tidying fail, or, with `false`, mends that. Answers false if this backend's can't fail.
    fn break_tidying(&mut self, broken: bool) -> bool;
}

impl dyn Backend + '_ {
    fn commit(&mut self, writes: Writes) {
        self.store().commit(writes).unwrap();
    }

    /// What the driver does when there is nothing else to do.
    fn tidy(&mut self) {
        assert!(!self.store().tidy(true).unwrap(), "nothing is left");
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

    /// The numbers of the requests that are remembered.
    fn requests(&mut self, name: &str) -> Vec<u64> {
        let requests = self.line(name).requests;
        assert!(requests.iter().all(|made| **made == request(made.no)));
        requests.iter().map(|made| made.no).collect()
    }

    fn missed(&mut self, name: &str) -> Vec<MissedCall> {
        self.line(name).missed
    }

    fn history(&mut self, name: &str) -> Vec<InvitationId> {
        let page = self.store().history(&user(name), None, 1000).unwrap();
        page.entries.iter().map(|entry| entry.id.invitation).collect()
    }
}

/// What may come between a commit and a look at what it wrote; no look is to see a difference.
const THEN: [fn(&mut (dyn Backend + '_)); 3] = [|on| on.tidy(), |on| on.reopen(), |_| ()];

fn calls(calls: impl IntoIterator<Item = CallRecord>) -> Writes {
    Writes { calls: calls.into_iter().map(kept).collect(), ..Writes::default() }
}

pub(crate) fn unknown_keys_load_as_nothing(on: &mut dyn Backend) {
    let loaded = on.store().load(&[Key::Call(id(1)), Key::Line(user("bob"))]).unwrap();
    assert_eq!(loaded.calls, [(id(1), None)]);
    let nothing = LoadedLine { user: user("bob"), line: None, missed: vec![], requests: vec![], running: vec![] };
    assert_eq!(loaded.lines, [nothing]);
    assert_eq!(on.store().load(&[]).unwrap(), Default::default());
    assert_eq!(on.store().running().unwrap(), []);
    assert_eq!(on.store().history(&user("bob"), None, 10).unwrap(), Default::default());
    assert_eq!(on.store().newest().unwrap(), Timestamp(0));
}

pub(crate) fn what_is_written_is_read_and_overwritten(on: &mut dyn Backend) {
    on.commit(Writes {
        calls: vec![kept(call(1, &["alice", "bob"]))],
        lines: vec![line("bob", 1).into()],
        ..Writes::default()
    });
    let newer =
        CallRecord { revision: 7, message: Some("it's \"urgent\" \u{1f4de}\0".into()), ..call(1, &["alice", "bob"]) };
    on.commit(Writes { calls: vec![kept(newer.clone())], lines: vec![line("bob", 2).into()], ..Writes::default() });
    for then in THEN {
        assert_eq!(on.call(id(1)), Some(newer.clone()));
        assert_eq!(on.line("bob").line, Some(line("bob", 2)));
        assert_eq!(on.line("alice").line, None);
        then(on);
    }
}

pub(crate) fn of_two_writes_in_one_commit_the_last_counts(on: &mut dyn Backend) {
    on.commit(Writes {
        calls: vec![kept(call(1, &["alice", "bob"])), kept(ended(call(1, &["alice", "bob"]), 5))],
        lines: vec![line("bob", 1).into(), line("bob", 2).into()],
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
    on.commit(Writes {
        calls: vec![kept(call(1, &["alice", "bob"]))],
        lines: vec![line("bob", 1).into()],
        ..Writes::default()
    });
    on.commit(Writes { missed: vec![(user("bob"), missed(7))], ..Writes::default() });
    let whole = Writes {
        calls: vec![kept(ended(call(1, &["alice", "bob"]), 60_000)), kept(call(2, &["carol", "bob"]))],
        lines: vec![line("bob", 2).into(), line("carol", 1).into()],
        requests: vec![(user("bob"), request(0).into())],
        missed: vec![(user("bob"), missed(1))],
        handled: vec![(user("bob"), missed(7).id)],
        history: vec![history("bob", 1)],
        ..Writes::default()
    };
    if !on.break_commits(true) {
        return;
    }
    for _ in 0..2 {
        assert!(matches!(on.store().commit(whole.clone()), Err(CommitError::Failed(_))));
        for _ in 0..2 {
            assert_eq!(on.call(id(1)), Some(call(1, &["alice", "bob"])));
            assert_eq!(on.call(id(2)), None);
            let bob = LoadedLine {
                user: user("bob"),
                line: Some(line("bob", 1)),
                missed: vec![missed(7)],
                requests: vec![],
                running: vec![id(1)],
            };
            assert_eq!(on.line("bob"), bob);
            assert_eq!(on.line("carol").line, None);
            assert_eq!(on.store().running().unwrap(), [call(1, &["alice", "bob"])]);
            assert_eq!(on.history("bob"), []);
            on.reopen();
        }
    }
    on.break_commits(false);
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
    for then in THEN {
        assert_eq!(on.missed("bob"), [again.clone(), silent.clone(), missed(3)]);
        assert_eq!(on.missed("bo"), [missed(1)]);
        assert_eq!(on.missed("bob2"), []);
        then(on);
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
    for then in THEN {
        assert_eq!(on.line("bob").running, [id(1)]);
        assert_eq!(on.line("alice").running, []);
        assert_eq!(on.line("erin").running, [id(1)]);
        assert_eq!(on.store().running().unwrap(), std::slice::from_ref(&larger));
        then(on);
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
    for then in THEN {
        assert_eq!(on.call(id(1)), Some(large.clone()));
        assert_eq!(on.line(names[1000]).running, [id(1)]);
        then(on);
    }
}

pub(crate) fn many_keys_come_at_once_each_with_its_own(on: &mut dyn Backend) {
    let names: Vec<String> = (0..500).map(|n| format!("user-{n}")).collect();
    on.commit(Writes {
        calls: (0..500).map(|n| kept(call(n, &["alice", &names[n as usize]]))).collect(),
        lines: (0..500).map(|n| line(&names[n as usize], n).into()).collect(),
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
            calls: vec![kept(ended(call(n, &["alice", "bob"]), 60_000))],
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

// spec: N2
pub(crate) fn the_last_32_requests_of_a_user_are_remembered_in_order(on: &mut dyn Backend) {
    let of = |name: &str, numbers: std::ops::Range<u64>| Writes {
        requests: numbers.map(|no| (user(name), request(no).into())).collect(),
        ..Writes::default()
    };
    on.commit(of("bob", 0..3));
    on.commit(of("bo", 0..1));
    on.commit(of("bob", 3..5));
    for then in THEN {
        assert_eq!(on.requests("bob"), [0, 1, 2, 3, 4]);
        assert_eq!((on.requests("bo"), on.requests("alice")), (vec![0], vec![]));
        then(on);
    }
    // What is in memory and what is in its place are one; and more in one commit than are kept.
    for upto in [33, 60, 61, 200] {
        let last = *on.requests("bob").last().unwrap();
        on.commit(of("bob", last + 1..upto));
        for then in THEN {
            assert_eq!(on.requests("bob"), (upto - 32..upto).collect::<Vec<_>>());
            then(on);
        }
    }
}

pub(crate) fn of_many_versions_the_newest_counts_wherever_it_is(on: &mut dyn Backend) {
    let version = |revision| CallRecord { revision, ..call(1, &["alice", "bob"]) };
    for revision in 0..40 {
        let writes = Writes { lines: vec![line("bob", revision).into()], ..calls([version(revision)]) };
        on.commit(writes);
        match revision % 8 {
            1 => on.tidy(),
            4 => on.reopen(),
            6 => assert_eq!(on.store().running().unwrap(), [version(revision)]),
            _ => {}
        }
        assert_eq!(on.call(id(1)), Some(version(revision)));
        assert_eq!(on.line("bob").line, Some(line("bob", revision)));
        assert_eq!(on.line("bob").running, [id(1)]);
    }
    on.commit(calls([ended(version(40), 7)]));
    for then in THEN {
        assert_eq!(on.call(id(1)), Some(ended(version(40), 7)));
        assert_eq!(on.line("bob").running, []);
        assert_eq!(on.store().running().unwrap(), []);
        then(on);
    }
}

// spec: M1, M4
pub(crate) fn what_was_missed_is_handled_wherever_it_is(on: &mut dyn Backend) {
    let miss = |n| Writes { missed: vec![(user("bob"), missed(n))], ..Writes::default() };
    let handle = |n| Writes { handled: vec![(user("bob"), missed(n).id)], ..Writes::default() };
    for then in THEN {
        on.commit(miss(1));
        on.commit(miss(2));
        then(on);
        on.commit(handle(1));
        assert_eq!(on.missed("bob"), [missed(2)]);
        then(on);
        assert_eq!(on.missed("bob"), [missed(2)]);
        on.commit(miss(1));
        assert_eq!(on.missed("bob"), [missed(1), missed(2)], "it is missed again");
        on.commit(handle(2));
        on.commit(handle(1));
        then(on);
        assert_eq!(on.missed("bob"), []);
    }
}

// spec: L11
pub(crate) fn pages_of_history_go_on_across_tidying(on: &mut dyn Backend) {
    for n in 0..6 {
        on.commit(Writes { history: vec![history("bob", n), history("alice", n)], ..Writes::default() });
        if n == 2 {
            on.tidy();
        }
    }
    let first = on.store().history(&user("bob"), None, 2).unwrap();
    on.commit(Writes { history: vec![history("bob", 9)], ..Writes::default() });
    let second = on.store().history(&user("bob"), first.next, 10).unwrap();
    let seen = first.entries.iter().chain(&second.entries).map(|entry| entry.id.invitation);
    assert!(seen.eq((0..6).rev().map(id)));
    assert_eq!(second.next, None);
    assert_eq!(on.history("bob")[..2], [id(9), id(5)]);
}

// spec: N2
pub(crate) fn tidying_that_fails_loses_nothing(on: &mut dyn Backend) {
    let first = call(1, &["alice", "bob"]);
    on.commit(Writes { history: vec![history("bob", 1)], ..calls([first.clone()]) });
    on.tidy();
    on.commit(Writes { history: vec![history("alice", 1)], ..Writes::default() });
    if !on.break_tidying(true) {
        return;
    }
    for n in 2..5 {
        assert!(matches!(on.store().tidy(true), Err(CommitError::Failed(_))));
        assert_eq!(on.call(id(1)), Some(first.clone()));
        on.commit(Writes { history: vec![history("bob", n)], ..calls([call(n, &["alice", "bob"])]) });
        for _ in 0..2 {
            assert_eq!(on.line("bob").running, (1..=n).map(id).collect::<Vec<_>>());
            assert_eq!(on.store().running().unwrap(), (1..=n).map(|n| call(n, &["alice", "bob"])).collect::<Vec<_>>());
            assert_eq!(on.store().newest().unwrap(), Timestamp(START + n + 60_000));
            assert_eq!(on.history("bob"), (1..=n).rev().map(id).collect::<Vec<_>>());
            on.reopen();
        }
    }
    on.commit(calls([ended(first, 70_000)]));
    assert_eq!(on.store().newest().unwrap(), Timestamp(START + 1 + 70_000));
    let left = [2, 3, 4].map(|n| call(n, &["alice", "bob"]));
    assert_eq!(on.store().running().unwrap(), left);
    on.break_tidying(false);
    on.tidy();
    for then in THEN {
        assert_eq!(on.history("bob"), [4, 3, 2, 1].map(id));
        assert_eq!(on.store().running().unwrap(), left);
        then(on);
    }
}

pub(crate) fn a_write_of_nothing_succeeds(on: &mut dyn Backend) {
    on.commit(Writes::default());
    on.break_commits(true);
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
            the_last_32_requests_of_a_user_are_remembered_in_order
            of_many_versions_the_newest_counts_wherever_it_is
            what_was_missed_is_handled_wherever_it_is
            pages_of_history_go_on_across_tidying
            tidying_that_fails_loses_nothing
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
