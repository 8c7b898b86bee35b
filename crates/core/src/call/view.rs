//! What one user may see of one call (K5).

use super::record::{CallType, EndReason, Leaving, Mode, TurnKind, TurnState};
use crate::id::{CallId, DeviceId, InvitationId, Person, TurnNo, UserId};
use crate::time::Timestamp;
use std::sync::Arc;

/// One user's view of one call: never holds what is hidden from that user (L13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallView {
    /// The invitation.
    pub invitation: InvitationId,
    /// A device drops a view that isn't newer.
    pub revision: u64,
    /// The app's name for it.
    pub call_id: CallId,
    /// Voice or video.
    pub call_type: CallType,
    /// The sender's mode (V2).
    pub mode: Mode,
    /// Whether it is a group's.
    pub group: bool,
    /// Who sent it.
    pub initiator: UserId,
    /// The app's own text; left out (`None`) at a connection when longer than 256 bytes (N1), then fetched.
    pub custom_data: Option<Arc<str>>,
    /// When it was sent.
    pub at: Timestamp,
    /// This user's own turns, oldest first.
    pub own: Vec<OwnTurn>,
    /// The other participants, the last changed first, at most 20 but the initiator and this user's callers always
    /// among them. A device merges them by `changed`; where `others` is shorter than `others_count` and the device's
    /// own revision is older than the oldest `changed` listed, it fetches the rest.
    pub others: Vec<Other>,
    /// How many other participants there are in all.
    pub others_count: u32,
    /// How many are in the call now, this user included.
    pub in_call: u32,
    /// Why it ended.
    pub ended: Option<EndReason>,
    /// Whether this user could join now (L5).
    pub can_join: bool,
}

/// A turn of the view's own user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnTurn {
    /// Its number.
    pub no: TurnNo,
    /// How it began.
    pub kind: TurnKind,
    /// Who invited.
    pub inviter: UserId,
    /// Where it stands; to who blocked its inviter while it rang, `Declined`.
    pub state: TurnState,
    /// When it times out; on the wire, what is left of it.
    pub deadline: Timestamp,
    /// The device that accepted, joined, declined or sent.
    pub device: Option<DeviceId>,
    /// How it left.
    pub leaving: Option<Leaving>,
    /// Ended by a crossing (L10): S6, and no missed call.
    pub crossed: bool,
    /// Do-not-disturb hid it until it ended.
    pub do_not_disturb: bool,
}

/// Another participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Who.
    pub person: Person,
    /// The call's revision at which they last changed.
    pub changed: u64,
    /// Their turns, oldest first.
    pub turns: Vec<OtherTurn>,
}

/// A turn of another participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTurn {
    /// Its number.
    pub no: TurnNo,
    /// How it began.
    pub kind: TurnKind,
    /// Who invited.
    pub inviter: UserId,
    /// Where it stands, as a callee whose devices are all off would show.
    pub state: TurnState,
}
