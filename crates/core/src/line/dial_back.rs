//! The dial-back: the server alone chooses between ringing the caller, joining, returning what is under way, and
//! failing (D4 to D8).

use super::Made;
use super::send::{check_ring, give_way, ring_up};
use crate::call::{Asked, Begin, Command, Mode};
use crate::id::{InvitationId, MissedId, RequestId, UserId};
#[cfg(feature = "planted")]
use crate::planted::{self, Fault};
use crate::refusal::{Code, Refusal};
use crate::step::{Actor, Ask, Fact, Invitee, Reply};
use crate::world::{Stop, Txn};

pub(crate) fn dial_back(
    txn: &mut Txn<'_>,
    by: &Actor,
    request: &RequestId,
    ask: &Ask,
    mode: Mode,
) -> Result<Reply, Stop> {
    let Ask::DialBack { missed, ring, .. } = ask else {
        return Err(Refusal::new(Code::Internal, "not a dial-back").into());
    };
    check_ring(ring, txn.cx.limits)?;
    let caller = caller_of(txn, &by.user, *missed).ok().filter(|(_, group)| !group).map(|(caller, _)| caller);
    txn.need_standing(caller.iter().chain([&by.user]))?;
    if let Some(made) = txn.line(&by.user)?.remembered(&by.device, request) {
        return Ok(Reply::Made(made.clone()));
    }
    let (caller, group) = caller_of(txn, &by.user, *missed)?;
    let made = match under_way(txn, by, missed.invitation, group, &caller)? {
        Standing::Return(made) => made,
        Standing::Engaged(id) => {
            come_back(txn, &by.user, *missed)?;
            let fact = Fact::DialBackFailed { id: *missed, user: by.user.clone(), code: Code::AlreadyInCall };
            txn.facts.push(fact);
            Made::Engaged { invitation: id }
        }
        Standing::Free if group => enter(txn, by, request, missed.invitation)?,
        Standing::Free => ring_back(txn, by, request, ask, caller, mode)?,
    };
    if !matches!(made, Made::Engaged { .. }) {
        let_go(txn, &by.user, *missed)?;
    }
    txn.line_mut(&by.user)?.remember(&by.device, request, made.clone());
    Ok(Reply::Made(made))
}

/// Who called, and whether in a group: for the callee of that missed call alone (D9).
fn caller_of(txn: &Txn<'_>, user: &UserId, missed: MissedId) -> Result<(UserId, bool), Stop> {
    let call = txn.call(missed.invitation)?;
    let turn = call
        .participant(user)
        .and_then(|p| p.turns.iter().find(|t| t.no == missed.turn && t.missed.is_some()))
        .ok_or_else(|| Refusal::new(Code::NotFound, "there is no such missed call"))?;
    Ok((turn.inviter.clone(), call.record().group))
}

enum Standing {
    /// It is under way, or the user is in that very call: it is returned (D7, D8).
    Return(Made),
    /// The user is in another call (D6).
    Engaged(InvitationId),
    /// Goes on.
    Free,
}

fn under_way(
    txn: &mut Txn<'_>,
    by: &Actor,
    source: InvitationId,
    group: bool,
    caller: &UserId,
) -> Result<Standing, Stop> {
    let Some((id, device)) = txn.engaged(&by.user)? else {
        return Ok(Standing::Free);
    };
    if device != by.device && !txn.has_session(&by.user, &device) {
        give_way(txn, by, id, &device)?;
        return Ok(Standing::Free);
    }
    let call = txn.call(id)?;
    let same = if group { id == source } else { call.counterpart(&by.user).is_some_and(|p| p.id == *caller) };
    #[cfg(feature = "planted")]
    if same && planted::is(Fault::DialBackTwice) {
        return Ok(Standing::Free);
    }
    if same {
        let call_id = call.record().call_id.clone();
        Ok(Standing::Return(Made::DialedBack { invitation: id, call_id, device }))
    } else {
        Ok(Standing::Engaged(id))
    }
}

/// Joins the running group, or accepts the turn that is pending in it (D5, D8).
fn enter(txn: &mut Txn<'_>, by: &Actor, request: &RequestId, id: InvitationId) -> Result<Made, Stop> {
    let user = by.user.clone();
    let asked = Asked { device: by.device.clone(), request: request.clone() };
    let call = txn.call(id)?;
    let call_id = call.record().call_id.clone();
    let command = if call.pending_turn(&by.user).is_some() {
        Command::Cross { callee: user, asked, call_type: None }
    } else {
        Command::Join { user, asked }
    };
    txn.command(id, command)?;
    Ok(Made::DialedBack { invitation: id, call_id, device: by.device.clone() })
}

/// Rings the caller with the same type, `customData` and `call_id` (D4), or answers their call that crosses (D8).
fn ring_back(
    txn: &mut Txn<'_>,
    by: &Actor,
    request: &RequestId,
    ask: &Ask,
    caller: UserId,
    mode: Mode,
) -> Result<Made, Stop> {
    let Ask::DialBack {
        missed,
        ring,
        end_when_initiator_leaves,
        can_invite_in_calling,
        only_initiator_can_invite,
        unreachable,
    } = ask
    else {
        return Err(Refusal::new(Code::Internal, "not a dial-back").into());
    };
    txn.need_standing([&by.user, &caller])?;
    let source = txn.call(missed.invitation)?.record();
    let begin = Begin {
        id: InvitationId::v7(txn.cx.now.0, txn.cx.random),
        call_id: source.call_id.clone(),
        initiator: txn.line(&by.user)?.record.person.clone(),
        asked: Asked { device: by.device.clone(), request: request.clone() },
        call_type: source.call_type,
        mode,
        end_when_initiator_leaves: *end_when_initiator_leaves,
        can_invite_in_calling: *can_invite_in_calling,
        only_initiator_can_invite: *only_initiator_can_invite,
        custom_data: source.custom_data.clone(),
        resource_id: ring.resource_id.clone(),
        title: ring.title.clone(),
        message: ring.message.clone(),
        dial_back: true,
    };
    let invitee = Invitee { user: caller, unreachable: *unreachable };
    match ring_up(txn, by, begin, &[invitee], ring)? {
        Made::Invited { invitation, call_id, .. } => {
            Ok(Made::DialedBack { invitation, call_id, device: by.device.clone() })
        }
        made @ (Made::Joined { .. } | Made::DialedBack { .. } | Made::Engaged { .. }) => Ok(made),
    }
}

/// What the click handled, and nothing else since, is unhandled again (M4).
fn come_back(txn: &mut Txn<'_>, user: &UserId, missed: MissedId) -> Result<(), Stop> {
    if let Some(click) = click_of(txn, user, missed)? {
        let line = txn.line_mut(user)?;
        line.missed.values_mut().filter(|m| m.clicked.as_ref() == Some(&click)).for_each(|m| m.returned = true);
    }
    Ok(())
}

/// What the click handled is handled for good: its dial-back went through.
fn let_go(txn: &mut Txn<'_>, user: &UserId, missed: MissedId) -> Result<(), Stop> {
    if let Some(click) = click_of(txn, user, missed)? {
        txn.line_mut(user)?.missed.retain(|_, m| m.clicked.as_ref() != Some(&click));
    }
    Ok(())
}

/// The click that handled a missed call and may yet be undone.
fn click_of(txn: &Txn<'_>, user: &UserId, missed: MissedId) -> Result<Option<RequestId>, Stop> {
    let missed = txn.line(user)?.missed.get(&missed);
    Ok(missed.filter(|m| m.handled()).and_then(|m| m.clicked.clone()))
}
