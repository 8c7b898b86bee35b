//! What one user may see of one call (K5).

use super::Call;
use super::record::{CallType, EndReason, Hidden, Leaving, Mode, ParticipantRecord, TurnKind, TurnRecord, TurnState};
use crate::id::{CallId, DeviceId, InvitationId, Person, TurnNo, UserId};
use crate::limits::LISTED;
use crate::time::Timestamp;
use std::sync::Arc;

/// One user's view of one call: never holds what is hidden from that user (L13).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// The revision at which this user came in, while in the call: with the others' `changed` it says in which order all
    /// who are in it did. Not there else, since it would tell of turns that are hidden (L13).
    pub entered: Option<u64>,
    /// Why it ended.
    pub ended: Option<EndReason>,
    /// Whether this user could join now (L5).
    pub can_join: bool,
}

/// A turn of the view's own user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// Ended or accepted by a crossing (L10): S6 where this device isn't the one, and no missed call.
    pub crossed: bool,
    /// Do-not-disturb hid it until it ended.
    pub do_not_disturb: bool,
}

/// Another participant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Other {
    /// Who.
    pub person: Person,
    /// The call's revision at which they last changed.
    pub changed: u64,
    /// Their turns, oldest first.
    pub turns: Vec<OtherTurn>,
}

/// A turn of another participant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// Longest `customData`, in bytes, that a connection is sent without asking (N1).
const SHORT: usize = 256;

impl Call {
    /// What a user may see of this call now; nothing for who may not know of it.
    pub fn view(&self, user: &UserId) -> Option<CallView> {
        let (me, mut others) = self.seen_by(user)?;
        let count = others.len();
        if count > LISTED {
            let pinned = |p: &ParticipantRecord| {
                p.person.id == self.initiator().id || me.turns.iter().any(|t| t.known() && t.inviter == p.person.id)
            };
            others.sort_by_key(|p| (!pinned(p), std::cmp::Reverse(p.changed)));
            others.truncate(LISTED);
        }
        others.sort_by_key(|p| std::cmp::Reverse(p.changed));
        Some(self.view_with(me, &others, count))
    }

    /// Whether a user's own turns are those of their view; not for who may not know of the call.
    pub(crate) fn has_own(&self, user: &UserId, own: &[OwnTurn]) -> bool {
        let me = self.participant(user).filter(|_| self.knows(user));
        let mut own = own.iter();
        me.is_some_and(|me| me.turns.iter().filter_map(own_turn).all(|turn| own.next() == Some(&turn)))
            && own.next().is_none()
    }

    /// Whether anybody but this user changed after that revision.
    pub(crate) fn others_changed(&self, user: &UserId, since: u64) -> bool {
        self.record().participants.iter().any(|p| p.changed > since && p.person.id != *user)
    }

    /// The same as a connection is sent it: without a long `customData` (N1).
    pub fn short_view(&self, user: &UserId) -> Option<CallView> {
        let mut view = self.view(user)?;
        view.custom_data = view.custom_data.filter(|d| d.len() <= SHORT);
        Some(view)
    }

    /// The same with another page of participants, by when they came in.
    pub fn page(&self, user: &UserId, offset: usize, most: usize) -> Option<CallView> {
        let (me, others) = self.seen_by(user)?;
        let page: Vec<_> = others.iter().copied().skip(offset).take(most).collect();
        Some(self.view_with(me, &page, others.len()))
    }

    fn seen_by(&self, user: &UserId) -> Option<(&ParticipantRecord, Vec<&ParticipantRecord>)> {
        let me = self.participant(user).filter(|_| self.knows(user))?;
        Some((me, self.record().participants.iter().filter(|p| p.person.id != *user).collect()))
    }

    fn view_with(&self, me: &ParticipantRecord, others: &[&ParticipantRecord], others_count: usize) -> CallView {
        let r = self.record();
        CallView {
            invitation: r.id,
            revision: r.revision + me.private,
            call_id: r.call_id.clone(),
            call_type: r.call_type,
            mode: r.mode,
            group: r.group,
            initiator: self.initiator().id.clone(),
            custom_data: Some(r.custom_data.clone()),
            at: r.at,
            own: me.turns.iter().filter_map(own_turn).collect(),
            others: others
                .iter()
                .map(|p| Other {
                    person: p.person.clone(),
                    changed: p.changed + me.private,
                    turns: p.turns.iter().map(other_turn).collect(),
                })
                .collect(),
            others_count: u32::try_from(others_count).unwrap_or(u32::MAX),
            in_call: u32::try_from(self.accepted()).unwrap_or(u32::MAX),
            entered: self.engages(&me.person.id).then_some(me.changed + me.private),
            ended: r.ended.map(|(reason, _)| reason),
            can_join: self.may_join(&me.person.id),
        }
    }
}

fn own_turn(t: &TurnRecord) -> Option<OwnTurn> {
    let blocked_later = t.hidden == Some(Hidden::BlockedLater);
    if !t.known() && !blocked_later {
        return None;
    }
    Some(OwnTurn {
        no: t.no,
        kind: t.kind,
        inviter: t.inviter.clone(),
        state: if blocked_later { TurnState::Declined } else { t.state },
        deadline: t.deadline,
        device: t.answered.as_ref().map(|a| a.device.clone()),
        leaving: t.leaving,
        crossed: t.crossed,
        do_not_disturb: t.hidden == Some(Hidden::DoNotDisturb),
    })
}

fn other_turn(t: &TurnRecord) -> OtherTurn {
    OtherTurn { no: t.no, kind: t.kind, inviter: t.inviter.clone(), state: t.state }
}
