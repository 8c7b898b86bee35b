//! What is loaded of calls and lines, and one step's changes over it.
//!
//! A step reads and changes a [`Txn`], an overlay: when it is refused, or finds that it needs more, the overlay is
//! dropped, so that it has changed nothing by construction (K2).

use crate::call::{Call, Command, Due, ParticipantRecord, TurnRecord};
use crate::id::{DeviceId, InvitationId, MissedId, SessionId, UserId};
use crate::limits::Limits;
use crate::line::{HistoryRecord, Line};
use crate::refusal::{Code, Refusal};
use crate::shared::Shared;
use crate::step::{Fact, Key, Output};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, DefaultHasher, Hasher};

/// Sessions of one user, by device. Volatile: it is what the sockets are.
pub type Sessions = BTreeMap<DeviceId, SessionId>;

/// Hashes with a seed of its own, so that nobody can choose names that fall together, and the same seed does the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seeded(pub(crate) u64);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;
    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

/// What is loaded: found often, and never gone through in an order that decides anything.
#[derive(Debug, Default)]
pub struct World {
    /// Calls, or the knowledge that there is none.
    pub(crate) calls: HashMap<InvitationId, Option<Shared<Call>>, Seeded>,
    /// Lines.
    pub(crate) lines: HashMap<UserId, Shared<Line>, Seeded>,
    /// Who is connected.
    pub(crate) sessions: HashMap<UserId, Sessions, Seeded>,
}

/// Why a step stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It has to be loaded first; then the step comes again.
    Need(BTreeSet<Key>),
    /// A call that it decides over has timers that are due: they count as having run first (L2).
    Due(InvitationId),
    /// It may not be.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What every decision is given besides the world.
pub(crate) struct Cx<'a> {
    /// The moment of the batch (G8).
    pub(crate) now: Timestamp,
    /// The bounds.
    pub(crate) limits: &'a Limits,
    /// Random bits for a new invitation's id.
    pub(crate) random: u128,
}

/// One step's changes over the world; a record is copied when it is first changed, and shared until then.
pub(crate) struct Txn<'a> {
    world: &'a World,
    pub(crate) cx: Cx<'a>,
    calls: BTreeMap<InvitationId, Shared<Call>>,
    lines: BTreeMap<UserId, Shared<Line>>,
    sessions: BTreeMap<UserId, Sessions>,
    running_timers_of: Option<InvitationId>,
    pub(crate) reminds: Vec<(InvitationId, UserId)>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) history: Vec<HistoryRecord>,
    /// What devices in a call have for each other; it changes nothing.
    pub(crate) signals: Vec<Output>,
}

/// A step's changes, taken off the world that they were made over.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) calls: BTreeMap<InvitationId, Shared<Call>>,
    pub(crate) lines: BTreeMap<UserId, Shared<Line>>,
    pub(crate) sessions: BTreeMap<UserId, Sessions>,
    pub(crate) reminds: Vec<(InvitationId, UserId)>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) history: Vec<HistoryRecord>,
    pub(crate) signals: Vec<Output>,
}

impl World {
    /// Nothing is loaded yet.
    pub(crate) fn new(seed: u64) -> Self {
        let map = || Seeded(seed);
        Self {
            calls: HashMap::with_hasher(map()),
            lines: HashMap::with_hasher(map()),
            sessions: HashMap::with_hasher(map()),
        }
    }

    /// Takes a step's changes in.
    pub(crate) fn apply(&mut self, change: Change) {
        for (user, mut line) in change.lines {
            if let Some(known) = self.lines.get(&user).filter(|known| known.running != line.running) {
                line.running.clone_from(&known.running);
            }
            self.lines.insert(user, line);
        }
        for (id, call) in change.calls {
            for user in call.users() {
                if let Some(line) = self.lines.get_mut(user).filter(|l| l.running.contains(&id) != call.running()) {
                    line.stands(id, call.running());
                }
            }
            self.calls.insert(id, Some(call));
        }
        for (user, sessions) in change.sessions {
            if sessions.is_empty() {
                self.sessions.remove(&user);
            } else {
                self.sessions.insert(user, sessions);
            }
        }
    }
}

impl<'a> Txn<'a> {
    pub(crate) fn new(world: &'a World, cx: Cx<'a>) -> Self {
        Self {
            world,
            cx,
            calls: BTreeMap::new(),
            lines: BTreeMap::new(),
            sessions: BTreeMap::new(),
            running_timers_of: None,
            reminds: Vec::new(),
            facts: Vec::new(),
            history: Vec::new(),
            signals: Vec::new(),
        }
    }

    pub(crate) fn into_change(self) -> Change {
        Change {
            calls: self.calls,
            lines: self.lines,
            sessions: self.sessions,
            reminds: self.reminds,
            facts: self.facts,
            history: self.history,
            signals: self.signals,
        }
    }

    /// Asks for all of these at once, so that a step rarely comes more than twice.
    pub(crate) fn need(&self, keys: impl IntoIterator<Item = Key>) -> Result<(), Stop> {
        let missing = |key: &Key| match key {
            Key::Call(id) => !self.has_call(*id),
            Key::Line(user) => !self.has_line(user),
        };
        found(keys.into_iter().filter(missing).collect())
    }

    fn has_call(&self, id: InvitationId) -> bool {
        self.calls.contains_key(&id) || self.world.calls.contains_key(&id)
    }

    fn has_line(&self, user: &UserId) -> bool {
        self.world.lines.contains_key(user)
    }

    /// Asks for these lines, for every call that their users have a part in, and for the lines that change if they
    /// engage: of who rings them one-to-one, or missed a group that they leave. All that can be named is asked for at
    /// once, so that each round goes one step further.
    pub(crate) fn need_standing<'u>(&self, users: impl IntoIterator<Item = &'u UserId>) -> Result<(), Stop> {
        let mut missing = BTreeSet::new();
        for user in users {
            let Some(line) = self.world.lines.get(user) else {
                missing.insert(Key::Line(user.clone()));
                continue;
            };
            for id in &line.running {
                let Some(call) = self.world.calls.get(id) else {
                    missing.insert(Key::Call(*id));
                    continue;
                };
                let Some(record) = call.as_ref().map(|c| c.record()) else {
                    continue;
                };
                let touched = |p: &&ParticipantRecord| !record.group || p.turns.iter().any(|t| t.missed.is_some());
                let others = record.participants.iter().filter(touched).map(|p| &p.person.id);
                missing.extend(others.filter(|u| *u != user && !self.has_line(u)).cloned().map(Key::Line));
            }
        }
        found(missing)
    }

    pub(crate) fn line(&self, user: &UserId) -> Result<&Line, Stop> {
        let line = self.lines.get(user).or_else(|| self.world.lines.get(user));
        line.map(|shared| &**shared).ok_or_else(|| needs(Key::Line(user.clone())))
    }

    pub(crate) fn line_mut(&mut self, user: &UserId) -> Result<&mut Line, Stop> {
        if !self.lines.contains_key(user) {
            let line = self.world.lines.get(user).ok_or_else(|| needs(Key::Line(user.clone())))?;
            self.lines.insert(user.clone(), line.clone());
        }
        self.lines.get_mut(user).map(|shared| &mut **shared).ok_or_else(unreachable)
    }

    /// A call, if there is such a one.
    pub(crate) fn find(&self, id: InvitationId) -> Result<Option<&Call>, Stop> {
        Ok(self.shared(id)?.map(|shared| &**shared))
    }

    fn shared(&self, id: InvitationId) -> Result<Option<&Shared<Call>>, Stop> {
        if let Some(call) = self.calls.get(&id) {
            return Ok(Some(call));
        }
        let call = self.world.calls.get(&id).ok_or_else(|| needs(Key::Call(id)))?.as_ref();
        let due = call.and_then(|c| c.poll_timeout(self.cx.limits)).is_some_and(|(at, _)| at <= self.cx.now);
        if due && self.running_timers_of != Some(id) { Err(Stop::Due(id)) } else { Ok(call) }
    }

    /// Says that this step is the time-out of that call.
    pub(crate) fn running_timers_of(&mut self, id: InvitationId) {
        self.running_timers_of = Some(id);
    }

    /// A call, else `not_found`.
    pub(crate) fn call(&self, id: InvitationId) -> Result<&Call, Stop> {
        self.find(id)?.ok_or_else(|| Stop::Refused(crate::call::not_found()))
    }

    pub(crate) fn call_mut(&mut self, id: InvitationId) -> Result<&mut Call, Stop> {
        if !self.calls.contains_key(&id) {
            let call = self.shared(id)?.ok_or_else(|| Stop::Refused(crate::call::not_found()))?.clone();
            self.calls.insert(id, call);
        }
        self.calls.get_mut(&id).map(|shared| &mut **shared).ok_or_else(unreachable)
    }

    pub(crate) fn insert(&mut self, call: Call) {
        self.calls.insert(call.id(), call.into());
    }

    /// Puts a command to a call.
    pub(crate) fn command(&mut self, id: InvitationId, command: Command) -> Result<(), Stop> {
        let (now, limits) = (self.cx.now, *self.cx.limits);
        Ok(self.call_mut(id)?.handle(command, now, &limits)?)
    }

    /// Runs a call's due timers.
    pub(crate) fn time_out(&mut self, id: InvitationId) -> Result<(), Stop> {
        let (now, limits) = (self.cx.now, *self.cx.limits);
        let Due { remind } = self.call_mut(id)?.handle_timeout(now, &limits);
        self.reminds.extend(remind.into_iter().map(|(user, _)| (id, user)));
        Ok(())
    }

    /// The running calls that a user has any part in, the earlier sent first.
    pub(crate) fn standing(&self, user: &UserId) -> Result<Vec<InvitationId>, Stop> {
        let mut running = self.line(user)?.running.clone();
        for (id, call) in &self.calls {
            if let Err(at) = running.binary_search(id)
                && call.participant(user).is_some()
            {
                running.insert(at, *id);
            }
        }
        found(running.iter().filter(|id| !self.has_call(**id)).map(|id| Key::Call(*id)).collect())?;
        let mut stop = Ok(());
        running.retain(|id| match self.find(*id) {
            Ok(call) => call.is_some_and(Call::running),
            Err(due) => {
                if stop.is_ok() {
                    stop = Err(due);
                }
                false
            }
        });
        stop.map(|()| running)
    }

    /// The call that a user is in, and the device that it is on.
    pub(crate) fn engaged(&self, user: &UserId) -> Result<Option<(InvitationId, DeviceId)>, Stop> {
        for id in self.standing(user)? {
            let device = self.find(id)?.and_then(|c| c.last_turn(user)).and_then(TurnRecord::device);
            if let Some(device) = device {
                return Ok(Some((id, device.clone())));
            }
        }
        Ok(None)
    }

    /// The running calls in which a user's turn waits for an answer, hidden ones included.
    pub(crate) fn pending(&self, user: &UserId) -> Result<Vec<InvitationId>, Stop> {
        let mut pending = Vec::new();
        for id in self.standing(user)? {
            if self.find(id)?.is_some_and(|c| c.pending_turn(user).is_some()) {
                pending.push(id);
            }
        }
        Ok(pending)
    }

    pub(crate) fn sessions(&self, user: &UserId) -> Option<&Sessions> {
        self.sessions.get(user).or_else(|| self.world.sessions.get(user))
    }

    pub(crate) fn sessions_mut(&mut self, user: &UserId) -> &mut Sessions {
        let known = self.world.sessions.get(user);
        self.sessions.entry(user.clone()).or_insert_with(|| known.cloned().unwrap_or_default())
    }

    pub(crate) fn has_session(&self, user: &UserId, device: &DeviceId) -> bool {
        self.sessions(user).is_some_and(|s| s.contains_key(device))
    }

    /// The calls that this step changed, each with how it was before.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (Option<&Shared<Call>>, &Shared<Call>)> {
        let before = |id| self.world.calls.get(id).and_then(Option::as_ref);
        self.calls.iter().map(move |(id, call)| (before(id), call)).filter(|(was, is)| *was != Some(is))
    }

    /// A line's missed calls before this step.
    pub(crate) fn missed_before(&self, user: &UserId) -> Option<&Shared<BTreeMap<MissedId, crate::line::MissedCall>>> {
        self.world.lines.get(user).map(|l| &l.missed)
    }

    pub(crate) fn touched_lines(&self) -> Vec<UserId> {
        self.lines.keys().cloned().collect()
    }
}

/// Stops for what has to be loaded first, if there is anything.
fn found(missing: BTreeSet<Key>) -> Result<(), Stop> {
    if missing.is_empty() { Ok(()) } else { Err(Stop::Need(missing)) }
}

/// One thing has to be loaded first.
fn needs(key: Key) -> Stop {
    Stop::Need(BTreeSet::from([key]))
}

/// What can't be: said as an error of ours rather than a panic.
fn unreachable() -> Stop {
    Stop::Refused(Refusal::new(Code::Internal, "the server lost hold of a record; it is safe to try again"))
}
