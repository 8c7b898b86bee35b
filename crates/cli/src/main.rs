//! The one binary: `ringback serve` (also with no command), `ringback token`, and a user's device in the terminal.

mod args;
mod client;
mod serve;
mod token;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve::run(cli.settings),
        Some(Command::Serve(settings)) => serve::run(settings),
        Some(Command::Token(args)) => token::run(args),
        Some(Command::Client(command)) => client::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringback: {error:#}");
            ExitCode::FAILURE
        }
    }
}
