//! `ringback serve`: runs the server until it is told to stop.

use crate::args::SettingArgs;
use anyhow::{Context, Result, bail};
use ringback_server::{Config, Server};
use ringback_store::Sqlite;
use std::io::IsTerminal;
use tracing_subscriber::filter::LevelFilter;

/// Runs the server.
pub(crate) fn run(settings: SettingArgs) -> Result<()> {
    let config = settings.load()?;
    tracing_subscriber::fmt()
        .with_max_level(log_level()?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime")?;
    runtime.block_on(serve(config))
}

/// RINGBACK_LOG, or `info`.
fn log_level() -> Result<LevelFilter> {
    match std::env::var("RINGBACK_LOG") {
        Ok(level) => level
            .parse()
            .ok()
            .with_context(|| format!("RINGBACK_LOG is '{level}', and must be off, error, warn, info, debug or trace")),
        Err(_) => Ok(LevelFilter::INFO),
    }
}

async fn serve(config: Config) -> Result<()> {
    let data = config.data.clone();
    let store = Sqlite::open(&data)?;
    let mut server = Server::start(config, Box::new(store)).await?;
    greet(&server, &data);
    let mut signals = Signals::new()?;
    tokio::select! {
        error = server.failed() => bail!("{error}"),
        () = signals.next() => {}
    }
    tokio::select! {
        stopped = server.stop() => Ok(stopped?),
        () = signals.next() => bail!("stopped at once, as asked twice"),
    }
}

/// Says where it is, and in development mode where to begin.
fn greet(server: &Server, data: &std::path::Path) {
    let links = server.links();
    if links.is_empty() {
        println!("Ringback listens on {}.", server.address());
        return;
    }
    println!("Ringback runs in development mode: on this machine, anybody may be anybody.");
    println!("Open two of these, each in a window of its own, and call:\n");
    for link in links {
        println!("  {link}");
    }
    println!("\nEverything is kept in {}. Stop it with Ctrl-C.", data.display());
}

/// SIGTERM and Ctrl-C.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
