//! What is kept of one user: settings, devices, request ids and missed calls; plain data, written by the store as it is.

use crate::call::{CallType, MissedReason, Mode};
use crate::id::{CallId, DeviceId, InvitationId, MissedId, Person, RequestId, UserId};
use crate::refusal::Code;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One installation of the app, as it last registered (C14, V1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceRecord {
    /// `web`, `android`, `ios`, `linux`, …; at most 32 characters.
    pub platform: Arc<str>,
    /// The SDK's version; at most 32 characters.
    pub sdk: Arc<str>,
    /// Its invitation mode.
    pub mode: Mode,
    /// Its parameters that hold when the app isn't running.
    pub config: DeviceConfig,
    /// When it first registered: what was missed before is listed, not popped up (M3).
    pub registered_at: Timestamp,
    /// When it was last seen: at its last hello, or at the end of that session.
    pub seen_at: Timestamp,
}

/// C2, C3, C4, C8 and C11 of a device (C14).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceConfig {
    /// C2.
    pub missed_enabled: bool,
    /// C3.
    pub dial_back: bool,
    /// C4.
    pub resource_id: Option<Arc<str>>,
    /// C8.
    pub reasons: BTreeSet<MissedReason>,
    /// C11.
    pub call_waiting: bool,
}

/// Do-not-disturb: until when, and who gets through all the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DoNotDisturb {
    /// It holds before this moment.
    pub until: Timestamp,
    /// Callers who ring all the same.
    pub let_through: BTreeSet<UserId>,
}

/// What a request made, so that its repeat answers the same (N2). The last 32 of a user are kept, each a row of its own
/// in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remembered {
    /// Its number among its user's, counted up by one.
    pub no: u64,
    /// The device that asked.
    pub device: DeviceId,
    /// Its request id.
    pub request: RequestId,
    /// What it was answered with.
    pub made: Made,
}

/// The answers that are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Made {
    /// `send` or `invite`: the invitation, and who could not be invited.
    Invited {
        /// The invitation that was made, invited into, or found crossing.
        invitation: InvitationId,
        /// Its name.
        call_id: CallId,
        /// Who could not be invited, and why.
        refused: Vec<(UserId, Code)>,
        /// It crossed: the standing invitation is returned, and both are in it (L10).
        crossed: bool,
    },
    /// `join`, or an accept that became one: in the call.
    Joined {
        /// The invitation.
        invitation: InvitationId,
        /// The turn it began.
        turn: u32,
    },
    /// `dialBack`: the invitation it rings with or joined, and the device that it is on.
    DialedBack {
        /// The invitation.
        invitation: InvitationId,
        /// Its name.
        call_id: CallId,
        /// The device that it is on; another one than the asking one if it was under way there (D7).
        device: DeviceId,
    },
    /// `dialBack` that failed because the user is engaged (M4, D6).
    Engaged {
        /// The invitation that the user is in.
        invitation: InvitationId,
    },
}

/// One missed call that nobody has handled yet (M1 to M4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MissedCall {
    /// The turn.
    pub id: MissedId,
    /// The app's name of the call.
    pub call_id: CallId,
    /// Who called: the inviter of the turn, by the token's name.
    pub caller: Person,
    /// Voice or video.
    pub call_type: CallType,
    /// Whether the invitation is a group's, as of the turn's end.
    pub group: bool,
    /// Why it was missed.
    pub reason: MissedReason,
    /// Whether the turn was cancelled (S5) rather than timed out (S1), where the reason is do-not-disturb.
    pub cancelled: bool,
    /// When the call was made.
    pub at: Timestamp,
    /// When it was missed.
    pub missed_at: Timestamp,
    /// Pops up without a sound.
    pub silent: bool,
    /// The group call still runs and this user may join it.
    pub can_join: bool,
    /// The click that handled it last, which may yet be undone (M4); listed no more meanwhile.
    pub clicked: Option<RequestId>,
    /// That click is undone: it came back unhandled after a dial-back that failed (M4), to be shown again, silently.
    pub returned: bool,
}

impl MissedCall {
    /// Whether a click handled it that may yet be undone.
    pub fn handled(&self) -> bool {
        self.clicked.is_some() && !self.returned
    }
}

/// One user (K1, K8). The missed calls and the requests are rows of their own in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LineRecord {
    /// Who, by the name of the newest token seen.
    pub person: Person,
    /// The devices, at most `devices_per_user`.
    pub devices: BTreeMap<DeviceId, Arc<DeviceRecord>>,
    /// Whom this user blocked.
    pub blocked: BTreeSet<UserId>,
    /// Do-not-disturb, if ever set.
    pub do_not_disturb: Option<DoNotDisturb>,
    /// Counts the changes of the missed calls and settings, from 0.
    pub revision: u64,
}

impl LineRecord {
    /// A line of whom nothing is known yet.
    pub fn new(id: UserId) -> Self {
        Self {
            person: Person { id, name: "".into() },
            devices: BTreeMap::new(),
            blocked: BTreeSet::new(),
            do_not_disturb: None,
            revision: 0,
        }
    }
}

/// One line of a user's history: a turn that ended, or for the initiator the whole invitation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HistoryRecord {
    /// Whose history.
    pub user: UserId,
    /// The invitation and this user's turn in it.
    pub id: MissedId,
    /// The app's name of the call.
    pub call_id: CallId,
    /// Voice or video.
    pub call_type: CallType,
    /// Whether it is a group's.
    pub group: bool,
    /// Whether this user called, was called, or joined.
    pub direction: Direction,
    /// The other side: the caller, or for the initiator the invitees, at most 20.
    pub with: Vec<Person>,
    /// How many the other side are in all.
    pub with_count: u32,
    /// When the turn began.
    pub at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// Which way a call went, seen by one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Direction {
    Outgoing,
    Incoming,
    Joined,
}

/// How a turn ended, seen by its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// They were in the call.
    Answered,
    /// They declined, or, for the initiator one-to-one, were declined.
    Declined,
    /// They missed it, and why.
    Missed(MissedReason),
    /// The initiator's call that nobody answered: how the last turn, or the call, ended.
    Unanswered(crate::call::EndReason),
}
