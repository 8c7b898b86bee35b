//! What the core is asked and what it answers: steps, requests, replies.

use crate::call::{CallType, CallView, EndReason, Mode};
use crate::id::{CallId, DeviceId, InvitationId, MissedId, Person, RequestId, SessionId, TurnNo, UserId};
use crate::line::{DeviceConfig, Made, MissedCall};
use crate::refusal::{Code, Refusal};
use crate::shared::Shared;
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A call or a line: what a step decides over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// One invitation.
    Call(InvitationId),
    /// One user.
    Line(UserId),
}

/// Who asks: the user of a checked token, on one device, in one session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// The session.
    pub session: SessionId,
}

/// One thing to decide (K2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A device connected, and is shown how things stand (G6, N1).
    Hello(Box<Hello>),
    /// A session's connection is gone. A session that was replaced since changes nothing.
    Gone(Actor),
    /// A device asks for something.
    Request {
        /// Who.
        by: Actor,
        /// The request's name (N2).
        request: RequestId,
        /// What.
        ask: Ask,
    },
    /// Timers of a call are due; an early or stale one is a no-op.
    Timeout(InvitationId),
    /// The server started, or its store came back: the grace of everyone in this call begins anew (L9).
    Restarted(InvitationId),
}

/// A connection's first words, its token already checked (K6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hello {
    /// Who.
    pub by: Actor,
    /// The token's name.
    pub name: Arc<str>,
    /// `web`, `android`, …
    pub platform: Arc<str>,
    /// The SDK's version.
    pub sdk: Arc<str>,
    /// By C3 and C9 (V1).
    pub mode: Mode,
    /// What holds when the app isn't running (C14).
    pub config: DeviceConfig,
    /// Each invitation that the device holds, with the revision it has; at most 64.
    pub holds: Vec<(InvitationId, u64)>,
    /// The call it says it is in (L9).
    pub claim: Claim,
}

/// How a connection names the call that its device is in (L9): the one that it knows of, and the requests that may have
/// put it into another since. It is in one at most, so naming more claims no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Claim {
    /// The call that it was in when it last heard.
    pub invitation: Option<InvitationId>,
    /// Its unanswered `send`, `accept`, `join` and `dialBack`.
    pub requests: Vec<RequestId>,
}

impl Claim {
    /// Names a call.
    pub fn of(invitation: InvitationId) -> Self {
        Self { invitation: Some(invitation), requests: Vec::new() }
    }

    /// Names a request.
    pub fn by(request: RequestId) -> Self {
        Self { invitation: None, requests: vec![request] }
    }

    /// Whether it names this call, into which this request put the device.
    pub fn names(&self, invitation: InvitationId, asked: Option<&RequestId>) -> bool {
        self.invitation == Some(invitation) || asked.is_some_and(|request| self.requests.contains(request))
    }
}

/// Someone to be invited.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Invitee {
    /// Who.
    pub user: UserId,
    /// None of their devices is of a mode that can be shown it (V3): settled outside, given in.
    pub unreachable: bool,
}

/// What is asked by `send`, and by a dial-back's new invitation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Send {
    /// Who is invited: 1 to `invitees`, without repeats and without the sender.
    pub invitees: Vec<Invitee>,
    /// Voice or video.
    pub call_type: CallType,
    /// The app's own text.
    pub custom_data: Arc<str>,
    /// The app's name for the call; the server makes one if there is none.
    pub call_id: Option<CallId>,
    /// How and how long to ring.
    pub ring: Ring,
    /// C1.
    pub end_when_initiator_leaves: bool,
    /// C9.
    pub can_invite_in_calling: bool,
    /// C10.
    pub only_initiator_can_invite: bool,
}

/// How and how long an invitation rings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ring {
    /// 1 s to `max_timeout`.
    pub timeout: Duration,
    /// The notification resource (C4).
    pub resource_id: Option<Arc<str>>,
    /// The push's title.
    pub title: Option<Arc<str>>,
    /// The push's message.
    pub message: Option<Arc<str>>,
}

/// Whom a `cancel` means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CancelWhom {
    /// Everyone pending whom this user may cancel, of the turns begun at or before this revision (N2).
    All {
        /// The revision that the asker saw.
        seen: u64,
    },
    /// One turn.
    Turn {
        /// The callee.
        callee: UserId,
        /// Their turn.
        turn: TurnNo,
    },
}

/// A request (§3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Invites users to a new call; on a device in a call, `Invite` into that one.
    Send(Send),
    /// Invites more users into a running call (C9, C10).
    Invite {
        /// The call.
        invitation: InvitationId,
        /// Who.
        invitees: Vec<Invitee>,
        /// How and how long to ring.
        ring: Ring,
    },
    /// Says that this device has the turn (L1).
    Ringing {
        /// The call.
        invitation: InvitationId,
        /// The turn.
        turn: TurnNo,
    },
    /// Answers (L3).
    Accept {
        /// The call.
        invitation: InvitationId,
        /// The turn.
        turn: TurnNo,
    },
    /// Declines, or says busy, for the user (L4).
    Reject {
        /// The call.
        invitation: InvitationId,
        /// The turn.
        turn: TurnNo,
        /// True for `reject(busy)`.
        busy: bool,
    },
    /// Calls off pending turns.
    Cancel {
        /// The call.
        invitation: InvitationId,
        /// Which.
        whom: CancelWhom,
    },
    /// Enters a running group (L5).
    Join {
        /// The call.
        invitation: InvitationId,
    },
    /// Leaves the call that this device is in.
    Leave {
        /// The call.
        invitation: InvitationId,
    },
    /// Ends the call for everyone.
    End {
        /// The call.
        invitation: InvitationId,
    },
    /// Dials back, or joins; the server chooses (D5).
    DialBack {
        /// The missed call.
        missed: MissedId,
        /// How the new invitation rings, if there is one (C4 to C7).
        ring: Ring,
        /// C1, C9, C10 of the dialler for the new invitation.
        end_when_initiator_leaves: bool,
        /// C9.
        can_invite_in_calling: bool,
        /// C10.
        only_initiator_can_invite: bool,
        /// V3 for the person dialled, settled outside.
        unreachable: bool,
    },
    /// Says that the notification whose newest missed call this is was clicked: handles all that it stands for (M4).
    Click {
        /// The newest missed call shown.
        missed: MissedId,
    },
    /// Handles one missed call, or all that the notification stands for.
    Dismiss {
        /// The missed call.
        missed: MissedId,
        /// Whether all that the notification stands for is meant.
        notification: bool,
    },
    /// Blocks a user (L13).
    Block(UserId),
    /// Unblocks a user.
    Unblock(UserId),
    /// Sets do-not-disturb, or ends it with `None`.
    SetDoNotDisturb(Option<crate::line::DoNotDisturb>),
    /// Asks for what a view left out: `customData`, and participants from `offset` on, at most 100.
    Fetch {
        /// The call.
        invitation: InvitationId,
        /// How many participants to pass over.
        offset: usize,
    },
    /// Lists unhandled missed calls, newest first, from `offset` on, at most 100.
    MissedCalls {
        /// How many to pass over.
        offset: usize,
    },
    /// Has a text handed to the device that another one is in the call on (R1); it is never kept.
    Signal {
        /// The call that both are in.
        invitation: InvitationId,
        /// To whom.
        to: UserId,
        /// Only if this is the device that they are in the call on.
        device: Option<DeviceId>,
        /// What: the media's own, JSON on the wire.
        data: Arc<str>,
    },
    /// Asks for what the media of a call that this device is in needs: ICE servers (R1).
    IceServers {
        /// The call.
        invitation: InvitationId,
    },
    /// Leaves the call and forgets the device (S15).
    Uninit,
}

/// What a request, or a hello, is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// Nothing to say but that it holds.
    Done,
    /// Of `Send`, `Invite`, `Join`, an `Accept` that became a join, and `DialBack`.
    Made(Made),
    /// Of `Accept`.
    Accepted {
        /// The call.
        invitation: InvitationId,
        /// The turn.
        turn: TurnNo,
    },
    /// Of `Fetch`.
    Details(Box<Details>),
    /// Of `MissedCalls`: a page and how many there are in all.
    MissedCalls {
        /// At most 100, newest first.
        calls: Vec<MissedCall>,
        /// All unhandled.
        total: usize,
    },
    /// Of `IceServers`: this device is in the call, and may have them; the shell knows which they are.
    InCall,
    /// Of `Hello`.
    Welcome(Box<Welcome>),
}

/// A decided step's answer.
pub type Answer = Result<Reply, Refusal>;

/// What a view left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Details {
    /// The view as it stands; its participants are the page asked for, and its `customData` is there.
    pub view: CallView,
    /// How many participants were passed over.
    pub offset: usize,
}

/// How things stand for a user, at a connection (N1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Welcome {
    /// The user, by the token's name.
    pub person: Person,
    /// The calls that the user is in or rung by, and the last state of each that the device holds.
    pub calls: Vec<CallView>,
    /// Of those that the device holds, the ones that this user can't see (any more): to be forgotten.
    pub gone: Vec<InvitationId>,
    /// The unhandled missed calls.
    pub missed: MissedView,
    /// Who reaches the user, and when.
    pub settings: Settings,
    /// The session of the same device, or the oldest one past the limit, that has to give way.
    pub replaced: Vec<SessionId>,
}

/// Who reaches a user, and when (L13): the same on all their devices, whichever of them set it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Settings {
    /// Whom they blocked.
    pub blocked: Vec<UserId>,
    /// Do-not-disturb, while it holds.
    pub do_not_disturb: Option<crate::line::DoNotDisturb>,
}

/// A user's unhandled missed calls, as one device is shown them (S12, M3, M7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MissedView {
    /// The line's revision; a device drops a view that isn't newer.
    pub revision: u64,
    /// The newest of each of the 100 newest notifications, then the next newest; newest first, at most 150.
    pub calls: Vec<MissedEntry>,
    /// How many are unhandled in all.
    pub total: usize,
}

/// One missed call in a [`MissedView`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MissedEntry {
    /// The missed call.
    pub call: MissedCall,
    /// How many unhandled ones share its notification (M6), itself included.
    pub of: usize,
    /// Whether this device existed when it was missed: else it is listed and doesn't pop up (M3).
    pub existed: bool,
}

/// What one device in a call has for another's (R1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signal {
    /// The call.
    pub invitation: InvitationId,
    /// Who sent it.
    pub from: UserId,
    /// The device that they are in the call on.
    pub device: DeviceId,
    /// The media's own.
    pub data: Arc<str>,
}

/// What leaves when a batch is durable: to one session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Output {
    /// The answer to a step; a hello's opens the session.
    Reply {
        /// To whom.
        to: SessionId,
        /// The request's name; none for a hello.
        request: Option<RequestId>,
        /// The answer.
        answer: Answer,
    },
    /// A newer view of a call.
    Call {
        /// To whom.
        to: SessionId,
        /// The view.
        view: Box<CallView>,
    },
    /// A newer view of the missed calls.
    Missed {
        /// To whom.
        to: SessionId,
        /// The view.
        view: MissedView,
    },
    /// The user's settings, which one of their devices changed.
    Settings {
        /// To whom.
        to: SessionId,
        /// As they are now.
        settings: Settings,
    },
    /// What another device in the same call has for this one's media.
    Signal {
        /// To whom.
        to: SessionId,
        /// What.
        signal: Signal,
    },
    /// This session has to close: its device connected again, or the user has too many.
    Replaced {
        /// Which.
        session: SessionId,
    },
}

/// Something that happened, for the log and later for webhooks; derived from a step's change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fact {
    /// A turn began.
    Invited {
        /// The call.
        invitation: InvitationId,
        /// The callee.
        user: UserId,
        /// The turn.
        turn: TurnNo,
        /// Who invited.
        by: UserId,
    },
    /// A turn went to another state.
    Turn {
        /// The call.
        invitation: InvitationId,
        /// The participant.
        user: UserId,
        /// The turn.
        turn: TurnNo,
        /// The state now.
        state: crate::call::TurnState,
    },
    /// A missed call was recorded.
    Missed {
        /// The turn.
        id: MissedId,
        /// The callee.
        user: UserId,
        /// Why.
        reason: crate::call::MissedReason,
    },
    /// A call ended.
    Ended {
        /// The call.
        invitation: InvitationId,
        /// Why.
        reason: EndReason,
    },
    /// A dial-back failed.
    DialBackFailed {
        /// The missed call.
        id: MissedId,
        /// Who dialled.
        user: UserId,
        /// Why.
        code: Code,
    },
    /// A call that was loaded breaks its invariants: it is shown to nobody, and stays in the store as it is.
    Broken {
        /// The call.
        invitation: InvitationId,
        /// Which invariant.
        source: crate::call::BrokenRecord,
    },
}

/// A batch's rows, written in one transaction (G2, G3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Writes {
    /// Calls that are new or changed.
    pub calls: Vec<Shared<crate::call::Call>>,
    /// Lines that are new or changed, without their missed calls and requests.
    pub lines: Vec<Shared<crate::line::LineRecord>>,
    /// Requests to remember: of each user, the last [`REQUESTS`](crate::limits::REQUESTS) by number.
    pub requests: Vec<(UserId, Arc<crate::line::Remembered>)>,
    /// Missed calls that are new or changed.
    pub missed: Vec<(UserId, MissedCall)>,
    /// Missed calls that are handled for good.
    pub handled: Vec<(UserId, MissedId)>,
    /// Lines of history to append.
    pub history: Vec<crate::line::HistoryRecord>,
    /// Pushes and webhooks to work off; nothing makes one yet.
    pub outbox: Vec<std::convert::Infallible>,
}

impl Writes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
            && self.lines.is_empty()
            && self.requests.is_empty()
            && self.missed.is_empty()
            && self.handled.is_empty()
            && self.history.is_empty()
    }
}

/// What a store gives back for keys (G2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Loaded {
    /// Each call asked for, or that there is none.
    pub calls: Vec<(InvitationId, Option<crate::call::CallRecord>)>,
    /// Each line asked for.
    pub lines: Vec<LoadedLine>,
}

/// A line as a store gives it back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoadedLine {
    /// Whose.
    pub user: UserId,
    /// Its own part; none if nothing was ever written.
    pub line: Option<crate::line::LineRecord>,
    /// Its unhandled missed calls, those handled by a click that may be undone included.
    pub missed: Vec<MissedCall>,
    /// What the last requests made, oldest first.
    pub requests: Vec<Arc<crate::line::Remembered>>,
    /// The running invitations that the user has any part in: the line's standing is derived from them (K1).
    pub running: Vec<InvitationId>,
}

/// People named in one set.
pub type Users = BTreeSet<UserId>;

/// A moment and what for.
pub type Wake = Option<Timestamp>;
