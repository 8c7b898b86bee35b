//! What every connection of a server has in common.

use crate::clock::Clock;
use crate::config::Config;
use crate::http::Development;
use crate::inbox::Inbox;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::token::Verifier;
use std::sync::Arc;
use tokio::sync::watch;

/// What every connection of a server has in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) verifier: Verifier,
    /// There in development mode alone.
    pub(crate) development: Option<Development>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: Arc<Metrics>,
    /// True once the server is shutting down.
    pub(crate) stop: watch::Sender<bool>,
}

impl Shared {
    /// Tells when the server shuts down.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }
}
