//! The whole: a server, four phones, and every next thing that can happen.

use crate::memo;
use crate::people::{NEVER, T0, Which, actor, device, names, user};
use crate::phone::{Act, CALL, DIAL, Does, Phone, Told, Up};
use crate::sealed::Sealed;
use crate::server::Server;
use ringback_core::call::{Leaving, TurnRecord, TurnState};
use ringback_core::id::SessionId;
use ringback_core::line::{Made, Remembered};
use ringback_core::step::Step;
use ringback_core::time::Timestamp;

/// How much may happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Acts of each phone's person.
    pub(crate) each: u8,
    /// Acts in all.
    pub(crate) all: u8,
    /// Connections that break, in all.
    pub(crate) breaks: u8,
    /// How often time may pass while something is on its way.
    pub(crate) late: u8,
    /// What people do.
    pub(crate) acts: &'static [Act],
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) server: Sealed<Server>,
    pub(crate) phones: [Sealed<Phone>; 4],
    /// Acts left in all.
    pub(crate) acts: u8,
    /// Breaks left.
    pub(crate) breaks: u8,
    /// How often time may still pass while something is on its way.
    pub(crate) late: u8,
    /// Time is about to pass so; only phones from this one on still have a turn before.
    pub(crate) soon: Option<Which>,
    /// Nothing goes on by itself any more, and nobody does anything any more.
    pub(crate) over: bool,
    /// What was seen to go wrong on the way here; nothing happens after it.
    pub(crate) flaw: Option<&'static str>,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Happens {
    /// A phone has a turn: it gets so many packets, its person may do something, and then what it said so far …
    Turn(Which, usize, Option<Act>, Then),
    /// The server takes the next frame of this phone.
    Arrives(Which),
    /// The server takes the next frame that was sent before the connection broke.
    ArrivesLate(Which),
    /// The server notices a broken connection; what was still on its way is lost.
    Noticed(Which),
    /// The phone connects again, and its hello arrives.
    Reconnects(Which),
    /// Everything on its way arrives; then time passes until something is due, or it is over.
    Rests,
    /// Time passes until something is due, with things on their way.
    TimePasses,
}

/// What becomes of what a phone said in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    /// Its first frame arrives at once.
    Arrives,
    /// Time passes before it arrives.
    Late,
    /// The connection breaks.
    Breaks,
}

const PHONES: std::ops::Range<Which> = 0..4;

impl World {
    /// Everyone connected, nobody called.
    pub(crate) fn begin(bounds: &Bounds) -> Self {
        let mut world = Self {
            now: T0,
            server: Sealed::new(Server::default()),
            phones: std::array::from_fn(|which| Sealed::new(Phone::new(which, bounds.each, T0))),
            acts: bounds.all,
            breaks: bounds.breaks,
            late: bounds.late,
            soon: None,
            over: false,
            flaw: None,
        };
        for which in PHONES {
            world.happen(Happens::Reconnects(which));
            world.happen(Happens::Turn(which, 1, None, Then::Arrives));
        }
        world
    }

    /// All that can happen next.
    pub(crate) fn next(&self, bounds: &Bounds, out: &mut Vec<Happens>) {
        if self.over || self.flaw.is_some() {
            return;
        }
        // While a connection is being opened no time passes: pings, which would close it, aren't part of this.
        let opening = self.phones.iter().any(|p| p.link.is_some() && !p.synced);
        if self.late > 0 && self.next_moment().is_some() && !opening {
            out.push(Happens::TimePasses);
            let first = self.soon.unwrap_or(0);
            (first..4).for_each(|which| self.turns(which, bounds, true, out));
        }
        if self.soon.is_some() {
            return;
        }
        for which in PHONES {
            let phone = &self.phones[which];
            if phone.link.is_none() {
                out.push(Happens::Reconnects(which));
            }
            if phone.link.as_ref().is_some_and(|l| l.arrives(self.now)) {
                out.push(Happens::Arrives(which));
            }
            if let Some(broken) = &phone.broken {
                out.push(Happens::Noticed(which));
                // Before the phone is back, it is the same story as if it had arrived before the connection broke.
                if broken.arrives(self.now) && phone.link.as_ref().is_some_and(|l| l.up.is_empty()) {
                    out.push(Happens::ArrivesLate(which));
                }
            }
            self.turns(which, bounds, false, out);
        }
        let quiet = |p: &Phone| p.link.as_ref().is_some_and(|l| l.up.is_empty()) && p.broken.is_none();
        if self.phones.iter().all(|p| quiet(p)) {
            out.push(Happens::Rests);
        }
    }

    /// The turns that a phone can have, before time passes with things on their way, or otherwise.
    fn turns(&self, which: Which, bounds: &Bounds, soon: bool, out: &mut Vec<Happens>) {
        let breaks = |phone: &Phone| !soon && self.breaks > 0 && phone.may_break();
        let then = if soon { Then::Late } else { Then::Arrives };
        let mut phone = self.phones[which].clone();
        if phone.said() > 0 {
            if breaks(&phone) {
                out.push(Happens::Turn(which, 0, None, Then::Breaks));
            }
            return;
        }
        for gets in 0..=phone.awaits() {
            if gets > 0 {
                phone = memo::done(&phone, Does::Receives, self.now).0;
            }
            let mut turn = |act: Option<Act>, says: bool| {
                out.extend(says.then_some(Happens::Turn(which, gets, act, then)));
                out.extend(breaks(&phone).then_some(Happens::Turn(which, gets, act, Then::Breaks)));
            };
            if phone.said() > 0 {
                turn(None, true);
                break;
            }
            turn(None, soon && gets > 0);
            if self.acts > 0 && self.turn_of(which) {
                bounds.acts.iter().filter(|act| phone.may(**act)).for_each(|act| turn(Some(*act), true));
            }
        }
    }

    /// Users, and the phones of one user, differ in nothing but their names. So that each story is told once and not
    /// eight times: who acts first is phone 0, and phone 2 is the first of its user's to act.
    fn turn_of(&self, which: Which) -> bool {
        let acted = |which: Which| self.phones[which].done > 0;
        which == 0 || acted(0) && (which != 3 || acted(2))
    }

    fn next_moment(&self) -> Option<Timestamp> {
        let phones = self.phones.iter().filter_map(|p| p.session.poll_timeout());
        phones.chain(self.server.wake).filter(|at| *at < T0 + NEVER / 2).min()
    }

    /// The world after this happened; none if it can't.
    pub(crate) fn after(&self, happens: Happens, bounds: &Bounds) -> Option<Self> {
        let mut world = self.clone();
        world.happen(happens)?;
        world.absorb(bounds);
        Some(world)
    }

    fn happen(&mut self, happens: Happens) -> Option<()> {
        match happens {
            Happens::Turn(which, gets, act, then) => {
                for _ in 0..gets {
                    self.phone(which, Does::Receives);
                }
                if let Some(act) = act {
                    self.acts -= 1;
                    self.phone(which, Does::Acts(act));
                }
                match then {
                    Then::Arrives => self.arrives(which),
                    Then::Late => {
                        let now = self.now;
                        self.phones[which].change(|p| p.link.as_mut().map(|l| l.held = now));
                        self.soon = Some(which + 1);
                    }
                    Then::Breaks => {
                        self.breaks -= 1;
                        self.phone(which, Does::Breaks);
                    }
                }
            }
            Happens::Arrives(which) => self.arrives(which),
            Happens::ArrivesLate(which) => {
                let frame = self.phones[which].change(|p| {
                    let link = p.broken.as_mut()?;
                    Some((link.session, link.up.pop_front()?))
                });
                self.take(which, frame);
            }
            Happens::Noticed(which) => {
                if let Some(link) = self.phones[which].change(|p| p.broken.take()) {
                    self.serve(Some(Step::Gone(actor(which, link.session))));
                }
            }
            Happens::Reconnects(which) => {
                self.phone(which, Does::Connects);
                self.arrives(which);
            }
            Happens::Rests => {
                for which in PHONES {
                    while self.phones[which].awaits() > 0 {
                        self.phone(which, Does::Receives);
                    }
                }
                // Who has something to say says it in a turn.
                if self.phones.iter().any(|p| p.said() > 0) {
                    return None;
                }
                self.over = self.next_moment().is_none();
                self.pass();
            }
            Happens::TimePasses => {
                self.late -= 1;
                self.soon = None;
                self.pass();
            }
        }
        Some(())
    }

    /// A phone whose person can do nothing before it has got more, gets it at once: nothing of its own could come
    /// before. What makes it speak is left for a turn.
    fn absorb(&mut self, bounds: &Bounds) {
        if self.late > 0 || self.breaks > 0 {
            return;
        }
        for which in PHONES {
            while self.phones[which].awaits() > 0 && !self.may_act(which, bounds) {
                let (after, _) = memo::done(&self.phones[which], Does::Receives, self.now);
                if after.said() > self.phones[which].said() {
                    break;
                }
                self.phone(which, Does::Receives);
            }
        }
    }

    fn may_act(&self, which: Which, bounds: &Bounds) -> bool {
        self.acts > 0 && bounds.acts.iter().any(|act| self.phones[which].may(*act))
    }

    /// Something happens to a phone; what it tells is held against what the server knows.
    fn phone(&mut self, which: Which, does: Does) {
        let (phone, told) = memo::done(&self.phones[which], does, self.now);
        self.phones[which] = phone;
        let wrong = |told: &Told| match *told {
            Told::Missed(by, invitation, turn) => {
                (!self.server.missed_turn(user(which), invitation, turn)).then_some(by)
            }
            Told::Wrong(what) => Some(what),
        };
        self.flaw = self.flaw.or(told.iter().find_map(wrong));
    }

    /// What is due next is done: by the server, then by the phones.
    fn pass(&mut self) {
        self.now = self.next_moment().unwrap_or(self.now);
        if self.server.wake.is_some_and(|at| at <= self.now) {
            self.serve(None);
        }
        for which in PHONES {
            self.phone(which, Does::Ticks);
        }
    }

    /// The next frame of this phone arrives, if there is one.
    fn arrives(&mut self, which: Which) {
        let frame = self.phones[which].change(|p| {
            let link = p.link.as_mut()?;
            Some((link.session, link.up.pop_front()?))
        });
        self.take(which, frame);
    }

    fn take(&mut self, which: Which, frame: Option<(SessionId, Up)>) {
        if let Some((session, frame)) = frame {
            self.serve(Some(Phone::step(which, session, frame)));
        }
    }

    /// The server decides, and what leaves is on its way.
    fn serve(&mut self, step: Option<Step>) {
        let (server, packets, flaw) = memo::decided(&self.server, step.as_ref(), self.now);
        self.server = server;
        self.flaw = self.flaw.or(flaw);
        for phone in &mut self.phones {
            let session = phone.link.as_ref().map(|l| l.session);
            let packet = packets.iter().find(|(to, packet)| Some(*to) == session && !packet.is_empty());
            if let Some((_, packet)) = packet {
                phone.change(|p| p.link.as_mut().map(|l| l.down.push_back(packet.clone())));
            }
        }
    }
}

/// The properties, as questions about one moment.
impl World {
    /// spec: L8
    pub(crate) fn in_two_calls(&self) -> bool {
        names().users.iter().any(|user| self.server.engaged(user).count() > 1)
    }

    /// spec: M1, M4, L10: a missed call of a turn that ended otherwise, or of somebody with whom one is in a call.
    pub(crate) fn falsely_missed(&self) -> bool {
        let connected = self.server.connected().is_some();
        self.server.missed.keys().any(|(user, id)| connected || !self.server.missed_turn(user, id.invitation, id.turn))
    }

    /// One connected call or everyone free; and every phone shows just that, and the missed calls that there are.
    pub(crate) fn at_rest(&self) -> bool {
        let running = self.server.calls.values().filter(|c| c.running()).count();
        let whole = running == usize::from(self.server.connected().is_some()) && running < 2;
        whole && PHONES.into_iter().all(|which| self.shows_the_truth(which))
    }

    fn shows_the_truth(&self, which: Which) -> bool {
        let (phone, user) = (&self.phones[which], user(which));
        let here = self.server.engaged(user).find(|(_, on)| *on == device(which));
        let unhandled = self.server.missed_by(user).filter(|m| !m.handled());
        let newest = unhandled.max_by_key(|m| (m.missed_at, m.id));
        phone.session.in_call() == here.map(|(call, _)| call.id)
            && phone.rings.is_empty()
            && phone.waits.is_none()
            && phone.shown.iter().map(|m| m.id).eq(newest.map(|m| m.id))
    }

    fn every_turn(&self) -> impl Iterator<Item = &TurnRecord> {
        self.server.calls.values().flat_map(|c| &c.participants).flat_map(|p| &p.turns)
    }

    /// spec: L10
    pub(crate) fn crossed(&self) -> bool {
        self.every_turn().any(|t| t.crossed && asked(t, CALL))
    }

    /// spec: D8
    pub(crate) fn dialed_into_a_pending_turn(&self) -> bool {
        self.every_turn().any(|t| t.crossed && asked(t, DIAL))
    }

    /// spec: D7
    pub(crate) fn returned_on_another_phone(&self) -> bool {
        let elsewhere = |r: &Remembered| matches!(&r.made, Made::DialedBack { device, .. } if *device != r.device);
        self.server.requests.values().any(|r| elsewhere(r))
    }

    /// spec: D4
    pub(crate) fn dialed_back(&self) -> bool {
        self.server.connected().is_some_and(|c| c.dial_back)
    }

    /// spec: L9: a phone is in the call that it was in on an earlier connection.
    pub(crate) fn came_back(&self) -> bool {
        let again = |which: Which| {
            let phone = &self.phones[which];
            let here = self.server.engaged(user(which)).find(|(_, on)| *on == device(which));
            phone.opened > 1 && phone.synced && here.is_some_and(|(call, _)| phone.session.in_call() == Some(call.id))
        };
        self.server.connected().is_some() && PHONES.into_iter().any(again)
    }

    /// spec: L9
    pub(crate) fn lost(&self) -> bool {
        self.every_turn().any(|t| t.leaving == Some(Leaving::Lost))
    }

    pub(crate) fn some_turn(&self, state: TurnState) -> bool {
        self.every_turn().any(|t| t.state == state)
    }
}

fn asked(turn: &TurnRecord, kind: &str) -> bool {
    turn.answered.as_ref().is_some_and(|a| a.request.as_str().starts_with(kind))
}
