//! One step, decided: which rule takes it, and what follows.

use crate::call::Mode;
use crate::id::{DeviceId, InvitationId, UserId};
use crate::line;
use crate::refusal::{Code, Refusal};
use crate::step::{Actor, Answer, Ask, Details, Key, Output, Reply, Signal, Step};
use crate::world::{Change, Cx, Stop, Txn, World};
use std::sync::Arc;
use std::time::Duration;

/// Participants in one page of a `fetch`.
const PAGE: usize = 100;

impl Step {
    /// The calls and lines that the step names by itself; it asks for more as it finds that it needs them (K2).
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Self::Hello(hello) => {
                let held = hello.holds.iter().map(|(id, _)| Key::Call(*id));
                held.chain([Key::Line(hello.by.user.clone())]).collect()
            }
            Self::Gone(by) => vec![Key::Line(by.user.clone())],
            Self::Timeout(id) | Self::Restarted(id) => vec![Key::Call(*id)],
            Self::Request { by, ask, .. } => {
                let mut keys = vec![Key::Line(by.user.clone())];
                match ask {
                    Ask::Send(send) => keys.extend(send.invitees.iter().map(|i| Key::Line(i.user.clone()))),
                    Ask::Invite { invitation, invitees, .. } => {
                        keys.push(Key::Call(*invitation));
                        keys.extend(invitees.iter().map(|i| Key::Line(i.user.clone())));
                    }
                    Ask::Ringing { invitation, .. }
                    | Ask::Accept { invitation, .. }
                    | Ask::Reject { invitation, .. }
                    | Ask::Cancel { invitation, .. }
                    | Ask::Join { invitation }
                    | Ask::Leave { invitation }
                    | Ask::End { invitation }
                    | Ask::Signal { invitation, .. }
                    | Ask::IceServers { invitation }
                    | Ask::Fetch { invitation, .. } => keys.push(Key::Call(*invitation)),
                    Ask::DialBack { missed, .. } => keys.push(Key::Call(missed.invitation)),
                    Ask::Click { .. }
                    | Ask::Dismiss { .. }
                    | Ask::Block(_)
                    | Ask::Unblock(_)
                    | Ask::SetDoNotDisturb(_)
                    | Ask::MissedCalls { .. }
                    | Ask::Uninit => {}
                }
                keys
            }
        }
    }

    /// The session that waits for an answer, and the name of what it asked.
    pub(super) fn asker(&self) -> Option<(&Actor, Option<&crate::id::RequestId>)> {
        match self {
            Self::Hello(hello) => Some((&hello.by, None)),
            Self::Request { by, request, .. } => Some((by, Some(request))),
            Self::Gone(_) | Self::Timeout(_) | Self::Restarted(_) => None,
        }
    }

    /// Whether the server owes it, so that it is tried until it holds.
    pub(super) fn owed(&self) -> bool {
        matches!(self, Self::Gone(_) | Self::Timeout(_) | Self::Restarted(_))
    }
}

/// Why a step was not decided yet.
pub(super) enum NotYet {
    /// Load these first.
    Need(std::collections::BTreeSet<Key>),
    /// Run the timers of this call first (L2).
    Due(InvitationId),
}

/// Decides a step over the world, which stays as it is.
pub(super) fn decide(step: &Step, world: &World, cx: Cx<'_>) -> Result<(Answer, Change), NotYet> {
    let mut txn = Txn::new(world, cx);
    if let Step::Timeout(id) | Step::Restarted(id) = step {
        txn.running_timers_of(*id);
    }
    let reply = txn.need(step.keys()).and_then(|()| take(step, &mut txn)).and_then(|reply| {
        line::settle(&mut txn)?;
        Ok(reply)
    });
    match reply {
        Ok(reply) => Ok((Ok(reply), txn.into_change())),
        Err(Stop::Refused(refusal)) => Ok((Err(refusal), Change::default())),
        Err(Stop::Need(keys)) => Err(NotYet::Need(keys)),
        Err(Stop::Due(id)) => Err(NotYet::Due(id)),
    }
}

fn take(step: &Step, txn: &mut Txn<'_>) -> Result<Reply, Stop> {
    match step {
        Step::Hello(hello) => line::hello(txn, hello),
        Step::Gone(by) => line::gone(txn, by),
        Step::Timeout(id) => {
            if txn.find(*id)?.is_some() {
                txn.time_out(*id)?;
            }
            Ok(Reply::Done)
        }
        Step::Restarted(id) => line::restarted(txn, *id),
        Step::Request { by, request, ask } => match ask {
            Ask::Send(send) => {
                let mode = mode(txn, by)?;
                line::send(txn, by, request, send, mode)
            }
            Ask::Invite { invitation, invitees, ring } => line::invite(txn, by, request, *invitation, invitees, ring),
            Ask::Accept { invitation, turn } => line::accept(txn, by, request, *invitation, *turn),
            Ask::Join { invitation } => line::join(txn, by, request, *invitation),
            Ask::Ringing { .. } | Ask::Reject { .. } | Ask::Cancel { .. } | Ask::Leave { .. } | Ask::End { .. } => {
                line::simple(txn, by, request, ask)
            }
            Ask::DialBack { .. } => {
                let mode = mode(txn, by)?;
                line::dial_back(txn, by, request, ask, mode)
            }
            Ask::Click { missed } => line::click(txn, by, request, *missed),
            Ask::Dismiss { missed, notification } => line::dismiss(txn, by, *missed, *notification),
            Ask::Block(user) => line::block(txn, by, user),
            Ask::Unblock(user) => line::unblock(txn, by, user),
            Ask::SetDoNotDisturb(to) => line::do_not_disturb(txn, by, to.clone()),
            Ask::Fetch { invitation, offset } => {
                let call = txn.find(*invitation)?;
                let view = call.and_then(|c| c.page(&by.user, *offset, PAGE)).ok_or_else(crate::call::not_found)?;
                Ok(Reply::Details(Box::new(Details { view, offset: *offset })))
            }
            Ask::MissedCalls { offset } => line::list_missed(txn, by, *offset),
            Ask::Signal { invitation, to, device, data } => signal(txn, by, *invitation, to, device.as_ref(), data),
            Ask::IceServers { invitation } => {
                txn.call(*invitation)?.here(&by.user, &by.device)?;
                Ok(Reply::InCall)
            }
            Ask::Uninit => line::uninit(txn, by, request),
        },
    }
}

/// Hands something from one device in a call to another's, if that one is connected just now; it changes nothing (R1).
fn signal(
    txn: &mut Txn<'_>,
    by: &Actor,
    id: InvitationId,
    to: &UserId,
    device: Option<&DeviceId>,
    data: &Arc<str>,
) -> Result<Reply, Stop> {
    let call = txn.call(id)?;
    call.here(&by.user, &by.device)?;
    let there = call.there(to, device)?;
    let session = txn.sessions(to).and_then(|sessions| sessions.get(there)).copied();
    let away = || Refusal {
        retry_after: Some(Duration::from_secs(1)),
        ..Refusal::new(Code::Unavailable, "their device is not connected just now; try again in a moment")
    };
    let to = session.ok_or_else(away)?;
    let signal = Signal { invitation: id, from: by.user.clone(), device: by.device.clone(), data: data.clone() };
    txn.signals.push(Output::Signal { to, signal });
    Ok(Reply::Done)
}

/// The asking device's mode (V2); general for one that isn't registered.
fn mode(txn: &Txn<'_>, by: &Actor) -> Result<Mode, Stop> {
    Ok(txn.line(&by.user)?.device(&by.device).map_or(Mode::General, |d| d.mode))
}

/// The answer to a step that could not be decided or kept.
pub(super) fn unavailable() -> Refusal {
    Refusal {
        retry_after: Some(Duration::from_secs(1)),
        ..Refusal::new(Code::Unavailable, "the server could not do this now; try again with the same request id")
    }
}
