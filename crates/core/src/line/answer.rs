//! Answers, joins, and what else concerns one call alone.

use super::Made;
use super::send::{already_in_call, give_way};
use crate::call::{Asked, Command};
use crate::id::{InvitationId, RequestId, TurnNo};
use crate::refusal::Code;
use crate::step::{Actor, Ask, Reply};
use crate::world::{Stop, Txn};

/// Answers a turn; too late in a group that may be joined, it joins (L2).
pub(crate) fn accept(
    txn: &mut Txn<'_>,
    by: &Actor,
    request: &RequestId,
    id: InvitationId,
    turn: TurnNo,
) -> Result<Reply, Stop> {
    txn.need_standing([&by.user])?;
    if let Some(made) = txn.line(&by.user)?.remembered(&by.device, request) {
        return Ok(Reply::Made(made.clone()));
    }
    let asked = Asked { device: by.device.clone(), request: request.clone() };
    match txn.command(id, Command::Accept { callee: by.user.clone(), asked, turn }) {
        Ok(()) => Ok(Reply::Accepted { invitation: id, turn }),
        Err(Stop::Refused(refusal)) if refusal.code == Code::InvitationExpired => {
            let call = txn.call(id)?;
            let newest = call.last_turn(&by.user).is_some_and(|t| t.no == turn);
            if newest && call.may_join(&by.user) { join(txn, by, request, id) } else { Err(refusal.into()) }
        }
        Err(stop) => Err(stop),
    }
}

/// Enters a running group (L5).
pub(crate) fn join(txn: &mut Txn<'_>, by: &Actor, request: &RequestId, id: InvitationId) -> Result<Reply, Stop> {
    txn.need_standing([&by.user])?;
    if let Some(made) = txn.line(&by.user)?.remembered(&by.device, request) {
        return Ok(Reply::Made(made.clone()));
    }
    match txn.engaged(&by.user)? {
        Some((there, device)) if there == id && device == by.device => {}
        Some((there, device)) if device == by.device => {
            // A stranger to the call asked for learns no more than that there is none.
            txn.call(id)?.view(&by.user).ok_or_else(crate::call::not_found)?;
            return Err(already_in_call(there).into());
        }
        Some((there, device)) => give_way(txn, by, there, &device)?,
        None => {}
    }
    let asked = Asked { device: by.device.clone(), request: request.clone() };
    txn.command(id, Command::Join { user: by.user.clone(), asked })?;
    let turn = txn.call(id)?.last_turn(&by.user).map_or(0, |t| t.no);
    let made = Made::Joined { invitation: id, turn };
    txn.line_mut(&by.user)?.remember(&by.device, request, made.clone());
    Ok(Reply::Made(made))
}

/// What is decided over one call alone: ringing, reject, cancel, leave, end.
pub(crate) fn simple(txn: &mut Txn<'_>, by: &Actor, request: &RequestId, ask: &Ask) -> Result<Reply, Stop> {
    let user = by.user.clone();
    let asked = Asked { device: by.device.clone(), request: request.clone() };
    let (id, command) = match ask.clone() {
        Ask::Ringing { invitation, turn } => {
            (invitation, Command::Ringing { callee: user, device: by.device.clone(), turn })
        }
        Ask::Reject { invitation, turn, busy } => (invitation, Command::Reject { callee: user, asked, turn, busy }),
        Ask::Cancel { invitation, whom } => (invitation, Command::Cancel { by: user, asked, whom }),
        Ask::Leave { invitation } => (invitation, Command::Leave { user, asked }),
        Ask::End { invitation } => (invitation, Command::End { user, asked }),
        Ask::Send(_)
        | Ask::Invite { .. }
        | Ask::Accept { .. }
        | Ask::Join { .. }
        | Ask::DialBack { .. }
        | Ask::Click { .. }
        | Ask::Dismiss { .. }
        | Ask::Block(_)
        | Ask::Unblock(_)
        | Ask::SetDoNotDisturb(_)
        | Ask::Fetch { .. }
        | Ask::MissedCalls { .. }
        | Ask::Signal { .. }
        | Ask::IceServers { .. }
        | Ask::Uninit => {
            return Err(crate::refusal::Refusal::new(Code::Internal, "not a request of one call").into());
        }
    };
    txn.command(id, command)?;
    Ok(Reply::Done)
}
