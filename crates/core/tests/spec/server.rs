//! A server without sockets or disk: the engine by its contract, a store in memory, a clock that is told, and what
//! each session was sent. Everything that must hold after any step is checked after every step.

use crate::people::{T0, device, user};
use ringback_core::call::{
    Call, CallRecord, CallType, CallView, EndReason, MissedReason, Mode, OwnTurn, TurnRecord, TurnState,
};
use ringback_core::engine::{Act, Engine, Keep};
use ringback_core::id::{DeviceId, InvitationId, MissedId, RequestId, SessionId, TurnNo, UserId};
use ringback_core::limits::{Limits, REQUESTS};
use ringback_core::line::{DeviceConfig, DoNotDisturb, HistoryRecord, LineRecord, Made, MissedCall, Remembered};
use ringback_core::refusal::Code;
use ringback_core::step::{
    Actor, Answer, Ask, CancelWhom, Claim, Fact, Hello, Invitee, Key, Loaded, LoadedLine, MissedView, Output, Reply,
    Ring, Send, Settings, Step, Welcome, Writes,
};
use ringback_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The store: what is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) calls: BTreeMap<InvitationId, CallRecord>,
    pub(crate) lines: BTreeMap<UserId, LineRecord>,
    pub(crate) missed: BTreeMap<(UserId, MissedId), MissedCall>,
    pub(crate) requests: BTreeMap<(UserId, u64), Arc<Remembered>>,
    pub(crate) history: Vec<HistoryRecord>,
}

impl Rows {
    fn load(&self, keys: &[Key]) -> Loaded {
        let mut loaded = Loaded::default();
        for key in keys {
            match key {
                Key::Call(id) => loaded.calls.push((*id, self.calls.get(id).cloned())),
                Key::Line(user) => loaded.lines.push(LoadedLine {
                    user: user.clone(),
                    line: self.lines.get(user).cloned(),
                    missed: self.missed_of(user),
                    requests: self.requests_of(user),
                    running: self.running(user),
                }),
            }
        }
        loaded
    }

    fn requests_of(&self, of: &UserId) -> Vec<Arc<Remembered>> {
        let mine = self.requests.iter().filter(|((u, _), _)| u == of);
        let mine: Vec<_> = mine.map(|(_, r)| r.clone()).collect();
        mine[mine.len().saturating_sub(REQUESTS as usize)..].to_vec()
    }

    fn missed_of(&self, of: &UserId) -> Vec<MissedCall> {
        let mine = self.missed.iter().filter(|((u, _), _)| u == of);
        mine.map(|(_, m)| m.clone()).collect()
    }

    pub(crate) fn running(&self, user: &UserId) -> Vec<InvitationId> {
        let part = |c: &&CallRecord| c.participants.iter().any(|p| p.person.id == *user);
        let running = self.calls.values().filter(|c| c.running());
        running.filter(part).map(|c| c.id).collect()
    }

    fn write(&mut self, writes: Writes) {
        for call in writes.calls {
            let read = Call::from_record(call.record().clone()).expect("K8: what is written can be read");
            assert_eq!(read, *call);
            self.calls.insert(call.id(), read.into_record());
        }
        for line in writes.lines {
            self.lines.insert(line.person.id.clone(), LineRecord::clone(&line));
        }
        for (user, made) in writes.requests {
            assert!(self.requests.insert((user, made.no), made).is_none(), "N2: a request is remembered once");
        }
        for (user, call) in writes.missed {
            self.missed.insert((user, call.id), call);
        }
        for key in writes.handled {
            self.missed.remove(&key);
        }
        self.history.extend(writes.history);
    }
}

/// What the store does with the next commits or loads that have something in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The commit is refused.
    Refuses,
    /// The commit is kept, and nobody hears of it.
    KeepsAndSaysNothing,
    /// The load fails.
    CannotLoad,
}

/// One session as its device sees it: the newest views.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) calls: BTreeMap<InvitationId, CallView>,
    pub(crate) missed: Option<MissedView>,
    pub(crate) settings: Option<Settings>,
    pub(crate) replaced: bool,
}

pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) rows: Rows,
    pub(crate) now: Timestamp,
    pub(crate) trouble: Vec<Trouble>,
    /// A commit was kept and nobody heard of it: what happened in it is not in the log.
    pub(crate) unheard: bool,
    pub(crate) facts: Vec<Fact>,
    pub(crate) seen: BTreeMap<SessionId, (UserId, Seen)>,
    /// Everything released since the last `take`.
    pub(crate) outputs: Vec<Output>,
    limits: Limits,
    keep: Keep,
    sessions: u64,
    requests: u64,
    restarts: u128,
    /// The most often that one run asked the store.
    pub(crate) rounds: usize,
    pub(crate) outcomes: BTreeMap<(InvitationId, UserId, TurnNo), TurnState>,
}

pub(crate) const BOTH: [Keep; 2] = [Keep::Running, Keep::Timers];

/// Runs a scenario with everything resident, and with a store that hides everything: it must not be seen from outside.
pub(crate) fn everywhere(scenario: impl Fn(&mut Server)) {
    let [resident, hidden] = BOTH.map(|keep| {
        let mut server = Server::new(keep);
        scenario(&mut server);
        (server.outputs, server.rows)
    });
    assert_eq!(resident.0, hidden.0, "K2: what is loaded is seen");
    assert_eq!(resident.1, hidden.1, "K2: what is loaded is written");
}

impl Server {
    pub(crate) fn new(keep: Keep) -> Self {
        Self::with(keep, Limits::default())
    }

    pub(crate) fn with(keep: Keep, limits: Limits) -> Self {
        Self {
            engine: Engine::new(limits, 7).keeping(keep),
            rows: Rows::default(),
            now: T0,
            trouble: Vec::new(),
            unheard: false,
            facts: Vec::new(),
            seen: BTreeMap::new(),
            outputs: Vec::new(),
            limits,
            keep,
            sessions: 0,
            requests: 0,
            restarts: 0,
            rounds: 0,
            outcomes: BTreeMap::new(),
        }
    }

    /// The process dies and another takes over the store.
    pub(crate) fn restart(&mut self) {
        // No two of them make the same ids.
        self.restarts += 1;
        self.engine = Engine::new(self.limits, 7 + self.restarts).keeping(self.keep);
        self.seen.clear();
        let running = self.rows.calls.values().filter(|c| c.running());
        self.engine.start(running.cloned().collect());
        self.run();
    }

    /// Drives the engine until it has nothing to do, and gives what was released.
    pub(crate) fn run(&mut self) -> Vec<Output> {
        let mut released = Vec::new();
        let mut rounds = 0;
        let mut act = self.engine.run(self.now);
        for _ in 0..10_000 {
            act = match act {
                Act::Begin(keys) => {
                    rounds += 1;
                    if self.fails(|t| t == Trouble::CannotLoad).is_some() {
                        self.engine.failed(self.now)
                    } else {
                        self.engine.loaded(self.rows.load(&keys))
                    }
                }
                Act::Commit(writes) => {
                    let fails = self.fails(|t| t != Trouble::CannotLoad && !writes.is_empty());
                    if fails != Some(Trouble::Refuses) {
                        self.rows.write(writes);
                    }
                    if fails.is_some() { self.engine.failed(self.now) } else { self.engine.committed() }
                }
                Act::Release { outputs, facts } => {
                    self.facts.extend(facts);
                    for output in &outputs {
                        self.receive(output);
                    }
                    released.extend(outputs);
                    self.engine.run(self.now)
                }
                Act::Idle(next) => {
                    assert!(next.is_none_or(|at| at > self.now), "something is due");
                    self.rounds = self.rounds.max(rounds);
                    self.outputs.extend(released.iter().cloned());
                    self.check();
                    return released;
                }
            }
        }
        panic!("the engine never rests: {act:?}");
    }

    fn fails(&mut self, of: impl Fn(Trouble) -> bool) -> Option<Trouble> {
        let first = self.trouble.first().copied().filter(|t| of(*t))?;
        self.trouble.remove(0);
        self.unheard |= first == Trouble::KeepsAndSaysNothing;
        Some(first)
    }

    fn receive(&mut self, output: &Output) {
        let (to, view) = match output {
            Output::Reply { to, answer, .. } => match answer {
                Ok(Reply::Welcome(welcome)) => {
                    for view in &welcome.calls {
                        self.shown(*to, view);
                    }
                    let seen = &mut self.seen.get_mut(to).expect("a session").1;
                    seen.missed = Some(welcome.missed.clone());
                    seen.settings = Some(welcome.settings.clone());
                    return;
                }
                Ok(Reply::Details(details)) => (to, &details.view),
                _ => return,
            },
            Output::Call { to, view } => (to, &**view),
            Output::Missed { to, view } => {
                let seen = &mut self.seen.get_mut(to).expect("a session").1;
                if seen.missed.as_ref().is_none_or(|m| m.revision < view.revision) {
                    seen.missed = Some(view.clone());
                }
                return;
            }
            Output::Settings { to, settings } => {
                let seen = &mut self.seen.get_mut(to).expect("a session").1;
                assert!(seen.settings.is_some(), "its welcome comes first");
                seen.settings = Some(settings.clone());
                return;
            }
            Output::Signal { to, signal } => return self.signalled(*to, signal),
            Output::Replaced { session } => {
                if let Some((_, seen)) = self.seen.get_mut(session) {
                    seen.replaced = true;
                }
                return;
            }
        };
        self.shown(*to, view);
    }

    // --- What devices do ---

    pub(crate) fn actor(&mut self, name: &str, on: &str) -> Actor {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        self.seen.insert(session, (user(name), Seen::default()));
        Actor { user: user(name), device: device(on), session }
    }

    /// Connects a user's first device, `<name>-1`.
    pub(crate) fn hello(&mut self, name: &str) -> Actor {
        self.connect(name, &format!("{name}-1"), Claim::default())
    }

    pub(crate) fn connect(&mut self, name: &str, on: &str, claim: Claim) -> Actor {
        self.welcome(name, on, claim, Vec::new(), false).0
    }

    /// Connects a device whose C11 is true.
    pub(crate) fn hello_waiting(&mut self, name: &str, on: &str) -> Actor {
        self.welcome(name, on, Claim::default(), Vec::new(), true).0
    }

    pub(crate) fn welcome(
        &mut self,
        name: &str,
        on: &str,
        claim: Claim,
        holds: Vec<(InvitationId, u64)>,
        call_waiting: bool,
    ) -> (Actor, Box<Welcome>) {
        let by = self.actor(name, on);
        let mut hello = hello(&by);
        hello.config.call_waiting = call_waiting;
        self.engine.submit(Step::Hello(Box::new(Hello { holds, claim, ..hello })));
        let out = self.run();
        match self.reply(&by, None, out) {
            Some(Ok(Reply::Welcome(welcome))) => (by, welcome),
            other => panic!("{other:?}"),
        }
    }

    fn reply(&self, by: &Actor, of: Option<&RequestId>, out: Vec<Output>) -> Option<Answer> {
        out.into_iter().find_map(|o| match o {
            Output::Reply { to, request, answer } if to == by.session && request.as_ref() == of => Some(answer),
            _ => None,
        })
    }

    pub(crate) fn gone(&mut self, who: &Actor) {
        self.engine.submit(Step::Gone(who.clone()));
        self.run();
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.until(self.now + Duration::from_secs(seconds));
    }

    /// Lets time pass, with each timer at its moment.
    pub(crate) fn until(&mut self, end: Timestamp) {
        while let Act::Idle(Some(next)) = self.engine.run(self.now) {
            if next > end {
                break;
            }
            self.now = next;
            self.run();
        }
        self.now = end;
        self.run();
    }

    pub(crate) fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId::new(&format!("r{}", self.requests)).unwrap()
    }

    pub(crate) fn ask(&mut self, by: &Actor, ask: Ask) -> Answer {
        let request = self.next_request();
        self.ask_as(by, &request, ask)
    }

    pub(crate) fn ask_as(&mut self, by: &Actor, request: &RequestId, ask: Ask) -> Answer {
        self.engine.submit(Step::Request { by: by.clone(), request: request.clone(), ask });
        let out = self.run();
        self.reply(by, Some(request), out).expect("an answer")
    }

    /// Asks for what is refused, and checks that it changed nothing (K2).
    pub(crate) fn refused(&mut self, by: &Actor, ask: Ask) -> Code {
        let before = self.rows.clone();
        let refusal = self.ask(by, ask).expect_err("a refusal");
        assert_eq!(self.rows, before, "a refusal changes nothing");
        refusal.code
    }

    /// Repeats a request, which has to change nothing and answer the same (N2).
    pub(crate) fn twice(&mut self, by: &Actor, ask: Ask) -> Reply {
        let request = self.next_request();
        let first = self.ask_as(by, &request, ask.clone());
        let before = self.rows.clone();
        let again = self.ask_as(by, &request, ask.clone());
        assert_eq!(again, first, "N2: {ask:?}");
        assert_eq!(self.rows, before, "N2: {ask:?}");
        first.unwrap_or_else(|refusal| panic!("{ask:?}: {refusal}"))
    }

    /// Sends, and gives the invitation.
    pub(crate) fn send(&mut self, by: &Actor, to: &[&str]) -> InvitationId {
        self.made(by, call(to))
    }

    pub(crate) fn made(&mut self, by: &Actor, ask: Ask) -> InvitationId {
        match self.twice(by, ask) {
            Reply::Made(
                Made::Invited { invitation, .. }
                | Made::DialedBack { invitation, .. }
                | Made::Joined { invitation, .. },
            ) => invitation,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn accept(&mut self, by: &Actor, invitation: InvitationId) {
        let turn = self.turn(invitation, by.user.as_str()).no;
        self.twice(by, Ask::Accept { invitation, turn });
    }

    pub(crate) fn reject(&mut self, by: &Actor, invitation: InvitationId, busy: bool) {
        let turn = self.turn(invitation, by.user.as_str()).no;
        self.twice(by, Ask::Reject { invitation, turn, busy });
    }

    pub(crate) fn cancel(&mut self, by: &Actor, invitation: InvitationId, callee: &str) {
        let turn = self.turn(invitation, callee).no;
        let whom = CancelWhom::Turn { callee: user(callee), turn };
        self.twice(by, Ask::Cancel { invitation, whom });
    }

    pub(crate) fn leave(&mut self, by: &Actor, invitation: InvitationId) {
        self.twice(by, Ask::Leave { invitation });
    }

    pub(crate) fn leave_if_in(&mut self, by: &Actor, invitation: InvitationId) {
        if self.state(invitation, by.user.as_str()) == TurnState::Accepted {
            self.leave(by, invitation);
        }
    }

    /// Reports the click, then dials back, as a device does.
    pub(crate) fn click_and_dial(&mut self, by: &Actor, missed: MissedId) -> Reply {
        self.twice(by, Ask::Click { missed });
        self.twice(by, dial(missed))
    }

    pub(crate) fn quiet(&mut self, by: &Actor, seconds: u64, let_through: &[&str]) {
        let to = (seconds > 0).then(|| DoNotDisturb {
            until: self.now + Duration::from_secs(seconds),
            let_through: let_through.iter().map(|u| user(u)).collect(),
        });
        self.twice(by, Ask::SetDoNotDisturb(to));
    }

    // --- What is so ---

    pub(crate) fn row(&self, id: InvitationId) -> &CallRecord {
        &self.rows.calls[&id]
    }

    pub(crate) fn turn(&self, id: InvitationId, who: &str) -> &TurnRecord {
        let mut people = self.row(id).participants.iter();
        let p = people.find(|p| p.person.id == user(who)).expect("a part");
        p.turns.last().unwrap()
    }

    pub(crate) fn state(&self, id: InvitationId, who: &str) -> TurnState {
        self.turn(id, who).state
    }

    pub(crate) fn ended(&self, id: InvitationId) -> Option<EndReason> {
        self.row(id).ended.map(|(why, _)| why)
    }

    /// A user's unhandled missed calls, as a session last saw them, newest first.
    pub(crate) fn missed(&self, by: &Actor) -> Vec<MissedCall> {
        let view = self.seen[&by.session].1.missed.as_ref().expect("a view");
        let calls: Vec<_> = view.calls.iter().map(|e| e.call.clone()).collect();
        assert_eq!(view.total, calls.len(), "S12: their count");
        calls
    }

    pub(crate) fn reasons(&self, by: &Actor) -> Vec<MissedReason> {
        self.missed(by).iter().map(|m| m.reason).collect()
    }

    pub(crate) fn view(&self, by: &Actor, id: InvitationId) -> Option<&CallView> {
        self.seen[&by.session].1.calls.get(&id)
    }

    /// The newest of this session's own turns that it was shown.
    pub(crate) fn own(&self, by: &Actor, id: InvitationId) -> Option<&OwnTurn> {
        self.view(by, id).and_then(|v| v.own.last())
    }

    /// The state of another's newest turn, as this session sees it.
    pub(crate) fn sees(&self, by: &Actor, id: InvitationId, who: &str) -> TurnState {
        let view = self.view(by, id).expect("a view");
        let mut others = view.others.iter();
        let other = others.find(|o| o.person.id == user(who)).expect("listed");
        other.turns.last().unwrap().state
    }
}

/// What a device says that holds nothing and is in no call.
pub(crate) fn hello(by: &Actor) -> Hello {
    Hello {
        by: by.clone(),
        name: by.user.as_str().into(),
        platform: "web".into(),
        sdk: "0.1.0".into(),
        mode: Mode::Advanced,
        config: DeviceConfig {
            missed_enabled: true,
            dial_back: true,
            resource_id: None,
            reasons: BTreeSet::new(),
            call_waiting: false,
        },
        holds: Vec::new(),
        claim: Claim::default(),
    }
}

pub(crate) fn ring(seconds: u64) -> Ring {
    Ring { timeout: Duration::from_secs(seconds), resource_id: None, title: None, message: None }
}

pub(crate) fn invitees(to: &[&str]) -> Vec<Invitee> {
    let invitee = |who: &&str| Invitee { user: user(who), unreachable: false };
    to.iter().map(invitee).collect()
}

/// A video call of 60 s with C9, without C1 and C10.
pub(crate) fn sending(to: &[&str]) -> Send {
    Send {
        invitees: invitees(to),
        call_type: CallType::Video,
        custom_data: "about the boat".into(),
        call_id: None,
        ring: ring(60),
        end_when_initiator_leaves: false,
        can_invite_in_calling: true,
        only_initiator_can_invite: false,
    }
}

pub(crate) fn call(to: &[&str]) -> Ask {
    Ask::Send(sending(to))
}

pub(crate) fn more(invitation: InvitationId, to: &[&str]) -> Ask {
    Ask::Invite { invitation, invitees: invitees(to), ring: ring(60) }
}

/// A dial-back that rings 30 s (C7).
pub(crate) fn dial(missed: MissedId) -> Ask {
    Ask::DialBack {
        missed,
        ring: ring(30),
        end_when_initiator_leaves: false,
        can_invite_in_calling: true,
        only_initiator_can_invite: false,
        unreachable: false,
    }
}

pub(crate) fn device_of(made: &Reply) -> Option<&DeviceId> {
    match made {
        Reply::Made(Made::DialedBack { device, .. }) => Some(device),
        _ => None,
    }
}
