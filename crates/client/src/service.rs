//! The public face: `CallInvitationService` (spec §3).

use crate::config::{TextKind, check_call_id, check_id};
use crate::error::{CallError, ConfigError, InitError};
use crate::events::{ConnectionState, EVENTS, Events};
use crate::keep::Keep;
use crate::link::{Address, Link};
use crate::media::SIGNALS;
use crate::notifier::Ring;
use crate::shapes::{
    Accepted, DialedBack, DoNotDisturb, HistoryPage, Init, InviteOptions, MissedCalls, SendOptions, Sent, left_of,
};
use crate::task::{Answer, COMMANDS, Clock, Command, Commands, Shared, Standing, Task, lock, request_id};
use crate::{Call, CallType, Code, InvitationId, MissedCallRef, UserId};
use ringback_core::device::{Answered, Ask, DialBack, Input, Persisted, Secret, Session};
use ringback_core::id::{DeviceId, RequestId};
use ringback_core::line::Made;
use ringback_core::step::{CancelWhom, Reply};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// How long `uninit` waits for the server to say that it knows.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long the view of a call may be behind the answer that made it.
const SHOWN: Duration = Duration::from_secs(1);
/// Longest name of a platform, in characters.
const PLATFORM: usize = 32;

/// Call invitations for one user on one device: rings, answers, misses and dials back.
///
/// A clone is the same service. It stays connected until `uninit`, or until the last clone is gone; a call that it is in
/// then goes on waiting for this device for 30 s. A request's future may be dropped: the request itself goes on.
#[derive(Debug, Clone)]
pub struct CallInvitationService {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

impl CallInvitationService {
    /// Signs the user in on this device and keeps it connected; settled once that is under way, connected or not. Must be
    /// called within a tokio runtime whose time and I/O are on.
    pub async fn init(init: Init) -> Result<Self, InitError> {
        init.config.check()?;
        let address = Address::parse(&init.server)?;
        let user = check_id("user", &init.user)?;
        if init.platform.chars().count() > PLATFORM {
            return Err(ConfigError::new("platform", format!("must have at most {PLATFORM} characters")).into());
        }
        let id = || request_id().map_err(|error| InitError::Randomness(std::io::Error::other(error)));
        let fresh = device_id(&id()?)?;
        let (keep, device, persisted) = match init.keep_in.clone() {
            None => (None, fresh, Persisted::default()),
            Some(directory) => {
                let user = user.clone();
                let opened = tokio::task::spawn_blocking(move || Keep::open(&directory, &user, fresh)).await;
                // It doesn't panic, and a runtime that is shut down doesn't come back here.
                let (keep, persisted) = opened.map_err(|error| InitError::Randomness(error.into()))??;
                let device = keep.device().clone();
                (Some(Arc::new(keep)), device, persisted)
            }
        };
        let config = init.config.machine(init.events.is_some());
        let clock = Clock::start();
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let shared = Arc::new(Shared {
            session: Mutex::new(Session::new(user.clone(), device.clone(), id()?.as_str(), persisted)),
            user: user.clone(),
            device,
            config: init.config,
            clock,
            standing: Mutex::new(Standing::default()),
            events: broadcast::channel(EVENTS).0,
            signals: broadcast::channel(SIGNALS).0,
            moved: watch::channel(()).0,
            tokens: init.tokens,
        });
        let task = Task {
            shared: shared.clone(),
            address,
            platform: init.platform.into(),
            app: init.events,
            notifier: init.notifier,
            keep,
            commands: Commands::new(&commands),
            link: Link::Idle,
            token: String::new(),
            waiting: HashMap::new(),
            passing: crate::media::Waiting::default(),
            page: None,
            failures: 0,
            opened: None,
            refused: false,
            told: false,
        };
        let clicked = |missed| Input::Clicked { missed: Some(missed), user: user.clone(), at: clock.now() };
        let mut inputs: Vec<Input> = init.clicked.into_iter().map(clicked).collect();
        inputs.push(Input::Init { config, take_up: init.take_up_call });
        tokio::spawn(task.run(receiver, inputs));
        Ok(Self { shared, commands })
    }

    /// Signs the user off on this device: leaves the call, withdraws what shows, forgets what is kept (S15). With the
    /// server out of reach, it learns of it when the user is next seen there.
    pub async fn uninit(self) {
        // Whatever the server says, the device is signed off.
        let _ = tokio::time::timeout(GOODBYE, self.act(Ask::Uninit)).await;
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }

    /// The events from here on. Each reader has all of them.
    pub fn events(&self) -> Events {
        Events { from: self.shared.events.subscribe(), lost: 0 }
    }

    /// Invites users to a call; on a device that is in a call, into that one.
    pub async fn send(&self, options: SendOptions) -> Result<Sent, CallError> {
        let (invitees, ring) = options.invite.ring()?;
        let call_id = options.call_id.as_deref().map(|id| check_call_id("call_id", id)).transpose()?;
        let call_type = if options.is_video_call { CallType::Video } else { CallType::Voice };
        let custom_data = options.custom_data.into();
        let sent = sent(self.act(Ask::Send { invitees, call_type, custom_data, call_id, ring }).await?)?;
        self.shown(sent.invitation).await;
        Ok(sent)
    }

    /// Invites more users into the call that this device is in (C9, C10).
    pub async fn invite(&self, options: InviteOptions) -> Result<Sent, CallError> {
        let (invitees, ring) = options.ring()?;
        let invitation = self.this_call(None)?;
        sent(self.act(Ask::Invite { invitation, invitees, ring }).await?)
    }

    /// Stops ringing everyone who hasn't answered, in this call or the one that this device is in.
    pub async fn cancel(&self, invitation: impl Into<Option<InvitationId>>) -> Result<(), CallError> {
        let invitation = self.this_call(invitation.into())?;
        self.out_of(invitation, Ask::Cancel { invitation, whom: None }).await
    }

    /// Stops ringing one callee who hasn't answered, in this call or the one that this device is in.
    pub async fn cancel_callee(
        &self,
        callee: &str,
        invitation: impl Into<Option<InvitationId>>,
    ) -> Result<(), CallError> {
        let invitation = self.this_call(invitation.into())?;
        let callee = check_id("callee", callee)?;
        let turn = lock(&self.shared.session).call(invitation).and_then(|call| {
            let other = call.others.iter().find(|other| other.person.id == callee)?;
            other.turns.last().map(|turn| turn.no)
        });
        let unknown = || CallError::new(Code::NotFound, "they aren't known to be in that call");
        let whom = Some(CancelWhom::Turn { callee, turn: turn.ok_or_else(unknown)? });
        self.done(Ask::Cancel { invitation, whom }).await
    }

    /// Answers a call that rings: this one, or the one that rings longest.
    pub async fn accept(&self, invitation: impl Into<Option<InvitationId>>) -> Result<Accepted, CallError> {
        let invitation = self.this_ring(invitation.into())?;
        match self.act(Ask::Accept { invitation, turn: None }).await? {
            Answer::Machine(Answered::Core(Reply::Accepted { invitation, .. })) => {
                Ok(Accepted { invitation, joined: false })
            }
            Answer::Machine(Answered::Core(Reply::Made(Made::Joined { invitation, .. }))) => {
                Ok(Accepted { invitation, joined: true })
            }
            _ => Err(odd()),
        }
    }

    /// Declines a call that rings, for the user, on all their devices: this one, or the one that rings longest.
    pub async fn reject(&self, invitation: impl Into<Option<InvitationId>>) -> Result<(), CallError> {
        let invitation = self.this_ring(invitation.into())?;
        self.done(Ask::Reject { invitation, turn: None, busy: false }).await
    }

    /// Says that the user is busy elsewhere, say in a cellular call.
    pub async fn reject_busy(&self, invitation: impl Into<Option<InvitationId>>) -> Result<(), CallError> {
        let invitation = self.this_ring(invitation.into())?;
        self.done(Ask::Reject { invitation, turn: None, busy: true }).await
    }

    /// Enters a group call that runs and that this user may join (L5).
    pub async fn join(&self, invitation: InvitationId) -> Result<(), CallError> {
        self.done(Ask::Join { invitation }).await
    }

    /// Leaves this call, or the one that this device is in. It is out at once ([`CallInvitationService::in_call`]), and the
    /// server is told as soon as there is a connection; a call that is over by then was left, too.
    pub async fn leave(&self, invitation: impl Into<Option<InvitationId>>) -> Result<(), CallError> {
        let invitation = self.this_call(invitation.into())?;
        self.out_of(invitation, Ask::Leave { invitation }).await
    }

    /// Ends this call, or the one that this device is in, for everyone. It is out at once, as by
    /// [`CallInvitationService::leave`].
    pub async fn end(&self, invitation: impl Into<Option<InvitationId>>) -> Result<(), CallError> {
        let invitation = self.this_call(invitation.into())?;
        self.out_of(invitation, Ask::End { invitation }).await
    }

    /// Calls back who was missed, or joins the group call that was missed, if it still runs: the server chooses (D5).
    pub async fn dial_back(&self, missed_call: impl Into<MissedCallRef>) -> Result<DialedBack, CallError> {
        let missed = missed_call.into();
        let texts = self.shared.config.texts(TextKind::DialBack, &missed, 1);
        let dial = DialBack {
            missed,
            title: texts.title.map(Into::into),
            message: texts.message.map(Into::into),
            // The machine fills in the configuration's.
            timeout: Duration::ZERO,
            resource_id: None,
            default: false,
        };
        match self.act(Ask::DialBack(Box::new(dial))).await? {
            Answer::Machine(Answered::Core(Reply::Made(Made::DialedBack { invitation, call_id, device }))) => {
                self.shown(invitation).await;
                Ok(DialedBack::Called { invitation, call_id, elsewhere: device != self.shared.device })
            }
            Answer::Machine(Answered::Core(Reply::Made(Made::Engaged { invitation }))) => {
                Ok(DialedBack::Engaged { invitation })
            }
            _ => Err(odd()),
        }
    }

    /// Lists unhandled missed calls, newest first, at most 100, from `offset` on.
    pub async fn missed_calls(&self, offset: usize) -> Result<MissedCalls, CallError> {
        match self.act(Ask::MissedCalls { offset }).await? {
            Answer::Machine(Answered::Core(Reply::MissedCalls { calls, total })) => Ok(MissedCalls { calls, total }),
            _ => Err(odd()),
        }
    }

    /// Handles one missed call without calling back, on all devices.
    pub async fn dismiss_missed_call(&self, missed_call: impl Into<MissedCallRef>) -> Result<(), CallError> {
        self.done(Ask::Dismiss { missed: missed_call.into().id, notification: false }).await
    }

    /// Lists past calls, newest first: at most `limit` (1 to 100), older than the last page's cursor.
    pub async fn history(&self, before: Option<u64>, limit: u32) -> Result<HistoryPage, CallError> {
        match self.act(Ask::History { before, limit: Some(limit) }).await? {
            Answer::History(page) => Ok(page),
            Answer::Machine(_) => Err(odd()),
        }
    }

    /// Fetches what a call of many leaves out: its `custom_data`, and participants from `offset` on, at most 100.
    pub async fn details(&self, invitation: InvitationId, offset: usize) -> Result<Call, CallError> {
        match self.act(Ask::Fetch { invitation, offset }).await? {
            Answer::Machine(Answered::Core(Reply::Details(details))) => Ok(details.view),
            _ => Err(odd()),
        }
    }

    /// Hears no more from a user; they can't tell (L13).
    pub async fn block(&self, user: &str) -> Result<(), CallError> {
        self.done(Ask::Block(check_id("user", user)?)).await
    }

    /// Hears from a user again.
    pub async fn unblock(&self, user: &str) -> Result<(), CallError> {
        self.done(Ask::Unblock(check_id("user", user)?)).await
    }

    /// Lets nothing ring for so long, but `let_through`; calls are then missed silently (L13). None: rings again.
    pub async fn set_do_not_disturb(&self, lasts: Option<Duration>, let_through: &[&str]) -> Result<(), CallError> {
        let people: Result<Vec<_>, _> = let_through.iter().map(|user| check_id("let_through", user)).collect();
        self.done(Ask::DoNotDisturb { lasts, let_through: people? }).await
    }

    /// Takes a new token before, or after, the old one has expired (S15).
    pub async fn update_token(&self, token: impl Into<String>) -> Result<(), CallError> {
        let token = token.into();
        self.shared.tokens.put(token.clone()).await;
        if self.connection_state() == ConnectionState::Unauthorized {
            return self.reconnect().await;
        }
        self.act(Ask::UpdateToken(Secret(token.into()))).await.map(drop)
    }

    /// Connects again after this device was replaced, or its token refused; settled once that is under way.
    pub async fn reconnect(&self) -> Result<(), CallError> {
        let (done, under_way) = oneshot::channel();
        self.commands.send(Command::Connect(done)).await.map_err(|_| gone())?;
        under_way.await.map_err(|_| gone())
    }

    /// The user who is signed in.
    pub fn user(&self) -> &UserId {
        &self.shared.user
    }

    /// This device.
    pub fn device(&self) -> &DeviceId {
        &self.shared.device
    }

    /// How the connection stands.
    pub fn connection_state(&self) -> ConnectionState {
        lock(&self.shared.standing).connection.unwrap_or(ConnectionState::Connecting)
    }

    /// What rings on this device now, the longest first.
    pub fn rings(&self) -> Vec<Ring> {
        let now = self.shared.clock.now();
        lock(&self.shared.session).rings().map(|ringing| Ring::of(ringing, now)).collect()
    }

    /// The calls that run: that ring here, or that this user is, was or may be in.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.session).calls().filter(|call| call.ended.is_none()).cloned().collect()
    }

    /// One call that this device knows of, ended or not.
    pub fn call(&self, invitation: InvitationId) -> Option<Call> {
        lock(&self.shared.session).call(invitation).cloned()
    }

    /// The call that this device is in, unless the app has asked to leave or end it.
    pub fn in_call(&self) -> Option<InvitationId> {
        let session = lock(&self.shared.session);
        session.in_call().filter(|invitation| !session.end_asked(*invitation))
    }

    /// The newest unhandled missed calls, and how many there are in all; none of either until the server told.
    pub fn missed(&self) -> MissedCalls {
        let session = lock(&self.shared.session);
        let missed = session.missed();
        let calls = missed.iter().flat_map(|missed| &missed.calls).map(|entry| entry.call.clone()).collect();
        MissedCalls { calls, total: missed.map_or(0, |missed| missed.total) }
    }

    /// Whom this user blocked, on whichever device.
    pub fn blocked(&self) -> Vec<UserId> {
        lock(&self.shared.standing).settings.blocked.clone()
    }

    /// Do-not-disturb while it holds, whichever device set it.
    pub fn do_not_disturb(&self) -> Option<DoNotDisturb> {
        let now = self.shared.clock.now();
        let standing = lock(&self.shared.standing);
        let set = standing.settings.do_not_disturb.as_ref().filter(|set| now < set.until)?;
        Some(left_of(set, now))
    }

    /// Waits until the device is connected and up to date; an error if it doesn't come back by itself.
    pub async fn connected(&self) -> Result<(), CallError> {
        let mut events = self.events();
        loop {
            match self.connection_state() {
                ConnectionState::Connected => return Ok(()),
                ConnectionState::Connecting | ConnectionState::Reconnecting => {}
                ConnectionState::Replaced => {
                    return Err(CallError::new(Code::Unavailable, "this device connected again elsewhere"));
                }
                ConnectionState::Unauthorized => {
                    return Err(CallError::new(Code::Unauthorized, "the server refused the token"));
                }
                ConnectionState::UpgradeRequired => {
                    return Err(CallError::new(
                        Code::UpgradeRequired,
                        "the server doesn't serve this version any more",
                    ));
                }
                ConnectionState::Disconnected => return Err(gone()),
            }
            if events.next().await.is_none() {
                return Err(gone());
            }
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    pub(crate) fn this_call(&self, invitation: Option<InvitationId>) -> Result<InvitationId, CallError> {
        let none = || CallError::new(Code::NotFound, "this device is in no call");
        invitation.or_else(|| self.in_call()).ok_or_else(none)
    }

    fn this_ring(&self, invitation: Option<InvitationId>) -> Result<InvitationId, CallError> {
        let rings = || lock(&self.shared.session).rings().next().map(|ringing| ringing.invitation);
        invitation.or_else(rings).ok_or_else(|| CallError::new(Code::NotFound, "no call rings"))
    }

    /// Waits until [`CallInvitationService::calls`] has a call that was just made: its answer comes before its view, and an
    /// app that goes on from the one wants the other. After a second it goes on without.
    async fn shown(&self, invitation: InvitationId) {
        let mut moved = self.shared.moved.subscribe();
        let known = async { while self.call(invitation).is_none() && moved.changed().await.is_ok() {} };
        // Late or never, it is made all the same.
        let _ = tokio::time::timeout(SHOWN, known).await;
    }

    /// Asks to be out of a call. If it is over by then, or goes on without this device, that is what was wanted.
    async fn out_of(&self, invitation: InvitationId, ask: Ask) -> Result<(), CallError> {
        let in_it = || self.in_call() == Some(invitation);
        let was = in_it();
        self.done(ask).await.or_else(|error| match error.code {
            Code::CallEnded => Ok(()),
            Code::Cancelled | Code::InvitationExpired | Code::AnsweredElsewhere | Code::Forbidden | Code::NotFound
                if was && !in_it() =>
            {
                Ok(())
            }
            _ => Err(error),
        })
    }

    async fn done(&self, ask: Ask) -> Result<(), CallError> {
        self.act(ask).await.map(drop)
    }

    async fn act(&self, ask: Ask) -> Result<Answer, CallError> {
        let id = request_id();
        let id = id.map_err(|_| CallError::new(Code::Internal, "the system gives no randomness"))?;
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Act { id, ask, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(Into::into)
    }
}

fn sent(answer: Answer) -> Result<Sent, CallError> {
    match answer {
        Answer::Machine(Answered::Core(Reply::Made(Made::Invited { invitation, call_id, refused, crossed }))) => {
            Ok(Sent { invitation, call_id, refused, crossed })
        }
        _ => Err(odd()),
    }
}

fn device_id(random: &RequestId) -> Result<DeviceId, InitError> {
    let id = DeviceId::new(random.as_str());
    Ok(id.map_err(|bad| ConfigError::new("device", bad.to_string()))?)
}

/// The server said yes to something else than was asked.
fn odd() -> CallError {
    CallError::new(Code::Internal, "the server's answer can't be read")
}

fn gone() -> CallError {
    CallError::new(Code::Unavailable, "the service was signed off")
}
