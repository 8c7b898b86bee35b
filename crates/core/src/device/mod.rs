//! The client's half (K6): what one device rings, shows, withdraws, tells its app and dials back.
//!
//! [`Session`] is one machine for one user on one device, for as long as the process lives; connections come and go
//! under it. [`Input`]s and the time go in, [`Output`]s come out, in order; there is no I/O, clock or randomness.
//!
//! # The model
//! - **Views, not events** (K5). The server shows the state of each call; a view that isn't newer than the one held is
//!   dropped, and what the app is told is worked out from the held one and the new one ([`calls`]). So skipped
//!   revisions, repeats and reconnects need no rule of their own, and no event comes twice (S14).
//! - A view is **taken** when it is whole. Until then it waits beside the held one, and a newer one takes its place:
//!   without its `customData`, or without participants that the app is owed events of, it waits for a `fetch`; a view
//!   that says *this device* is in a call waits for the reply that says why. If no request explains it (it was given
//!   up: D6), the call is left.
//! - **The reply puts the device in a call** (`here`), the view takes it out, or its own `leave` does at once. The next
//!   hello claims the last one entered, and by their ids the requests whose answers were lost: if one was taken, it
//!   may have put the device into another call (L9).
//! - **Requests** are repeated with the same id on each connection until they are answered (N2), or given up: a
//!   dial-back after 10 s (D6), what else would ring or enter late after 30 s ([`requests`]).
//! - **Missed calls** ([`missed`]) are a list with a revision. What is new in it gives S1 or S5, unless the call's view
//!   gave it, and pops up. What is on show is then compared with what is listed: changed, withdrawn, or let be; what is
//!   to come back (M4) is remembered until a list shows it.
//! - **A click** (D1 to D3) is reported, then goes to the app (S2) or is the default action's turn. Before `init` it is
//!   kept, for 60 s.
//! - **Rings** are derived at the end of each input from what is held: pending, before its deadline, and not answered
//!   here. Nothing can be left ringing.
//!
//! # The contract
//! Call [`Session::input`] with each input and a `now` that doesn't run backwards, do the outputs in order, and input
//! [`Input::Tick`] at [`Session::poll_timeout`]. The last [`Output::Persist`] is given to the next process's
//! [`Session::new`], with a new seed. `web/device.js` is this machine again, compared by `cargo xtask twin`.

mod calls;
mod io;
mod missed;
mod requests;
#[cfg(test)]
mod tests;

pub use io::*;

use crate::call::CallView;
use crate::id::{DeviceId, InvitationId, Person, TurnNo, UserId};
use crate::step::MissedView;
use crate::time::Timestamp;
use calls::Held;
use missed::Want;
use std::sync::Arc;
use std::time::Duration;

/// How long a click is good for before `init` (D3).
const CLICK_LASTS: Duration = Duration::from_secs(60);
/// How long a click, and a dial-back, waits for the server (D1, D6).
const PATIENCE: Duration = Duration::from_secs(10);
/// How long any other request that would ring someone or enter a call waits: as long as the server waits for us (L9).
const ENGAGING: Duration = Duration::from_secs(30);
/// How long before its token expires the app is told (S13).
const TOKEN_WARNING: Duration = Duration::from_secs(60);
/// How often the server is heard at least, until it says so itself.
const PING: Duration = Duration::from_secs(10);
/// Requests that may wait at a time; beyond it an act is refused with `unavailable`.
const REQUESTS: usize = 128;

/// The connection, while there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Link {
    /// How things stand is complete: requests may be sent.
    synced: bool,
    /// When the server was last heard.
    heard: Timestamp,
    /// Asked since whether it is there.
    pinged: bool,
    /// Found dead.
    dead: bool,
    /// How often it is heard at least.
    ping: Duration,
}

impl Link {
    fn ping_at(&self) -> Timestamp {
        self.heard + self.ping
    }

    /// spec: N3, docs/protocol.md: nothing heard for 2.5 times `ping_ms`.
    fn dead_at(&self) -> Timestamp {
        self.heard + self.ping * 5 / 2
    }
}

/// The machine of one user on one device. See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    me: Person,
    device: DeviceId,
    seed: Arc<str>,
    made: u64,
    now: Timestamp,
    config: Option<Config>,
    /// `uninit` was asked: nothing but its reply matters any more.
    over: bool,
    link: Option<Link>,
    bye: Option<Bye>,
    /// When the app is told that its token will expire, and when that is.
    token: Option<(Timestamp, Timestamp)>,
    denied: bool,
    calls: Vec<Held>,
    rings: Vec<(InvitationId, TurnNo)>,
    missed: Option<MissedView>,
    wants: Vec<Want>,
    requests: Vec<Request>,
    /// What is kept, but for the requests.
    keep: Persisted,
    /// What was given out to be kept, last.
    kept: Persisted,
    out: Vec<Output>,
}

impl Session {
    /// The machine of `user` on `device`. `seed` is a fresh unguessable text for each process: the machine's own
    /// requests are named `<seed>-1`, `<seed>-2`, …; at most 100 bytes without control characters.
    pub fn new(user: UserId, device: DeviceId, seed: &str, mut persisted: Persisted) -> Self {
        let requests = std::mem::take(&mut persisted.requests);
        let mut session = Self {
            me: Person { id: user, name: "".into() },
            device,
            seed: seed.into(),
            made: 0,
            now: Timestamp(0),
            config: None,
            over: false,
            link: None,
            bye: None,
            token: None,
            denied: false,
            calls: Vec::new(),
            rings: Vec::new(),
            missed: None,
            wants: Vec::new(),
            requests,
            keep: persisted,
            kept: Persisted::default(),
            out: Vec::new(),
        };
        session.kept = session.persisted();
        session
    }

    /// Takes one input at the local time `now`, and says what to do, in order. What is due by then is done first (L2).
    pub fn input(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        self.now = self.now.max(now);
        if !self.over {
            self.expire();
        }
        match input {
            Input::Frame(frame) => self.frame(frame),
            Input::Closed => self.closed(),
            Input::Act { id, ask } => self.act(id, ask),
            Input::Init { config, take_up } if !self.over => self.init(config, take_up),
            Input::Opened if !self.over => self.opened(),
            Input::Clicked { missed, user, at } if !self.over && user == self.me.id => self.clicked(missed, at),
            Input::Dismissed { missed, user } if !self.over && user == self.me.id => self.dismissed(missed),
            Input::Denied if !self.denied => {
                self.denied = true;
                self.event(Event::NotificationsDenied, None);
            }
            Input::Init { .. }
            | Input::Opened
            | Input::Clicked { .. }
            | Input::Dismissed { .. }
            | Input::Denied
            | Input::Tick => {}
        }
        if !self.over {
            self.take_views();
            self.want();
        }
        self.ring();
        self.persist();
        std::mem::take(&mut self.out)
    }

    /// When to input [`Input::Tick`] at the latest, if nothing else comes before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.over {
            return None;
        }
        let requests = self.requests.iter().filter_map(|r| r.until);
        let wants = self.wants.iter().map(|w| w.until);
        let rings = self.rings.iter().filter_map(|&(id, turn)| Some(self.held(id)?.turn(turn)?.deadline));
        let calm = self.calls.iter().filter_map(Held::calm).filter(|until| self.now < *until);
        let link = self.link.iter().filter(|l| !l.dead);
        let link = link.map(|l| if l.pinged { l.dead_at() } else { l.ping_at() });
        requests.chain(wants).chain(rings).chain(calm).chain(link).chain(self.token.map(|(tell, _)| tell)).min()
    }

    /// The newest view of a call that was taken.
    pub fn call(&self, invitation: InvitationId) -> Option<&CallView> {
        self.held(invitation)?.view.as_ref()
    }

    /// Every call that the device holds: what it was in or rung by, the newest 64.
    pub fn calls(&self) -> impl Iterator<Item = &CallView> {
        self.calls.iter().filter_map(|held| held.view.as_ref())
    }

    /// The call that this device is in.
    pub fn in_call(&self) -> Option<InvitationId> {
        self.keep.here.last().copied()
    }

    /// Whether the app has asked for this call's end, as it may (L5), and has no answer yet.
    pub fn end_asked(&self, invitation: InvitationId) -> bool {
        let Some(view) = self.call(invitation) else { return false };
        let mine = view.initiator == self.me.id;
        self.requests.iter().any(|request| match &request.ask {
            Ask::End { invitation: asked } => *asked == invitation && (mine || !view.group),
            Ask::Cancel { invitation: asked, .. } => *asked == invitation && mine && !view.group,
            _ => false,
        })
    }

    /// What rings now, the longest first.
    pub fn rings(&self) -> impl Iterator<Item = Ringing> {
        self.rings.iter().filter_map(|&(id, no)| self.ringing(id, no))
    }

    /// The unhandled missed calls, once the server has told them.
    pub fn missed(&self) -> Option<&MissedView> {
        self.missed.as_ref()
    }

    fn init(&mut self, config: Config, take_up: bool) {
        let first = self.config.replace(config).is_none();
        if !first {
            return self.render(&[], Vec::new());
        }
        if !take_up {
            // spec: L9: an app started anew claims only what it takes up again
            self.requests.retain(|r| !r.ask.engages());
            self.keep.here.clear();
        }
        for (missed, at) in std::mem::take(&mut self.keep.clicks) {
            self.deliver(missed, at);
        }
    }

    fn frame(&mut self, frame: Frame) {
        let now = self.now;
        let Some(link) = &mut self.link else { return };
        link.heard = now;
        link.pinged = false;
        match frame {
            Frame::Reply { id, answer } => self.reply(&id, answer),
            Frame::Bye(bye) => self.bye = Some(bye),
            _ if self.over => {}
            Frame::Welcome { person, ping, token_expires_in } => {
                link.ping = ping.max(Duration::from_secs(1));
                if person.id == self.me.id {
                    self.me = person;
                }
                self.token_lasts(token_expires_in);
            }
            Frame::Call(view) => self.seen(*view),
            Frame::Gone(invitation) => self.gone(invitation),
            Frame::Missed(view) => self.listed(view),
            Frame::Synced => self.synced(),
            Frame::Alive => {}
        }
    }

    fn token_lasts(&mut self, left: Duration) {
        let end = self.now + left;
        self.token = Some((self.now.max(end - TOKEN_WARNING), end));
    }

    /// Does what is due by now.
    fn expire(&mut self) {
        let now = self.now;
        while let Some(at) = self.requests.iter().position(|r| r.until.is_some_and(|until| until <= now)) {
            self.give_up(at);
        }
        while let Some(at) = self.wants.iter().position(|w| w.until <= now) {
            let want = self.wants.remove(at);
            self.give(want, None);
        }
        if let Some((_, end)) = self.token.take_if(|(tell, _)| *tell <= now) {
            self.event(Event::TokenWillExpire(now.until(end)), None);
        }
        if let Some(link) = &mut self.link {
            if link.dead_at() <= now && !link.dead {
                link.dead = true;
                self.out.push(Output::Close);
            } else if link.ping_at() <= now && !link.pinged && !link.dead {
                link.pinged = true;
                self.out.push(Output::Ping);
            }
        }
    }

    fn event(&mut self, event: Event, about: Option<About>) {
        self.out.push(Output::Event(Box::new(event), about));
    }

    fn persisted(&self) -> Persisted {
        let requests = self.requests.iter().filter(|r| r.ask.outlives());
        let requests = requests.map(|r| Request { again: r.again || r.sent, sent: false, ..r.clone() }).collect();
        Persisted { requests, ..self.keep.clone() }
    }

    fn persist(&mut self) {
        let now = self.persisted();
        if now != self.kept {
            self.kept = now.clone();
            self.out.push(Output::Persist(Box::new(now)));
        }
    }
}
