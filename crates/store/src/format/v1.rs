//! Format 1. Released: changed by added fields with a default alone.

use super::mirror::{Id, Mirror, Moment, Shared, names, structs, usual};
use super::packed::{Unpacking, Unreadable};
use ringback_core::id::{CallId, DeviceId, InvitationId, RequestId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the stored types mirror.
mod core {
    pub(super) use ringback_core::call::{
        Asked, CallRecord, CallType, EndReason, Hidden, Leaving, MissedReason, Mode, ParticipantRecord, TurnKind,
        TurnRecord, TurnState,
    };
    pub(super) use ringback_core::id::{MissedId, Person};
    pub(super) use ringback_core::line::{
        DeviceConfig, DeviceRecord, Direction, DoNotDisturb, HistoryRecord, LineRecord, Made, MissedCall, Outcome,
        Remembered,
    };
    pub(super) use ringback_core::refusal::Code;
}

names! {
    enum CallType = CallType { Voice, Video, }
    enum Mode = Mode { General, Advanced, }
    enum TurnState = TurnState {
        Inviting, Ringing, Accepted, Left, Declined, Busy, Cancelled, TimedOut, Unreachable,
    }
    enum TurnKind = TurnKind { Origin, Invited, Joined, }
    enum Hidden = Hidden { Blocked, BlockedLater, DoNotDisturb, }
    enum Leaving = Leaving { Asked, Elsewhere, Lost, }
    enum EndReason = EndReason {
        Declined, Busy, TimedOut, Cancelled, Unreachable, Left, Ended, Alone, Elsewhere, Lost,
    }
    enum MissedReason = MissedReason { NoAnswer, Cancelled, Busy, DoNotDisturb, Unreachable, }
    enum Direction = Direction { Outgoing, Incoming, Joined, }
    enum Code = Code {
        BadRequest, PayloadTooLarge, Unauthorized, Forbidden, NotFound, Cancelled, CallEnded, InvitationExpired,
        AnsweredElsewhere, AlreadyInvited, AlreadyInCall, IncompatibleMode, UpgradeRequired, RateLimited, Unavailable,
        Internal,
    }
}

structs! {
    struct Call = CallRecord {
        id: Id<InvitationId>,
        call_id: Id<CallId>,
        call_type: CallType,
        mode: Mode,
        #[serde(default, skip_serializing_if = "usual")]
        end_when_initiator_leaves: bool,
        #[serde(default, skip_serializing_if = "usual")]
        can_invite_in_calling: bool,
        #[serde(default, skip_serializing_if = "usual")]
        only_initiator_can_invite: bool,
        #[serde(default, skip_serializing_if = "usual")]
        custom_data: Arc<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource_id: Option<Arc<str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<Arc<str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<Arc<str>>,
        at: Moment,
        revision: u64,
        #[serde(default, skip_serializing_if = "usual")]
        group: bool,
        #[serde(default, skip_serializing_if = "usual")]
        dial_back: bool,
        participants: Vec<Participant>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alone_until: Option<Moment>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<(EndReason, Moment)>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_by: Option<Asked>,
    }

    struct Participant = ParticipantRecord {
        person: Person,
        changed: u64,
        #[serde(default, skip_serializing_if = "usual")]
        private: u64,
        turns: Vec<Turn>,
    }

    struct Turn = TurnRecord {
        no: u32,
        kind: TurnKind,
        inviter: Id<UserId>,
        at: Moment,
        since: u64,
        deadline: Moment,
        state: TurnState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hidden: Option<Hidden>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rang: Vec<Id<DeviceId>>,
        #[serde(default, skip_serializing_if = "usual")]
        reminded: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answered: Option<Asked>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed: Option<Asked>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace: Option<Moment>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_at: Option<Moment>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leaving: Option<Leaving>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missed: Option<MissedReason>,
        #[serde(default, skip_serializing_if = "usual")]
        crossed: bool,
    }

    struct Asked = Asked {
        device: Id<DeviceId>,
        request: Id<RequestId>,
    }

    struct Person = Person {
        id: Id<UserId>,
        #[serde(default, skip_serializing_if = "usual")]
        name: Arc<str>,
    }

    struct MissedId = MissedId {
        invitation: Id<InvitationId>,
        turn: u32,
    }

    struct Line = LineRecord {
        person: Person,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        devices: BTreeMap<Id<DeviceId>, Shared<Device>>,
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        blocked: BTreeSet<Id<UserId>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        do_not_disturb: Option<DoNotDisturb>,
        revision: u64,
    }

    struct Device = DeviceRecord {
        platform: Arc<str>,
        sdk: Arc<str>,
        mode: Mode,
        config: DeviceConfig,
        registered_at: Moment,
        seen_at: Moment,
    }

    struct DeviceConfig = DeviceConfig {
        missed_enabled: bool,
        dial_back: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource_id: Option<Arc<str>>,
        reasons: BTreeSet<MissedReason>,
        #[serde(default, skip_serializing_if = "usual")]
        call_waiting: bool,
    }

    struct DoNotDisturb = DoNotDisturb {
        until: Moment,
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        let_through: BTreeSet<Id<UserId>>,
    }

    struct Remembered = Remembered {
        no: u64,
        device: Id<DeviceId>,
        request: Id<RequestId>,
        made: Made,
    }

    struct Missed = MissedCall {
        id: MissedId,
        call_id: Id<CallId>,
        caller: Person,
        call_type: CallType,
        #[serde(default, skip_serializing_if = "usual")]
        group: bool,
        reason: MissedReason,
        #[serde(default, skip_serializing_if = "usual")]
        cancelled: bool,
        at: Moment,
        missed_at: Moment,
        #[serde(default, skip_serializing_if = "usual")]
        silent: bool,
        #[serde(default, skip_serializing_if = "usual")]
        can_join: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clicked: Option<Id<RequestId>>,
        #[serde(default, skip_serializing_if = "usual")]
        returned: bool,
    }

    struct History = HistoryRecord {
        user: Id<UserId>,
        id: MissedId,
        call_id: Id<CallId>,
        call_type: CallType,
        #[serde(default, skip_serializing_if = "usual")]
        group: bool,
        direction: Direction,
        with: Vec<Person>,
        with_count: u32,
        at: Moment,
        ended_at: Moment,
        outcome: Outcome,
    }
}

/// What a request made.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Made {
    Invited {
        invitation: Id<InvitationId>,
        call_id: Id<CallId>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refused: Vec<(Id<UserId>, Code)>,
        #[serde(default, skip_serializing_if = "usual")]
        crossed: bool,
    },
    Joined {
        invitation: Id<InvitationId>,
        turn: u32,
    },
    DialedBack {
        invitation: Id<InvitationId>,
        call_id: Id<CallId>,
        device: Id<DeviceId>,
    },
    Engaged {
        invitation: Id<InvitationId>,
    },
}

impl Mirror for Made {
    type Core = core::Made;

    fn of(core: &core::Made) -> Self {
        match core {
            core::Made::Invited { invitation, call_id, refused, crossed } => Self::Invited {
                invitation: Id::of(invitation),
                call_id: Id::of(call_id),
                refused: Vec::of(refused),
                crossed: *crossed,
            },
            core::Made::Joined { invitation, turn } => Self::Joined { invitation: Id::of(invitation), turn: *turn },
            core::Made::DialedBack { invitation, call_id, device } => {
                Self::DialedBack { invitation: Id::of(invitation), call_id: Id::of(call_id), device: Id::of(device) }
            }
            core::Made::Engaged { invitation } => Self::Engaged { invitation: Id::of(invitation) },
        }
    }

    fn into_core(self) -> core::Made {
        match self {
            Self::Invited { invitation, call_id, refused, crossed } => core::Made::Invited {
                invitation: invitation.into_core(),
                call_id: call_id.into_core(),
                refused: refused.into_core(),
                crossed,
            },
            Self::Joined { invitation, turn } => core::Made::Joined { invitation: invitation.into_core(), turn },
            Self::DialedBack { invitation, call_id, device } => core::Made::DialedBack {
                invitation: invitation.into_core(),
                call_id: call_id.into_core(),
                device: device.into_core(),
            },
            Self::Engaged { invitation } => core::Made::Engaged { invitation: invitation.into_core() },
        }
    }

    fn pack(core: &core::Made, to: &mut Vec<u8>) {
        match core {
            core::Made::Invited { invitation, call_id, refused, crossed } => {
                to.push(0);
                Id::pack(invitation, to);
                Id::pack(call_id, to);
                Vec::<(Id<UserId>, Code)>::pack(refused, to);
                bool::pack(crossed, to);
            }
            core::Made::Joined { invitation, turn } => {
                to.push(1);
                Id::pack(invitation, to);
                u32::pack(turn, to);
            }
            core::Made::DialedBack { invitation, call_id, device } => {
                to.push(2);
                Id::pack(invitation, to);
                Id::pack(call_id, to);
                Id::pack(device, to);
            }
            core::Made::Engaged { invitation } => {
                to.push(3);
                Id::pack(invitation, to);
            }
        }
    }

    fn unpack(from: &mut Unpacking<'_>) -> Result<core::Made, Unreadable> {
        Ok(match from.byte()? {
            0 => core::Made::Invited {
                invitation: Id::unpack(from)?,
                call_id: Id::unpack(from)?,
                refused: Vec::<(Id<UserId>, Code)>::unpack(from)?,
                crossed: bool::unpack(from)?,
            },
            1 => core::Made::Joined { invitation: Id::unpack(from)?, turn: u32::unpack(from)? },
            2 => core::Made::DialedBack {
                invitation: Id::unpack(from)?,
                call_id: Id::unpack(from)?,
                device: Id::unpack(from)?,
            },
            3 => core::Made::Engaged { invitation: Id::unpack(from)? },
            _ => return Err(from.wrong("there is no such name")),
        })
    }
}

/// How a turn ended.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Answered,
    Declined,
    Missed(MissedReason),
    Unanswered(EndReason),
}

impl Mirror for Outcome {
    type Core = core::Outcome;

    fn of(core: &core::Outcome) -> Self {
        match core {
            core::Outcome::Answered => Self::Answered,
            core::Outcome::Declined => Self::Declined,
            core::Outcome::Missed(reason) => Self::Missed(MissedReason::of(reason)),
            core::Outcome::Unanswered(reason) => Self::Unanswered(EndReason::of(reason)),
        }
    }

    fn into_core(self) -> core::Outcome {
        match self {
            Self::Answered => core::Outcome::Answered,
            Self::Declined => core::Outcome::Declined,
            Self::Missed(reason) => core::Outcome::Missed(reason.into_core()),
            Self::Unanswered(reason) => core::Outcome::Unanswered(reason.into_core()),
        }
    }

    fn pack(core: &core::Outcome, to: &mut Vec<u8>) {
        match core {
            core::Outcome::Answered => to.push(0),
            core::Outcome::Declined => to.push(1),
            core::Outcome::Missed(reason) => {
                to.push(2);
                MissedReason::pack(reason, to);
            }
            core::Outcome::Unanswered(reason) => {
                to.push(3);
                EndReason::pack(reason, to);
            }
        }
    }

    fn unpack(from: &mut Unpacking<'_>) -> Result<core::Outcome, Unreadable> {
        Ok(match from.byte()? {
            0 => core::Outcome::Answered,
            1 => core::Outcome::Declined,
            2 => core::Outcome::Missed(MissedReason::unpack(from)?),
            3 => core::Outcome::Unanswered(EndReason::unpack(from)?),
            _ => return Err(from.wrong("there is no such name")),
        })
    }
}
