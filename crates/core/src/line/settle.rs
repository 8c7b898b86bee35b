//! What follows from a step, whoever took it: worked out from the calls before and after it, in one place.
//!
//! 1. Who is newly in a call leaves any other, and misses what rings (L8).
//! 2. A turn that ended without its callee having answered or declined is a missed call (M1, M2).
//! 3. Who connects has handled the missed calls of it (M4).
//! 4. A group that a missed call could join, or no longer can, changes what its notification offers (M5).
//! 5. History and log.

use super::{Direction, HistoryRecord, MissedCall, Outcome};
use crate::call::{Call, Command, EndReason, Hidden, MissedReason, ParticipantRecord, TurnKind, TurnRecord, TurnState};
use crate::id::{DeviceId, InvitationId, MissedId, Person, UserId};
use crate::limits::LISTED;
#[cfg(feature = "planted")]
use crate::planted::{self, Fault};
use crate::shared::Shared;
use crate::step::{Fact, Key};
use crate::world::{Stop, Txn};

/// Settles what follows from the changes of a step.
pub(crate) fn settle(txn: &mut Txn<'_>) -> Result<(), Stop> {
    engage(txn)?;
    let changes: Vec<(Option<Shared<Call>>, Shared<Call>)> =
        txn.changed().map(|(was, is)| (was.cloned(), is.clone())).collect();
    need_lines(txn, &changes)?;
    for (was, is) in &changes {
        for p in &is.record().participants {
            for turn in &p.turns {
                let before = was.as_ref().and_then(|c| turn_before(c, &p.person.id, turn));
                if before.map(|t| t.state) != Some(turn.state) {
                    turn_changed(txn, is, p, turn, before)?;
                }
            }
            if p.turns.iter().any(|t| t.missed.is_some()) {
                offer(txn, was.as_deref(), is, &p.person.id)?;
            }
        }
        if let (None | Some(None), Some((reason, _))) = (was.as_ref().map(|c| c.record().ended), is.record().ended) {
            txn.facts.push(Fact::Ended { invitation: is.id(), reason });
        }
    }
    count(txn)
}

fn turn_before<'a>(call: &'a Call, user: &UserId, turn: &TurnRecord) -> Option<&'a TurnRecord> {
    call.participant(user)?.turns.iter().find(|t| t.no == turn.no)
}

/// L8: whoever is newly in a call is in no other, and what else rings for them is busy, unless that device waits (C11).
fn engage(txn: &mut Txn<'_>) -> Result<(), Stop> {
    #[cfg(feature = "planted")]
    if planted::is(Fault::EngagedSends) {
        return Ok(());
    }
    let mut newly: Vec<(UserId, DeviceId, InvitationId)> = Vec::new();
    for (was, is) in txn.changed().filter(|(_, is)| is.running()) {
        for user in is.users() {
            let Some(turn) = is.last_turn(user) else {
                continue;
            };
            let before = was.and_then(|c| turn_before(c, user, turn)).and_then(TurnRecord::device);
            if let (Some(device), None) = (turn.device(), before) {
                newly.push((user.clone(), device.clone(), is.id()));
            }
        }
    }
    txn.need_standing(newly.iter().map(|(u, _, _)| u))?;
    for (user, device, id) in newly {
        let waits = txn.line(&user)?.waits(&device);
        for other in txn.standing(&user)?.into_iter().filter(|other| *other != id) {
            let call = txn.call(other)?;
            if call.engages(&user) {
                txn.command(other, Command::TakeOut { user: user.clone() })?;
            } else if !waits && call.pending_turn(&user).is_some_and(TurnRecord::rings) {
                txn.command(other, Command::Engage { callee: user.clone() })?;
            }
        }
    }
    Ok(())
}

/// Everyone whose line may change.
fn need_lines(txn: &Txn<'_>, changes: &[(Option<Shared<Call>>, Shared<Call>)]) -> Result<(), Stop> {
    let may_change = changes.iter().flat_map(|(was, is)| {
        is.record().participants.iter().filter(move |p| {
            let before = was.as_ref().and_then(|c| c.participant(&p.person.id));
            before.map(|b| &b.turns) != Some(&p.turns) || p.turns.iter().any(|t| t.missed.is_some())
        })
    });
    txn.need(may_change.map(|p| Key::Line(p.person.id.clone())))
}

fn turn_changed(
    txn: &mut Txn<'_>,
    call: &Call,
    p: &ParticipantRecord,
    turn: &TurnRecord,
    before: Option<&TurnRecord>,
) -> Result<(), Stop> {
    let (invitation, user) = (call.id(), p.person.id.clone());
    if before.is_none() && turn.kind == TurnKind::Invited {
        let by = turn.inviter.clone();
        txn.facts.push(Fact::Invited { invitation, user: user.clone(), turn: turn.no, by });
    }
    txn.facts.push(Fact::Turn { invitation, user: user.clone(), turn: turn.no, state: turn.state });
    let connected = |t: &TurnRecord| matches!(t.state, TurnState::Accepted | TurnState::Left);
    if connected(turn) && !before.is_some_and(connected) {
        connect(txn, call, &user, turn)?;
        #[cfg(feature = "planted")]
        if turn.crossed && planted::is(Fault::CrossingMissed) {
            miss(txn, call, p, turn, MissedReason::NoAnswer)?;
        }
    }
    if turn.state.ended() {
        if let Some(reason) = missed_reason(turn) {
            miss(txn, call, p, turn, reason)?;
        }
        if turn.known() {
            txn.history.push(history(call, p, turn));
        }
    }
    Ok(())
}

/// M1's table: the reason of the missed call that an ended turn is, if it is one.
fn missed_reason(turn: &TurnRecord) -> Option<MissedReason> {
    if turn.crossed {
        return None;
    }
    let reason = match turn.state {
        TurnState::TimedOut => MissedReason::NoAnswer,
        TurnState::Cancelled => MissedReason::Cancelled,
        TurnState::Busy => MissedReason::Busy,
        TurnState::Unreachable => MissedReason::Unreachable,
        TurnState::Inviting | TurnState::Ringing | TurnState::Accepted | TurnState::Left | TurnState::Declined => {
            return None;
        }
    };
    match turn.hidden {
        None => Some(reason),
        Some(Hidden::DoNotDisturb) => Some(MissedReason::DoNotDisturb),
        Some(Hidden::Blocked | Hidden::BlockedLater) => None,
    }
}

fn miss(
    txn: &mut Txn<'_>,
    call: &Call,
    p: &ParticipantRecord,
    turn: &TurnRecord,
    reason: MissedReason,
) -> Result<(), Stop> {
    let (now, limits) = (txn.cx.now, *txn.cx.limits);
    let (r, user) = (call.record(), &p.person.id);
    let caller = call
        .participant(&turn.inviter)
        .map_or_else(|| Person { id: turn.inviter.clone(), name: "".into() }, |inviter| inviter.person.clone());
    let id = MissedId { invitation: r.id, turn: turn.no };
    txn.call_mut(r.id)?.mark_missed(user, turn.no, reason);
    let line = txn.line_mut(user)?;
    let missed = MissedCall {
        id,
        call_id: r.call_id.clone(),
        caller,
        call_type: r.call_type,
        group: r.group,
        reason,
        cancelled: turn.state == TurnState::Cancelled,
        at: turn.at,
        missed_at: now,
        silent: turn.hidden == Some(Hidden::DoNotDisturb) || line.quiet(now),
        can_join: can_enter(call, user),
        clicked: None,
        returned: false,
    };
    line.miss(missed, &limits);
    txn.facts.push(Fact::Missed { id, user: user.clone(), reason });
    Ok(())
}

/// Whether a click on a missed call of this group would bring the user into it (D5, D8).
fn can_enter(call: &Call, user: &UserId) -> bool {
    call.running() && call.record().group && (call.may_join(user) || call.pending_turn(user).is_some())
}

/// Keeps what a group's missed calls offer in step with the group.
fn offer(txn: &mut Txn<'_>, was: Option<&Call>, is: &Call, user: &UserId) -> Result<(), Stop> {
    let now = can_enter(is, user);
    if was.is_none_or(|c| can_enter(c, user) == now) {
        return Ok(());
    }
    let stale = |m: &MissedCall| m.id.invitation == is.id() && m.can_join != now;
    if txn.line(user)?.missed.values().any(stale) {
        txn.line_mut(user)?.missed.values_mut().filter(|m| stale(m)).for_each(|m| m.can_join = now);
    }
    Ok(())
}

/// M4: connecting handles the missed calls of that person one-to-one, or of that group.
fn connect(txn: &mut Txn<'_>, call: &Call, user: &UserId, turn: &TurnRecord) -> Result<(), Stop> {
    if call.record().group {
        let id = call.id();
        return handle(txn, user, &|m| m.id.invitation == id);
    }
    if turn.kind == TurnKind::Origin {
        return Ok(());
    }
    let Some(other) = call.counterpart(user).map(|p| p.id.clone()) else {
        return Ok(());
    };
    handle(txn, user, &|m| !m.group && m.caller.id == other)?;
    txn.need([Key::Line(other.clone())])?;
    handle(txn, &other, &|m| !m.group && m.caller.id == *user)
}

fn handle(txn: &mut Txn<'_>, user: &UserId, which: &dyn Fn(&MissedCall) -> bool) -> Result<(), Stop> {
    if txn.line(user)?.missed.values().any(which) {
        txn.line_mut(user)?.missed.retain(|_, m| !which(m));
    }
    Ok(())
}

/// Counts the line's revision up where its missed calls changed, so that views of them are ordered.
fn count(txn: &mut Txn<'_>) -> Result<(), Stop> {
    for user in txn.touched_lines() {
        let changed = txn.missed_before(&user) != Some(&txn.line(&user)?.missed);
        if changed {
            txn.line_mut(&user)?.record.revision += 1;
        }
    }
    Ok(())
}

fn history(call: &Call, p: &ParticipantRecord, turn: &TurnRecord) -> HistoryRecord {
    let r = call.record();
    let others: Vec<&ParticipantRecord> = r.participants.iter().filter(|o| o.person.id != p.person.id).collect();
    let host = call.initiator();
    // Who called, or whose call it was; to that one, everybody.
    let caller = match turn.kind {
        TurnKind::Invited => Some(&turn.inviter),
        TurnKind::Joined if host.id != p.person.id => Some(&host.id),
        TurnKind::Origin | TurnKind::Joined => None,
    };
    let meant = |o: &&&ParticipantRecord| caller.is_none_or(|caller| o.person.id == *caller);
    let with_count = others.iter().filter(meant).count();
    let with: Vec<Person> = others.iter().filter(meant).take(LISTED).map(|o| o.person.clone()).collect();
    HistoryRecord {
        user: p.person.id.clone(),
        id: MissedId { invitation: r.id, turn: turn.no },
        call_id: r.call_id.clone(),
        call_type: r.call_type,
        group: r.group,
        direction: match turn.kind {
            TurnKind::Origin => Direction::Outgoing,
            TurnKind::Invited => Direction::Incoming,
            TurnKind::Joined => Direction::Joined,
        },
        with,
        with_count: u32::try_from(with_count).unwrap_or(u32::MAX),
        at: turn.at,
        ended_at: turn.ended_at.unwrap_or(turn.at),
        outcome: outcome(call, &others, turn),
    }
}

fn outcome(call: &Call, others: &[&ParticipantRecord], turn: &TurnRecord) -> Outcome {
    if turn.kind != TurnKind::Origin {
        return match (turn.state, missed_reason(turn)) {
            (_, Some(reason)) => Outcome::Missed(reason),
            (TurnState::Left, None) => Outcome::Answered,
            (_, None) => Outcome::Declined,
        };
    }
    let met = |t: &TurnRecord| matches!(t.state, TurnState::Accepted | TurnState::Left);
    if others.iter().any(|o| o.turns.iter().any(met)) {
        return Outcome::Answered;
    }
    match call.record().ended {
        Some((EndReason::Declined, _)) => Outcome::Declined,
        Some((reason, _)) => Outcome::Unanswered(reason),
        None => Outcome::Unanswered(EndReason::Left),
    }
}
