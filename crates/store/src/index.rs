//! Which running calls each user has a part in: derived, kept in memory, never written (G4).

use ringback_core::call::CallRecord;
use ringback_core::id::{InvitationId, UserId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The running calls by user. Its size is that of the running calls' participants.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunningIndex {
    /// Who is in each running call, so that the next version of it finds whom to take out.
    people: HashMap<InvitationId, Box<[UserId]>>,
    /// The calls of each user, ascending; no user without one.
    calls: HashMap<UserId, Vec<InvitationId>>,
}

impl RunningIndex {
    /// Takes in a call as it stands now.
    pub(crate) fn put(&mut self, call: &CallRecord) {
        let people = call.participants.iter().map(|p| &p.person.id);
        if call.running() && self.people.get(&call.id).is_some_and(|old| old.iter().eq(people.clone())) {
            return;
        }
        self.take_out(call.id);
        if call.running() {
            self.people.insert(call.id, people.clone().cloned().collect());
            for user in people {
                let calls = self.calls.entry(user.clone()).or_default();
                if let Err(at) = calls.binary_search(&call.id) {
                    calls.insert(at, call.id);
                }
            }
        }
    }

    /// The running calls that the user has a part in, the earlier sent first.
    pub(crate) fn of(&self, user: &UserId) -> Vec<InvitationId> {
        self.calls.get(user).cloned().unwrap_or_default()
    }

    fn take_out(&mut self, id: InvitationId) {
        for user in self.people.remove(&id).unwrap_or_default() {
            if let Entry::Occupied(mut entry) = self.calls.entry(user) {
                entry.get_mut().retain(|call| *call != id);
                if entry.get().is_empty() {
                    entry.remove();
                }
            }
        }
    }
}
