//! Random scripts: a server that is mostly plausible, an app that does anything, and time.
//!
//! The world goes on from what the machine under test says: requests are answered, now or late, rightly or not at all;
//! hellos get what they hold; notifications are clicked. What is sent may be skipped, repeated, swapped or lost.

use super::server::Server;
use super::{Runner, Step};
use fastrand::Rng;
use ringback_core::call::{CallType, MissedReason};
use ringback_core::device::{Answered, Ask, Bye, Config, DialBack, Frame, Input, MissedRef, Output, Secret};
use ringback_core::id::{CallId, DeviceId, InvitationId, Person, RequestId, UserId};
use ringback_core::refusal::{Code, Refusal};
use ringback_core::step::{CancelWhom, Ring};
use ringback_core::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Whose device it is.
pub(super) fn me() -> UserId {
    user("bob")
}

/// The device under test.
pub(super) fn device() -> DeviceId {
    text(DeviceId::new("d-1"))
}

pub(super) fn user(id: &str) -> UserId {
    text(UserId::new(id))
}

pub(super) fn call_id(id: &str) -> CallId {
    text(CallId::new(id))
}

#[expect(clippy::expect_used, reason = "the ids that scripts use are fixed, short and printable")]
fn text<T>(id: Result<T, ringback_core::id::BadId>) -> T {
    id.expect("a valid id")
}

/// Everyone else; a name may be empty, or take escaping.
pub(super) fn someone(rng: &mut Rng) -> Person {
    let people = [("alice", "Alice"), ("carol", ""), ("dave", "D\"ave\\"), ("zoë", "Zoë 🎧"), ("eve", "Eve\n")];
    let (id, name) = people[rng.usize(..people.len())];
    Person { id: user(id), name: name.into() }
}

/// Spans of time that rules turn on, and some between.
const SPANS: [u64; 18] =
    [0, 0, 0, 0, 1, 10, 250, 1_000, 2_000, 5_000, 9_999, 10_000, 10_001, 30_000, 59_999, 60_000, 60_001, 900_000];

pub(super) struct World<'a> {
    rng: Rng,
    now: u64,
    runner: &'a mut Runner,
    server: Server,
    /// Frames under way to the device.
    inbox: VecDeque<Frame>,
    /// Requests that the server took and hasn't answered.
    asked: Vec<(RequestId, Ask)>,
    /// Notifications that were shown.
    shown: Vec<MissedRef>,
    open: bool,
    ids: u32,
    pub(super) steps: Vec<Step>,
}

impl<'a> World<'a> {
    pub(super) fn new(seed: u64, runner: &'a mut Runner) -> Self {
        let rng = Rng::with_seed(seed);
        let server = Server::new(rng.clone().u64(..));
        Self {
            rng,
            now: 1_790_000_000_000,
            runner,
            server,
            inbox: VecDeque::new(),
            asked: Vec::new(),
            shown: Vec::new(),
            open: false,
            ids: 0,
            steps: Vec::new(),
        }
    }

    /// Lives for a while.
    pub(super) fn live(mut self) -> Vec<Step> {
        let length = self.rng.usize(15..50);
        if self.one_in(60) {
            self.server.miss_many();
        }
        if !self.one_in(8) {
            self.init();
            self.connect();
        }
        while self.steps.len() < length {
            self.step();
        }
        self.steps
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    fn step(&mut self) {
        match self.rng.u32(..100) {
            0..=29 if !self.inbox.is_empty() => self.deliver(),
            0..=22 => self.happen(),
            23..=52 => self.answer(),
            53..=60 => self.pass(),
            61..=73 => self.act(),
            74..=81 => self.click(),
            82..=84 => self.disconnect(),
            85..=89 => self.connect(),
            90 => self.init(),
            91 => self.restart(),
            92..=93 => self.handover(),
            94 if self.one_in(2) => self.call_twice(),
            94 => self.input(Input::Denied),
            _ => self.oddity(),
        }
    }

    /// Puts one input in, and lets the world take notice of what comes out.
    fn input(&mut self, input: Input) {
        let step = Step::Input(Timestamp(self.now), Box::new(input));
        let outputs = self.runner.step(&step);
        self.steps.push(step);
        for output in outputs {
            match output {
                Output::Hello { holds, .. } => {
                    let held: Vec<InvitationId> = holds.into_iter().map(|(id, _)| id).collect();
                    self.greet(&held);
                }
                Output::Request { id, ask } if self.open && self.asked.iter().all(|(asked, _)| *asked != id) => {
                    self.asked.push((id, ask));
                }
                Output::Show(show) => {
                    if let Some(missed) = show.missed {
                        self.shown.push(missed);
                    }
                }
                Output::Ping if self.rng.u32(..4) > 0 => self.inbox.push_back(Frame::Alive),
                Output::Close if self.rng.bool() => self.disconnect(),
                _ => {}
            }
        }
    }

    fn frame(&mut self, frame: Frame) {
        self.input(Input::Frame(frame));
    }

    fn init(&mut self) {
        let all = [
            MissedReason::NoAnswer,
            MissedReason::Cancelled,
            MissedReason::Busy,
            MissedReason::DoNotDisturb,
            MissedReason::Unreachable,
        ];
        let rng = &mut self.rng;
        let most = rng.u32(..4) > 0;
        let config = Config {
            missed_enabled: rng.u32(..10) > 0,
            dial_back: rng.u32(..5) > 0,
            resource_id: (rng.u32(..3) == 0).then(|| "r-1".into()),
            dial_back_timeout: Duration::from_secs(30),
            reasons: all.into_iter().filter(|_| most || rng.bool()).collect(),
            clicked: rng.bool(),
        };
        let take_up = rng.bool();
        self.input(Input::Init { config, take_up });
    }

    fn connect(&mut self) {
        self.inbox.clear();
        self.open = true;
        self.input(Input::Opened);
        if !self.one_in(4) {
            while !self.inbox.is_empty() {
                self.deliver();
            }
        }
    }

    /// What a hello is answered with; now and then the end of it is lost.
    fn greet(&mut self, held: &[InvitationId]) {
        let left = Duration::from_millis([1_000, 61_000, 3_600_000][self.rng.usize(..3)]);
        self.inbox.push_back(Frame::Welcome {
            person: Person { id: me(), name: "Bob".into() },
            ping: Duration::from_secs(10),
            token_expires_in: left,
        });
        let (views, gone) = self.server.standing(held, Timestamp(self.now));
        self.inbox.extend(views.into_iter().map(|view| Frame::Call(Box::new(view))));
        self.inbox.extend(gone.into_iter().map(Frame::Gone));
        self.inbox.push_back(Frame::Missed(self.server.missed()));
        self.inbox.push_back(Frame::Synced);
    }

    fn disconnect(&mut self) {
        if self.one_in(3) {
            let bye = [Bye::Replaced, Bye::Unauthorized, Bye::UpgradeRequired, Bye::Other][self.rng.usize(..4)];
            self.frame(Frame::Bye(bye));
        }
        self.open = false;
        self.inbox.clear();
        self.input(Input::Closed);
    }

    /// A frame arrives; now and then late, twice, or never.
    fn deliver(&mut self) {
        if self.inbox.len() > 1 && self.one_in(12) {
            self.inbox.swap(0, 1);
        }
        let Some(frame) = self.inbox.pop_front() else { return };
        if self.one_in(25) {
            return;
        }
        if self.one_in(25) {
            self.inbox.push_back(frame.clone());
        }
        self.frame(frame);
    }

    /// Something happens at the server, and most of the time the device is shown it.
    fn happen(&mut self) {
        let now = Timestamp(self.now);
        let view = self.server.happen(now);
        if let Some(view) = view.filter(|_| self.open && self.rng.u32(..4) > 0) {
            self.inbox.push_back(Frame::Call(Box::new(view)));
        }
        if self.open && self.rng.u32(..3) == 0 {
            self.inbox.push_back(Frame::Missed(self.server.missed()));
        }
    }

    fn answer(&mut self) {
        if self.asked.is_empty() || !self.open {
            return self.pass();
        }
        let n = self.asked.len();
        let at = if self.one_in(4) { self.rng.usize(..n) } else { n - 1 - self.rng.usize(..n.min(2)) };
        let (id, ask) = if self.one_in(8) { self.asked[at].clone() } else { self.asked.swap_remove(at) };
        let now = Timestamp(self.now);
        let (answer, view) = if self.one_in(6) {
            let codes = [Code::Unavailable, Code::NotFound, Code::CallEnded, Code::AlreadyInCall, Code::Internal];
            (Err(Refusal::new(codes[self.rng.usize(..codes.len())], "no")), None)
        } else {
            self.server.answer(&ask, now)
        };
        let reply = Frame::Reply { id, answer };
        let view = view.filter(|_| self.rng.u32(..8) > 0).map(|view| Frame::Call(Box::new(view)));
        if self.one_in(4) {
            self.inbox.extend(view);
            self.inbox.push_back(reply);
        } else {
            self.inbox.push_back(reply);
            self.inbox.extend(view);
        }
        if self.rng.bool() {
            while !self.inbox.is_empty() {
                self.deliver();
            }
        }
    }

    fn pass(&mut self) {
        let due = self.runner.session.poll_timeout();
        match (self.rng.u32(..6), due) {
            (0 | 1, Some(due)) => self.now = self.now.max(due.0),
            (2, Some(due)) => self.now = self.now.max(due.0.saturating_sub(1)),
            _ => self.now += SPANS[self.rng.usize(..SPANS.len())],
        }
        if self.rng.bool() {
            // A clock that runs backwards is taken to stand still.
            let back = if self.one_in(10) { 5 } else { 0 };
            self.now -= back;
            self.input(Input::Tick);
            self.now += back;
        }
    }

    fn act(&mut self) {
        self.ids += 1;
        let name = if self.one_in(40) { 1 } else { self.ids };
        let id = text(RequestId::new(&format!("r-{name}")));
        let invitation = self.server.some_id(&mut self.rng);
        let rng = &mut self.rng;
        let ring = Ring {
            timeout: Duration::from_secs(60),
            resource_id: None,
            title: rng.bool().then(|| "Title".into()),
            message: None,
        };
        let turn = rng.bool().then_some(1);
        let ask = match rng.u32(..40) {
            0..=6 => Ask::Send {
                invitees: self.server.invitees(rng),
                call_type: if rng.bool() { CallType::Voice } else { CallType::Video },
                custom_data: "data".into(),
                call_id: rng.bool().then(|| call_id("mine")),
                ring,
            },
            7..=8 => Ask::Invite { invitation, invitees: self.server.invitees(rng), ring },
            9..=15 => Ask::Accept { invitation, turn },
            16..=18 => Ask::Reject { invitation, turn, busy: rng.bool() },
            19..=20 => Ask::Cancel { invitation, whom: None },
            21 => Ask::Cancel { invitation, whom: Some(CancelWhom::Turn { callee: someone(rng).id, turn: 1 }) },
            22..=24 => Ask::Join { invitation },
            25..=26 => Ask::Leave { invitation },
            27 => Ask::End { invitation },
            28..=33 => return self.dial(id),
            34 => Ask::Block(someone(rng).id),
            35 => Ask::DoNotDisturb { lasts: rng.bool().then_some(Duration::from_secs(60)), let_through: Vec::new() },
            36 => Ask::MissedCalls { offset: 0 },
            37 => Ask::History { before: None, limit: Some(10) },
            38 => Ask::UpdateToken(Secret("t".into())),
            _ if rng.u32(..3) == 0 => Ask::Uninit,
            _ => Ask::Fetch { invitation, offset: 0 },
        };
        self.input(Input::Act { id, ask });
    }

    fn dial(&mut self, id: RequestId) {
        let missed = self.some_missed();
        let dial = DialBack {
            missed,
            title: self.rng.bool().then(|| "Calling back".into()),
            message: None,
            timeout: Duration::ZERO,
            resource_id: None,
            default: self.rng.bool(),
        };
        self.input(Input::Act { id, ask: Ask::DialBack(Box::new(dial)) });
    }

    fn some_missed(&mut self) -> MissedRef {
        if !self.shown.is_empty() && !self.one_in(4) {
            return self.shown[self.rng.usize(..self.shown.len())].clone();
        }
        self.server.some_missed(&mut self.rng)
    }

    fn click(&mut self) {
        let missed = (!self.one_in(10)).then(|| self.some_missed());
        let whose = if self.one_in(12) { user("alice") } else { me() };
        if self.one_in(4) {
            return self.input(Input::Dismissed { missed, user: whose });
        }
        let ago = if self.one_in(3) { SPANS[self.rng.usize(..SPANS.len())] } else { 0 };
        self.input(Input::Clicked { missed, user: whose, at: Timestamp(self.now - ago) });
        if self.one_in(3) {
            self.ids += 1;
            let id = text(RequestId::new(&format!("r-{}", self.ids)));
            self.dial(id);
        }
    }

    /// The same person calls twice, about a minute apart (M6).
    fn call_twice(&mut self) {
        let caller = someone(&mut self.rng);
        for _ in 0..2 {
            self.server.miss_aloud(&caller, Timestamp(self.now));
            let list = self.server.missed();
            self.frame(Frame::Missed(list));
            self.now += [59_999, 60_000, 60_001][self.rng.usize(..3)];
        }
    }

    fn restart(&mut self) {
        self.open = false;
        self.inbox.clear();
        self.ids += 1;
        let step = Step::Restart(format!("s{}", self.ids));
        self.runner.step(&step);
        self.steps.push(step);
        if self.rng.bool() {
            self.click();
        }
        self.now += SPANS[self.rng.usize(..SPANS.len())];
        if self.rng.u32(..4) > 0 {
            self.init();
            self.connect();
        }
    }

    fn handover(&mut self) {
        self.steps.push(Step::Handover);
        self.runner.step(&Step::Handover);
        if self.rng.bool() {
            self.connect();
        }
    }

    /// What a right server never says.
    fn oddity(&mut self) {
        let now = Timestamp(self.now);
        match self.rng.u32(..6) {
            0 => self.frame(Frame::Synced),
            1 => self.frame(Frame::Alive),
            2 => {
                let id = self.server.some_id(&mut self.rng);
                self.frame(Frame::Gone(id));
            }
            3 => {
                let view = self.server.nonsense(now);
                self.frame(Frame::Call(Box::new(view)));
            }
            4 => {
                let id = text(RequestId::new(&format!("r-{}", self.rng.u32(..20))));
                self.frame(Frame::Reply { id, answer: Ok(Answered::Other) });
            }
            _ => {
                if let Some(view) = self.server.stale(now) {
                    self.frame(Frame::Call(Box::new(view)));
                }
            }
        }
    }
}
