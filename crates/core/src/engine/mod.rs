//! Batches of steps, timers, and the order in which answers leave (K7, G2).
//!
//! The engine is driven by whoever owns the store and the sockets. The contract:
//! 1. `start(running, now)` once, with every running call of the store.
//! 2. `submit(step)` whenever one comes; `run(now)` when idle and there is something to do.
//! 3. `run` and the answers to it return an [`Act`]: do it, and come back with `loaded(rows, now)`, `committed()` or `failed(unknown)`.
//! 4. On `Release`, write the outputs to their sessions in order, then call `run` again.

use crate::step::{Fact, Key, Output, Writes};
use crate::time::Timestamp;

/// What the driver has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Load these, then call `loaded`.
    Begin(Vec<Key>),
    /// Write these in one transaction, then call `committed` or `failed`. May be empty: then it costs nothing.
    Commit(Writes),
    /// Send these, in order; they are durable. Then call `run` again.
    Release {
        /// To the sessions.
        outputs: Vec<Output>,
        /// To the log.
        facts: Vec<Fact>,
    },
    /// Nothing to do until a step comes, or this moment.
    Idle(Option<Timestamp>),
}
