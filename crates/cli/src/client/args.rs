//! What can be said to the commands that are a user's device.

use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// A user's device in the terminal.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Calls one or several users, and stays in the call until it is over
    #[command(after_help = "\
Examples:
  ringback call bob --as alice                   rings Bob, against a development server on this machine
  ringback call bob carol --as alice --video     a group, by video
  ringback call bob --as alice --custom-data 'lunch?'
  ringback call bob --token-file alice.token --server https://calls.example --timeout 30
  ringback call bob --as alice --json            one JSON object a line, for scripts

Keys: h hangs up, or calls it off while it rings; so does Ctrl-C. It fails if nobody answered. \
docs/command-line.md says what --json prints.")]
    Call(CallArgs),
    /// Waits for calls: rings, takes answers by key, tells what was missed
    #[command(after_help = "\
Examples:
  ringback listen --as bob                       rings in this terminal for Bob
  ringback listen --as bob --auto accept         answers by itself
  ringback listen --as bob --json                one JSON object a line, for scripts

Keys: a accepts, d declines, b calls back who was missed, x dismisses it, h hangs up, q quits. Where the input is no terminal, its \
letters are the keys: echo a | ringback listen --as bob. docs/command-line.md says what --json prints.")]
    Listen(ListenArgs),
    /// Lists the missed calls that nobody has handled yet
    #[command(after_help = "\
Examples:
  ringback missed --as bob
  ringback missed --as bob --json | jq -r .caller.name
  ringback missed --as bob --dismiss             marks them all as handled")]
    Missed(MissedArgs),
    /// Lists past calls, newest first
    #[command(after_help = "\
Examples:
  ringback history --as bob
  ringback history --as bob --limit 500 --json")]
    History(HistoryArgs),
    /// Hears no more from a user, who can't tell; without a user, lists who is blocked
    #[command(after_help = "\
Examples:
  ringback block eve --as bob
  ringback block --as bob                        lists them")]
    Block(BlockArgs),
    /// Hears from a user again
    #[command(after_help = "Example:\n  ringback unblock eve --as bob")]
    Unblock(UnblockArgs),
    /// Lets nothing ring for a while; calls are then missed silently
    #[command(after_help = "\
Examples:
  ringback dnd 8h --as bob
  ringback dnd 90m --let-through alice --as bob  Alice rings all the same
  ringback dnd off --as bob
  ringback dnd --as bob                          says how it stands")]
    Dnd(DndArgs),
}

/// Which server, and who.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhoArgs {
    /// The user's name at a development server on this machine, which needs no token
    #[arg(long = "as", value_name = "NAME", conflicts_with_all = ["token", "token_file"], help_heading = "Who and where")]
    pub(crate) name: Option<String>,
    /// A token, as `ringback token` or your back end makes them; better in a file, or in RINGBACK_TOKEN
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file", help_heading = "Who and where")]
    pub(crate) token: Option<String>,
    /// File with the token; read again whenever a new one is needed
    #[arg(long, value_name = "FILE", help_heading = "Who and where")]
    pub(crate) token_file: Option<PathBuf>,
    /// Address of the server [default: RINGBACK_SERVER, or http://127.0.0.1:8787]
    #[arg(long, value_name = "URL", help_heading = "Who and where")]
    pub(crate) server: Option<String>,
    /// Prints one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Whom to call
    #[arg(value_name = "USER", required = true)]
    pub(crate) users: Vec<String>,
    /// Calls by video
    #[arg(long)]
    pub(crate) video: bool,
    /// Seconds that it rings, 1 to 600
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) timeout: u32,
    /// The app's own text, which the called see
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) custom_data: String,
    /// The app's name of the call
    #[arg(long, value_name = "ID")]
    pub(crate) call_id: Option<String>,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

/// What `listen` does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Auto {
    /// Answers every call.
    Accept,
    /// Declines every call.
    Decline,
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Answers by itself
    #[arg(long, value_name = "HOW")]
    pub(crate) auto: Option<Auto>,
    /// Directory where this terminal's device is kept [default: ringback in XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MissedArgs {
    /// Marks all that are listed as handled, on all devices
    #[arg(long)]
    pub(crate) dismiss: bool,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BlockArgs {
    /// Whom
    #[arg(value_name = "USER")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UnblockArgs {
    /// Whom
    #[arg(value_name = "USER")]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DndArgs {
    /// How long, as in 90s, 30m, 8h or 7d; or off
    #[arg(value_name = "TIME|off", value_parser = lasting)]
    pub(crate) lasting: Option<Lasting>,
    /// Who rings all the same; may be given several times
    #[arg(long, value_name = "USER", requires = "lasting")]
    pub(crate) let_through: Vec<String>,
    #[command(flatten)]
    pub(crate) who: WhoArgs,
}

/// How long nothing rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// Not at all.
    Off,
    /// From now on.
    For(Duration),
}

fn lasting(text: &str) -> Result<Lasting, String> {
    if text == "off" { Ok(Lasting::Off) } else { crate::args::span(text).map(Lasting::For) }
}
