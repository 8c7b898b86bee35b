//! Any record at all, not only one that the core would make.

use crate::format::v1;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use ringback_core::call::{Asked, CallRecord, ParticipantRecord, TurnRecord};
use ringback_core::id::{InvitationId, MissedId, Person};
use ringback_core::line::{
    DeviceConfig, DeviceRecord, DoNotDisturb, HistoryRecord, LineRecord, Made, MissedCall, Outcome, Remembered,
};
use ringback_core::time::Timestamp;
use std::str::FromStr;
use std::sync::Arc;

/// An id of any characters that it may have.
fn id<T: FromStr<Err: std::fmt::Debug> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    let text = vec(any::<char>().prop_filter("no control characters", |c| !c.is_control()), 1..32);
    text.prop_map(|chars| chars.into_iter().collect::<String>().parse().unwrap())
}

fn text() -> impl Strategy<Value = Arc<str>> {
    vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect::<String>().into())
}

fn invitation() -> impl Strategy<Value = InvitationId> {
    any::<u128>().prop_map(InvitationId)
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp)
}

fn asked() -> impl Strategy<Value = Asked> {
    (id(), id()).prop_map(|(device, request)| Asked { device, request })
}

fn person() -> impl Strategy<Value = Person> {
    (id(), text()).prop_map(|(id, name)| Person { id, name })
}

fn missed_id() -> impl Strategy<Value = MissedId> {
    (invitation(), any::<u32>()).prop_map(|(invitation, turn)| MissedId { invitation, turn })
}

fn turn() -> impl Strategy<Value = TurnRecord> {
    let head = (any::<u32>(), select(v1::TurnKind::ALL), id(), moment(), any::<u64>(), moment());
    let stand = (select(v1::TurnState::ALL), of(select(v1::Hidden::ALL)), vec(id(), 0..4), any::<bool>());
    let asked = (of(asked()), of(asked()), of(moment()), of(moment()));
    let end = (of(select(v1::Leaving::ALL)), of(select(v1::MissedReason::ALL)), any::<bool>());
    (head, stand, asked, end).prop_map(|(head, stand, asked, end)| {
        let (no, kind, inviter, at, since, deadline) = head;
        let (state, hidden, rang, reminded) = stand;
        let (answered, closed, grace, ended_at) = asked;
        let (leaving, missed, crossed) = end;
        TurnRecord {
            no,
            kind,
            inviter,
            at,
            since,
            deadline,
            state,
            hidden,
            rang,
            reminded,
            answered,
            closed,
            grace,
            ended_at,
            leaving,
            missed,
            crossed,
        }
    })
}

fn participant() -> impl Strategy<Value = ParticipantRecord> {
    let parts = (person(), any::<u64>(), any::<u64>(), vec(turn(), 0..4));
    parts.prop_map(|(person, changed, private, turns)| ParticipantRecord { person, changed, private, turns })
}

pub(super) fn call() -> impl Strategy<Value = CallRecord> {
    let names = (invitation(), id(), select(v1::CallType::ALL), select(v1::Mode::ALL));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let texts = (text(), of(text()), of(text()), of(text()));
    let stand = (moment(), any::<u64>(), vec(participant(), 0..4), of(moment()));
    let end = (of((select(v1::EndReason::ALL), moment())), of(asked()));
    (names, flags, texts, stand, end).prop_map(|(names, flags, texts, stand, end)| {
        let (id, call_id, call_type, mode) = names;
        let (custom_data, resource_id, title, message) = texts;
        let (at, revision, participants, alone_until) = stand;
        let (ended, ended_by) = end;
        CallRecord {
            id,
            call_id,
            call_type,
            mode,
            end_when_initiator_leaves: flags.0,
            can_invite_in_calling: flags.1,
            only_initiator_can_invite: flags.2,
            custom_data,
            resource_id,
            title,
            message,
            at,
            revision,
            group: flags.3,
            dial_back: flags.4,
            participants,
            alone_until,
            ended,
            ended_by,
        }
    })
}

fn config() -> impl Strategy<Value = DeviceConfig> {
    let reasons = btree_set(select(v1::MissedReason::ALL), 0..5);
    (any::<bool>(), any::<bool>(), of(text()), reasons, any::<bool>()).prop_map(
        |(missed_enabled, dial_back, resource_id, reasons, call_waiting)| DeviceConfig {
            missed_enabled,
            dial_back,
            resource_id,
            reasons,
            call_waiting,
        },
    )
}

fn device() -> impl Strategy<Value = DeviceRecord> {
    (text(), text(), select(v1::Mode::ALL), config(), moment(), moment()).prop_map(
        |(platform, sdk, mode, config, registered_at, seen_at)| DeviceRecord {
            platform,
            sdk,
            mode,
            config,
            registered_at,
            seen_at,
        },
    )
}

fn made() -> impl Strategy<Value = Made> {
    let refused = vec((id(), select(v1::Code::ALL)), 0..4);
    prop_oneof![
        (invitation(), id(), refused, any::<bool>()).prop_map(|(invitation, call_id, refused, crossed)| {
            Made::Invited { invitation, call_id, refused, crossed }
        }),
        (invitation(), any::<u32>()).prop_map(|(invitation, turn)| Made::Joined { invitation, turn }),
        (invitation(), id(), id()).prop_map(|(invitation, call_id, device)| Made::DialedBack {
            invitation,
            call_id,
            device
        }),
        invitation().prop_map(|invitation| Made::Engaged { invitation }),
    ]
}

pub(super) fn line() -> impl Strategy<Value = LineRecord> {
    let disturb =
        (moment(), btree_set(id(), 0..4)).prop_map(|(until, let_through)| DoNotDisturb { until, let_through });
    let parts = (person(), btree_map(id(), device().prop_map(std::sync::Arc::new), 0..4), btree_set(id(), 0..4));
    (parts, of(disturb), any::<u64>()).prop_map(|((person, devices, blocked), do_not_disturb, revision)| LineRecord {
        person,
        devices,
        blocked,
        do_not_disturb,
        revision,
    })
}

pub(super) fn request() -> impl Strategy<Value = Remembered> {
    (any::<u64>(), id(), id(), made()).prop_map(|(no, device, request, made)| Remembered { no, device, request, made })
}

pub(super) fn missed() -> impl Strategy<Value = MissedCall> {
    let names = (missed_id(), id(), person(), select(v1::CallType::ALL), select(v1::MissedReason::ALL));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (names, flags, moment(), moment(), of(id())).prop_map(|(names, flags, at, missed_at, clicked)| {
        let (id, call_id, caller, call_type, reason) = names;
        let (group, cancelled, silent, can_join, returned) = flags;
        MissedCall {
            id,
            call_id,
            caller,
            call_type,
            group,
            reason,
            cancelled,
            at,
            missed_at,
            silent,
            can_join,
            clicked,
            returned,
        }
    })
}

pub(super) fn history() -> impl Strategy<Value = HistoryRecord> {
    let names = (id(), missed_id(), id(), select(v1::CallType::ALL), any::<bool>(), select(v1::Direction::ALL));
    let outcome = prop_oneof![
        Just(Outcome::Answered),
        Just(Outcome::Declined),
        select(v1::MissedReason::ALL).prop_map(Outcome::Missed),
        select(v1::EndReason::ALL).prop_map(Outcome::Unanswered),
    ];
    (names, vec(person(), 0..4), any::<u32>(), moment(), moment(), outcome).prop_map(
        |(names, with, with_count, at, ended_at, outcome)| {
            let (user, id, call_id, call_type, group, direction) = names;
            HistoryRecord { user, id, call_id, call_type, group, direction, with, with_count, at, ended_at, outcome }
        },
    )
}
