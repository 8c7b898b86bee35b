//! One user, and every rule over more than one invitation (K3).
//!
//! Each request is decided in one fixed order: repeated request, D7, the asker engaged (§3, D8), block, crossing, D8's
//! pending turn, the callee engaged, do-not-disturb, limit. What follows from any step, whoever took it, is settled in
//! one place, [`mod@settle`]: who engages leaves and misses everything else (L8), who was not reached has a missed call
//! (M1), who connects has handled theirs (M4).

mod answer;
mod connect;
mod dial_back;
mod missed;
mod record;
mod send;
mod settings;
mod settle;

pub(crate) use answer::{accept, join, simple};
pub(crate) use connect::{gone, hello, restarted, uninit};
pub(crate) use dial_back::dial_back;
pub(crate) use missed::{click, dismiss, list as list_missed, view as missed_view};
pub use record::*;
pub(crate) use send::{invite, send};
pub(crate) use settings::{block, do_not_disturb, unblock};
pub(crate) use settle::settle;

use crate::id::{DeviceId, InvitationId, MissedId, RequestId, UserId};
use crate::limits::Limits;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One user: their settings and missed calls, and the running calls they have a part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub(crate) record: LineRecord,
    pub(crate) missed: BTreeMap<MissedId, MissedCall>,
    /// Derived: never written (K1).
    pub(crate) running: BTreeSet<InvitationId>,
}

impl Line {
    /// Takes what a store kept.
    pub fn from_record(record: LineRecord, missed: Vec<MissedCall>, running: Vec<InvitationId>) -> Self {
        Self { record, missed: missed.into_iter().map(|m| (m.id, m)).collect(), running: running.into_iter().collect() }
    }

    /// Notes whether a call that the user has a part in runs.
    pub(crate) fn stands(&mut self, id: InvitationId, running: bool) {
        if running {
            self.running.insert(id);
        } else {
            self.running.remove(&id);
        }
    }

    fn remembered(&self, device: &DeviceId, request: &RequestId) -> Option<&Made> {
        self.record.requests.iter().rev().find(|r| r.device == *device && r.request == *request).map(|r| &r.made)
    }

    fn remember(&mut self, device: &DeviceId, request: &RequestId, made: Made, limits: &Limits) {
        let requests = &mut self.record.requests;
        requests.push(Arc::new(Remembered { device: device.clone(), request: request.clone(), made }));
        let over = requests.len().saturating_sub(limits.requests_kept);
        requests.drain(..over);
    }

    fn blocks(&self, user: &UserId) -> bool {
        self.record.blocked.contains(user)
    }

    /// Whether do-not-disturb holds.
    fn quiet(&self, now: Timestamp) -> bool {
        self.record.do_not_disturb.as_ref().is_some_and(|d| now < d.until)
    }

    fn quiet_for(&self, caller: &UserId, now: Timestamp) -> bool {
        self.record.do_not_disturb.as_ref().is_some_and(|d| now < d.until && !d.let_through.contains(caller))
    }

    /// C11 of a device; off for one unknown.
    fn waits(&self, device: &DeviceId) -> bool {
        self.record.devices.get(device).is_some_and(|d| d.config.call_waiting)
    }
}
