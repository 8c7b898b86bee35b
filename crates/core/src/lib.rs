//! The domain of Ringback: who rings, who missed it, and what a click does. It has no clock, no randomness and no I/O.
//!
//! - [`call`]: the authority over one invitation.
//! - [`mod@line`]: one user, and every rule over more than one invitation.
//! - [`engine`]: batches of steps, timers, and the order in which answers leave.
//! - [`device`]: the client's half: what to ring, show, withdraw and dial back.
//! - [`shared`]: a value that is shared until somebody changes it.
//! - [`world`]: what is loaded, and one step's changes over it.
//! - [`step`]: what is asked and answered between them.

pub mod call;
pub mod device;
pub mod engine;
pub mod id;
pub mod limits;
pub mod line;
#[cfg(feature = "planted")]
pub mod planted;
pub mod refusal;
pub mod shared;
pub mod step;
pub mod time;
pub mod world;
