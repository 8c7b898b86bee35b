//! The story that everything is for, over the engine alone: ring, miss, call back.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test says what is wrong by failing

use ringback_core::call::{CallRecord, CallType, EndReason, MissedReason, Mode, TurnState};
use ringback_core::engine::{Act, Engine, Keep};
use ringback_core::id::{DeviceId, InvitationId, MissedId, RequestId, SessionId, UserId};
use ringback_core::limits::Limits;
use ringback_core::line::{DeviceConfig, LineRecord, Made, MissedCall};
use ringback_core::step::{
    Actor, Answer, Ask, Hello, Invitee, Key, Loaded, LoadedLine, Output, Reply, Ring, Send, Step, Writes,
};
use ringback_core::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Default)]
struct Rows {
    calls: BTreeMap<InvitationId, CallRecord>,
    lines: BTreeMap<UserId, LineRecord>,
    missed: BTreeMap<(UserId, MissedId), MissedCall>,
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
                    missed: self.missed.iter().filter(|((u, _), _)| u == user).map(|(_, m)| m.clone()).collect(),
                    running: self
                        .calls
                        .values()
                        .filter(|c| c.running() && c.participants.iter().any(|p| p.person.id == *user))
                        .map(|c| c.id)
                        .collect(),
                }),
            }
        }
        loaded
    }

    fn write(&mut self, writes: Writes) {
        self.calls.extend(writes.calls.into_iter().map(|c| (c.id, c)));
        self.lines.extend(writes.lines.into_iter().map(|l| (l.person.id.clone(), l)));
        self.missed.extend(writes.missed.into_iter().map(|(u, m)| ((u, m.id), m)));
        writes.handled.into_iter().for_each(|key| {
            self.missed.remove(&key);
        });
    }
}

struct Server {
    engine: Engine,
    rows: Rows,
    now: Timestamp,
    asked: u32,
}

impl Server {
    fn new(keep: Keep) -> Self {
        let engine = Engine::new(Limits::default(), 7).keeping(keep);
        Self { engine, rows: Rows::default(), now: Timestamp(1_000_000), asked: 0 }
    }

    fn run(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        let mut act = self.engine.run(self.now);
        loop {
            act = match act {
                Act::Begin(keys) => self.engine.loaded(self.rows.load(&keys)),
                Act::Commit(writes) => {
                    self.rows.write(writes);
                    self.engine.committed()
                }
                Act::Release { outputs, .. } => {
                    out.extend(outputs);
                    self.engine.run(self.now)
                }
                Act::Idle(_) => return out,
            }
        }
    }

    fn hello(&mut self, by: &Actor) -> Vec<Output> {
        self.engine.submit(Step::Hello(Box::new(Hello {
            by: by.clone(),
            name: by.user.as_str().into(),
            platform: "web".into(),
            sdk: "0.1.0".into(),
            mode: Mode::Advanced,
            config: DeviceConfig {
                missed_enabled: true,
                dial_back: true,
                resource_id: None,
                reasons: Default::default(),
                call_waiting: false,
            },
            holds: Vec::new(),
            claim: None,
        })));
        self.run()
    }

    fn ask(&mut self, by: &Actor, ask: Ask) -> (Answer, Vec<Output>) {
        self.asked += 1;
        let request = RequestId::new(&format!("r{}", self.asked)).unwrap();
        self.engine.submit(Step::Request { by: by.clone(), request, ask });
        let out = self.run();
        let answer = out.iter().find_map(|o| match o {
            Output::Reply { to, answer, .. } if *to == by.session => Some(answer.clone()),
            _ => None,
        });
        (answer.unwrap(), out)
    }

    fn wait(&mut self, span: Duration) -> Vec<Output> {
        self.now = self.now + span;
        self.run()
    }
}

fn actor(user: &str, session: u64) -> Actor {
    Actor {
        user: UserId::new(user).unwrap(),
        device: DeviceId::new(&format!("{user}-1")).unwrap(),
        session: SessionId(session),
    }
}

fn ring() -> Ring {
    Ring { timeout: Duration::from_secs(30), resource_id: None, title: None, message: None }
}

fn call(users: &[&str]) -> Ask {
    Ask::Send(Send {
        invitees: users.iter().map(|u| Invitee { user: UserId::new(u).unwrap(), unreachable: false }).collect(),
        call_type: CallType::Video,
        custom_data: "about the boat".into(),
        call_id: None,
        ring: ring(),
        end_when_initiator_leaves: false,
        can_invite_in_calling: false,
        only_initiator_can_invite: false,
    })
}

fn dial(missed: MissedId) -> Ask {
    Ask::DialBack {
        missed,
        ring: ring(),
        end_when_initiator_leaves: false,
        can_invite_in_calling: false,
        only_initiator_can_invite: false,
        unreachable: false,
    }
}

// spec: D4, M1, M4, L2
#[test]
fn one_to_one_ring_miss_click_call_back_answer() {
    for keep in [Keep::Running, Keep::Timers] {
        let mut s = Server::new(keep);
        let (alice, bob) = (actor("alice", 1), actor("bob", 2));
        s.hello(&alice);
        s.hello(&bob);
        let (_, out) = s.ask(&alice, call(&["bob"]));
        let rings = out.iter().any(|o| {
            matches!(o, Output::Call { to, view } if *to == bob.session
            && view.own[0].state == TurnState::Inviting && view.custom_data.as_deref() == Some("about the boat"))
        });
        assert!(rings, "{out:?}");
        let out = s.wait(Duration::from_secs(30));
        let missed = out
            .iter()
            .find_map(|o| match o {
                Output::Missed { to, view } if *to == bob.session => Some(view.calls[0].clone()),
                _ => None,
            })
            .unwrap();
        assert_eq!((missed.call.reason, missed.of, missed.existed), (MissedReason::NoAnswer, 1, true));
        assert!(out.iter().any(|o| matches!(o, Output::Call { to, view } if *to == alice.session
            && view.ended == Some(EndReason::TimedOut))));
        s.ask(&bob, Ask::Click { missed: missed.call.id }).0.unwrap();
        let (answer, out) = s.ask(&bob, dial(missed.call.id));
        let Ok(Reply::Made(Made::DialedBack { invitation, call_id, .. })) = answer else { panic!("{answer:?}") };
        assert_eq!(call_id, missed.call.call_id);
        assert!(out.iter().any(|o| matches!(o, Output::Call { to, view } if *to == alice.session
            && view.invitation == invitation && view.call_type == CallType::Video)));
        s.ask(&alice, Ask::Accept { invitation, turn: 1 }).0.unwrap();
        let record = &s.rows.calls[&invitation];
        assert!(record.running() && record.dial_back);
        assert!(s.rows.missed.is_empty());
        s.ask(&alice, Ask::Leave { invitation }).0.unwrap();
        assert_eq!(s.rows.calls[&invitation].ended.map(|(r, _)| r), Some(EndReason::Left));
    }
}

// spec: D5, L6
#[test]
fn in_a_group_the_late_one_joins_by_the_click() {
    for keep in [Keep::Running, Keep::Timers] {
        let mut s = Server::new(keep);
        let (alice, bob, carol) = (actor("alice", 1), actor("bob", 2), actor("carol", 3));
        for who in [&alice, &bob, &carol] {
            s.hello(who);
        }
        let (answer, _) = s.ask(&alice, call(&["bob", "carol"]));
        let Ok(Reply::Made(Made::Invited { invitation, .. })) = answer else { panic!("{answer:?}") };
        s.ask(&carol, Ask::Accept { invitation, turn: 1 }).0.unwrap();
        let out = s.wait(Duration::from_secs(30));
        let missed = out.iter().find_map(|o| match o {
            Output::Missed { to, view } if *to == bob.session => Some(view.calls[0].call.clone()),
            _ => None,
        });
        let missed = missed.unwrap();
        assert!(missed.can_join && missed.group);
        let (answer, out) = s.ask(&bob, dial(missed.id));
        assert!(matches!(answer, Ok(Reply::Made(Made::DialedBack { .. }))), "{answer:?}");
        assert!(
            out.iter().any(|o| matches!(o, Output::Call { to, view } if *to == carol.session && view.in_call == 3))
        );
        assert!(s.rows.missed.is_empty());
    }
}
