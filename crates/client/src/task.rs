//! The one task of a service: it drives the device's machine, holds the connection, and calls the app.

use crate::config::{CallInvitationConfig, TextKind};
use crate::error::KeepError;
use crate::events::{CallEvent, CallInvitationEvents, ConnectionState};
use crate::keep::Keep;
use crate::link::{Address, Failed, Happened, Link, back_off};
use crate::media::{Passing, Waiting};
use crate::notifier::{Clicks, Notification, Notifier, Ring};
use crate::shapes::left_of;
use crate::token::TokenSource;
use crate::{HistoryPage, MissedCallRef, Signal, wire};
use ringback_core::device::{Answered, Ask, Bye, Connection, DialBack, Event, Input, Output, Persisted, Session, Show};
use ringback_core::id::{DeviceId, RequestId, UserId};
use ringback_core::refusal::Refusal;
use ringback_core::step::Settings;
use ringback_core::time::Timestamp;
use ringback_protocol::{ClientFrame, Handshake, ServerFrame, Token, VERSION};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, warn};

/// Commands that wait for the task; beyond it whoever asks waits.
pub(crate) const COMMANDS: usize = 64;
/// A connection that lasted this long was a good one: the next wait is short again.
const GOOD: Duration = Duration::from_secs(10);
/// Ends of do-not-disturb closer than this are one: what is left of it travelled over a network.
const SAME_END: Duration = Duration::from_secs(1);

/// What a request came to.
pub(crate) type Outcome = Result<Answer, Refusal>;

/// What a request was answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    Machine(Answered),
    History(HistoryPage),
}

/// What the task is asked.
#[derive(Debug)]
pub(crate) enum Command {
    Act {
        id: RequestId,
        ask: Ask,
        answer: oneshot::Sender<Outcome>,
    },
    /// Asks what is of this connection alone.
    Pass(Box<Passing>),
    DefaultAction(Box<MissedCallRef>),
    Clicked(Option<Box<MissedCallRef>>),
    Dismissed(Option<Box<MissedCallRef>>),
    /// Connects, if no connection is wanted as it stands.
    Connect(oneshot::Sender<()>),
    /// Ends the task once the device is signed off.
    Stop(oneshot::Sender<()>),
}

/// Puts commands without waiting, from any thread; it doesn't keep the service alive.
#[derive(Debug, Clone)]
pub(crate) struct Commands {
    to: mpsc::WeakSender<Command>,
    runtime: Handle,
}

impl Commands {
    pub(crate) fn new(to: &mpsc::Sender<Command>) -> Self {
        Self { to: to.downgrade(), runtime: Handle::current() }
    }

    /// Nothing happens if the service is gone.
    pub(crate) fn put(&self, command: Command) {
        let Some(to) = self.to.upgrade() else { return };
        if let Err(mpsc::error::TrySendError::Full(command)) = to.try_send(command) {
            self.runtime.spawn(async move { to.send(command).await });
        }
    }
}

/// This process's clock: the wall clock at the start, from there on the monotonic one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    at: Timestamp,
}

impl Clock {
    #[allow(clippy::disallowed_methods)] // the one place where the wall clock is read
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), at: Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at + self.start.elapsed()
    }

    /// A millisecond late rather than early, so that what is due then is.
    fn instant(&self, at: Timestamp) -> Instant {
        self.start + self.at.until(at) + Duration::from_millis(1)
    }
}

/// How the connection stands, and what the server said last of the user.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) connection: Option<ConnectionState>,
    pub(crate) settings: Settings,
}

/// What the service and its task share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) config: CallInvitationConfig,
    pub(crate) clock: Clock,
    pub(crate) session: Mutex<Session>,
    pub(crate) standing: Mutex<Standing>,
    pub(crate) events: broadcast::Sender<CallEvent>,
    pub(crate) signals: broadcast::Sender<Signal>,
    /// Told whenever the machine has taken something in.
    pub(crate) moved: watch::Sender<()>,
    pub(crate) tokens: TokenSource,
}

/// Nothing that panics while it holds a lock leaves half a change behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task's own part.
pub(crate) struct Task {
    pub(crate) shared: Arc<Shared>,
    pub(crate) address: Address,
    pub(crate) platform: Arc<str>,
    pub(crate) app: Option<Arc<dyn CallInvitationEvents>>,
    pub(crate) notifier: Option<Arc<dyn Notifier>>,
    pub(crate) keep: Option<Arc<Keep>>,
    pub(crate) commands: Commands,
    pub(crate) link: Link,
    pub(crate) token: String,
    /// Who waits for which request; bounded by the machine, which refuses beyond its own bound.
    pub(crate) waiting: HashMap<RequestId, oneshot::Sender<Outcome>>,
    /// Who waits for what is of this connection alone.
    pub(crate) passing: Waiting,
    /// A page of history on its way to who waits for it.
    pub(crate) page: Option<HistoryPage>,
    pub(crate) failures: u32,
    pub(crate) opened: Option<Instant>,
    /// The last token was refused.
    pub(crate) refused: bool,
    /// What keeps the connection from coming was told.
    pub(crate) told: bool,
}

impl Task {
    /// Works until the service is signed off, or nobody holds it any more.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>, init: Vec<Input>) {
        if let Some(notifier) = &self.notifier {
            notifier.attach(Clicks(self.commands.clone()));
        }
        self.inputs(init).await;
        self.connect();
        loop {
            let due = lock(&self.shared.session).poll_timeout().map(|at| self.shared.clock.instant(at));
            let tick = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Stop(done)) => {
                        self.stop().await;
                        // Who asked may be gone, and it has stopped all the same.
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => self.command(command).await,
                    None => return self.link.close().await,
                },
                () = tick => self.inputs([Input::Tick]).await,
                happened = self.link.next() => self.happened(happened).await,
            }
        }
    }

    async fn command(&mut self, command: Command) {
        let user = self.shared.user.clone();
        let input = match command {
            Command::Act { id, ask, answer } => {
                self.waiting.insert(id.clone(), answer);
                Input::Act { id, ask }
            }
            Command::Pass(passing) => return self.pass(*passing).await,
            Command::DefaultAction(missed) => match self.dial_back(*missed) {
                Some(act) => act,
                None => return,
            },
            Command::Clicked(missed) => {
                Input::Clicked { missed: missed.map(|missed| *missed), user, at: self.shared.clock.now() }
            }
            Command::Dismissed(missed) => Input::Dismissed { missed: missed.map(|missed| *missed), user },
            Command::Connect(done) => {
                if !self.link.wanted() {
                    self.set_state(ConnectionState::Reconnecting);
                    self.connect();
                }
                let _ = done.send(());
                return;
            }
            // Taken where commands come in.
            Command::Stop(_) => return,
        };
        self.inputs([input]).await;
    }

    /// Sends what is of this connection alone; without one, whoever waits learns it by the dropped answer.
    async fn pass(&mut self, passing: Passing) {
        if lock(&self.shared.standing).connection != Some(ConnectionState::Connected) {
            return;
        }
        let Some((id, request)) = self.passing.take(passing) else { return };
        let frame = ClientFrame::Request { id, request }.encode(self.shared.clock.now());
        if !self.link.is_open() || !self.link.send(vec![frame]).await {
            self.again(Duration::ZERO);
            self.inputs([Input::Closed]).await;
        }
    }

    /// The act of a click's default action; its outcome is told by S3 or by the call.
    fn dial_back(&self, missed: MissedCallRef) -> Option<Input> {
        let texts = self.shared.config.texts(TextKind::DialBack, &missed, 1);
        let dial = DialBack {
            missed,
            title: texts.title.map(Into::into),
            message: texts.message.map(Into::into),
            timeout: Duration::ZERO,
            resource_id: None,
            default: true,
        };
        let id = request_id().inspect_err(|error| error!(%error, "the system gives no randomness")).ok()?;
        Some(Input::Act { id, ask: Ask::DialBack(Box::new(dial)) })
    }

    async fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Due => self.connect(),
            Happened::Opened(token) => {
                self.token = token;
                self.opened = Some(Instant::now());
                self.inputs([Input::Opened]).await;
            }
            Happened::Failed(failed) => self.attempt_failed(failed),
            Happened::Said(text) => self.said(&text).await,
            Happened::Alive => self.inputs([Input::Frame(wire::frame(ServerFrame::Pong).0)]).await,
            Happened::Lost => {
                self.again(Duration::ZERO);
                self.inputs([Input::Closed]).await;
            }
        }
    }

    async fn said(&mut self, text: &str) {
        let now = self.shared.clock.now();
        let frame = match ServerFrame::decode(text, &self.shared.user, now) {
            Ok(frame) => frame,
            Err(error) => {
                // A newer server's, say (V5); it shows that the connection lives.
                debug!(%error, "a frame was passed over");
                ServerFrame::Pong
            }
        };
        let frame = match frame {
            ServerFrame::Reply { id, answer } if self.passing.answered(&id, &answer) => ServerFrame::Pong,
            ServerFrame::Signal(signal) => {
                self.signalled(&signal.into());
                ServerFrame::Pong
            }
            other => other,
        };
        let bye = if let ServerFrame::Bye(bye) = &frame { Some(bye.clone()) } else { None };
        match &frame {
            ServerFrame::Welcome(_) => self.refused = false,
            ServerFrame::Settings(settings) => self.set(settings.clone()),
            ServerFrame::Synced => {
                self.told = false;
                self.link.synced();
            }
            _ => {}
        }
        let (frame, page) = wire::frame(frame);
        self.page = page;
        let mut inputs = vec![Input::Frame(frame)];
        if let Some(bye) = bye {
            debug!(code = bye.code.as_str(), message = bye.message, "the server says goodbye");
            self.after(wire::frame(ServerFrame::Bye(bye.clone())).0, bye.retry_after.unwrap_or_default());
            inputs.push(Input::Closed);
        }
        self.inputs(inputs).await;
        self.page = None;
    }

    /// The server said how the user is to be reached (L13).
    fn set(&self, settings: Settings) {
        let before = std::mem::replace(&mut lock(&self.shared.standing).settings, settings.clone());
        let until = |set: &Settings| set.do_not_disturb.as_ref().map_or(Timestamp(0), |set| set.until);
        let let_through = |set: &Settings| set.do_not_disturb.as_ref().map(|set| set.let_through.clone());
        let same_end = until(&before).0.abs_diff(until(&settings).0) < SAME_END.as_millis() as u64;
        if before.blocked != settings.blocked || let_through(&before) != let_through(&settings) || !same_end {
            let Settings { blocked, do_not_disturb } = settings;
            let do_not_disturb = do_not_disturb.map(|set| left_of(&set, self.shared.clock.now()));
            self.tell(CallEvent::SettingsChanged { blocked, do_not_disturb });
        }
    }

    /// What follows from a bye: come back, with a new token, or not at all.
    fn after(&mut self, bye: ringback_core::device::Frame, wait: Duration) {
        let ringback_core::device::Frame::Bye(bye) = bye else { return };
        match bye {
            Bye::Replaced | Bye::UpgradeRequired => {
                self.passing.clear();
                self.link = Link::Idle;
            }
            Bye::Unauthorized => {
                self.refused = true;
                if self.shared.tokens.renews() {
                    self.again(wait);
                } else {
                    self.passing.clear();
                    self.link = Link::Idle;
                }
            }
            Bye::Other => self.again(wait),
        }
    }

    fn connect(&mut self) {
        if lock(&self.shared.standing).connection.is_none() {
            self.set_state(ConnectionState::Connecting);
        }
        self.link = Link::connect(&self.address, &self.shared.tokens, self.refused);
    }

    fn attempt_failed(&mut self, failed: Failed) {
        let (code, message) = match failed {
            Failed::Token(error) => ("unauthorized", error.message),
            Failed::Network(why) => ("unavailable", format!("the server can't be reached: {why}")),
        };
        debug!(code, message, "an attempt to connect failed");
        if !self.told {
            self.told = true;
            self.tell(CallEvent::Error { code, message });
        }
        self.again(Duration::ZERO);
    }

    /// Comes back after a while, and not before `wait`.
    fn again(&mut self, wait: Duration) {
        self.passing.clear();
        if self.opened.take().is_some_and(|at| at.elapsed() > GOOD) {
            self.failures = 0;
        }
        let back_off = back_off(self.failures, chance());
        self.failures = self.failures.saturating_add(1);
        self.link = Link::wait(back_off.max(wait.mul_f64(1.0 + 0.25 * chance())));
    }

    /// Gives the machine inputs, and does what comes out, in order.
    async fn inputs(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut inputs: VecDeque<Input> = inputs.into_iter().collect();
        while let Some(input) = inputs.pop_front() {
            let mut outputs = lock(&self.shared.session).input(self.shared.clock.now(), input);
            self.shared.moved.send_replace(());
            // What is about to be shown, told and asked is on the disk before it is: a process that dies in between shows
            // nothing twice (M3, S14), and what it asks again has the same name (N2).
            if let Some(Output::Persist(state)) = outputs.pop_if(|last| matches!(last, Output::Persist(_))) {
                self.persist(*state).await;
            }
            let mut frames = Vec::new();
            for output in outputs {
                match output {
                    Output::Hello { .. } | Output::Request { .. } | Output::Ping => frames.extend(self.frame(output)),
                    Output::Close => {
                        self.again(Duration::ZERO);
                        inputs.push_back(Input::Closed);
                    }
                    Output::DefaultAction(missed) => inputs.extend(self.dial_back(*missed)),
                    Output::Show(show) => inputs.extend(self.show(*show)),
                    other => self.perform(other),
                }
            }
            if !frames.is_empty() && self.link.is_open() && !self.link.send(frames).await {
                self.again(Duration::ZERO);
                inputs.push_back(Input::Closed);
            }
        }
    }

    fn frame(&self, output: Output) -> Option<String> {
        let (shared, now) = (&self.shared, self.shared.clock.now());
        let frame = match output {
            Output::Hello { holds, claim } => ClientFrame::Hello(Box::new(Handshake {
                token: Token(self.token.clone()),
                protocol: VERSION,
                device: shared.device.clone(),
                platform: self.platform.clone(),
                sdk: env!("CARGO_PKG_VERSION").into(),
                config: shared.config.kept(),
                terms: shared.config.terms(),
                holds,
                claim,
            })),
            Output::Request { id, ask } => {
                ClientFrame::Request { id, request: wire::request(ask, shared.config.terms(), now) }
            }
            Output::Ping => ClientFrame::Ping,
            _ => return None,
        };
        Some(frame.encode(now))
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Reply { id, answer } => {
                let answer = answer.map(|answered| match (answered, self.page.take()) {
                    (Answered::Other, Some(page)) => Answer::History(page),
                    (answered, _) => Answer::Machine(answered),
                });
                if let Some(waiting) = self.waiting.remove(&id) {
                    // Who asked may have lost interest.
                    let _ = waiting.send(answer);
                }
            }
            Output::Event(event, about) => self.event(*event, about),
            Output::ShowRing(ringing) => {
                let ring = Ring::of(*ringing, self.shared.clock.now());
                self.notify(|notifier| notifier.show_ring(&ring));
            }
            Output::HideRing { invitation, .. } => self.notify(|notifier| notifier.hide_ring(invitation)),
            Output::Withdraw(key) => self.notify(|notifier| notifier.withdraw(&key.to_string())),
            _ => {}
        }
    }

    /// Shows a notification, with the app's own texts where it has some (C5, C6); what follows if it may not be (M8).
    fn show(&self, show: Show) -> Option<Input> {
        let notifier = self.notifier.as_ref()?;
        let texts = show.missed.as_ref();
        let texts = texts.map(|missed| self.shared.config.texts(TextKind::MissedCall, missed, show.count));
        let (title, message) = texts.map_or((None, None), |texts| (texts.title, texts.message));
        let notification = Notification {
            tag: show.key.to_string(),
            title: title.unwrap_or_else(|| show.title.to_owned()),
            body: message.unwrap_or(show.body),
            count: show.count,
            at: show.at.0,
            action: show.action,
            sound: show.sound,
            missed_call: show.missed,
        };
        let shown = catch_unwind(AssertUnwindSafe(|| notifier.show(&notification)));
        match shown {
            Ok(Ok(())) => None,
            Ok(Err(denied)) => {
                debug!(%denied, "a notification wasn't shown");
                Some(Input::Denied)
            }
            Err(_) => {
                error!("the app's notifier panicked");
                None
            }
        }
    }

    fn notify(&self, call: impl FnOnce(&dyn Notifier)) {
        let Some(notifier) = &self.notifier else { return };
        if catch_unwind(AssertUnwindSafe(|| call(notifier.as_ref()))).is_err() {
            error!("the app's notifier panicked");
        }
    }

    fn event(&mut self, event: Event, about: Option<crate::Invitation>) {
        let event = match CallEvent::of(event, about) {
            Ok(event) => event,
            Err(connection) => {
                let renews = self.shared.tokens.renews();
                return self.set_state(match connection {
                    Connection::Connected => ConnectionState::Connected,
                    Connection::Closed(Bye::Replaced) => ConnectionState::Replaced,
                    Connection::Closed(Bye::UpgradeRequired) => ConnectionState::UpgradeRequired,
                    Connection::Closed(Bye::Unauthorized) if !renews => ConnectionState::Unauthorized,
                    Connection::Disconnected | Connection::Closed(_) => ConnectionState::Reconnecting,
                });
            }
        };
        let expires = matches!(event, CallEvent::TokenWillExpire { .. });
        self.tell(event);
        if expires && self.shared.tokens.renews() {
            self.renew();
        }
    }

    /// Gets a new token before the old one expires, and gives it to this session (S15).
    fn renew(&self) {
        let (tokens, commands) = (self.shared.tokens.clone(), self.commands.clone());
        tokio::spawn(async move {
            match (tokens.get(true).await, request_id()) {
                (Ok(token), Ok(id)) => {
                    let ask = Ask::UpdateToken(ringback_core::device::Secret(token.into()));
                    commands.put(Command::Act { id, ask, answer: oneshot::channel().0 });
                }
                // The next connection needs one, and says what is wrong.
                (Err(error), _) => warn!(%error, "the token that expires can't be renewed"),
                (_, Err(error)) => warn!(%error, "the token that expires can't be renewed"),
            }
        });
    }

    fn set_state(&mut self, state: ConnectionState) {
        let changed = lock(&self.shared.standing).connection.replace(state) != Some(state);
        if changed {
            self.tell(CallEvent::ConnectionStateChanged { state });
        }
    }

    /// Tells the app; its mistakes are its own to see, and stop nothing here.
    fn tell(&self, event: CallEvent) {
        // Nobody may be reading.
        let _ = self.shared.events.send(event.clone());
        self.call(|app| event.call(app, &self.commands));
    }

    /// Tells the app what a peer's media says.
    fn signalled(&self, signal: &Signal) {
        let _ = self.shared.signals.send(signal.clone());
        self.call(|app| app.on_signal(signal));
    }

    fn call(&self, callback: impl FnOnce(&dyn CallInvitationEvents)) {
        let Some(app) = &self.app else { return };
        if catch_unwind(AssertUnwindSafe(|| callback(app.as_ref()))).is_err() {
            error!("a callback of the app panicked");
        }
    }

    async fn persist(&mut self, state: Persisted) {
        let Some(keep) = self.keep.clone() else { return };
        let written = tokio::task::spawn_blocking(move || keep.write(&state)).await;
        let failed: Option<KeepError> = written.unwrap_or(Ok(())).err();
        if let Some(error) = failed {
            error!(%error, "what must outlive this process could not be kept");
            self.tell(CallEvent::Error { code: "internal", message: error.to_string() });
        }
    }

    /// The device is signed off: forgets what is kept, and closes the connection.
    async fn stop(mut self) {
        self.persist(Persisted::default()).await;
        self.set_state(ConnectionState::Disconnected);
        self.link.close().await;
    }
}

/// A fresh request id: unguessable, as docs/protocol.md wants it.
pub(crate) fn request_id() -> Result<RequestId, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let text = format!("{:032x}", u128::from_ne_bytes(bytes));
    // 32 characters are an id; the error can't be reached.
    RequestId::new(&text).map_err(|_| getrandom::Error::UNEXPECTED)
}

/// From 0 to 1; half of it if the system gives no randomness, for what needs no more than to be spread.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
