//! `ringback serve`: runs the server until it is told to stop.

use crate::args::SettingArgs;
use anyhow::{Context, Result, bail};
#[cfg(target_os = "linux")]
use ringback_server::config::Auth;
use ringback_server::{Config, Server};
use ringback_store::Sqlite;
use std::io::{IsTerminal, Write};
#[cfg(target_os = "linux")]
use tracing::warn;
use tracing_subscriber::filter::LevelFilter;

/// Runs the server.
pub(crate) fn run(settings: SettingArgs) -> Result<()> {
    let config = settings.load()?;
    tracing_subscriber::fmt()
        .with_max_level(log_level()?)
        .with_writer(|| ringback_server::Log)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    runtime()?.block_on(serve(config))
}

/// What the server's sockets run on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime")
}

/// How long after the first signal another is taken for its echo.
const ECHO: std::time::Duration = std::time::Duration::from_millis(500);

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
    // First of all, so that nothing which is open already is ended without a word.
    let mut signals = Signals::new()?;
    #[cfg(target_os = "linux")]
    if let (needed, Some(most)) = crate::files::room_for(config.max_connections as u64)?
        // On one's own machine nobody will miss them.
        && !matches!(config.auth, Auth::Development)
    {
        let connections = config.max_connections;
        warn!(
            "max_connections is {connections}, which takes {needed} open files, and this process may have {most}: \
             raise the limit (ulimit -n, LimitNOFILE of a systemd unit), or take fewer connections"
        );
    }
    let data = config.data.clone();
    let store = Sqlite::open(&data)?;
    let mut server = Server::start(config, Box::new(store)).await?;
    greet(&server, &data);
    tokio::select! {
        error = server.failed() => bail!("{error}"),
        () = signals.next() => {}
    }
    tokio::select! {
        stopped = server.stop() => Ok(stopped?),
        () = asked_again(&mut signals) => bail!("stopped at once, as asked twice"),
    }
}

/// Waits for a signal that means it: who ends a process and then its group sends the first one twice.
async fn asked_again(signals: &mut Signals) {
    let echo = async {
        loop {
            signals.next().await
        }
    };
    let _: Result<(), _> = tokio::time::timeout(ECHO, echo).await;
    signals.next().await;
}

/// Says where it is, and in development mode where to begin.
fn greet(server: &Server, data: &std::path::Path) {
    let links = server.links();
    let text = if links.is_empty() {
        format!("Ringback listens on {}.\n", server.address())
    } else {
        let links: String = links.iter().map(|link| format!("  {link}\n")).collect();
        format!(
            "Ringback runs in development mode: on this machine, anybody may be anybody.\n\
             Open two of these, each in a window of its own, and call:\n\n{links}\n\
             Everything is kept in {}. Stop it with Ctrl-C.\n",
            data.display()
        )
    };
    // Nobody may be reading; the server goes on without.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// SIGTERM and Ctrl-C.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without that signal there is nothing to wait for: the system ends the process its own way.
            std::future::pending::<()>().await;
        }
    }
}
