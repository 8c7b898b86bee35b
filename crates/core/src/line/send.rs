//! `send` and `invite`: who rings, who doesn't, and whose calls cross (L8, L10, L13).

use super::Made;
use crate::call::{Asked, Begin, Call, CallType, Command, Hidden, Mode, NewTurn, TurnRecord, TurnState};
use crate::id::{CallId, InvitationId, RequestId, UserId};
use crate::limits::Limits;
#[cfg(feature = "planted")]
use crate::planted::{self, Fault};
use crate::refusal::{Code, Refusal};
use crate::step::{Actor, Invitee, Reply, Ring, Send};
use crate::world::{Stop, Txn};
use std::collections::BTreeSet;

/// What becomes of one invitee.
pub(super) enum Fate {
    /// Can't be invited, and why.
    Refused(Refusal),
    /// The other's one-to-one call stands, and is answered by this one (L10).
    Cross(InvitationId),
    /// Begins a turn; the callee's own one-to-one call to the asker gives way first, if there is one (L10).
    Turn { hidden: Option<Hidden>, state: TurnState, withdraw: Option<InvitationId> },
}

impl Fate {
    fn turn(hidden: Option<Hidden>, state: TurnState) -> Self {
        Self::Turn { hidden, state, withdraw: None }
    }
}

pub(crate) fn send(txn: &mut Txn<'_>, by: &Actor, request: &RequestId, send: &Send, mode: Mode) -> Result<Reply, Stop> {
    check_ring(&send.ring, txn.cx.limits)?;
    check_invitees(&send.invitees, &by.user, txn.cx.limits)?;
    if send.custom_data.len() > txn.cx.limits.custom_data_bytes {
        return Err(too_large("custom_data", txn.cx.limits.custom_data_bytes).into());
    }
    txn.need_standing(send.invitees.iter().map(|i| &i.user).chain([&by.user]))?;
    if let Some(made) = txn.line(&by.user)?.remembered(&by.device, request) {
        return Ok(Reply::Made(made.clone()));
    }
    let engaged = txn.engaged(&by.user)?;
    #[cfg(feature = "planted")]
    let engaged = engaged.filter(|_| !planted::is(Fault::EngagedSends));
    if let Some((id, device)) = engaged {
        if device == by.device {
            return invite(txn, by, request, id, &send.invitees, &send.ring);
        }
        give_way(txn, by, id, &device)?;
    }
    let begin = Begin {
        id: InvitationId::v7(txn.cx.now.0, txn.cx.random),
        // Replaced just below where the app gave none.
        call_id: send.call_id.clone().map_or_else(|| new_call_id(txn), Ok)?,
        initiator: txn.line(&by.user)?.record.person.clone(),
        asked: Asked { device: by.device.clone(), request: request.clone() },
        call_type: send.call_type,
        mode,
        end_when_initiator_leaves: send.end_when_initiator_leaves,
        can_invite_in_calling: send.can_invite_in_calling,
        only_initiator_can_invite: send.only_initiator_can_invite,
        custom_data: send.custom_data.clone(),
        resource_id: send.ring.resource_id.clone(),
        title: send.ring.title.clone(),
        message: send.ring.message.clone(),
        dial_back: false,
    };
    let made = ring_up(txn, by, begin, &send.invitees, &send.ring)?;
    txn.line_mut(&by.user)?.remember(&by.device, request, made.clone());
    Ok(Reply::Made(made))
}

/// Begins a call and its turns, or answers the one that it crosses.
pub(super) fn ring_up(
    txn: &mut Txn<'_>,
    by: &Actor,
    begin: Begin,
    invitees: &[Invitee],
    ring: &Ring,
) -> Result<Made, Stop> {
    let own_blocks = &txn.line(&by.user)?.record.blocked;
    let group = invitees.iter().filter(|i| !own_blocks.contains(&i.user)).count() > 1;
    let Sorted { turns, refused, crossing } = sort(txn, &by.user, None, invitees, group)?;
    if let Some(id) = crossing {
        return cross(txn, by, &begin, id, refused);
    }
    let (id, call_id) = (begin.id, begin.call_id.clone());
    txn.insert(Call::begin(begin, txn.cx.now));
    start_turns(txn, by, id, turns, ring)?;
    Ok(Made::Invited { invitation: id, call_id, refused, crossed: false })
}

fn cross(
    txn: &mut Txn<'_>,
    by: &Actor,
    begin: &Begin,
    id: InvitationId,
    refused: Vec<(UserId, Code)>,
) -> Result<Made, Stop> {
    let standing = txn.call(id)?.record();
    let call_id = standing.call_id.clone();
    let both_video = standing.call_type == CallType::Video && begin.call_type == CallType::Video;
    let call_type = Some(if both_video { CallType::Video } else { CallType::Voice });
    txn.command(id, Command::Cross { callee: by.user.clone(), asked: begin.asked.clone(), call_type })?;
    Ok(Made::Invited { invitation: id, call_id, refused, crossed: true })
}

pub(crate) fn invite(
    txn: &mut Txn<'_>,
    by: &Actor,
    request: &RequestId,
    id: InvitationId,
    invitees: &[Invitee],
    ring: &Ring,
) -> Result<Reply, Stop> {
    check_ring(ring, txn.cx.limits)?;
    check_invitees(invitees, &by.user, txn.cx.limits)?;
    txn.need_standing(invitees.iter().map(|i| &i.user).chain([&by.user]))?;
    if let Some(made) = txn.line(&by.user)?.remembered(&by.device, request) {
        return Ok(Reply::Made(made.clone()));
    }
    let call = txn.call(id)?;
    call.may_invite(&by.user)?;
    let call_id = call.record().call_id.clone();
    let known: BTreeSet<_> = call.users().cloned().collect();
    let new = invitees.iter().filter(|i| !known.contains(&i.user)).count();
    if known.len() - 1 + new > txn.cx.limits.invitees {
        return Err(too_many(txn.cx.limits.invitees).into());
    }
    let Sorted { turns, refused, .. } = sort(txn, &by.user, Some(id), invitees, true)?;
    start_turns(txn, by, id, turns, ring)?;
    let made = Made::Invited { invitation: id, call_id, refused, crossed: false };
    txn.line_mut(&by.user)?.remember(&by.device, request, made.clone());
    Ok(Reply::Made(made))
}

/// What becomes of all the invitees of one request.
struct Sorted<'a> {
    turns: Vec<(&'a Invitee, Option<Hidden>, TurnState, Option<InvitationId>)>,
    /// Who could not be invited, and why: also those whose turn ends at once as unreachable (S7, V3).
    refused: Vec<(UserId, Code)>,
    /// The one-to-one call that this one answers instead.
    crossing: Option<InvitationId>,
}

/// Decides each invitee; refused if every one is refused with an error, with the first one's code (S7).
fn sort<'a>(
    txn: &Txn<'_>,
    by: &UserId,
    call: Option<InvitationId>,
    invitees: &'a [Invitee],
    group: bool,
) -> Result<Sorted<'a>, Stop> {
    let mut sorted = Sorted { turns: Vec::new(), refused: Vec::new(), crossing: None };
    let mut first = None;
    for invitee in invitees {
        let user = &invitee.user;
        let here = match call {
            Some(id) => txn.call(id)?.last_turn(user).filter(|t| !t.state.ended()).map(|_| already_invited(id)),
            None => None,
        };
        match here.map_or_else(|| fate(txn, by, invitee, group), |refusal| Ok(Fate::Refused(refusal)))? {
            Fate::Refused(refusal) => {
                sorted.refused.push((user.clone(), refusal.code));
                first.get_or_insert(refusal);
            }
            Fate::Cross(id) => sorted.crossing = Some(id),
            Fate::Turn { hidden, state, withdraw } => {
                if state == TurnState::Unreachable {
                    sorted.refused.push((user.clone(), Code::IncompatibleMode));
                }
                sorted.turns.push((invitee, hidden, state, withdraw));
            }
        }
    }
    match first {
        Some(first) if sorted.turns.is_empty() && sorted.crossing.is_none() => Err(first.into()),
        _ => Ok(sorted),
    }
}

fn start_turns(
    txn: &mut Txn<'_>,
    by: &Actor,
    id: InvitationId,
    turns: Vec<(&Invitee, Option<Hidden>, TurnState, Option<InvitationId>)>,
    ring: &Ring,
) -> Result<(), Stop> {
    let mut new = Vec::new();
    for (invitee, hidden, state, withdraw) in turns {
        if let Some(crossed) = withdraw {
            txn.command(crossed, Command::Withdraw)?;
        }
        let callee = txn.line(&invitee.user)?.record.person.clone();
        let deadline = if state.ended() { txn.cx.now } else { txn.cx.now + ring.timeout };
        new.push(NewTurn { callee, deadline, hidden, state });
    }
    txn.command(id, Command::Invite { by: by.user.clone(), turns: new })
}

/// Decides one invitee, in K3's order from the block on.
pub(super) fn fate(txn: &Txn<'_>, by: &UserId, invitee: &Invitee, group: bool) -> Result<Fate, Stop> {
    let callee = &invitee.user;
    if txn.line(by)?.blocks(callee) {
        return Ok(Fate::Refused(Refusal::new(Code::Forbidden, "you blocked this user; unblock them to call them")));
    }
    let line = txn.line(callee)?;
    let blocked = line.blocks(by).then_some(Hidden::Blocked);
    if invitee.unreachable {
        return Ok(Fate::turn(blocked, TurnState::Unreachable));
    }
    if blocked.is_some() {
        return Ok(Fate::turn(blocked, TurnState::Inviting));
    }
    if group {
        if let Some(id) = calls_one_to_one(txn, callee, by)? {
            return Ok(Fate::Turn { hidden: None, state: TurnState::Inviting, withdraw: Some(id) });
        }
    } else if let Some(fate) = crossing(txn, by, callee)? {
        return Ok(fate);
    }
    if let Some((_, device)) = txn.engaged(callee)?
        && !line.waits(&device)
    {
        return Ok(Fate::turn(None, TurnState::Busy));
    }
    if line.quiet_for(by, txn.cx.now) {
        return Ok(Fate::turn(Some(Hidden::DoNotDisturb), TurnState::Inviting));
    }
    let mut ringing = 0;
    for id in txn.pending(callee)? {
        ringing += usize::from(txn.call(id)?.pending_turn(callee).is_some_and(TurnRecord::rings));
    }
    let state = if ringing >= txn.cx.limits.pending_turns { TurnState::Busy } else { TurnState::Inviting };
    Ok(Fate::turn(None, state))
}

/// The one-to-one call by which `caller` now rings `callee`, if there is one.
fn calls_one_to_one(txn: &Txn<'_>, caller: &UserId, callee: &UserId) -> Result<Option<InvitationId>, Stop> {
    for id in txn.pending(callee)? {
        let call = txn.call(id)?;
        if !call.record().group && call.engages(caller) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether a one-to-one call of `by` to `callee` crosses one the other way (L10).
fn crossing(txn: &Txn<'_>, by: &UserId, callee: &UserId) -> Result<Option<Fate>, Stop> {
    #[cfg(feature = "planted")]
    if planted::is(Fault::CrossingIgnored) {
        return Ok(None);
    }
    if let Some(id) = calls_one_to_one(txn, callee, by)? {
        return Ok(Some(Fate::Cross(id)));
    }
    for id in txn.pending(by)? {
        let call = txn.call(id)?;
        let rung = call.pending_turn(by).is_some_and(|t| t.rings() && t.inviter == *callee);
        if rung && call.engages(callee) {
            return Ok(Some(Fate::Refused(already_invited(id))));
        }
    }
    Ok(None)
}

/// Leaves the call that another device of the asker is in, if that device has no session; else refuses (§3).
pub(super) fn give_way(
    txn: &mut Txn<'_>,
    by: &Actor,
    id: InvitationId,
    device: &crate::id::DeviceId,
) -> Result<(), Stop> {
    if *device == by.device || txn.has_session(&by.user, device) {
        let message = "another device of yours is in a call; leave it there first";
        return Err(Refusal::new(Code::AlreadyInCall, message).naming(id).into());
    }
    txn.command(id, Command::TakeOut { user: by.user.clone() })
}

pub(super) fn already_in_call(id: InvitationId) -> Refusal {
    Refusal::new(Code::AlreadyInCall, "you are in another call; leave it first").naming(id)
}

fn already_invited(id: InvitationId) -> Refusal {
    Refusal::new(Code::AlreadyInvited, "an invitation between you is already under way").naming(id)
}

fn too_many(most: usize) -> Refusal {
    Refusal::field("invitees", format!("an invitation has at most {most} invitees"))
}

fn too_large(field: &'static str, most: usize) -> Refusal {
    Refusal { code: Code::PayloadTooLarge, ..Refusal::field(field, format!("has at most {most} bytes")) }
}

fn new_call_id(txn: &Txn<'_>) -> Result<CallId, Stop> {
    let id = InvitationId::v7(txn.cx.now.0, txn.cx.random).to_string();
    CallId::new(&id).map_err(|e| Stop::Refused(Refusal::new(Code::Internal, e.to_string())))
}

fn check_invitees(invitees: &[Invitee], by: &UserId, limits: &Limits) -> Result<(), Refusal> {
    if invitees.is_empty() {
        return Err(Refusal::field("invitees", "name at least one user to invite"));
    }
    if invitees.len() > limits.invitees {
        return Err(too_many(limits.invitees));
    }
    if invitees.iter().any(|i| i.user == *by) {
        return Err(Refusal::field("invitees", "you can't invite yourself"));
    }
    let different: BTreeSet<_> = invitees.iter().map(|i| &i.user).collect();
    if different.len() < invitees.len() {
        return Err(Refusal::field("invitees", "each user can be named once"));
    }
    Ok(())
}

pub(super) fn check_ring(ring: &Ring, limits: &Limits) -> Result<(), Refusal> {
    if ring.timeout.as_secs() == 0 || ring.timeout > limits.max_timeout {
        let most = limits.max_timeout.as_secs();
        return Err(Refusal::field("timeout_ms", format!("a ring lasts 1 to {most} seconds")));
    }
    let over = |text: &Option<std::sync::Arc<str>>, most| text.as_ref().is_some_and(|t| t.chars().count() > most);
    if over(&ring.title, limits.title_chars) {
        return Err(Refusal::field("title", format!("has at most {} characters", limits.title_chars)));
    }
    if over(&ring.message, limits.message_chars) {
        return Err(Refusal::field("message", format!("has at most {} characters", limits.message_chars)));
    }
    if ring.resource_id.as_ref().is_some_and(|r| r.is_empty() || r.len() > crate::id::MAX_ID_BYTES) {
        return Err(Refusal::field("resource_id", "has 1 to 128 bytes, or is left out"));
    }
    Ok(())
}
