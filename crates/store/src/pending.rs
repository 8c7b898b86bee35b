//! What is durable in the journal and not yet in the tables: the newest version of each record.

use ringback_core::call::Call;
use ringback_core::id::{InvitationId, MissedId, UserId};
use ringback_core::limits::REQUESTS;
use ringback_core::line::{HistoryRecord, LineRecord, MissedCall, Remembered};
use ringback_core::shared::Shared;
use ringback_core::step::Writes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a running call that changes all the time is carried over before it is folded all the same.
const CARRIED: u8 = 4;

/// A call that waits.
#[derive(Debug)]
struct Waiting {
    call: Shared<Call>,
    /// How many folds it was carried over.
    carried: u8,
    /// Whether it changed since the last fold.
    changed: bool,
}

/// The records that wait to be folded into the tables.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    calls: BTreeMap<InvitationId, Waiting>,
    lines: BTreeMap<UserId, Shared<LineRecord>>,
    requests: BTreeMap<(UserId, u64), Arc<Remembered>>,
    /// By whose and which; none once handled.
    missed: BTreeMap<(UserId, MissedId), Option<MissedCall>>,
    history: Vec<HistoryRecord>,
    /// How many bytes the journal grew by since the last fold.
    bytes: usize,
    /// How many calls the last fold carried over.
    carried: usize,
}

impl Pending {
    /// Takes in what was committed, as a body of so many bytes.
    pub(crate) fn put(&mut self, writes: Writes, bytes: usize) {
        let Writes { calls, lines, requests, missed, handled, history, outbox: _ } = writes;
        for call in calls {
            let carried = self.calls.get(&call.id()).map_or(0, |waiting| waiting.carried);
            self.calls.insert(call.id(), Waiting { call, carried, changed: true });
        }
        self.lines.extend(lines.into_iter().map(|line| (line.person.id.clone(), line)));
        self.requests.extend(requests.into_iter().map(|(user, made)| ((user, made.no), made)));
        self.missed.extend(missed.into_iter().map(|(user, call)| ((user, call.id), Some(call))));
        self.missed.extend(handled.into_iter().map(|of| (of, None)));
        self.history.extend(history);
        self.bytes += bytes;
    }

    /// How many records came in since the last fold.
    pub(crate) fn records(&self) -> usize {
        let calls = self.calls.len() - self.carried;
        calls + self.lines.len() + self.requests.len() + self.missed.len() + self.history.len()
    }

    /// How many bytes came in since the last fold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.records() == 0 && self.carried == 0
    }

    /// The calls that are better carried over than folded: they run and changed, so they will change again before long.
    pub(crate) fn moving(&self) -> Vec<Shared<Call>> {
        let moving = self.calls.values().filter(|of| of.changed && of.carried < CARRIED && of.call.record().running());
        moving.map(|of| of.call.clone()).collect()
    }

    /// Notes that everything was folded but `carried`, ascending by their ids.
    pub(crate) fn folded(&mut self, carried: &[Shared<Call>]) {
        let mut before = std::mem::take(self);
        self.carried = carried.len();
        self.calls.extend(carried.iter().filter_map(|call| {
            let of = before.calls.remove(&call.id())?;
            Some((call.id(), Waiting { carried: of.carried + 1, changed: false, ..of }))
        }));
    }

    /// The newest version of a call.
    pub(crate) fn call(&self, id: InvitationId) -> Option<&Call> {
        self.calls.get(&id).map(|waiting| &*waiting.call)
    }

    /// The newest version of a line.
    pub(crate) fn line(&self, user: &UserId) -> Option<&LineRecord> {
        self.lines.get(user).map(|line| &**line)
    }

    /// Brings what the tables have of a user's missed calls up to date, in order.
    pub(crate) fn missed(&self, user: &UserId, tables: Vec<MissedCall>) -> Vec<MissedCall> {
        let first = (user.clone(), MissedId { invitation: InvitationId(0), turn: 0 });
        let mut newer = self.missed.range(first..).take_while(|((whose, _), _)| whose == user).peekable();
        if newer.peek().is_none() {
            return tables;
        }
        let mut missed: BTreeMap<_, _> = tables.into_iter().map(|call| (call.id, Some(call))).collect();
        missed.extend(newer.map(|((_, id), call)| (*id, call.clone())));
        missed.into_values().flatten().collect()
    }

    /// Brings what the tables have of a user's requests up to date, oldest first.
    pub(crate) fn requests(&self, user: &UserId, tables: Vec<Remembered>) -> Vec<Arc<Remembered>> {
        let newer = self.requests.range((user.clone(), 0)..).take_while(|((whose, _), _)| whose == user);
        let mut requests: BTreeMap<_, _> = tables.into_iter().map(|made| (made.no, Arc::new(made))).collect();
        requests.extend(newer.map(|((_, no), made)| (*no, made.clone())));
        let more = (requests.len() as u64).saturating_sub(REQUESTS);
        requests.into_values().skip(more as usize).collect()
    }

    /// Whether a line of this user's history waits.
    pub(crate) fn has_history(&self, user: &UserId) -> bool {
        self.history.iter().any(|entry| entry.user == *user)
    }

    /// All calls, the earlier sent first, but those `carried` over, which are ascending by their ids.
    pub(crate) fn calls(&self, carried: &[Shared<Call>]) -> impl Iterator<Item = &Call> {
        let carried = |id| carried.binary_search_by_key(&id, |call| call.id()).is_ok();
        self.calls.iter().filter(move |(id, _)| !carried(**id)).map(|(_, waiting)| &*waiting.call)
    }

    /// All lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &LineRecord> {
        self.lines.values().map(|line| &**line)
    }

    /// All requests, by user and number.
    pub(crate) fn all_requests(&self) -> impl Iterator<Item = (&UserId, &Remembered)> {
        self.requests.iter().map(|((user, _), made)| (user, &**made))
    }

    /// All missed calls that are new, changed or, where there is none, handled.
    pub(crate) fn all_missed(&self) -> impl Iterator<Item = (&UserId, MissedId, Option<&MissedCall>)> {
        self.missed.iter().map(|((user, id), call)| (user, *id, call.as_ref()))
    }

    /// The lines of history, in order.
    pub(crate) fn history(&self) -> &[HistoryRecord] {
        &self.history
    }
}
