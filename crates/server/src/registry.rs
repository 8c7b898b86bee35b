//! Who is connected here: each session's outgoing queue.

use crate::metrics::Metrics;
use ringback_core::id::SessionId;
use ringback_core::step::Welcome;
use ringback_protocol::{Bye, ByeCode, Done, ServerFrame};
use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::{size_of, take};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::runtime::Handle;

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
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Outgoing>,
    bytes: usize,
    bye: Option<Bye>,
    /// Closed: `bye` is the last word, and nothing comes in any more.
    closed: bool,
    /// Who waits for something to come in.
    reader: Option<Waker>,
}

/// What a mailbox had.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// In order.
    pub(crate) waiting: Vec<Outgoing>,
    /// The last word after them, if this is the end.
    pub(crate) bye: Option<Bye>,
}

impl Mailbox {
    pub(crate) fn new(room: usize) -> Self {
        Self { room, queue: Mutex::default() }
    }

    /// Puts something in, and gives who is to be woken for it; what doesn't fit any more cuts the reader off, who
    /// catches up when it comes back (N1).
    pub(crate) fn put(&self, outgoing: Outgoing) -> Option<Waker> {
        let mut queue = self.lock();
        if queue.closed {
            return None;
        }
        let weight = weight(&outgoing);
        // What others' media sends may be lost, and must not cut anybody off.
        if matches!(outgoing, Outgoing::Frame(ServerFrame::Signal(_))) && queue.bytes + weight > self.room / 2 {
            return None;
        }
        queue.bytes += weight;
        if queue.bytes > self.room {
            let message = "Too much waited to be read: come back and catch up.";
            let reader = queue.reader.take();
            *queue = Queue { bye: Some(Bye::new(ByeCode::Slow, message)), closed: true, reader, ..Queue::default() };
        } else {
            queue.waiting.push(outgoing);
        }
        // Once: until they have waited again, they are awake.
        queue.reader.take()
    }

    /// Ends the session, after what already waits.
    pub(crate) fn close(&self, bye: Bye) {
        let mut queue = self.lock();
        if !queue.closed {
            queue.closed = true;
            queue.bye = Some(bye);
            let reader = queue.reader.take();
            drop(queue);
            if let Some(reader) = reader {
                reader.wake();
            }
        }
    }

    /// Waits until there is something, and takes all of it.
    pub(crate) async fn take(&self) -> Taken {
        poll_fn(|cx| self.poll(cx, |queue| !queue.waiting.is_empty() || queue.bye.is_some())).await
    }

    /// Waits until the reader was cut off; gives the last word.
    pub(crate) async fn cut(&self) -> Option<Bye> {
        let slow = |queue: &Queue| queue.bye.as_ref().is_some_and(|bye| bye.code == ByeCode::Slow);
        poll_fn(|cx| self.poll(cx, slow)).await.bye
    }

    /// Takes all that is there once it is `enough`; until then what comes in wakes the reader.
    fn poll(&self, cx: &Context<'_>, enough: impl Fn(&Queue) -> bool) -> Poll<Taken> {
        let mut queue = self.lock();
        if enough(&queue) {
            queue.bytes = 0;
            return Poll::Ready(Taken { waiting: take(&mut queue.waiting), bye: queue.bye.take() });
        }
        if !queue.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            queue.reader = Some(cx.waker().clone());
        }
        Poll::Pending
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
    const ID: usize = 128;
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
            Outgoing::Frame(ServerFrame::Settings(settings)) => {
                let through = settings.do_not_disturb.as_ref().map_or(0, |set| set.let_through.len());
                ID * (settings.blocked.len() + through)
            }
            Outgoing::Frame(ServerFrame::Reply { answer: Ok(done), .. }) => reply(done),
            Outgoing::Frame(_) => 0,
        }
}

/// Mailboxes by their session.
type Sessions = HashMap<SessionId, Arc<Mailbox>, BuildHasherDefault<Spread>>;

/// Spreads ids that the server itself counts up: nobody else chooses one, so nobody can make them collide.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // By the golden ratio: numbers that follow each other differ in their high bits as in their low ones.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Sessions that are woken one by one from outside the runtime; more are woken from within.
const FEW: usize = 2;

/// Every session of this process.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Where the sessions' tasks run.
    runtime: Handle,
    sessions: Mutex<Sessions>,
    next: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Registry {
    /// For sessions whose tasks run in this runtime.
    pub(crate) fn new(runtime: Handle, metrics: Arc<Metrics>) -> Self {
        Self { runtime, sessions: Mutex::default(), next: AtomicU64::new(1), metrics }
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

    /// Puts something into a session's mailbox, and gives who is to be woken for it; for one that is gone it is dropped,
    /// since a send is a hint (G5).
    pub(crate) fn put(&self, to: SessionId, outgoing: Outgoing) -> Option<Waker> {
        self.mailbox(to)?.put(outgoing)
    }

    /// Wakes them all: at a knock on the runtime's door for each, or, when they are many, at one for all of them.
    pub(crate) fn wake(&self, awaited: Vec<Waker>) {
        let many = awaited.len() > FEW;
        let wake = move || awaited.into_iter().for_each(Waker::wake);
        if many { drop(self.runtime.spawn(async { wake() })) } else { wake() }
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

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // Nothing panics while it holds the lock, so there is nothing half done to guard against.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what is there, if anything.
    fn all(mailbox: &Mailbox) -> Taken {
        match mailbox.poll(&Context::from_waker(Waker::noop()), |_| true) {
            Poll::Ready(taken) => taken,
            Poll::Pending => Taken::default(),
        }
    }

    // spec: N1
    #[test]
    fn a_reader_too_slow_is_cut_off_and_its_queue_dropped() {
        let mailbox = Mailbox::new(4096);
        for _ in 0..100 {
            mailbox.put(Outgoing::Frame(ServerFrame::Pong));
        }
        let taken = all(&mailbox);
        assert!(taken.waiting.is_empty());
        assert_eq!(taken.bye.unwrap().code, ByeCode::Slow);
        mailbox.put(Outgoing::Frame(ServerFrame::Pong));
        assert!(all(&mailbox).waiting.is_empty(), "nothing comes after the last word");
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
        let taken = all(&mailbox);
        assert!(taken.bye.is_none());
        assert_eq!(taken.waiting.len(), 3 + 1, "as many as fit into half of it, and what isn't a signal");
    }

    #[test]
    fn the_last_word_comes_after_what_waited() {
        let mailbox = Mailbox::new(4096);
        mailbox.put(Outgoing::Frame(ServerFrame::Pong));
        mailbox.close(Bye::new(ByeCode::ShuttingDown, ""));
        mailbox.close(Bye::new(ByeCode::Replaced, ""));
        let taken = all(&mailbox);
        assert_eq!(taken.waiting.len(), 1);
        assert_eq!(taken.bye.unwrap().code, ByeCode::ShuttingDown);
    }
}
