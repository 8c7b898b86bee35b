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
pub(crate) use settings::{block, changed as settings_changed, do_not_disturb, unblock, view as settings_view};
pub(crate) use settle::settle;

use crate::id::{DeviceId, InvitationId, MissedId, RequestId, UserId};
use crate::limits::REQUESTS;
use crate::shared::Shared;
use crate::step::LoadedLine;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One user: their settings and missed calls, and the running calls they have a part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub(crate) record: Shared<LineRecord>,
    pub(crate) missed: Shared<BTreeMap<MissedId, MissedCall>>,
    /// The last requests and what they made, oldest first.
    requests: Vec<Arc<Remembered>>,
    /// Derived, never written (K1): ascending.
    pub(crate) running: Vec<InvitationId>,
}

impl Line {
    /// Takes what a store kept of a user.
    pub fn loaded(loaded: LoadedLine) -> Self {
        let LoadedLine { user, line, missed, requests, mut running } = loaded;
        running.sort_unstable();
        Self {
            record: line.unwrap_or_else(|| LineRecord::new(user)).into(),
            missed: missed.into_iter().map(|m| (m.id, m)).collect::<BTreeMap<_, _>>().into(),
            requests,
            running,
        }
    }

    /// Notes whether a call that the user has a part in runs.
    pub(crate) fn stands(&mut self, id: InvitationId, running: bool) {
        match (self.running.binary_search(&id), running) {
            (Err(at), true) => self.running.insert(at, id),
            (Ok(at), false) => {
                self.running.remove(at);
            }
            (Ok(_), true) | (Err(_), false) => {}
        }
    }

    fn remembered(&self, device: &DeviceId, request: &RequestId) -> Option<&Made> {
        self.requests.iter().rev().find(|r| r.request == *request && r.device == *device).map(|r| &r.made)
    }

    fn remember(&mut self, device: &DeviceId, request: &RequestId, made: Made) {
        let no = self.requests.last().map_or(0, |last| last.no + 1);
        let (device, request) = (device.clone(), request.clone());
        self.requests.push(Arc::new(Remembered { no, device, request, made }));
        let kept = self.requests.partition_point(|r| r.no + REQUESTS <= no);
        self.requests.drain(..kept);
    }

    /// The requests that are remembered here and not there, oldest first.
    pub(crate) fn requests_since(&self, before: Option<&Self>) -> &[Arc<Remembered>] {
        let last = before.and_then(|b| b.requests.last()).map(|r| r.no);
        let known = self.requests.partition_point(|r| last.is_some_and(|last| r.no <= last));
        &self.requests[known..]
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

    /// A registered device.
    pub(crate) fn device(&self, device: &DeviceId) -> Option<&DeviceRecord> {
        self.record.devices.get(device).map(|d| &**d)
    }

    /// C11 of a device; off for one unknown.
    fn waits(&self, device: &DeviceId) -> bool {
        self.device(device).is_some_and(|d| d.config.call_waiting)
    }
}
