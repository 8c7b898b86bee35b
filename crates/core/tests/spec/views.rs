//! What each user may see of a call, and what must look the same to whom (K5, L13, S16, N1).

use crate::people::*;
use ringback_core::call::{Begin, Call, CallView, Command, Hidden, TurnState};
use ringback_core::limits::LISTED;
use ringback_core::time::Timestamp;

/// Everything that a user is shown through a script, and when it next changes by itself.
fn shown(call: &Call, who: &str) -> Option<CallView> {
    call.view(&user(who))
}

/// What the caller does and what the clock does while B says nothing, being off or not told.
fn silent_b(b: ringback_core::call::NewTurn, group: bool) -> Call {
    let mut call = Call::begin(begin(), T0);
    let turns = if group { vec![b, rings("c")] } else { vec![b] };
    act(&mut call, 0, invite("a", turns));
    call
}

type Script = &'static [(u64, fn() -> Option<Command>)];

/// Ways on for those who are not B; `None` is the clock alone.
const SCRIPTS: &[(&str, bool, Script)] = &[
    ("rings out", false, &[(2, || None), (59, || None), (60, || None)]),
    ("cancelled", false, &[(2, || None), (5, || Some(cancel("a", "b", 1)))]),
    ("all cancelled", false, &[(5, || Some(cancel_all("a", 99)))]),
    ("the caller leaves", false, &[(5, || Some(leave("a", "a-1")))]),
    (
        "the caller vanishes",
        false,
        &[(5, || Some(Command::Gone { user: user("a"), device: device("a-1") })), (35, || None)],
    ),
    (
        "more are invited",
        false,
        &[
            (5, || Some(invite("a", vec![rings("d")]))),
            (6, || Some(accept("d", "d-1", 1))),
            (60, || None),
            (61, || Some(invite("d", vec![rings_later("b")]))),
        ],
    ),
    (
        "a group rings out",
        true,
        &[(1, || Some(accept("c", "c-1", 1))), (60, || None), (70, || Some(leave("c", "c-1"))), (130, || None)],
    ),
    ("a group ends", true, &[(1, || Some(accept("c", "c-1", 1))), (9, || Some(end("a", "a-1")))]),
    ("in a group nobody answers", true, &[(60, || None), (119, || None), (120, || None)]),
];

/// One line for each moment: what each of the others sees, what is answered, and the next moment of change.
fn trace(mut call: Call, script: Script) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |call: &Call, answer: String| {
        let views = ["a", "c", "d"].map(|who| shown(call, who));
        let next = deadline(call);
        lines.push(format!("{answer} {next:?} {views:?}"));
    };
    line(&call, String::new());
    for (seconds, command) in script {
        call.handle_timeout(at(*seconds), &limits());
        let answer = command().map(|c| call.handle(c, at(*seconds), &limits()));
        line(&call, format!("{seconds}: {answer:?}"));
    }
    lines
}

/// When others next see a change; a reminder is none.
fn deadline(call: &Call) -> Option<Timestamp> {
    let mut call = call.clone();
    while let Some((at, _)) = call.poll_timeout(&limits()) {
        let before = call.view(&user("a"));
        call.handle_timeout(at, &limits());
        if call.view(&user("a")) != before {
            return Some(at);
        }
    }
    None
}

// spec: L13: in state, timing and errors exactly what a callee whose devices are all off gives
#[test]
fn a_hidden_turn_looks_like_devices_that_are_off() {
    for (what, group, script) in SCRIPTS {
        let off = trace(silent_b(rings("b"), *group), script);
        for how in [Hidden::Blocked, Hidden::DoNotDisturb] {
            let told_nothing = trace(silent_b(hidden("b", how), *group), script);
            assert_eq!(told_nothing, off, "{what}, {how:?}");
        }
    }
}

// spec: L13: a block while it rings is unchanged to the others until the deadline
#[test]
fn a_block_while_it_rings_is_not_seen() {
    for (what, group, script) in SCRIPTS {
        let mut unblocked = silent_b(rings("b"), *group);
        act(&mut unblocked, 0, ringing("b", "b-1", 1));
        let mut blocked = unblocked.clone();
        act(&mut blocked, 0, Command::Hide { callee: user("b") });
        assert_eq!(trace(blocked, script), trace(unblocked, script), "{what}");
    }
}

// spec: L13: devices that had S4 get S6, saying declined; it is newer than what they have, and stays
#[test]
fn who_blocks_while_it_rings_sees_it_declined() {
    let mut call = silent_b(rings("b"), false);
    act(&mut call, 0, ringing("b", "b-1", 1));
    let before = shown(&call, "b").unwrap();
    act(&mut call, 1, Command::Hide { callee: user("b") });
    let after = shown(&call, "b").unwrap();
    assert!(after.revision > before.revision);
    assert_eq!(after.own[0].state, TurnState::Declined);
    assert_eq!(call.record().revision, before.revision, "nobody else's revision tells");
    call.handle_timeout(at(60), &limits());
    let over = shown(&call, "b").unwrap();
    assert_eq!(over.own[0].state, TurnState::Declined);
    assert!(over.revision > after.revision);
}

// spec: L13, N1: no device is told of a hidden turn; do-not-disturb's is told when it ended (M1), a blocked one's never
#[test]
fn a_hidden_turn_is_not_shown_to_its_callee() {
    for (how, disclosed) in [(Hidden::Blocked, false), (Hidden::DoNotDisturb, true)] {
        let mut call = silent_b(hidden("b", how), false);
        assert_eq!(shown(&call, "b"), None);
        assert_eq!(call.page(&user("b"), 0, 100), None);
        assert_eq!(call.short_view(&user("b")), None);
        call.handle_timeout(at(60), &limits());
        assert_eq!(shown(&call, "b").is_some(), disclosed, "{how:?}");
    }
}

// spec: L13: a hidden second turn leaves what the callee knew of the first
#[test]
fn a_hidden_turn_after_a_known_one_is_passed_over() {
    let mut call = silent_b(rings("b"), true);
    act(&mut call, 1, accept("c", "c-1", 1));
    act(&mut call, 2, reject("b", "b-1", 1, false));
    let knew = shown(&call, "b").unwrap();
    act(&mut call, 3, invite("a", vec![hidden("b", Hidden::Blocked)]));
    let knows = shown(&call, "b").unwrap();
    assert_eq!(knows.own, knew.own);
    assert!(knows.can_join, "L5: the turn before it decides");
    act(&mut call, 4, join("b", "b-1"));
    let turns = &call.participant(&user("b")).unwrap().turns;
    assert_eq!(turns.len(), 2, "L13: accepted by its callee's own join");
    assert_eq!(state(&call, "b"), TurnState::Accepted);
}

// spec: K5: a stranger never gets a view
#[test]
fn who_has_no_part_sees_nothing() {
    let call = silent_b(rings("b"), true);
    assert_eq!(shown(&call, "s"), None);
    assert_eq!(call.short_view(&user("s")), None);
    assert_eq!(call.page(&user("s"), 0, 100), None);
}

fn crowd(others: usize) -> Call {
    let mut call = Call::begin(begin(), T0);
    let turns = (0..others).map(|n| rings(&format!("u{n:03}"))).collect();
    act(&mut call, 0, invite("a", turns));
    call
}

// spec: S16, K5: at most 20 participants, the last changed, and their number; who called is always among them
#[test]
fn a_view_lists_twenty() {
    let mut call = crowd(100);
    for n in (50..75).rev() {
        act(&mut call, 1, ringing(&format!("u{n:03}"), "d", 1));
    }
    for who in ["a", "u000", "u060"] {
        let view = shown(&call, who).unwrap();
        assert_eq!((view.others.len(), view.others_count), (LISTED, 100));
        assert!(view.others.iter().all(|o| o.person.id != user(who)));
        let changed: Vec<_> = view.others.iter().map(|o| o.changed).collect();
        assert!(changed.is_sorted_by(|a, b| a >= b));
        if who != "a" {
            assert!(view.others.iter().any(|o| o.person.id == user("a")));
        }
        let newest = if who == "u060" { 61 } else { 60 };
        assert!(
            view.others.iter().any(|o| o.person.id == user(&format!("u{newest:03}"))),
            "who changed late is listed"
        );
    }
}

// spec: S16: the rest is fetched, in pages that miss nobody
#[test]
fn pages_list_everybody_once() {
    let call = crowd(45);
    let mut seen = Vec::new();
    for offset in [0, 20, 40] {
        let page = call.page(&user("u003"), offset, 20).unwrap();
        seen.extend(page.others.into_iter().map(|o| o.person.id));
    }
    assert_eq!(seen.len(), 45);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 45);
    assert!(!seen.contains(&user("u003")));
}

// spec: N1: state at a connection comes without long `customData`, which is fetched
#[test]
fn a_connection_is_sent_only_short_custom_data() {
    for (bytes, sent) in [(0, true), (256, true), (257, false)] {
        let text = "x".repeat(bytes);
        let data = Begin { custom_data: text.as_str().into(), ..begin() };
        let call = Call::begin(data, T0);
        let view = call.short_view(&user("a")).unwrap();
        assert_eq!(view.custom_data.is_some(), sent);
        let whole = call.view(&user("a")).unwrap().custom_data;
        assert_eq!(whole.as_deref(), Some(text.as_str()));
    }
}

// spec: K5: a revision for each change that somebody may see, and none without
#[test]
fn what_changes_is_newer() {
    let mut call = silent_b(rings("b"), true);
    let mut last = shown(&call, "a").unwrap();
    for (seconds, command) in [
        (1, ringing("b", "b-1", 1)),
        (2, accept("b", "b-1", 1)),
        (3, reject("c", "c-1", 1, false)),
        (4, join("c", "c-1")),
        (5, leave("b", "b-1")),
        (6, invite("a", vec![rings("d")])),
        (7, cancel("a", "d", 1)),
        (8, end("a", "a-1")),
    ] {
        act(&mut call, seconds, command.clone());
        let view = shown(&call, "a").unwrap();
        assert!(view.revision > last.revision, "{command:?}");
        last = view;
    }
}
