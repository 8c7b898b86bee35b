//! Calls: views held and taken, and what the app is told of the difference (K5, S4 to S11, S14).

use super::{About, Ask, Elsewhere, Event, Output, Ringing, Session};
use crate::call::{CallView, EndReason, Leaving, Other, OwnTurn, TurnKind, TurnState};
use crate::id::{DeviceId, InvitationId, MissedId, Person, TurnNo, UserId};
use crate::limits::LISTED;
use crate::refusal::Code;
use crate::step::Details;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Calls held at a time; beyond it the oldest ended one goes, then the oldest that the device isn't in.
pub(super) const HELD: usize = 64;

/// Above 32 participants, this device among them, S10 is merged …
const CROWD: u32 = 32;
/// … to at most two a second.
const CALM: Duration = Duration::from_millis(500);

/// One call that the device knows of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Held {
    pub(super) id: InvitationId,
    /// The newest view that was taken, with its `customData`.
    pub(super) view: Option<CallView>,
    /// Everyone else that was ever listed, as last seen.
    others: Vec<Other>,
    /// Once it is known.
    custom: Option<Arc<str>>,
    /// `customData` could not be had; the view has an empty one.
    pub(super) lacking: bool,
    /// `others` is whole up to this revision.
    whole: u64,
    /// The turn that S4 was given for, until its end was told.
    pub(super) open: Option<TurnNo>,
    /// The last turn that S4 was given for.
    rung: Option<TurnNo>,
    /// The last turn that this device accepted or declined, by the reply: its view comes behind.
    pub(super) answered: Option<TurnNo>,
    /// The last turn that a view showed to be answered on this device.
    mine: Option<TurnNo>,
    /// What was sent and isn't told by S7 yet.
    pub(super) sent: Option<Sent>,
    /// The view that waits to be taken.
    pub(super) next: Option<Next>,
    /// Until then a crowd's views wait, so that S10 comes at most twice a second (S10).
    calm: Timestamp,
}

/// A request of this device that made the call, or invited into it: S7 is owed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    pub(super) callees: Vec<UserId>,
    pub(super) refused: Vec<(UserId, Code)>,
    /// A dial-back, which may have joined or answered instead.
    pub(super) dialed: bool,
}

/// A view that isn't taken yet, and what was fetched for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Next {
    view: CallView,
    pages: Vec<Other>,
    /// The next page of participants that it wants.
    offset: Option<usize>,
    /// The fetch was refused: it is taken as it is.
    failed: bool,
}

/// What a view is compared with, while it is taken.
struct Change {
    old: Option<CallView>,
    view: CallView,
    /// Everyone that this view, or a page fetched for it, lists; last changed first.
    listed: Vec<Other>,
    /// The others as they were.
    before: Vec<Other>,
    /// All others that are known.
    others: Vec<Other>,
    lacking: bool,
}

impl Held {
    fn new(id: InvitationId) -> Self {
        Self {
            id,
            view: None,
            others: Vec::new(),
            custom: None,
            lacking: false,
            whole: 0,
            open: None,
            rung: None,
            answered: None,
            mine: None,
            sent: None,
            next: None,
            calm: Timestamp(0),
        }
    }

    /// Until when the view that waits is held back: one of a crowd, that changes nothing of this user's own.
    pub(super) fn calm(&self) -> Option<Timestamp> {
        let (view, next) = (self.view.as_ref()?, &self.next.as_ref()?.view);
        let stands = |v: &CallView| v.own.last().map(|t| (t.no, t.state));
        let news = next.ended.is_some() || stands(next) != stands(view) || self.sent.is_some();
        (next.others_count >= CROWD && !news).then_some(self.calm)
    }

    pub(super) fn ended(&self) -> bool {
        self.view.as_ref().is_some_and(|v| v.ended.is_some())
    }

    pub(super) fn turn(&self, no: TurnNo) -> Option<&OwnTurn> {
        own(self.view.as_ref()?, no)
    }

    /// Whether more participants may have changed since than this view lists (docs/protocol.md, Views).
    fn cut(&self, view: &CallView) -> bool {
        // These are listed however long ago they changed.
        let pinned = |o: &Other| o.person.id == view.initiator || view.own.iter().any(|t| t.inviter == o.person.id);
        let oldest = view.others.iter().filter(|o| !pinned(o)).map(|o| o.changed).min();
        view.others.len() < view.others_count as usize && oldest.is_some_and(|oldest| self.whole < oldest)
    }

    /// Whether the app is owed events of the others (S8, S9).
    fn owed(&self, view: &CallView, me: &UserId) -> bool {
        let invited = |o: &Other| o.turns.iter().any(|t| t.kind == TurnKind::Invited && t.inviter == *me);
        view.initiator == *me || view.others.iter().chain(&self.others).any(invited)
    }
}

fn own(view: &CallView, no: TurnNo) -> Option<&OwnTurn> {
    view.own.iter().find(|t| t.no == no)
}

/// Was, or is, in the call on this device.
fn on(turn: &OwnTurn, device: &DeviceId) -> bool {
    turn.device.as_ref() == Some(device) && matches!(turn.state, TurnState::Accepted | TurnState::Left)
}

/// What is said to the app about an event's invitation.
pub(super) fn about(view: &CallView, turn: Option<TurnNo>, count: usize, complete: bool) -> About {
    About { invitation: view.invitation, turn, at: view.at, count: Some(count), complete }
}

impl Session {
    pub(super) fn held(&self, id: InvitationId) -> Option<&Held> {
        self.calls.iter().find(|held| held.id == id)
    }

    pub(super) fn held_or_new(&mut self, id: InvitationId) -> &mut Held {
        let at = self.calls.iter().position(|held| held.id == id).unwrap_or_else(|| {
            if self.calls.len() >= HELD {
                let out = |held: &Held| !self.keep.here.contains(&held.id);
                let oldest = self.calls.iter().position(|held| held.ended() && out(held));
                let oldest = oldest.or_else(|| self.calls.iter().position(out));
                self.calls.remove(oldest.unwrap_or(0));
            }
            self.calls.push(Held::new(id));
            self.calls.len() - 1
        });
        &mut self.calls[at]
    }

    /// The server showed a call. spec: K5, K6: a view that isn't newer is dropped.
    pub(super) fn seen(&mut self, view: CallView) {
        let me = self.me.id.clone();
        let held = self.held_or_new(view.invitation);
        let newest = held.next.as_ref().map(|n| &n.view).or(held.view.as_ref()).map_or(0, |v| v.revision);
        if view.revision > newest {
            let offset = (held.cut(&view) && held.owed(&view, &me)).then_some(0);
            held.next = Some(Next { view, pages: Vec::new(), offset, failed: false });
        }
    }

    /// The call isn't visible any more: what rings stops, what was told is brought to an end.
    pub(super) fn gone(&mut self, id: InvitationId) {
        let here = self.keep.here.contains(&id);
        self.keep.here.retain(|here| *here != id);
        let Some(at) = self.calls.iter().position(|held| held.id == id) else { return };
        let held = self.calls.remove(at);
        let Some(view) = held.view else { return };
        if let Some(turn) = held.open.and_then(|no| own(&view, no)) {
            self.closed_by(&view, &held.others, turn, TurnState::Cancelled, held.lacking);
        }
        if here {
            let about = about(&view, None, view.others_count as usize, true);
            let event = Event::CallEnded { call_id: view.call_id, reason: EndReason::Lost };
            self.event(event, Some(about));
        }
    }

    /// What a fetch brought, or that it was refused.
    pub(super) fn fetched(&mut self, id: InvitationId, offset: usize, details: Option<Details>) {
        self.informed(id, details.as_ref().map(|d| &d.view));
        let Some(at) = self.calls.iter().position(|held| held.id == id) else { return };
        let held = &mut self.calls[at];
        match (&mut held.next, details) {
            (Some(next), Some(Details { view, .. })) => {
                held.custom = Some(view.custom_data.unwrap_or_default());
                if next.offset == Some(offset) && view.revision >= next.view.revision {
                    let end = offset + view.others.len();
                    let more = !view.others.is_empty() && end < view.others_count as usize;
                    next.offset = more.then_some(end);
                    next.pages.extend(view.others);
                }
            }
            (Some(next), None) => next.failed = true,
            (None, Some(Details { view, .. })) if held.view.is_none() => {
                held.custom.clone_from(&view.custom_data);
                let len = view.others.len();
                let offset = (len < view.others_count as usize).then_some(len);
                held.next = Some(Next { view, pages: Vec::new(), offset, failed: false });
            }
            (None, None) if held.view.is_none() => {
                self.calls.remove(at);
                self.keep.here.retain(|here| *here != id);
            }
            (None, _) => {}
        }
    }

    /// Takes each view that is whole.
    pub(super) fn take_views(&mut self) {
        for at in 0..self.calls.len() {
            if self.whole(at) {
                self.take(at);
            }
        }
    }

    /// Whether the view that waits at this place can be taken; if something can be fetched for it, asks.
    fn whole(&mut self, at: usize) -> bool {
        let held = &self.calls[at];
        let Some(next) = &held.next else { return false };
        if held.calm().is_some_and(|until| self.now < until) {
            return false;
        }
        let id = held.id;
        let bare = next.view.custom_data.is_none() && held.custom.is_none();
        if !next.failed && (bare || next.offset.is_some()) {
            let offset = next.offset.unwrap_or(0);
            if !self.asking(|ask| matches!(ask, Ask::Fetch { invitation, .. } if *invitation == id)) {
                self.ask_own(Ask::Fetch { invitation: id, offset });
            }
            return false;
        }
        // A view that this device is in the call waits for the reply that says so.
        let unexplained = next.view.own.last().is_some_and(|t| on(t, &self.device) && held.mine < Some(t.no));
        !unexplained || self.keep.here.contains(&id) || self.requests.iter().all(|r| !r.ask.engages())
    }

    fn take(&mut self, at: usize) {
        let held = &mut self.calls[at];
        let Some(mut next) = held.next.take() else { return };
        held.custom = next.view.custom_data.take().or(held.custom.take());
        held.lacking = held.custom.is_none();
        next.view.custom_data = Some(held.custom.clone().unwrap_or_default());
        let (old, before) = (held.view.take(), std::mem::take(&mut held.others));
        if !held.cut(&next.view) || !next.failed && !next.pages.is_empty() {
            held.whole = next.view.revision;
        }
        let mut listed: Vec<Other> = Vec::new();
        merge(&mut listed, next.view.others.iter().chain(&next.pages));
        let mut others = before.clone();
        merge(&mut others, &listed);
        let change = Change { old, view: next.view, listed, before, others, lacking: held.lacking };
        self.incoming(at, &change);
        self.outgoing(at, &change);
        self.ending(&change);
        let id = change.view.invitation;
        let mine = change.view.own.last().filter(|t| on(t, &self.device));
        let leaving = |ask: &Ask| matches!(ask, Ask::Leave { invitation } if *invitation == id);
        let stray = mine.is_some_and(|t| t.state == TurnState::Accepted)
            && !self.keep.here.contains(&id)
            && !self.requests.iter().any(|r| leaving(&r.ask));
        let mine = mine.map(|t| t.no);
        let held = &mut self.calls[at];
        held.mine = held.mine.max(mine);
        held.calm = self.now + CALM;
        held.view = Some(change.view);
        held.others = change.others;
        if stray {
            // spec: D6: given up, and taken after all
            self.ask_own(Ask::Leave { invitation: id });
        }
    }

    /// The callee's side: S4, and how it ended.
    fn incoming(&mut self, at: usize, change: &Change) {
        let view = &change.view;
        for turn in &view.own {
            let held = &mut self.calls[at];
            if held.open == Some(turn.no) && !turn.state.pending() {
                held.open = None;
                self.closed_by(view, &change.others, turn, turn.state, change.lacking);
            } else if turn.state.pending() && held.rung < Some(turn.no) {
                held.open = Some(turn.no);
                held.rung = held.open;
                let event = Event::IncomingCallReceived {
                    call_id: view.call_id.clone(),
                    caller: self.person(&change.others, &turn.inviter),
                    call_type: view.call_type,
                    callees: self.callees(view),
                    custom_data: view.custom_data.clone().unwrap_or_default(),
                };
                let about = about(view, Some(turn.no), view.others_count as usize, !change.lacking);
                self.event(event, Some(about));
                self.ask_own(Ask::Ringing { invitation: view.invitation, turn: turn.no });
            }
        }
        let held = &mut self.calls[at];
        if held.open.is_some_and(|no| own(view, no).is_none()) {
            held.open = None;
        }
    }

    /// Tells how a turn that S4 was given for ended: S1, S5 or S6 (M1).
    fn closed_by(&mut self, view: &CallView, others: &[Other], turn: &OwnTurn, state: TurnState, lacking: bool) {
        let call_id = view.call_id.clone();
        let here = turn.device.as_ref() == Some(&self.device);
        let caller = self.person(others, &turn.inviter);
        let elsewhere = |how| Event::IncomingCallAnsweredElsewhere { call_id: call_id.clone(), how };
        let event = match state {
            TurnState::TimedOut => Event::IncomingCallTimeout { call_id, caller },
            TurnState::Cancelled if !turn.crossed => {
                let custom_data = view.custom_data.clone().unwrap_or_default();
                Event::IncomingCallCanceled { call_id, caller, custom_data }
            }
            TurnState::Cancelled => elsewhere(Elsewhere::Crossed),
            TurnState::Accepted | TurnState::Left if !here => elsewhere(Elsewhere::Answered),
            TurnState::Declined if !here => elsewhere(Elsewhere::Declined),
            TurnState::Busy if !here => elsewhere(Elsewhere::Busy),
            TurnState::Accepted
            | TurnState::Left
            | TurnState::Declined
            | TurnState::Busy
            | TurnState::Unreachable
            | TurnState::Inviting
            | TurnState::Ringing => return,
        };
        let missed = matches!(event, Event::IncomingCallTimeout { .. } | Event::IncomingCallCanceled { .. });
        if missed {
            self.know(MissedId { invitation: view.invitation, turn: turn.no }, false);
        }
        self.event(event, Some(about(view, Some(turn.no), view.others_count as usize, !(missed && lacking))));
    }

    /// The caller's side, while this device is in the call: S7 to S10.
    fn outgoing(&mut self, at: usize, change: &Change) {
        let view = &change.view;
        let sent = self.calls[at].sent.take();
        // What passed before this process is skipped (S14); what it sent itself is told from the first view on.
        let quiet = change.old.is_none() && sent.is_none();
        let Some(last) = view.own.last().filter(|_| self.keep.here.contains(&view.invitation)) else { return };
        if let Some(sent) = sent.filter(|s| !s.dialed || last.kind == TurnKind::Origin || last.crossed) {
            self.sent(view, &change.others, change.lacking, sent);
        }
        let newly = change.old.as_ref().and_then(|old| own(old, last.no)).is_none_or(|t| t.state.pending());
        if last.crossed && last.kind == TurnKind::Invited && on(last, &self.device) && newly {
            // spec: L10: the later request's device gets S7 and S8
            let callee = self.person(&change.others, &last.inviter);
            self.answered(change, callee, TurnState::Accepted);
        }
        let (mut late, mut moved) = (Vec::new(), Vec::new());
        for other in change.listed.iter().rev() {
            let before = change.before.iter().find(|o| o.person.id == other.person.id);
            for turn in other.turns.iter().filter(|t| t.kind == TurnKind::Invited && !quiet) {
                let owed = view.initiator == self.me.id || turn.inviter == self.me.id;
                let was = before.and_then(|o| o.turns.iter().find(|t| t.no == turn.no));
                if !owed || was.is_some_and(|t| !t.state.pending()) {
                    continue;
                }
                match turn.state {
                    TurnState::TimedOut => late.push(other.person.clone()),
                    state => self.answered(change, other.person.clone(), state),
                }
            }
            let stands = |o: &Other| o.turns.last().map(|t| (t.no, t.state));
            if let Some((_, state)) = stands(other).filter(|now| before.and_then(stands) != Some(*now)) {
                moved.push((other.person.clone(), state));
            }
        }
        self.late_and_moved(change, late, moved);
    }

    /// S9 and S10, each at most once a view (S16: at most 20 of their people).
    fn late_and_moved(&mut self, change: &Change, mut late: Vec<Person>, mut moved: Vec<(Person, TurnState)>) {
        let (view, call_id) = (&change.view, &change.view.call_id);
        if !late.is_empty() {
            let about = about(view, None, late.len(), true);
            late.truncate(LISTED);
            let video = view.call_type == crate::call::CallType::Video;
            let event = Event::OutgoingCallTimeout { call_id: call_id.clone(), callees: late, video };
            self.event(event, Some(about));
        }
        if !moved.is_empty() {
            let about = about(view, None, moved.len(), true);
            moved.truncate(LISTED);
            let event = Event::InvitationUserStateChanged { call_id: call_id.clone(), users: moved };
            self.event(event, Some(about));
        }
    }

    /// S7 for whom the view that is held shows already: the reply to an `invite` came after it.
    pub(super) fn told_already(&mut self, id: InvitationId) {
        let Some(held) = self.calls.iter_mut().find(|held| held.id == id) else { return };
        let Some(view) = held.view.clone() else { return };
        let (others, lacking) = (held.others.clone(), held.lacking);
        let shown = |id: &UserId| others.iter().any(|o| o.person.id == *id);
        if let Some(sent) = held.sent.take_if(|s| !s.dialed && s.callees.iter().all(shown)) {
            self.sent(&view, &others, lacking, sent);
        }
    }

    /// S7
    fn sent(&mut self, view: &CallView, others: &[Other], lacking: bool, sent: Sent) {
        let callees = sent.callees.iter().take(LISTED).map(|id| self.person(others, id)).collect();
        let about = about(view, None, sent.callees.len(), !lacking);
        let event = Event::OutgoingCallSent {
            call_id: view.call_id.clone(),
            caller: self.me.clone(),
            call_type: view.call_type,
            callees,
            custom_data: view.custom_data.clone().unwrap_or_default(),
            refused: sent.refused,
        };
        self.event(event, Some(about));
    }

    /// S8, if the turn's end is one that it tells.
    fn answered(&mut self, change: &Change, callee: Person, state: TurnState) {
        let view = &change.view;
        let call_id = view.call_id.clone();
        let custom_data = view.custom_data.clone().unwrap_or_default();
        let event = match state {
            TurnState::Accepted | TurnState::Left => Event::OutgoingCallAccepted { call_id, callee, custom_data },
            TurnState::Declined => Event::OutgoingCallDeclined { call_id, callee, custom_data },
            TurnState::Busy => Event::OutgoingCallRejectedCauseBusy { call_id, callee, custom_data },
            TurnState::Inviting
            | TurnState::Ringing
            | TurnState::Cancelled
            | TurnState::TimedOut
            | TurnState::Unreachable => return,
        };
        self.event(event, Some(about(view, None, view.others_count as usize, !change.lacking)));
    }

    /// S11: the call ended around this device, or it was taken out without asking.
    fn ending(&mut self, change: &Change) {
        let view = &change.view;
        let mine = view.own.iter().rev().find(|t| on(t, &self.device));
        let left = mine.is_some_and(|t| t.state == TurnState::Left);
        if !self.keep.here.contains(&view.invitation) || !(left || view.ended.is_some()) {
            return;
        }
        self.keep.here.retain(|here| *here != view.invitation);
        let reason = match mine.and_then(|t| t.leaving) {
            Some(Leaving::Elsewhere) => Some(EndReason::Elsewhere),
            Some(Leaving::Lost) => Some(EndReason::Lost),
            Some(Leaving::Asked) | None => view.ended,
        };
        if let Some(reason) = reason {
            let about = about(view, None, view.others_count as usize, true);
            self.event(Event::CallEnded { call_id: view.call_id.clone(), reason }, Some(about));
        }
    }

    /// A user by name: oneself, or one of the call's others.
    fn person(&self, others: &[Other], id: &UserId) -> Person {
        if *id == self.me.id {
            return self.me.clone();
        }
        let other = others.iter().find(|o| o.person.id == *id).map(|o| o.person.clone());
        other.unwrap_or_else(|| Person { id: id.clone(), name: "".into() })
    }

    /// The invitees that a view lists: oneself first; at most 20 (S16). They are `others_count` in all, for whoever
    /// isn't the initiator is an invitee.
    pub(super) fn callees(&self, view: &CallView) -> Vec<Person> {
        let me = (view.initiator != self.me.id).then(|| self.me.clone());
        let others = view.others.iter().map(|o| &o.person).filter(|p| p.id != view.initiator);
        me.into_iter().chain(others.cloned()).take(LISTED).collect()
    }

    /// Shows and hides rings, so that exactly what rings now is on show.
    pub(super) fn ring(&mut self) {
        let now = self.now;
        let answering = |id| {
            self.requests.iter().any(|r| match r.ask {
                Ask::Accept { invitation, .. } | Ask::Reject { invitation, .. } => invitation == id,
                _ => false,
            })
        };
        let rings = |held: &Held| {
            let turn = held.turn(held.open?)?;
            let waits = turn.state.pending() && turn.deadline > now && held.answered < Some(turn.no);
            (waits && !answering(held.id)).then_some((held.id, turn.no))
        };
        let due: Vec<_> = self.calls.iter().filter_map(rings).collect();
        for &(invitation, turn) in self.rings.iter().filter(|r| !due.contains(r)) {
            self.out.push(Output::HideRing { invitation, turn });
        }
        for &(id, no) in due.iter().filter(|d| !self.rings.contains(d)) {
            if let Some(ringing) = self.ringing(id, no) {
                self.out.push(Output::ShowRing(Box::new(ringing)));
            }
        }
        self.rings = due;
    }

    pub(super) fn ringing(&self, id: InvitationId, no: TurnNo) -> Option<Ringing> {
        let held = self.held(id)?;
        let (view, turn) = (held.view.as_ref()?, held.turn(no)?);
        Some(Ringing {
            invitation: id,
            turn: no,
            call_id: view.call_id.clone(),
            caller: self.person(&held.others, &turn.inviter),
            call_type: view.call_type,
            group: view.group,
            deadline: turn.deadline,
        })
    }
}

/// Merges others by who changed last; who is new comes behind.
fn merge<'a>(into: &mut Vec<Other>, from: impl IntoIterator<Item = &'a Other>) {
    for other in from {
        match into.iter_mut().find(|o| o.person.id == other.person.id) {
            Some(known) if known.changed < other.changed => known.clone_from(other),
            Some(_) => {}
            None => into.push(other.clone()),
        }
    }
}
