//! What can be said to `ringback bench`.

use clap::{Args, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Measures this server on this machine.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Calls between pairs, as fast as they go: invite, ring, accept, end, each durable
    #[command(after_help = "\
Examples:
  ringback bench ring-cycle                      about a minute; data below ./data, or here
  ringback bench ring-cycle --data /srv/ringback measures on that disk
  ringback bench ring-cycle --json | jq .ratio_to_relay
  ringback bench ring-cycle --pairs 50 --rounds 1 --seconds 2   a quick look

The server and a bare WebSocket relay of the same frames run in turn on one core, the load on another. \
ratio_to_relay is what a call costs the server in CPU time, held against the same frames through the relay: the goal \
is at most 2. Run it on an idle machine, and from a release build.")]
    RingCycle(RingArgs),
    /// Users who are connected and do nothing: what each costs in memory
    #[command(after_help = "\
Examples:
  ringback bench idle                            10,000 users; half a minute
  ringback bench idle --connections 1000 --json | jq .user_bytes_per_connection
  ulimit -n 100000 && ringback bench idle --connections 50000

Each is authenticated and has a line. The goal is under 8,192 bytes of the server's own memory each, at 10,000.")]
    Idle(IdleArgs),
    /// The bare relay that the server is held against
    #[command(hide = true)]
    Relay(RelayArgs),
    /// Runs this program again with other arguments, on one core, and ends it with whoever asked
    #[command(hide = true)]
    Pinned(PinnedArgs),
}

/// Where, and how it is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArgs {
    /// Directory on the disk to measure on; what is made there is removed afterwards
    /// [default: RINGBACK_DATA, or ./data where it is, or the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How much the server logs meanwhile, into a file beside its data: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log: String,
    /// Prints one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RingArgs {
    /// Pairs of users that call each other at a time
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=4000))]
    pub(crate) pairs: u32,
    /// Rounds, each once with the server and once with the relay
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) rounds: u32,
    /// How long each part of a round is measured, 0.1 to 60
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds)]
    pub(crate) seconds: Duration,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct IdleArgs {
    /// Users, each with a connection
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    pub(crate) connections: u32,
    /// How long they then do nothing before it is measured, 0.1 to 60: the default is longer than the server's ping
    #[arg(long, value_name = "SECONDS", default_value = "12", value_parser = seconds)]
    pub(crate) settle: Duration,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RelayArgs {
    /// Bytes of each answer: by step, to who took it the reply and the view, and the other side's view
    #[arg(long, value_name = "BYTES", value_delimiter = ',', required = true)]
    pub(crate) sizes: Vec<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct PinnedArgs {
    /// The core, from 0
    pub(crate) core: usize,
    /// The process that asked
    pub(crate) parent: u32,
    /// Arguments of this program
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(crate) arguments: Vec<OsString>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("'{text}' is no number of seconds"))?;
    if (0.1..=60.0).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err("0.1 to 60".to_owned()) }
}
