//! What the fixture of format 1 says, written out by hand: every field set somewhere and unset elsewhere, every name.

use ringback_core::call::{
    Asked, Call, CallRecord, CallType, EndReason, Hidden, Leaving, MissedReason, Mode, ParticipantRecord, TurnKind,
    TurnRecord, TurnState,
};
use ringback_core::id::{CallId, DeviceId, InvitationId, MissedId, Person, RequestId, UserId};
use ringback_core::line::{
    DeviceConfig, DeviceRecord, Direction, DoNotDisturb, HistoryRecord, LineRecord, Made, MissedCall, Outcome,
    Remembered,
};
use ringback_core::refusal::Code;
use ringback_core::step::Writes;
use ringback_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The moment that all others count from, in ms.
const T: u64 = 1_790_000_000_000;

fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

fn device(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

fn request(text: &str) -> RequestId {
    RequestId::new(text).unwrap()
}

fn call_id(text: &str) -> CallId {
    CallId::new(text).unwrap()
}

fn invitation(last: u8) -> InvitationId {
    format!("0190b5e4-7c1e-7000-8000-0000000000{last:02x}").parse().unwrap()
}

fn at(ms: u64) -> Timestamp {
    Timestamp(T + ms)
}

fn asked(by: &str, named: &str) -> Asked {
    Asked { device: device(by), request: request(named) }
}

fn person(id: &str, name: &str) -> Person {
    Person { id: user(id), name: name.into() }
}

/// A turn of which only the start is known.
fn turn(no: u32, kind: TurnKind, state: TurnState) -> TurnRecord {
    TurnRecord {
        no,
        kind,
        inviter: user("alice"),
        at: at(0),
        since: 1,
        deadline: at(60_000),
        state,
        hidden: None,
        rang: vec![],
        reminded: false,
        answered: None,
        closed: None,
        grace: None,
        ended_at: None,
        leaving: None,
        missed: None,
        crossed: false,
    }
}

fn participant(person: Person, turns: Vec<TurnRecord>) -> ParticipantRecord {
    ParticipantRecord { person, changed: 1, private: 0, turns }
}

/// A one-to-one call as small as can be, ended or not.
fn small(last: u8, ended: Option<(EndReason, Timestamp)>) -> CallRecord {
    let origin = TurnRecord { deadline: at(0), ..turn(0, TurnKind::Origin, TurnState::Accepted) };
    CallRecord {
        id: invitation(last),
        call_id: call_id("c-1"),
        call_type: CallType::Voice,
        mode: Mode::General,
        end_when_initiator_leaves: false,
        can_invite_in_calling: false,
        only_initiator_can_invite: false,
        custom_data: "".into(),
        resource_id: None,
        title: None,
        message: None,
        at: at(0),
        revision: 1,
        group: false,
        dial_back: false,
        participants: vec![
            participant(person("alice", "Alice"), vec![origin]),
            participant(person("bob", ""), vec![turn(1, TurnKind::Invited, TurnState::Inviting)]),
        ],
        alone_until: None,
        ended,
        ended_by: None,
    }
}

/// A batch with one of each record, as the journal has it.
pub(super) fn batch() -> Writes {
    let of = |name: &str| user(name);
    let running = Call::from_record(CallRecord { participants: going_on(), ..calls().remove(0) }).unwrap();
    Writes {
        calls: vec![running.into()],
        lines: lines().into_iter().map(Into::into).collect(),
        requests: requests().into_iter().map(|made| (of("bob"), Arc::new(made))).collect(),
        missed: missed().into_iter().map(|call| (of("bob"), call)).collect(),
        handled: vec![(of("carol"), MissedId { invitation: invitation(7), turn: 300 })],
        history: history(),
        outbox: vec![],
    }
}

/// The participants of the large call as the core would have them: somebody is in it, and no turn but the last goes on.
fn going_on() -> Vec<ParticipantRecord> {
    let mut participants = calls().remove(0).participants;
    participants[0].turns[0].answered = Some(asked("d-1", "r-1"));
    for turn in participants.iter_mut().flat_map(|p| p.turns.iter_mut().rev().skip(1)) {
        if !turn.state.ended() {
            turn.state = TurnState::Declined;
        }
    }
    participants
}

/// Bob's four turns: one left, one missed, one crossed, and one in the call whose device is gone.
fn of_bob() -> Vec<TurnRecord> {
    vec![
        TurnRecord {
            rang: vec![device("phone"), device("tab \"1\"")],
            reminded: true,
            answered: Some(asked("phone", "r-1")),
            closed: Some(asked("phone", "r-2")),
            ended_at: Some(at(9_000)),
            leaving: Some(Leaving::Asked),
            ..turn(1, TurnKind::Invited, TurnState::Left)
        },
        TurnRecord {
            since: 12,
            ended_at: Some(at(60_000)),
            missed: Some(MissedReason::NoAnswer),
            ..turn(2, TurnKind::Invited, TurnState::TimedOut)
        },
        TurnRecord { ended_at: Some(at(61_000)), crossed: true, ..turn(3, TurnKind::Invited, TurnState::Cancelled) },
        TurnRecord {
            inviter: user("bob"),
            deadline: at(0),
            answered: Some(asked("phone", "r-3")),
            grace: Some(at(130_000)),
            ..turn(4, TurnKind::Joined, TurnState::Accepted)
        },
    ]
}

/// Turns with every other state, way of leaving, of being hidden and missed.
fn of_others() -> Vec<ParticipantRecord> {
    let left = |no, leaving| TurnRecord { leaving: Some(leaving), ..turn(no, TurnKind::Invited, TurnState::Left) };
    let hidden = |no, hidden| TurnRecord { hidden: Some(hidden), ..turn(no, TurnKind::Invited, TurnState::Ringing) };
    let missed = |no, state, reason| TurnRecord { missed: Some(reason), ..turn(no, TurnKind::Invited, state) };
    vec![
        participant(
            person("O'Brien \u{1f600}", "Zoë \"Z\" O'Brien\n"),
            vec![left(1, Leaving::Elsewhere), left(2, Leaving::Lost), turn(3, TurnKind::Invited, TurnState::Declined)],
        ),
        ParticipantRecord {
            private: 2,
            ..participant(
                person("dave", "Dave"),
                vec![
                    hidden(1, Hidden::Blocked),
                    hidden(2, Hidden::BlockedLater),
                    hidden(3, Hidden::DoNotDisturb),
                    missed(4, TurnState::Busy, MissedReason::Busy),
                    missed(5, TurnState::Unreachable, MissedReason::Unreachable),
                    missed(6, TurnState::Cancelled, MissedReason::Cancelled),
                    missed(7, TurnState::TimedOut, MissedReason::DoNotDisturb),
                ],
            )
        },
    ]
}

pub(super) fn calls() -> Vec<CallRecord> {
    let mut large = small(1, None);
    large.call_type = CallType::Video;
    large.mode = Mode::Advanced;
    large.end_when_initiator_leaves = true;
    large.can_invite_in_calling = true;
    large.only_initiator_can_invite = true;
    large.custom_data = "{\"room\":\"\u{0}\u{2028}\"}".into();
    large.resource_id = Some("res-1".into());
    large.title = Some("Title".into());
    large.message = Some("".into());
    large.revision = u64::MAX;
    large.group = true;
    large.dial_back = true;
    large.participants[1].turns = of_bob();
    large.participants.extend(of_others());
    large.alone_until = Some(at(70_000));
    large.ended_by = Some(asked("d-1", "r-9"));
    let reasons = [
        EndReason::Declined,
        EndReason::Busy,
        EndReason::TimedOut,
        EndReason::Cancelled,
        EndReason::Unreachable,
        EndReason::Left,
        EndReason::Ended,
        EndReason::Alone,
        EndReason::Elsewhere,
        EndReason::Lost,
    ];
    let ended = reasons.iter().zip(2..).map(|(reason, last)| small(last, Some((*reason, at(60_000)))));
    [large].into_iter().chain(ended).collect()
}

fn all_reasons() -> BTreeSet<MissedReason> {
    BTreeSet::from([
        MissedReason::NoAnswer,
        MissedReason::Cancelled,
        MissedReason::Busy,
        MissedReason::DoNotDisturb,
        MissedReason::Unreachable,
    ])
}

pub(super) fn lines() -> Vec<LineRecord> {
    let browser = DeviceRecord {
        platform: "web".into(),
        sdk: "0.1.0".into(),
        mode: Mode::Advanced,
        config: DeviceConfig {
            missed_enabled: true,
            dial_back: true,
            resource_id: Some("res-1".into()),
            reasons: all_reasons(),
            call_waiting: true,
        },
        registered_at: at(0),
        seen_at: at(5),
    };
    let old = DeviceRecord {
        platform: "android".into(),
        sdk: "".into(),
        mode: Mode::General,
        config: DeviceConfig {
            missed_enabled: false,
            dial_back: false,
            resource_id: None,
            reasons: BTreeSet::new(),
            call_waiting: false,
        },
        registered_at: Timestamp(0),
        seen_at: Timestamp(0),
    };
    let bob = LineRecord {
        person: person("bob", "Bob"),
        devices: BTreeMap::from([(device("tab \"1\""), browser.into()), (device("phone"), old.into())]),
        blocked: BTreeSet::from([user("eve"), user("mallory")]),
        do_not_disturb: Some(DoNotDisturb { until: at(1), let_through: BTreeSet::from([user("alice")]) }),
        revision: 9,
    };
    let carol = LineRecord {
        do_not_disturb: Some(DoNotDisturb { until: at(2), let_through: BTreeSet::new() }),
        ..LineRecord::new(user("carol"))
    };
    vec![bob, carol, LineRecord::new(user("dave"))]
}

pub(super) fn requests() -> Vec<Remembered> {
    let codes = Code::ALL.iter().zip(0..).map(|(code, n)| (user(&format!("user-{n}")), *code)).collect();
    let made = [
        Made::Invited { invitation: invitation(1), call_id: call_id("c-1"), refused: codes, crossed: true },
        Made::Invited { invitation: invitation(2), call_id: call_id("c-2"), refused: vec![], crossed: false },
        Made::Joined { invitation: invitation(3), turn: 4 },
        Made::DialedBack { invitation: invitation(4), call_id: call_id("c-4"), device: device("phone") },
        Made::Engaged { invitation: invitation(5) },
    ];
    let remember =
        |(made, no)| Remembered { no, device: device("tab \"1\""), request: request(&format!("r-{no}")), made };
    made.into_iter().zip(1..).map(remember).collect()
}

pub(super) fn missed() -> Vec<MissedCall> {
    let plain = |reason, last| MissedCall {
        id: MissedId { invitation: invitation(last), turn: 1 },
        call_id: call_id("c-1"),
        caller: person("alice", "Alice"),
        call_type: CallType::Voice,
        group: false,
        reason,
        cancelled: false,
        at: at(0),
        missed_at: at(60_000),
        silent: false,
        can_join: false,
        clicked: None,
        returned: false,
    };
    vec![
        plain(MissedReason::NoAnswer, 1),
        MissedCall {
            call_type: CallType::Video,
            group: true,
            cancelled: true,
            silent: true,
            can_join: true,
            clicked: Some(request("r-7")),
            returned: true,
            ..plain(MissedReason::DoNotDisturb, 2)
        },
        plain(MissedReason::Cancelled, 3),
        plain(MissedReason::Busy, 4),
        plain(MissedReason::Unreachable, 5),
    ]
}

pub(super) fn history() -> Vec<HistoryRecord> {
    let plain = |direction, outcome| HistoryRecord {
        user: user("bob"),
        id: MissedId { invitation: invitation(1), turn: 0 },
        call_id: call_id("c-1"),
        call_type: CallType::Voice,
        group: false,
        direction,
        with: vec![person("alice", "Alice")],
        with_count: 1,
        at: at(0),
        ended_at: at(60_000),
        outcome,
    };
    let answered = HistoryRecord {
        call_type: CallType::Video,
        group: true,
        with: vec![person("alice", "Alice"), person("carol", "")],
        with_count: 40,
        ..plain(Direction::Joined, Outcome::Answered)
    };
    let missed = all_reasons().into_iter().map(|reason| plain(Direction::Incoming, Outcome::Missed(reason)));
    let ended = [
        EndReason::Declined,
        EndReason::Busy,
        EndReason::TimedOut,
        EndReason::Cancelled,
        EndReason::Unreachable,
        EndReason::Left,
        EndReason::Ended,
        EndReason::Alone,
        EndReason::Elsewhere,
        EndReason::Lost,
    ];
    let unanswered = ended.into_iter().map(|reason| plain(Direction::Outgoing, Outcome::Unanswered(reason)));
    let first = [answered, plain(Direction::Incoming, Outcome::Declined)];
    first.into_iter().chain(missed).chain(unanswered).collect()
}
