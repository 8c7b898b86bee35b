//! The moments at which a call changes by itself.

use super::Call;
use super::record::{EndReason, Leaving, TurnState};
use crate::id::{TurnNo, UserId};
use crate::limits::Limits;
use crate::time::Timestamp;

/// What a moment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A turn times out (L2).
    Deadline,
    /// A device has been gone too long (L9).
    Grace,
    /// One person has been alone too long (L6).
    Alone,
    /// Devices that haven't said `ringing` are sent the turn again (N4).
    Remind,
}

/// What a due timer asks of the shell, beyond its change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Turns whose devices that haven't said `ringing` are to be sent the call again.
    pub remind: Vec<(UserId, TurnNo)>,
}

impl Call {
    /// The next moment at which this call changes by itself, and what for.
    pub fn poll_timeout(&self, limits: &Limits) -> Option<(Timestamp, Timer)> {
        if !self.running() {
            return None;
        }
        let alone = self.0.alone_until.map(|at| (at, Timer::Alone));
        let turns = self.last_turns().filter_map(|t| match t.state {
            TurnState::Inviting | TurnState::Ringing => {
                let remind = t.at + limits.remind;
                if !t.reminded && t.hidden.is_none() && remind < t.deadline {
                    Some((remind, Timer::Remind))
                } else {
                    Some((t.deadline, Timer::Deadline))
                }
            }
            TurnState::Accepted => t.grace.map(|at| (at, Timer::Grace)),
            TurnState::Left
            | TurnState::Declined
            | TurnState::Busy
            | TurnState::Cancelled
            | TurnState::TimedOut
            | TurnState::Unreachable => None,
        });
        turns.chain(alone).min()
    }

    /// Runs every timer that is due, the earliest first; early ones are left alone.
    pub fn handle_timeout(&mut self, now: Timestamp, limits: &Limits) -> Due {
        let mut due = Due::default();
        while let Some((at, timer)) = self.poll_timeout(limits) {
            if at > now {
                break;
            }
            match timer {
                Timer::Deadline => self.time_out(at, now, limits),
                Timer::Grace => self.lose(at, now, limits),
                Timer::Alone => self.finish(EndReason::Alone, None, now),
                Timer::Remind => self.remind(now, limits, &mut due),
            }
            self.seal();
        }
        due
    }

    fn time_out(&mut self, at: Timestamp, now: Timestamp, limits: &Limits) {
        for i in 0..self.0.participants.len() {
            if self.turn_at(i).is_some_and(|t| t.pending() && t.deadline <= at) {
                self.end_turn(i, TurnState::TimedOut, now);
            }
        }
        self.settle(EndReason::TimedOut, None, now, limits);
    }

    fn lose(&mut self, at: Timestamp, now: Timestamp, limits: &Limits) {
        for i in 0..self.0.participants.len() {
            if self.turn_at(i).is_some_and(|t| t.state == TurnState::Accepted && t.grace.is_some_and(|g| g <= at)) {
                self.depart(i, Leaving::Lost, None, now, limits);
            }
        }
    }

    fn remind(&mut self, now: Timestamp, limits: &Limits, due: &mut Due) {
        for p in &mut self.0.participants {
            let Some(t) = p.turns.last_mut() else {
                continue;
            };
            if t.rings() && !t.reminded && t.at + limits.remind <= now {
                t.reminded = true;
                due.remind.push((p.person.id.clone(), t.no));
            }
        }
    }
}
