//! What scripts are told: one object a line. docs/command-line.md lists them, and a test compares.

use super::say::{outcome, word};
use ringback_client::{CallEvent, CallId, CallUser, HistoryEntry, Invitation, MissedCall, MissedCallRef, UserId};
use serde_json::{Value, json};

fn user(user: &CallUser) -> Value {
    json!({ "id": user.id.as_str(), "name": &*user.name })
}

fn users(list: &[CallUser]) -> Value {
    list.iter().map(user).collect()
}

pub(super) fn missed(call: &MissedCall) -> Value {
    let MissedCall { id, call_id, caller, call_type, group, reason, at, missed_at, can_join, .. } = call;
    json!({
        "invitation_id": id.invitation.to_string(), "turn": id.turn, "call_id": call_id.as_str(), "caller": user(caller),
        "call_type": word(call_type), "group": group, "reason": word(reason), "at": at.0, "missed_at": missed_at.0,
        "can_join": can_join,
    })
}

fn missed_ref(call: &MissedCallRef) -> Value {
    json!({ "invitation_id": call.id.invitation.to_string(), "turn": call.id.turn, "group": call.group })
}

pub(super) fn history(entry: &HistoryEntry) -> Value {
    let (outcome, reason) = outcome(entry.outcome);
    json!({
        "invitation_id": entry.id.invitation.to_string(), "turn": entry.id.turn, "call_id": entry.call_id.as_str(),
        "call_type": word(entry.call_type), "group": entry.group, "direction": word(entry.direction),
        "with": users(&entry.with), "with_count": entry.with_count, "at": entry.at.0, "ended_at": entry.ended_at.0,
        "outcome": outcome, "reason": reason,
    })
}

fn answer(call_id: &CallId, callee: &CallUser, custom_data: &str) -> Value {
    json!({ "call_id": call_id.as_str(), "callee": user(callee), "custom_data": custom_data })
}

/// An event as an object: its name, and its parameters.
pub(super) fn event(event: &CallEvent) -> Value {
    let with = |name: &str, mut fields: Value, about: &Option<Invitation>| {
        fields["event"] = name.into();
        if let Some(about) = about {
            fields["invitation_id"] = about.invitation.to_string().into();
            fields["turn"] = about.turn.into();
        }
        fields
    };
    use CallEvent as E;
    match event {
        E::IncomingCallTimeout { call_id, caller, invitation } => {
            with("incoming_call_timeout", json!({ "call_id": call_id.as_str(), "caller": user(caller) }), invitation)
        }
        E::IncomingMissedCallClicked { call_id, caller, call_type, callees, custom_data, missed_call, invitation } => {
            with(
                "incoming_missed_call_clicked",
                json!({
                    "call_id": call_id.as_str(), "caller": user(caller), "call_type": word(call_type),
                    "callees": users(callees), "custom_data": &**custom_data, "missed_call": missed_ref(missed_call),
                }),
                invitation,
            )
        }
        E::IncomingMissedCallDialBackFailed { reason, call_id, caller, invitation } => with(
            "incoming_missed_call_dial_back_failed",
            json!({ "reason": reason.as_str(), "call_id": call_id.as_str(), "caller": user(caller) }),
            invitation,
        ),
        E::IncomingCallReceived { call_id, caller, call_type, callees, custom_data, invitation } => with(
            "incoming_call_received",
            json!({
                "call_id": call_id.as_str(), "caller": user(caller), "call_type": word(call_type),
                "callees": users(callees), "custom_data": &**custom_data,
            }),
            invitation,
        ),
        E::IncomingCallCanceled { call_id, caller, custom_data, invitation } => with(
            "incoming_call_canceled",
            json!({ "call_id": call_id.as_str(), "caller": user(caller), "custom_data": &**custom_data }),
            invitation,
        ),
        E::IncomingCallAnsweredElsewhere { call_id, how, invitation } => with(
            "incoming_call_answered_elsewhere",
            json!({ "call_id": call_id.as_str(), "how": word(how) }),
            invitation,
        ),
        E::OutgoingCallSent { call_id, caller, callees, call_type, custom_data, refused, invitation } => {
            let refused: Value =
                refused.iter().map(|(user, code)| json!({ "user": user.as_str(), "code": code.as_str() })).collect();
            let fields = json!({
                "call_id": call_id.as_str(), "caller": user(caller), "call_type": word(call_type),
                "callees": users(callees), "custom_data": &**custom_data, "refused": refused,
            });
            with("outgoing_call_sent", fields, invitation)
        }
        E::OutgoingCallAccepted { call_id, callee, custom_data, invitation } => {
            with("outgoing_call_accepted", answer(call_id, callee, custom_data), invitation)
        }
        E::OutgoingCallDeclined { call_id, callee, custom_data, invitation } => {
            with("outgoing_call_declined", answer(call_id, callee, custom_data), invitation)
        }
        E::OutgoingCallRejectedCauseBusy { call_id, callee, custom_data, invitation } => {
            with("outgoing_call_rejected_cause_busy", answer(call_id, callee, custom_data), invitation)
        }
        E::OutgoingCallTimeout { call_id, callees, is_video_call, invitation } => with(
            "outgoing_call_timeout",
            json!({ "call_id": call_id.as_str(), "callees": users(callees), "is_video_call": is_video_call }),
            invitation,
        ),
        E::InvitationUserStateChanged { call_id, users, invitation } => {
            let users: Value = users
                .iter()
                .map(|(one, state)| json!({ "id": one.id.as_str(), "name": &*one.name, "state": word(state) }))
                .collect();
            let fields = json!({ "call_id": call_id.as_str(), "users": users });
            with("invitation_user_state_changed", fields, invitation)
        }
        E::CallEnded { call_id, reason, invitation } => {
            with("call_ended", json!({ "call_id": call_id.as_str(), "reason": word(reason) }), invitation)
        }
        E::MissedCallsChanged { missed_calls, count } => {
            let calls: Value = missed_calls.iter().map(missed).collect();
            with("missed_calls_changed", json!({ "missed_calls": calls, "count": count }), &None)
        }
        E::SettingsChanged { blocked, do_not_disturb } => {
            let blocked: Value = blocked.iter().map(UserId::as_str).collect();
            let quiet = do_not_disturb.as_ref().map(|set| {
                let through: Value = set.let_through.iter().map(UserId::as_str).collect();
                json!({ "remaining_ms": set.remaining.as_millis() as u64, "let_through": through })
            });
            with("settings_changed", json!({ "blocked": blocked, "do_not_disturb": quiet }), &None)
        }
        E::ConnectionStateChanged { state } => with("connection_state_changed", json!({ "state": word(state) }), &None),
        E::TokenWillExpire { remaining } => {
            with("token_will_expire", json!({ "remaining_ms": remaining.as_millis() as u64 }), &None)
        }
        E::Error { code, message } => with("error", json!({ "code": code, "message": message }), &None),
        other => with(&word(other), json!({}), &None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_client::{CallType, Code, ConnectionState, Elsewhere, EndReason, InvitationId, MissedId, TurnState};
    use ringback_core::time::Timestamp;
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    const PAGE: &str = include_str!("../../../../docs/command-line.md");

    /// Makes an event, of copies where only a field is named.
    macro_rules! event {
        ($name:ident { $($field:ident $(: $value:expr)?),* }) => {
            CallEvent::$name { $($field: event!(@ $field $(, $value)?)),* }
        };
        (@ $field:ident) => { $field.clone() };
        (@ $field:ident, $value:expr) => { $value };
    }

    /// One of each event.
    fn events() -> Vec<CallEvent> {
        let id = InvitationId(1);
        let about = Invitation { invitation: id, turn: Some(1), at: Timestamp(0), count: Some(1), complete: true };
        let (invitation, call_id, call_type) = (Some(about), CallId::new("c").unwrap(), CallType::Voice);
        let caller = CallUser { id: UserId::new("alice").unwrap(), name: "Alice".into() };
        let (callee, callees, custom_data) = (caller.clone(), vec![caller.clone()], Arc::<str>::from("{}"));
        let missed_id = MissedId { invitation: id, turn: 1 };
        let (call, person) = (call_id.clone(), caller.clone());
        let missed_call = MissedCallRef { id: missed_id, call_id: call, caller: person, call_type, group: false };
        let refused = vec![(caller.id.clone(), Code::NotFound)];
        let users = vec![(caller.clone(), TurnState::Left)];
        let state = ConnectionState::Connected;
        vec![
            event!(IncomingCallTimeout { call_id, caller, invitation }),
            event!(IncomingMissedCallClicked {
                call_id,
                caller,
                call_type,
                callees,
                custom_data,
                missed_call,
                invitation
            }),
            event!(IncomingMissedCallDialBackFailed { reason: Code::CallEnded, call_id, caller, invitation }),
            event!(IncomingCallReceived { call_id, caller, call_type, callees, custom_data, invitation }),
            event!(IncomingCallCanceled { call_id, caller, custom_data, invitation }),
            event!(IncomingCallAnsweredElsewhere { call_id, how: Elsewhere::Answered, invitation }),
            event!(OutgoingCallSent { call_id, caller, call_type, callees, custom_data, refused, invitation }),
            event!(OutgoingCallAccepted { call_id, callee, custom_data, invitation }),
            event!(OutgoingCallDeclined { call_id, callee, custom_data, invitation }),
            event!(OutgoingCallRejectedCauseBusy { call_id, callee, custom_data, invitation }),
            event!(OutgoingCallTimeout { call_id, callees, is_video_call: true, invitation }),
            event!(InvitationUserStateChanged { call_id, users, invitation }),
            event!(CallEnded { call_id, reason: EndReason::Left, invitation }),
            event!(MissedCallsChanged { missed_calls: Vec::new(), count: 0 }),
            event!(SettingsChanged { blocked: Vec::new(), do_not_disturb: None }),
            event!(ConnectionStateChanged { state }),
            event!(TokenWillExpire { remaining: Duration::from_secs(60) }),
            event!(Error { code: "internal", message: "why".to_owned() }),
        ]
    }

    /// The fields that the page gives to a row.
    fn documented(row: &str) -> BTreeSet<String> {
        let line = PAGE.lines().find(|line| line.starts_with(&format!("| {row} |")));
        let line = line.unwrap_or_else(|| panic!("docs/command-line.md has no row {row}"));
        let names = line.split('|').nth(2).unwrap().split('`').skip(1).step_by(2).map(str::to_owned);
        names.filter(|name| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')).collect()
    }

    fn fields(object: &Value) -> BTreeSet<String> {
        let fields = object.as_object().unwrap().keys().cloned();
        fields.filter(|name| !["event", "invitation_id", "turn"].contains(&name.as_str())).collect()
    }

    #[test]
    fn every_event_is_as_the_page_says() {
        let mut told = BTreeSet::new();
        for one in events() {
            let object = event(&one);
            let name = object["event"].as_str().unwrap().to_owned();
            let mut page = documented(&format!("`{name}`"));
            if name == "invitation_user_state_changed" {
                assert!(page.remove("state") && object["users"][0]["state"] == "left");
            }
            assert_eq!(fields(&object), page, "{name}");
            told.insert(name);
        }
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let rows: BTreeSet<String> =
            rows.filter(|row| row.contains('_') || *row == "signal" || *row == "error").map(str::to_owned).collect();
        assert_eq!(rows, told, "the page lists the events that there are");
    }
}
