//! What must hold whatever happened, checked of everything that is released and after every run.

use crate::server::Server;
use ringback_core::call::{CallRecord, CallView, Hidden, MissedReason, TurnKind, TurnRecord, TurnState};
use ringback_core::id::{InvitationId, MissedId, SessionId, TurnNo, UserId};
use ringback_core::line::DoNotDisturb;
use ringback_core::step::{Fact, Signal};
use std::collections::BTreeMap;

impl Server {
    /// Only who is in a call, on the device that they are in it on, reaches whom the same is true of (R1).
    pub(crate) fn signalled(&self, to: SessionId, signal: &Signal) {
        let row = self.rows.calls.get(&signal.invitation).expect("durable first");
        let on = |who: &UserId| {
            let turns = row.participants.iter().find(|p| p.person.id == *who).and_then(|p| p.turns.last());
            turns.and_then(TurnRecord::device).cloned()
        };
        let (who, _) = &self.seen[&to];
        let sessions: Vec<_> = self.engine.sessions().filter(|by| by.session == to).collect();
        assert_eq!(on(&signal.from).as_ref(), Some(&signal.device), "R1: {signal:?} of who isn't in the call there");
        assert!(sessions.iter().all(|by| on(who).as_ref() == Some(&by.device)), "R1: {signal:?} to {who}");
        assert!(row.running() && *who != signal.from, "R1: {signal:?}");
    }

    /// Nobody outside an invitation ever gets a view of it; nobody sees the rows of what is not durable.
    pub(crate) fn shown(&mut self, to: SessionId, view: &CallView) {
        let (who, seen) = self.seen.get_mut(&to).expect("a session");
        let row = self.rows.calls.get(&view.invitation).expect("durable first");
        let told = told(row, who);
        let newest = row.revision + row.participants.iter().map(|p| p.private).max().unwrap_or(0);
        assert!(view.revision <= newest, "G2: durable before visible");
        assert!(!told.is_empty(), "L5, L13: {who} gets a view of {view:?}");
        assert!(view.own.iter().all(|t| told.contains(&t.no)), "L13: {who} gets {:?}", view.own);
        let newer = |old: &CallView| old.revision < view.revision;
        if seen.calls.get(&view.invitation).is_none_or(newer) {
            seen.calls.insert(view.invitation, view.clone());
        }
    }

    /// What must hold whatever happened.
    pub(crate) fn check(&mut self) {
        let mut engaged: BTreeMap<UserId, InvitationId> = BTreeMap::new();
        for (id, call) in &self.rows.calls {
            for p in &call.participants {
                for turn in &p.turns {
                    self.outcomes
                        .entry((*id, p.person.id.clone(), turn.no))
                        .and_modify(|was| {
                            assert!(!was.ended() || *was == turn.state, "one outcome");
                            *was = turn.state;
                        })
                        .or_insert(turn.state);
                    assert_eq!(turn.missed, missed_by_m1(turn), "M1: {turn:?}");
                }
                if p.turns.last().is_some_and(|t| t.state == TurnState::Accepted) {
                    let other = engaged.insert(p.person.id.clone(), *id);
                    assert_eq!(other, None, "L8: {} is in two calls", p.person.id);
                }
            }
        }
        if !self.unheard {
            self.check_missed();
            self.check_settings();
        }
    }

    /// Every connected device shows what is kept, whichever of them set it (L13).
    fn check_settings(&self) {
        for by in self.engine.sessions() {
            let (Some(line), Some((_, seen))) = (self.rows.lines.get(&by.user), self.seen.get(&by.session)) else {
                continue;
            };
            let Some(shown) = &seen.settings else { continue };
            assert!(line.blocked.iter().eq(&shown.blocked), "L13: {} on {}", by.user, by.device);
            let holds = |set: &Option<DoNotDisturb>| set.clone().filter(|set| self.now < set.until);
            assert_eq!(holds(&line.do_not_disturb), holds(&shown.do_not_disturb), "L13: {} on {}", by.user, by.device);
        }
    }

    /// Exactly one missed call for each turn that M1 says is one.
    fn check_missed(&self) {
        let mut owed = Vec::new();
        for (id, call) in &self.rows.calls {
            for p in &call.participants {
                owed.extend(p.turns.iter().filter_map(|t| {
                    let missed = MissedId { invitation: *id, turn: t.no };
                    missed_by_m1(t).map(|why| (missed, p.person.id.clone(), why))
                }));
            }
        }
        let mut told: Vec<_> = self
            .facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Missed { id, user, reason } => Some((*id, user.clone(), *reason)),
                _ => None,
            })
            .collect();
        owed.sort();
        told.sort();
        assert_eq!(told, owed, "M1, M2");
    }
}

/// The turns that a user was told of (L13): not hidden, or by do-not-disturb and over, or hidden after it rang.
fn told(row: &CallRecord, who: &UserId) -> Vec<TurnNo> {
    let mine = row.participants.iter().filter(|p| p.person.id == *who).flat_map(|p| &p.turns);
    let told = mine.filter(|t| match t.hidden {
        None | Some(Hidden::BlockedLater) => true,
        Some(Hidden::DoNotDisturb) => t.state.ended(),
        Some(Hidden::Blocked) => false,
    });
    told.map(|t| t.no).collect()
}

/// M1's column, from the turn alone.
fn missed_by_m1(t: &TurnRecord) -> Option<MissedReason> {
    if t.kind != TurnKind::Invited || t.crossed {
        return None;
    }
    let as_it_ended = match t.state {
        TurnState::TimedOut => MissedReason::NoAnswer,
        TurnState::Cancelled => MissedReason::Cancelled,
        TurnState::Busy => MissedReason::Busy,
        TurnState::Unreachable => MissedReason::Unreachable,
        TurnState::Inviting | TurnState::Ringing | TurnState::Accepted | TurnState::Left | TurnState::Declined => {
            return None;
        }
    };
    match t.hidden {
        None => Some(as_it_ended),
        Some(Hidden::DoNotDisturb) => Some(MissedReason::DoNotDisturb),
        Some(Hidden::Blocked | Hidden::BlockedLater) => None,
    }
}
