//! What can be said on the command line.

use clap::{Args, Parser, Subcommand};
use ringback_server::Config;
use ringback_server::config::{ConfigError, Listen, Settings};
use std::path::PathBuf;
use std::time::Duration;

/// Call invitations with missed calls and dial-back, on a server of your own.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  ringback                                   try it out: prints a link each for Alice, Bob and Carol
  ringback serve --listen 9000               the same on another port
  ringback serve --listen 0.0.0.0:8787 --secret-file ringback.secret
      for an app, whose back end signs tokens with that secret
  ringback token alice --name Alice          prints a token for a user
  ringback listen --as bob                   rings in this terminal for Bob
  ringback call bob --as alice               rings Bob; both need no token on this machine

Each setting can also be set in the environment (RINGBACK_LISTEN, RINGBACK_DATA, RINGBACK_SECRET_FILE, …) or in a \
TOML file (--config FILE or RINGBACK_CONFIG); flags stand over the environment, and that over the file."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server; also what happens with no command
    #[command(after_help = "\
Examples:
  ringback serve
  ringback serve --data /var/lib/ringback --config /etc/ringback.toml
  RINGBACK_LISTEN=0.0.0.0:8787 RINGBACK_SECRET_FILE=ringback.secret ringback serve

Without a secret it runs in development mode, on this machine alone: it prints a link each for Alice, Bob and Carol. \
How much it logs: RINGBACK_LOG=off, error, warn, info (the default), debug or trace.

It stops on SIGTERM and Ctrl-C and loses nothing: what rings, rings on when it is back.")]
    Serve(SettingArgs),
    /// Prints a token for a user, signed with the configured secret
    #[command(after_help = "\
Examples:
  ringback token alice                                   for a development server that runs in this directory
  ringback token alice --data /var/lib/ringback          for one whose data are there
  ringback token alice --name \"Alice A.\" --valid-for 7d
  ringback token bob --secret-file ringback.secret       for a server with that secret")]
    Token(TokenArgs),
    #[command(flatten)]
    Client(crate::client::ClientCommand),
    /// Measures this server on this machine
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Bench(crate::bench::BenchCommand),
}

/// Where things are.
#[derive(Debug, Clone, Args)]
pub(crate) struct SettingArgs {
    /// Address and port to listen on, or a port of this machine alone [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<Listen>,
    /// Directory of everything that is kept [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// TOML file of settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File with the secret that your back end signs tokens with (HS256), at least 32 bytes
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// File with the public key that tokens are checked with (EdDSA), in PEM
    #[arg(long, value_name = "FILE")]
    public_key_file: Option<PathBuf>,
}

impl SettingArgs {
    /// The configuration of these flags over the environment over the file.
    pub(crate) fn load(self) -> Result<Config, ConfigError> {
        let flags = Settings {
            listen: self.listen,
            data: self.data,
            secret_file: self.secret_file,
            public_key_file: self.public_key_file,
            ..Settings::default()
        };
        Config::load(flags, self.config.as_deref(), std::env::vars_os())
    }
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The user's id (`sub`)
    #[arg(value_name = "USER")]
    pub(crate) user: String,
    /// The user's name, as others see it [default: the id]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How long it is valid: 90s, 15m, 8h or 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = span)]
    pub(crate) valid_for: Duration,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// Reads `90s`, `15m`, `8h` or `7d`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time: say 90s, 15m, 8h or 7d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    if number == 0 { Err(wrong()) } else { Ok(Duration::from_secs(u64::from(number) * seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_breaks_between_words() {
        let mut all = vec![Cli::command()];
        all.extend(Cli::command().get_subcommands().cloned());
        for command in all {
            let help = command.clone().term_width(38).render_long_help().to_string();
            for line in help.lines() {
                let fits = line.trim_end().chars().count() <= 38 || !line.trim().contains(' ');
                // What is set in further than the terminal is wide would be broken at every word.
                assert!(fits && line.len() - line.trim_start().len() <= 20, "{}: {line:?}", command.get_name());
            }
        }
    }

    #[test]
    fn no_command_is_serve() {
        let cli = Cli::try_parse_from(["ringback", "--listen", "9000"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.settings.listen.unwrap().0.to_string(), "127.0.0.1:9000");
        let wrong = Cli::try_parse_from(["ringback", "--listen", "bogus"]).unwrap_err().to_string();
        assert!(wrong.contains("like 127.0.0.1:9000"), "{wrong}");
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in ["", "s", "5", "0m", "-1h", "1w", "ö"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
