//! One call's clauses, one by one: deadlines, who may, who is alone, who comes back, and repeats.

use crate::people::*;
use ringback_core::call::{Call, CallType, Command, EndReason, Hidden, Leaving, Timer, TurnKind, TurnState};
use ringback_core::limits::Limits;
use ringback_core::refusal::Code;
use std::time::Duration;

fn one_to_one() -> Call {
    let mut call = Call::begin(begin(), T0);
    act(&mut call, 0, invite("a", vec![rings("b")]));
    call
}

/// A, and B and C who ring.
fn group() -> Call {
    let mut call = Call::begin(begin(), T0);
    act(&mut call, 0, invite("a", vec![rings("b"), rings("c")]));
    call
}

/// A, B and C are in it since 1 s.
fn trio() -> Call {
    let mut call = group();
    act(&mut call, 1, accept("b", "b-1", 1));
    act(&mut call, 1, accept("c", "c-1", 1));
    call
}

fn refused(call: &Call, seconds: u64, command: Command) -> Code {
    let mut after = call.clone();
    after.handle_timeout(at(seconds), &limits());
    let due = after.clone();
    let refusal = after.handle(command.clone(), at(seconds), &limits()).expect_err(&format!("{command:?}"));
    assert_eq!(after, due, "a refused command changes nothing: {command:?}");
    refusal.code
}

fn nothing_more(call: &Call, seconds: u64, command: Command) {
    let mut after = call.clone();
    act(&mut after, seconds, command.clone());
    assert_eq!(after, *call, "{command:?} again");
}

fn gone(who: &str) -> Command {
    Command::Gone { user: user(who), device: device(&format!("{who}-1")) }
}

fn back(who: &str) -> Command {
    Command::Back { user: user(who), device: device(&format!("{who}-1")) }
}

fn ended(call: &Call) -> Option<EndReason> {
    call.record().ended.map(|(why, _)| why)
}

// spec: L2: at the deadline the time-out counts as having run first
#[test]
fn an_answer_at_the_deadline_is_late_and_one_before_it_is_not() {
    for late in [accept("b", "b-1", 1), reject("b", "b-1", 1, false), reject("b", "b-1", 1, true)] {
        assert_eq!(refused(&one_to_one(), 60, late.clone()), Code::InvitationExpired);
        assert_eq!(refused(&group(), 60, late.clone()), Code::InvitationExpired);
        let mut call = one_to_one();
        let before = at(60) - Duration::from_millis(1);
        call.handle_timeout(before, &limits());
        call.handle(late, before, &limits()).unwrap();
    }
}

// spec: L2, K2: an early time-out is a no-op; each turn has a deadline of its own
#[test]
fn each_turn_has_its_own_deadline() {
    let mut call = one_to_one();
    act(&mut call, 30, invite("a", vec![rings_later("c")]));
    let early = call.clone();
    call.handle_timeout(at(60) - Duration::from_millis(1), &limits());
    assert_eq!((state(&call, "b"), state(&call, "c")), (TurnState::Inviting, TurnState::Inviting));
    assert!(early.running());
    call.handle_timeout(at(60), &limits());
    assert_eq!((state(&call, "b"), state(&call, "c")), (TurnState::TimedOut, TurnState::Inviting));
    call.handle_timeout(at(120), &limits());
    assert_eq!(state(&call, "c"), TurnState::TimedOut);
}

// spec: L1: a device said that it has it; the first such news is a change, the second device's is not one to others
#[test]
fn ringing_is_said_once() {
    let mut call = one_to_one();
    act(&mut call, 0, ringing("b", "b-1", 1));
    let revision = call.record().revision;
    act(&mut call, 1, ringing("b", "b-2", 1));
    nothing_more(&call, 1, ringing("b", "b-1", 1));
    assert_eq!(call.record().revision, revision);
}

// spec: L6: a group ends when one has been alone in it for 60 s with nobody pending
#[test]
fn who_is_alone_in_a_group_for_60_s_ends_it() {
    let mut call = group();
    act(&mut call, 1, reject("b", "b-1", 1, false));
    call.handle_timeout(at(59), &limits());
    assert_eq!(call.record().alone_until, None, "c is pending");
    call.handle_timeout(at(60), &limits());
    assert_eq!(call.poll_timeout(&limits()), Some((at(120), Timer::Alone)), "alone since c timed out");
    let mut later = call.clone();
    act(&mut later, 119, join("b", "b-1"));
    assert_eq!(later.record().alone_until, None, "somebody came");
    act(&mut later, 125, leave("b", "b-1"));
    later.handle_timeout(at(184), &limits());
    assert!(later.running(), "alone anew since 125 s");
    assert_eq!(refused(&call, 120, join("b", "b-1")), Code::CallEnded, "L2: at 60 s it has run first");
    later.handle_timeout(at(185), &limits());
    assert_eq!(ended(&later), Some(EndReason::Alone));
}

// spec: L6: not only the initiator can be alone, and inviting somebody ends being alone
#[test]
fn a_callee_alone_may_invite_and_is_not_alone_then() {
    let mut call = trio();
    act(&mut call, 2, leave("a", "a-1"));
    act(&mut call, 3, leave("c", "c-1"));
    assert_eq!(call.record().alone_until, Some(at(63)));
    act(&mut call, 10, invite("b", vec![rings_later("a")]));
    assert_eq!(call.record().alone_until, None);
    assert_eq!(state(&call, "a"), TurnState::Inviting, "L11");
}

// spec: L6: a group ends when the last one leaves, and who is pending is cancelled
#[test]
fn the_last_one_who_leaves_ends_a_group() {
    let mut call = group();
    act(&mut call, 1, leave("a", "a-1"));
    assert_eq!(ended(&call), Some(EndReason::Left));
    assert_eq!((state(&call, "b"), state(&call, "c")), (TurnState::Cancelled, TurnState::Cancelled));
}

// spec: L6: one-to-one is never left for one alone, and has no 60 s
#[test]
fn one_to_one_ends_with_either() {
    for who in ["a", "b"] {
        let mut call = one_to_one();
        act(&mut call, 1, accept("b", "b-1", 1));
        act(&mut call, 2, leave(who, &format!("{who}-1")));
        assert_eq!(ended(&call), Some(EndReason::Left));
        assert_eq!((state(&call, "a"), state(&call, "b")), (TurnState::Left, TurnState::Left));
        assert_eq!(call.poll_timeout(&limits()), None);
    }
}

// spec: C1, L7: the initiator leaves, and with C1 the call ends for all and nobody can join any more
#[test]
fn the_initiator_leaves_by_c1() {
    for end_when in [false, true] {
        let mut call = Call::begin(ringback_core::call::Begin { end_when_initiator_leaves: end_when, ..begin() }, T0);
        act(&mut call, 0, invite("a", vec![rings("b"), rings("c"), rings("d")]));
        act(&mut call, 1, accept("b", "b-1", 1));
        act(&mut call, 1, reject("d", "d-1", 1, false));
        act(&mut call, 2, leave("a", "a-1"));
        let now = (call.running(), state(&call, "b"), state(&call, "c"));
        if end_when {
            assert_eq!(now, (false, TurnState::Left, TurnState::Cancelled));
            assert_eq!(refused(&call, 3, join("d", "d-1")), Code::CallEnded);
            assert_eq!(refused(&call, 3, join("a", "a-1")), Code::CallEnded);
        } else {
            assert_eq!(now, (true, TurnState::Accepted, TurnState::Inviting));
            act(&mut call, 3, join("d", "d-1"));
            act(&mut call, 3, join("a", "a-1"));
            assert_eq!(state(&call, "a"), TurnState::Accepted, "L5: who left it");
        }
    }
}

// spec: L7, C1: vanishing is leaving (L9)
#[test]
fn an_initiator_who_vanishes_leaves_by_c1() {
    let mut call = Call::begin(ringback_core::call::Begin { end_when_initiator_leaves: true, ..begin() }, T0);
    act(&mut call, 0, invite("a", vec![rings("b"), rings("c")]));
    act(&mut call, 1, accept("b", "b-1", 1));
    act(&mut call, 2, gone("a"));
    call.handle_timeout(at(32), &limits());
    assert!(!call.running());
    assert_eq!(state(&call, "c"), TurnState::Cancelled);
}

// spec: L5: what the initiator who has left may and may not
#[test]
fn an_initiator_who_left_may_join_and_nothing_else() {
    let mut call = group();
    act(&mut call, 1, accept("b", "b-1", 1));
    act(&mut call, 2, leave("a", "a-1"));
    for command in [
        cancel("a", "c", 1),
        cancel_all("a", call.record().revision),
        invite("a", vec![rings("d")]),
        end("a", "a-1"),
        leave("a", "a-2"),
    ] {
        assert_eq!(refused(&call, 3, command), Code::Forbidden, "while accepted");
    }
    act(&mut call, 3, join("a", "a-2"));
    let turn = call.last_turn(&user("a")).unwrap();
    assert_eq!((turn.no, turn.kind), (1, TurnKind::Joined));
    act(&mut call, 4, cancel("a", "c", 1));
    act(&mut call, 4, end("a", "a-2"));
    assert!(!call.running());
}

// spec: L5, L11: whoever's last turn was cancelled, the initiator included, can't join until invited again
#[test]
fn the_cancelled_wait_for_another_invitation() {
    let mut call = trio();
    act(&mut call, 2, leave("a", "a-1"));
    act(&mut call, 3, invite("b", vec![rings("a")]));
    act(&mut call, 4, cancel("b", "a", 1));
    assert_eq!(refused(&call, 5, join("a", "a-1")), Code::Forbidden);
    act(&mut call, 6, invite("c", vec![rings("a")]));
    act(&mut call, 7, accept("a", "a-1", 2));
    assert_eq!(state(&call, "a"), TurnState::Accepted);
}

// spec: L11: who is pending or accepted is refused with `already_invited`, and nothing of the request is done
#[test]
fn nobody_has_two_turns_at_a_time() {
    let mut call = group();
    act(&mut call, 1, accept("b", "b-1", 1));
    for who in ["a", "b", "c"] {
        let turns = vec![rings("new"), rings(who)];
        assert_eq!(refused(&call, 2, invite("a", turns)), Code::AlreadyInvited);
    }
}

// spec: L11, N2: a new turn has a new number, and an answer for the earlier one changes nothing
#[test]
fn an_answer_names_its_turn() {
    let mut call = trio();
    act(&mut call, 2, leave("b", "b-1"));
    act(&mut call, 3, invite("c", vec![rings("b")]));
    let turn = call.last_turn(&user("b")).unwrap();
    assert_eq!((turn.no, turn.inviter.as_str()), (2, "c"));
    assert_eq!(refused(&call, 4, reject("b", "b-2", 1, false)), Code::AnsweredElsewhere);
    assert_eq!(refused(&call, 4, cancel("a", "b", 1)), Code::AnsweredElsewhere);
    nothing_more(&call, 4, accept("b", "b-1", 1));
    assert_eq!(state(&call, "b"), TurnState::Inviting);
}

// spec: L5: cancel by the inviter while accepted, and by the initiator whoever invited
#[test]
fn a_pending_callee_is_cancelled_by_its_inviter_or_the_initiator() {
    let mut call = trio();
    act(&mut call, 2, invite("b", vec![rings("d")]));
    assert_eq!(refused(&call, 3, cancel("c", "d", 1)), Code::Forbidden);
    let mut by_initiator = call.clone();
    act(&mut by_initiator, 3, cancel("a", "d", 1));
    let mut by_inviter = call.clone();
    act(&mut by_inviter, 3, cancel("b", "d", 1));
    assert_eq!(state(&by_inviter, "d"), TurnState::Cancelled);
    act(&mut call, 3, leave("b", "b-1"));
    assert_eq!(refused(&call, 4, cancel("b", "d", 1)), Code::Forbidden, "while accepted");
}

// spec: L5, N2: a cancel of all means those whom the asker may cancel, as of the revision seen
#[test]
fn a_cancel_of_all_touches_no_later_turn_and_nobody_elses() {
    let mut call = trio();
    act(&mut call, 2, invite("b", vec![rings("d")]));
    act(&mut call, 2, invite("c", vec![rings("e")]));
    let seen = call.record().revision;
    act(&mut call, 3, invite("b", vec![rings("f")]));
    let mut bs = call.clone();
    act(&mut bs, 4, cancel_all("b", seen));
    let states = |call: &Call| ["d", "e", "f"].map(|who| state(call, who));
    assert_eq!(states(&bs), [TurnState::Cancelled, TurnState::Inviting, TurnState::Inviting]);
    act(&mut call, 4, cancel_all("a", seen));
    assert_eq!(states(&call), [TurnState::Cancelled, TurnState::Cancelled, TurnState::Inviting]);
}

// spec: N2: a repeat takes effect once and answers the same, whatever has happened since
#[test]
fn repeats_change_nothing_more() {
    let mut call = one_to_one();
    act(&mut call, 1, reject("b", "b-1", 1, false));
    nothing_more(&call, 2, reject("b", "b-1", 1, false));

    let mut call = one_to_one();
    act(&mut call, 1, cancel("a", "b", 1));
    nothing_more(&call, 2, cancel("a", "b", 1));

    let mut call = trio();
    act(&mut call, 2, invite("a", vec![rings("d"), rings("e")]));
    let seen = call.record().revision;
    act(&mut call, 3, accept("e", "e-1", 1));
    act(&mut call, 4, cancel_all("a", seen));
    nothing_more(&call, 5, cancel_all("a", seen));
    act(&mut call, 5, invite("b", vec![rings("d")]));
    nothing_more(&call, 6, cancel_all("a", seen));

    act(&mut call, 7, leave("b", "b-1"));
    nothing_more(&call, 8, leave("b", "b-1"));
    act(&mut call, 9, join("b", "b-1"));
    nothing_more(&call, 10, leave("b", "b-1"));
    act(&mut call, 11, end("a", "a-1"));
    nothing_more(&call, 12, end("a", "a-1"));
    nothing_more(&call, 12, accept("c", "c-1", 1));
}

// spec: L3, N2: a second accept is refused, of the same device too; the first one's repeat is none
#[test]
fn a_second_accept_is_no_repeat() {
    let mut call = one_to_one();
    act(&mut call, 1, accept("b", "b-1", 1));
    let second = Command::Accept { callee: user("b"), asked: asked("b-1", "second"), turn: 1 };
    assert_eq!(refused(&call, 2, second.clone()), Code::AnsweredElsewhere);
    act(&mut call, 3, leave("b", "b-1"));
    assert_eq!(refused(&call, 4, second), Code::AnsweredElsewhere);
    nothing_more(&call, 4, accept("b", "b-1", 1));
}

// spec: C9, C10, L5: who may invite into a running call
#[test]
fn inviting_in_a_call_goes_by_c9_and_c10() {
    for (c9, c10, initiator, participant) in [
        (false, false, false, false),
        (false, true, false, false),
        (true, false, true, true),
        (true, true, true, false),
    ] {
        let mut call = Call::begin(
            ringback_core::call::Begin { can_invite_in_calling: c9, only_initiator_can_invite: c10, ..begin() },
            T0,
        );
        act(&mut call, 0, invite("a", vec![rings("b")]));
        act(&mut call, 1, accept("b", "b-1", 1));
        for (who, may) in [("a", initiator), ("b", participant)] {
            if may {
                let mut call = call.clone();
                act(&mut call, 2, invite(who, vec![rings("c")]));
                assert!(call.record().group, "§1: ever more than one invitee");
            } else {
                let code = refused(&call, 2, invite(who, vec![rings("c")]));
                assert_eq!(code, Code::Forbidden);
            }
        }
    }
}

// spec: §1: invitees who were unreachable or busy at once count for a group: every turn does
#[test]
fn every_turn_counts_for_a_group() {
    let mut call = Call::begin(begin(), T0);
    let turns = vec![rings("b"), at_once("c", TurnState::Unreachable)];
    act(&mut call, 0, invite("a", turns));
    assert!(call.record().group);
    act(&mut call, 1, reject("b", "b-1", 1, false));
    assert!(call.running(), "L6: a group goes on for 60 s");
}

// spec: V3: if all are unreachable the invitation ends; one who isn't holds it
#[test]
fn a_call_that_reaches_nobody_ends_at_once() {
    for callees in [vec!["b"], vec!["b", "c"]] {
        let mut call = Call::begin(begin(), T0);
        let turns = callees.iter().map(|who| at_once(who, TurnState::Unreachable));
        act(&mut call, 0, invite("a", turns.collect()));
        assert_eq!(ended(&call), Some(EndReason::Unreachable));
        assert_eq!(state(&call, "b"), TurnState::Unreachable);
    }
}

// spec: L9: 30 s to come back; whoever does goes on as if nothing had been
#[test]
fn who_comes_back_within_the_grace_stays() {
    let mut call = trio();
    let before = call.clone();
    act(&mut call, 2, gone("b"));
    assert_eq!(call.poll_timeout(&limits()), Some((at(32), Timer::Grace)));
    act(&mut call, 10, gone("b"));
    assert_eq!(call.poll_timeout(&limits()), Some((at(32), Timer::Grace)), "the grace counts from when it went");
    act(&mut call, 31, back("b"));
    assert_eq!(call, before);
    act(&mut call, 40, gone("b"));
    call.handle_timeout(at(70), &limits());
    let turn = call.last_turn(&user("b")).unwrap();
    assert_eq!((turn.state, turn.leaving), (TurnState::Left, Some(Leaving::Lost)));
    assert!(call.running());
}

// spec: L9: the device in the call counts, no other of the same user
#[test]
fn another_device_that_goes_is_no_loss() {
    let mut call = trio();
    let other = Command::Gone { user: user("b"), device: device("b-2") };
    nothing_more(&call, 2, other);
    act(&mut call, 2, gone("b"));
    let other = Command::Back { user: user("b"), device: device("b-2") };
    nothing_more(&call, 3, other);
}

// spec: L9, L6: vanishing is leaving; a callee who rings is cancelled by a caller who vanished (M1)
#[test]
fn a_caller_who_vanishes_stops_the_ring() {
    let mut call = one_to_one();
    act(&mut call, 2, gone("a"));
    call.handle_timeout(at(32), &limits());
    assert_eq!(state(&call, "b"), TurnState::Cancelled);
    assert!(!call.running());
}

// spec: L2, L9: timers that come due together run the earliest first
#[test]
fn late_timers_run_in_their_order() {
    let mut call = one_to_one();
    act(&mut call, 40, gone("a"));
    call.handle_timeout(at(500), &limits());
    assert_eq!(state(&call, "b"), TurnState::TimedOut, "60 s is before 70 s");
    let mut call = one_to_one();
    act(&mut call, 20, gone("a"));
    call.handle_timeout(at(500), &limits());
    assert_eq!(state(&call, "b"), TurnState::Cancelled, "50 s is before 60 s");
}

// spec: N4, G5: the reminder names the turn once, and no hidden one
#[test]
fn the_reminder_comes_once_after_2_s() {
    let mut call = Call::begin(begin(), T0);
    let turns = vec![rings("b"), hidden("c", Hidden::DoNotDisturb)];
    act(&mut call, 0, invite("a", turns));
    let revision = call.record().revision;
    assert_eq!(call.poll_timeout(&limits()), Some((at(2), Timer::Remind)));
    let due = call.handle_timeout(at(2), &limits());
    assert_eq!(due.remind, vec![(user("b"), 1)]);
    assert_eq!(call.handle_timeout(at(3), &limits()).remind, vec![]);
    assert_eq!(call.record().revision, revision, "nobody sees it");
}

// spec: L10, D8: voice unless both are video; in a group the call's type stays
#[test]
fn a_crossing_is_voice_unless_both_are_video() {
    for (theirs, becomes) in [(CallType::Video, CallType::Video), (CallType::Voice, CallType::Voice)] {
        let mut call = one_to_one();
        let cross = Command::Cross { callee: user("b"), asked: asked("b-1", "send"), call_type: Some(theirs) };
        act(&mut call, 1, cross.clone());
        assert_eq!(call.record().call_type, becomes);
        assert_eq!(state(&call, "b"), TurnState::Accepted);
    }
}

// spec: §10, K5: a participant's turns are bounded, the oldest go
#[test]
fn turns_are_bounded() {
    let limits = Limits { turns_kept: 3, ..limits() };
    let mut call = trio();
    for n in 0..6 {
        let asked = |what: &str| asked("b-1", &format!("{what}-{n}"));
        let (user, now) = (user("b"), at(2 + n));
        let leave = Command::Leave { user: user.clone(), asked: asked("leave") };
        call.handle(leave, now, &limits).unwrap();
        let join = Command::Join { user, asked: asked("join") };
        call.handle(join, now, &limits).unwrap();
    }
    let turns = &call.participant(&user("b")).unwrap().turns;
    let numbers: Vec<_> = turns.iter().map(|t| t.no).collect();
    assert_eq!(numbers, [5, 6, 7]);
}

// spec: K8: `from_record` checks invariants
#[test]
fn a_record_that_cannot_be_is_refused() {
    type Break = fn(&mut ringback_core::call::CallRecord);
    let breaks: &[(&str, Break)] = &[
        ("nobody", |r| r.participants.clear()),
        ("no turn", |r| r.participants[1].turns.clear()),
        ("two turns that go on", |r| {
            let mut turn = r.participants[1].turns[0].clone();
            turn.no += 1;
            r.participants[1].turns.push(turn);
        }),
        ("numbers", |r| {
            let mut turn = r.participants[1].turns[0].clone();
            turn.state = TurnState::Left;
            r.participants[1].turns.insert(0, turn);
        }),
        ("ended and ringing", |r| r.ended = Some((EndReason::Ended, T0))),
        ("accepted by nobody's device", |r| {
            r.participants[0].turns[0].answered = None;
        }),
        ("a grace for who isn't in it", |r| {
            r.participants[1].turns[0].grace = Some(T0);
        }),
        ("nobody in it", |r| {
            r.participants[0].turns[0].state = TurnState::Left;
        }),
    ];
    for (what, spoil) in breaks {
        let mut record = one_to_one().into_record();
        assert!(Call::from_record(record.clone()).is_ok());
        spoil(&mut record);
        assert!(Call::from_record(record).is_err(), "{what}");
    }
}
