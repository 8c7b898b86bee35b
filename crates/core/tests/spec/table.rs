//! Every turn state × command × who asks: the last two columns are §4 of the spec, by hand.

mod rows;

use crate::people::*;
use Hidden::{Blocked, BlockedLater, DoNotDisturb};
use TurnState::*;
use ringback_core::call::{Call, CallType, Command, EndReason, Hidden, TurnState};
use ringback_core::refusal::Code;
use std::collections::BTreeMap;

/// Where the callee's newest turn stands, hidden or not.
type State = (TurnState, Option<Hidden>);

const fn open(state: TurnState) -> State {
    (state, None)
}

/// A pending turn that the callee knows of.
const P: &[State] = &[open(Inviting), open(Ringing)];
/// A hidden turn that the callee was never told of.
const H: &[State] = &[(Inviting, Some(DoNotDisturb)), (Inviting, Some(Blocked))];
/// One that was hidden while it rang.
const L: &[State] = &[(Ringing, Some(BlockedLater))];
/// Do-not-disturb hid it until it ended: then the callee is told (M1).
const DISTURBED_OUT: &[State] = &[(TimedOut, Some(DoNotDisturb))];
const DISTURBED_OFF: &[State] = &[(Cancelled, Some(DoNotDisturb))];
/// A block hid it, and hides it for good.
const BLOCKED_OUT: &[State] = &[(TimedOut, Some(Blocked))];
const BLOCKED_OFF: &[State] = &[(Cancelled, Some(Blocked))];
const HIDDEN_OUT: &[State] = &[DISTURBED_OUT[0], BLOCKED_OUT[0]];
const DECLINED_LATER: &[State] = &[(TimedOut, Some(BlockedLater))];
/// Everything that the others take for pending.
const PENDING: &[State] = &[P[0], P[1], H[0], H[1], L[0]];
const ACCEPTED: &[State] = &[open(Accepted)];
const LEFT: &[State] = &[open(Left)];
const CANCELLED: &[State] = &[open(Cancelled)];
const TIMED_OUT: &[State] = &[open(TimedOut)];
/// Ended, neither cancelled nor timed out.
const ANSWERED: &[State] = &[open(Left), open(Declined), open(Busy), open(Unreachable)];
const ENDED: &[State] = &[open(Left), open(Declined), open(Busy), open(Cancelled), open(TimedOut), open(Unreachable)];
/// From which a callee may join.
const JOINABLE: &[State] = &[open(Left), open(Declined), open(Busy), open(TimedOut), open(Unreachable)];
const RUNNING: &[State] = &[P[0], P[1], H[0], H[1], L[0], open(Accepted)];
const ALL: &[State] = &[
    P[0],
    P[1],
    H[0],
    H[1],
    L[0],
    open(Accepted),
    open(Left),
    open(Declined),
    open(Busy),
    open(Cancelled),
    open(TimedOut),
    open(Unreachable),
];

/// `A` sent it, `B` is the callee whose state it is, `C` is a third who accepted, `S` has no part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    A,
    B,
    C,
    S,
}
use Who::{A, B, C, S};
use rows::{DISCLOSED, GROUP, ONE_TO_ONE, OVER};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    Ring,
    Accept,
    Reject,
    RejectBusy,
    /// B's turn.
    Cancel,
    CancelAll,
    /// Someone new.
    Invite,
    /// B.
    InviteAgain,
    Join,
    Leave,
    /// From another device of the same user.
    LeaveElsewhere,
    End,
    /// Of the line and the shell: nobody may be refused them, they do or they don't.
    Cross,
    Withdraw,
    Engage,
    Hide,
    Gone,
    Back,
    TakeOut,
    /// The clock at the deadline.
    Deadline,
}

const ASKS: &[Ask] = &[
    Ask::Ring,
    Ask::Accept,
    Ask::Reject,
    Ask::RejectBusy,
    Ask::Cancel,
    Ask::CancelAll,
    Ask::Invite,
    Ask::InviteAgain,
    Ask::Join,
    Ask::Leave,
    Ask::LeaveElsewhere,
    Ask::End,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// B's turn goes there; nobody else's changes and the call runs on.
    To(TurnState),
    /// A new turn of the asker, accepted.
    Joins,
    /// A new pending turn of the one invited, and a group.
    Invites,
    /// The asker has left; nobody else's turn changes and the call runs on.
    Leaves,
    /// B's turn is there and the call is over.
    Over(TurnState, EndReason),
    /// Refused; nothing changed.
    No(Code),
    /// Nothing changed, refused or not.
    Inert,
    /// Done, and nobody's state changed.
    Same,
}
use Want::{Inert, Invites, Joins, Leaves, No, Over, Same, To};

type Row = (&'static [State], Who, Ask, Want, &'static str);

const EXPIRED: Want = No(Code::InvitationExpired);
const GONE: Want = No(Code::Cancelled);
const ELSEWHERE: Want = No(Code::AnsweredElsewhere);
const FORBIDDEN: Want = No(Code::Forbidden);
const ENDED_CALL: Want = No(Code::CallEnded);
const UNKNOWN: Want = No(Code::NotFound);

fn name(who: Who) -> &'static str {
    match who {
        A => "a",
        B => "b",
        C => "c",
        S => "s",
    }
}

fn command(call: &Call, who: Who, ask: Ask) -> Command {
    let me = name(who);
    let on = format!("{me}-1");
    let turn = u32::from(who != A);
    let callee = user(me);
    match ask {
        Ask::Ring => ringing(me, &on, turn),
        Ask::Accept => Command::Accept { callee, asked: asked(&format!("{me}-2"), "another"), turn },
        Ask::Reject | Ask::RejectBusy => {
            Command::Reject { callee, asked: asked(&format!("{me}-2"), "another"), turn, busy: ask == Ask::RejectBusy }
        }
        Ask::Cancel => cancel_by(me, &ringback_core::step::CancelWhom::Turn { callee: user("b"), turn: 1 }),
        Ask::CancelAll => cancel_by(me, &ringback_core::step::CancelWhom::All { seen: call.record().revision }),
        Ask::Invite => invite(me, vec![rings_later("new")]),
        Ask::InviteAgain => invite(me, vec![rings_later("b")]),
        Ask::Join => join(me, &on),
        Ask::Leave => Command::Leave { user: callee, asked: asked(&on, "another") },
        Ask::LeaveElsewhere => leave(me, &format!("{me}-2")),
        Ask::End => Command::End { user: callee, asked: asked(&on, "another") },
        Ask::Cross => Command::Cross {
            callee,
            asked: asked(&on, "cross"),
            call_type: (!call.record().group).then_some(CallType::Voice),
        },
        Ask::Withdraw => Command::Withdraw,
        Ask::Engage => Command::Engage { callee },
        Ask::Hide => Command::Hide { callee },
        Ask::Gone => Command::Gone { user: callee, device: device(&on) },
        Ask::Back => Command::Back { user: callee, device: device(&on) },
        Ask::TakeOut => Command::TakeOut { user: callee },
        Ask::Deadline => unreachable!("the clock asks nothing"),
    }
}

fn cancel_by(who: &str, whom: &ringback_core::step::CancelWhom) -> Command {
    Command::Cancel { by: user(who), asked: asked(&format!("{who}-1"), "another"), whom: whom.clone() }
}

/// A call in which B's newest turn, its first, stands so at 10 s; or at 60 s where only the clock brings it there.
fn call_with(group: bool, (state, hide): State) -> (Call, u64) {
    let mut call = Call::begin(begin(), T0);
    let bs = match (state, hide) {
        (Unreachable, _) => at_once("b", Unreachable),
        (_, Some(h @ (DoNotDisturb | Blocked))) => hidden("b", h),
        _ => rings("b"),
    };
    let turns = if group { vec![bs, rings("c")] } else { vec![bs] };
    act(&mut call, 0, invite("a", turns));
    if group {
        act(&mut call, 1, accept("c", "c-1", 1));
    }
    let mut clock = 10;
    if hide == Some(BlockedLater) {
        act(&mut call, 1, ringing("b", "b-1", 1));
        act(&mut call, 1, Command::Hide { callee: user("b") });
    }
    match (state, hide) {
        (Ringing, Some(_)) => {}
        (Ringing, None) => act(&mut call, 1, ringing("b", "b-1", 1)),
        (Accepted, _) => act(&mut call, 1, accept("b", "b-1", 1)),
        (Left, _) => {
            act(&mut call, 1, accept("b", "b-1", 1));
            act(&mut call, 2, leave("b", "b-1"));
        }
        (Declined, _) => act(&mut call, 1, reject("b", "b-1", 1, false)),
        (Busy, _) => act(&mut call, 1, reject("b", "b-1", 1, true)),
        (Cancelled, _) => act(&mut call, 1, cancel("a", "b", 1)),
        (TimedOut, _) => {
            clock = 60;
            call.handle_timeout(at(60), &limits());
        }
        (Inviting | Unreachable, _) => {}
    }
    call.handle_timeout(at(clock), &limits());
    let turn = call.last_turn(&user("b")).unwrap();
    assert_eq!((turn.state, turn.hidden), (state, hide), "the set-up");
    (call, clock)
}

fn states(call: &Call) -> BTreeMap<String, Vec<TurnState>> {
    call.record()
        .participants
        .iter()
        .map(|p| {
            let turns = p.turns.iter().map(|t| t.state).collect();
            (p.person.id.to_string(), turns)
        })
        .collect()
}

/// Says what is wrong with one cell, if anything is.
fn check(before: &Call, clock: u64, who: Who, ask: Ask, want: Want) -> Result<(), String> {
    let mut call = before.clone();
    let clock = if ask == Ask::Deadline { clock.max(60) } else { clock };
    let answer = if ask == Ask::Deadline {
        call.handle_timeout(at(clock), &limits());
        Ok(())
    } else {
        call.handle(command(before, who, ask), at(clock), &limits())
    };
    let fail = |what: &str| Err(format!("{what}: {answer:?}, {:?}, ended {:?}", states(&call), call.record().ended));
    let code = answer.as_ref().err().map(|r| r.code);
    let mut wanted = states(before);
    match want {
        No(want) if code != Some(want) => return fail("the wrong answer"),
        To(_) | Joins | Invites | Leaves | Over(..) | Same if code.is_some() => {
            return fail("refused");
        }
        No(_) | Inert if call != *before => return fail("something changed"),
        No(_) | Inert | Same => {}
        To(state) => *wanted.get_mut("b").unwrap().last_mut().unwrap() = state,
        Joins => wanted.get_mut(name(who)).unwrap().push(Accepted),
        Invites => {
            let whom = if ask == Ask::Invite { "new" } else { "b" };
            wanted.entry(whom.into()).or_default().push(Inviting);
            if !call.record().group {
                return fail("not a group");
            }
        }
        Leaves => *wanted.get_mut(name(who)).unwrap().last_mut().unwrap() = Left,
        Over(state, reason) => {
            *wanted.get_mut("b").unwrap().last_mut().unwrap() = state;
            for turns in wanted.values_mut() {
                for turn in turns.iter_mut().filter(|t| **t == Accepted) {
                    *turn = Left;
                }
            }
            if call.record().ended.map(|(why, _)| why) != Some(reason) {
                return fail("ended otherwise");
            }
        }
    }
    if !matches!(want, Over(..)) && call.running() != before.running() {
        return fail("the call's end");
    }
    if states(&call) != wanted {
        return fail("the wrong states");
    }
    let mut again = call.clone();
    again.handle_timeout(at(clock), &limits());
    if again != call {
        return fail("time-outs that are due did not run");
    }
    match Call::from_record(call.clone().into_record()) {
        Ok(read) if read == call => Ok(()),
        _ => fail("does not survive its record (K8)"),
    }
}

fn check_all(group: bool, over: bool, rows: &[Row]) {
    let mut wrong = Vec::new();
    let mut cells = 0;
    for (states, who, ask, want, clause) in rows {
        for state in *states {
            let (mut call, clock) = call_with(group, *state);
            if over {
                act(&mut call, clock, end("a", "a-1"));
            }
            cells += 1;
            if let Err(why) = check(&call, clock, *who, *ask, *want) {
                wrong.push(format!("{state:?} {who:?} {ask:?}: {want:?} by {clause}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells} cells:\n{}", wrong.len(), wrong.join("\n"));
}

/// Each state × command of these people must stand in the table exactly once.
fn complete(rows: &[Row], people: &[Who], states: &[State]) {
    for who in people {
        for ask in ASKS {
            for state in states {
                let cells = rows.iter().filter(|(of, w, a, _, _)| w == who && a == ask && of.contains(state)).count();
                let asks_itself = *who == B && *ask == Ask::InviteAgain;
                let expected = usize::from(!asks_itself);
                assert!(
                    cells == expected || (cells == 0 && *who == A),
                    "{state:?} {who:?} {ask:?} stands there {cells} times"
                );
            }
        }
    }
}

// spec: L1-L6, L8, L9, L10, L11, L13, M1: one-to-one, a clause a cell
#[test]
fn one_to_one_every_state_and_command() {
    complete(ONE_TO_ONE, &[A, B], ALL);
    check_all(false, false, ONE_TO_ONE);
}

// spec: L1-L9, L11, L13, C9, D8, M1: in a group, a clause a cell
#[test]
fn group_every_state_and_command() {
    complete(GROUP, &[A, B, C], ALL);
    check_all(true, false, GROUP);
}

// spec: L5: anything else is `call_ended` if the call is over
#[test]
fn a_group_that_is_over() {
    check_all(true, true, OVER);
}

// spec: L5, L13, M1: what was hidden and is over
#[test]
fn what_was_hidden_and_is_over() {
    check_all(true, false, DISCLOSED);
}

// spec: L5: who has had no turn in it gets `not_found`, as if it did not exist
#[test]
fn a_stranger_is_told_of_nothing() {
    for group in [false, true] {
        for state in ALL {
            let (call, clock) = call_with(group, *state);
            for ask in ASKS {
                if let Err(why) = check(&call, clock, S, *ask, UNKNOWN) {
                    panic!("{state:?} {ask:?}: {why}");
                }
            }
        }
    }
}
