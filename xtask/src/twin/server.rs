//! The server of the scripts: calls that go somewhere, missed calls, and answers.

use super::world::{call_id, device, me, someone, user};
use fastrand::Rng;
use ringback_core::call::{
    CallType, CallView, EndReason, Leaving, MissedReason, Mode, Other, OtherTurn, OwnTurn, TurnKind, TurnState,
};
use ringback_core::device::{Answered, Ask, MissedRef};
use ringback_core::id::{DeviceId, InvitationId, MissedId, Person, UserId};
use ringback_core::line::{Made, MissedCall};
use ringback_core::refusal::{Code, Refusal};
use ringback_core::step::{Details, MissedEntry, MissedView, Reply};
use ringback_core::time::Timestamp;
use std::time::Duration;

type Answer = (Result<Answered, Refusal>, Option<CallView>);

pub(super) struct Server {
    rng: Rng,
    /// With everyone in it and all its `customData`.
    calls: Vec<CallView>,
    missed: Vec<MissedEntry>,
    /// Missed calls beyond the list.
    beyond: usize,
    revision: u64,
    ids: u32,
}

impl Server {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), calls: Vec::new(), missed: Vec::new(), beyond: 0, revision: 0, ids: 0 }
    }

    fn id(&mut self) -> InvitationId {
        self.ids += 1;
        InvitationId(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(self.ids))
    }

    pub(super) fn some_id(&self, rng: &mut Rng) -> InvitationId {
        match self.calls.len() {
            0 => InvitationId(1),
            _ if rng.u32(..15) == 0 => InvitationId(1),
            n => self.calls[n - 1 - rng.usize(..n.min(4))].invitation,
        }
    }

    pub(super) fn invitees(&mut self, rng: &mut Rng) -> Vec<UserId> {
        match rng.u32(..10) {
            0..=4 => vec![someone(rng).id],
            5..=7 => vec![user("alice"), user("carol"), user("zoë")],
            _ => (0..rng.usize(21..130)).map(|n| user(&format!("u{n}"))).collect(),
        }
    }

    /// The calls that a hello is answered with, and those of the held ones that are gone.
    pub(super) fn standing(&mut self, held: &[InvitationId], now: Timestamp) -> (Vec<CallView>, Vec<InvitationId>) {
        let mut gone: Vec<InvitationId> = Vec::new();
        for id in held {
            if self.calls.iter().all(|c| c.invitation != *id) || self.rng.u32(..20) == 0 {
                gone.push(*id);
            }
        }
        let shown =
            |c: &&CallView| !gone.contains(&c.invitation) && (c.ended.is_none() || held.contains(&c.invitation));
        let calls: Vec<CallView> = self.calls.iter().filter(shown).cloned().collect();
        let bare = self.rng.u32(..3) == 0;
        let views = calls.iter().map(|c| {
            let mut view = listed(c, now);
            view.custom_data = view.custom_data.filter(|_| !bare);
            view
        });
        (views.collect(), gone)
    }

    fn call(&mut self, initiator: UserId, group: bool, others: Vec<Other>, own: OwnTurn, at: Timestamp) -> usize {
        let invitation = self.id();
        let view = CallView {
            invitation,
            revision: 1,
            call_id: call_id(&format!("c-{}", self.ids)),
            call_type: if self.rng.bool() { CallType::Voice } else { CallType::Video },
            mode: Mode::Advanced,
            group,
            initiator,
            custom_data: Some(format!("data {}", self.ids).into()),
            at,
            own: vec![own],
            others_count: u32::try_from(others.len()).unwrap_or(u32::MAX),
            others,
            in_call: 1,
            entered: None,
            ended: None,
            can_join: false,
        };
        self.calls.push(view);
        self.calls.len() - 1
    }

    /// Somebody calls.
    fn incoming(&mut self, now: Timestamp) -> usize {
        let caller = someone(&mut self.rng);
        let group = self.rng.bool();
        let mut others = vec![other(&caller, 1, 0, TurnKind::Origin, &caller.id, TurnState::Accepted)];
        if group {
            let more = [("u1", "One"), ("u2", ""), ("u3", "Three")];
            for (id, name) in &more[..self.rng.usize(1..=more.len())] {
                let person = Person { id: user(id), name: (*name).into() };
                others.push(other(&person, 1, 1, TurnKind::Invited, &caller.id, TurnState::Inviting));
            }
        }
        let own = self.own(1, TurnKind::Invited, &caller.id, TurnState::Inviting, now);
        self.call(caller.id, group, others, own, now)
    }

    /// This device calls.
    fn outgoing(&mut self, invitees: &[UserId], now: Timestamp) -> usize {
        let busy = self.rng.u32(..6) == 0;
        let state = if busy { TurnState::Busy } else { TurnState::Inviting };
        let others: Vec<Other> = invitees
            .iter()
            .map(|id| Person { id: id.clone(), name: id.as_str().to_uppercase().into() })
            .map(|person| other(&person, 1, 1, TurnKind::Invited, &me(), state))
            .collect();
        let mut own = self.own(0, TurnKind::Origin, &me(), TurnState::Accepted, now);
        own.device = Some(device());
        self.call(me(), invitees.len() > 1, others, own, now)
    }

    fn own(&mut self, no: u32, kind: TurnKind, inviter: &UserId, state: TurnState, now: Timestamp) -> OwnTurn {
        let left = [0, 1_000, 30_000, 60_000][self.rng.usize(..4)];
        OwnTurn {
            no,
            kind,
            inviter: inviter.clone(),
            state,
            deadline: now + Duration::from_millis(left),
            device: None,
            leaving: None,
            crossed: false,
            do_not_disturb: false,
        }
    }

    /// Something happens; the view of the call that it happens to.
    pub(super) fn happen(&mut self, now: Timestamp) -> Option<CallView> {
        match self.rng.u32(..10) {
            0 | 1 => {
                let at = self.incoming(now);
                Some(listed(&self.calls[at], now))
            }
            2 => {
                self.missed_changes(now);
                None
            }
            _ if self.calls.is_empty() => None,
            _ => {
                let n = self.calls.len();
                let at = n - 1 - self.rng.usize(..n.min(3));
                for _ in 0..self.rng.usize(1..4) {
                    self.calls[at].revision += 1;
                    if self.rng.bool() { self.change_own(at, now) } else { self.change_others(at) }
                }
                Some(listed(&self.calls[at], now))
            }
        }
    }

    fn change_own(&mut self, at: usize, now: Timestamp) {
        let rng = &mut self.rng;
        let elsewhere: DeviceId = if rng.bool() { device() } else { "d-2".parse().unwrap_or_else(|_| device()) };
        let call = &mut self.calls[at];
        call.can_join = call.group && call.ended.is_none() && rng.bool();
        let Some(turn) = call.own.last_mut() else { return };
        if turn.state.pending() {
            (turn.state, turn.device) = match rng.u32(..8) {
                0 => (TurnState::Ringing, None),
                1 => (TurnState::Accepted, Some(elsewhere)),
                2 => (TurnState::Declined, rng.bool().then_some(elsewhere)),
                3 => (TurnState::Busy, rng.bool().then_some(elsewhere)),
                4 | 5 => (TurnState::Cancelled, None),
                _ => (TurnState::TimedOut, None),
            };
            turn.crossed = matches!(turn.state, TurnState::Accepted | TurnState::Cancelled) && rng.u32(..4) == 0;
            let (no, state, crossed) = (turn.no, turn.state, turn.crossed);
            if !call.group && state != TurnState::Ringing && state != TurnState::Accepted {
                self.end(at);
            }
            let missed = matches!(state, TurnState::Cancelled | TurnState::TimedOut | TurnState::Busy) && !crossed;
            if missed {
                self.miss(at, no, state, now);
            }
        } else if turn.state == TurnState::Accepted {
            turn.state = TurnState::Left;
            turn.leaving = Some([Leaving::Asked, Leaving::Elsewhere, Leaving::Lost][rng.usize(..3)]);
            if !call.group {
                self.end(at);
            }
        } else if call.ended.is_none() {
            let (no, inviter) = (turn.no + 1, call.initiator.clone());
            let again = self.own(no, TurnKind::Invited, &inviter, TurnState::Inviting, now);
            self.calls[at].own.push(again);
        }
    }

    fn change_others(&mut self, at: usize) {
        let call = &mut self.calls[at];
        if call.others.is_empty() || call.ended.is_some() {
            return;
        }
        let many = if call.others.len() > 20 { self.rng.usize(1..30) } else { 1 };
        for _ in 0..many {
            let o = self.rng.usize(..call.others.len());
            let other = &mut call.others[o];
            other.changed = call.revision;
            let Some(turn) = other.turns.last_mut() else { continue };
            if turn.state.pending() {
                let ends = [
                    TurnState::Ringing,
                    TurnState::Accepted,
                    TurnState::Declined,
                    TurnState::Busy,
                    TurnState::Cancelled,
                    TurnState::TimedOut,
                    TurnState::Unreachable,
                ];
                turn.state = ends[self.rng.usize(..ends.len())];
            } else if turn.state == TurnState::Accepted {
                turn.state = TurnState::Left;
            } else {
                let (no, inviter) = (turn.no + 1, turn.inviter.clone());
                other.turns.push(OtherTurn { no, kind: TurnKind::Invited, inviter, state: TurnState::Inviting });
            }
        }
        if self.rng.u32(..6) == 0 {
            self.end(at);
        }
    }

    fn end(&mut self, at: usize) {
        let reasons =
            [EndReason::Declined, EndReason::TimedOut, EndReason::Cancelled, EndReason::Left, EndReason::Ended];
        let call = &mut self.calls[at];
        call.ended = Some(reasons[self.rng.usize(..reasons.len())]);
        call.can_join = false;
        if let Some(turn) = call.own.last_mut() {
            match turn.state {
                TurnState::Accepted => {
                    turn.state = TurnState::Left;
                    turn.leaving = Some(Leaving::Asked);
                }
                state if state.pending() => turn.state = TurnState::Cancelled,
                _ => {}
            }
        }
    }

    fn miss(&mut self, at: usize, turn: u32, state: TurnState, now: Timestamp) {
        let call = &self.calls[at];
        let caller = call.others.first().map_or_else(|| someone(&mut self.rng), |o| o.person.clone());
        let quiet = self.rng.u32(..8) == 0;
        let reason = match state {
            _ if quiet => MissedReason::DoNotDisturb,
            TurnState::Busy => MissedReason::Busy,
            TurnState::Cancelled => MissedReason::Cancelled,
            _ => MissedReason::NoAnswer,
        };
        let missed = MissedCall {
            id: MissedId { invitation: call.invitation, turn },
            call_id: call.call_id.clone(),
            caller,
            call_type: call.call_type,
            group: call.group,
            reason,
            cancelled: state == TurnState::Cancelled,
            at: call.at,
            missed_at: now,
            silent: quiet,
            can_join: call.can_join,
            clicked: None,
            returned: false,
        };
        self.list(missed);
    }

    fn list(&mut self, call: MissedCall) {
        let existed = self.rng.u32(..10) > 0;
        self.missed.retain(|e| e.call.id != call.id);
        self.missed.insert(0, MissedEntry { call, of: 1, existed });
        self.missed.truncate(150);
        self.count();
    }

    fn count(&mut self) {
        self.revision += 1;
        let keys: Vec<_> = self.missed.iter().map(|e| MissedRef::from(&e.call).key()).collect();
        for (entry, key) in self.missed.iter_mut().zip(&keys) {
            entry.of = keys.iter().filter(|k| *k == key).count();
        }
    }

    /// A user who was away for days: from some to more than a list can have.
    pub(super) fn miss_many(&mut self) {
        for n in 0..self.rng.usize(5..150) {
            self.miss_one(
                &Person { id: user(&format!("m{n}")), name: "".into() },
                Timestamp(1_789_000_000_000 + n as u64),
            );
        }
        self.beyond = self.rng.usize(..3) * 40;
    }

    fn miss_one(&mut self, caller: &Person, now: Timestamp) {
        let reasons = [
            MissedReason::NoAnswer,
            MissedReason::Cancelled,
            MissedReason::Busy,
            MissedReason::DoNotDisturb,
            MissedReason::Unreachable,
        ];
        let reason = reasons[self.rng.usize(..reasons.len())];
        let call = MissedCall {
            id: MissedId { invitation: self.id(), turn: 1 },
            call_id: call_id(&format!("c-{}", self.ids)),
            caller: caller.clone(),
            call_type: CallType::Video,
            group: self.rng.u32(..4) == 0,
            reason,
            cancelled: self.rng.bool(),
            at: now,
            missed_at: now,
            silent: reason == MissedReason::DoNotDisturb,
            can_join: self.rng.bool(),
            clicked: None,
            returned: false,
        };
        self.list(call);
    }

    /// A missed call that makes a sound, if anything does.
    pub(super) fn miss_aloud(&mut self, caller: &Person, now: Timestamp) {
        self.miss_one(caller, now);
        let entry = &mut self.missed[0];
        entry.existed = true;
        entry.call.reason = MissedReason::NoAnswer;
        entry.call.silent = false;
        self.count();
    }

    fn missed_changes(&mut self, now: Timestamp) {
        match self.rng.u32(..8) {
            0..=2 => {
                let caller = someone(&mut self.rng);
                self.miss_one(&caller, now);
            }
            3 => {
                for n in 0..self.rng.usize(4..9) {
                    self.miss_one(&Person { id: user(&format!("n{n}")), name: "N".into() }, now);
                }
            }
            4 | 5 if !self.missed.is_empty() => {
                let at = self.rng.usize(..self.missed.len());
                let key = MissedRef::from(&self.missed[at].call).key();
                self.handle(&key);
            }
            6 if !self.missed.is_empty() => {
                let at = self.rng.usize(..self.missed.len());
                self.missed[at].call.can_join ^= true;
                self.count();
            }
            _ => {
                self.beyond = self.beyond.saturating_sub(40);
                self.revision += 1;
            }
        }
    }

    fn handle(&mut self, key: &ringback_core::device::Key) {
        self.missed.retain(|e| MissedRef::from(&e.call).key() != *key);
        self.count();
    }

    pub(super) fn missed(&self) -> MissedView {
        let total = self.missed.len() + self.beyond;
        MissedView { revision: self.revision, calls: self.missed.clone(), total }
    }

    pub(super) fn some_missed(&mut self, rng: &mut Rng) -> MissedRef {
        if self.missed.is_empty() {
            let caller = someone(rng);
            self.miss_one(&caller, Timestamp(1_790_000_000_000));
        }
        MissedRef::from(&self.missed[rng.usize(..self.missed.len().min(4))].call)
    }

    /// A view as it was, or of nobody.
    pub(super) fn stale(&mut self, now: Timestamp) -> Option<CallView> {
        let n = self.calls.len();
        let mut view = listed(self.calls.get(self.rng.usize(..n.max(1)))?, now);
        view.revision = self.rng.u64(..=view.revision);
        Some(view)
    }

    pub(super) fn nonsense(&mut self, now: Timestamp) -> CallView {
        let at = self.incoming(now);
        let mut view = listed(&self.calls[at], now);
        if self.rng.bool() {
            view.own.clear();
        }
        if self.rng.bool() {
            view.others.clear();
        }
        if self.rng.bool() {
            view.custom_data = None;
        }
        view.revision = self.rng.u64(..5);
        view
    }

    fn find(&self, id: InvitationId) -> Option<usize> {
        self.calls.iter().position(|c| c.invitation == id)
    }

    /// Takes the request, and says what it is answered with and what the device is shown of it.
    pub(super) fn answer(&mut self, ask: &Ask, now: Timestamp) -> Answer {
        let no = (Err(Refusal::new(Code::NotFound, "no such invitation")), None);
        let done = Ok(Answered::Core(Reply::Done));
        match ask {
            Ask::Send { invitees, .. } => self.send(invitees, now),
            Ask::Invite { invitation, .. } => {
                let Some(at) = self.find(*invitation) else { return no };
                self.calls[at].revision += 1;
                (Ok(self.invited(at, false)), Some(listed(&self.calls[at], now)))
            }
            Ask::Accept { invitation, .. } | Ask::Join { invitation } => {
                let Some(at) = self.find(*invitation) else { return no };
                let joins = matches!(ask, Ask::Join { .. }) || self.rng.u32(..5) == 0;
                let turn = self.enter(at, joins, now);
                let invitation = *invitation;
                let reply = if joins {
                    Reply::Made(Made::Joined { invitation, turn })
                } else {
                    Reply::Accepted { invitation, turn }
                };
                (Ok(Answered::Core(reply)), Some(listed(&self.calls[at], now)))
            }
            Ask::Ringing { invitation, .. }
            | Ask::Reject { invitation, .. }
            | Ask::Cancel { invitation, .. }
            | Ask::Leave { invitation }
            | Ask::End { invitation } => {
                let Some(at) = self.find(*invitation) else { return no };
                self.calls[at].revision += 1;
                self.change(at, ask);
                (done, Some(listed(&self.calls[at], now)))
            }
            Ask::DialBack(dial) => self.dial_back(&dial.missed, now),
            Ask::Click(missed) => {
                self.handle(&missed.key());
                (done, None)
            }
            Ask::Dismiss { missed, .. } => {
                self.missed.retain(|e| e.call.id != *missed);
                self.count();
                (done, None)
            }
            Ask::Fetch { invitation, offset } => {
                let Some(at) = self.find(*invitation) else { return no };
                let mut view = self.calls[at].clone();
                let page = if self.rng.bool() { 100 } else { self.rng.usize(1..30) };
                view.others = view.others.into_iter().skip(*offset).take(page).collect();
                (Ok(Answered::Core(Reply::Details(Details { view: fresh(view, now), offset: *offset }.into()))), None)
            }
            Ask::MissedCalls { .. } => {
                let calls = self.missed.iter().map(|e| e.call.clone()).collect();
                (Ok(Answered::Core(Reply::MissedCalls { calls, total: self.missed.len() })), None)
            }
            Ask::History { .. } => (Ok(Answered::Other), None),
            Ask::UpdateToken(_) => (Ok(Answered::Token(Duration::from_secs(3600))), None),
            Ask::Block(_) | Ask::Unblock(_) | Ask::DoNotDisturb { .. } | Ask::Uninit => (done, None),
        }
    }

    fn invited(&mut self, at: usize, crossed: bool) -> Answered {
        let call = &self.calls[at];
        let refused = if self.rng.u32(..4) == 0 { vec![(user("carol"), Code::Forbidden)] } else { Vec::new() };
        Answered::Core(Reply::Made(Made::Invited {
            invitation: call.invitation,
            call_id: call.call_id.clone(),
            refused,
            crossed,
        }))
    }

    fn send(&mut self, invitees: &[UserId], now: Timestamp) -> Answer {
        let rings = |c: &CallView| !c.group && c.own.last().is_some_and(|t| t.state.pending());
        let at = match self.calls.iter().position(rings) {
            Some(at) if self.rng.u32(..3) > 0 => {
                self.enter(at, false, now);
                if let Some(turn) = self.calls[at].own.last_mut() {
                    turn.crossed = true;
                }
                at
            }
            _ => self.outgoing(invitees, now),
        };
        (Ok(self.invited(at, true)), Some(listed(&self.calls[at], now)))
    }

    /// This device is in the call from now on.
    fn enter(&mut self, at: usize, joins: bool, now: Timestamp) -> u32 {
        self.calls[at].revision += 1;
        let no = self.calls[at].own.last().map_or(1, |t| t.no + 1);
        if joins || self.calls[at].own.is_empty() {
            let own = self.own(no, TurnKind::Joined, &me(), TurnState::Accepted, now);
            self.calls[at].own.push(own);
        }
        let Some(turn) = self.calls[at].own.last_mut() else { return no };
        turn.state = TurnState::Accepted;
        turn.leaving = None;
        turn.device = Some(device());
        turn.no
    }

    fn change(&mut self, at: usize, ask: &Ask) {
        let here = device();
        let call = &mut self.calls[at];
        let Some(turn) = call.own.last_mut() else { return };
        match ask {
            Ask::Ringing { .. } if turn.state == TurnState::Inviting => turn.state = TurnState::Ringing,
            Ask::Reject { busy, .. } if turn.state.pending() => {
                turn.state = if *busy { TurnState::Busy } else { TurnState::Declined };
                turn.device = Some(here);
            }
            Ask::Leave { .. } if turn.state == TurnState::Accepted => {
                turn.state = TurnState::Left;
                turn.leaving = Some(Leaving::Asked);
            }
            Ask::Cancel { .. } | Ask::End { .. } => self.end(at),
            _ => {}
        }
    }

    fn dial_back(&mut self, missed: &MissedRef, now: Timestamp) -> Answer {
        let called = |call: &CallView, device: DeviceId| {
            let (invitation, call_id) = (call.invitation, call.call_id.clone());
            Ok(Answered::Core(Reply::Made(Made::DialedBack { invitation, call_id, device })))
        };
        match self.rng.u32(..8) {
            0 => {
                let back = self.missed.iter_mut().find(|e| e.call.id == missed.id);
                if let Some(entry) = back {
                    entry.call.returned = true;
                    self.count();
                } else {
                    let caller = missed.caller.clone();
                    self.miss_one(&caller, now);
                    self.missed[0].call.returned = true;
                }
                let invitation = self.ids.into();
                (Ok(Answered::Core(Reply::Made(Made::Engaged { invitation: InvitationId(invitation) }))), None)
            }
            1 => {
                let at = self.outgoing(std::slice::from_ref(&missed.caller.id), now);
                let elsewhere = DeviceId::new("d-2").unwrap_or_else(|_| device());
                self.calls[at].own[0].device = Some(elsewhere.clone());
                (called(&self.calls[at], elsewhere), None)
            }
            _ => {
                let joined =
                    self.find(missed.id.invitation).filter(|&at| missed.group && self.calls[at].ended.is_none());
                let at = match joined {
                    Some(at) => {
                        self.enter(at, true, now);
                        at
                    }
                    None => self.outgoing(std::slice::from_ref(&missed.caller.id), now),
                };
                (called(&self.calls[at], device()), Some(listed(&self.calls[at], now)))
            }
        }
    }
}

fn other(person: &Person, changed: u64, no: u32, kind: TurnKind, inviter: &UserId, state: TurnState) -> Other {
    Other { person: person.clone(), changed, turns: vec![OtherTurn { no, kind, inviter: inviter.clone(), state }] }
}

/// A view as it is shown: the last changed first, at most 20, the initiator always among them.
fn listed(call: &CallView, now: Timestamp) -> CallView {
    let mut view = call.clone();
    view.others.sort_by_key(|o| (o.person.id != call.initiator, std::cmp::Reverse(o.changed)));
    view.others.truncate(20);
    view.others.sort_by_key(|o| std::cmp::Reverse(o.changed));
    fresh(view, now)
}

/// No pending turn's deadline lies in the past on the wire; what isn't pending has none.
fn fresh(mut view: CallView, now: Timestamp) -> CallView {
    for turn in &mut view.own {
        turn.deadline = turn.deadline.max(now);
    }
    view
}
