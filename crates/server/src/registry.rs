//! Who is connected here: each session's outgoing queue.

use crate::metrics::Metrics;
use ringback_core::id::SessionId;
use ringback_core::step::Welcome;
use ringback_protocol::{Bye, ByeCode, Done, ServerFrame};
use std::collections::{HashMap, VecDeque};
use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Something on its way to a session; it becomes text only in the session's own task.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A frame.
    Frame(ServerFrame),
    /// How things stand, which opens the session.
    Open(Box<Welcome>),
}

/// One session's outgoing queue: bounded in bytes, and unallocated while it is empty (G11).
#[derive(Debug)]
pub(crate) struct Mailbox {
    room: usize,
    queue: Mutex<Queue>,
    /// Rung when something was put into an empty queue, or it was closed.
    rung: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Outgoing>,
    bytes: usize,
    bye: Option<Bye>,
    /// Closed: `bye` is the last word, and nothing comes in any more.
    closed: bool,
}

/// What a mailbox had.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// In order.
    pub(crate) waiting: VecDeque<Outgoing>,
    /// The last word after them, if this is the end.
    pub(crate) bye: Option<Bye>,
}

impl Mailbox {
    pub(crate) fn new(room: usize) -> Self {
        Self { room, queue: Mutex::default(), rung: Notify::new() }
    }

    /// Puts something in; what doesn't fit any more cuts the reader off, who catches up when it comes back (N1).
    pub(crate) fn put(&self, outgoing: Outgoing) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        let weight = weight(&outgoing);
        // What others' media sends may be lost, and must not cut anybody off.
        if matches!(outgoing, Outgoing::Frame(ServerFrame::Signal(_))) && queue.bytes + weight > self.room / 2 {
            return;
        }
        queue.bytes += weight;
        if queue.bytes > self.room {
            let message = "Too much waited to be read: come back and catch up.";
            *queue = Queue { bye: Some(Bye::new(ByeCode::Slow, message)), closed: true, ..Queue::default() };
        } else {
            queue.waiting.push_back(outgoing);
        }
        drop(queue);
        self.rung.notify_one();
    }

    /// Ends the session, after what already waits.
    pub(crate) fn close(&self, bye: Bye) {
        let mut queue = self.lock();
        if !queue.closed {
            queue.closed = true;
            queue.bye = Some(bye);
            drop(queue);
            self.rung.notify_one();
        }
    }

    /// Takes all that waits.
    pub(crate) fn take(&self) -> Taken {
        let mut queue = self.lock();
        queue.bytes = 0;
        Taken { waiting: std::mem::take(&mut queue.waiting), bye: queue.bye.take() }
    }

    /// Waits until something was put in, or it was closed, since the last wait.
    pub(crate) async fn rung(&self) {
        self.rung.notified().await;
    }

    /// Waits until the reader was cut off.
    pub(crate) async fn cut(&self) {
        loop {
            if self.lock().bye.as_ref().is_some_and(|bye| bye.code == ByeCode::Slow) {
                return;
            }
            self.rung().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds the lock, so there is nothing half done to guard against.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how many bytes something takes, here and on the wire.
fn weight(outgoing: &Outgoing) -> usize {
    const PERSON: usize = 256;
    const MISSED: usize = 512;
    let view = |view: &ringback_core::call::CallView| {
        let turns: usize = view.others.iter().map(|other| other.turns.len()).sum();
        view.custom_data.as_ref().map_or(0, |text| text.len()) + PERSON * (view.own.len() + view.others.len() + turns)
    };
    let reply = |done: &Done| match done {
        Done::Core(ringback_core::step::Reply::Details(details)) => view(&details.view),
        Done::Core(ringback_core::step::Reply::MissedCalls { calls, .. }) => MISSED * calls.len(),
        Done::Core(ringback_core::step::Reply::Made(ringback_core::line::Made::Invited { refused, .. })) => {
            PERSON * refused.len()
        }
        Done::History { entries, .. } => entries.iter().map(|entry| MISSED + PERSON * entry.with.len()).sum(),
        Done::Core(_) | Done::Token { .. } | Done::IceServers { .. } => 0,
    };
    size_of::<Outgoing>()
        + PERSON
        + match outgoing {
            // It comes first, and its size is bounded by what a hello may hold: it always has room.
            Outgoing::Open(_) => 0,
            Outgoing::Frame(ServerFrame::Call(call)) => view(call),
            Outgoing::Frame(ServerFrame::Signal(signal)) => signal.data.len(),
            Outgoing::Frame(ServerFrame::Missed(missed)) => MISSED * missed.calls.len(),
            Outgoing::Frame(ServerFrame::Reply { answer: Ok(done), .. }) => reply(done),
            Outgoing::Frame(_) => 0,
        }
}

/// Every session of this process.
#[derive(Debug)]
pub(crate) struct Registry {
    sessions: Mutex<HashMap<SessionId, Arc<Mailbox>>>,
    next: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Registry {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { sessions: Mutex::default(), next: AtomicU64::new(1), metrics }
    }

    /// Registers a session's mailbox, and names the session.
    pub(crate) fn open(&self, mailbox: Arc<Mailbox>) -> SessionId {
        let id = SessionId(self.next.fetch_add(1, Ordering::Relaxed));
        self.lock().insert(id, mailbox);
        self.metrics.sessions.up();
        id
    }

    /// Forgets a session.
    pub(crate) fn close(&self, id: SessionId) {
        if self.lock().remove(&id).is_some() {
            self.metrics.sessions.down();
        }
    }

    /// Puts something into a session's mailbox; for one that is gone it is dropped, since a send is a hint (G5).
    pub(crate) fn put(&self, to: SessionId, outgoing: Outgoing) {
        if let Some(mailbox) = self.mailbox(to) {
            mailbox.put(outgoing);
        }
    }

    /// The mailbox of a session.
    pub(crate) fn mailbox(&self, id: SessionId) -> Option<Arc<Mailbox>> {
        self.lock().get(&id).cloned()
    }

    /// Ends every session with these words.
    pub(crate) fn close_all(&self, bye: &Bye) {
        let mailboxes: Vec<_> = self.lock().values().cloned().collect();
        for mailbox in mailboxes {
            mailbox.close(bye.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Mailbox>>> {
        // Nothing panics while it holds the lock, so there is nothing half done to guard against.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: N1
    #[test]
    fn a_reader_too_slow_is_cut_off_and_its_queue_dropped() {
        let mailbox = Mailbox::new(4096);
        for _ in 0..100 {
            mailbox.put(Outgoing::Frame(ServerFrame::Pong));
        }
        let taken = mailbox.take();
        assert!(taken.waiting.is_empty());
        assert_eq!(taken.bye.unwrap().code, ByeCode::Slow);
        mailbox.put(Outgoing::Frame(ServerFrame::Pong));
        assert!(mailbox.take().waiting.is_empty(), "nothing comes after the last word");
    }

    // spec: R1
    #[test]
    fn signals_are_dropped_before_they_cut_anybody_off() {
        let mailbox = Mailbox::new(64 * 1024);
        let signal = |data: String| {
            let (from, device) = ("alice".parse().unwrap(), "d".parse().unwrap());
            let invitation = ringback_core::id::InvitationId(1);
            let signal = ringback_core::step::Signal { invitation, from, device, data: data.into() };
            mailbox.put(Outgoing::Frame(ServerFrame::Signal(signal)));
        };
        (0..100).for_each(|_| signal("x".repeat(10 * 1024)));
        mailbox.put(Outgoing::Frame(ServerFrame::Pong));
        let taken = mailbox.take();
        assert!(taken.bye.is_none());
        assert_eq!(taken.waiting.len(), 3 + 1, "as many as fit into half of it, and what isn't a signal");
    }

    #[test]
    fn the_last_word_comes_after_what_waited() {
        let mailbox = Mailbox::new(4096);
        mailbox.put(Outgoing::Frame(ServerFrame::Pong));
        mailbox.close(Bye::new(ByeCode::ShuttingDown, ""));
        mailbox.close(Bye::new(ByeCode::Replaced, ""));
        let taken = mailbox.take();
        assert_eq!(taken.waiting.len(), 1);
        assert_eq!(taken.bye.unwrap().code, ByeCode::ShuttingDown);
    }
}
