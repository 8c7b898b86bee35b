//! The commands that are a user's device: `call`, `listen`, `missed`, `history`, `block`, `unblock`, `dnd`.

mod args;
mod ask;
mod call;
mod json;
mod keys;
mod listen;
mod refusal;
mod say;
mod token;
mod told;

pub(crate) use args::ClientCommand;
use args::WhoArgs;

use anyhow::{Context, Result, bail};
use ringback_client::{CallEvent, CallInvitationConfig, CallInvitationService, Init, InitError, KeepError, Notifier};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for the server before a command gives up; `listen` and `call` have their own patience.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the line of how things stand is looked at; what counts down in it is in seconds.
const BEAT: Duration = Duration::from_millis(250);
/// Terminals of one user that may listen at a time, each a device of its own.
const TERMINALS: u32 = 8;
/// Where a server is that nobody names.
const SERVER: &str = "http://127.0.0.1:8787";

/// Runs a command.
pub(crate) fn run(command: ClientCommand) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime")?;
    let done = runtime.block_on(async {
        match command {
            ClientCommand::Call(args) => call::run(args).await,
            ClientCommand::Listen(args) => listen::run(args).await,
            ClientCommand::Missed(args) => ask::missed(args).await,
            ClientCommand::History(args) => ask::history(args).await,
            ClientCommand::Block(args) => ask::block(args).await,
            ClientCommand::Unblock(args) => ask::unblock(args).await,
            ClientCommand::Dnd(args) => ask::do_not_disturb(args).await,
        }
    });
    // A thread that waits for a key has nothing to lose.
    runtime.shutdown_background();
    done.map_err(refusal::for_people)
}

impl WhoArgs {
    fn server(&self) -> String {
        let named = self.server.clone().or_else(|| std::env::var("RINGBACK_SERVER").ok());
        named.unwrap_or_else(|| SERVER.to_owned())
    }

    /// With a name at a development server instead of a token, refuses whom nobody can be there.
    fn can_be<'a>(&self, users: impl IntoIterator<Item = &'a String>) -> Result<()> {
        if self.name.is_some() { users.into_iter().try_for_each(|user| token::is_name(user)) } else { Ok(()) }
    }

    /// What a service of this user is begun with.
    async fn init(&self) -> Result<Init> {
        let server = self.server();
        let (user, tokens) = token::source(self, &server).await?;
        let config = CallInvitationConfig::default();
        Ok(Init::new(server, user, tokens).platform("terminal").config(config))
    }

    /// Does something as a device that is there for this alone, and signs it off afterwards.
    async fn passing<T>(&self, act: impl AsyncFnOnce(CallInvitationService) -> Result<T>) -> Result<T> {
        let service = CallInvitationService::init(self.init().await?).await?;
        let done = match reach(&service).await {
            Ok(()) => act(service.clone()).await,
            Err(error) => Err(error),
        };
        service.uninit().await;
        done
    }

    /// A service whose device is the same the next time: the first of this user's that isn't in use.
    async fn lasting(&self, state: Option<PathBuf>, notifier: impl Notifier + Clone) -> Result<CallInvitationService> {
        let init = self.init().await?.notifier(notifier);
        let Some(place) = state.or_else(state_directory) else {
            return Ok(CallInvitationService::init(init).await?);
        };
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let place = place.join(self.server().chars().map(plain).collect::<String>());
        for terminal in 1..=TERMINALS {
            let init = init.clone().keep_in(place.join(format!("terminal-{terminal}")));
            match CallInvitationService::init(init).await {
                Err(InitError::Keep(KeepError::InUse(_))) => {}
                done => return Ok(done?),
            }
        }
        bail!("{TERMINALS} terminals listen for this user already: close one, or give this one --state DIR")
    }
}

/// Waits until the service is connected; the first thing that keeps it from that is an error.
async fn reach(service: &CallInvitationService) -> Result<()> {
    let mut events = service.events();
    let trouble = async {
        loop {
            match events.next().await {
                Some(CallEvent::Error { message, .. }) => return message,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    };
    tokio::select! {
        connected = tokio::time::timeout(PATIENCE, service.connected()) => {
            Ok(connected.context("the server doesn't answer: is it a Ringback server?")??)
        }
        message = trouble => bail!(message),
    }
}

/// Where programs keep what isn't configuration, as the XDG base directories have it.
fn state_directory() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(Path::new(".local/state"))));
    state.map(|state| state.join("ringback"))
}
