//! The authority over one invitation: who may do what in it, its timers, and what each user may see of it.
//!
//! A turn, the states' only ways on:
//!
//! ```text
//!                    ringing (L1)
//!       ┌──────────┐ ─────────▶ ┌─────────┐  accept, cross   ┌──────────┐  leave, end, grace  ┌──────┐
//!  ───▶ │ inviting │            │ ringing │ ───────────────▶ │ accepted │ ──────────────────▶ │ left │
//!       └──────────┘ ─────────────────────────────────────▶ └──────────┘                     └──────┘
//!        │ │ │ │ │  accept         │ │ │ │                        ▲
//!        │ │ │ │ └─▶ unreachable   │ │ │ │                        │ origin (the initiator), join
//!        │ │ │ └── deadline ───────│─│─│─┴─▶ timed_out
//!        │ │ └──── reject ─────────│─│─┴───▶ declined
//!        │ └────── L8, reject(busy)│─┴─────▶ busy          (`unreachable` and `busy` also at once, without ringing)
//!        └──────── cancel, end ────┴───────▶ cancelled
//! ```
//!
//! A call: `running ─▶ ended(reason)`. One-to-one it ends when either leaves or its only turn ends unanswered; a group
//! ends when the last one leaves, the initiator leaves with C1, or one has been alone for 60 s (L6, L7).

mod change;
mod command;
mod media;
mod record;
mod timer;
mod view;

pub(crate) use change::not_found;
pub use command::{Begin, Command, NewTurn};
pub use record::*;
pub use timer::{Due, Timer};
pub use view::*;

use crate::id::{InvitationId, Person, TurnNo, UserId};
use crate::limits::Limits;
use crate::time::Timestamp;

/// One invitation, held to its invariants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call(CallRecord);

/// Says which invariant a record breaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BrokenRecord(pub &'static str);

impl std::fmt::Display for BrokenRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BrokenRecord {}

impl Call {
    /// Begins a call: the initiator is accepted at once, nobody is invited yet.
    pub fn begin(begin: Begin, now: Timestamp) -> Self {
        Self::begun(begin, now)
    }

    /// Takes a stored record, checking that it can be one of ours.
    pub fn from_record(record: CallRecord) -> Result<Self, BrokenRecord> {
        check(&record)?;
        Ok(Self(record))
    }

    /// Gives the record to store.
    pub fn into_record(self) -> CallRecord {
        self.0
    }

    /// The record, to read.
    pub fn record(&self) -> &CallRecord {
        &self.0
    }

    /// Its id.
    pub fn id(&self) -> InvitationId {
        self.0.id
    }

    /// Not ended.
    pub fn running(&self) -> bool {
        self.0.running()
    }

    /// Who sent it.
    pub fn initiator(&self) -> &Person {
        &self.0.participants[0].person
    }

    /// A user's part in it, hidden or not.
    pub fn participant(&self, user: &UserId) -> Option<&ParticipantRecord> {
        self.0.participants.iter().find(|p| p.person.id == *user)
    }

    /// A user's newest turn, hidden or not.
    pub fn last_turn(&self, user: &UserId) -> Option<&TurnRecord> {
        self.participant(user).and_then(|p| p.turns.last())
    }

    /// Whether this user is in the call.
    pub fn engages(&self, user: &UserId) -> bool {
        self.running() && self.last_turn(user).is_some_and(|t| t.state == TurnState::Accepted)
    }

    /// A user's turn that waits for an answer, hidden or not.
    pub fn pending_turn(&self, user: &UserId) -> Option<&TurnRecord> {
        self.last_turn(user).filter(|t| t.pending())
    }

    /// Whether this user may know of it: the initiator, or who has had a turn that isn't hidden, or was shown one.
    pub fn knows(&self, user: &UserId) -> bool {
        self.participant(user)
            .is_some_and(|p| p.turns.iter().any(|t| t.known() || t.hidden == Some(Hidden::BlockedLater)))
    }

    /// Whether this user may `join` now (L5): hidden turns are passed over.
    pub fn may_join(&self, user: &UserId) -> bool {
        let last = self.participant(user).and_then(|p| p.turns.iter().rev().find(|t| t.known()));
        self.running()
            && self.0.group
            && last.is_some_and(|t| match t.state {
                TurnState::TimedOut
                | TurnState::Busy
                | TurnState::Declined
                | TurnState::Unreachable
                | TurnState::Left => true,
                TurnState::Inviting | TurnState::Ringing | TurnState::Accepted | TurnState::Cancelled => false,
            })
    }

    /// The one whom a one-to-one call is with, seen from this user.
    pub fn counterpart(&self, user: &UserId) -> Option<&Person> {
        if self.0.group {
            return None;
        }
        self.0.participants.iter().map(|p| &p.person).find(|p| p.id != *user)
    }

    /// Everyone with a part in it, hidden or not.
    pub fn users(&self) -> impl Iterator<Item = &UserId> {
        self.0.participants.iter().map(|p| &p.person.id)
    }

    /// How many are in the call.
    pub fn accepted(&self) -> usize {
        self.last_turns().filter(|t| t.state == TurnState::Accepted).count()
    }

    /// How many turns wait for an answer, hidden ones included: nobody can tell them apart.
    pub fn pending(&self) -> usize {
        self.last_turns().filter(|t| t.pending()).count()
    }

    /// Notes on a turn that it is a missed call, which alone its callee may dial back (D9).
    pub(crate) fn mark_missed(&mut self, user: &UserId, turn: TurnNo, reason: MissedReason) {
        let participant = self.0.participants.iter_mut().find(|p| p.person.id == *user);
        if let Some(turn) = participant.and_then(|p| p.turns.iter_mut().find(|t| t.no == turn)) {
            turn.missed = Some(reason);
        }
    }

    fn last_turns(&self) -> impl Iterator<Item = &TurnRecord> {
        self.0.participants.iter().filter_map(|p| p.turns.last())
    }
}

fn check(r: &CallRecord) -> Result<(), BrokenRecord> {
    let Some(first) = r.participants.first() else {
        return Err(BrokenRecord("a call has at least its initiator"));
    };
    if first.turns.is_empty() {
        return Err(BrokenRecord("the initiator has a turn"));
    }
    for p in &r.participants {
        let Some((last, before)) = p.turns.split_last() else {
            return Err(BrokenRecord("each participant has a turn"));
        };
        if before.iter().any(|t| !t.state.ended()) {
            return Err(BrokenRecord("only the last turn is pending or accepted"));
        }
        if p.turns.windows(2).any(|w| w[0].no >= w[1].no) {
            return Err(BrokenRecord("turns are numbered upwards"));
        }
        if r.ended.is_some() && !last.state.ended() {
            return Err(BrokenRecord("an ended call has no turn that goes on"));
        }
        if last.state == TurnState::Accepted && last.answered.is_none() {
            return Err(BrokenRecord("an accepted turn has its device"));
        }
        if last.grace.is_some() && last.state != TurnState::Accepted {
            return Err(BrokenRecord("only an accepted turn has a grace"));
        }
    }
    if r.running() && !r.participants.iter().any(|p| p.turns.last().is_some_and(|t| t.state == TurnState::Accepted)) {
        return Err(BrokenRecord("a running call has somebody in it"));
    }
    Ok(())
}

/// Drops the oldest hidden turn, else the oldest, while there are more than kept.
fn trim(turns: &mut Vec<TurnRecord>, limits: &Limits) {
    while turns.len() > limits.turns_kept.max(1) {
        let last = turns.len() - 1;
        let at = turns[..last].iter().position(|t| !t.known()).unwrap_or(0);
        turns.remove(at);
    }
}
