//! One task a connection: the handshake, then frames in and frames out.

mod io;
mod raw;

use io::Text;
pub(crate) use io::{Came, Gone, Io};

use crate::clock;
use crate::driver::unavailable;
use crate::inbox::Item;
use crate::registry::{Mailbox, Outgoing, Taken};
use crate::shared::Shared;
use crate::token::{Bearer, LEEWAY};
use crate::turn;
use ringback_core::id::{RequestId, SessionId};
use ringback_core::refusal::{Code, Refusal};
use ringback_core::step::{Actor, Ask, Hello, Reply, Step};
use ringback_protocol::{
    Bye, ByeCode, ClientFrame, Done, Handshake, Malformed, Reader, Request, ServerFrame, Terms, Token, opening,
};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::time::{sleep_until, timeout};

/// Requests of one session that may be undecided at a time; past it the session isn't read on.
const UNDECIDED: usize = 64;
/// The steady rate of a session's signals, one in so long, and how many may come at once: a mesh of four begins with
/// some thirty, and trickles.
const SIGNAL_EVERY: Duration = Duration::from_millis(20);
const SIGNALS_AT_ONCE: u32 = 200;
/// How long a hello may wait to be decided.
const OPENING: Duration = Duration::from_secs(10);

/// Serves one WebSocket until it is over.
pub(crate) async fn serve(mut io: Io, shared: Arc<Shared>) {
    let mut closing = shared.closing();
    let greeted = tokio::select! {
        greeted = timeout(shared.config.handshake, greet(&mut io, &shared)) => greeted,
        _ = closing.wait_for(|closing| *closing) => Ok(Err(Some(shutting_down()))),
    };
    let late = || Some(Bye::new(ByeCode::BadRequest, "The first frame took too long to come."));
    let over = match greeted.unwrap_or_else(|_| Err(late())) {
        Ok((hello, bearer)) => match Session::open(&shared, *hello, bearer) {
            Ok(mut session) => session.run(&mut io).await,
            Err(bye) => Some(bye),
        },
        Err(over) => over,
    };
    match over {
        Some(bye) => {
            let frame = ServerFrame::Bye(bye.clone()).encode(shared.clock.now());
            io.close(bye.code, frame).await;
        }
        None => io.closed().await,
    }
}

/// What a session says when the server stops.
pub(crate) fn shutting_down() -> Bye {
    Bye::new(ByeCode::ShuttingDown, "The server is shutting down: come back.")
}

/// Waits for the hello and checks its token; the error is the last word, if there is one to say.
async fn greet(io: &mut Io, shared: &Shared) -> Result<(Box<Handshake>, Bearer), Option<Bye>> {
    let frame = loop {
        match hear(io.read().await)? {
            Some(text) => break text,
            None => continue,
        }
    };
    shared.metrics.frames_in.add(1);
    let limits = &shared.config.limits;
    let reader = Reader { limits, user: None, terms: Terms::default(), now: shared.clock.now() };
    match reader.read(&frame) {
        Ok(ClientFrame::Hello(hello)) => match shared.verifier.check(&hello.token.0) {
            Ok(bearer) => Ok((hello, bearer)),
            Err(error) => Err(Some(Bye::new(ByeCode::Unauthorized, error.to_string()))),
        },
        Ok(_) | Err(Malformed::Request { .. }) => {
            Err(Some(Bye::new(ByeCode::BadRequest, "The first frame must be a hello.")))
        }
        Err(Malformed::Frame(refusal)) => Err(Some(refusal.into())),
    }
}

/// The text of what came, none if it was a mere sign of life, or the end.
fn hear(came: Came) -> Result<Option<Text>, Option<Bye>> {
    match came {
        Came::Text(text) => Ok(Some(text)),
        Came::Alive => Ok(None),
        Came::TooLarge => Err(Some(Bye::new(ByeCode::PayloadTooLarge, "A frame was too large."))),
        Came::Nonsense => Err(Some(Bye::new(ByeCode::BadRequest, "What came was no text frame."))),
        Came::Closed => Err(None),
    }
}

/// One session; when it is dropped the engine learns that it is gone.
struct Session<'a> {
    shared: &'a Shared,
    by: Actor,
    mailbox: Arc<Mailbox>,
    terms: Terms,
    bearer: Bearer,
    /// Whether the welcome is out; before it nothing is read.
    opened: bool,
    undecided: usize,
    heard: Instant,
    ping_at: Instant,
    /// When the signals so far would have come at their steady rate.
    signals_until: Instant,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.shared.registry.close(self.by.session);
        // Refused only once the server is shutting down, and then every session is gone anyhow.
        let _ = self.shared.inbox.put(Item::Step(Step::Gone(self.by.clone())));
    }
}

impl<'a> Session<'a> {
    /// Registers the session and has its hello decided (G6).
    fn open(shared: &'a Shared, hello: Handshake, bearer: Bearer) -> Result<Self, Bye> {
        let mailbox = Arc::new(Mailbox::new(shared.config.send_queue_bytes));
        let session: SessionId = shared.registry.open(mailbox.clone());
        let now = clock::instant();
        let session = Self {
            shared,
            by: Actor { user: bearer.user.clone(), device: hello.device.clone(), session },
            mailbox,
            terms: hello.terms,
            opened: false,
            undecided: 0,
            heard: now,
            ping_at: now + shared.config.ping,
            signals_until: now,
            bearer,
        };
        let step = Step::Hello(Box::new(Hello {
            by: session.by.clone(),
            name: session.bearer.name.clone(),
            mode: hello.mode(),
            platform: hello.platform,
            sdk: hello.sdk,
            config: hello.config,
            holds: hello.holds,
            claim: hello.claim,
        }));
        shared.inbox.put(Item::Step(step)).map_err(|_| {
            shared.metrics.turned_away.add(1);
            Bye::from(unavailable("Too many connect at once: come back in a moment."))
        })?;
        Ok(session)
    }

    /// Carries frames both ways until it is over; the last word, if there is one to say.
    async fn run(&mut self, io: &mut Io) -> Option<Bye> {
        let mailbox = self.mailbox.clone();
        // One timer for all, moved only when it has run: what is said moves every deadline, and most say something.
        let timer = sleep_until(self.due().into());
        tokio::pin!(timer);
        loop {
            tokio::select! {
                // In this order: what waits leaves before more is taken on, and who has said something that waits to
                // be read isn't dead.
                biased;
                taken = mailbox.take() => {
                    let opened = self.opened;
                    if !taken.waiting.is_empty() && let Err(over) = self.write(io, &taken).await {
                        return over;
                    }
                    if taken.bye.is_some() {
                        return taken.bye;
                    }
                    // Pings may be due sooner than the welcome was.
                    if opened != self.opened && timer.deadline() > self.due().into() {
                        timer.as_mut().reset(self.due().into());
                    }
                }
                came = io.read(), if self.opened && self.undecided < UNDECIDED => {
                    self.heard = clock::instant();
                    match hear(came) {
                        Ok(Some(text)) => if let Some(bye) = self.take(&text) { return Some(bye) },
                        Ok(None) => {}
                        Err(over) => return over,
                    }
                }
                () = timer.as_mut() => {
                    let now = clock::instant();
                    if now < self.due() {
                        timer.as_mut().reset(self.due().into());
                        continue;
                    }
                    if !self.opened {
                        return Some(unavailable("The server is busy: come back in a moment.").into());
                    }
                    if now >= self.dead() {
                        return None;
                    }
                    if now >= self.ping_at {
                        self.ping_at = now + self.shared.config.ping;
                        timer.as_mut().reset(self.due().into());
                        if timeout(self.shared.config.ping, io.ping()).await.is_err() {
                            return None;
                        }
                    }
                }
            }
        }
    }

    /// When something is to be done if nothing comes.
    fn due(&self) -> Instant {
        if self.opened { self.ping_at.min(self.dead()) } else { self.heard + OPENING }
    }

    /// When the session is dead if nothing is heard.
    fn dead(&self) -> Instant {
        self.heard + self.patience()
    }

    /// How long a client may say nothing, or take nothing.
    fn patience(&self) -> Duration {
        self.shared.config.ping * 5 / 2
    }

    /// Writes what was taken, in one go; the error is how it is over.
    async fn write(&mut self, io: &mut Io, taken: &Taken) -> Result<(), Option<Bye>> {
        let now = self.shared.clock.now();
        let mut frames = Vec::with_capacity(taken.waiting.len());
        for outgoing in &taken.waiting {
            match outgoing {
                Outgoing::Frame(frame) => {
                    if matches!(frame, ServerFrame::Reply { .. }) {
                        self.undecided = self.undecided.saturating_sub(1);
                    }
                    frames.push(match frame {
                        ServerFrame::Reply { id, answer: Ok(Done::Core(Reply::InCall)) } => {
                            ServerFrame::Reply { id: id.clone(), answer: Ok(self.ice_servers()) }.encode(now)
                        }
                        other => other.encode(now),
                    });
                }
                Outgoing::Open(welcome) => {
                    self.opened = true;
                    let device = self.by.device.clone();
                    let (ping, expires_in) = (self.shared.config.ping, self.bearer.expires_in());
                    let opening = opening((**welcome).clone(), device, ping, expires_in);
                    frames.extend(opening.map(|frame| frame.encode(now)));
                }
            }
        }
        self.shared.metrics.frames_out.add(frames.len() as u64);
        self.shared.metrics.writes.add(1);
        let mut writing = pin!(io.write(frames));
        // Most writes are out at once, and then nothing is waited for.
        let written = match poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx))).await {
            Poll::Ready(written) => Ok(written),
            Poll::Pending => tokio::select! {
                biased;
                // A reader that takes nothing is dead by the same measure as one that says nothing.
                written = timeout(self.patience(), writing) => written,
                bye = self.mailbox.cut() => return Err(bye),
            },
        };
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Gone)) | Err(_) => Err(None),
        }
    }

    /// Takes one frame; the last word, if it is over with it.
    fn take(&mut self, text: &str) -> Option<Bye> {
        self.shared.metrics.frames_in.add(1);
        let reader = Reader {
            limits: &self.shared.config.limits,
            user: Some(&self.by.user),
            terms: self.terms,
            now: self.shared.clock.now(),
        };
        match reader.read(text) {
            Ok(ClientFrame::Request { id, request }) => {
                self.undecided += 1;
                if let Err(refusal) = self.ask(&id, request) {
                    self.refuse(id, refusal);
                }
                None
            }
            Err(Malformed::Request { id, refusal }) => {
                self.undecided += 1;
                self.refuse(id, refusal);
                None
            }
            Ok(ClientFrame::Ping) => {
                self.say(ServerFrame::Pong);
                None
            }
            Ok(ClientFrame::Hello(_)) => Some(Bye::new(ByeCode::BadRequest, "A connection says hello once.")),
            Err(Malformed::Frame(refusal)) => Some(refusal.into()),
        }
    }

    fn refuse(&self, id: RequestId, refusal: Refusal) {
        self.shared.metrics.refused(refusal.code);
        self.say(ServerFrame::Reply { id, answer: Err(refusal) });
    }

    /// Puts a frame behind what waits.
    fn say(&self, frame: ServerFrame) {
        // Nobody has to be woken: it is this task that takes it, next.
        drop(self.mailbox.put(Outgoing::Frame(frame)));
    }

    fn ask(&mut self, id: &RequestId, request: Request) -> Result<(), Refusal> {
        let item = match request {
            Request::UpdateToken(token) => {
                let expires_in = self.renew(&token)?;
                let answer = Ok(Done::Token { expires_in });
                self.say(ServerFrame::Reply { id: id.clone(), answer });
                return Ok(());
            }
            Request::Ask(ask) if self.expired() && !after_expiry(&ask) => return Err(expired()),
            Request::History { .. } if self.expired() => return Err(expired()),
            Request::Ask(ask) => {
                if matches!(ask, Ask::Signal { .. }) {
                    self.count_signal()?;
                }
                Item::Step(Step::Request { by: self.by.clone(), request: id.clone(), ask })
            }
            Request::History { before, limit } => {
                let (to, user) = (self.by.session, self.by.user.clone());
                Item::History { to, request: id.clone(), user, before, limit }
            }
        };
        self.shared.inbox.put(item).map_err(|_| {
            self.shared.metrics.turned_away.add(1);
            unavailable("The server is busy: try again in a moment.")
        })
    }

    /// Counts a signal, unless there are too many: a reader shouldn't have to bear what one peer sends.
    fn count_signal(&mut self) -> Result<(), Refusal> {
        let now = clock::instant();
        let until = self.signals_until.max(now) + SIGNAL_EVERY;
        let over = until.duration_since(now).saturating_sub(SIGNAL_EVERY * SIGNALS_AT_ONCE);
        if !over.is_zero() {
            let message = "too many signals: send several candidates in one, and fewer at a time";
            return Err(Refusal { retry_after: Some(over), ..Refusal::new(Code::RateLimited, message) });
        }
        self.signals_until = until;
        Ok(())
    }

    /// ICE servers for who may have them, in place of the core's word for it: here are the clock and the secret.
    fn ice_servers(&self) -> Done {
        let (servers, expires_in) = turn::servers(&self.shared.config.ice, &self.by.user, clock::wall());
        Done::IceServers { servers, expires_in }
    }

    fn expired(&self) -> bool {
        self.bearer.expires + LEEWAY < clock::wall()
    }

    fn renew(&mut self, token: &Token) -> Result<Duration, Refusal> {
        let wrong = |message: String| Refusal { field: Some("token"), ..Refusal::new(Code::Unauthorized, message) };
        let bearer = self.shared.verifier.check(&token.0).map_err(|error| wrong(error.to_string()))?;
        if bearer.user != self.by.user {
            return Err(wrong("the token is another user's".to_owned()));
        }
        self.bearer = bearer;
        Ok(self.bearer.expires_in())
    }
}

fn expired() -> Refusal {
    Refusal::new(Code::Unauthorized, "The token has expired: update it.")
}

/// What a session may still do once its token has expired (S15). `ringing` is no wish of a user's but what a device
/// reports of a call that may still be accepted.
fn after_expiry(ask: &Ask) -> bool {
    matches!(
        ask,
        Ask::Accept { .. }
            | Ask::Reject { .. }
            | Ask::Cancel { .. }
            | Ask::Leave { .. }
            | Ask::End { .. }
            | Ask::Ringing { .. }
    )
}
