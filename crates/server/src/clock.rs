//! The only place that reads a clock.

use ringback_core::time::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The server's clock (G8): at the start the later of the wall clock and the newest stored stamp, from there on the
/// monotonic clock. So it never runs backwards, not even over a restart after the machine's clock was set back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    at: Timestamp,
}

impl Clock {
    /// Begins at the wall clock, but not before `newest`.
    #[allow(clippy::disallowed_methods)] // the clock module is where clocks are read
    pub(crate) fn start(newest: Timestamp) -> Self {
        Self { origin: Instant::now(), at: wall().max(newest) }
    }

    /// The moment now.
    pub(crate) fn now(&self) -> Timestamp {
        self.at + self.origin.elapsed()
    }
}

/// The wall clock, which tokens are judged by: whoever signs them knows no other.
#[allow(clippy::disallowed_methods)] // the clock module is where clocks are read
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment of the monotonic clock, for what is only ever measured within this process.
#[allow(clippy::disallowed_methods)] // the clock module is where clocks are read
pub(crate) fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_begins_before_what_is_stored() {
        let ahead = wall() + Duration::from_secs(3600);
        assert!(Clock::start(ahead).now() >= ahead);
        assert!(Clock::start(Timestamp(0)).now() >= Timestamp(1_700_000_000_000));
    }
}
