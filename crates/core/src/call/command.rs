//! What is asked of one call, and who may (L5).

use super::change::{expired, gone_by, new_turn, no_such_turn, not_found};
use super::record::{
    Asked, CallRecord, CallType, EndReason, Hidden, Leaving, Mode, ParticipantRecord, TurnKind, TurnRecord, TurnState,
};
use super::{Call, trim};
use crate::id::{CallId, DeviceId, InvitationId, Person, TurnNo, UserId};
use crate::limits::Limits;
#[cfg(feature = "planted")]
use crate::planted::{self, Fault};
use crate::refusal::{Code, Refusal};
use crate::step::CancelWhom;
use crate::time::Timestamp;
use std::sync::Arc;

/// What a call begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as in CallRecord
pub struct Begin {
    pub id: InvitationId,
    pub call_id: CallId,
    pub initiator: Person,
    pub asked: Asked,
    pub call_type: CallType,
    pub mode: Mode,
    pub end_when_initiator_leaves: bool,
    pub can_invite_in_calling: bool,
    pub only_initiator_can_invite: bool,
    pub custom_data: Arc<str>,
    pub resource_id: Option<Arc<str>>,
    pub title: Option<Arc<str>>,
    pub message: Option<Arc<str>>,
    pub dial_back: bool,
}

/// A turn to begin, its fate already decided over the callee's line (K3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTurn {
    /// The callee.
    pub callee: Person,
    /// When it times out.
    pub deadline: Timestamp,
    /// Whether the callee isn't told (L13).
    pub hidden: Option<Hidden>,
    /// `Inviting`, or ended at once: `Busy` (L8, §10) or `Unreachable` (V3).
    pub state: TurnState,
}

/// A command to one call. Refused commands change nothing; repeated ones nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A device has the turn (L1).
    Ringing {
        /// The callee.
        callee: UserId,
        /// The device.
        device: DeviceId,
        /// The turn.
        turn: TurnNo,
    },
    /// A device answers (L3).
    Accept {
        /// The callee.
        callee: UserId,
        /// Device and request.
        asked: Asked,
        /// The turn.
        turn: TurnNo,
    },
    /// A device declines, or says busy (L4).
    Reject {
        /// The callee.
        callee: UserId,
        /// Device and request.
        asked: Asked,
        /// The turn.
        turn: TurnNo,
        /// Says busy.
        busy: bool,
    },
    /// Calls off pending turns.
    Cancel {
        /// Who.
        by: UserId,
        /// Device and request.
        asked: Asked,
        /// Whom.
        whom: CancelWhom,
    },
    /// Begins turns (C9, C10; L11).
    Invite {
        /// Who.
        by: UserId,
        /// For whom; none of them pending or accepted.
        turns: Vec<NewTurn>,
    },
    /// Enters a running group (L5).
    Join {
        /// Who.
        user: UserId,
        /// Device and request.
        asked: Asked,
    },
    /// Leaves, from the device in the call.
    Leave {
        /// Who.
        user: UserId,
        /// Device and request.
        asked: Asked,
    },
    /// Ends the call for all.
    End {
        /// Who.
        user: UserId,
        /// Device and request.
        asked: Asked,
    },
    /// The callee's own crossing call or dial-back answers the pending turn, hidden or not (L10, D8).
    Cross {
        /// The callee.
        callee: UserId,
        /// Device and request.
        asked: Asked,
        /// The type of the crossing call: voice unless both are video. `None` in a group, whose type stays.
        call_type: Option<CallType>,
    },
    /// A group that crosses ends this one-to-one call without a missed call (L10).
    Withdraw,
    /// The callee engages elsewhere: their turn that rings is busy (L8).
    Engage {
        /// The callee.
        callee: UserId,
    },
    /// The callee blocked the inviter: their pending turn becomes a blocked one (L13).
    Hide {
        /// The callee.
        callee: UserId,
    },
    /// The session of a device in the call is gone (L9).
    Gone {
        /// Who.
        user: UserId,
        /// The device.
        device: DeviceId,
    },
    /// The device in the call came back and claims it (L9).
    Back {
        /// Who.
        user: UserId,
        /// The device.
        device: DeviceId,
    },
    /// The user's device is taken out of the call without asking (L9, §3, C11).
    TakeOut {
        /// Who.
        user: UserId,
    },
}

type Done = Result<(), Refusal>;

impl Call {
    pub(super) fn begun(b: Begin, now: Timestamp) -> Self {
        let origin = TurnRecord {
            answered: Some(b.asked),
            state: TurnState::Accepted,
            ..new_turn(0, TurnKind::Origin, b.initiator.id.clone(), now, 1, now)
        };
        Self(CallRecord {
            id: b.id,
            call_id: b.call_id,
            call_type: b.call_type,
            mode: b.mode,
            end_when_initiator_leaves: b.end_when_initiator_leaves,
            can_invite_in_calling: b.can_invite_in_calling,
            only_initiator_can_invite: b.only_initiator_can_invite,
            custom_data: b.custom_data,
            resource_id: b.resource_id,
            title: b.title,
            message: b.message,
            at: now,
            revision: 1,
            group: false,
            dial_back: b.dial_back,
            participants: vec![ParticipantRecord { person: b.initiator, changed: 1, private: 0, turns: vec![origin] }],
            alone_until: None,
            ended: None,
            ended_by: None,
        })
    }

    /// Decides one command at `now`. Timers that are due must have run before (`handle_timeout`).
    pub fn handle(&mut self, command: Command, now: Timestamp, limits: &Limits) -> Result<(), Refusal> {
        match command {
            Command::Ringing { callee, device, turn } => self.ringing(&callee, device, turn, now, limits),
            Command::Accept { callee, asked, turn } => self.accept(&callee, asked, turn, now, limits),
            Command::Reject { callee, asked, turn, busy } => self.reject(&callee, asked, turn, busy, now, limits),
            Command::Cancel { by, asked, whom } => self.cancel(&by, &asked, &whom, now, limits),
            Command::Invite { by, turns } => self.invite(&by, turns, now, limits),
            Command::Join { user, asked } => self.join(&user, asked, now, limits),
            Command::Leave { user, asked } => self.leave(&user, asked, now, limits),
            Command::End { user, asked } => self.end(&user, asked, now),
            Command::Cross { callee, asked, call_type } => self.cross(&callee, asked, call_type, now, limits),
            Command::Withdraw => self.withdraw(now),
            Command::Engage { callee } => self.engage(&callee, now, limits),
            Command::Hide { callee } => self.hide(&callee),
            Command::Gone { user, device } => self.gone(&user, &device, now, limits),
            Command::Back { user, device } => self.back(&user, &device),
            Command::TakeOut { user } => self.take_out(&user, now, limits),
        }?;
        self.seal();
        Ok(())
    }

    fn ringing(&mut self, callee: &UserId, device: DeviceId, no: TurnNo, now: Timestamp, limits: &Limits) -> Done {
        let i = self.answerable(callee, no)?;
        let turn = self.turn_mut(i, no);
        match turn.state {
            TurnState::Inviting | TurnState::Ringing if now >= turn.deadline => {
                return Err(expired());
            }
            TurnState::Inviting | TurnState::Ringing => {
                let first = turn.state == TurnState::Inviting;
                turn.state = TurnState::Ringing;
                if !turn.rang.contains(&device) && turn.rang.len() < limits.sessions_per_user {
                    turn.rang.push(device);
                }
                if first {
                    self.touch(i);
                }
            }
            // Late news of a ring that is over: nothing to say, nothing to change.
            TurnState::Accepted
            | TurnState::Left
            | TurnState::Declined
            | TurnState::Busy
            | TurnState::Cancelled
            | TurnState::TimedOut
            | TurnState::Unreachable => {
                if !turn.rang.contains(&device) {
                    return Err(gone_by(turn.state));
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, callee: &UserId, asked: Asked, no: TurnNo, now: Timestamp, limits: &Limits) -> Done {
        let i = self.answerable(callee, no)?;
        let turn = self.turn_mut(i, no);
        match turn.state {
            TurnState::Inviting | TurnState::Ringing => {
                if now >= turn.deadline {
                    return Err(expired());
                }
                turn.answer(asked);
                self.touch(i);
                self.update_alone(now, limits);
            }
            #[cfg(feature = "planted")]
            TurnState::Accepted if planted::is(Fault::LastAcceptWins) => {
                turn.answered = Some(asked);
                self.touch(i);
            }
            // The repeat of the one that was taken (N2); any other is a second one (L3), of the same device too.
            TurnState::Accepted | TurnState::Left => {
                if turn.answered.as_ref() != Some(&asked) {
                    return Err(gone_by(turn.state));
                }
            }
            TurnState::Declined
            | TurnState::Busy
            | TurnState::Cancelled
            | TurnState::TimedOut
            | TurnState::Unreachable => return Err(gone_by(turn.state)),
        }
        Ok(())
    }

    fn reject(
        &mut self,
        callee: &UserId,
        asked: Asked,
        no: TurnNo,
        busy: bool,
        now: Timestamp,
        limits: &Limits,
    ) -> Done {
        let i = self.answerable(callee, no)?;
        let turn = self.turn_mut(i, no);
        match turn.state {
            TurnState::Inviting | TurnState::Ringing => {
                if now >= turn.deadline {
                    return Err(expired());
                }
                turn.answered = Some(asked);
                let (state, reason) =
                    if busy { (TurnState::Busy, EndReason::Busy) } else { (TurnState::Declined, EndReason::Declined) };
                self.end_turn(i, state, now);
                self.settle(reason, None, now, limits);
            }
            TurnState::Declined | TurnState::Busy => {
                if turn.answered.as_ref() != Some(&asked) {
                    return Err(gone_by(turn.state));
                }
            }
            TurnState::Accepted
            | TurnState::Left
            | TurnState::Cancelled
            | TurnState::TimedOut
            | TurnState::Unreachable => return Err(gone_by(turn.state)),
        }
        Ok(())
    }

    fn cancel(&mut self, by: &UserId, asked: &Asked, whom: &CancelWhom, now: Timestamp, limits: &Limits) -> Done {
        let me = self.member(by)?;
        let mine = |t: &TurnRecord| t.kind == TurnKind::Invited && (me == 0 || t.inviter == *by);
        // A repeat finds its own work, whatever became of those callees since (N2).
        let repeat = |t: &TurnRecord| mine(t) && t.closed.as_ref() == Some(asked);
        if self.0.ended_by.as_ref() == Some(asked) || self.0.participants.iter().any(|p| p.turns.iter().any(repeat)) {
            return Ok(());
        }
        let private = self.0.participants[me].private;
        // The turns meant: of each callee named, the one named, or their newest that the asker saw.
        let meant: Vec<(usize, TurnNo)> = match whom {
            CancelWhom::Turn { callee, turn } => {
                let i = self.index(callee).filter(|&i| self.0.participants[i].turns.iter().any(|t| t.no == *turn));
                vec![(i.ok_or_else(no_such_turn)?, *turn)]
            }
            CancelWhom::All { seen } => self
                .0
                .participants
                .iter()
                .enumerate()
                .filter_map(|(i, p)| p.turns.last().map(|t| (i, t)))
                .filter(|(_, t)| mine(t) && t.since + private <= *seen)
                .map(|(i, t)| (i, t.no))
                .collect(),
        };
        let pending: Vec<_> =
            meant.iter().filter(|(i, no)| self.turn(*i, *no).is_some_and(TurnRecord::pending)).collect();
        if pending.is_empty() {
            return self.cancel_too_late(me, asked, &meant, now);
        }
        if !self.engages(by) || pending.iter().any(|(i, no)| !self.turn(*i, *no).is_some_and(mine)) {
            return Err(self.not_allowed());
        }
        for &&(i, no) in &pending {
            self.turn_mut(i, no).closed = Some(asked.clone());
            self.end_turn(i, TurnState::Cancelled, now);
        }
        self.settle(EndReason::Cancelled, Some(asked.clone()), now, limits);
        Ok(())
    }

    /// A `cancel` that finds nothing pending: the end of a call just accepted (L5), or a refusal.
    fn cancel_too_late(&mut self, me: usize, asked: &Asked, meant: &[(usize, TurnNo)], now: Timestamp) -> Done {
        let newest = meant
            .iter()
            .filter_map(|&(i, no)| self.turn(i, no))
            .max_by_key(|t| t.since)
            .ok_or_else(|| self.not_allowed())?;
        match newest.state {
            TurnState::Accepted if !self.0.group && me == 0 && newest.kind == TurnKind::Invited => {
                self.finish(EndReason::Ended, Some(asked.clone()), now);
                Ok(())
            }
            state => Err(gone_by(state)),
        }
    }

    fn invite(&mut self, by: &UserId, turns: Vec<NewTurn>, now: Timestamp, limits: &Limits) -> Done {
        self.may_invite(by)?;
        // All of them or none: a refused command changes nothing.
        if turns.iter().any(|new| self.last_turn(&new.callee.id).is_some_and(|t| !t.state.ended())) {
            return Err(Refusal::new(Code::AlreadyInvited, "this user is already invited or in the call"));
        }
        let since = self.0.revision + 1;
        for new in turns {
            let i = match self.index(&new.callee.id) {
                Some(i) => i,
                None => {
                    let person = new.callee.clone();
                    self.0.participants.push(ParticipantRecord { person, changed: since, private: 0, turns: vec![] });
                    self.0.participants.len() - 1
                }
            };
            let p = &mut self.0.participants[i];
            let no = p.turns.last().map_or(1, |t| t.no + 1);
            let mut turn = new_turn(no, TurnKind::Invited, by.clone(), now, since, new.deadline);
            turn.hidden = new.hidden;
            turn.state = new.state;
            if new.state.ended() {
                turn.ended_at = Some(now);
            }
            p.turns.push(turn);
            trim(&mut p.turns, limits);
            self.touch(i);
        }
        self.0.group |= self.invitees() > 1;
        let reason = self.at_once();
        self.settle(reason, None, now, limits);
        Ok(())
    }

    /// Whether this user may invite more into this call (L5, C9, C10): refused otherwise.
    pub fn may_invite(&self, by: &UserId) -> Result<(), Refusal> {
        let me = self.member(by)?;
        let first = self.0.participants.len() == 1;
        let allowed = first || (self.0.can_invite_in_calling && (me == 0 || !self.0.only_initiator_can_invite));
        if self.engages(by) && allowed { Ok(()) } else { Err(self.not_allowed()) }
    }

    fn join(&mut self, user: &UserId, asked: Asked, now: Timestamp, limits: &Limits) -> Done {
        let i = self.member(user)?;
        if self.engages(user) {
            // Only the device in the call may say so again; the line has settled who that is.
            return Ok(());
        }
        if !self.may_join(user) {
            return Err(self.not_allowed());
        }
        let since = self.0.revision + 1;
        let turns = &mut self.0.participants[i].turns;
        match turns.last_mut() {
            // A hidden turn still pending is accepted by its callee's own join (L13).
            Some(turn) if turn.pending() => turn.answer(asked),
            last => {
                let no = last.map_or(1, |t| t.no + 1);
                let mut turn = new_turn(no, TurnKind::Joined, user.clone(), now, since, now);
                turn.answer(asked);
                turns.push(turn);
                trim(turns, limits);
            }
        }
        self.touch(i);
        self.update_alone(now, limits);
        Ok(())
    }

    fn leave(&mut self, user: &UserId, asked: Asked, now: Timestamp, limits: &Limits) -> Done {
        let i = self.member(user)?;
        // A repeat leaves no later turn (N2).
        let turns = &self.0.participants[i].turns;
        if turns.iter().any(|t| t.state == TurnState::Left && t.closed.as_ref() == Some(&asked)) {
            return Ok(());
        }
        let turn = self.turn_at(i).ok_or_else(no_such_turn)?;
        match turn.state {
            TurnState::Accepted if turn.answered.as_ref().is_some_and(|a| a.device == asked.device) => {
                self.depart(i, Leaving::Asked, Some(asked), now, limits);
                Ok(())
            }
            TurnState::Accepted
            | TurnState::Left
            | TurnState::Inviting
            | TurnState::Ringing
            | TurnState::Declined
            | TurnState::Busy
            | TurnState::Cancelled
            | TurnState::TimedOut
            | TurnState::Unreachable => Err(self.not_allowed()),
        }
    }

    fn end(&mut self, user: &UserId, asked: Asked, now: Timestamp) -> Done {
        let i = self.member(user)?;
        if self.0.ended_by.as_ref() == Some(&asked) {
            return Ok(());
        }
        if !self.engages(user) || (self.0.group && i != 0) {
            return Err(self.not_allowed());
        }
        let unanswered = !self.0.group && self.pending() > 0;
        let reason = if unanswered { EndReason::Cancelled } else { EndReason::Ended };
        self.finish(reason, Some(asked), now);
        Ok(())
    }

    fn cross(
        &mut self,
        callee: &UserId,
        asked: Asked,
        call_type: Option<CallType>,
        now: Timestamp,
        limits: &Limits,
    ) -> Done {
        let i = self.index(callee).ok_or_else(not_found)?;
        let not_allowed = self.not_allowed();
        let Some(turn) = self.0.participants[i].turns.last_mut().filter(|t| t.pending()) else {
            return Err(not_allowed);
        };
        turn.answer(asked);
        if let Some(call_type) = call_type {
            turn.crossed = true;
            if call_type == CallType::Voice {
                self.0.call_type = CallType::Voice;
            }
        }
        self.touch(i);
        self.update_alone(now, limits);
        Ok(())
    }

    fn withdraw(&mut self, now: Timestamp) -> Done {
        if self.0.group || self.pending() == 0 {
            return Ok(());
        }
        for p in &mut self.0.participants {
            if let Some(t) = p.turns.last_mut().filter(|t| t.pending()) {
                t.crossed = true;
            }
        }
        self.finish(EndReason::Cancelled, None, now);
        Ok(())
    }

    fn engage(&mut self, callee: &UserId, now: Timestamp, limits: &Limits) -> Done {
        if let Some(i) = self.index(callee).filter(|&i| self.turn_at(i).is_some_and(TurnRecord::rings)) {
            self.end_turn(i, TurnState::Busy, now);
            self.settle(EndReason::Busy, None, now, limits);
        }
        Ok(())
    }

    fn hide(&mut self, callee: &UserId) -> Done {
        if let Some(i) = self.index(callee) {
            let p = &mut self.0.participants[i];
            if let Some(turn) = p.turns.last_mut().filter(|t| t.pending()) {
                match turn.hidden {
                    None => {
                        turn.hidden = Some(Hidden::BlockedLater);
                        p.private += 1;
                    }
                    Some(Hidden::DoNotDisturb) => turn.hidden = Some(Hidden::Blocked),
                    Some(Hidden::Blocked | Hidden::BlockedLater) => {}
                }
            }
        }
        Ok(())
    }

    fn gone(&mut self, user: &UserId, device: &DeviceId, now: Timestamp, limits: &Limits) -> Done {
        if let Some(turn) = self.device_turn(user, device) {
            turn.grace.get_or_insert(now + limits.grace);
        }
        Ok(())
    }

    fn back(&mut self, user: &UserId, device: &DeviceId) -> Done {
        if let Some(turn) = self.device_turn(user, device) {
            turn.grace = None;
        }
        Ok(())
    }

    fn take_out(&mut self, user: &UserId, now: Timestamp, limits: &Limits) -> Done {
        if self.engages(user)
            && let Some(i) = self.index(user)
        {
            self.depart(i, Leaving::Elsewhere, None, now, limits);
        }
        Ok(())
    }
}
