//! What waits for the engine: bounded, and never waited for (G10).

use ringback_core::id::{RequestId, SessionId, UserId};
use ringback_core::step::{Ask, Step};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One thing for the driver to do.
#[derive(Debug)]
pub(crate) enum Item {
    /// For the engine to decide.
    Step(Step),
    /// For the store to read.
    History {
        /// To whom.
        to: SessionId,
        /// The request's name.
        request: RequestId,
        /// Whose history.
        user: UserId,
        /// Where the page begins.
        before: Option<u64>,
        /// How many entries.
        limit: usize,
    },
}

/// It can't be taken now: too much waits already, or the server is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A queue between the sockets and the driver's thread.
///
/// Past three quarters of its room it takes nothing that makes more work, and past all of it only what says that a
/// session is gone, of which each session has one.
#[derive(Debug)]
pub(crate) struct Inbox {
    room: usize,
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Item>,
    /// How many the driver gathers just now.
    wanted: usize,
    closed: bool,
}

impl Inbox {
    pub(crate) fn new(room: usize) -> Self {
        Self { room, waiting: Mutex::default(), ready: Condvar::new() }
    }

    /// Puts an item in, without ever waiting for room.
    pub(crate) fn put(&self, item: Item) -> Result<(), Full> {
        let room = match &item {
            Item::Step(Step::Gone(_)) => usize::MAX,
            Item::Step(Step::Request { ask, .. }) if !begins(ask) => self.room,
            _ => self.room - self.room / 4,
        };
        let mut waiting = self.lock();
        if waiting.closed || waiting.items.len() >= room {
            return Err(Full);
        }
        waiting.items.push_back(item);
        if waiting.items.len() == 1 || waiting.items.len() == waiting.wanted {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Takes what waits, at most `most`; while nothing does, waits itself, at most that long. None once the inbox is
    /// closed and empty.
    pub(crate) fn take(&self, most: usize, at_most: Duration) -> Option<Vec<Item>> {
        let nothing = |waiting: &mut Waiting| waiting.items.is_empty() && !waiting.closed;
        let waited = self.ready.wait_timeout_while(self.lock(), at_most, nothing);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.items.is_empty() && waiting.closed {
            return None;
        }
        let most = most.min(waiting.items.len());
        let taken = waiting.items.drain(..most).collect();
        if waiting.items.is_empty() {
            // An idle server keeps no room for the load it once had.
            waiting.items = VecDeque::new();
        }
        Some(taken)
    }

    /// Waits until as many as `least` wait, at most that long.
    pub(crate) fn gather(&self, least: usize, at_most: Duration) {
        let mut waiting = self.lock();
        waiting.wanted = least;
        let few = |waiting: &mut Waiting| waiting.items.len() < least && !waiting.closed;
        let waited = self.ready.wait_timeout_while(waiting, at_most, few);
        waited.unwrap_or_else(PoisonError::into_inner).0.wanted = 0;
    }

    /// Takes nothing any more; what is in it is still handed out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock, so there is nothing half done to guard against.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it makes a new invitation, reads at length, or may be lost: what is turned away first.
fn begins(ask: &Ask) -> bool {
    match ask {
        Ask::Send(_)
        | Ask::Invite { .. }
        | Ask::DialBack { .. }
        | Ask::Fetch { .. }
        | Ask::MissedCalls { .. }
        | Ask::Signal { .. }
        | Ask::IceServers { .. } => true,
        Ask::Ringing { .. }
        | Ask::Accept { .. }
        | Ask::Reject { .. }
        | Ask::Cancel { .. }
        | Ask::Join { .. }
        | Ask::Leave { .. }
        | Ask::End { .. }
        | Ask::Click { .. }
        | Ask::Dismiss { .. }
        | Ask::Block(_)
        | Ask::Unblock(_)
        | Ask::SetDoNotDisturb(_)
        | Ask::Uninit => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_core::id::{DeviceId, InvitationId};
    use ringback_core::step::Actor;

    fn actor() -> Actor {
        Actor { user: UserId::new("alice").unwrap(), device: DeviceId::new("d").unwrap(), session: SessionId(1) }
    }

    fn ask(ask: Ask) -> Item {
        Item::Step(Step::Request { by: actor(), request: RequestId::new("r").unwrap(), ask })
    }

    #[test]
    fn past_its_bound_a_share_is_kept_for_what_ends_a_call() {
        let inbox = Inbox::new(8);
        let read = || ask(Ask::MissedCalls { offset: 0 });
        let leave = || ask(Ask::Leave { invitation: InvitationId(1) });
        for _ in 0..6 {
            assert_eq!(inbox.put(read()), Ok(()));
        }
        assert_eq!(inbox.put(read()), Err(Full));
        assert_eq!(inbox.put(leave()), Ok(()));
        assert_eq!(inbox.put(leave()), Ok(()));
        assert_eq!(inbox.put(leave()), Err(Full));
        assert_eq!(inbox.put(Item::Step(Step::Gone(actor()))), Ok(()));
        assert_eq!(inbox.take(100, Duration::ZERO).unwrap().len(), 9);
    }

    #[test]
    fn it_gathers_until_there_is_enough_or_nothing_more_comes() {
        let inbox = Inbox::new(8);
        inbox.gather(1, Duration::ZERO);
        inbox.put(ask(Ask::Uninit)).unwrap();
        inbox.gather(1, Duration::MAX);
        std::thread::scope(|scope| {
            let gathering = scope.spawn(|| inbox.gather(3, Duration::MAX));
            inbox.put(ask(Ask::Uninit)).unwrap();
            inbox.put(ask(Ask::Uninit)).unwrap();
            gathering.join().unwrap();
        });
        assert_eq!(inbox.len(), 3, "and takes nothing out");
        inbox.close();
        inbox.gather(4, Duration::MAX);
    }

    #[test]
    fn once_closed_it_hands_out_what_it_has_and_ends() {
        let inbox = Inbox::new(8);
        inbox.put(ask(Ask::Uninit)).unwrap();
        inbox.close();
        assert_eq!(inbox.put(ask(Ask::Uninit)), Err(Full));
        assert_eq!(inbox.take(1, Duration::ZERO).unwrap().len(), 1);
        assert!(inbox.take(1, Duration::MAX).is_none());
    }
}
