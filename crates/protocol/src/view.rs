//! Views, missed calls and history as they stand on the wire.

use crate::json::{Object, Out, fields};
use crate::word::{Named, Text, Word};
use ringback_core::call::{
    CallType, CallView, EndReason, Leaving, MissedReason, Mode, Other, OtherTurn, OwnTurn, TurnKind, TurnState,
};
use ringback_core::id::{CallId, DeviceId, InvitationId, MissedId, Person, TurnNo, UserId};
use ringback_core::line::{Direction, DoNotDisturb, HistoryRecord, MissedCall, Outcome};
use ringback_core::step::{MissedEntry, MissedView};
use ringback_core::time::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Deserialize)]
pub(crate) struct PersonWire {
    id: Text<UserId>,
    name: Arc<str>,
}

impl Object for Person {
    fn fields(&self, out: &mut Out) {
        fields!(out, "id": self.id, "name": self.name);
    }
}

impl From<PersonWire> for Person {
    fn from(wire: PersonWire) -> Self {
        Self { id: wire.id.0, name: wire.name }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct CallWire {
    invitation_id: Text<InvitationId>,
    revision: u64,
    call_id: Text<CallId>,
    call_type: Named<CallType>,
    mode: Named<Mode>,
    group: bool,
    initiator: Text<UserId>,
    custom_data: Option<Arc<str>>,
    at: u64,
    own: Vec<OwnWire>,
    others: Vec<OtherWire>,
    others_count: u32,
    in_call: u32,
    entered: Option<u64>,
    ended: Option<Named<EndReason>>,
    can_join: bool,
}

#[derive(Debug, Deserialize)]
struct OwnWire {
    no: TurnNo,
    kind: Named<TurnKind>,
    inviter: Text<UserId>,
    state: Named<TurnState>,
    remaining_ms: Option<u64>,
    device: Option<Text<DeviceId>>,
    leaving: Option<Named<Leaving>>,
    crossed: bool,
    do_not_disturb: bool,
}

#[derive(Debug, Deserialize)]
struct OtherWire {
    id: Text<UserId>,
    name: Arc<str>,
    changed: u64,
    turns: Vec<OtherTurnWire>,
}

#[derive(Debug, Deserialize)]
struct OtherTurnWire {
    no: TurnNo,
    kind: Named<TurnKind>,
    inviter: Text<UserId>,
    state: Named<TurnState>,
}

impl Object for CallView {
    fn fields(&self, out: &mut Out) {
        fields!(out,
            "invitation_id": self.invitation,
            "revision": self.revision,
            "call_id": self.call_id,
            "call_type": self.call_type,
            "mode": self.mode,
            "group": self.group,
            "initiator": self.initiator,
            "custom_data": self.custom_data,
            "at": self.at,
            "own": self.own,
            "others": self.others,
            "others_count": self.others_count,
            "in_call": self.in_call,
            "entered": self.entered,
            "ended": self.ended,
            "can_join": self.can_join,
        );
    }
}

impl Object for OwnTurn {
    fn fields(&self, out: &mut Out) {
        let remaining = self.state.pending().then(|| out.now.until(self.deadline));
        fields!(out,
            "no": self.no,
            "kind": self.kind,
            "inviter": self.inviter,
            "state": self.state,
            "remaining_ms": remaining,
            "device": self.device,
            "leaving": self.leaving,
            "crossed": self.crossed,
            "do_not_disturb": self.do_not_disturb,
        );
    }
}

impl Object for Other {
    fn fields(&self, out: &mut Out) {
        self.person.fields(out);
        fields!(out, "changed": self.changed, "turns": self.turns);
    }
}

impl Object for OtherTurn {
    fn fields(&self, out: &mut Out) {
        fields!(out, "no": self.no, "kind": self.kind, "inviter": self.inviter, "state": self.state);
    }
}

impl CallWire {
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

#[derive(Debug, Deserialize)]
pub(crate) struct MissedWire {
    revision: u64,
    total: usize,
    calls: Vec<EntryWire>,
}

#[derive(Debug, Deserialize)]
struct EntryWire {
    #[serde(flatten)]
    call: MissedCallWire,
    of: usize,
    existed: bool,
}

#[derive(Debug, Deserialize)]
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

impl Object for MissedView {
    fn fields(&self, out: &mut Out) {
        fields!(out, "revision": self.revision, "total": self.total, "calls": self.calls);
    }
}

impl Object for MissedEntry {
    fn fields(&self, out: &mut Out) {
        self.call.fields(out);
        fields!(out, "of": self.of, "existed": self.existed);
    }
}

impl Object for MissedCall {
    fn fields(&self, out: &mut Out) {
        fields!(out,
            "invitation_id": self.id.invitation,
            "turn": self.id.turn,
            "call_id": self.call_id,
            "caller": self.caller,
            "call_type": self.call_type,
            "group": self.group,
            "reason": self.reason,
            "cancelled": self.cancelled,
            "at": self.at,
            "missed_at": self.missed_at,
            "silent": self.silent,
            "can_join": self.can_join,
            "returned": self.returned,
        );
    }
}

impl From<MissedWire> for MissedView {
    fn from(wire: MissedWire) -> Self {
        let entry = |entry: EntryWire| MissedEntry { call: entry.call.into(), of: entry.of, existed: entry.existed };
        Self { revision: wire.revision, total: wire.total, calls: wire.calls.into_iter().map(entry).collect() }
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

#[derive(Debug, Deserialize)]
pub(crate) struct DoNotDisturbWire {
    remaining_ms: u64,
    let_through: Vec<Text<UserId>>,
}

impl Object for DoNotDisturb {
    fn fields(&self, out: &mut Out) {
        let remaining = out.now.until(self.until);
        fields!(out, "remaining_ms": remaining, "let_through": self.let_through);
    }
}

impl DoNotDisturbWire {
    pub(crate) fn into_set(self, now: Timestamp) -> DoNotDisturb {
        DoNotDisturb {
            until: now + Duration::from_millis(self.remaining_ms),
            let_through: self.let_through.into_iter().map(|user| user.0).collect(),
        }
    }
}

#[derive(Debug, Deserialize)]
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
    reason: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeWire {
    Answered,
    Declined,
    Missed,
    Unanswered,
}

impl Object for HistoryRecord {
    fn fields(&self, out: &mut Out) {
        let (outcome, reason) = match self.outcome {
            Outcome::Answered => ("answered", None),
            Outcome::Declined => ("declined", None),
            Outcome::Missed(reason) => ("missed", Some(reason.word())),
            Outcome::Unanswered(reason) => ("unanswered", Some(reason.word())),
        };
        fields!(out,
            "invitation_id": self.id.invitation,
            "turn": self.id.turn,
            "call_id": self.call_id,
            "call_type": self.call_type,
            "group": self.group,
            "direction": self.direction,
            "with": self.with,
            "with_count": self.with_count,
            "at": self.at,
            "ended_at": self.ended_at,
            "outcome": outcome,
            "reason": reason,
        );
    }
}

impl HistoryWire {
    /// The entry, of the user whose history it is; none if the reason doesn't fit the outcome.
    pub(crate) fn into_entry(self, user: UserId) -> Option<HistoryRecord> {
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
