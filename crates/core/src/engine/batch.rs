//! One batch: its steps decided in order, what it changed, and what leaves once that is durable.

use super::decide::{NotYet, decide, unavailable};
use super::{Act, Engine, due_step, random};
use crate::call::{Call, CallView};
use crate::id::{InvitationId, UserId};
use crate::line::{HistoryRecord, Line};
use crate::shared::Shared;
use crate::step::{Answer, Fact, Key, Output, Reply, Step, Writes};
use crate::time::Timestamp;
use crate::world::{Change, Cx, Sessions, World};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How often a step may find that it needs more (K2). Four do for all but a dial-back from a second device while the
/// first, gone, is in a group that ends with its going: its own call, the caller's, and everyone in either.
const ROUNDS: usize = 6;

/// A batch under way.
#[derive(Debug)]
pub(super) struct Batch {
    now: Timestamp,
    /// For the step in front, however often it comes again.
    random: u128,
    waiting: VecDeque<Step>,
    decided: Vec<Step>,
    /// How often the step in front has asked for more.
    rounds: usize,
    /// Replies, and before them the settings that their steps changed.
    replies: Vec<Output>,
    facts: Vec<Fact>,
    history: Vec<HistoryRecord>,
    reminds: Vec<(InvitationId, UserId)>,
    signals: Vec<Output>,
    calls_before: BTreeMap<InvitationId, Option<Shared<Call>>>,
    lines_before: BTreeMap<UserId, Option<Shared<Line>>>,
    sessions_before: BTreeMap<UserId, Option<Sessions>>,
    /// What it had loaded, to be let go of again unless it stays.
    loaded: Vec<Key>,
    singly: bool,
    /// Has something to be kept.
    wrote: bool,
    last_try: bool,
}

impl Batch {
    /// A batch of steps; `last_try` if they were in one that failed.
    pub(super) fn new(now: Timestamp, random: u128, waiting: VecDeque<Step>, last_try: bool) -> Self {
        Self {
            last_try,
            now,
            random,
            singly: waiting.len() == 1,
            waiting,
            decided: Vec::new(),
            rounds: 0,
            replies: Vec::new(),
            facts: Vec::new(),
            history: Vec::new(),
            reminds: Vec::new(),
            signals: Vec::new(),
            calls_before: BTreeMap::new(),
            lines_before: BTreeMap::new(),
            sessions_before: BTreeMap::new(),
            loaded: Vec::new(),
            wrote: false,
        }
    }

    /// Whether it had something to be kept.
    pub(super) fn wrote(&self) -> bool {
        self.wrote
    }

    /// Whether it began with one step alone.
    pub(super) fn single(&self) -> bool {
        self.singly
    }

    /// Whether its step was in a batch that failed already.
    pub(super) fn last_try(&self) -> bool {
        self.last_try
    }

    /// Has this told in the log once the batch is done.
    pub(super) fn tell(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    pub(super) fn changed_calls(&self) -> impl Iterator<Item = (InvitationId, Option<&Call>)> {
        self.calls_before.iter().map(|(id, call)| (*id, call.as_deref()))
    }

    /// Takes a decided step's change in, keeping what was there before the batch.
    fn take(&mut self, step: Step, answer: Answer, change: Change, world: &mut World) {
        for id in change.calls.keys() {
            self.calls_before.entry(*id).or_insert_with(|| world.calls.get(id).cloned().flatten());
        }
        for user in change.lines.keys() {
            self.lines_before.entry(user.clone()).or_insert_with(|| world.lines.get(user).cloned());
        }
        for user in change.sessions.keys() {
            self.sessions_before.entry(user.clone()).or_insert_with(|| world.sessions.get(user).cloned());
        }
        let mut change = change;
        self.facts.append(&mut change.facts);
        self.history.append(&mut change.history);
        self.reminds.append(&mut change.reminds);
        self.signals.append(&mut change.signals);
        let set = |(user, line): (&UserId, &Shared<Line>)| {
            world.lines.get(user).is_some_and(|was| crate::line::settings_changed(was, line)).then(|| user.clone())
        };
        let set: Vec<UserId> = change.lines.iter().filter_map(set).collect();
        world.apply(change);
        set.iter().for_each(|user| self.show_settings(user, world));
        self.reply(&step, answer);
        self.decided.push(step);
    }

    /// Has all of a user's sessions shown their settings: before the reply to whoever changed them, and once, however
    /// often the batch changes them, as they are at its end.
    fn show_settings(&mut self, user: &UserId, world: &World) {
        let (Some(line), Some(sessions)) = (world.lines.get(user), world.sessions.get(user)) else {
            return;
        };
        let now = crate::line::settings_view(line, self.now);
        for session in sessions.values() {
            let waiting = self.replies.iter_mut().find_map(|output| match output {
                Output::Settings { to, settings } if to == session => Some(settings),
                _ => None,
            });
            match waiting {
                Some(settings) => settings.clone_from(&now),
                None => self.replies.push(Output::Settings { to: *session, settings: now.clone() }),
            }
        }
    }

    fn reply(&mut self, step: &Step, answer: Answer) {
        let Some((by, request)) = step.asker() else {
            return;
        };
        let replaced = match &answer {
            Ok(Reply::Welcome(welcome)) => welcome.replaced.clone(),
            _ => Vec::new(),
        };
        self.replies.extend(replaced.into_iter().map(|session| Output::Replaced { session }));
        self.replies.push(Output::Reply { to: by.session, request: request.cloned(), answer });
    }

    /// What has to be durable before anything of this batch may leave.
    fn writes(&mut self, world: &World) -> Writes {
        let mut writes = Writes { history: std::mem::take(&mut self.history), ..Writes::default() };
        for (id, before) in &self.calls_before {
            let Some(Some(call)) = world.calls.get(id) else {
                continue;
            };
            if before.as_ref() != Some(call) {
                writes.calls.push(call.clone());
            }
        }
        for (user, before) in &self.lines_before {
            let Some(line) = world.lines.get(user) else {
                continue;
            };
            if before.as_ref().map(|b| &b.record) != Some(&line.record) {
                writes.lines.push(line.record.clone());
            }
            let requests = line.requests_since(before.as_deref());
            writes.requests.extend(requests.iter().map(|r| (user.clone(), r.clone())));
            let known = before.as_ref().map(|b| &b.missed);
            if known == Some(&line.missed) {
                continue;
            }
            let new = line.missed.iter().filter(|(id, m)| known.and_then(|k| k.get(id)) != Some(m));
            writes.missed.extend(new.map(|(_, m)| (user.clone(), m.clone())));
            let gone = known.into_iter().flat_map(|k| k.keys()).filter(|id| !line.missed.contains_key(id));
            writes.handled.extend(gone.map(|id| (user.clone(), *id)));
        }
        writes
    }

    /// Puts everything back as it was before the batch, and gives the calls that it made or changed and all its steps, decided
    /// or not. What it changed is forgotten, to be loaded again; the connections stay as the sockets are.
    pub(super) fn undo(self, world: &mut World) -> (Vec<InvitationId>, Vec<Step>) {
        for (id, before) in &self.calls_before {
            let now = world.calls.remove(id).flatten();
            // A line knows of the calls that run.
            for user in before.iter().chain(&now).flat_map(|call| call.users()) {
                world.lines.remove(user);
            }
        }
        for user in self.lines_before.keys().chain(self.sessions_before.keys()) {
            world.lines.remove(user);
        }
        for key in &self.loaded {
            match key {
                Key::Call(id) => {
                    world.calls.remove(id);
                }
                Key::Line(user) => {
                    world.lines.remove(user);
                }
            }
        }
        for (user, sessions) in self.sessions_before {
            match sessions {
                Some(sessions) => world.sessions.insert(user, sessions),
                None => world.sessions.remove(&user),
            };
        }
        let calls = self.calls_before.into_keys().collect();
        let mut steps = self.decided;
        steps.extend(self.waiting);
        (calls, steps)
    }

    /// Everything that leaves, in order, and the keys that may have become idle.
    pub(super) fn release(self, world: &World) -> (Vec<Output>, Vec<Fact>, Vec<Key>) {
        let mut outputs = self.replies;
        let mut idle = self.loaded;
        let mut sent = BTreeSet::new();
        for (id, before) in &self.calls_before {
            let Some(Some(call)) = world.calls.get(id) else {
                continue;
            };
            idle.push(Key::Call(*id));
            for user in call.users() {
                if !call.running() {
                    idle.push(Key::Line(user.clone()));
                }
                let Some(sessions) = world.sessions.get(user) else {
                    continue;
                };
                if let Some(view) = news(before.as_deref(), call, user) {
                    let mut sessions = sessions.values().copied();
                    // Nearly always there is one, and it takes the view as it is.
                    if let Some(last) = sessions.next_back() {
                        outputs.extend(sessions.map(|to| Output::Call { to, view: view.clone() }));
                        outputs.push(Output::Call { to: last, view });
                    }
                    if !self.reminds.is_empty() {
                        sent.insert((*id, user.clone()));
                    }
                }
            }
        }
        for (id, user) in self.reminds.into_iter().filter(|key| !sent.contains(key)) {
            outputs.extend(reminders(world, id, &user));
        }
        for (user, before) in &self.lines_before {
            let (Some(line), Some(sessions)) = (world.lines.get(user), world.sessions.get(user)) else {
                continue;
            };
            if before.as_ref().is_some_and(|b| b.missed == line.missed) {
                continue;
            }
            for (device, to) in sessions {
                let view = crate::line::missed_view(line, line.device(device));
                outputs.push(Output::Missed { to: *to, view });
            }
        }
        // Behind the views, so that nobody hears from who isn't yet shown to be in the call.
        outputs.extend(self.signals);
        idle.extend(self.lines_before.into_keys().chain(self.sessions_before.into_keys()).map(Key::Line));
        (outputs, self.facts, idle)
    }
}

/// The view that a user is owed of a changed call: if they have or had a part that goes on, or could have one again,
/// and see a difference.
fn news(before: Option<&Call>, call: &Call, user: &UserId) -> Option<Box<CallView>> {
    let view = call.view(user)?;
    let own_changed = !before.is_some_and(|b| b.has_own(user, &view.own));
    let goes_on = view.own.last().is_some_and(|t| !t.state.ended());
    let changed = own_changed
        // A way back in that is closed now: nobody would tell them else.
        || before.is_some_and(|b| b.may_join(user)) != view.can_join
        // What others see of a participant says when they last changed; only where none of them did is there more to
        // compare.
        || goes_on
            && (before.is_none_or(|b| call.others_changed(user, b.record().revision)) || differs(before, &view, user));
    changed.then(|| view.into())
}

fn differs(before: Option<&Call>, view: &CallView, user: &UserId) -> bool {
    let old = before.and_then(|b| b.view(user));
    old.is_none_or(|old| CallView { revision: view.revision, ..old } != *view)
}

/// The call again, for each device that hasn't said that it rings (N4).
fn reminders(world: &World, id: InvitationId, user: &UserId) -> Vec<Output> {
    let call = world.calls.get(&id).and_then(Option::as_ref);
    let rang = call.and_then(|c| c.last_turn(user)).filter(|t| t.rings()).map(|t| &t.rang);
    let (Some(rang), Some(view)) = (rang, call.and_then(|c| c.view(user)).map(Box::new)) else {
        return Vec::new();
    };
    let sessions = world.sessions.get(user).into_iter().flatten();
    sessions
        .filter(|(device, _)| !rang.contains(device))
        .map(|(_, to)| Output::Call { to: *to, view: view.clone() })
        .collect()
}

impl Engine {
    /// Decides the batch's steps until it needs something, or is ready to be written.
    pub(super) fn advance(&mut self) -> Act {
        loop {
            let Some(batch) = self.batch.as_mut() else {
                return Act::Idle(self.next());
            };
            let Some(step) = batch.waiting.pop_front() else {
                let writes = batch.writes(&self.world);
                batch.wrote = !writes.is_empty();
                return Act::Commit(writes);
            };
            let cx = Cx { now: batch.now, limits: &self.limits, random: batch.random };
            match decide(&step, &self.world, cx) {
                Ok((answer, change)) => {
                    batch.rounds = 0;
                    for (id, call) in &change.calls {
                        self.timers.set(*id, call.poll_timeout(&self.limits).map(|(at, _)| at));
                    }
                    batch.take(step, answer, change, &mut self.world);
                    batch.random = random(&mut self.random);
                }
                Err(NotYet::Due(id)) => {
                    batch.waiting.push_front(step);
                    batch.waiting.push_front(due_step(id, self.outage));
                }
                // What the server owes waits for nobody, and each round leaves it less to load.
                Err(NotYet::Need(keys)) if batch.rounds < ROUNDS || step.owed() => {
                    batch.rounds += 1;
                    batch.loaded.extend(keys.iter().cloned());
                    batch.waiting.push_front(step);
                    return Act::Begin(keys.into_iter().collect());
                }
                Err(NotYet::Need(_)) => {
                    batch.rounds = 0;
                    batch.take(step, Err(unavailable()), Change::default(), &mut self.world);
                }
            }
        }
    }
}
