//! `ringback listen`: a device in the terminal, which rings, takes answers by key, and tells what was missed.

use super::args::{Auto, ListenArgs};
use super::keys::{Key, Keys};
use super::say::{self, Company, HANG_UP, Screen, Standing};
use super::told::{self, Told};
use super::{BEAT, json as object, refusal};
use anyhow::Result;
use ringback_client::{
    Action, Call, CallError, CallEvent, CallInvitationService, Clicks, ConnectionState, Denied, DialedBack, Elsewhere,
    InvitationId, Notification, Notifier, TurnNo, display_name,
};
use ringback_core::call::OwnTurn;
use serde_json::json;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// What waits to be said; the machine shows at most 150 notifications.
const AHEAD: usize = 512;

/// How long who quits waits for the server to say that it knows.
const GOODBYE: Duration = Duration::from_secs(3);

/// What comes to the terminal beside events.
enum Note {
    Show(Box<Notification>),
    Withdraw(String),
    /// A request is done, so that things stand otherwise; and what there is to say of it.
    Done(Option<String>),
    /// A request was refused.
    Refused(CallError),
    /// A dial-back that the person asked for is done.
    DialedBack(DialedBack),
}

/// Shows missed calls in the terminal: each once, as on any device.
#[derive(Clone)]
struct Shows {
    to: mpsc::Sender<Note>,
    clicks: Arc<OnceLock<Clicks>>,
}

impl Notifier for Shows {
    fn attach(&self, clicks: Clicks) {
        // It is attached once.
        let _ = self.clicks.set(clicks);
    }

    fn show(&self, notification: &Notification) -> Result<(), Denied> {
        self.to.try_send(Note::Show(Box::new(notification.clone()))).map_err(|_| Denied)
    }

    fn withdraw(&self, tag: &str) {
        // What can't be said any more isn't read either.
        let _ = self.to.try_send(Note::Withdraw(tag.to_owned()));
    }
}

/// Runs `ringback listen`.
pub(super) async fn run(args: ListenArgs) -> Result<()> {
    let (to, mut notes) = mpsc::channel(AHEAD);
    let shows = Shows { to, clicks: Arc::default() };
    let service = args.who.lasting(args.state.clone(), shows.clone()).await?;
    let mut events = service.events();
    let mut keys = Keys::new(!args.who.json);
    let screen = Screen::new(args.who.json, keys.terminal());
    let mut listener = Listener { service, shows, auto: args.auto, screen, shown: Vec::new(), told: Told::default() };
    let who = listener.service.user().clone();
    listener.screen.line(&format!("listening for calls to {who} at {}", args.who.server()));
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => listener.event(&event),
                None => return Ok(()),
            },
            Some(note) = notes.recv() => listener.note(note),
            key = keys.next() => match key {
                Key::Interrupt | Key::Letter('q') => break,
                Key::Letter(letter) => listener.key(letter),
            },
            _ = beat.tick() => {}
        }
        if let Some(call) = listener.call() {
            listener.told.look(&call);
        }
        let standing = listener.standing();
        listener.screen.standing(&standing);
    }
    if let Some(invitation) = listener.service.in_call() {
        let said = listener.told.hung_up(invitation);
        // It may be over by now, and then nothing is left to leave; or out of reach, and then the server will miss us.
        if let Ok(Ok(())) = tokio::time::timeout(GOODBYE, listener.service.leave(invitation)).await {
            listener.screen.line(&said);
        }
    }
    Ok(())
}

struct Listener {
    service: CallInvitationService,
    shows: Shows,
    auto: Option<Auto>,
    screen: Screen,
    /// The missed calls on show, the newest last.
    shown: Vec<Notification>,
    told: Told,
}

/// What a notification of missed calls stands for, by the terminal's words.
fn missed(shown: &Notification) -> String {
    match &shown.missed_call {
        Some(call) if call.group || shown.count < 2 => {
            format!("{}, {}", display_name(&call.caller), say::kind(call.call_type, call.group))
        }
        Some(call) => format!("{}, {} calls", display_name(&call.caller), shown.count),
        None => format!("{} calls", shown.count),
    }
}

/// What a caller was told who rang while this user took another call, or said on another device that they are busy.
fn told_busy(call: Option<&Call>, turn: Option<TurnNo>) -> String {
    let own = call.and_then(|call| call.own.iter().find(|own| Some(own.no) == turn));
    let caller = own.zip(call).and_then(|(own, call)| call.others.iter().find(|other| other.person.id == own.inviter));
    let caller = caller.map_or("the caller", |other| display_name(&other.person));
    match own {
        // A device said so itself.
        Some(OwnTurn { device: Some(_), .. }) => format!("{caller} was told on another device that you are busy"),
        _ => format!("{caller} was told that you are in another call"),
    }
}

impl Listener {
    /// The call that this device is in.
    fn call(&self) -> Option<Call> {
        self.service.in_call().and_then(|invitation| self.service.call(invitation))
    }

    /// How things stand, in one line.
    fn standing(&self) -> Standing {
        let service = &self.service;
        let back = (!self.connected()).then(|| "reconnecting…".to_owned());
        if let Some(ring) = service.rings().first() {
            let left = say::about(ring.remaining + Duration::from_millis(999));
            let kind = say::kind(ring.call_type, ring.group);
            let facts = [format!("{} rings", display_name(&ring.caller)), kind, left];
            return Standing::new(facts.into_iter().chain(back), ["a accept", "d decline"]);
        }
        if let Some(call) = self.call() {
            let company = match say::company(&call) {
                Company::With(others) => format!("in the call with {others}"),
                Company::Rings(others) => format!("calling {others}"),
                Company::Alone => "alone in the call".to_owned(),
            };
            return Standing::new([company].into_iter().chain(back), [HANG_UP]);
        }
        let missed = service.missed();
        match (service.connection_state(), missed.calls.first()) {
            (ConnectionState::Connected, None) => Standing::new(["waiting for calls"], ["q quit"]),
            (ConnectionState::Connected, Some(newest)) => {
                let name = display_name(&newest.caller);
                let back = match (newest.group, newest.can_join) {
                    (false, _) => Some(format!("b call {name} back")),
                    (true, true) => Some(format!("b join {name}'s call")),
                    (true, false) => None,
                };
                let keys = back.into_iter().chain(["x dismiss".to_owned(), "q quit".to_owned()]);
                Standing::new([format!("{} missed", missed.total)], keys)
            }
            (ConnectionState::Reconnecting, _) => Standing::new(["reconnecting…"], ["q quit"]),
            (state, _) => Standing::new([say::words(state)], ["q quit"]),
        }
    }

    fn event(&mut self, event: &CallEvent) {
        self.screen.object(&object::event(event));
        let line = match event {
            CallEvent::IncomingCallReceived { caller, call_type, custom_data, invitation, .. } => {
                let invitation = invitation.as_ref().map(|about| about.invitation);
                self.answer(invitation);
                self.screen.bell();
                let group = invitation.and_then(|id| self.service.call(id)).is_some_and(|call| call.group);
                // Who watches is told the keys in the last line.
                let asks = self.auto.is_none() && !self.screen.live();
                let keys = if asks { " · a accept · d decline" } else { "" };
                let about = if custom_data.trim().is_empty() {
                    String::new()
                } else {
                    format!(": {}", say::quoted(custom_data))
                };
                format!("{} rings, {}{about}{keys}", display_name(caller), say::kind(*call_type, group))
            }
            CallEvent::IncomingCallAnsweredElsewhere { how, invitation, .. } => match how {
                Elsewhere::Busy => {
                    let about = invitation.as_ref();
                    let call = about.and_then(|about| self.service.call(about.invitation));
                    told_busy(call.as_ref(), about.and_then(|about| about.turn))
                }
                Elsewhere::DialedBack => "called back on another device".to_owned(),
                how => format!("{} on another device", say::words(how)),
            },
            CallEvent::IncomingMissedCallDialBackFailed { reason, caller, .. } => {
                format!("can't call {} back: {}", display_name(caller), refusal::why(*reason))
            }
            CallEvent::ConnectionStateChanged { state: ConnectionState::Connected } if !self.told.away => {
                "connected".to_owned()
            }
            _ => {
                let group = told::of_group(&self.service, event);
                return self.told.lines(event, group).iter().for_each(|line| self.screen.line(line));
            }
        };
        self.screen.line(&line);
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Show(shown) => {
                let keys = match shown.action {
                    Some(Action::CallBack) => " · b calls back",
                    Some(Action::Join) => " · b joins",
                    None => "",
                };
                // One that only lost its button was told already.
                let told = |other: &Notification| other.missed_call == shown.missed_call && other.count == shown.count;
                if !self.shown.iter().any(|other| other.tag == shown.tag && told(other)) {
                    self.screen.line(&format!("missed: {}{keys}", missed(&shown)));
                }
                self.screen.object(&json!({
                    "event": "notification", "tag": shown.tag, "title": shown.title, "body": shown.body,
                    "count": shown.count, "sound": shown.sound,
                }));
                if shown.sound {
                    self.screen.bell();
                }
                self.shown.retain(|other| other.tag != shown.tag);
                self.shown.push(*shown);
            }
            Note::Withdraw(tag) => {
                self.screen.object(&json!({ "event": "notification_withdrawn", "tag": tag }));
                self.shown.retain(|other| other.tag != tag);
            }
            Note::Done(said) => said.iter().for_each(|said| self.screen.line(said)),
            Note::Refused(error) => {
                self.screen.line(&refusal::sentence(&error));
                self.screen
                    .object(&json!({ "event": "refused", "code": error.code.as_str(), "message": error.message }));
            }
            Note::DialedBack(DialedBack::Engaged { .. }) => self.screen.line("you are in another call"),
            Note::DialedBack(DialedBack::Called { .. }) => {}
        }
    }

    fn connected(&self) -> bool {
        self.service.connection_state() == ConnectionState::Connected
    }

    /// Says of what a key asked for that it has to wait, where it has to.
    fn waits(&mut self, key: char) {
        let (rings, missed) = (!self.service.rings().is_empty(), !self.service.missed().calls.is_empty());
        let doing = match key {
            'a' if rings => "answering",
            'd' if rings => "declining",
            'h' if self.service.in_call().is_some() => "hanging up",
            'b' if missed => "calling back",
            'x' if missed => "dismissing",
            _ => return,
        };
        if !self.connected() {
            self.screen.line(&format!("{doing} when the connection is back"));
        }
    }

    fn key(&mut self, key: char) {
        let service = self.service.clone();
        self.waits(key);
        match key {
            'a' => self.ask(async move { service.accept(None).await.map(|_| None) }),
            'd' => self.ask(async move { service.reject(None).await.map(|()| None) }),
            'h' => match service.in_call() {
                None => self.screen.line("you are in no call"),
                Some(call) => {
                    let said = self.told.hung_up(call);
                    self.ask(async move { service.leave(call).await.map(|()| Some(said)) });
                }
            },
            'b' => self.call_back(),
            'x' => self.dismiss(),
            _ => {}
        }
    }

    /// As a click on the newest missed call that is on show; else on the newest that there is.
    fn call_back(&mut self) {
        let Some(missed) = self.service.missed().calls.into_iter().next() else {
            self.screen.line("nothing missed");
            return;
        };
        // Of what was shown, the one that the last line names.
        let named = |shown: &&Notification| shown.missed_call.as_ref().is_some_and(|call| call.id == missed.id);
        if let (Some(shown), Some(clicks)) = (self.shown.iter().find(named), self.shows.clicks.get()) {
            clicks.clicked(shown);
            return;
        }
        let (service, to) = (self.service.clone(), self.shows.to.clone());
        // A refusal is told by its own event (S3).
        self.ask(async move {
            if let Ok(done) = service.dial_back(&missed).await {
                let _ = to.send(Note::DialedBack(done)).await;
            }
            Ok(None)
        });
    }

    /// Handles the newest missed call, which the last line names.
    fn dismiss(&mut self) {
        let Some(missed) = self.service.missed().calls.into_iter().next() else {
            self.screen.line("nothing missed");
            return;
        };
        let service = self.service.clone();
        self.ask(async move {
            service.dismiss_missed_call(&missed).await?;
            let kind = say::kind(missed.call_type, missed.group);
            Ok(Some(format!("dismissed: {}, {kind}", display_name(&missed.caller))))
        });
    }

    fn answer(&mut self, invitation: Option<InvitationId>) {
        let service = self.service.clone();
        match self.auto {
            None => {}
            Some(Auto::Accept) => self.ask(async move { service.accept(invitation).await.map(|_| None) }),
            Some(Auto::Decline) => self.ask(async move { service.reject(invitation).await.map(|()| None) }),
        }
    }

    /// Asks for something, and says what the request has to say when it is done.
    fn ask(&self, request: impl Future<Output = Result<Option<String>, CallError>> + Send + 'static) {
        let to = self.shows.to.clone();
        tokio::spawn(async move {
            let note = request.await.map_or_else(Note::Refused, Note::Done);
            // Nobody may be listening any more.
            let _ = to.send(note).await;
        });
    }
}
