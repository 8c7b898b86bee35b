//! The one binary: `ringback serve` (also with no command), `ringback token`, a user's device in the terminal,
//! and `ringback bench`.

mod args;
#[cfg(target_os = "linux")]
mod bench;
mod client;
#[cfg(target_os = "linux")]
mod files;
mod serve;
mod token;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

/// What a batch needs it allocates at once and lets go of at once, much of it on another thread: here the system's
/// allocator took a third of the engine's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve::run(cli.settings),
        Some(Command::Serve(settings)) => serve::run(settings),
        Some(Command::Token(args)) => token::run(args),
        Some(Command::Client(command)) => client::run(command),
        #[cfg(target_os = "linux")]
        Some(Command::Bench(command)) => bench::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringback: {error:#}");
            ExitCode::FAILURE
        }
    }
}
