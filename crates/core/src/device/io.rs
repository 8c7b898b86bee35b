//! What goes into a [`Session`](super::Session) and what comes out of it.

use crate::call::{CallType, CallView, EndReason, MissedReason, TurnState};
use crate::id::{CallId, DeviceId, InvitationId, MissedId, Person, RequestId, TurnNo, UserId};
use crate::line::MissedCall;
use crate::refusal::{Code, Refusal};
use crate::step::{CancelWhom, Claim, Details, MissedEntry, MissedView, Reply, Ring};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The part of the app's configuration that the machine decides by; the rest goes with the hello, and the server keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// C2.
    pub missed_enabled: bool,
    /// C3.
    pub dial_back: bool,
    /// C4, for dial-backs.
    pub resource_id: Option<Arc<str>>,
    /// C7.
    pub dial_back_timeout: Duration,
    /// C8.
    pub reasons: BTreeSet<MissedReason>,
    /// Whether the app set S2: then a click waits for the app, else the default action runs (D1).
    pub clicked: bool,
}

/// One thing that the machine is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// The app is there: clicks that came before are delivered now (D3).
    Init {
        /// How it is to behave.
        config: Config,
        /// The app goes on with the call of the process before it (L9).
        take_up: bool,
    },
    /// A new connection is open: answered by [`Output::Hello`].
    Opened,
    /// The connection is gone.
    Closed,
    /// The server said something.
    Frame(Frame),
    /// The app asks for something.
    Act {
        /// Its name: fresh, and unguessable.
        id: RequestId,
        /// What.
        ask: Ask,
    },
    /// A notification was clicked, or its action.
    Clicked {
        /// What it showed; nothing for the summary (M7).
        missed: Option<MissedRef>,
        /// Whom it was shown to (D3).
        user: UserId,
        /// When.
        at: Timestamp,
    },
    /// The person closed a notification; not one that was withdrawn or clicked.
    Dismissed {
        /// What it showed; nothing for the summary.
        missed: Option<MissedRef>,
        /// Whom it was shown to.
        user: UserId,
    },
    /// A notification could not be shown for want of permission (M8).
    Denied,
    /// Time passed.
    Tick,
}

/// What the server says, decoded. Moments in views are on this device's clock: what is left is added to the local now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Frame {
    /// The hello was taken.
    Welcome {
        /// The user, by the token's name.
        person: Person,
        /// How often either side is heard at least.
        ping: Duration,
        /// What is left of the token.
        token_expires_in: Duration,
    },
    /// A view of a call.
    Call(Box<CallView>),
    /// A held invitation that isn't visible any more.
    Gone(InvitationId),
    /// The missed calls.
    Missed(MissedView),
    /// How things stand is complete.
    Synced,
    /// The answer to a request.
    Reply {
        /// Which.
        id: RequestId,
        /// What.
        answer: Result<Answered, Refusal>,
    },
    /// Why the server is about to close the connection.
    Bye(Bye),
    /// Anything else that shows the connection to be alive.
    Alive,
}

/// What a request was answered with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answered {
    /// An answer of the core.
    Core(Reply),
    /// Of [`Ask::UpdateToken`]: what is left of the new token.
    Token(Duration),
    /// An answer that the machine doesn't read (history).
    Other,
    /// The default action of a click has nothing to do (D2); never from the server.
    Nothing,
}

/// Why a connection was closed by the server, as far as it decides what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bye {
    /// The device connected again: this one doesn't come back by itself.
    Replaced,
    /// A new token is needed.
    Unauthorized,
    /// This client is too old.
    UpgradeRequired,
    /// Anything else: come back.
    Other,
}

/// How the connection stands (S13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Connection {
    /// Connected, and up to date.
    Connected,
    /// Gone; the shell comes back with back-off.
    Disconnected,
    /// Gone for good, and why.
    Closed(Bye),
}

/// A missed call as a notification stands for it: what a click gives back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MissedRef {
    /// The turn.
    pub id: MissedId,
    /// The app's name of the call.
    pub call_id: CallId,
    /// Who called.
    pub caller: Person,
    /// Voice or video.
    pub call_type: CallType,
    /// Whether it is a group's.
    pub group: bool,
}

impl From<&MissedCall> for MissedRef {
    fn from(call: &MissedCall) -> Self {
        Self {
            id: call.id,
            call_id: call.call_id.clone(),
            caller: call.caller.clone(),
            call_type: call.call_type,
            group: call.group,
        }
    }
}

impl MissedRef {
    /// The notification that stands for it (M6).
    pub fn key(&self) -> Key {
        if self.group { Key::Call(self.id.invitation) } else { Key::Caller(self.caller.id.clone()) }
    }
}

/// What a notification stands for: its tag, so that showing again replaces and never doubles (M6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// One caller's one-to-one missed calls.
    Caller(UserId),
    /// A group's.
    Call(InvitationId),
    /// More than five at once (M7).
    Summary,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller(user) => write!(f, "caller:{user}"),
            Self::Call(invitation) => write!(f, "call:{invitation}"),
            Self::Summary => f.write_str("summary"),
        }
    }
}

/// A token, which never prints.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(pub Arc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A request as this device makes it (docs/protocol.md). What the app leaves out the machine fills in before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the variants and fields are the wire's, where each is described
pub enum Ask {
    Send {
        invitees: Vec<UserId>,
        call_type: CallType,
        custom_data: Arc<str>,
        call_id: Option<CallId>,
        ring: Ring,
    },
    Invite {
        invitation: InvitationId,
        invitees: Vec<UserId>,
        ring: Ring,
    },
    Ringing {
        invitation: InvitationId,
        turn: TurnNo,
    },
    /// `turn` may be left out by the app: the turn that rings.
    Accept {
        invitation: InvitationId,
        turn: Option<TurnNo>,
    },
    /// `turn` may be left out by the app: the turn that rings.
    Reject {
        invitation: InvitationId,
        turn: Option<TurnNo>,
        busy: bool,
    },
    /// `whom` may be left out by the app: everyone, as this device sees the call.
    Cancel {
        invitation: InvitationId,
        whom: Option<CancelWhom>,
    },
    Join {
        invitation: InvitationId,
    },
    Leave {
        invitation: InvitationId,
    },
    End {
        invitation: InvitationId,
    },
    DialBack(Box<DialBack>),
    Click(Box<MissedRef>),
    Dismiss {
        missed: MissedId,
        notification: bool,
    },
    Block(UserId),
    Unblock(UserId),
    DoNotDisturb {
        lasts: Option<Duration>,
        let_through: Vec<UserId>,
    },
    Fetch {
        invitation: InvitationId,
        offset: usize,
    },
    MissedCalls {
        offset: usize,
    },
    History {
        before: Option<u64>,
        limit: Option<u32>,
    },
    UpdateToken(Secret),
    Uninit,
}

/// A dial-back (D4 to D8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DialBack {
    /// The missed call.
    pub missed: MissedRef,
    /// C5, already asked.
    pub title: Option<Arc<str>>,
    /// C6, already asked.
    pub message: Option<Arc<str>>,
    /// C7, filled in by the machine.
    pub timeout: Duration,
    /// C4, filled in by the machine.
    pub resource_id: Option<Arc<str>>,
    /// It is the default action of a click: nothing where C3 is false (D2).
    pub default: bool,
}

impl Ask {
    /// May put this device into a call (L9).
    pub fn engages(&self) -> bool {
        matches!(self, Self::Send { .. } | Self::Accept { .. } | Self::Join { .. } | Self::DialBack(_))
    }

    /// Is still worth asking after the process died.
    pub(super) fn outlives(&self) -> bool {
        self.engages() || matches!(self, Self::Click(_) | Self::Dismiss { .. })
    }
}

/// A request that isn't answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// Its name: the same in each repeat (N2).
    pub id: RequestId,
    /// What.
    pub ask: Ask,
    /// The machine's own: nobody waits for its outcome.
    pub own: bool,
    /// When it is given up.
    pub until: Option<Timestamp>,
    /// It was sent on an earlier connection, so it may have been taken.
    pub again: bool,
    /// It was sent on this connection.
    pub sent: bool,
}

/// One missed call that the device knows of (M3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Known {
    /// Which.
    pub id: MissedId,
    /// It was listed: else its event alone was given.
    pub listed: bool,
}

/// One notification on show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shown {
    /// What it stands for.
    pub key: Key,
    /// The newest missed call that it shows.
    pub id: MissedId,
    /// How many it stands for.
    pub count: usize,
    /// What it offers.
    pub action: Option<Action>,
}

/// The summary on show (M7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Summary {
    /// The notifications that it stands for.
    pub keys: Vec<Key>,
    /// The total that it says.
    pub count: usize,
}

/// What must outlive the process. Plain data; kept by the shell, for one user of one device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Persisted {
    /// Missed calls already told or listed; at most 512.
    pub known: Vec<Known>,
    /// Of a list that was cut off: what is older and comes up later isn't new.
    pub floor: Timestamp,
    /// What is on show.
    pub shown: Vec<Shown>,
    /// The summary on show.
    pub summary: Option<Summary>,
    /// Notifications that come back silently, once the list says what they show (M4); at most 150.
    pub back: Vec<Key>,
    /// Whose missed calls made a sound within the last minute, and when (M6).
    pub sounded: Vec<(UserId, Timestamp)>,
    /// Clicks that wait for `init` (D3); at most 8.
    pub clicks: Vec<(MissedRef, Timestamp)>,
    /// Unanswered requests that are worth repeating.
    pub requests: Vec<Request>,
    /// The calls that this device is in, the one it claims last.
    pub here: Vec<InvitationId>,
}

/// What a notification offers beside being dismissed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// `Call back`.
    CallBack,
    /// `Join`.
    Join,
}

/// A notification to show, or to replace the one of the same key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Show {
    /// Its tag.
    pub key: Key,
    /// What it stands for: the newest; nothing for the summary. Given back with a click.
    pub missed: Option<MissedRef>,
    /// The default title (M5).
    pub title: &'static str,
    /// The default message (M5).
    pub body: String,
    /// How many it stands for.
    pub count: usize,
    /// When the newest call was made.
    pub at: Timestamp,
    /// What it offers.
    pub action: Option<Action>,
    /// Whether it makes a sound.
    pub sound: bool,
}

/// A ring to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ringing {
    /// The call.
    pub invitation: InvitationId,
    /// The turn.
    pub turn: TurnNo,
    /// The app's name of the call.
    pub call_id: CallId,
    /// Who calls.
    pub caller: Person,
    /// Voice or video.
    pub call_type: CallType,
    /// Whether it is a group's.
    pub group: bool,
    /// Until when it rings.
    pub deadline: Timestamp,
}

/// One thing for the shell to do, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Output {
    /// Say hello: token and config are the shell's.
    Hello {
        /// What the device holds; at most 64.
        holds: Vec<(InvitationId, u64)>,
        /// The call that it says it is in.
        claim: Claim,
    },
    /// Send a request.
    Request {
        /// Its name.
        id: RequestId,
        /// What.
        ask: Ask,
    },
    /// Send a ping.
    Ping,
    /// Close the connection: nothing was heard for too long (N3).
    Close,
    /// The outcome of an act.
    Reply {
        /// Which.
        id: RequestId,
        /// What.
        answer: Result<Answered, Refusal>,
    },
    /// Tell the app.
    Event(Box<Event>, Option<About>),
    /// Ring.
    ShowRing(Box<Ringing>),
    /// Stop ringing.
    HideRing {
        /// The call.
        invitation: InvitationId,
        /// The turn.
        turn: TurnNo,
    },
    /// Show a notification.
    Show(Box<Show>),
    /// Close a notification.
    Withdraw(Key),
    /// A click's default action is due, and the app didn't set S2: act with [`Ask::DialBack`], `default` set.
    DefaultAction(Box<MissedRef>),
    /// Keep this; always the last.
    Persist(Box<Persisted>),
}

/// Which invitation an event is about: its last, optional parameter (§3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct About {
    /// The invitation.
    pub invitation: InvitationId,
    /// This user's turn, where the event is about one.
    pub turn: Option<TurnNo>,
    /// When the call was made.
    pub at: Timestamp,
    /// How many callees the event is about, of which it lists at most 20 (S16); nothing if it isn't known.
    pub count: Option<usize>,
    /// False if what the event carries could not be had in time (D1).
    pub complete: bool,
}

/// How a ring ended elsewhere (S6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Elsewhere {
    /// Another device answered.
    Answered,
    /// Another device declined.
    Declined,
    /// The user is busy elsewhere.
    Busy,
    /// A group's call crossed it (L10).
    Crossed,
    /// A dial-back is under way on another device (D7).
    DialedBack,
}

/// What the app is told: S1 to S13, each with its parameters in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the fields are the parameters that the spec's table names
pub enum Event {
    /// S1.
    IncomingCallTimeout { call_id: CallId, caller: Person },
    /// S2; the default action is an act with [`Ask::DialBack`], `default` set, of this `missed`.
    IncomingMissedCallClicked {
        call_id: CallId,
        caller: Person,
        call_type: CallType,
        callees: Vec<Person>,
        custom_data: Arc<str>,
        missed: MissedRef,
    },
    /// S3.
    IncomingMissedCallDialBackFailed { reason: Code, call_id: CallId, caller: Person },
    /// S4.
    IncomingCallReceived {
        call_id: CallId,
        caller: Person,
        call_type: CallType,
        callees: Vec<Person>,
        custom_data: Arc<str>,
    },
    /// S5.
    IncomingCallCanceled { call_id: CallId, caller: Person, custom_data: Arc<str> },
    /// S6.
    IncomingCallAnsweredElsewhere { call_id: CallId, how: Elsewhere },
    /// S7.
    OutgoingCallSent {
        call_id: CallId,
        caller: Person,
        call_type: CallType,
        callees: Vec<Person>,
        custom_data: Arc<str>,
        refused: Vec<(UserId, Code)>,
    },
    /// S8.
    OutgoingCallAccepted { call_id: CallId, callee: Person, custom_data: Arc<str> },
    /// S8.
    OutgoingCallDeclined { call_id: CallId, callee: Person, custom_data: Arc<str> },
    /// S8.
    OutgoingCallRejectedCauseBusy { call_id: CallId, callee: Person, custom_data: Arc<str> },
    /// S9.
    OutgoingCallTimeout { call_id: CallId, callees: Vec<Person>, video: bool },
    /// S10.
    InvitationUserStateChanged { call_id: CallId, users: Vec<(Person, TurnState)> },
    /// S11.
    CallEnded { call_id: CallId, reason: EndReason },
    /// S12.
    MissedCallsChanged { calls: Vec<MissedEntry>, total: usize },
    /// S13.
    ConnectionStateChanged(Connection),
    /// S13.
    TokenWillExpire(Duration),
    /// S13: `notifications_denied` (M8).
    NotificationsDenied,
}

impl Answered {
    /// The device's own view of a fetched call.
    pub(super) fn details(self) -> Option<Details> {
        match self {
            Self::Core(Reply::Details(details)) => Some(*details),
            Self::Core(_) | Self::Token(_) | Self::Other | Self::Nothing => None,
        }
    }

    /// The device that a dial-back is on, if this is one's answer.
    pub fn dialed_back_on(&self) -> Option<&DeviceId> {
        match self {
            Self::Core(Reply::Made(crate::line::Made::DialedBack { device, .. })) => Some(device),
            Self::Core(_) | Self::Token(_) | Self::Other | Self::Nothing => None,
        }
    }
}
