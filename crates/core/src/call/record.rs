//! What is kept of one invitation: plain data, written by the store as it is.

use crate::id::{CallId, DeviceId, InvitationId, Person, RequestId, TurnNo, UserId};
use crate::time::Timestamp;
use std::sync::Arc;

/// Voice or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum CallType {
    Voice,
    Video,
}

/// How a device, and what it sends, gets on with old versions (V1, V2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Dial-back and inviting in a call are both off, or the client is older than 4.12.0.
    General,
    /// Either is on.
    Advanced,
}

/// Where a turn stands (§4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TurnState {
    /// Taken by the server; no device of the callee has it yet.
    Inviting,
    /// A device said that it has it.
    Ringing,
    /// In the call.
    Accepted,
    /// Was in the call.
    Left,
    /// Declined on one device, for the user (L4).
    Declined,
    /// Engaged in another call (L8), `reject(busy)` (L4), or too many turns pending (§10).
    Busy,
    /// Called off before an answer.
    Cancelled,
    /// Nobody answered before the deadline.
    TimedOut,
    /// No device of a mode that the invitation could be shown on (V3).
    Unreachable,
}

impl TurnState {
    /// Every state, for tables.
    pub const ALL: [Self; 9] = [
        Self::Inviting,
        Self::Ringing,
        Self::Accepted,
        Self::Left,
        Self::Declined,
        Self::Busy,
        Self::Cancelled,
        Self::TimedOut,
        Self::Unreachable,
    ];

    /// Waits for an answer.
    pub fn pending(self) -> bool {
        matches!(self, Self::Inviting | Self::Ringing)
    }

    /// Has its outcome, and isn't in the call.
    pub fn ended(self) -> bool {
        !self.pending() && self != Self::Accepted
    }
}

/// How a turn began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TurnKind {
    /// The initiator's own, accepted at once.
    Origin,
    /// Somebody invited the participant.
    Invited,
    /// The participant joined, accepted at once.
    Joined,
}

/// Why no device is told of a turn (L13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hidden {
    /// The callee blocked the inviter before it began: nothing of it ever shows to the callee.
    Blocked,
    /// The callee blocked the inviter while it rang: to the callee it is declined, to the others unchanged.
    BlockedLater,
    /// The callee is on do-not-disturb; disclosed, with a missed call, when it ends.
    DoNotDisturb,
}

/// How a turn came to be `left`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaving {
    /// Its device asked, or ended the call, or the call ended around it.
    Asked,
    /// Taken out because its user went on elsewhere, or its device came back without claiming (L9, §3, C11).
    Elsewhere,
    /// Its device was gone for the whole grace (L9).
    Lost,
}

/// Why a call ended (S11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names are the reasons of S11
pub enum EndReason {
    Declined,
    Busy,
    TimedOut,
    Cancelled,
    Unreachable,
    Left,
    Ended,
    Alone,
    Elsewhere,
    Lost,
}

/// Why a call was missed (M1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names are the reasons of M1
pub enum MissedReason {
    NoAnswer,
    Cancelled,
    Busy,
    DoNotDisturb,
    Unreachable,
}

/// A request and the device that made it: what a repeat is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    /// The device.
    pub device: DeviceId,
    /// Its request id.
    pub request: RequestId,
}

/// One participant's being invited, or joining, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TurnRecord {
    /// Its number among the participant's own.
    pub no: TurnNo,
    /// How it began.
    pub kind: TurnKind,
    /// Who invited; the participant itself unless `kind` is `Invited`.
    pub inviter: UserId,
    /// When it began.
    pub at: Timestamp,
    /// The revision at which it began (N2: a `cancel` of all touches no later one).
    pub since: u64,
    /// When it times out (L2); equal to `at` where it never rang.
    pub deadline: Timestamp,
    /// Where it stands.
    pub state: TurnState,
    /// Set while no device is told of it.
    pub hidden: Option<Hidden>,
    /// Devices that said `ringing`; at most `sessions_per_user`.
    pub rang: Vec<DeviceId>,
    /// Whether the reminder (N4) has run.
    pub reminded: bool,
    /// The device and request that accepted, joined, declined or sent it: the device in the call while `Accepted`.
    pub answered: Option<Asked>,
    /// The request that left, cancelled or ended it.
    pub closed: Option<Asked>,
    /// While `Accepted` and its device is gone: when it will have left (L9).
    pub grace: Option<Timestamp>,
    /// When it got its outcome.
    pub ended_at: Option<Timestamp>,
    /// How it left, while `Left`.
    pub leaving: Option<Leaving>,
    /// The reason of the missed call that it made, if it made one (M1).
    pub missed: Option<MissedReason>,
    /// Crossed by a call the other way: ended or accepted without a missed call (L10).
    pub crossed: bool,
}

/// One user of an invitation: the initiator or an invitee.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParticipantRecord {
    /// Who, and their token's name as last known when they came in.
    pub person: Person,
    /// The revision at which they last changed, to others' eyes.
    pub changed: u64,
    /// Changes that this participant alone may see (a block while ringing): added to every revision shown to them,
    /// so that nobody else's revisions tell of it (L13).
    pub private: u64,
    /// Their turns, oldest first; at most `turns_kept`. Only the last can be pending or accepted.
    pub turns: Vec<TurnRecord>,
}

/// One invitation (K8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallRecord {
    /// Its id.
    pub id: InvitationId,
    /// The app's name for it.
    pub call_id: CallId,
    /// Voice or video.
    pub call_type: CallType,
    /// The sender's mode (V2).
    pub mode: Mode,
    /// C1 of the initiator.
    pub end_when_initiator_leaves: bool,
    /// C9 of the initiator.
    pub can_invite_in_calling: bool,
    /// C10 of the initiator.
    pub only_initiator_can_invite: bool,
    /// The app's own text; empty by default.
    pub custom_data: Arc<str>,
    /// The notification resource named by the sender (C4).
    pub resource_id: Option<Arc<str>>,
    /// The push's title given by the sender.
    pub title: Option<Arc<str>>,
    /// The push's message given by the sender.
    pub message: Option<Arc<str>>,
    /// When it was sent.
    pub at: Timestamp,
    /// Counts the changes, from 1.
    pub revision: u64,
    /// Whether it ever had more than one invitee.
    pub group: bool,
    /// Whether it is a dial-back (D7).
    pub dial_back: bool,
    /// Everyone, the initiator first, then by when they came in.
    pub participants: Vec<ParticipantRecord>,
    /// When the one person in it will have been alone too long (L6).
    pub alone_until: Option<Timestamp>,
    /// Why and when it ended.
    pub ended: Option<(EndReason, Timestamp)>,
    /// The request that ended it, so that its repeat answers the same.
    pub ended_by: Option<Asked>,
}

impl TurnRecord {
    /// Whether the callee knows of it: not hidden, or do-not-disturb hid it and it ended, which disclosed it.
    pub fn known(&self) -> bool {
        match self.hidden {
            None => true,
            Some(Hidden::DoNotDisturb) => self.state.ended(),
            Some(Hidden::Blocked | Hidden::BlockedLater) => false,
        }
    }

    /// Waits for an answer, hidden or not.
    pub fn pending(&self) -> bool {
        self.state.pending()
    }

    /// Rings, or is about to: waits for an answer and isn't hidden.
    pub fn rings(&self) -> bool {
        self.pending() && self.hidden.is_none()
    }

    /// The device in the call, while accepted.
    pub fn device(&self) -> Option<&DeviceId> {
        match self.state {
            TurnState::Accepted => self.answered.as_ref().map(|a| &a.device),
            _ => None,
        }
    }
}

impl CallRecord {
    /// Still running: not ended.
    pub fn running(&self) -> bool {
        self.ended.is_none()
    }
}
