//! The store that forgets when the process ends.

use crate::index::RunningIndex;
use crate::{CommitError, HistoryPage, Store, StoreError, newest_in};
use ringback_core::call::CallRecord;
use ringback_core::id::{InvitationId, MissedId, UserId};
use ringback_core::limits::REQUESTS;
use ringback_core::line::{HistoryRecord, LineRecord, MissedCall, Remembered};
use ringback_core::step::{Key, Loaded, LoadedLine, Writes};
use ringback_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keeps everything in the process, for tests. It only ever answers what is asked, so an engine over it sees nothing
/// that it didn't load. A clone is a copy: what a disk held at that moment.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    calls: BTreeMap<InvitationId, CallRecord>,
    lines: BTreeMap<UserId, LineRecord>,
    requests: BTreeMap<UserId, BTreeMap<u64, Arc<Remembered>>>,
    missed: BTreeMap<(UserId, MissedId), MissedCall>,
    history: BTreeMap<u64, HistoryRecord>,
    rows: u64,
    index: RunningIndex,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn missed(&self, user: &UserId) -> Vec<MissedCall> {
        let first = MissedId { invitation: InvitationId(0), turn: 0 };
        let of_user = self.missed.range((user.clone(), first)..).take_while(|((whose, _), _)| whose == user);
        of_user.map(|(_, missed)| missed.clone()).collect()
    }
}

impl Store for Memory {
    fn load(&mut self, keys: &[Key]) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        for key in keys {
            match key {
                Key::Call(id) => loaded.calls.push((*id, self.calls.get(id).cloned())),
                Key::Line(user) => loaded.lines.push(LoadedLine {
                    user: user.clone(),
                    line: self.lines.get(user).cloned(),
                    missed: self.missed(user),
                    requests: self.requests.get(user).into_iter().flat_map(|kept| kept.values().cloned()).collect(),
                    running: self.index.of(user),
                }),
            }
        }
        Ok(loaded)
    }

    fn commit(&mut self, writes: Writes) -> Result<(), CommitError> {
        for call in &writes.calls {
            self.index.put(call.record());
            self.calls.insert(call.id(), call.record().clone());
        }
        self.lines.extend(writes.lines.iter().map(|line| (line.person.id.clone(), (**line).clone())));
        for (user, request) in writes.requests {
            let kept = self.requests.entry(user).or_default();
            kept.insert(request.no, request);
            while kept.len() as u64 > REQUESTS {
                kept.pop_first();
            }
        }
        self.missed.extend(writes.missed.into_iter().map(|(user, call)| ((user, call.id), call)));
        for handled in &writes.handled {
            self.missed.remove(handled);
        }
        for entry in writes.history {
            self.rows += 1;
            self.history.insert(self.rows, entry);
        }
        Ok(())
    }

    fn tidy(&mut self, _idle: bool) -> Result<bool, CommitError> {
        Ok(false)
    }

    fn running(&mut self) -> Result<Vec<CallRecord>, StoreError> {
        Ok(self.calls.values().filter(|call| call.running()).cloned().collect())
    }

    fn newest(&mut self) -> Result<Timestamp, StoreError> {
        let calls = self.calls.values().map(newest_in);
        Ok(calls.chain(self.history.values().map(|entry| entry.ended_at)).max().unwrap_or_default())
    }

    fn history(&mut self, user: &UserId, before: Option<u64>, limit: usize) -> Result<HistoryPage, StoreError> {
        let older = self.history.range(..before.unwrap_or(u64::MAX)).rev();
        let mut rows = older.filter(|(_, entry)| entry.user == *user);
        let page: Vec<_> = rows.by_ref().take(limit).collect();
        let next = page.last().map(|(row, _)| **row).filter(|_| rows.next().is_some());
        Ok(HistoryPage { entries: page.into_iter().map(|(_, entry)| entry.clone()).collect(), next })
    }

    fn forget(&mut self, before: Timestamp, limit: usize) -> Result<usize, CommitError> {
        let ended = |call: &&CallRecord| call.ended.is_some_and(|(_, at)| at < before);
        let calls: Vec<_> = self.calls.values().filter(ended).map(|call| call.id).take(limit).collect();
        let past = |(_, entry): &(&u64, &HistoryRecord)| entry.ended_at < before;
        let rows: Vec<_> = self.history.iter().take(limit).filter(past).map(|(row, _)| *row).collect();
        for id in &calls {
            self.calls.remove(id);
        }
        for row in &rows {
            if let Some(entry) = self.history.remove(row) {
                self.missed.remove(&(entry.user, entry.id));
            }
        }
        Ok(calls.len() + rows.len())
    }
}
