//! The thread that owns the engine and the store: it decides nothing, it does what the engine says (G1, G2).

use crate::clock::{self, Clock};
use crate::inbox::{Inbox, Item};
use crate::log;
use crate::metrics::Metrics;
use crate::registry::{Outgoing, Registry};
use ringback_core::call::TurnState;
use ringback_core::engine::{Act, Engine};
use ringback_core::id::{RequestId, SessionId, UserId};
use ringback_core::limits::Limits;
use ringback_core::refusal::{Code, Refusal};
use ringback_core::step::{Fact, Output, Reply, Writes};
use ringback_core::time::Timestamp;
use ringback_protocol::{Bye, ByeCode, Done, ServerFrame};
use ringback_store::{CommitError, Store, StoreError};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use thiserror::Error;
use tracing::{error, info};

/// When a request that was turned away may come again.
const RETRY: Duration = Duration::from_secs(1);
/// How often what is past its retention is looked for.
const SWEEP: Duration = Duration::from_secs(600);
/// Steps handed to the engine at a time: as many as one batch may have (G2), so that what waits, waits in the inbox
/// and within its bound.
const GATHERED: usize = 512;
/// Steps taken at a time from which on the server counts as busy: then a batch waits a moment for more, since each costs
/// a commit (G4).
const BUSY: usize = 128;
/// How long it waits.
const MOMENT: Duration = Duration::from_millis(2);
/// Rows forgotten at a time, so that nothing waits long behind it.
const SWEPT: usize = 500;

/// How soon what commits put off is done if nothing else is to do: an operator who looks into the tables sees what
/// happened, and a server that dies has little to do when it starts again.
const TIDY: Duration = Duration::from_secs(1);
/// How often the log tells at most that the store failed: on a full disk each request that writes makes it fail. The
/// metrics count them all.
const TOLD_AGAIN: Duration = Duration::from_secs(1);
/// When a store that couldn't tidy tries again.
const TIDY_AGAIN: Duration = Duration::from_secs(5);

/// Why the server can't go on; the process has to end.
#[derive(Debug, Error)]
pub enum DriverError {
    /// The store can't be read at the start.
    #[error("the store can't be read: {0}")]
    Start(#[source] StoreError),
    /// The disk did not confirm a write, so what its cache says can't be believed any more (G3).
    #[error("the disk did not confirm a write; start again, from what it really holds: {0}")]
    Disk(#[source] StoreError),
    /// Something failed, and then the store couldn't be read either.
    #[error("the store failed, and can't be read again either: {0}")]
    Lost(#[source] StoreError),
    /// The thread died; what it said stands above in the log.
    #[error("the engine's thread died: this is a bug")]
    Died,
}

/// What the driver's thread works on.
pub(crate) struct Driver {
    store: Box<dyn Store>,
    engine: Engine,
    clock: Clock,
    retention: Duration,
    sweep_at: Timestamp,
    /// When the store is to tidy up all that it put off, if it put off anything.
    tidy_at: Option<Timestamp>,
    /// Tidying failed: not before this moment again.
    untidy_until: Timestamp,
    inbox: Arc<Inbox>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    /// That the store failed was just told in the log: not before this moment again.
    quiet_until: Timestamp,
    /// Reading failed, and has not succeeded since.
    failing: bool,
    /// How many items were taken from the inbox the last time.
    taken: usize,
}

impl Driver {
    /// Takes over everything that the store has running, and decides what is overdue. It blocks: call it on the
    /// driver's own thread.
    pub(crate) fn new(
        mut store: Box<dyn Store>,
        limits: Limits,
        seed: u128,
        inbox: Arc<Inbox>,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, DriverError> {
        let running = store.running().map_err(DriverError::Start)?;
        let clock = Clock::start(store.newest().map_err(DriverError::Start)?);
        info!(calls = running.len(), "took over the running calls");
        let mut engine = Engine::new(limits, seed);
        engine.start(running);
        let retention = limits.retention;
        let sweep_at = clock.now();
        let mut driver = Self {
            store,
            engine,
            clock,
            retention,
            sweep_at,
            tidy_at: None,
            untidy_until: sweep_at,
            quiet_until: sweep_at,
            inbox,
            registry,
            metrics,
            failing: false,
            taken: 0,
        };
        driver.settle()?;
        // What a process that died left may be there still.
        driver.tidy(false)?;
        Ok(driver)
    }

    /// The clock that everything is decided by.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Works until the inbox is closed and empty. The store is closed with it.
    pub(crate) fn run(mut self) -> Result<(), DriverError> {
        loop {
            let wake = self.settle()?;
            let sweep_again = self.sweep()?;
            if self.inbox.len() == 0 && self.tidy_at.is_some_and(|at| at <= self.clock.now()) {
                self.tidy(true)?;
            }
            let now = self.clock.now();
            let wait = wake.into_iter().chain([sweep_again]).chain(self.tidy_at).map(|at| now.until(at)).min();
            match self.inbox.take(GATHERED, wait.unwrap_or_default()) {
                Some(items) => self.submit(items)?,
                None => return Ok(()),
            }
        }
    }

    /// Does what the engine says until there is nothing to do; returns the moment it wants to be woken at.
    fn settle(&mut self) -> Result<Option<Timestamp>, DriverError> {
        let mut act = self.engine.run(self.clock.now());
        loop {
            act = match act {
                Act::Begin(keys) => match self.store.load(&keys) {
                    Ok(loaded) => {
                        self.failing = false;
                        self.engine.loaded(loaded)
                    }
                    Err(error) => self.failed(error)?,
                },
                Act::Commit(writes) if writes.is_empty() => self.engine.committed(),
                Act::Commit(writes) => self.commit(writes)?,
                Act::Release { outputs, facts } => {
                    if !facts.is_empty() {
                        log::together(|| facts.iter().for_each(|fact| self.tell(fact)));
                    }
                    let awaited = outputs.into_iter().filter_map(|output| self.deliver(output)).collect();
                    // Only now, so that nobody wakes to half of what there is for them.
                    self.registry.wake(awaited);
                    self.tidy(false)?;
                    // What came meanwhile goes into the next batch.
                    if self.taken >= BUSY {
                        self.inbox.gather(GATHERED, MOMENT);
                    }
                    let room = GATHERED.saturating_sub(self.engine.waiting());
                    if let Some(items) = self.inbox.take(room, Duration::ZERO) {
                        self.submit(items)?;
                    }
                    // A server that is never idle has to forget, too.
                    self.sweep()?;
                    self.engine.run(self.clock.now())
                }
                Act::Idle(wake) => {
                    self.metrics.calls.set(self.engine.standing().0);
                    return Ok(wake);
                }
            };
        }
    }

    fn commit(&mut self, writes: Writes) -> Result<Act, DriverError> {
        let began = clock::instant();
        match self.store.commit(writes) {
            Ok(()) => {
                self.failing = false;
                self.metrics.committed(began.elapsed());
                Ok(self.engine.committed())
            }
            Err(CommitError::Failed(error) | CommitError::Unknown(error)) => {
                self.metrics.commits_failed.add(1);
                // A commit that failed says nothing yet about reading: only a load that fails after it does.
                self.failing = false;
                self.failed(error)
            }
        }
    }

    /// Has the store do what it put off: all of it if there is nothing else to do. If that fails, nothing is lost; it
    /// is tried again.
    fn tidy(&mut self, idle: bool) -> Result<(), DriverError> {
        let now = self.clock.now();
        if now < self.untidy_until {
            return Ok(());
        }
        match self.store.tidy(idle) {
            Ok(left) => self.tidy_at = left.then(|| self.tidy_at.unwrap_or(now + TIDY)),
            Err(CommitError::Failed(error) | CommitError::Unknown(error)) => {
                if matches!(error, StoreError::Disk { .. }) {
                    return Err(DriverError::Disk(error));
                }
                error!(%error, source = error.source_text(), "the store can't tidy up; it is tried again");
                self.untidy_until = now + TIDY_AGAIN;
                self.tidy_at = Some(self.untidy_until);
            }
        }
        Ok(())
    }

    /// What the batch changed in memory is dropped, loaded again and decided again; if even that can't be read, or the
    /// disk can't be believed, it is over (G3).
    fn failed(&mut self, error: StoreError) -> Result<Act, DriverError> {
        if matches!(error, StoreError::Disk { .. }) {
            return Err(DriverError::Disk(error));
        }
        if self.failing {
            return Err(DriverError::Lost(error));
        }
        let now = self.clock.now();
        if now >= self.quiet_until {
            self.quiet_until = now + TOLD_AGAIN;
            error!(%error, source = error.source_text(), "the store failed; the batch is decided again, step by step");
        }
        self.failing = true;
        Ok(self.engine.failed(now))
    }

    fn submit(&mut self, items: Vec<Item>) -> Result<(), DriverError> {
        self.taken = items.len();
        for item in items {
            match item {
                Item::Step(step) => {
                    self.metrics.steps.add(1);
                    self.engine.submit(step);
                }
                Item::History { to, request, user, before, limit } => {
                    self.history(to, request, &user, before, limit)?;
                }
            }
        }
        Ok(())
    }

    fn history(
        &mut self,
        to: SessionId,
        request: RequestId,
        user: &UserId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(), DriverError> {
        let answer = match self.store.history(user, before, limit) {
            Ok(page) => Ok(Done::History { entries: page.entries, cursor: page.next }),
            // A store may have to write before it can read.
            Err(error @ StoreError::Disk { .. }) => return Err(DriverError::Disk(error)),
            Err(error) => {
                error!(%error, source = error.source_text(), "history can't be read");
                Err(unavailable("The history can't be read just now."))
            }
        };
        let reply = ServerFrame::Reply { id: request, answer };
        if let Some(waker) = self.registry.put(to, Outgoing::Frame(reply)) {
            waker.wake();
        }
        Ok(())
    }

    /// Gives who is to be woken for it.
    fn deliver(&self, output: Output) -> Option<Waker> {
        match output {
            Output::Reply { to, request: Some(id), answer } => {
                if let Err(refusal) = &answer {
                    self.metrics.refused(refusal.code);
                }
                let answer = answer.map(Done::Core);
                self.registry.put(to, Outgoing::Frame(ServerFrame::Reply { id, answer }))
            }
            Output::Reply { to, request: None, answer: Ok(Reply::Welcome(welcome)) } => {
                self.registry.put(to, Outgoing::Open(welcome))
            }
            Output::Reply { to, request: None, answer } => {
                // Only a hello has no request id, and nothing but a welcome lets it in.
                let refusal = answer.err().unwrap_or_else(|| Refusal::new(Code::Internal, "This is a bug."));
                self.close(to, Bye::from(refusal));
                None
            }
            Output::Call { to, view } => self.registry.put(to, Outgoing::Frame(ServerFrame::Call(view))),
            Output::Missed { to, view } => self.registry.put(to, Outgoing::Frame(ServerFrame::Missed(view))),
            Output::Settings { to, settings } => {
                self.registry.put(to, Outgoing::Frame(ServerFrame::Settings(settings)))
            }
            Output::Signal { to, signal } => {
                self.metrics.signals.add(1);
                self.registry.put(to, Outgoing::Frame(ServerFrame::Signal(signal)))
            }
            Output::Replaced { session } => {
                self.close(session, Bye::new(ByeCode::Replaced, "A newer connection took the place of this one."));
                None
            }
        }
    }

    fn close(&self, session: SessionId, bye: Bye) {
        if let Some(mailbox) = self.registry.mailbox(session) {
            mailbox.close(bye);
        }
    }

    /// One line for what happened, naming ids and no person's name.
    fn tell(&self, fact: &Fact) {
        match fact {
            Fact::Invited { invitation, user, turn, by } => {
                self.metrics.invited.add(1);
                info!(%invitation, %user, turn, %by, "invited");
            }
            // Its invitation, or the call's, says as much.
            Fact::Turn { state: TurnState::Inviting, .. } | Fact::Turn { turn: 0, state: TurnState::Accepted, .. } => {}
            Fact::Turn { invitation, user, turn, state } => {
                info!(%invitation, %user, turn, ?state, "turn");
            }
            Fact::Missed { id, user, reason } => {
                self.metrics.missed.add(1);
                info!(invitation = %id.invitation, %user, turn = id.turn, ?reason, "missed");
            }
            Fact::Ended { invitation, reason } => {
                self.metrics.ended.add(1);
                info!(%invitation, ?reason, "ended");
            }
            Fact::DialBackFailed { id, user, code } => {
                info!(invitation = %id.invitation, %user, turn = id.turn, %code, "dial-back failed");
            }
            Fact::Broken { invitation, source } => {
                error!(%invitation, %source, "a stored call is damaged: it is passed over, and kept as it is");
            }
        }
    }

    /// Forgets what is past its retention (M7), a little at a time; returns when to go on.
    fn sweep(&mut self) -> Result<Timestamp, DriverError> {
        let now = self.clock.now();
        if now >= self.sweep_at {
            self.sweep_at = now + SWEEP;
            match self.store.forget(now - self.retention, SWEPT) {
                Ok(0) => {}
                Ok(_) => self.sweep_at = now,
                Err(CommitError::Failed(error) | CommitError::Unknown(error)) => {
                    if matches!(error, StoreError::Disk { .. }) {
                        return Err(DriverError::Disk(error));
                    }
                    error!(%error, source = error.source_text(), "what is past its retention can't be forgotten");
                }
            }
        }
        Ok(self.sweep_at)
    }
}

/// A refusal for now.
pub(crate) fn unavailable(message: &str) -> Refusal {
    Refusal { retry_after: Some(RETRY), ..Refusal::new(Code::Unavailable, message) }
}

/// What lies under an error, for the log.
trait SourceText {
    fn source_text(&self) -> String;
}

impl SourceText for StoreError {
    fn source_text(&self) -> String {
        std::error::Error::source(self).map_or_else(String::new, ToString::to_string)
    }
}
