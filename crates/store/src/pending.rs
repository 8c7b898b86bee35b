//! What is durable in the journal and not yet in the tables: the newest version of each record.

use ringback_core::call::Call;
use ringback_core::id::{InvitationId, MissedId, UserId};
use ringback_core::limits::REQUESTS;
use ringback_core::line::{HistoryRecord, LineRecord, Made, MissedCall, Remembered};
use ringback_core::shared::Shared;
use ringback_core::step::Writes;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// How often a running call that changes all the time is carried over before it is folded all the same.
const CARRIED: u8 = 4;
/// How many requests are left waiting when under load others are folded, those of some users in turn: each user's lie
/// together in the table, so that what is written at a time is few pages and not one a request.
const REQUESTS_LEFT: usize = 2048;

/// A call that waits.
#[derive(Debug)]
struct Waiting {
    call: Shared<Call>,
    /// How many folds it was carried over.
    carried: u8,
    /// Whether it changed since the last fold.
    changed: bool,
}

impl Waiting {
    /// Whether it is better carried over than folded: it runs and changed, so it will change again before long.
    fn moves(&self) -> bool {
        self.changed && self.carried < CARRIED && self.call.record().running()
    }
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
    /// Of the requests that are left waiting, with whose the next fold begins.
    turn: Option<(UserId, u64)>,
    /// How many bytes the journal grew by since the last fold.
    bytes: usize,
    /// How many records the last fold left.
    left: usize,
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

    fn len(&self) -> usize {
        self.calls.len() + self.lines.len() + self.requests.len() + self.missed.len() + self.history.len()
    }

    /// How many records came in since the last fold.
    pub(crate) fn records(&self) -> usize {
        self.len() - self.left
    }

    /// How many bytes came in since the last fold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes out what is worth folding under load. What moves waits on, and requests of users whose turn it isn't.
    pub(crate) fn settled(&mut self) -> Self {
        let calls = self.calls.extract_if(.., |_, of| !of.moves()).collect();
        for waiting in self.calls.values_mut() {
            waiting.carried += 1;
            waiting.changed = false;
        }
        let settled = Self {
            calls,
            requests: self.settled_requests(),
            lines: std::mem::take(&mut self.lines),
            missed: std::mem::take(&mut self.missed),
            history: std::mem::take(&mut self.history),
            bytes: std::mem::take(&mut self.bytes),
            ..Self::default()
        };
        self.left = self.len();
        settled
    }

    /// Takes out the requests that are more than may be left, in turn, and whatever is large.
    fn settled_requests(&mut self) -> BTreeMap<(UserId, u64), Arc<Remembered>> {
        let large = |made: &Remembered| matches!(&made.made, Made::Invited { refused, .. } if !refused.is_empty());
        let mut settled: BTreeMap<_, _> = self.requests.extract_if(.., |_, made| large(made)).collect();
        let more = self.requests.len().saturating_sub(REQUESTS_LEFT);
        let from = self.turn.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut next: Vec<_> = self.requests.extract_if((from, Bound::Unbounded), |_, _| true).take(more).collect();
        let again = more - next.len();
        next.extend(self.requests.extract_if(.., |_, _| true).take(again));
        self.turn = next.last().map(|(key, _)| key.clone());
        settled.extend(next);
        settled
    }

    /// Takes back what was taken out and couldn't be folded; nothing came in meanwhile.
    pub(crate) fn take_back(&mut self, mut taken: Self) {
        self.calls.append(&mut taken.calls);
        self.requests.append(&mut taken.requests);
        self.bytes = taken.bytes;
        self.left = 0;
        (self.lines, self.missed, self.history) = (taken.lines, taken.missed, taken.history);
    }

    /// What waits after [`Self::settled`], as a commit.
    pub(crate) fn left(&self) -> Writes {
        Writes {
            calls: self.calls.values().map(|waiting| waiting.call.clone()).collect(),
            requests: self.requests.iter().map(|((user, _), made)| (user.clone(), made.clone())).collect(),
            ..Writes::default()
        }
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

    /// All calls, the earlier sent first.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().map(|waiting| &*waiting.call)
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

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_core::id::{CallId, DeviceId, RequestId};
    use ringback_core::refusal::Code;

    fn request(no: u64, refused: usize) -> Arc<Remembered> {
        let made = Made::Invited {
            invitation: InvitationId(u128::from(no)),
            call_id: CallId::new("c-1").unwrap(),
            refused: vec![(user(0), Code::Forbidden); refused],
            crossed: false,
        };
        Arc::new(Remembered {
            no,
            device: DeviceId::new("d-1").unwrap(),
            request: RequestId::new("r-1").unwrap(),
            made,
        })
    }

    fn user(n: usize) -> UserId {
        UserId::new(&format!("user-{n:05}")).unwrap()
    }

    fn keys(of: &Pending) -> Vec<(UserId, u64)> {
        of.requests.keys().cloned().collect()
    }

    #[test]
    fn of_the_requests_that_wait_some_users_are_folded_in_turn() {
        let mut pending = Pending::default();
        let put = |pending: &mut Pending, users: std::ops::Range<usize>, no| {
            let requests = users.map(|n| (user(n), request(no, 0))).collect();
            pending.put(Writes { requests, ..Writes::default() }, 1);
        };
        put(&mut pending, 0..REQUESTS_LEFT, 1);
        assert!(pending.settled().requests.is_empty(), "they may be left");
        assert_eq!((pending.records(), pending.bytes()), (0, 0));
        let folded = |pending: &mut Pending| -> Vec<UserId> {
            let taken = pending.settled();
            assert_eq!(pending.requests.len(), REQUESTS_LEFT);
            keys(&taken).into_iter().map(|(user, _)| user).collect()
        };
        put(&mut pending, 0..1000, 2);
        let first = folded(&mut pending);
        assert_eq!(first.len(), 1000);
        assert_eq!(first[998..], [user(499), user(499)], "both of each user, from the first on");
        put(&mut pending, 0..1000, 3);
        assert_eq!(folded(&mut pending).first(), Some(&user(499)), "where it stopped, not those before again");
        put(&mut pending, 0..1000, 4);
        let third = folded(&mut pending);
        assert!(third.contains(&user(1100)) && !third.contains(&user(3)));
        put(&mut pending, 0..1000, 5);
        assert!(folded(&mut pending).contains(&user(3)), "and round again");
    }

    #[test]
    fn a_large_request_is_never_left() {
        let mut pending = Pending::default();
        let requests = vec![(user(1), request(1, 0)), (user(1), request(2, 1)), (user(2), request(1, 0))];
        pending.put(Writes { requests, ..Writes::default() }, 9);
        assert_eq!(keys(&pending.settled()), [(user(1), 2)]);
        assert_eq!(keys(&pending), [(user(1), 1), (user(2), 1)]);
        assert!(!pending.is_empty());
    }

    #[test]
    fn what_could_not_be_folded_waits_as_before() {
        let mut pending = Pending::default();
        let requests: Vec<_> = [(1, 0), (2, 1)].map(|(no, refused)| (user(1), request(no, refused))).into();
        let lines = vec![LineRecord::new(user(1)).into()];
        pending.put(Writes { requests, lines, ..Writes::default() }, 9);
        let taken = pending.settled();
        assert!(pending.line(&user(1)).is_none());
        pending.take_back(taken);
        assert_eq!((pending.records(), pending.bytes()), (3, 9));
        assert!(pending.line(&user(1)).is_some());
        assert_eq!(pending.requests(&user(1), vec![]).iter().map(|made| made.no).collect::<Vec<_>>(), [1, 2]);
    }
}
