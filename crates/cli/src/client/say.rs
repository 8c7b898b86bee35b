//! What is said in the terminal: lines for people over a line of how things stand, or JSON for scripts.

use ringback_client::{
    CallEvent, CallType, CallUser, HistoryEntry, Invitation, MissedCall, MissedCallRef, Outcome, display_name,
};
use serde_json::{Value, json};
use std::fmt::{Debug, Write as _};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Where it is said.
pub(super) struct Screen {
    json: bool,
    /// Someone watches: a line can be written over.
    live: bool,
    /// The terminal leaves the return to us.
    raw: bool,
    standing: String,
}

impl Screen {
    pub(super) fn new(json: bool, raw: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { json, live: !json && terminal, raw: raw && terminal, standing: String::new() }
    }

    /// Whether somebody watches, who is told how things stand in the last line.
    pub(super) fn live(&self) -> bool {
        self.live
    }

    /// Says a line to people.
    pub(super) fn line(&mut self, text: &str) {
        if !self.json {
            self.put(text);
        }
    }

    /// Says an object to scripts.
    pub(super) fn object(&mut self, object: &Value) {
        if self.json {
            self.put(&object.to_string());
        }
    }

    /// Says how things stand, in the last line, where somebody watches.
    pub(super) fn standing(&mut self, text: String) {
        // A line that wraps can't be written over.
        let width = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns)).saturating_sub(1);
        let text = text.chars().take(width).collect();
        if self.live && text != self.standing {
            self.standing = text;
            self.write(&format!("\r\x1b[K{}", self.standing));
        }
    }

    fn put(&mut self, text: &str) {
        let end = if self.raw { "\r\n" } else { "\n" };
        if self.live {
            self.write(&format!("\r\x1b[K{text}{end}{}", self.standing));
        } else {
            self.write(&format!("{text}{end}"));
        }
    }

    fn write(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // Nobody reads any more: the next signal or key ends it.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.live && !self.standing.is_empty() {
            self.write("\r\x1b[K");
        }
    }
}

/// A name in Rust as the wire spells it: `NoAnswer` is `no_answer`.
pub(super) fn word(name: impl Debug) -> String {
    let mut word = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

/// The same for people: `no answer`.
pub(super) fn words(name: impl Debug) -> String {
    word(name).replace('_', " ")
}

/// `video call`, `group voice call`.
pub(super) fn kind(call_type: CallType, group: bool) -> String {
    format!("{}{} call", if group { "group " } else { "" }, word(call_type))
}

pub(super) fn names(users: &[CallUser]) -> String {
    users.iter().map(display_name).collect::<Vec<_>>().join(", ")
}

/// How long ago, or how long still: `42 s`, `5 min`, `3 h`, `2 days`.
pub(super) fn about(span: Duration) -> String {
    let rounded = |unit: u64| (span.as_secs() + unit / 2) / unit;
    match span.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", rounded(60)),
        7200..172_800 => format!("{} h", rounded(3600)),
        _ => format!("{} days", rounded(86_400)),
    }
}

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

/// How a past call came out, and why.
pub(super) fn outcome(outcome: Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Answered => ("answered", None),
        Outcome::Declined => ("declined", None),
        Outcome::Missed(reason) => ("missed", Some(word(reason))),
        Outcome::Unanswered(reason) => ("unanswered", Some(word(reason))),
    }
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
        E::OutgoingCallSent { call_id, callees, call_type, refused, invitation, .. } => {
            let refused: Value =
                refused.iter().map(|(user, code)| json!({ "user": user.as_str(), "code": code.as_str() })).collect();
            let fields = json!({
                "call_id": call_id.as_str(), "call_type": word(call_type), "callees": users(callees),
                "refused": refused,
            });
            with("outgoing_call_sent", fields, invitation)
        }
        E::OutgoingCallAccepted { call_id, callee, invitation, .. } => {
            with("outgoing_call_accepted", json!({ "call_id": call_id.as_str(), "callee": user(callee) }), invitation)
        }
        E::OutgoingCallDeclined { call_id, callee, invitation, .. } => {
            with("outgoing_call_declined", json!({ "call_id": call_id.as_str(), "callee": user(callee) }), invitation)
        }
        E::OutgoingCallRejectedCauseBusy { call_id, callee, invitation, .. } => with(
            "outgoing_call_rejected_cause_busy",
            json!({ "call_id": call_id.as_str(), "callee": user(callee) }),
            invitation,
        ),
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
        E::ConnectionStateChanged { state } => with("connection_state_changed", json!({ "state": word(state) }), &None),
        E::TokenWillExpire { remaining } => {
            with("token_will_expire", json!({ "remaining_ms": remaining.as_millis() as u64 }), &None)
        }
        E::Signal(signal) => {
            let fields = json!({ "from": signal.from.as_str(), "device": signal.device.as_str() });
            with("signal", fields, &None)
        }
        E::Error { code, message } => with("error", json!({ "code": code, "message": message }), &None),
        other => with(&word(other), json!({}), &None),
    }
}

/// Lines under each other, in columns.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a text can't fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_on_the_wire() {
        assert_eq!(word(ringback_client::MissedReason::DoNotDisturb), "do_not_disturb");
        assert_eq!(words(ringback_client::EndReason::TimedOut), "timed out");
    }

    #[test]
    fn spans_are_said_as_people_do() {
        assert_eq!(about(Duration::from_secs(119)), "119 s");
        assert_eq!(about(Duration::from_secs(600)), "10 min");
        assert_eq!(about(Duration::from_secs(8 * 3600 - 1)), "8 h");
        assert_eq!(about(Duration::from_secs(3 * 86_400)), "3 days");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(table(&rows), "a    b\nccc  d\n");
    }
}
