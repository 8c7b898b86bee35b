//! The shell: drives the engine, holds the sockets, serves HTTP. It decides nothing (G1).
//!
//! One thread owns the engine and the store; each connection is a task of its own. Between them are two queues, both
//! bounded: the inbox, past whose bound requests are turned away, and each session's mailbox, past whose bound its
//! reader is cut off.

mod clock;
pub mod config;
mod driver;
mod http;
mod inbox;
mod log;
mod metrics;
mod registry;
pub mod relay;
mod shared;
mod socket;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
mod turn;

pub use clock::wall;
pub use config::Config;
pub use driver::DriverError;
pub use log::Log;

use config::{Auth, Secret};
use driver::Driver;
use http::Development;
use inbox::Inbox;
use metrics::Metrics;
use registry::Registry;
use ringback_store::Store;
use shared::Shared;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use token::Verifier;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::info;

/// How long connections may take to say their last words when the server stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a server doesn't start; each says what to do about it.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another program has the port, most likely another Ringback.
    #[error("{0} is in use by another program: stop it, or take another port with --listen 127.0.0.1:PORT")]
    InUse(SocketAddr),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The key of development mode can't be kept.
    #[error("can't keep the development key in {}: {source}", data.display())]
    Development {
        /// The data directory.
        data: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The public key can't be used.
    #[error(transparent)]
    Key(#[from] token::BadKey),
    /// The store can't be taken over.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The system gives no thread, or no randomness.
    #[error("can't start: {0}")]
    System(#[source] io::Error),
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    driver: oneshot::Receiver<Result<(), DriverError>>,
}

impl Server {
    /// Takes over what the store has running, and listens. The store is closed when the server stops.
    ///
    /// Call it within a tokio runtime that has its time and I/O on.
    pub async fn start(config: Config, store: Box<dyn Store>) -> Result<Self, StartError> {
        let address = config.listen;
        let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(address),
            _ => StartError::Listen { address, source },
        })?;
        let address = listener.local_addr().map_err(StartError::System)?;
        let (development, verifier) = match &config.auth {
            Auth::Development => {
                let development = open_development(&config.data)?;
                let verifier = Verifier::new(Some(development.key()), None)?;
                (Some(development), verifier)
            }
            Auth::Keys { secret, public_key } => (None, Verifier::new(secret.as_ref(), public_key.as_deref())?),
        };
        let inbox = Arc::new(Inbox::new(config.inbox_steps));
        let metrics = Arc::new(Metrics::default());
        let registry = Arc::new(Registry::new(Handle::current(), metrics.clone()));
        let mut seed = [0; 16];
        getrandom::fill(&mut seed).map_err(|error| StartError::System(io::Error::other(error)))?;
        let make = {
            let (inbox, registry, metrics) = (inbox.clone(), registry.clone(), metrics.clone());
            let limits = config.limits;
            move || Driver::new(store, limits, u128::from_ne_bytes(seed), inbox, registry, metrics)
        };
        let (clock, driver) = drive(make).await?;
        let (stop, _) = watch::channel(false);
        let shared = Arc::new(Shared { config, clock, verifier, development, inbox, registry, metrics, stop });
        let accepting = tokio::spawn(http::accept(listener, shared.clone()));
        info!(%address, "listening");
        Ok(Self { address, shared, accepting, driver })
    }

    /// Where it listens; with port 0 asked for, the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// In development mode, the page of each demo user.
    pub fn links(&self) -> Vec<String> {
        let people = self.shared.development.iter().flat_map(|_| http::PEOPLE);
        people.map(|(id, _)| format!("http://{}/as/{id}/", self.address)).collect()
    }

    /// Waits until the server can't go on any more, and says why.
    pub async fn failed(&mut self) -> DriverError {
        match (&mut self.driver).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => DriverError::Died,
        }
    }

    /// Stops and loses nothing: takes no connection any more, decides what has come, tells every session to come
    /// back, and closes the store.
    pub async fn stop(mut self) -> Result<(), DriverError> {
        info!("shutting down");
        self.shared.inbox.close();
        let driven = (&mut self.driver).await.unwrap_or(Err(DriverError::Died));
        self.shared.registry.close_all(&socket::shutting_down());
        self.shared.stop.send_replace(true);
        if tokio::time::timeout(FAREWELL, &mut self.accepting).await.is_err() {
            info!("some connections took too long to say goodbye");
        }
        driven
    }
}

impl Drop for Server {
    /// Stops without waiting for it.
    fn drop(&mut self) {
        self.shared.inbox.close();
        self.shared.registry.close_all(&socket::shutting_down());
        self.shared.stop.send_replace(true);
    }
}

fn open_development(data: &Path) -> Result<Development, StartError> {
    let open = || {
        // Before a store does it, perhaps: what lies here is its owner's alone.
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(data)?;
        Development::open(data)
    };
    open().map_err(|source| StartError::Development { data: data.to_owned(), source })
}

/// The key of development mode, which a server made in this data directory: what `ringback token` signs with when no
/// secret is configured.
pub fn development_key(data: &Path) -> io::Result<Option<Secret>> {
    Development::read(data)
}

/// Whether somebody may be called this at a development server, which has no user of another name.
pub fn is_development_name(name: &str) -> bool {
    http::is_name(name)
}

/// Runs a driver on a thread of its own; comes back once it has taken everything over.
async fn drive(
    make: impl FnOnce() -> Result<Driver, DriverError> + Send + 'static,
) -> Result<(clock::Clock, oneshot::Receiver<Result<(), DriverError>>), StartError> {
    let (ready, started) = oneshot::channel();
    let (done, driver) = oneshot::channel();
    let run = move || match make() {
        Ok(driver) => {
            // Whoever waits for either may be gone, and the work is done all the same.
            let _ = ready.send(Ok(driver.clock()));
            let _ = done.send(driver.run());
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    };
    std::thread::Builder::new().name("driver".to_owned()).spawn(run).map_err(StartError::System)?;
    let clock = started.await.unwrap_or(Err(DriverError::Died))?;
    Ok((clock, driver))
}
