//! The process that is measured: the server, or the relay it is held against.

use super::args::PinnedArgs;
use super::machine;
use anyhow::{Context, Result, bail, ensure};
use ringback_server::config::Secret;
use ringback_server::relay::Sizes;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// How long it may take to start.
const START: Duration = Duration::from_secs(20);

/// A process of this same binary, on a core of its own; ended when it is dropped, and with this process.
pub(super) struct Child {
    child: tokio::process::Child,
    pid: u32,
    /// Where it listens.
    pub(super) at: SocketAddr,
    log: PathBuf,
}

impl Child {
    /// Starts the server over an empty data directory in `folder`.
    pub(super) async fn server(folder: &Path, core: usize, set: &ServerSettings<'_>) -> Result<Self> {
        let data = folder.join("data");
        if data.exists() {
            fs::remove_dir_all(&data).context("clearing the data of the last round")?;
        }
        let secret = folder.join("secret");
        fs::write(&secret, set.secret.bytes()).context("writing the secret")?;
        let mut arguments: Vec<OsString> = ["serve", "--listen", "127.0.0.1:0", "--data"].map(Into::into).into();
        arguments.extend([data.into(), "--secret-file".into(), secret.into()]);
        let most = set.connections + 16;
        let settings = [("RINGBACK_LOG", set.log.to_owned()), ("RINGBACK_MAX_CONNECTIONS", most.to_string())];
        Self::start(folder, core, arguments, &settings).await.context("starting the server")
    }

    /// Starts the relay with answers of these sizes.
    pub(super) async fn relay(folder: &Path, core: usize, sizes: &Sizes) -> Result<Self> {
        let sizes: Vec<_> = sizes.iter().flatten().map(ToString::to_string).collect();
        let arguments = ["bench", "relay", "--sizes", &sizes.join(",")].map(Into::into).into();
        Self::start(folder, core, arguments, &[]).await.context("starting the relay")
    }

    async fn start(folder: &Path, core: usize, what: Vec<OsString>, set: &[(&str, String)]) -> Result<Self> {
        let log = folder.join("log");
        let program = std::env::current_exe().context("this program's own file")?;
        let mut command = Command::new(program);
        let parent = std::process::id();
        command.args(["bench", "pinned", &core.to_string(), &parent.to_string(), "--"]).args(what);
        command.env_clear().envs(set.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (pid, said) = child.id().zip(child.stdout.take()).context("it ended at once")?;
        let mut lines = BufReader::new(said).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await? {
                let address = line.split("listens on ").nth(1).and_then(|at| at.trim_end_matches('.').parse().ok());
                if address.is_some() {
                    return Ok::<_, std::io::Error>(address);
                }
            }
            Ok(None)
        };
        let at = tokio::time::timeout(START, listening).await.ok().transpose()?.flatten();
        let Some(at) = at else {
            bail!("it doesn't say where it listens; it said: {}", last_words(&log));
        };
        Ok(Self { child, pid, at, log })
    }

    /// The CPU time that it has used.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        machine::cpu_time(self.pid)
    }

    /// The memory in bytes that it alone has.
    pub(super) fn private_memory(&self) -> Result<u64> {
        machine::private_memory(self.pid)
    }

    /// The end of what it said on its standard error.
    pub(super) fn last_words(&self) -> String {
        last_words(&self.log)
    }

    /// Ends it at once: nobody needs what it kept.
    pub(super) async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("ending it")
    }
}

/// What a server is started with.
pub(super) struct ServerSettings<'a> {
    pub(super) secret: &'a Secret,
    pub(super) log: &'a str,
    pub(super) connections: u32,
}

fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(|| "nothing".to_owned(), str::to_owned)
}

/// Becomes this program with other arguments, on one core, ended when the process that started it ends.
pub(super) fn become_pinned(args: &PinnedArgs) -> Result<()> {
    use std::os::unix::process::{CommandExt, parent_id};
    machine::stay_on(args.core)?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // It may have ended before that held.
    ensure!(parent_id() == args.parent, "who asked for this is gone");
    let program = std::env::current_exe()?;
    // It comes back only if it failed.
    Err(std::process::Command::new(program).args(&args.arguments).exec()).context("starting this program again")
}
