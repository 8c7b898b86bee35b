//! Records that aren't in the tables yet: the newest version of each.

use crate::newest_in;
use crate::turns::Turns;
use ringback_core::call::{Call, CallRecord};
use ringback_core::id::{InvitationId, MissedId, UserId};
use ringback_core::limits::REQUESTS;
use ringback_core::line::{HistoryRecord, LineRecord, Made, MissedCall, Remembered};
use ringback_core::shared::Shared;
use ringback_core::step::Writes;
use ringback_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many requests wait at most when some users' are folded in turn.
const REQUESTS_LEFT: usize = 16_384;
/// In how many folds all users have their turn.
const ROUND: usize = 32;
/// How many rows of history the index by user may be behind.
pub(crate) const UNINDEXED: usize = 16_384;

/// A request that waits.
#[derive(Debug)]
struct Request {
    made: Arc<Remembered>,
    /// The row of the journal that holds it.
    seq: u64,
    /// Whether it takes much room, and so never waits long.
    large: bool,
}

/// A call that waits.
#[derive(Debug)]
enum Kept {
    /// As a commit gave it.
    Given(Shared<Call>),
    /// As the journal's reader found it: whether it keeps a call's invariants is for those to check who take it up.
    Found(Box<CallRecord>),
}

impl Kept {
    fn record(&self) -> &CallRecord {
        match self {
            Self::Given(call) => call.record(),
            Self::Found(record) => record,
        }
    }
}

/// The records that wait to be folded into the tables, or that a fold takes.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Each with the row of the journal that holds this version.
    calls: BTreeMap<InvitationId, (Kept, u64)>,
    lines: BTreeMap<UserId, Shared<LineRecord>>,
    requests: Turns<Request>,
    /// By whose and which; none once handled.
    missed: BTreeMap<(UserId, MissedId), Option<MissedCall>>,
    /// With their numbers, ascending.
    history: Vec<(u64, HistoryRecord)>,
    /// The rows of history that the index by user hasn't, also those that are in their table.
    unindexed: Turns<()>,
}

impl Records {
    /// Takes in what was committed as the row `seq` of the journal, its history as the rows from `row` on.
    pub(crate) fn put(&mut self, writes: Writes, seq: u64, row: u64) {
        let Writes { calls, lines, requests, missed, handled, history, outbox: _ } = writes;
        self.calls.extend(calls.into_iter().map(|call| (call.id(), (Kept::Given(call), seq))));
        self.lines.extend(lines.into_iter().map(|line| (line.person.id.clone(), line)));
        for (user, made) in requests {
            // It takes that one's place in the table, whichever of both is written first.
            if let Some(older) = made.no.checked_sub(REQUESTS) {
                self.requests.remove(&user, older);
            }
            let large = matches!(&made.made, Made::Invited { refused, .. } if !refused.is_empty());
            self.requests.put(user, made.no, Request { made, seq, large });
        }
        self.missed.extend(missed.into_iter().map(|(user, call)| ((user, call.id), Some(call))));
        self.missed.extend(handled.into_iter().map(|of| (of, None)));
        for (entry, row) in history.into_iter().zip(row..) {
            self.unindexed.put(entry.user.clone(), row, ());
            self.history.push((row, entry));
        }
    }

    /// Takes in calls that the row `seq` of the journal was found to hold.
    pub(crate) fn put_found(&mut self, calls: Vec<CallRecord>, seq: u64) {
        self.calls.extend(calls.into_iter().map(|call| (call.id, (Kept::Found(call.into()), seq))));
    }

    /// Takes in a row of history that is in its table, and may not be in the index.
    pub(crate) fn put_unindexed(&mut self, user: UserId, row: u64) {
        self.unindexed.put(user, row, ());
    }

    /// How many wait for the tables.
    pub(crate) fn len(&self) -> usize {
        self.calls.len() + self.lines.len() + self.requests.len() + self.missed.len() + self.history.len()
    }

    /// Takes out what is worth folding under load, and all that is of the journal's row `too_old` or before. Calls that
    /// run wait on, for they will change again, and requests of users whose turn it isn't.
    pub(crate) fn settled(&mut self, too_old: u64) -> Self {
        let settled = |call: &CallRecord, seq| seq <= too_old || !call.running();
        let calls = self.calls.extract_if(.., |_, (call, seq)| settled(call.record(), *seq)).collect();
        let mut requests = self.requests.take_if(|request| request.large || request.seq <= too_old);
        requests.append(self.requests.take_part(ROUND));
        requests.append(self.requests.take_over(REQUESTS_LEFT));
        Self { calls, requests, ..self.rest() }
    }

    /// Takes out everything but rows for the index.
    pub(crate) fn all(&mut self) -> Self {
        let (calls, requests) = (std::mem::take(&mut self.calls), self.requests.take_all());
        Self { calls, requests, ..self.rest() }
    }

    /// Takes out what never waits.
    fn rest(&mut self) -> Self {
        Self {
            lines: std::mem::take(&mut self.lines),
            missed: std::mem::take(&mut self.missed),
            history: std::mem::take(&mut self.history),
            ..Self::default()
        }
    }

    /// Takes out rows for the index, of some users in turn, so that at most so many are left.
    pub(crate) fn index(&mut self, left: usize) -> Turns<()> {
        self.unindexed.take_over(left)
    }

    /// The same with rows for the index.
    pub(crate) fn with_index(self, unindexed: Turns<()>) -> Self {
        Self { unindexed, ..self }
    }

    /// Takes back what was taken out and couldn't be folded; nothing came in meanwhile.
    pub(crate) fn take_back(&mut self, mut taken: Self) {
        self.calls.append(&mut taken.calls);
        self.requests.append(taken.requests);
        self.unindexed.append(taken.unindexed);
        (self.lines, self.missed, self.history) = (taken.lines, taken.missed, taken.history);
    }

    /// The first row of the journal that one of them needs.
    pub(crate) fn first_seq(&self) -> Option<u64> {
        let others_taken = self.lines.is_empty() && self.missed.is_empty() && self.history.is_empty();
        let calls = self.calls.values().map(|(_, seq)| *seq);
        let first = calls.chain(self.requests.items().map(|(_, request)| request.seq)).min();
        if others_taken { first } else { Some(0) }
    }

    /// The first row of history that the index may not have.
    pub(crate) fn first_unindexed(&self) -> Option<u64> {
        self.unindexed.items().map(|(row, ())| *row).min()
    }

    /// The newest version of a call.
    pub(crate) fn call(&self, id: InvitationId) -> Option<&CallRecord> {
        self.calls.get(&id).map(|(call, _)| call.record())
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
        let mut requests: BTreeMap<_, _> = tables.into_iter().map(|made| (made.no, Arc::new(made))).collect();
        requests.extend(self.requests.of(user).iter().map(|(no, request)| (*no, request.made.clone())));
        let more = (requests.len() as u64).saturating_sub(REQUESTS);
        requests.into_values().skip(more as usize).collect()
    }

    /// A line of history that isn't in its table.
    pub(crate) fn entry(&self, row: u64) -> Option<&HistoryRecord> {
        let at = self.history.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        self.history.get(at).map(|(_, entry)| entry)
    }

    /// The rows of a user's history that the index may not have, before a row, the newest first.
    pub(crate) fn rows_before(&self, user: &UserId, before: u64) -> impl Iterator<Item = u64> {
        self.unindexed.of(user).iter().rev().map(|(row, ())| *row).skip_while(move |row| *row >= before)
    }

    /// All calls, the earlier sent first.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &CallRecord> {
        self.calls.values().map(|(call, _)| call.record())
    }

    /// The newest moment at which a call or a line of history says that something happened.
    pub(crate) fn newest(&self) -> Timestamp {
        let ended = self.history.iter().map(|(_, entry)| entry.ended_at);
        self.calls().map(newest_in).chain(ended).max().unwrap_or_default()
    }

    /// All lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &LineRecord> {
        self.lines.values().map(|line| &**line)
    }

    /// All requests, by user and number.
    pub(crate) fn all_requests(&self) -> impl Iterator<Item = (&UserId, &Remembered)> {
        self.requests.iter().map(|(user, _, request)| (user, &*request.made))
    }

    /// All missed calls that are new, changed or, where there is none, handled.
    pub(crate) fn all_missed(&self) -> impl Iterator<Item = (&UserId, MissedId, Option<&MissedCall>)> {
        self.missed.iter().map(|((user, id), call)| (user, *id, call.as_ref()))
    }

    /// The lines of history with their rows' numbers, in order.
    pub(crate) fn history(&self) -> &[(u64, HistoryRecord)] {
        &self.history
    }

    /// All rows for the index, by user and number.
    pub(crate) fn unindexed(&self) -> impl Iterator<Item = (&UserId, u64)> {
        self.unindexed.iter().map(|(user, row, ())| (user, row))
    }

    /// Whether there are rows for the index.
    pub(crate) fn has_unindexed(&self) -> bool {
        self.unindexed.len() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_core::id::{CallId, DeviceId, RequestId};
    use ringback_core::refusal::Code;
    use std::collections::BTreeSet;

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

    fn keys(of: &Records) -> Vec<(UserId, u64)> {
        of.all_requests().map(|(user, made)| (user.clone(), made.no)).collect()
    }

    fn put(records: &mut Records, seq: u64, requests: impl IntoIterator<Item = (UserId, Arc<Remembered>)>) {
        records.put(Writes { requests: requests.into_iter().collect(), ..Writes::default() }, seq, 1);
    }

    #[test]
    fn of_the_requests_that_wait_some_users_are_folded_in_turn() {
        let mut records = Records::default();
        let users = 3 * ROUND;
        for seq in 1..=20 {
            put(&mut records, seq, (0..users).map(|n| (user(n), request(seq, 0))));
        }
        let taken = keys(&records.settled(0));
        assert_eq!(taken.len(), 60, "all requests of three users");
        assert!(taken.iter().all(|(whose, _)| *whose <= user(2)));
        put(&mut records, 21, [(user(0), request(21, 0))]);
        assert_eq!(keys(&records.settled(0))[..1], [(user(3), 1)], "where it stopped, not those before again");
        let mut had = BTreeSet::new();
        for seq in 22..22 + ROUND as u64 {
            put(&mut records, seq, (0..users).map(|n| (user(n), request(seq, 0))));
            had.extend(keys(&records.settled(0)).into_iter().map(|(user, _)| user));
        }
        assert_eq!(had.len(), users, "each has had its turn");
    }

    #[test]
    fn more_users_have_their_turn_when_too_many_requests_wait() {
        let mut records = Records::default();
        let users = REQUESTS_LEFT / 32 + ROUND;
        for seq in 1..=32 {
            put(&mut records, seq, (0..users).map(|n| (user(n), request(seq, 0))));
        }
        assert_eq!(keys(&records.settled(0)).len(), ROUND * 32);
        assert_eq!(records.len(), REQUESTS_LEFT);
    }

    #[test]
    fn a_request_that_is_large_or_too_old_does_not_wait() {
        let mut records = Records::default();
        for seq in 1..9 {
            put(&mut records, seq, [(user(1), request(seq, usize::from(seq == 5)))]);
        }
        put(&mut records, 9, [(user(0), request(1, 0))]);
        assert_eq!(keys(&records.settled(3)), [(user(0), 1), (user(1), 1), (user(1), 2), (user(1), 3), (user(1), 5)]);
        assert_eq!(records.first_seq(), Some(4));
    }

    /// Both have the same place in the table.
    #[test]
    fn a_request_waits_no_longer_than_until_the_32nd_after_it() {
        let mut records = Records::default();
        (1..=33).for_each(|no| put(&mut records, no, [(user(1), request(no, 0))]));
        assert_eq!(keys(&records), (2..=33).map(|no| (user(1), no)).collect::<Vec<_>>());
        assert_eq!(records.first_seq(), Some(2));
    }

    #[test]
    fn what_could_not_be_folded_waits_as_before() {
        let mut records = Records::default();
        let lines = vec![LineRecord::new(user(1)).into()];
        let requests = vec![(user(1), request(1, 0)), (user(1), request(2, 1)), (user(1), request(3, 0))];
        records.put(Writes { requests, lines, ..Writes::default() }, 1, 1);
        records.put_unindexed(user(1), 7);
        let taken = records.settled(0);
        let taken = taken.with_index(records.index(0));
        assert!(records.line(&user(1)).is_none() && !records.has_unindexed());
        records.take_back(taken);
        assert_eq!((records.len(), records.first_unindexed()), (4, Some(7)));
        assert!(records.line(&user(1)).is_some());
        assert_eq!(records.requests(&user(1), vec![]).iter().map(|made| made.no).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
