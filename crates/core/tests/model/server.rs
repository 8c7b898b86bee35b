//! The server: the real engine over a store that hides everything it isn't asked for.

use crate::people::{LIMITS, NEVER, Names, names};
use crate::sealed::Sealed;
use ringback_core::call::{CallRecord, ParticipantRecord, TurnRecord, TurnState};
use ringback_core::device::{Answered, Frame};
use ringback_core::engine::{Act, Engine, Keep};
use ringback_core::id::{DeviceId, InvitationId, MissedId, SessionId, TurnNo, UserId};
use ringback_core::line::{LineRecord, MissedCall, Remembered};
use ringback_core::shared::Shared;
use ringback_core::step::{Actor, Hello, Key, Loaded, LoadedLine, Output, Reply, Step, Welcome, Writes};
use ringback_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What leaves for one session together.
pub(crate) type Packet = (SessionId, Sealed<Vec<Frame>>);

/// What the server is between two batches: its store, and its open sessions. Its history, which decides nothing, is
/// left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) calls: BTreeMap<InvitationId, Arc<CallRecord>>,
    pub(crate) lines: BTreeMap<UserId, Shared<LineRecord>>,
    pub(crate) missed: BTreeMap<(UserId, MissedId), MissedCall>,
    pub(crate) requests: BTreeMap<(UserId, u64), Arc<Remembered>>,
    pub(crate) sessions: Vec<Actor>,
    /// The engine's next timer.
    pub(crate) wake: Option<Timestamp>,
}

impl Server {
    /// Has the real engine decide a step, or, without one, what is due; gives what leaves.
    ///
    /// The engine begins anew each time, with nothing loaded, so that every step has to ask for all it decides over
    /// (K2). Its ids come from how many calls there were, so that equal ways to a state make equal states.
    pub(crate) fn decide(&mut self, step: Option<Step>, now: Timestamp) -> Vec<Packet> {
        let running = self.calls.values().filter(|c| c.running()).map(|c| CallRecord::clone(c)).collect();
        let mut engine = Engine::new(LIMITS, self.calls.len() as u128)
            .keeping(Keep::Timers)
            .resuming(running, std::mem::take(&mut self.sessions));
        if let Some(step) = step {
            engine.submit(step);
        }
        let mut left = Vec::new();
        let mut act = engine.run(now);
        loop {
            act = match act {
                Act::Begin(keys) => engine.loaded(self.load(&keys)),
                Act::Commit(writes) => {
                    self.write(writes);
                    engine.committed()
                }
                Act::Release { outputs, .. } => {
                    left.extend(outputs);
                    engine.run(now)
                }
                Act::Idle(wake) => {
                    self.wake = wake;
                    break;
                }
            }
        }
        self.sessions = engine.sessions().collect();
        let mut packets: BTreeMap<SessionId, Vec<Frame>> = BTreeMap::new();
        for (to, frames) in left.into_iter().map(frames) {
            packets.entry(to).or_default().extend(frames);
        }
        packets.into_iter().map(|(to, packet)| (to, Sealed::new(packet))).collect()
    }

    /// What no step may do to what was there before it.
    pub(crate) fn wrong(&self, step: Option<&Step>, after: &Self) -> Option<&'static str> {
        let before = self;
        for (id, was) in &before.calls {
            let Some(is) = after.calls.get(id) else { return Some("N2: a call was forgotten") };
            if was == is {
                continue;
            }
            for (user, was) in was.participants.iter().flat_map(|p| p.turns.iter().map(|t| (&p.person.id, t))) {
                let Some(is) = after.turn(user, *id, was.no) else { return Some("N2: a turn was forgotten") };
                if was.answered.is_some() && was.answered != is.answered {
                    return Some("L3: somebody else's answer took the place of the first");
                }
                if was.state.ended() && was.state != is.state {
                    return Some("L: a turn that had ended went on");
                }
            }
            if was.ended.is_some() && was.ended != is.ended {
                return Some("L: a call that had ended went on");
            }
        }
        let new = after.calls.values().find(|c| !before.calls.contains_key(&c.id));
        if let Some(call) = new {
            let caller = &call.participants[0].person.id;
            let here = |device: &DeviceId| before.sessions.iter().any(|s| s.user == *caller && s.device == *device);
            if before.engaged(caller).any(|(_, device)| here(device)) {
                return Some("D7, §3: somebody in a call, on a connected phone, began another");
            }
        }
        match step {
            Some(Step::Hello(hello)) => claimed(before, hello, after),
            _ => None,
        }
    }

    fn load(&self, keys: &[Key]) -> Loaded {
        let mut loaded = Loaded::default();
        for key in keys {
            match key {
                Key::Call(id) => loaded.calls.push((*id, self.calls.get(id).map(|c| CallRecord::clone(c)))),
                Key::Line(user) => {
                    let part =
                        |c: &&Arc<CallRecord>| c.running() && c.participants.iter().any(|p| p.person.id == *user);
                    loaded.lines.push(LoadedLine {
                        user: user.clone(),
                        line: self.lines.get(user).map(|l| LineRecord::clone(l)),
                        missed: self.missed_by(user).cloned().collect(),
                        requests: self.requests_of(user).cloned().collect(),
                        running: self.calls.values().filter(part).map(|c| c.id).collect(),
                    });
                }
            }
        }
        loaded
    }

    fn write(&mut self, writes: Writes) {
        self.calls.extend(writes.calls.into_iter().map(|c| (c.id(), Arc::new(c.record().clone()))));
        self.lines.extend(writes.lines.into_iter().map(|l| (l.person.id.clone(), l)));
        self.requests.extend(writes.requests.into_iter().map(|(user, r)| ((user, r.no), r)));
        self.missed.extend(writes.missed.into_iter().map(|(user, m)| ((user, m.id), m)));
        for key in writes.handled {
            self.missed.remove(&key);
        }
    }

    /// What a user's requests made; of so few, none is ever forgotten.
    pub(crate) fn requests_of(&self, user: &UserId) -> impl Iterator<Item = &Arc<Remembered>> {
        self.requests.iter().filter(move |((who, _), _)| who == user).map(|(_, r)| r)
    }

    /// What a user missed and hasn't handled, or has by a click that may yet be undone.
    pub(crate) fn missed_by(&self, user: &UserId) -> impl Iterator<Item = &MissedCall> {
        self.missed.iter().filter(move |((who, _), _)| who == user).map(|(_, m)| m)
    }

    /// The calls that a user is in, and on which device.
    pub(crate) fn engaged(&self, user: &UserId) -> impl Iterator<Item = (&CallRecord, &DeviceId)> {
        let running = self.calls.values().filter(|c| c.running());
        running.filter_map(move |call| {
            let turn = part(call, user)?.turns.last()?;
            let asked = turn.answered.as_ref().filter(|_| turn.state == TurnState::Accepted)?;
            Some((&**call, &asked.device))
        })
    }

    pub(crate) fn turn(&self, user: &UserId, invitation: InvitationId, turn: TurnNo) -> Option<&TurnRecord> {
        part(self.calls.get(&invitation)?, user)?.turns.iter().find(|t| t.no == turn)
    }

    /// Whether this turn was missed. Two people alone are never busy to each other: whoever could be is in a call with
    /// the other, or crosses.
    pub(crate) fn missed_turn(&self, user: &UserId, invitation: InvitationId, turn: TurnNo) -> bool {
        let missed = |t: &TurnRecord| !t.crossed && matches!(t.state, TurnState::TimedOut | TurnState::Cancelled);
        self.turn(user, invitation, turn).is_some_and(missed)
    }

    /// The running call that both are in.
    pub(crate) fn connected(&self) -> Option<&CallRecord> {
        let Names { users, .. } = names();
        let both = |c: &CallRecord| users.iter().all(|u| self.engaged(u).any(|(call, _)| call.id == c.id));
        self.calls.values().map(|c| &**c).find(|c| c.running() && both(c))
    }
}

/// What the socket makes of what leaves the engine.
fn frames(output: Output) -> (SessionId, Vec<Frame>) {
    match output {
        Output::Reply { to, answer: Ok(Reply::Welcome(welcome)), .. } => (to, opening(*welcome)),
        Output::Reply { to, request: Some(id), answer } => {
            (to, vec![Frame::Reply { id, answer: answer.map(Answered::Core) }])
        }
        Output::Reply { request: None, answer, .. } => panic!("a hello was answered with {answer:?}"),
        Output::Call { to, view } => (to, vec![Frame::Call(view)]),
        Output::Missed { to, view } => (to, vec![Frame::Missed(view)]),
        // These phones have no media, and their people no settings.
        Output::Signal { to, .. } | Output::Settings { to, .. } => (to, Vec::new()),
        // Its connection is broken already.
        Output::Replaced { session } => (session, Vec::new()),
    }
}

/// What a hello is answered with (docs/protocol.md).
fn opening(welcome: Welcome) -> Vec<Frame> {
    let mut frames = vec![Frame::Welcome { person: welcome.person, ping: NEVER, token_expires_in: NEVER }];
    frames.extend(welcome.calls.into_iter().map(|view| Frame::Call(Box::new(view))));
    frames.extend(welcome.gone.into_iter().map(Frame::Gone));
    frames.extend([Frame::Missed(welcome.missed), Frame::Synced]);
    frames
}

/// A user's part in a call.
pub(crate) fn part<'a>(call: &'a CallRecord, user: &UserId) -> Option<&'a ParticipantRecord> {
    call.participants.iter().find(|p| p.person.id == *user)
}

/// spec: L9: who claims the call that they are in, stays in it.
fn claimed(before: &Server, hello: &Hello, after: &Server) -> Option<&'static str> {
    let (user, device) = (&hello.by.user, &hello.by.device);
    let (call, _) = before.engaged(user).find(|(_, on)| *on == device)?;
    let asked = call.participants.iter().find(|p| p.person.id == *user)?.turns.last()?.answered.as_ref()?;
    let claims = hello.claim.names(call.id, Some(&asked.request));
    let stays = after.engaged(user).any(|(c, on)| c.id == call.id && on == device);
    (claims && !stays).then_some("L9: a claim was not heard")
}
