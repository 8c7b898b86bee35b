//! `ringback bench`: measures this server on this machine.
//!
//! What is measured is a process of its own, on a core of its own; this process is the load, on the next one.

mod args;
mod child;
mod cycle;
mod idle;
mod machine;
mod peer;
mod ring;
mod say;

pub(crate) use args::BenchCommand;

use anyhow::{Context, Result, bail};
use args::{PlaceArgs, RelayArgs};
use machine::Folder;
use ringback_server::config::Secret;
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a benchmark, or one of the processes that it consists of.
pub(crate) fn run(command: BenchCommand) -> Result<()> {
    match command {
        BenchCommand::RingCycle(args) => until_stopped(ring::run(args)),
        BenchCommand::Idle(args) => until_stopped(idle::run(args)),
        BenchCommand::Relay(args) => relay(&args),
        BenchCommand::Pinned(args) => child::become_pinned(&args),
    }
}

/// Runs a benchmark; when it is stopped or fails, what it started ends with it and what it made is removed.
fn until_stopped(bench: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime")?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            done = bench => done,
            _ = interrupt.recv() => bail!("stopped; what it had started and made is gone"),
            _ = hangup.recv() => bail!("stopped; what it had started and made is gone"),
            _ = terminate.recv() => bail!("stopped; what it had started and made is gone"),
        }
    })
}

/// The relay's process.
fn relay(args: &RelayArgs) -> Result<()> {
    let mut sizes = args.sizes.iter().copied();
    let sizes = std::array::from_fn(|_| std::array::from_fn(|_| sizes.next().unwrap_or(2)));
    crate::serve::runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("The relay listens on {}.", listener.local_addr()?);
        Ok(ringback_server::relay::run(listener, sizes).await?)
    })
}

/// A secret of a benchmark's own.
fn secret() -> Result<Secret> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret::new(digits.into_bytes()))
}

/// Where it is measured.
struct Machine {
    folder: Folder,
    file_system: String,
    fsync: Duration,
    /// Of what is measured, and of the load.
    cores: (usize, usize),
    log: String,
}

/// What a figure should come to.
struct Target {
    figure: &'static str,
    says: &'static str,
    met: bool,
}

impl Machine {
    /// Takes the cores, the room for connections, and a folder on the disk.
    fn prepare(place: &PlaceArgs, connections: u32) -> Result<Self> {
        if cfg!(debug_assertions) {
            eprintln!("This is a debug build: its figures mean nothing. Build it with cargo build --release.");
        }
        let cores = machine::cores()?;
        if cores.0 == cores.1 {
            eprintln!("There is one core alone: the load takes its part of it, and the figures mean little.");
        }
        machine::stay_on(cores.1)?;
        machine::room_for(connections)?;
        let folder = Folder::make(place.data.clone())?;
        let (file_system, fsync) = (folder.file_system()?, folder.fsync()?);
        Ok(Self { folder, file_system, fsync, cores, log: place.log.clone() })
    }

    /// Says what was found: as one JSON object, or as a table.
    fn say(&self, bench: &str, figures: Value, goal: &Target, json: bool) {
        let fsync = self.fsync.as_micros() as u64;
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let mut out = std::io::stdout().lock();
        let mut all = json!({
            "bench": bench, "version": env!("CARGO_PKG_VERSION"), "build": build, "log": self.log,
            "file_system": self.file_system, "fsync_us": fsync, "goal_met": goal.met,
        });
        if let (Some(all), Value::Object(figures)) = (all.as_object_mut(), figures.clone()) {
            all.extend(figures);
        }
        // Nobody may be reading; then there is nobody to tell.
        if json {
            let _ = writeln!(out, "{all}");
            return;
        }
        let _ = writeln!(out, "{bench} ({build} build, log {}), on {}, fsync {fsync} µs", self.log, self.file_system);
        for (name, value) in figures.as_object().into_iter().flatten().filter(|(_, value)| !value.is_array()) {
            let met = if goal.met { "met" } else { "missed" };
            let mark =
                if name == goal.figure { format!("   the goal, {}, is {met}", goal.says) } else { String::new() };
            let _ = writeln!(out, "  {name:<26}{:>14}{mark}", say::grouped(value));
        }
    }
}
