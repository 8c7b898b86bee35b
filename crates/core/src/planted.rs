//! Faults on purpose, each a rule left out, for the model check (`tests/model`) to find.
//!
//! They are compiled by the feature `planted` alone, which nothing but that check turns on, and even then one holds only
//! while [`plant`] says so.

use std::sync::atomic::{AtomicU8, Ordering};

/// A rule left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// L8: who is in a call may send all the same, and nobody is taken out of the other.
    EngagedSends = 1,
    /// L10: crossing calls don't become one.
    CrossingIgnored,
    /// L10, M1: who crosses has a missed call.
    CrossingMissed,
    /// D7: a dial-back while one is under way begins another.
    DialBackTwice,
    /// L3: the last accept wins.
    LastAcceptWins,
    /// L9: a claim isn't heard.
    ClaimIgnored,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 6] = [
        Self::EngagedSends,
        Self::CrossingIgnored,
        Self::CrossingMissed,
        Self::DialBackTwice,
        Self::LastAcceptWins,
        Self::ClaimIgnored,
    ];
}

/// The one that holds in this process; 0 is none.
static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Plants a fault in the place of any other, or takes it out, for the whole process.
pub fn plant(fault: Option<Fault>) {
    PLANTED.store(fault.map_or(0, |fault| fault as u8), Ordering::SeqCst);
}

/// Whether this fault is planted.
pub(crate) fn is(fault: Fault) -> bool {
    PLANTED.load(Ordering::Relaxed) == fault as u8
}
