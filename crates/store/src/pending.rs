//! What is durable in the journal and not yet in the tables, and which rows of the journal it needs.
//!
//! A fold deletes the journal's rows up to the first that a record still waiting needs. So the journal is always an
//! unbroken end of everything that was committed: whoever reads it again, over tables that have a part of it or all,
//! comes to the newest version of each record.

use crate::records::{Records, UNINDEXED};
use ringback_core::id::UserId;
use ringback_core::step::Writes;
use std::collections::VecDeque;

/// How many folds a record waits at most.
const KEPT_FOLDS: usize = 40;
/// How many bytes of journal are kept at most for what waits.
const KEPT_BYTES: usize = 32 << 20;

/// What is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fold {
    /// What is worth it under load; the rest waits on.
    Settled,
    /// Every record; the index of history by user may stay behind.
    All,
    /// Everything.
    Whole,
}

/// The numbers that a commit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Its row of the journal.
    pub(crate) seq: u64,
    /// The first of its rows of history.
    pub(crate) row: u64,
}

/// What came in before a fold, since the fold before.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// The journal's last row.
    seq: u64,
    /// How many bytes.
    bytes: usize,
}

/// The records that wait to be folded into the tables.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// The records themselves.
    pub(crate) records: Records,
    /// The last numbers that were taken.
    seq: u64,
    row: u64,
    /// The folds whose journal isn't all deleted, oldest first.
    marks: VecDeque<Mark>,
    /// How many bytes the journal grew by since the last fold.
    bytes: usize,
    /// How many records the last fold left.
    left: usize,
    /// What the file says is the first row of history that isn't in the index.
    noted: Option<u64>,
}

impl Pending {
    /// What a file has but for its journal: the last row of history, the first that isn't in the index, and all from
    /// that on.
    pub(crate) fn behind(last: u64, noted: Option<u64>, unindexed: Vec<(UserId, u64)>) -> Self {
        let mut pending = Self { row: last, noted, ..Self::default() };
        unindexed.into_iter().for_each(|(user, row)| pending.records.put_unindexed(user, row));
        pending
    }

    /// The numbers of the next commit.
    pub(crate) fn next(&self) -> Numbers {
        Numbers { seq: self.seq + 1, row: self.row + 1 }
    }

    /// Takes in what was committed with these numbers, as a body of so many bytes.
    pub(crate) fn put(&mut self, writes: Writes, numbers: Numbers, bytes: usize) {
        let Numbers { seq, row } = numbers;
        self.seq = seq;
        self.row = self.row.max(row.saturating_add(writes.history.len() as u64).saturating_sub(1));
        self.records.put(writes, seq, row);
        self.bytes += bytes;
    }

    /// How many records came in since the last fold.
    pub(crate) fn gathered(&self) -> usize {
        self.records.len().saturating_sub(self.left)
    }

    /// How many bytes came in since the last fold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no record waits, and the journal is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    /// Whether there is something to fold.
    pub(crate) fn has(&self, what: Fold) -> bool {
        !self.is_empty() || what == Fold::Whole && self.records.has_unindexed()
    }

    /// Takes out what is to be folded. Then either [`Self::folded`] or [`Self::take_back`] is next.
    pub(crate) fn take(&mut self, what: Fold) -> Records {
        let taken = match what {
            Fold::Settled => self.records.settled(self.too_old()),
            Fold::All | Fold::Whole => self.records.all(),
        };
        taken.with_index(self.records.index(if what == Fold::Whole { 0 } else { UNINDEXED }))
    }

    /// The last row of the journal that nothing may wait for any longer.
    fn too_old(&self) -> u64 {
        let mut bytes = self.bytes;
        let over = self.marks.iter().rev().enumerate().find(|(folds, mark)| {
            bytes += mark.bytes;
            *folds >= KEPT_FOLDS || bytes > KEPT_BYTES
        });
        over.map_or(0, |(_, mark)| mark.seq)
    }

    /// The first row of the journal that is needed by what waits.
    pub(crate) fn needs(&self) -> Option<u64> {
        self.records.first_seq()
    }

    /// What the file is to say from now on of the index, if it says something else: the first row that isn't in it.
    pub(crate) fn note(&self) -> Option<Option<u64>> {
        Some(self.records.first_unindexed()).filter(|first| *first != self.noted)
    }

    /// Goes on after what was taken out is in the tables.
    pub(crate) fn folded(&mut self) {
        self.marks.push_back(Mark { seq: self.seq, bytes: std::mem::take(&mut self.bytes) });
        let needs = self.needs().unwrap_or(u64::MAX);
        while self.marks.front().is_some_and(|mark| mark.seq < needs) {
            self.marks.pop_front();
        }
        self.left = self.records.len();
        self.noted = self.records.first_unindexed();
    }

    /// Takes back what was taken out and couldn't be folded; nothing came in meanwhile.
    pub(crate) fn take_back(&mut self, taken: Records) {
        self.records.take_back(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_core::id::{DeviceId, InvitationId, RequestId};
    use ringback_core::line::{Made, Remembered};

    /// A request of a user of its own, in a row of so many bytes.
    fn commit(pending: &mut Pending, bytes: usize) {
        let numbers = pending.next();
        let made = Remembered {
            no: 1,
            device: DeviceId::new("d-1").unwrap(),
            request: RequestId::new("r-1").unwrap(),
            made: Made::Engaged { invitation: InvitationId(1) },
        };
        let user = UserId::new(&format!("user-{:05}", numbers.seq)).unwrap();
        pending.put(Writes { requests: vec![(user, made.into())], ..Writes::default() }, numbers, bytes);
    }

    fn fold(pending: &mut Pending, what: Fold) {
        drop(pending.take(what));
        pending.folded();
    }

    /// After many folds with a row of so many bytes before each: how many rows aren't too old at the next.
    fn kept(bytes: usize) -> u64 {
        let mut pending = Pending::default();
        (1..200).for_each(|_| {
            commit(&mut pending, bytes);
            pending.folded();
        });
        commit(&mut pending, bytes);
        200 - pending.too_old()
    }

    #[test]
    fn the_journal_is_kept_for_so_many_folds_and_bytes() {
        assert_eq!(kept(1), KEPT_FOLDS as u64 + 1);
        assert_eq!(kept(4 << 20), 8);
        assert_eq!(kept(40 << 20), 1, "the last is kept, however large");
    }

    #[test]
    fn what_is_left_does_not_count_as_gathered() {
        let mut pending = Pending::default();
        (0..64).for_each(|_| commit(&mut pending, 10));
        assert_eq!((pending.gathered(), pending.bytes()), (64, 640));
        fold(&mut pending, Fold::Settled);
        assert_eq!((pending.gathered(), pending.bytes(), pending.needs()), (0, 0, Some(3)));
        commit(&mut pending, 10);
        assert_eq!((pending.gathered(), pending.bytes()), (1, 10));
        fold(&mut pending, Fold::All);
        assert!(pending.is_empty() && pending.needs().is_none());
        assert_eq!(pending.next(), Numbers { seq: 66, row: 1 });
    }
}
