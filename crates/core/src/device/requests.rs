//! What the device asks: sent, repeated, claimed, answered, given up (N2, L9, D6).

use super::calls::{HELD, Held, Sent};
use super::{
    Answered, Ask, Bye, Connection, DialBack, ENGAGING, Elsewhere, Event, Key, Link, MissedRef, Output, PATIENCE, PING,
    REQUESTS, Request, Session,
};
use crate::call::{OwnTurn, TurnState};
use crate::id::{InvitationId, RequestId, UserId};
use crate::line::Made;
use crate::refusal::{Code, Refusal};
use crate::step::{CancelWhom, Claim, Reply};

impl Session {
    /// spec: N1, K6, L9
    pub(super) fn opened(&mut self) {
        if self.config.is_none() {
            return;
        }
        self.closed();
        self.bye = None;
        self.link = Some(Link { synced: false, heard: self.now, pinged: false, dead: false, ping: PING });
        let holds = self.calls.iter().filter(|held| !held.ended());
        let holds = holds.map(|held| (held.id, held.view.as_ref().map_or(0, |v| v.revision)));
        // What the process before was in may be over, which only an answer tells.
        let taken_up = self.keep.here.iter().filter(|id| self.held(**id).is_none());
        let holds = taken_up.map(|id| (*id, 0)).chain(holds).take(HELD).collect();
        // What may have been taken may have put it into another call (C11), or been refused or lost.
        let unanswered = self.requests.iter().filter(|r| r.again && r.ask.engages());
        let claim = Claim { invitation: self.in_call(), requests: unanswered.map(|r| r.id.clone()).collect() };
        self.out.push(Output::Hello { holds, claim });
    }

    pub(super) fn closed(&mut self) {
        let Some(link) = self.link.take() else { return };
        if self.over {
            if let Some(at) = self.requests.iter().position(|r| matches!(r.ask, Ask::Uninit)) {
                let request = self.requests.remove(at);
                self.outcome(request.id, Ok(Answered::Core(Reply::Done)));
            }
            return;
        }
        self.requests.retain(|r| !(r.own && matches!(r.ask, Ask::Fetch { .. })));
        for request in &mut self.requests {
            request.again |= request.sent;
            request.sent = false;
        }
        for held in &mut self.calls {
            held.next = None;
        }
        match self.bye {
            Some(bye @ (Bye::Replaced | Bye::Unauthorized | Bye::UpgradeRequired)) => {
                self.event(Event::ConnectionStateChanged(Connection::Closed(bye)), None);
            }
            Some(Bye::Other) | None if link.synced => {
                self.event(Event::ConnectionStateChanged(Connection::Disconnected), None);
            }
            Some(Bye::Other) | None => {}
        }
    }

    pub(super) fn synced(&mut self) {
        if let Some(link) = &mut self.link {
            link.synced = true;
        }
        self.event(Event::ConnectionStateChanged(Connection::Connected), None);
        let calls = &self.calls;
        self.requests.retain(|r| match r.ask {
            Ask::Ringing { invitation, turn } => {
                calls.iter().any(|held| held.id == invitation && held.open == Some(turn))
            }
            _ => true,
        });
        for request in self.requests.iter_mut().filter(|r| !r.sent) {
            request.sent = true;
            self.out.push(Output::Request { id: request.id.clone(), ask: request.ask.clone() });
        }
    }

    /// What the app asks.
    pub(super) fn act(&mut self, id: RequestId, mut ask: Ask) {
        if self.requests.iter().any(|r| r.id == id) {
            return;
        }
        if let Err(refusal) = self.fill(&mut ask) {
            return self.outcome(id, Err(refusal));
        }
        match &ask {
            Ask::DialBack(dial) if dial.default && !self.config.as_ref().is_some_and(|c| c.dial_back) => {
                // spec: D2
                return self.outcome(id, Ok(Answered::Nothing));
            }
            // spec: S11: who leaves isn't told that it ended, and doesn't claim it
            Ask::Leave { invitation } => self.keep.here.retain(|here| here != invitation),
            Ask::Uninit => return self.uninit(id),
            _ => {}
        }
        self.ask(id, ask, false);
    }

    /// Fills in what the app left out, and refuses what can't be sent.
    fn fill(&self, ask: &mut Ask) -> Result<(), Refusal> {
        let Some(config) = self.config.as_ref().filter(|_| !self.over) else {
            return Err(Refusal::new(Code::Unavailable, "call init first"));
        };
        if self.requests.len() >= REQUESTS {
            return Err(Refusal::new(Code::Unavailable, "too many requests wait for the connection"));
        }
        let unknown = || Refusal::new(Code::NotFound, "this device knows no such invitation");
        match ask {
            Ask::Accept { invitation, turn: turn @ None } | Ask::Reject { invitation, turn: turn @ None, .. } => {
                *turn = Some(self.call(*invitation).and_then(|v| v.own.last()).ok_or_else(unknown)?.no);
            }
            Ask::Cancel { invitation, whom: whom @ None } => {
                let seen = self.call(*invitation).ok_or_else(unknown)?.revision;
                *whom = Some(CancelWhom::All { seen });
            }
            Ask::DialBack(dial) => {
                dial.timeout = config.dial_back_timeout;
                dial.resource_id.clone_from(&config.resource_id);
            }
            _ => {}
        }
        Ok(())
    }

    fn ask(&mut self, id: RequestId, ask: Ask, own: bool) {
        let patience = match ask {
            Ask::Click(_) | Ask::DialBack(_) => Some(PATIENCE),
            Ask::Send { .. } | Ask::Invite { .. } | Ask::Accept { .. } | Ask::Join { .. } => Some(ENGAGING),
            _ => None,
        };
        let sent = self.link.as_ref().is_some_and(|link| link.synced);
        if sent {
            self.out.push(Output::Request { id: id.clone(), ask: ask.clone() });
        }
        self.requests.push(Request { id, ask, own, until: patience.map(|p| self.now + p), again: false, sent });
    }

    /// Asks for the machine's own sake.
    pub(super) fn ask_own(&mut self, ask: Ask) {
        self.made += 1;
        // The seed is checked by whoever made it; one that is no id gives a name that the server refuses, and no more.
        if let Ok(id) = RequestId::new(&format!("{}-{}", self.seed, self.made)) {
            self.ask(id, ask, true);
        }
    }

    /// Whether a request of the machine's own waits for an answer.
    pub(super) fn asking(&self, which: impl Fn(&Ask) -> bool) -> bool {
        self.requests.iter().any(|r| r.own && which(&r.ask))
    }

    fn outcome(&mut self, id: RequestId, answer: Result<Answered, Refusal>) {
        self.out.push(Output::Reply { id, answer });
    }

    pub(super) fn reply(&mut self, id: &RequestId, answer: Result<Answered, Refusal>) {
        // The answer to what was given up says nothing: if it was taken after all, the view shows it (D6).
        let Some(at) = self.requests.iter().position(|r| r.id == *id) else { return };
        let request = self.requests.remove(at);
        if !request.own {
            self.outcome(request.id, answer.clone());
        }
        if let (Ask::Accept { invitation, turn } | Ask::Reject { invitation, turn, .. }, Ok(_)) =
            (&request.ask, &answer)
            && let Some(held) = self.calls.iter_mut().find(|held| held.id == *invitation)
        {
            held.answered = held.answered.max(*turn);
        }
        match (request.ask, answer) {
            (Ask::Send { invitees, .. } | Ask::Invite { invitees, .. }, Ok(Answered::Core(Reply::Made(made)))) => {
                if let Made::Invited { invitation, refused, .. } = made {
                    let callees = invitees.into_iter().filter(|i| refused.iter().all(|(user, _)| user != i)).collect();
                    self.enter(invitation, request.again, Some(Sent { callees, refused, dialed: false }));
                }
            }
            (Ask::Accept { .. } | Ask::Join { .. }, Ok(Answered::Core(reply))) => match reply {
                Reply::Accepted { invitation, .. } | Reply::Made(Made::Joined { invitation, .. }) => {
                    self.enter(invitation, request.again, None);
                }
                _ => {}
            },
            (Ask::DialBack(dial), answer) => self.dialed(&dial, answer, request.again),
            (Ask::Click(missed), Err(refusal)) => {
                // spec: M4: what never reached the server handles nothing
                if matches!(refusal.code, Code::Unavailable | Code::RateLimited | Code::Internal) {
                    self.show_again(&missed);
                }
            }
            (Ask::Fetch { invitation, offset }, answer) if request.own => {
                self.fetched(invitation, offset, answer.ok().and_then(Answered::details));
            }
            (Ask::UpdateToken(_), Ok(Answered::Token(left))) => self.token_lasts(left),
            _ => {}
        }
    }

    /// spec: D6, D7
    fn dialed(&mut self, dial: &DialBack, answer: Result<Answered, Refusal>, again: bool) {
        match answer {
            Ok(Answered::Core(Reply::Made(Made::DialedBack { invitation, device, .. }))) if device == self.device => {
                let callees: Vec<UserId> = vec![dial.missed.caller.id.clone()];
                self.enter(invitation, again, Some(Sent { callees, refused: Vec::new(), dialed: true }));
            }
            Ok(Answered::Core(Reply::Made(Made::DialedBack { call_id, .. }))) => {
                self.event(Event::IncomingCallAnsweredElsewhere { call_id, how: Elsewhere::DialedBack }, None);
            }
            Ok(_) => self.failed(dial, Code::AlreadyInCall),
            Err(refusal) => self.failed(dial, refusal.code),
        }
    }

    fn failed(&mut self, dial: &DialBack, reason: Code) {
        let MissedRef { call_id, caller, .. } = dial.missed.clone();
        self.event(Event::IncomingMissedCallDialBackFailed { reason, call_id, caller }, None);
    }

    /// The server said that this device is in this call.
    fn enter(&mut self, invitation: InvitationId, again: bool, sent: Option<Sent>) {
        // The answer to a repeat may be older than the view that has shown how it ended since, for all or for us.
        let past = |t: &OwnTurn| {
            t.state == TurnState::Left || t.state == TurnState::Accepted && t.device.as_ref() != Some(&self.device)
        };
        let over = |held: &Held| held.ended() || held.view.as_ref().and_then(|v| v.own.last()).is_some_and(past);
        if again && self.held(invitation).is_some_and(over) {
            return;
        }
        let first = !self.keep.here.contains(&invitation);
        if first {
            self.keep.here.push(invitation);
        }
        let held = self.held_or_new(invitation);
        // spec: D7: a repeated dial-back returns the call that it is in
        held.sent = sent.filter(|s| first || !s.dialed).or(held.sent.take());
        if held.next.is_some() {
            return;
        }
        if held.view.is_some() && !first {
            self.told_already(invitation);
        } else if held.view.is_none() && again {
            // A repeat is answered without a view: the call may have ended meanwhile.
            self.ask_own(Ask::Fetch { invitation, offset: 0 });
        }
    }

    /// Gives up the request at this place (D6). What was taken after all is left as soon as a view shows it.
    pub(super) fn give_up(&mut self, at: usize) {
        let request = self.requests.remove(at);
        if !request.own {
            let refusal = Refusal::new(Code::Unavailable, "the server hasn't answered in time");
            self.outcome(request.id, Err(refusal));
        }
        match request.ask {
            Ask::DialBack(dial) => self.failed(&dial, Code::Unavailable),
            Ask::Click(missed) => self.show_again(&missed),
            _ => {}
        }
    }

    /// spec: M4, S12: a notification that was closed handles what it stands for; the summary nothing, as a click on it.
    pub(super) fn dismissed(&mut self, missed: Option<MissedRef>) {
        let Some(missed) = missed else {
            self.keep.summary = None;
            return;
        };
        let key = missed.key();
        self.keep.shown.retain(|s| s.key != key);
        let same = |ask: &Ask| matches!(ask, Ask::Dismiss { missed: id, .. } if *id == missed.id);
        if self.requests.len() < REQUESTS && !self.asking(same) {
            self.ask_own(Ask::Dismiss { missed: missed.id, notification: true });
        }
    }

    /// spec: S15
    fn uninit(&mut self, id: RequestId) {
        for request in std::mem::take(&mut self.requests).into_iter().filter(|r| !r.own) {
            self.outcome(request.id, Err(Refusal::new(Code::Unavailable, "uninit was called")));
        }
        for shown in std::mem::take(&mut self.keep.shown) {
            self.out.push(Output::Withdraw(shown.key));
        }
        if self.keep.summary.take().is_some() {
            self.out.push(Output::Withdraw(Key::Summary));
        }
        self.calls.clear();
        self.wants.clear();
        self.keep.here.clear();
        self.keep.clicks.clear();
        self.keep.back.clear();
        self.over = true;
        if self.link.as_ref().is_some_and(|link| link.synced) {
            self.ask(id, Ask::Uninit, false);
        } else {
            self.outcome(id, Ok(Answered::Core(Reply::Done)));
        }
    }
}
