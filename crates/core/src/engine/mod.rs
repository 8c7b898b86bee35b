//! Batches of steps, timers, and the order in which answers leave (K7, G2).
//!
//! The engine is driven by whoever owns the store and the sockets. The contract:
//! 1. `start(running)` once, with every running call of the store.
//! 2. `submit(step)` whenever one comes; `run(now)` when idle and there is something to do.
//! 3. `run` and the answers to it return an [`Act`]: do it, and come back with `loaded(rows)`, `committed()` or
//!    `failed(now)`.
//! 4. On `Release`, write the outputs to their sessions in order, then call `run` again.

mod batch;
mod decide;

use crate::call::{Call, CallRecord};
use crate::id::InvitationId;
use crate::limits::Limits;
use crate::line::Line;
use crate::shared::Shared;
use crate::step::{Actor, Fact, Key, Loaded, Output, Step, Writes};
use crate::time::Timestamp;
use crate::world::World;
use batch::Batch;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Steps decided in one batch, at most (G2).
const BATCH: usize = 512;
/// Timers among them, at most (G7).
const TIMERS: usize = BATCH / 2;
/// After how long a step that the server owes is tried again when the store refused it, and how long after one such
/// step another is tried in an outage.
const OWED_AGAIN: Duration = Duration::from_secs(1);

/// What the driver has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Load these, then call `loaded`.
    Begin(Vec<Key>),
    /// Write these in one transaction, then call `committed` or `failed`. May be empty: then it costs nothing.
    Commit(Writes),
    /// Send these, in order; they are durable. Then call `run` again.
    Release {
        /// To the sessions.
        outputs: Vec<Output>,
        /// To the log.
        facts: Vec<Fact>,
    },
    /// Nothing to do until a step comes, or this moment.
    Idle(Option<Timestamp>),
}

/// What the engine keeps loaded between batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Running calls, and the lines of who is connected or has a part in one (G4).
    Running,
    /// Nothing but timers: every batch loads what it decides over (G13).
    Timers,
}

/// Decides steps in batches; nothing leaves before it is durable.
#[derive(Debug)]
pub struct Engine {
    world: World,
    limits: Limits,
    keep: Keep,
    random: u64,
    inbox: VecDeque<Step>,
    /// Steps of a batch that failed, to be tried once more each by itself (G3).
    again: VecDeque<Step>,
    timers: Timers,
    /// The store fails: until it keeps something again no grace runs out (L9), and of what the server owes a step at a
    /// time is tried, by itself, so that those who ask something meanwhile don't wait behind all of it.
    outage: bool,
    /// When one is tried next in an outage.
    owed_at: Timestamp,
    /// Ends of sessions that an outage kept from being decided.
    gone: VecDeque<Step>,
    batch: Option<Batch>,
}

/// The next moment of each call, by time and by call.
#[derive(Debug, Default)]
struct Timers {
    by_time: BTreeSet<(Timestamp, InvitationId)>,
    by_call: BTreeMap<InvitationId, Timestamp>,
}

impl Timers {
    fn set(&mut self, id: InvitationId, at: Option<Timestamp>) {
        if self.by_call.get(&id).copied() == at {
            return;
        }
        if let Some(old) = self.by_call.remove(&id) {
            self.by_time.remove(&(old, id));
        }
        if let Some(at) = at {
            self.by_call.insert(id, at);
            self.by_time.insert((at, id));
        }
    }

    fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn due(&self, now: Timestamp) -> Vec<InvitationId> {
        self.by_time.iter().take_while(|(at, _)| *at <= now).take(TIMERS).map(|(_, id)| *id).collect()
    }
}

impl Engine {
    /// An engine that holds what runs. `seed` makes its invitation ids: give it real randomness.
    pub fn new(limits: Limits, seed: u128) -> Self {
        Self {
            world: World::new((seed ^ (seed >> 64)) as u64),
            limits,
            keep: Keep::Running,
            random: (seed ^ (seed >> 64)) as u64,
            inbox: VecDeque::new(),
            again: VecDeque::new(),
            timers: Timers::default(),
            outage: false,
            owed_at: Timestamp(0),
            gone: VecDeque::new(),
            batch: None,
        }
    }

    /// The same with another choice of what stays loaded.
    #[must_use]
    pub fn keeping(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// Takes over every running call of the store: each grace begins anew, and overdue deadlines run, before anything
    /// else (G7).
    pub fn start(&mut self, running: Vec<CallRecord>) {
        for record in running {
            let id = record.id;
            self.admit(id, Some(record));
            // Nothing of it runs before its graces have begun anew.
            self.timers.set(id, None);
            self.inbox.push_back(Step::Restarted(id));
        }
        self.forget_idle(self.world.calls.keys().copied().map(Key::Call).collect());
    }

    /// Goes on between two batches where another engine left off, over the same store and the same open sessions:
    /// nobody was away, so no grace begins anew. A model's every step starts here.
    #[must_use]
    pub fn resuming(mut self, running: Vec<CallRecord>, sessions: impl IntoIterator<Item = Actor>) -> Self {
        for record in running {
            self.admit(record.id, Some(record));
        }
        for by in sessions {
            self.world.sessions.entry(by.user).or_default().insert(by.device, by.session);
        }
        self.forget_idle(self.world.calls.keys().copied().map(Key::Call).collect());
        self
    }

    /// The open sessions, by user and device.
    pub fn sessions(&self) -> impl Iterator<Item = Actor> {
        let users: BTreeMap<_, _> = self.world.sessions.iter().collect();
        users.into_iter().flat_map(|(user, sessions)| {
            sessions.iter().map(|(device, session)| Actor {
                user: user.clone(),
                device: device.clone(),
                session: *session,
            })
        })
    }

    /// Queues a step. The driver bounds how many wait ([`Engine::waiting`]).
    pub fn submit(&mut self, step: Step) {
        self.inbox.push_back(step);
    }

    /// How many steps wait; not the ends of sessions that an outage holds up, of which each session has one.
    pub fn waiting(&self) -> usize {
        self.inbox.len() + self.again.len()
    }

    /// How many calls run and how many users are connected, for the metrics.
    pub fn standing(&self) -> (usize, usize) {
        (self.timers.by_call.len(), self.world.sessions.len())
    }

    /// Begins a batch, if there is something to do at `now`.
    pub fn run(&mut self, now: Timestamp) -> Act {
        if self.batch.is_none() {
            self.try_owed(now);
            let again = self.again.pop_front();
            let last_try = again.is_some();
            let steps = again.map_or_else(|| self.gather(now), |step| VecDeque::from([step]));
            if steps.is_empty() {
                return Act::Idle(self.next());
            }
            self.batch = Some(Batch::new(now, random(&mut self.random), steps, last_try));
        }
        self.advance()
    }

    /// In an outage, has one step of each kind that the server owes tried now and then.
    fn try_owed(&mut self, now: Timestamp) {
        if self.outage && self.owed_at <= now {
            self.owed_at = now + OWED_AGAIN;
            self.again.extend(self.gone.pop_front());
            self.again.extend(self.timers.due(now).first().map(|id| due_step(*id, true)));
        }
    }

    /// When there is something to do by itself.
    fn next(&self) -> Option<Timestamp> {
        let next = self.timers.next();
        if self.outage {
            let gone = self.gone.front().map(|_| self.owed_at);
            return next.map(|at| at.max(self.owed_at)).into_iter().chain(gone).min();
        }
        next
    }

    fn gather(&mut self, now: Timestamp) -> VecDeque<Step> {
        let due = if self.outage { Vec::new() } else { self.timers.due(now) };
        let mut steps: VecDeque<Step> = due.into_iter().map(Step::Timeout).collect();
        let room = BATCH - steps.len();
        steps.extend(self.inbox.drain(..room.min(self.inbox.len())));
        steps
    }

    /// Takes what `Begin` asked for.
    pub fn loaded(&mut self, loaded: Loaded) -> Act {
        for (id, record) in loaded.calls {
            self.admit(id, record);
        }
        for row in loaded.lines {
            let user = row.user.clone();
            let mut line = Line::loaded(row);
            // What this batch has decided already is newer than what the store knows.
            for (id, call) in self.batch.iter().flat_map(Batch::changed_calls) {
                if let Some(call) = self.world.calls.get(&id).and_then(Option::as_deref).or(call) {
                    line.stands(id, call.running() && call.participant(&user).is_some());
                }
            }
            self.world.lines.insert(user, line.into());
        }
        self.advance()
    }

    /// Takes that the batch is durable: what it decided may leave.
    pub fn committed(&mut self) -> Act {
        let Some(batch) = self.batch.take() else {
            return Act::Idle(self.next());
        };
        if self.outage && batch.wrote() {
            // The store is back: connections are taken again, and each grace counts from now.
            self.outage = false;
            self.inbox.extend(self.gone.drain(..));
            let calls: Vec<_> = self.timers.by_call.keys().copied().collect();
            for id in calls {
                // Nothing of it runs before its graces have begun anew.
                self.timers.set(id, None);
                self.inbox.push_back(Step::Restarted(id));
            }
        }
        let (outputs, facts, idle) = batch.release(&self.world);
        self.forget_idle(idle);
        Act::Release { outputs, facts }
    }

    /// Takes that the commit failed, or that nobody knows whether it did: what it changed in memory is dropped and
    /// loaded again, and its steps are tried once more, each by itself (G3).
    pub fn failed(&mut self, now: Timestamp) -> Act {
        let Some(batch) = self.batch.take() else {
            return Act::Idle(self.next());
        };
        let (single, last_try) = (batch.single(), batch.last_try());
        // Decided again a little later, from what the store knows by then.
        let again_at = if single { now + OWED_AGAIN } else { now };
        let (calls, steps) = batch.undo(&mut self.world);
        let mut outputs = Vec::new();
        for step in steps {
            // In an outage what is owed has its own turn.
            let owed = self.outage && step.owed();
            if !owed && (!single || (!last_try && step.asker().is_some())) {
                self.again.push_back(step);
                continue;
            }
            if !self.outage {
                self.outage = true;
                self.owed_at = now + OWED_AGAIN;
            }
            if let Step::Timeout(id) | Step::Restarted(id) = step {
                self.timers.set(id, Some(again_at));
            } else if let Some((by, request)) = step.asker() {
                let (to, request) = (by.session, request.cloned());
                outputs.push(Output::Reply { to, request, answer: Err(decide::unavailable()) });
            } else {
                // The end of a session.
                self.gone.push_back(step);
            }
        }
        for id in &calls {
            self.timers.set(*id, Some(again_at));
        }
        Act::Release { outputs, facts: Vec::new() }
    }

    /// Takes a call in from the store, with its timer. A record that breaks the call's invariants is shown to nobody
    /// and left as it is.
    fn admit(&mut self, id: InvitationId, record: Option<CallRecord>) {
        let call = record.and_then(|record| match Call::from_record(record) {
            Ok(call) => Some(call),
            Err(source) => {
                // At the start there is no batch; the first step there loads it again.
                if let Some(batch) = &mut self.batch {
                    batch.tell(Fact::Broken { invitation: id, source });
                }
                None
            }
        });
        let next = call.as_ref().and_then(|c| c.poll_timeout(&self.limits)).map(|(at, _)| at);
        self.timers.set(id, next);
        self.world.calls.insert(id, call.map(Shared::from));
    }

    /// Lets go of what need not stay loaded, of these.
    fn forget_idle(&mut self, keys: Vec<Key>) {
        for key in keys {
            match key {
                Key::Call(id) => {
                    let running = self.world.calls.get(&id).and_then(Option::as_ref).is_some_and(|c| c.running());
                    if self.keep == Keep::Timers || !running {
                        self.world.calls.remove(&id);
                    }
                }
                Key::Line(user) => {
                    let idle = !self.world.sessions.contains_key(&user)
                        && self.world.lines.get(&user).is_none_or(|l| l.running.is_empty());
                    if self.keep == Keep::Timers || idle {
                        self.world.lines.remove(&user);
                    }
                }
            }
        }
    }
}

/// What a due call comes to: its time-outs, or while the store fails its graces anew first (L9).
fn due_step(id: InvitationId, outage: bool) -> Step {
    if outage { Step::Restarted(id) } else { Step::Timeout(id) }
}

/// 128 random bits (SplitMix64, seeded by the driver).
fn random(state: &mut u64) -> u128 {
    let mut next = || {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    u128::from(next()) << 64 | u128::from(next())
}
