//! Every chore that a person or CI runs: `cargo xtask` lists them.

mod needs;
mod shell;
mod spec;
mod suite;
mod twin;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::shell::Shell;

const HELP: &str = "\
The chores of this repository.

  cargo xtask test             installs what the tests need, then runs everything, quickest first
  cargo xtask test --list      the steps, and what each shows
  cargo xtask test --only lint,test      some of them
  cargo xtask test --skip browser        all but some
  cargo xtask spec             the clauses of the spec that no test cites yet
  cargo xtask picture          makes the README's picture of the demo anew, docs/demo.png
  cargo xtask twin --runs N --seed N     random scripts through both of the device's machines
  cargo xtask twin --planted   differences planted in the browser's, each of which is found

A step that fails ends the run and says how to run it alone. Tools that a step builds for itself
go to target/tools, npm packages to node_modules; nothing is installed outside the tree but
Debian packages, and those only as root, and only the ones that are missing.
";

fn main() -> ExitCode {
    match chore() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chore() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = match args.split_first() {
        Some((chore, rest)) => (chore.as_str(), rest),
        None => ("help", args.as_slice()),
    };
    let shell = Shell::at_the_root();
    match chore {
        "test" => suite::test(&shell, rest),
        "spec" => spec::check(&shell),
        "picture" => suite::picture(&shell),
        "twin" => twin::twin(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no chore `{other}`; `cargo xtask` lists them"),
    }
}
