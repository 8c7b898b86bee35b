//! One phone: the real session, the little that a shell and a person do around it, and its connections.

use crate::people::{RINGS, Which, actor, config, device, other, request, ring, user};
use crate::sealed::Sealed;
use ringback_core::call::CallType;
use ringback_core::device::{self, Ask, Connection, DialBack, Event, Frame, Input, MissedRef, Output, Session};
use ringback_core::id::{InvitationId, RequestId, SessionId, TurnNo};
use ringback_core::step::{self, CancelWhom, Claim, Invitee};
use ringback_core::time::Timestamp;
use std::collections::VecDeque;

/// Something that a phone says, on its way to the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Up {
    Hello { holds: Vec<(InvitationId, u64)>, claim: Claim },
    Request { id: RequestId, ask: Ask },
}

/// One connection, with what is on its way over it. What leaves the server together arrives together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) session: SessionId,
    pub(crate) up: VecDeque<Up>,
    pub(crate) down: VecDeque<Sealed<Vec<Frame>>>,
    /// What is on its way to the server arrives after this moment: it is held up until time has passed.
    pub(crate) held: Timestamp,
}

impl Link {
    /// Whether the next frame may arrive now.
    pub(crate) fn arrives(&self, now: Timestamp) -> bool {
        !self.up.is_empty() && self.held < now
    }
}

/// One phone. Its person does one thing after another, and the next when the outcome of the last is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Phone {
    which: Which,
    pub(crate) session: Sealed<Session>,
    /// Acts that its person may still do.
    pub(crate) acts: u8,
    /// Acts done.
    pub(crate) done: u8,
    /// The act whose outcome is not there yet.
    pub(crate) waits: Option<RequestId>,
    /// What rings.
    pub(crate) rings: Vec<(InvitationId, TurnNo)>,
    /// The notifications on show.
    pub(crate) shown: Vec<MissedRef>,
    pub(crate) link: Option<Link>,
    /// A connection that broke, of which the server doesn't know yet: what was sent on it may still arrive.
    pub(crate) broken: Option<Link>,
    /// Connections opened so far.
    pub(crate) opened: u8,
    /// How things stand is known on this connection.
    pub(crate) synced: bool,
}

/// How the name of a request begins that called.
pub(crate) const CALL: &str = "call";
/// How the name of a request begins that dialled back.
pub(crate) const DIAL: &str = "dial";

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    /// Calls the other.
    Call,
    /// Accepts what rings.
    Accept,
    /// Declines what rings.
    Decline,
    /// Calls off the call that rings there, or has just been answered.
    Cancel,
    /// Clicks on the missed-call notification.
    DialBack,
}

/// What happens to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Does {
    /// The next packet arrives.
    Receives,
    /// Its person does this.
    Acts(Act),
    /// It opens a connection.
    Connects,
    /// Its connection breaks: what was on its way to it is lost.
    Breaks,
    /// Time has passed.
    Ticks,
}

/// What a phone told its person that can be held against the server's truth.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    /// A missed call of this turn, and by what.
    Missed(&'static str, InvitationId, TurnNo),
    /// What can't be.
    Wrong(&'static str),
}

impl Phone {
    pub(crate) fn new(which: Which, acts: u8, now: Timestamp) -> Self {
        let (me, seed) = (user(which).clone(), format!("own-{which}"));
        let session = Session::new(me, device(which).clone(), &seed, device::Persisted::default());
        let mut phone = Self {
            which,
            session: Sealed::new(session),
            acts,
            done: 0,
            waits: None,
            rings: Vec::new(),
            shown: Vec::new(),
            link: None,
            broken: None,
            opened: 0,
            synced: false,
        };
        phone.input(now, Input::Init { config: config(), take_up: true });
        phone
    }

    /// Packets on their way to it.
    pub(crate) fn awaits(&self) -> usize {
        self.link.as_ref().map_or(0, |l| l.down.len())
    }

    /// How much of what it said is on its way on its connection.
    pub(crate) fn said(&self) -> usize {
        self.link.as_ref().map_or(0, |l| l.up.len())
    }

    /// Whether its connection may break now. One that is being opened doesn't, nor a second one before the server
    /// knows of the first.
    pub(crate) fn may_break(&self) -> bool {
        self.synced && self.broken.is_none()
    }

    /// Whether its person would do this now, by what the phone knows.
    pub(crate) fn may(&self, act: Act) -> bool {
        let may = || match act {
            Act::Call => self.session.in_call().is_none() && self.rings.is_empty(),
            Act::Accept | Act::Decline => !self.rings.is_empty(),
            Act::Cancel => self.outgoing().is_some(),
            Act::DialBack => !self.shown.is_empty(),
        };
        self.acts > 0 && self.waits.is_none() && may()
    }

    /// The call of this phone that rings there.
    fn outgoing(&self) -> Option<InvitationId> {
        let view = self.session.call(self.session.in_call()?)?;
        let pending = view.others.iter().any(|o| o.turns.last().is_some_and(|t| t.state.pending()));
        (view.initiator == *user(self.which) && pending).then_some(view.invitation)
    }

    /// Does something, and says what it told.
    pub(crate) fn does(&mut self, does: Does, now: Timestamp) -> Vec<Told> {
        match does {
            Does::Receives => {
                let packet = self.link.as_mut().and_then(|l| l.down.pop_front());
                let frames = packet.iter().flat_map(|p| p.iter());
                frames.flat_map(|frame| self.input(now, Input::Frame(frame.clone()))).collect()
            }
            Does::Acts(act) => self.act(act, now),
            Does::Connects => {
                let session = SessionId(self.which as u64 * 100 + u64::from(self.opened));
                self.opened += 1;
                self.link = Some(Link { session, up: VecDeque::new(), down: VecDeque::new(), held: Timestamp(0) });
                self.input(now, Input::Opened)
            }
            Does::Breaks => {
                self.broken = self.link.take().map(|link| Link { down: VecDeque::new(), ..link });
                self.synced = false;
                self.input(now, Input::Closed)
            }
            Does::Ticks => self.input(now, Input::Tick),
        }
    }

    fn act(&mut self, act: Act, now: Timestamp) -> Vec<Told> {
        self.acts -= 1;
        self.done += 1;
        let ask = match act {
            Act::Call => Ask::Send {
                invitees: vec![other(self.which).clone()],
                call_type: CallType::Voice,
                custom_data: "".into(),
                call_id: None,
                ring: ring(),
            },
            Act::Accept => {
                let (invitation, turn) = self.rings[0];
                Ask::Accept { invitation, turn: Some(turn) }
            }
            Act::Decline => {
                let (invitation, turn) = self.rings[0];
                Ask::Reject { invitation, turn: Some(turn), busy: false }
            }
            Act::Cancel => Ask::Cancel { invitation: self.outgoing().unwrap(), whom: None },
            Act::DialBack => {
                let missed = Some(self.shown[0].clone());
                return self.input(now, Input::Clicked { missed, user: user(self.which).clone(), at: now });
            }
        };
        let kind = if act == Act::Call { CALL } else { "answer" };
        self.ask(kind, ask, now)
    }

    fn ask(&mut self, kind: &str, ask: Ask, now: Timestamp) -> Vec<Told> {
        let id = request(self.which, kind, self.done);
        self.waits = Some(id.clone());
        self.input(now, Input::Act { id, ask })
    }

    /// Gives the session an input, and does what it says, as a shell does.
    fn input(&mut self, now: Timestamp, input: Input) -> Vec<Told> {
        let outputs = self.session.change(|session| session.input(now, input));
        outputs.into_iter().flat_map(|output| self.output(output, now)).collect()
    }

    fn output(&mut self, output: Output, now: Timestamp) -> Vec<Told> {
        let mut send = |frame: Up| self.link.iter_mut().for_each(|l| l.up.push_back(frame.clone()));
        match output {
            Output::Hello { holds, claim } => send(Up::Hello { holds, claim }),
            Output::Request { id, ask } => send(Up::Request { id, ask }),
            Output::Reply { id, .. } => self.waits = self.waits.take().filter(|waits| *waits != id),
            Output::ShowRing(ring) => self.rings.push((ring.invitation, ring.turn)),
            Output::HideRing { invitation, turn } => self.rings.retain(|r| *r != (invitation, turn)),
            Output::Show(show) => {
                self.shown.retain(|m| m.key() != show.key);
                self.shown.extend(show.missed.clone());
                let of = show.missed.map(|missed| missed.id);
                return of.map(|id| Told::Missed("M1: a notification", id.invitation, id.turn)).into_iter().collect();
            }
            Output::Withdraw(key) => self.shown.retain(|m| m.key() != key),
            Output::DefaultAction(missed) => {
                let dial = DialBack {
                    missed: *missed,
                    title: None,
                    message: None,
                    timeout: RINGS,
                    resource_id: None,
                    default: true,
                };
                return self.ask(DIAL, Ask::DialBack(Box::new(dial)), now);
            }
            Output::Event(event, about) => match (*event, about) {
                (Event::ConnectionStateChanged(state), _) => self.synced = state == Connection::Connected,
                (Event::IncomingCallTimeout { .. } | Event::IncomingCallCanceled { .. }, Some(about)) => {
                    return vec![Told::Missed("S1, S5", about.invitation, about.turn.unwrap_or_default())];
                }
                _ => {}
            },
            Output::Persist(_) => {}
            Output::Ping | Output::Close => return vec![Told::Wrong("N3: a live connection was taken for dead")],
        }
        Vec::new()
    }

    /// What a frame asks of the engine, on the connection that it came by.
    pub(crate) fn step(which: Which, session: SessionId, frame: Up) -> step::Step {
        let by = actor(which, session);
        match frame {
            Up::Hello { holds, claim } => step::Step::Hello(Box::new(crate::people::hello(by, holds, claim))),
            Up::Request { id, ask } => step::Step::Request { by, request: id, ask: asked(ask) },
        }
    }
}

/// What the wire makes of a request (docs/protocol.md), for those that a phone of the model makes.
fn asked(ask: Ask) -> step::Ask {
    match ask {
        Ask::Send { invitees, call_type, custom_data, call_id, ring } => step::Ask::Send(step::Send {
            invitees: invitees.into_iter().map(|user| Invitee { user, unreachable: false }).collect(),
            call_type,
            custom_data,
            call_id,
            ring,
            end_when_initiator_leaves: false,
            can_invite_in_calling: false,
            only_initiator_can_invite: false,
        }),
        Ask::Ringing { invitation, turn } => step::Ask::Ringing { invitation, turn },
        Ask::Accept { invitation, turn } => step::Ask::Accept { invitation, turn: turn.unwrap_or_default() },
        Ask::Reject { invitation, turn, busy } => {
            step::Ask::Reject { invitation, turn: turn.unwrap_or_default(), busy }
        }
        Ask::Cancel { invitation, whom } => {
            step::Ask::Cancel { invitation, whom: whom.unwrap_or(CancelWhom::All { seen: 0 }) }
        }
        Ask::Leave { invitation } => step::Ask::Leave { invitation },
        Ask::Fetch { invitation, offset } => step::Ask::Fetch { invitation, offset },
        Ask::Click(missed) => step::Ask::Click { missed: missed.id },
        Ask::DialBack(dial) => step::Ask::DialBack {
            missed: dial.missed.id,
            ring: ring(),
            end_when_initiator_leaves: false,
            can_invite_in_calling: false,
            only_initiator_can_invite: false,
            unreachable: false,
        },
        other => panic!("no phone of the model asks {other:?}"),
    }
}
