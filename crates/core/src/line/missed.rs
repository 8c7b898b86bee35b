//! A user's unhandled missed calls: what handles them, and how a device is shown them (M3, M4, M6, M7).

use super::{DeviceRecord, Line, MissedCall};
use crate::id::{MissedId, RequestId, UserId};
use crate::limits::{Limits, MISSED_LISTED, NOTIFICATIONS};
use crate::step::{Actor, MissedEntry, MissedView, Reply};
use crate::time::Timestamp;
use crate::world::{Stop, Txn};
use std::collections::{BTreeMap, BTreeSet};

/// Clicks whose dial-back may yet fail: how many missed calls they hold at most.
const CLICKED_KEPT: usize = 100;

/// What one notification stands for (M6): a caller one-to-one, or one group invitation.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Topic<'a> {
    Caller(&'a UserId),
    Group(crate::id::InvitationId),
}

fn topic(call: &MissedCall) -> Topic<'_> {
    if call.group { Topic::Group(call.id.invitation) } else { Topic::Caller(&call.caller.id) }
}

impl Line {
    /// Unhandled missed calls, newest first.
    fn unhandled(&self) -> Vec<&MissedCall> {
        let mut calls: Vec<_> = self.missed.values().filter(|m| !m.handled()).collect();
        calls.sort_by_key(|m| std::cmp::Reverse((m.missed_at, m.id)));
        calls
    }

    /// Those that a notification stood for when `newest` was the newest that it showed.
    fn stood_for(&self, newest: MissedId) -> Vec<MissedId> {
        let Some(shown) = self.missed.get(&newest).filter(|m| !m.handled()) else {
            return Vec::new();
        };
        let upto = (shown.missed_at, shown.id);
        self.unhandled()
            .into_iter()
            .filter(|m| topic(m) == topic(shown) && (m.missed_at, m.id) <= upto)
            .map(|m| m.id)
            .collect()
    }

    /// Records a missed call, within the bound.
    pub(super) fn miss(&mut self, call: MissedCall, limits: &Limits) {
        while self.missed.len() >= limits.missed_kept.max(1) {
            let oldest = |of: &dyn Fn(&MissedCall) -> bool| {
                self.missed.values().filter(|m| of(m)).min_by_key(|m| (m.missed_at, m.id)).map(|m| m.id)
            };
            let same = oldest(&|m| m.caller.id == call.caller.id);
            match same.or_else(|| oldest(&|_| true)) {
                Some(id) => self.missed.remove(&id),
                None => break,
            };
        }
        self.missed.insert(call.id, call);
    }

    /// Drops what is older than the retention (M7).
    pub(super) fn forget_old(&mut self, now: Timestamp, limits: &Limits) {
        let since = now - limits.retention;
        self.missed.retain(|_, m| m.missed_at >= since);
    }
}

/// A click handles all that its notification stood for, until its dial-back fails for being engaged (M4).
pub(crate) fn click(txn: &mut Txn<'_>, by: &Actor, request: &RequestId, missed: MissedId) -> Result<Reply, Stop> {
    let line = txn.line(&by.user)?;
    // A repeat does not handle again what came back since (N2).
    let repeat = line.missed.get(&missed).is_some_and(|m| m.clicked.as_ref() == Some(request));
    let meant = line.stood_for(missed);
    if !meant.is_empty() && !repeat {
        let line = txn.line_mut(&by.user)?;
        for id in meant {
            if let Some(call) = line.missed.get_mut(&id) {
                call.clicked = Some(request.clone());
                call.returned = false;
            }
        }
        let mut clicked: Vec<_> = line.missed.values().filter(|m| m.handled()).map(|m| (m.missed_at, m.id)).collect();
        clicked.sort_unstable();
        let over = clicked.len().saturating_sub(CLICKED_KEPT);
        for (_, id) in clicked.into_iter().take(over) {
            line.missed.remove(&id);
        }
    }
    Ok(Reply::Done)
}

/// A dismissal handles the one named, or all that its notification stood for.
pub(crate) fn dismiss(txn: &mut Txn<'_>, by: &Actor, missed: MissedId, notification: bool) -> Result<Reply, Stop> {
    let line = txn.line(&by.user)?;
    let mut meant = if notification { line.stood_for(missed) } else { Vec::new() };
    meant.push(missed);
    if meant.iter().any(|id| line.missed.contains_key(id)) {
        let line = txn.line_mut(&by.user)?;
        for id in meant {
            line.missed.remove(&id);
        }
    }
    Ok(Reply::Done)
}

/// A page of the unhandled missed calls.
pub(crate) fn list(txn: &Txn<'_>, by: &Actor, offset: usize) -> Result<Reply, Stop> {
    let all = txn.line(&by.user)?.unhandled();
    let total = all.len();
    let calls =
        all.into_iter().skip(offset).take(NOTIFICATIONS).map(|m| MissedCall { clicked: None, ..m.clone() }).collect();
    Ok(Reply::MissedCalls { calls, total })
}

/// The missed calls as one device is shown them: the newest of each of the newest notifications, then the next newest.
pub(crate) fn view(line: &Line, device: Option<&DeviceRecord>) -> MissedView {
    let all = line.unhandled();
    let mut of: BTreeMap<Topic<'_>, usize> = BTreeMap::new();
    let mut heads: BTreeSet<MissedId> = BTreeSet::new();
    for call in &all {
        let count = of.entry(topic(call)).or_default();
        *count += 1;
        if *count == 1 && heads.len() < NOTIFICATIONS {
            heads.insert(call.id);
        }
    }
    let shown: BTreeSet<Topic<'_>> = all.iter().filter(|m| heads.contains(&m.id)).map(|m| topic(m)).collect();
    let mut spare = MISSED_LISTED - heads.len();
    let calls = all
        .iter()
        .filter(|m| {
            let rest = !heads.contains(&m.id) && shown.contains(&topic(m)) && spare > 0;
            spare -= usize::from(rest);
            rest || heads.contains(&m.id)
        })
        .map(|m| MissedEntry {
            call: MissedCall { clicked: None, ..(*m).clone() },
            of: of.get(&topic(m)).copied().unwrap_or(1),
            existed: device.is_some_and(|d| d.registered_at <= m.missed_at),
        })
        .collect();
    MissedView { revision: line.record.revision, calls, total: all.len() }
}
