//! The device's rules, a clause a test. What is compared is what an app and a person would see.

mod calls;
mod missed;
mod requests;

use super::*;
use crate::call::{CallType, EndReason, MissedReason, Mode, Other, OtherTurn, OwnTurn, TurnKind, TurnState};
use crate::id::{CallId, DeviceId, InvitationId, MissedId, Person, RequestId, UserId};
use crate::line::{Made, MissedCall};
use crate::refusal::{Code, Refusal};
use crate::step::{MissedEntry, MissedView, Reply, Ring};

pub(super) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub(super) fn person(id: &str) -> Person {
    let mut name = id.to_owned();
    name[..1].make_ascii_uppercase();
    Person { id: user(id), name: name.into() }
}

pub(super) fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

pub(super) fn rid(id: &str) -> RequestId {
    RequestId::new(id).unwrap()
}

pub(super) const ONE: InvitationId = InvitationId(1);
pub(super) const TWO: InvitationId = InvitationId(2);
pub(super) const HERE: &str = "d-1";

pub(super) fn config() -> Config {
    Config {
        missed_enabled: true,
        dial_back: true,
        resource_id: None,
        dial_back_timeout: Duration::from_secs(30),
        reasons: [MissedReason::NoAnswer, MissedReason::Cancelled, MissedReason::Busy, MissedReason::DoNotDisturb]
            .into(),
        clicked: false,
    }
}

/// Bob's device, and its clock.
pub(super) struct Bed {
    pub(super) session: Session,
    pub(super) now: u64,
    pub(super) persisted: Persisted,
}

impl Bed {
    /// Started, with its app, not connected.
    pub(super) fn started(config: Config) -> Self {
        let mut bed = Self::bare(Persisted::default());
        bed.input(Input::Init { config, take_up: false });
        bed
    }

    /// A process without an app yet.
    pub(super) fn bare(persisted: Persisted) -> Self {
        let session = Session::new(user("bob"), device(HERE), "seed", persisted.clone());
        Self { session, now: 1_000_000, persisted }
    }

    /// Connected, with nothing missed and no call.
    pub(super) fn connected() -> Self {
        let mut bed = Self::started(config());
        bed.connect();
        bed
    }

    pub(super) fn connect(&mut self) -> Vec<Output> {
        let mut out = self.input(Input::Opened);
        out.extend(self.welcome());
        out.extend(self.frame(Frame::Synced));
        out
    }

    pub(super) fn welcome(&mut self) -> Vec<Output> {
        self.frame(Frame::Welcome {
            person: person("bob"),
            ping: Duration::from_secs(10),
            token_expires_in: Duration::from_secs(3600),
        })
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<Output> {
        let out = self.session.input(Timestamp(self.now), input);
        if let Some(Output::Persist(state)) = out.last() {
            self.persisted = (**state).clone();
        }
        out
    }

    pub(super) fn frame(&mut self, frame: Frame) -> Vec<Output> {
        self.input(Input::Frame(frame))
    }

    pub(super) fn view(&mut self, view: CallView) -> Vec<Output> {
        self.frame(Frame::Call(Box::new(view)))
    }

    pub(super) fn list(&mut self, revision: u64, calls: Vec<MissedEntry>) -> Vec<Output> {
        let total = calls.len();
        self.frame(Frame::Missed(MissedView { revision, calls, total }))
    }

    pub(super) fn act(&mut self, id: &str, ask: Ask) -> Vec<Output> {
        self.input(Input::Act { id: rid(id), ask })
    }

    pub(super) fn reply(&mut self, id: &str, reply: Reply) -> Vec<Output> {
        self.frame(Frame::Reply { id: rid(id), answer: Ok(Answered::Core(reply)) })
    }

    pub(super) fn refuse(&mut self, id: &str, code: Code) -> Vec<Output> {
        self.frame(Frame::Reply { id: rid(id), answer: Err(Refusal::new(code, "no")) })
    }

    pub(super) fn pass(&mut self, ms: u64) -> Vec<Output> {
        self.now += ms;
        self.input(Input::Tick)
    }

    pub(super) fn lose(&mut self) -> Vec<Output> {
        self.input(Input::Closed)
    }

    pub(super) fn click(&mut self, missed: MissedRef) -> Vec<Output> {
        let at = Timestamp(self.now);
        self.input(Input::Clicked { missed: Some(missed), user: user("bob"), at })
    }

    /// The same device in a new process, with what was kept.
    pub(super) fn restarted(self) -> Self {
        let mut bed = Self::bare(self.persisted);
        bed.now = self.now;
        bed
    }
}

/// What the app is told, by its clause and parameters that matter.
pub(super) fn told(out: &[Output]) -> Vec<String> {
    out.iter()
        .filter_map(|o| match o {
            Output::Event(event, about) => {
                let bare = about.as_ref().is_some_and(|a| !a.complete);
                Some(say(event)? + if bare { " (incomplete)" } else { "" })
            }
            _ => None,
        })
        .collect()
}

fn say(event: &Event) -> Option<String> {
    Some(match event {
        Event::IncomingCallTimeout { call_id, caller } => format!("S1 {call_id} {}", caller.name),
        Event::IncomingMissedCallClicked { call_id, callees, custom_data, .. } => {
            format!("S2 {call_id} {} {custom_data}", names(callees))
        }
        Event::IncomingMissedCallDialBackFailed { reason, call_id, .. } => format!("S3 {call_id} {reason}"),
        Event::IncomingCallReceived { call_id, caller, custom_data, callees, .. } => {
            format!("S4 {call_id} {} {} {custom_data}", caller.name, names(callees))
        }
        Event::IncomingCallCanceled { call_id, caller, custom_data } => {
            format!("S5 {call_id} {} {custom_data}", caller.name)
        }
        Event::IncomingCallAnsweredElsewhere { call_id, how } => format!("S6 {call_id} {how:?}"),
        Event::OutgoingCallSent { call_id, callees, refused, .. } => {
            let refused: String = refused.iter().map(|(user, code)| format!(" {user}:{code}")).collect();
            format!("S7 {call_id} {}{refused}", names(callees))
        }
        Event::OutgoingCallAccepted { callee, .. } => format!("S8 accepted {}", callee.name),
        Event::OutgoingCallDeclined { callee, .. } => format!("S8 declined {}", callee.name),
        Event::OutgoingCallRejectedCauseBusy { callee, .. } => format!("S8 busy {}", callee.name),
        Event::OutgoingCallTimeout { callees, video, .. } => format!("S9 {} {video}", names(callees)),
        Event::CallEnded { call_id, reason } => format!("S11 {call_id} {reason:?}"),
        Event::MissedCallsChanged { total, .. } => format!("S12 {total}"),
        Event::ConnectionStateChanged(state) => format!("S13 {state:?}"),
        Event::TokenWillExpire(left) => format!("S13 token {}", left.as_secs()),
        Event::NotificationsDenied => "S13 denied".into(),
        // Asserted where it is meant.
        Event::InvitationUserStateChanged { .. } => return None,
    })
}

fn names(people: &[Person]) -> String {
    people.iter().map(|p| &*p.name).collect::<Vec<_>>().join("+")
}

/// What is asked of the server.
pub(super) fn asked(out: &[Output]) -> Vec<Ask> {
    let asks = out.iter().filter_map(|o| match o {
        Output::Request { ask, .. } => Some(ask.clone()),
        _ => None,
    });
    asks.collect()
}

/// What the person sees: notifications and rings.
pub(super) fn seen(out: &[Output]) -> Vec<String> {
    out.iter()
        .filter_map(|o| match o {
            Output::Show(show) => {
                let action = show.action.map_or_else(String::new, |a| format!(" [{a:?}]"));
                Some(format!("{}: {}{action}{}", show.title, show.body, if show.sound { " ♪" } else { "" }))
            }
            Output::Withdraw(key) => Some(format!("- {key}")),
            Output::ShowRing(ring) => Some(format!("ring {}", ring.caller.name)),
            Output::HideRing { .. } => Some("no ring".into()),
            _ => None,
        })
        .collect()
}

pub(super) fn hello(out: &[Output]) -> (Vec<(InvitationId, u64)>, crate::step::Claim) {
    let said = out.iter().find_map(|o| match o {
        Output::Hello { holds, claim } => Some((holds.clone(), claim.clone())),
        _ => None,
    });
    said.expect("a hello")
}

/// The name of the machine's own request of this kind.
pub(super) fn own(out: &[Output], which: impl Fn(&Ask) -> bool) -> String {
    let id = out.iter().find_map(|o| match o {
        Output::Request { id, ask } if which(ask) => Some(id.to_string()),
        _ => None,
    });
    id.expect("a request of the machine's own")
}

pub(super) fn other(id: &str, no: u32, kind: TurnKind, inviter: &str, state: TurnState) -> Other {
    let turns = vec![OtherTurn { no, kind, inviter: user(inviter), state }];
    Other { person: person(id), changed: 1, turns }
}

pub(super) fn turn(no: u32, kind: TurnKind, inviter: &str, state: TurnState) -> OwnTurn {
    OwnTurn {
        no,
        kind,
        inviter: user(inviter),
        state,
        deadline: Timestamp(1_060_000),
        device: None,
        leaving: None,
        crossed: false,
        do_not_disturb: false,
    }
}

fn view(id: InvitationId, initiator: &str, own: OwnTurn, others: Vec<Other>) -> CallView {
    CallView {
        invitation: id,
        revision: 1,
        call_id: CallId::new(&format!("c{}", id.0)).unwrap(),
        call_type: CallType::Video,
        mode: Mode::Advanced,
        group: others.len() > 1,
        initiator: user(initiator),
        custom_data: Some("data".into()),
        at: Timestamp(5),
        own: vec![own],
        others_count: others.len() as u32,
        others,
        in_call: 1,
        entered: None,
        ended: None,
        can_join: false,
    }
}

/// Alice rings Bob.
pub(super) fn rung(id: InvitationId) -> CallView {
    let alice = other("alice", 0, TurnKind::Origin, "alice", TurnState::Accepted);
    view(id, "alice", turn(1, TurnKind::Invited, "alice", TurnState::Inviting), vec![alice])
}

/// Bob, on this device, rings these.
pub(super) fn sent(id: InvitationId, callees: &[&str]) -> CallView {
    let others = callees.iter().map(|c| other(c, 1, TurnKind::Invited, "bob", TurnState::Inviting)).collect();
    let own = OwnTurn { device: Some(device(HERE)), ..turn(0, TurnKind::Origin, "bob", TurnState::Accepted) };
    view(id, "bob", own, others)
}

/// The same call, this many revisions later, changed.
pub(super) fn later(view: &CallView, by: u64, change: impl FnOnce(&mut CallView)) -> CallView {
    let mut view = view.clone();
    view.revision += by;
    change(&mut view);
    view
}

/// The own turn came to this.
pub(super) fn to(state: TurnState) -> impl Fn(&mut CallView) {
    move |view| view.own.last_mut().unwrap().state = state
}

/// Another's turn came to this.
pub(super) fn they(view: &mut CallView, id: &str, state: TurnState) {
    let revision = view.revision;
    let other = view.others.iter_mut().find(|o| o.person.id == user(id)).unwrap();
    other.changed = revision;
    other.turns.last_mut().unwrap().state = state;
}

pub(super) fn missed(id: InvitationId, caller: &str, reason: MissedReason) -> MissedEntry {
    let call = MissedCall {
        id: MissedId { invitation: id, turn: 1 },
        call_id: CallId::new(&format!("c{}", id.0)).unwrap(),
        caller: person(caller),
        call_type: CallType::Video,
        group: false,
        reason,
        cancelled: reason == MissedReason::Cancelled,
        at: Timestamp(5),
        missed_at: Timestamp(900_000 + id.0 as u64),
        silent: false,
        can_join: false,
        clicked: None,
        returned: false,
    };
    MissedEntry { call, of: 1, existed: true }
}

pub(super) fn named(entry: &MissedEntry) -> MissedRef {
    let MissedCall { id, call_id, caller, call_type, group, .. } = entry.call.clone();
    MissedRef { id, call_id, caller, call_type, group }
}

pub(super) fn ring() -> Ring {
    Ring { timeout: Duration::from_secs(60), resource_id: None, title: None, message: None }
}

pub(super) fn send(callees: &[&str]) -> Ask {
    Ask::Send {
        invitees: callees.iter().map(|c| user(c)).collect(),
        call_type: CallType::Video,
        custom_data: "data".into(),
        call_id: None,
        ring: ring(),
    }
}

pub(super) fn invited(id: InvitationId, refused: &[(&str, Code)]) -> Reply {
    Reply::Made(Made::Invited {
        invitation: id,
        call_id: CallId::new("c").unwrap(),
        refused: refused.iter().map(|(u, code)| (user(u), *code)).collect(),
        crossed: false,
    })
}

/// A bed in which Bob called these, and the server showed it.
pub(super) fn calling(callees: &[&str]) -> (Bed, CallView) {
    let mut bed = Bed::connected();
    bed.act("r-1", send(callees));
    bed.reply("r-1", invited(ONE, &[]));
    let view = sent(ONE, callees);
    bed.view(view.clone());
    (bed, view)
}

pub(super) fn ended(reason: EndReason) -> impl Fn(&mut CallView) {
    move |view| {
        view.ended = Some(reason);
        let own = view.own.last_mut().unwrap();
        if own.state == TurnState::Accepted {
            own.state = TurnState::Left;
            own.leaving = Some(crate::call::Leaving::Asked);
        }
    }
}
