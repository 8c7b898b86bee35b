//! Connections: what a device is shown, and which call it is in (L9, N1, G6).

use super::DeviceRecord;
use crate::call::{Asked, CallView, Command, TurnRecord};
use crate::id::{DeviceId, InvitationId, RequestId, SessionId, UserId};
#[cfg(feature = "planted")]
use crate::planted::{self, Fault};
use crate::step::{Actor, Claim, Hello, Reply, Welcome};
use crate::world::{Stop, Txn};
use std::time::Duration;

/// How stale `seen_at` may grow before a connection writes it again: connecting costs no write otherwise.
const SEEN_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Opens a session: registers the device, settles which call it is in, and shows how things stand.
pub(crate) fn hello(txn: &mut Txn<'_>, hello: &Hello) -> Result<Reply, Stop> {
    let by = &hello.by;
    txn.need_standing([&by.user])?;
    txn.need(hello.holds.iter().map(|(id, _)| crate::step::Key::Call(*id)))?;
    register(txn, hello)?;
    claim(txn, by, &hello.claim)?;
    let replaced = open(txn, by)?;
    let (mut calls, mut gone) = (Vec::new(), Vec::new());
    for id in txn.standing(&by.user)? {
        let call = txn.call(id)?;
        let holds = hello.holds.iter().any(|(held, _)| *held == id);
        let stands = call.last_turn(&by.user).is_some_and(|t| t.known() && !t.state.ended());
        if stands && !holds {
            calls.extend(call.short_view(&by.user));
        }
    }
    for (id, _) in &hello.holds {
        match held(txn, *id, &by.user)? {
            Some(view) => calls.push(view),
            None => gone.push(*id),
        }
    }
    let line = txn.line(&by.user)?;
    Ok(Reply::Welcome(Box::new(Welcome {
        person: line.record.person.clone(),
        calls,
        gone,
        missed: super::missed_view(line, line.device(&by.device)),
        settings: super::settings_view(line, txn.cx.now),
        replaced,
    })))
}

fn held(txn: &Txn<'_>, id: InvitationId, user: &UserId) -> Result<Option<CallView>, Stop> {
    Ok(txn.find(id)?.and_then(|call| call.short_view(user)))
}

fn register(txn: &mut Txn<'_>, hello: &Hello) -> Result<(), Stop> {
    let (now, limits) = (txn.cx.now, *txn.cx.limits);
    let user = &hello.by.user;
    let known = txn.line(user)?.record.devices.get(&hello.by.device);
    let fresh = DeviceRecord {
        platform: hello.platform.clone(),
        sdk: hello.sdk.clone(),
        mode: hello.mode,
        config: hello.config.clone(),
        registered_at: known.map_or(now, |d| d.registered_at),
        seen_at: known.map_or(now, |d| if d.seen_at + SEEN_EVERY <= now { now } else { d.seen_at }),
    };
    let line = txn.line(user)?;
    let old = line.missed.values().any(|m| m.missed_at < now - limits.retention);
    if known.is_some_and(|known| **known == fresh) && line.record.person.name == hello.name && !old {
        return Ok(());
    }
    let connected = txn.sessions(user).cloned().unwrap_or_default();
    let line = txn.line_mut(user)?;
    line.record.person.name = hello.name.clone();
    line.record.devices.insert(hello.by.device.clone(), fresh.into());
    line.forget_old(now, &limits);
    while line.record.devices.len() > limits.devices_per_user.max(1) {
        let spare = |id: &DeviceId| *id != hello.by.device && !connected.contains_key(id);
        let longest = line.record.devices.iter().filter(|(id, _)| spare(id)).min_by_key(|(_, d)| d.seen_at);
        match longest.map(|(id, _)| id.clone()) {
            Some(id) => line.record.devices.remove(&id),
            None => break,
        };
    }
    Ok(())
}

/// A device that was in a call is in it still if it claims it; else it has left (L9).
fn claim(txn: &mut Txn<'_>, by: &Actor, claim: &Claim) -> Result<(), Stop> {
    let Some((id, device)) = txn.engaged(&by.user)? else {
        return Ok(());
    };
    if device != by.device {
        return Ok(());
    }
    let asked = txn.call(id)?.last_turn(&by.user).and_then(|t| t.answered.as_ref());
    let claimed = claim.names(id, asked.map(|a| &a.request));
    #[cfg(feature = "planted")]
    let claimed = claimed && !planted::is(Fault::ClaimIgnored);
    let user = by.user.clone();
    let command = if claimed { Command::Back { user, device } } else { Command::TakeOut { user } };
    txn.command(id, command)
}

/// Registers the session, and says which have to give way: not that of the device in the call.
fn open(txn: &mut Txn<'_>, by: &Actor) -> Result<Vec<SessionId>, Stop> {
    let most = txn.cx.limits.sessions_per_user.max(1);
    let in_call = txn.engaged(&by.user)?.map(|(_, device)| device);
    let sessions = txn.sessions_mut(&by.user);
    let mut replaced: Vec<_> = sessions.insert(by.device.clone(), by.session).into_iter().collect();
    while sessions.len() > most {
        let spare = |device: &DeviceId| *device != by.device && in_call.as_ref() != Some(device);
        let oldest = sessions.iter().filter(|(d, _)| spare(d)).min_by_key(|(_, s)| **s);
        match oldest.map(|(d, _)| d.clone()) {
            Some(device) => replaced.extend(sessions.remove(&device)),
            None => break,
        }
    }
    Ok(replaced)
}

/// A session's connection is gone: a device in a call has its grace to come back (L9).
pub(crate) fn gone(txn: &mut Txn<'_>, by: &Actor) -> Result<Reply, Stop> {
    txn.need_standing([&by.user])?;
    let current = txn.sessions(&by.user).and_then(|s| s.get(&by.device));
    if current.is_some_and(|s| *s != by.session) {
        return Ok(Reply::Done);
    }
    txn.sessions_mut(&by.user).remove(&by.device);
    if let Some((id, device)) = txn.engaged(&by.user)?
        && device == by.device
    {
        txn.command(id, Command::Gone { user: by.user.clone(), device })?;
    }
    Ok(Reply::Done)
}

/// Nobody is connected yet: the grace of everyone in the call begins anew (L9), then what is overdue runs (G7).
pub(crate) fn restarted(txn: &mut Txn<'_>, id: InvitationId) -> Result<Reply, Stop> {
    let Some(call) = txn.find(id)?.filter(|c| c.running()) else {
        return Ok(Reply::Done);
    };
    let engaged: Vec<_> = call
        .users()
        .filter_map(|u| call.last_turn(u).and_then(TurnRecord::device).map(|d| (u.clone(), d.clone())))
        .filter(|(u, d)| !txn.has_session(u, d))
        .collect();
    for (user, device) in engaged {
        txn.command(id, Command::Back { user: user.clone(), device: device.clone() })?;
        txn.command(id, Command::Gone { user, device })?;
    }
    txn.time_out(id)?;
    Ok(Reply::Done)
}

/// Leaves the call that this device is in, and forgets the device (S15).
pub(crate) fn uninit(txn: &mut Txn<'_>, by: &Actor, request: &RequestId) -> Result<Reply, Stop> {
    txn.need_standing([&by.user])?;
    if let Some((id, device)) = txn.engaged(&by.user)?
        && device == by.device
    {
        let asked = Asked { device, request: request.clone() };
        txn.command(id, Command::Leave { user: by.user.clone(), asked })?;
    }
    if txn.line(&by.user)?.record.devices.contains_key(&by.device) {
        txn.line_mut(&by.user)?.record.devices.remove(&by.device);
    }
    Ok(Reply::Done)
}
