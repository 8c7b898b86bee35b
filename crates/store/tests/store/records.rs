//! Records to write, made short.

use ringback_core::call::{
    Asked, Call, CallRecord, CallType, EndReason, Hidden, MissedReason, Mode, ParticipantRecord, TurnKind, TurnRecord,
    TurnState,
};
use ringback_core::id::{CallId, DeviceId, InvitationId, MissedId, Person, RequestId, UserId};
use ringback_core::line::{Direction, HistoryRecord, LineRecord, Made, MissedCall, Outcome, Remembered};
use ringback_core::shared::Shared;
use ringback_core::time::Timestamp;

/// A moment after which everything here happens.
pub(crate) const START: u64 = 1_790_000_000_000;

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn person(name: &str) -> Person {
    Person { id: user(name), name: name.to_uppercase().into() }
}

/// The id of the call that is sent `n` ms after [`START`].
pub(crate) fn id(n: u64) -> InvitationId {
    InvitationId::v7(START + n, u128::from(n))
}

pub(crate) fn asked(n: u64) -> Asked {
    Asked { device: DeviceId::new("d-1").unwrap(), request: RequestId::new(&format!("r-{n}")).unwrap() }
}

/// A call sent `n` ms after [`START`] by the first of `people`, ringing the others.
pub(crate) fn call(n: u64, people: &[&str]) -> CallRecord {
    let initiator = user(people[0]);
    let at = Timestamp(START + n);
    let turn = |no, kind, state, deadline| TurnRecord {
        no,
        kind,
        inviter: initiator.clone(),
        at,
        since: 1,
        deadline,
        state,
        hidden: None,
        rang: Vec::new(),
        reminded: false,
        answered: (no == 0).then(|| asked(n)),
        closed: None,
        grace: None,
        ended_at: None,
        leaving: None,
        missed: None,
        crossed: false,
    };
    let participants = people.iter().enumerate().map(|(place, name)| ParticipantRecord {
        person: person(name),
        changed: 1,
        private: 0,
        turns: vec![match place {
            0 => turn(0, TurnKind::Origin, TurnState::Accepted, at),
            _ => turn(1, TurnKind::Invited, TurnState::Inviting, Timestamp(START + n + 60_000)),
        }],
    });
    CallRecord {
        id: id(n),
        call_id: CallId::new(&format!("c-{n}")).unwrap(),
        call_type: CallType::Video,
        mode: Mode::Advanced,
        end_when_initiator_leaves: false,
        can_invite_in_calling: true,
        only_initiator_can_invite: false,
        custom_data: "".into(),
        resource_id: None,
        title: None,
        message: None,
        at,
        revision: 1,
        group: people.len() > 2,
        dial_back: false,
        participants: participants.collect(),
        alone_until: None,
        ended: None,
        ended_by: None,
    }
}

/// The same call, a turn of `name` in it hidden.
pub(crate) fn hidden(mut call: CallRecord, name: &str) -> CallRecord {
    for participant in call.participants.iter_mut().filter(|p| p.person.id == user(name)) {
        participant.turns[0].hidden = Some(Hidden::Blocked);
    }
    call
}

/// The same call, `after` ms later ended.
pub(crate) fn ended(mut call: CallRecord, after: u64) -> CallRecord {
    call.revision += 1;
    call.ended = Some((EndReason::TimedOut, Timestamp(call.at.0 + after)));
    for turn in call.participants.iter_mut().flat_map(|p| &mut p.turns) {
        turn.state = TurnState::TimedOut;
    }
    call
}

/// A record as a commit has it.
pub(crate) fn kept(call: CallRecord) -> Shared<Call> {
    Call::from_record(call).unwrap().into()
}

/// What the request number `no` of a user made.
pub(crate) fn request(no: u64) -> Remembered {
    let Asked { device, request } = asked(no);
    Remembered { no, device, request, made: Made::Joined { invitation: id(no), turn: 1 } }
}

/// What the callee of call `n` missed.
pub(crate) fn missed(n: u64) -> MissedCall {
    MissedCall {
        id: MissedId { invitation: id(n), turn: 1 },
        call_id: CallId::new(&format!("c-{n}")).unwrap(),
        caller: person("alice"),
        call_type: CallType::Voice,
        group: false,
        reason: MissedReason::NoAnswer,
        cancelled: false,
        at: Timestamp(START + n),
        missed_at: Timestamp(START + n + 60_000),
        silent: false,
        can_join: false,
        clicked: None,
        returned: false,
    }
}

/// The line of history of `name` for call `n`, which ended 60 s after it was sent.
pub(crate) fn history(name: &str, n: u64) -> HistoryRecord {
    HistoryRecord {
        user: user(name),
        id: MissedId { invitation: id(n), turn: 1 },
        call_id: CallId::new(&format!("c-{n}")).unwrap(),
        call_type: CallType::Voice,
        group: false,
        direction: Direction::Incoming,
        with: vec![person("alice")],
        with_count: 1,
        at: Timestamp(START + n),
        ended_at: Timestamp(START + n + 60_000),
        outcome: Outcome::Missed(MissedReason::NoAnswer),
    }
}

pub(crate) fn line(name: &str, revision: u64) -> LineRecord {
    LineRecord { person: person(name), revision, ..LineRecord::new(user(name)) }
}
