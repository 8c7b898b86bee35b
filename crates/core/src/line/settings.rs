//! Blocking and do-not-disturb (L13).

use super::{DoNotDisturb, Line};
use crate::call::Command;
use crate::id::UserId;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::step::{Actor, Reply, Settings};
use crate::time::Timestamp;
use crate::world::{Stop, Txn};

/// What the user's devices are shown.
pub(crate) fn view(line: &Line, now: Timestamp) -> Settings {
    let record = &line.record;
    Settings {
        blocked: record.blocked.iter().cloned().collect(),
        do_not_disturb: record.do_not_disturb.clone().filter(|d| now < d.until),
    }
}

/// Whether that isn't what they were shown before.
pub(crate) fn changed(before: &Line, line: &Line) -> bool {
    let (was, is) = (&before.record, &line.record);
    !Shared::same(was, is) && (was.blocked != is.blocked || was.do_not_disturb != is.do_not_disturb)
}

/// Blocks a user: what they ring with now becomes hidden, and what was missed of them is withdrawn.
pub(crate) fn block(txn: &mut Txn<'_>, by: &Actor, user: &UserId) -> Result<Reply, Stop> {
    if *user == by.user {
        return Err(Refusal::field("user", "must be somebody else").into());
    }
    txn.need_standing([&by.user])?;
    let most = txn.cx.limits.people_listed;
    let line = txn.line(&by.user)?;
    if line.blocks(user) {
        return Ok(Reply::Done);
    }
    if line.record.blocked.len() >= most {
        return Err(Refusal::field("user", format!("a user can block at most {most} others; unblock some")).into());
    }
    for id in txn.pending(&by.user)? {
        if txn.call(id)?.pending_turn(&by.user).is_some_and(|t| t.inviter == *user) {
            txn.command(id, Command::Hide { callee: by.user.clone() })?;
        }
    }
    let line = txn.line_mut(&by.user)?;
    line.record.blocked.insert(user.clone());
    line.missed.retain(|_, m| m.caller.id != *user);
    Ok(Reply::Done)
}

/// Unblocks a user; what was hidden stays so.
pub(crate) fn unblock(txn: &mut Txn<'_>, by: &Actor, user: &UserId) -> Result<Reply, Stop> {
    if txn.line(&by.user)?.blocks(user) {
        txn.line_mut(&by.user)?.record.blocked.remove(user);
    }
    Ok(Reply::Done)
}

/// Sets do-not-disturb, for turns that begin from now on.
pub(crate) fn do_not_disturb(txn: &mut Txn<'_>, by: &Actor, to: Option<DoNotDisturb>) -> Result<Reply, Stop> {
    let most = txn.cx.limits.people_listed;
    if to.as_ref().is_some_and(|d| d.let_through.len() > most) {
        return Err(Refusal::field("let_through", format!("at most {most} people can be let through")).into());
    }
    if txn.line(&by.user)?.record.do_not_disturb != to {
        txn.line_mut(&by.user)?.record.do_not_disturb = to;
    }
    Ok(Reply::Done)
}
