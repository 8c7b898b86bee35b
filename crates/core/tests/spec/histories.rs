//! Random histories of four people with two devices each, with everything resident and with nothing.

use crate::people::user;
use crate::server::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ringback_core::call::{CallRecord, CallType, Leaving, TurnRecord, TurnState};
use ringback_core::engine::Keep;
use ringback_core::id::{InvitationId, MissedId, RequestId, UserId};
use ringback_core::limits::Limits;
use ringback_core::line::{DoNotDisturb, Made};
use ringback_core::refusal::Code;
use ringback_core::step::{Actor, Answer, Ask, CancelWhom, Claim, Reply, Step};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

const PEOPLE: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Hello,
    Gone,
    Send,
    Invite,
    Ringing,
    Accept,
    Reject,
    Cancel,
    Join,
    Leave,
    End,
    DialBack,
    Click,
    Dismiss,
    Block,
    Unblock,
    Quiet,
    Fetch,
    Signal,
    Uninit,
    /// The device's last request again, whatever happened since (N2).
    Repeat,
    /// With the next one in one batch.
    Together,
    Wait,
    Restart,
}

/// One act; what the numbers mean is up to it, so that any of them is one.
#[derive(Debug, Clone, Copy)]
struct Act {
    what: What,
    who: usize,
    on: usize,
    pick: usize,
    flags: u8,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    use What::*;
    let weighted = [
        (6, Hello),
        (6, Gone),
        (26, Send),
        (6, Invite),
        (6, Ringing),
        (16, Accept),
        (5, Reject),
        (5, Cancel),
        (7, Join),
        (7, Leave),
        (3, End),
        (14, DialBack),
        (5, Click),
        (3, Dismiss),
        (5, Block),
        (5, Unblock),
        (6, Quiet),
        (1, Fetch),
        (8, Signal),
        (1, Uninit),
        (6, Repeat),
        (6, Together),
        (22, Wait),
        (1, Restart),
    ];
    let what = proptest::strategy::Union::new_weighted(weighted.map(|(w, what)| (w, Just(what))).to_vec());
    let act = (what, 0..PEOPLE.len(), 0..2usize, 0..64usize, any::<u8>());
    let act = act.prop_map(|(what, who, on, pick, flags)| Act { what, who, on, pick, flags });
    proptest::collection::vec(act, 10..80)
}

/// How often the runs came to what is hard to come to.
#[derive(Debug, Default)]
struct Reached {
    accept: usize,
    crossing: usize,
    d8: usize,
    join: usize,
    late_accept: usize,
    hidden: usize,
    grace_kept: usize,
    grace_over: usize,
    engaged: usize,
    missed: usize,
    repeats: usize,
    refusals: usize,
    signals: usize,
}

impl Reached {
    /// Counts what the end of a history shows.
    fn count(&mut self, server: &Server) {
        for turn in turns(server) {
            self.accept += usize::from(turn.state == TurnState::Left);
            self.crossing += usize::from(turn.crossed);
            self.hidden += usize::from(turn.hidden.is_some());
            self.grace_over += usize::from(turn.leaving == Some(Leaving::Lost));
            self.missed += usize::from(turn.missed.is_some());
        }
    }

    fn assert_all(&self) {
        let Self { accept, crossing, d8, join, late_accept, hidden, grace_kept, grace_over, .. } = self;
        let Self { engaged, missed, repeats, refusals, signals, .. } = self;
        let counters = [accept, crossing, d8, join, late_accept, hidden, grace_kept, grace_over];
        let more = [engaged, missed, repeats, refusals, signals];
        assert!(counters.into_iter().chain(more).all(|n| *n > 0), "never reached: {self:?}");
    }
}

fn turns(server: &Server) -> impl Iterator<Item = &TurnRecord> {
    server.rows.calls.values().flat_map(|c| &c.participants).flat_map(|p| &p.turns)
}

/// A history under way: who is connected, and what each device asked last.
#[derive(Clone, Default)]
struct Desk {
    live: BTreeMap<(usize, usize), Actor>,
    last: BTreeMap<(usize, usize), (RequestId, Ask, Answer)>,
    /// A request that waits to go into one batch with the next.
    held: Vec<(Actor, RequestId, Ask)>,
}

fn last_of<'a>(call: &'a CallRecord, who: &UserId) -> Option<&'a TurnRecord> {
    call.participants.iter().find(|p| p.person.id == *who).and_then(|p| p.turns.last())
}

/// One of the calls in which the user stands so, else any.
fn pick_call(s: &Server, act: Act, of: impl Fn(&CallRecord) -> bool) -> Option<InvitationId> {
    let wanted: Vec<_> = s.rows.calls.values().filter(|c| of(c)).map(|c| c.id).collect();
    let all: Vec<_> = s.rows.calls.keys().copied().collect();
    let from = if wanted.is_empty() || act.flags >= 250 { all } else { wanted };
    (!from.is_empty()).then(|| from[act.pick % from.len()])
}

fn others(act: Act) -> Vec<&'static str> {
    let rest: Vec<_> = (1..PEOPLE.len()).map(|n| PEOPLE[(act.who + n) % PEOPLE.len()]).collect();
    // Mostly one, so that calls cross.
    let mask = [1, 2, 4, 1, 2, 4, 3, 5, 6, 7][act.pick % 10];
    rest.into_iter().enumerate().filter(|(n, _)| mask & (1 << n) != 0).map(|(_, who)| who).collect()
}

fn pick_missed(s: &Server, act: Act, me: &UserId) -> Option<MissedId> {
    let unhandled = s.rows.missed.keys().filter(|(u, _)| u == me).map(|(_, id)| *id);
    let ever = s.rows.calls.values().flat_map(|c| {
        let mine = c.participants.iter().filter(|p| p.person.id == *me).flat_map(|p| &p.turns);
        mine.filter(|t| t.missed.is_some()).map(|t| MissedId { invitation: c.id, turn: t.no })
    });
    let mut all: Vec<_> = unhandled.chain(ever).collect();
    // Mostly of one who rings again, if anybody does (D8).
    let rings = |id: &MissedId| {
        let missed = s.row(id.invitation);
        let caller = |c: &CallRecord| c.participants[0].person.id == missed.participants[0].person.id;
        s.rows.calls.values().any(|c| {
            c.running() && caller(c) && c.group == missed.group && last_of(c, me).is_some_and(|t| t.state.pending())
        })
    };
    if act.flags < 200 && all.iter().any(rings) {
        all.retain(rings);
    }
    (!all.is_empty()).then(|| all[act.pick % all.len()])
}

/// What the act asks, if it can be asked now.
fn ask_of(s: &Server, act: Act) -> Option<Ask> {
    let me = user(PEOPLE[act.who]);
    let pending = |c: &CallRecord| last_of(c, &me).is_some_and(|t| t.state.pending());
    let inside = |c: &CallRecord| last_of(c, &me).is_some_and(|t| t.state == TurnState::Accepted);
    let turn_in = |id: InvitationId| last_of(s.row(id), &me).map_or(1, |t| t.no);
    let flag = |bit: u8| act.flags & (1 << bit) != 0;
    let ring = ring([20, 30, 60][act.pick % 3]);
    Some(match act.what {
        What::Send => {
            let mut send = sending(&others(act));
            send.call_type = if flag(0) { CallType::Video } else { CallType::Voice };
            send.end_when_initiator_leaves = flag(1);
            send.can_invite_in_calling = !flag(2);
            send.only_initiator_can_invite = flag(3);
            send.invitees[0].unreachable = act.flags >= 240;
            send.ring = ring;
            Ask::Send(send)
        }
        What::Invite => {
            let invitation = pick_call(s, act, inside)?;
            Ask::Invite { invitation, invitees: invitees(&others(act)), ring }
        }
        What::Ringing => {
            let invitation = pick_call(s, act, pending)?;
            Ask::Ringing { invitation, turn: turn_in(invitation) }
        }
        What::Accept => {
            let late = |c: &CallRecord| last_of(c, &me).is_some_and(|t| t.state == TurnState::TimedOut);
            let invitation = if flag(0) { pick_call(s, act, late)? } else { pick_call(s, act, pending)? };
            Ask::Accept { invitation, turn: turn_in(invitation) }
        }
        What::Reject => {
            let invitation = pick_call(s, act, pending)?;
            Ask::Reject { invitation, turn: turn_in(invitation), busy: flag(0) }
        }
        What::Cancel => {
            let invitation = pick_call(s, act, inside)?;
            let call = s.row(invitation);
            let whom = if flag(0) {
                CancelWhom::All { seen: call.revision }
            } else {
                let callee = &call.participants[act.pick % call.participants.len()];
                let turn = callee.turns.last().map_or(1, |t| t.no);
                CancelWhom::Turn { callee: callee.person.id.clone(), turn }
            };
            Ask::Cancel { invitation, whom }
        }
        What::Join => {
            let joinable = |c: &CallRecord| c.running() && c.group && last_of(c, &me).is_some_and(|t| t.state.ended());
            Ask::Join { invitation: pick_call(s, act, joinable)? }
        }
        What::Leave => Ask::Leave { invitation: pick_call(s, act, inside)? },
        What::End => Ask::End { invitation: pick_call(s, act, inside)? },
        What::DialBack => {
            let Ask::DialBack { missed, only_initiator_can_invite, unreachable, .. } = dial(pick_missed(s, act, &me)?)
            else {
                return None;
            };
            Ask::DialBack {
                missed,
                ring,
                end_when_initiator_leaves: flag(1),
                can_invite_in_calling: flag(2),
                only_initiator_can_invite,
                unreachable,
            }
        }
        What::Click => Ask::Click { missed: pick_missed(s, act, &me)? },
        What::Dismiss => Ask::Dismiss { missed: pick_missed(s, act, &me)?, notification: flag(0) },
        What::Block => Ask::Block(user(others(act)[0])),
        What::Unblock => Ask::Unblock(user(others(act)[0])),
        What::Quiet => {
            let until = s.now + Duration::from_secs(45);
            let let_through = flag(1).then(|| user(others(act)[0])).into_iter().collect();
            Ask::SetDoNotDisturb(flag(0).then_some(DoNotDisturb { until, let_through }))
        }
        What::Signal => {
            let invitation = pick_call(s, act, inside)?;
            Ask::Signal { invitation, to: user(others(act)[0]), device: None, data: "{}".into() }
        }
        What::Fetch => Ask::Fetch { invitation: pick_call(s, act, |_| true)?, offset: 0 },
        What::Uninit => Ask::Uninit,
        What::Hello | What::Gone | What::Repeat | What::Together | What::Wait | What::Restart => return None,
    })
}

/// Whether a repeat, long after, has to answer the same (N2).
fn names_its_turn(ask: &Ask) -> bool {
    match ask {
        Ask::Send(_)
        | Ask::Invite { .. }
        | Ask::Accept { .. }
        | Ask::Reject { .. }
        | Ask::Cancel { .. }
        | Ask::Join { .. }
        | Ask::Leave { .. }
        | Ask::End { .. }
        | Ask::DialBack { .. }
        | Ask::Dismiss { .. } => true,
        // Settings are as last set; a click is known by the calls that it handled, which another may handle since.
        Ask::Ringing { .. }
        | Ask::Click { .. }
        | Ask::Block(_)
        | Ask::Unblock(_)
        | Ask::SetDoNotDisturb(_)
        | Ask::Fetch { .. }
        | Ask::MissedCalls { .. }
        | Ask::Signal { .. }
        | Ask::IceServers { .. }
        | Ask::Uninit => false,
    }
}

/// What may take a missed call off the list, besides its being handled by a click or a dismissal.
fn may_handle(ask: &Ask) -> bool {
    matches!(
        ask,
        Ask::Send(_)
            | Ask::Accept { .. }
            | Ask::Join { .. }
            | Ask::DialBack { .. }
            | Ask::Click { .. }
            | Ask::Dismiss { .. }
            | Ask::Block(_)
    )
}

/// The servers of one history: the same in all but what they keep loaded.
struct Twin([Server; 2], Desk);

impl Twin {
    fn new() -> Self {
        let limits = Limits { pending_turns: 2, ..Limits::default() };
        Self(BOTH.map(|keep| Server::with(keep, limits)), Desk::default())
    }

    /// Does the same to both, and finds the same.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, of: impl Fn(&mut Server) -> T) -> T {
        let [mut first, second] = self.0.each_mut().map(|s| {
            s.outputs.clear();
            let result = of(s);
            (result, std::mem::take(&mut s.outputs))
        });
        let differs = first.1.iter().zip(&second.1).find(|(first, second)| first != second);
        assert_eq!(differs, None, "K2: what is loaded is seen");
        assert_eq!(first.1.len(), second.1.len(), "K2: what is loaded is seen");
        assert_eq!(first.0, second.0);
        assert!(self.0[0].rows == self.0[1].rows, "K2: what is loaded is written");
        first.1.clear();
        first.0
    }

    fn connect(&mut self, act: Act) -> Actor {
        let (name, on) = (PEOPLE[act.who], format!("{}-{}", PEOPLE[act.who], act.on));
        let me = user(name);
        let inside = |c: &&CallRecord| last_of(c, &me).is_some_and(|t| t.state == TurnState::Accepted);
        let call = self.0[0].rows.calls.values().find(inside).map(|c| c.id);
        let claim = Claim { invitation: call.filter(|_| !act.flags.is_multiple_of(4)), requests: Vec::new() };
        let waiting = (act.who + act.on).is_multiple_of(4);
        let holds: Vec<_> = self.0[0].rows.calls.keys().take(3).map(|id| (*id, 1)).collect();
        let actor = self.both(|s| s.welcome(name, &on, claim.clone(), holds.clone(), waiting).0);
        self.1.live.insert((act.who, act.on), actor.clone());
        actor
    }

    fn device(&mut self, act: Act) -> Actor {
        match self.1.live.get(&(act.who, act.on)) {
            Some(actor) => actor.clone(),
            None => self.connect(Act { flags: 1, ..act }),
        }
    }

    fn act(&mut self, act: Act, reached: &mut Reached) {
        match act.what {
            What::Hello => {
                let in_grace = |t: &TurnRecord| t.grace.is_some();
                let before = turns(&self.0[0]).filter(|t| in_grace(t)).count();
                self.connect(act);
                let kept = turns(&self.0[0]).filter(|t| !in_grace(t) && t.state == TurnState::Accepted).count();
                reached.grace_kept += usize::from(before > 0 && kept > 0);
            }
            What::Gone => {
                if let Some(actor) = self.1.live.remove(&(act.who, act.on)) {
                    self.both(|s| s.gone(&actor));
                }
            }
            What::Wait => {
                let seconds = [1, 2, 5, 15, 31, 61][act.pick % 6];
                let missed = self.0[0].rows.missed.len();
                self.both(|s| s.wait(seconds));
                assert!(self.0[0].rows.missed.len() >= missed, "M4: time handles nothing");
            }
            What::Restart => {
                self.1.live.clear();
                self.both(Server::restart);
            }
            What::Repeat => self.repeat(act, reached),
            What::Together => {
                let next = Act { what: [What::Send, What::Accept, What::DialBack, What::Leave][act.pick % 4], ..act };
                let by = self.device(act);
                if let Some(ask) = ask_of(&self.0[0], next) {
                    let request = self.request();
                    self.1.held.push((by, request, ask));
                }
            }
            _ => {
                let by = self.device(act);
                if let Some(ask) = ask_of(&self.0[0], act) {
                    self.ask((act.who, act.on), &by, ask, reached);
                }
            }
        }
    }

    fn request(&mut self) -> RequestId {
        let [first, second] = self.0.each_mut().map(Server::next_request);
        assert_eq!(first, second);
        first
    }

    fn ask(&mut self, at: (usize, usize), by: &Actor, ask: Ask, reached: &mut Reached) {
        let request = self.request();
        let held = std::mem::take(&mut self.1.held);
        let alone = held.is_empty();
        for (by, request, ask) in held {
            // The session may have been replaced since; its last words arrive all the same.
            for s in &mut self.0 {
                s.engine.submit(Step::Request { by: by.clone(), request: request.clone(), ask: ask.clone() });
            }
        }
        let before = self.0[0].rows.clone();
        let pending_in = |s: &Server, id: &InvitationId| {
            s.rows.calls.get(id).and_then(|c| last_of(c, &by.user)).is_some_and(|t| t.state.pending())
        };
        let pending: Vec<_> = before.calls.keys().copied().filter(|id| pending_in(&self.0[0], id)).collect();
        let answer = self.both(|s| s.ask_as(by, &request, ask.clone()));
        if alone {
            let rows = &self.0[0].rows;
            if answer.is_err() {
                assert!(*rows == before, "K2: refused, and yet: {ask:?}");
            }
            if !may_handle(&ask) {
                assert!(before.missed.keys().all(|id| rows.missed.contains_key(id)), "M4: handled by {ask:?}");
            }
            let after = rows.clone();
            let again = self.both(|s| s.ask_as(by, &request, ask.clone()));
            assert_eq!(again, answer, "N2: {ask:?}");
            assert!(self.0[0].rows == after, "N2: changed again by {ask:?}");
        }
        match (&ask, &answer) {
            (Ask::DialBack { .. }, Ok(Reply::Made(Made::DialedBack { invitation, .. }))) => {
                reached.d8 += usize::from(pending.contains(invitation));
            }
            (_, Ok(Reply::Made(Made::Engaged { .. }))) => reached.engaged += 1,
            (Ask::Signal { .. }, Ok(_)) => reached.signals += 1,
            (Ask::Join { .. }, Ok(_)) => reached.join += 1,
            (Ask::Accept { .. }, Ok(Reply::Made(Made::Joined { .. }))) => reached.late_accept += 1,
            // Their device is away for a moment (R1).
            (Ask::Signal { .. }, Err(refusal)) if refusal.message.contains("not connected") => reached.refusals += 1,
            (_, Err(refusal)) => {
                assert_ne!(refusal.code, Code::Unavailable, "K2: in so many rounds: {ask:?}");
                assert_ne!(refusal.code, Code::Internal, "{ask:?}");
                reached.refusals += 1;
            }
            _ => {}
        }
        self.1.last.insert(at, (request, ask, answer));
    }

    /// The device's last request again: it was answered, and the answer was lost on the way.
    fn repeat(&mut self, act: Act, reached: &mut Reached) {
        let last = self.1.last.get(&(act.who, act.on)).cloned();
        if let Some((request, ask, answer)) = last.filter(|(_, ask, answer)| answer.is_ok() && names_its_turn(ask)) {
            let by = self.device(act);
            let before = self.0[0].rows.clone();
            let again = self.both(|s| s.ask_as(&by, &request, ask.clone()));
            assert_eq!(again, answer, "N2: {ask:?} later");
            assert!(self.0[0].rows == before, "N2: {ask:?} later");
            reached.repeats += 1;
        }
    }

    /// Everybody goes, and all that was under way comes to its end.
    fn finish(&mut self) {
        let live = std::mem::take(&mut self.1.live);
        for actor in live.values() {
            self.both(|s| s.gone(actor));
        }
        self.both(|s| s.wait(700));
        for s in &self.0 {
            assert!(turns(s).all(|t| t.state.ended() && t.ended_at.is_some()), "every turn ends");
            assert!(s.rows.calls.values().all(|c| !c.running()), "every call ends");
            assert_eq!(s.engine.standing(), (0, 0), "and nothing of it is kept");
        }
    }
}

/// So many, or as many as `RINGBACK_HISTORIES` says.
fn histories(cases: u32) -> Config {
    let cases = std::env::var("RINGBACK_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    Config { cases, failure_persistence: None, ..Config::default() }
}

// spec: K2, N2, L5, L8, M1, M2, G13: over random histories, resident or not: a refused step changes nothing; a repeated
// one changes nothing more and answers the same; every turn ends in exactly one outcome; exactly one missed call for
// each that M1 says is one; nobody outside an invitation ever gets a view of it; nobody is ever in two calls; what is
// written can be read (each of these is checked by `Server` after every step)
#[test]
fn whatever_people_do() {
    let reached = RefCell::new(Reached::default());
    let outcome = TestRunner::new(histories(250)).run(&acts(), |acts| {
        let mut twin = Twin::new();
        for act in acts {
            twin.act(act, &mut reached.borrow_mut());
        }
        twin.finish();
        reached.borrow_mut().count(&twin.0[0]);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    println!("{:?}", reached.borrow());
    reached.borrow().assert_all();
}

// spec: G2, G3, M2, N2: over random histories with a store in trouble: what was acknowledged is kept, what was not may be
// repeated, and everything comes to its end
#[test]
fn whatever_people_do_with_a_store_in_trouble() {
    let troubles = proptest::collection::vec(0..4u8, 80);
    let outcome =
        TestRunner::new(histories(150)).run(&(acts(), troubles, any::<bool>()), |(acts, troubles, resident)| {
            let mut s = Server::new(if resident { Keep::Running } else { Keep::Timers });
            let people = PEOPLE.map(|who| s.hello(who));
            for (act, trouble) in acts.into_iter().zip(troubles) {
                s.trouble = match trouble {
                    0 => vec![Trouble::Refuses],
                    1 => vec![Trouble::KeepsAndSaysNothing],
                    2 => vec![Trouble::CannotLoad],
                    _ => vec![],
                };
                if act.what == What::Wait {
                    s.wait([1, 2, 5, 15, 31, 61][act.pick % 6]);
                } else if let Some(ask) = ask_of(&s, act) {
                    until_it_is_taken(&mut s, &people[act.who], &ask);
                }
            }
            s.trouble.clear();
            people.iter().for_each(|by| s.gone(by));
            s.wait(700);
            assert!(turns(&s).all(|t| t.state.ended()), "every turn ends");
            Ok(())
        });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// Asks again with the same request id, as a client does that was told `unavailable`.
fn until_it_is_taken(s: &mut Server, by: &Actor, ask: &Ask) {
    let request = s.next_request();
    for _ in 0..3 {
        let answer = s.ask_as(by, &request, ask.clone());
        if answer.map_err(|r| r.code) != Err(Code::Unavailable) {
            return;
        }
    }
    panic!("unavailable for good: {ask:?}");
}
