//! Work done once: the whole is a product of five parts, so the same step of one part is met in many states of it.

use crate::phone::{Does, Phone, Told};
use crate::sealed::Sealed;
use crate::server::{Packet, Server};
use ahash::RandomState;
use ringback_core::step::Step;
use ringback_core::time::Timestamp;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Steps remembered of each kind by each thread; beyond it all are forgotten.
const MOST: usize = 1 << 16;

/// What became of the server, what it sent, and what is wrong with that.
pub(crate) type Decided = (Sealed<Server>, Arc<[Packet]>, Option<&'static str>);
/// What became of a phone, and what it told.
pub(crate) type Done = (Sealed<Phone>, Arc<[Told]>);

thread_local! {
    static DECIDED: RefCell<HashMap<u64, Decided, RandomState>> = RefCell::default();
    static DONE: RefCell<HashMap<u64, Done, RandomState>> = RefCell::default();
}

/// Forgets everything on this thread: the core may have another fault planted than when it was learnt.
pub(crate) fn forget() {
    DECIDED.take();
    DONE.take();
}

/// A hash that is the same in each run.
pub(crate) fn mark(value: &impl Hash) -> u64 {
    RandomState::with_seeds(1, 2, 3, 4).hash_one(value)
}

/// What the server makes of a step, or of its timers.
pub(crate) fn decided(server: &Sealed<Server>, step: Option<&Step>, now: Timestamp) -> Decided {
    remembered(&DECIDED, mark(&(server, step, now)), || {
        let mut after = server.clone();
        let packets = after.change(|server| server.decide(step.cloned(), now));
        let flaw = server.wrong(step, &after);
        (after, packets.into(), flaw)
    })
}

/// What a phone does.
pub(crate) fn done(phone: &Sealed<Phone>, does: Does, now: Timestamp) -> Done {
    remembered(&DONE, mark(&(phone, does, now)), || {
        let mut after = phone.clone();
        let told = after.change(|phone| phone.does(does, now));
        (after, told.into())
    })
}

fn remembered<T: Clone>(
    memory: &'static std::thread::LocalKey<RefCell<HashMap<u64, T, RandomState>>>,
    key: u64,
    work: impl FnOnce() -> T,
) -> T {
    if let Some(known) = memory.with_borrow(|memory| memory.get(&key).cloned()) {
        return known;
    }
    let new = work();
    memory.with_borrow_mut(|memory| {
        if memory.len() >= MOST {
            memory.clear();
        }
        memory.insert(key, new.clone());
    });
    new
}
