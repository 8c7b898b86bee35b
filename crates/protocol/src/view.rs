//! Views, missed calls and history as they stand on the wire.

use crate::ask::millis;
use crate::word::{Named, Text};
use ringback_core::call::{
    CallType, CallView, EndReason, Leaving, MissedReason, Mode, Other, OtherTurn, OwnTurn, TurnKind, TurnState,
};
use ringback_core::id::{CallId, DeviceId, InvitationId, MissedId, Person, TurnNo, UserId};
use ringback_core::line::{Direction, DoNotDisturb, HistoryRecord, MissedCall, Outcome};
use ringback_core::step::{MissedEntry, MissedView};
use ringback_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PersonWire {
    id: Text<UserId>,
    name: Arc<str>,
}

impl From<&Person> for PersonWire {
    fn from(person: &Person) -> Self {
        Self { id: Text(person.id.clone()), name: person.name.clone() }
    }
}

impl From<PersonWire> for Person {
    fn from(wire: PersonWire) -> Self {
        Self { id: wire.id.0, name: wire.name }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CallWire {
    invitation_id: Text<InvitationId>,
    revision: u64,
    call_id: Text<CallId>,
    call_type: Named<CallType>,
    mode: Named<Mode>,
    group: bool,
    initiator: Text<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<Arc<str>>,
    at: u64,
    own: Vec<OwnWire>,
    others: Vec<OtherWire>,
    others_count: u32,
    in_call: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    entered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Named<EndReason>>,
    can_join: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct OwnWire {
    no: TurnNo,
    kind: Named<TurnKind>,
    inviter: Text<UserId>,
    state: Named<TurnState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Text<DeviceId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaving: Option<Named<Leaving>>,
    crossed: bool,
    do_not_disturb: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct OtherWire {
    id: Text<UserId>,
    name: Arc<str>,
    changed: u64,
    turns: Vec<OtherTurnWire>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OtherTurnWire {
    no: TurnNo,
    kind: Named<TurnKind>,
    inviter: Text<UserId>,
    state: Named<TurnState>,
}

impl CallWire {
    pub(crate) fn new(view: &CallView, now: Timestamp) -> Self {
        Self {
            invitation_id: Text(view.invitation),
            revision: view.revision,
            call_id: Text(view.call_id.clone()),
            call_type: Named(view.call_type),
            mode: Named(view.mode),
            group: view.group,
            initiator: Text(view.initiator.clone()),
            custom_data: view.custom_data.clone(),
            at: view.at.0,
            own: view.own.iter().map(|turn| OwnWire::new(turn, now)).collect(),
            others: view.others.iter().map(OtherWire::new).collect(),
            others_count: view.others_count,
            in_call: view.in_call,
            entered: view.entered,
            ended: view.ended.map(Named),
            can_join: view.can_join,
        }
    }

    pub(crate) fn into_view(self, now: Timestamp) -> CallView {
        CallView {
            invitation: self.invitation_id.0,
            revision: self.revision,
            call_id: self.call_id.0,
            call_type: self.call_type.0,
            mode: self.mode.0,
            group: self.group,
            initiator: self.initiator.0,
            custom_data: self.custom_data,
            at: Timestamp(self.at),
            own: self.own.into_iter().map(|turn| turn.into_turn(now)).collect(),
            others: self.others.into_iter().map(OtherWire::into_other).collect(),
            others_count: self.others_count,
            in_call: self.in_call,
            entered: self.entered,
            ended: self.ended.map(|reason| reason.0),
            can_join: self.can_join,
        }
    }
}

impl OwnWire {
    fn new(turn: &OwnTurn, now: Timestamp) -> Self {
        Self {
            no: turn.no,
            kind: Named(turn.kind),
            inviter: Text(turn.inviter.clone()),
            state: Named(turn.state),
            remaining_ms: turn.state.pending().then(|| millis(now.until(turn.deadline))),
            device: turn.device.clone().map(Text),
            leaving: turn.leaving.map(Named),
            crossed: turn.crossed,
            do_not_disturb: turn.do_not_disturb,
        }
    }

    fn into_turn(self, now: Timestamp) -> OwnTurn {
        OwnTurn {
            no: self.no,
            kind: self.kind.0,
            inviter: self.inviter.0,
            state: self.state.0,
            // Of a turn that isn't pending nobody asks for the deadline, and the wire doesn't carry it.
            deadline: now + Duration::from_millis(self.remaining_ms.unwrap_or(0)),
            device: self.device.map(|id| id.0),
            leaving: self.leaving.map(|leaving| leaving.0),
            crossed: self.crossed,
            do_not_disturb: self.do_not_disturb,
        }
    }
}

impl OtherWire {
    fn new(other: &Other) -> Self {
        let turn = |turn: &OtherTurn| OtherTurnWire {
            no: turn.no,
            kind: Named(turn.kind),
            inviter: Text(turn.inviter.clone()),
            state: Named(turn.state),
        };
        Self {
            id: Text(other.person.id.clone()),
            name: other.person.name.clone(),
            changed: other.changed,
            turns: other.turns.iter().map(turn).collect(),
        }
    }

    fn into_other(self) -> Other {
        let turn = |turn: OtherTurnWire| OtherTurn {
            no: turn.no,
            kind: turn.kind.0,
            inviter: turn.inviter.0,
            state: turn.state.0,
        };
        Other {
            person: Person { id: self.id.0, name: self.name },
            changed: self.changed,
            turns: self.turns.into_iter().map(turn).collect(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MissedWire {
    revision: u64,
    total: usize,
    calls: Vec<EntryWire>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EntryWire {
    #[serde(flatten)]
    call: MissedCallWire,
    of: usize,
    existed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MissedCallWire {
    invitation_id: Text<InvitationId>,
    turn: TurnNo,
    call_id: Text<CallId>,
    caller: PersonWire,
    call_type: Named<CallType>,
    group: bool,
    reason: Named<MissedReason>,
    cancelled: bool,
    at: u64,
    missed_at: u64,
    silent: bool,
    can_join: bool,
    returned: bool,
}

impl From<&MissedView> for MissedWire {
    fn from(view: &MissedView) -> Self {
        let entry = |entry: &MissedEntry| EntryWire {
            call: MissedCallWire::from(&entry.call),
            of: entry.of,
            existed: entry.existed,
        };
        Self { revision: view.revision, total: view.total, calls: view.calls.iter().map(entry).collect() }
    }
}

impl From<MissedWire> for MissedView {
    fn from(wire: MissedWire) -> Self {
        let entry = |entry: EntryWire| MissedEntry { call: entry.call.into(), of: entry.of, existed: entry.existed };
        Self { revision: wire.revision, total: wire.total, calls: wire.calls.into_iter().map(entry).collect() }
    }
}

impl From<&MissedCall> for MissedCallWire {
    fn from(call: &MissedCall) -> Self {
        Self {
            invitation_id: Text(call.id.invitation),
            turn: call.id.turn,
            call_id: Text(call.call_id.clone()),
            caller: PersonWire::from(&call.caller),
            call_type: Named(call.call_type),
            group: call.group,
            reason: Named(call.reason),
            cancelled: call.cancelled,
            at: call.at.0,
            missed_at: call.missed_at.0,
            silent: call.silent,
            can_join: call.can_join,
            returned: call.returned,
        }
    }
}

impl From<MissedCallWire> for MissedCall {
    fn from(wire: MissedCallWire) -> Self {
        Self {
            id: MissedId { invitation: wire.invitation_id.0, turn: wire.turn },
            call_id: wire.call_id.0,
            caller: wire.caller.into(),
            call_type: wire.call_type.0,
            group: wire.group,
            reason: wire.reason.0,
            cancelled: wire.cancelled,
            at: Timestamp(wire.at),
            missed_at: Timestamp(wire.missed_at),
            silent: wire.silent,
            can_join: wire.can_join,
            // What was clicked is listed no more, so it is never on the wire.
            clicked: None,
            returned: wire.returned,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DoNotDisturbWire {
    remaining_ms: u64,
    let_through: Vec<Text<UserId>>,
}

impl DoNotDisturbWire {
    /// None once it is over.
    pub(crate) fn new(set: &DoNotDisturb, now: Timestamp) -> Option<Self> {
        (now < set.until).then(|| Self {
            remaining_ms: millis(now.until(set.until)),
            let_through: set.let_through.iter().cloned().map(Text).collect(),
        })
    }

    pub(crate) fn into_set(self, now: Timestamp) -> DoNotDisturb {
        DoNotDisturb {
            until: now + Duration::from_millis(self.remaining_ms),
            let_through: self.let_through.into_iter().map(|user| user.0).collect(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HistoryWire {
    invitation_id: Text<InvitationId>,
    turn: TurnNo,
    call_id: Text<CallId>,
    call_type: Named<CallType>,
    group: bool,
    direction: Named<Direction>,
    with: Vec<PersonWire>,
    with_count: u32,
    at: u64,
    ended_at: u64,
    outcome: OutcomeWire,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeWire {
    Answered,
    Declined,
    Missed,
    Unanswered,
}

impl From<&HistoryRecord> for HistoryWire {
    fn from(entry: &HistoryRecord) -> Self {
        use crate::word::Word;
        let (outcome, reason) = match entry.outcome {
            Outcome::Answered => (OutcomeWire::Answered, None),
            Outcome::Declined => (OutcomeWire::Declined, None),
            Outcome::Missed(reason) => (OutcomeWire::Missed, Some(reason.word())),
            Outcome::Unanswered(reason) => (OutcomeWire::Unanswered, Some(reason.word())),
        };
        Self {
            invitation_id: Text(entry.id.invitation),
            turn: entry.id.turn,
            call_id: Text(entry.call_id.clone()),
            call_type: Named(entry.call_type),
            group: entry.group,
            direction: Named(entry.direction),
            with: entry.with.iter().map(PersonWire::from).collect(),
            with_count: entry.with_count,
            at: entry.at.0,
            ended_at: entry.ended_at.0,
            outcome,
            reason: reason.map(Into::into),
        }
    }
}

impl HistoryWire {
    /// The entry, of the user whose history it is; none if the reason doesn't fit the outcome.
    pub(crate) fn into_entry(self, user: UserId) -> Option<HistoryRecord> {
        use crate::word::Word;
        let reason = self.reason.as_deref();
        let outcome = match self.outcome {
            OutcomeWire::Answered => Outcome::Answered,
            OutcomeWire::Declined => Outcome::Declined,
            OutcomeWire::Missed => Outcome::Missed(reason.and_then(MissedReason::of)?),
            OutcomeWire::Unanswered => Outcome::Unanswered(reason.and_then(EndReason::of)?),
        };
        Some(HistoryRecord {
            user,
            id: MissedId { invitation: self.invitation_id.0, turn: self.turn },
            call_id: self.call_id.0,
            call_type: self.call_type.0,
            group: self.group,
            direction: self.direction.0,
            with: self.with.into_iter().map(Into::into).collect(),
            with_count: self.with_count,
            at: Timestamp(self.at),
            ended_at: Timestamp(self.ended_at),
            outcome,
        })
    }
}
