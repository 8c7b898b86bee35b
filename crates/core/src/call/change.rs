//! What commands and timers share: finding a turn, and what follows from its change (L5 to L7).

use super::Call;
use super::record::{Asked, EndReason, Hidden, Leaving, TurnKind, TurnRecord, TurnState};
use crate::id::{DeviceId, TurnNo, UserId};
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;

impl Call {
    pub(super) fn index(&self, user: &UserId) -> Option<usize> {
        self.0.participants.iter().position(|p| p.person.id == *user)
    }

    pub(super) fn turn_at(&self, i: usize) -> Option<&TurnRecord> {
        self.0.participants[i].turns.last()
    }

    pub(super) fn turn(&self, i: usize, no: TurnNo) -> Option<&TurnRecord> {
        self.0.participants[i].turns.iter().find(|t| t.no == no)
    }

    /// The turn that `answerable` or `cancel` has found to be there.
    pub(super) fn turn_mut(&mut self, i: usize, no: TurnNo) -> &mut TurnRecord {
        let turns = &mut self.0.participants[i].turns;
        let at = turns.iter().position(|t| t.no == no).unwrap_or(turns.len() - 1);
        &mut turns[at]
    }

    pub(super) fn device_turn(&mut self, user: &UserId, device: &DeviceId) -> Option<&mut TurnRecord> {
        let i = self.index(user)?;
        self.0.participants[i].turns.last_mut().filter(|t| t.device() == Some(device))
    }

    /// How many different users were ever invited.
    pub(super) fn invitees(&self) -> usize {
        self.0.participants.iter().filter(|p| p.turns.iter().any(|t| t.kind == TurnKind::Invited)).count()
    }

    /// The participant's place, for who may know of the call.
    pub(super) fn member(&self, user: &UserId) -> Result<usize, Refusal> {
        self.index(user).filter(|_| self.knows(user)).ok_or_else(not_found)
    }

    /// The callee's place, for an answer to a turn that they were told of.
    pub(super) fn answerable(&self, callee: &UserId, no: TurnNo) -> Result<usize, Refusal> {
        let i = self.member(callee)?;
        let turn = self.turn(i, no).ok_or_else(no_such_turn)?;
        match turn.hidden {
            None => Ok(i),
            Some(Hidden::BlockedLater) => Err(gone_by(TurnState::Declined)),
            Some(Hidden::DoNotDisturb) if turn.state.ended() => Ok(i),
            Some(Hidden::Blocked | Hidden::DoNotDisturb) => Err(no_such_turn()),
        }
    }

    /// What somebody gets who may not: the call is over, or it isn't theirs to do (L5).
    pub(super) fn not_allowed(&self) -> Refusal {
        if self.running() {
            Refusal::new(Code::Forbidden, "this user may not do that in this call")
        } else {
            Refusal::new(Code::CallEnded, "the call is over")
        }
    }

    /// Marks a participant as changed by the step under way.
    pub(super) fn touch(&mut self, i: usize) {
        self.0.participants[i].changed = self.0.revision + 1;
    }

    /// Counts the change, if there was one.
    pub(super) fn seal(&mut self) {
        let next = self.0.revision + 1;
        if self.0.participants.iter().any(|p| p.changed == next) {
            self.0.revision = next;
        }
    }

    pub(super) fn end_turn(&mut self, i: usize, state: TurnState, now: Timestamp) {
        if let Some(turn) = self.0.participants[i].turns.last_mut() {
            turn.state = state;
            turn.grace = None;
            turn.ended_at = Some(now);
        }
        self.touch(i);
    }

    /// Takes a participant out, and does what follows from it (L6, L7).
    pub(super) fn depart(&mut self, i: usize, how: Leaving, asked: Option<Asked>, now: Timestamp, limits: &Limits) {
        if let Some(turn) = self.0.participants[i].turns.last_mut() {
            turn.leaving = Some(how);
            turn.closed.clone_from(&asked);
        }
        self.end_turn(i, TurnState::Left, now);
        let reason = if how == Leaving::Lost { EndReason::Lost } else { EndReason::Left };
        if !self.0.group {
            let reason = if self.pending() > 0 { EndReason::Cancelled } else { reason };
            self.finish(reason, asked, now);
        } else if i == 0 && self.0.end_when_initiator_leaves {
            self.finish(reason, asked, now);
        } else {
            self.settle(reason, asked, now, limits);
        }
    }

    /// Ends the call if nothing holds it (L6), else sees to who is alone.
    pub(super) fn settle(&mut self, reason: EndReason, asked: Option<Asked>, now: Timestamp, limits: &Limits) {
        if !self.running() {
            return;
        }
        let unanswered = !self.0.group && self.0.participants.len() > 1 && self.accepted() < 2 && self.pending() == 0;
        if self.accepted() == 0 || unanswered || self.nobody_reachable() {
            self.finish(reason, asked, now);
        } else {
            self.update_alone(now, limits);
        }
    }

    /// Ends the call: who is in it has left, who is rung is cancelled.
    pub(super) fn finish(&mut self, reason: EndReason, asked: Option<Asked>, now: Timestamp) {
        for i in 0..self.0.participants.len() {
            let Some(turn) = self.0.participants[i].turns.last_mut() else {
                continue;
            };
            if turn.pending() {
                self.end_turn(i, TurnState::Cancelled, now);
            } else if turn.state == TurnState::Accepted {
                turn.leaving = Some(Leaving::Asked);
                self.end_turn(i, TurnState::Left, now);
            }
        }
        self.0.alone_until = None;
        self.0.ended = Some((reason, now));
        self.0.ended_by = asked;
        self.touch(0);
    }

    pub(super) fn update_alone(&mut self, now: Timestamp, limits: &Limits) {
        let alone = self.running() && self.0.group && self.accepted() == 1 && self.pending() == 0;
        self.0.alone_until = match (alone, self.0.alone_until) {
            (true, None) => Some(now + limits.alone),
            (true, since) => since,
            (false, _) => None,
        };
    }

    /// Every invitee's only turn was unreachable (V3).
    pub(super) fn nobody_reachable(&self) -> bool {
        let mut invitees = self.0.participants.iter().skip(1).peekable();
        invitees.peek().is_some() && invitees.all(|p| p.turns.iter().all(|t| t.state == TurnState::Unreachable))
    }

    /// Why a call ends that rings nobody.
    pub(super) fn at_once(&self) -> EndReason {
        if self.nobody_reachable() { EndReason::Unreachable } else { EndReason::Busy }
    }
}

impl TurnRecord {
    pub(super) fn answer(&mut self, asked: Asked) {
        self.state = TurnState::Accepted;
        self.answered = Some(asked);
        self.hidden = None;
    }
}

pub(super) fn new_turn(
    no: TurnNo,
    kind: TurnKind,
    inviter: UserId,
    now: Timestamp,
    since: u64,
    deadline: Timestamp,
) -> TurnRecord {
    TurnRecord {
        no,
        kind,
        inviter,
        at: now,
        since,
        deadline,
        state: TurnState::Inviting,
        hidden: None,
        rang: Vec::new(),
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

/// What an answer to, or a cancel of, a turn no longer pending gets (L5).
pub(super) fn gone_by(state: TurnState) -> Refusal {
    match state {
        TurnState::TimedOut => expired(),
        TurnState::Cancelled => Refusal::new(Code::Cancelled, "the invitation was cancelled"),
        TurnState::Inviting
        | TurnState::Ringing
        | TurnState::Accepted
        | TurnState::Left
        | TurnState::Declined
        | TurnState::Busy
        | TurnState::Unreachable => {
            Refusal::new(Code::AnsweredElsewhere, "the invitation was answered already, here or on another device")
        }
    }
}

pub(super) fn expired() -> Refusal {
    Refusal::new(Code::InvitationExpired, "the invitation timed out")
}

/// What everybody gets who has no part in a call, as if there were none.
pub(crate) fn not_found() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such invitation")
}

pub(super) fn no_such_turn() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such turn in this invitation")
}
