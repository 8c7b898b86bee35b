//! The device's inputs and outputs as the browser's machine has them: the shapes at the top of `web/device.js`.

use ringback_core::call::MissedReason;
use ringback_core::device::{
    About, Action, Answered, Ask, Bye, Config, Connection, Event, Frame, Input, MissedRef, Output, Persisted, Request,
};
use ringback_core::id::{MissedId, Person, RequestId};
use ringback_core::refusal::Refusal;
use ringback_core::step::{CancelWhom, MissedEntry, MissedView, Ring};
use ringback_core::time::Timestamp;
use ringback_protocol::{Bye as WireBye, ByeCode, Done, Greeting, ServerFrame};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The wire's word for an enum's variant.
fn word(variant: impl std::fmt::Debug) -> String {
    let mut word = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Leaves out what is null.
fn dense(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.into_iter().filter(|(_, v)| !v.is_null()).collect()),
        other => other,
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// An input as `session.input(now, message)` takes it.
pub(super) fn input(input: &Input, now: Timestamp) -> String {
    match input {
        Input::Frame(frame) => format!(r#"{{"type":"frame","frame":{}}}"#, server_frame(frame).encode(now)),
        Input::Init { config, take_up } => {
            json!({ "type": "init", "config": app_config(config), "take_up": take_up }).to_string()
        }
        Input::Opened => r#"{"type":"opened"}"#.into(),
        Input::Closed => r#"{"type":"closed"}"#.into(),
        Input::Denied => r#"{"type":"denied"}"#.into(),
        Input::Tick => r#"{"type":"tick"}"#.into(),
        Input::Act { id, ask } => json!({ "type": "act", "id": id.as_str(), "ask": act(ask) }).to_string(),
        Input::Clicked { missed, user, at } => json!({
            "type": "click", "missed": missed.as_ref().map(missed_ref), "user": user.as_str(), "at": at.0,
        })
        .to_string(),
        Input::Dismissed { missed, user } => json!({
            "type": "dismissed", "missed": missed.as_ref().map(missed_ref), "user": user.as_str(),
        })
        .to_string(),
    }
}

fn app_config(config: &Config) -> Value {
    let reasons: Vec<String> = config.reasons.iter().map(|r: &MissedReason| word(r)).collect();
    json!({
        "missed_call": {
            "enabled": config.missed_enabled,
            "enable_dial_back": config.dial_back,
            "resource_id": config.resource_id.as_deref(),
            "timeout_ms": ms(config.dial_back_timeout),
            "reasons": reasons,
        },
        "clicked": config.clicked,
    })
}

/// An act's `ask`: what the app leaves out is left out.
fn act(ask: &Ask) -> Value {
    match ask {
        Ask::DialBack(dial) => dense(json!({
            "type": "dial_back",
            "missed": missed_ref(&dial.missed),
            "title": dial.title.as_deref(),
            "message": dial.message.as_deref(),
            "default": dial.default.then_some(true),
        })),
        _ => request(ask),
    }
}

/// What a callee, or who may cancel, asks of a turn.
fn answer(ask: &Ask) -> Value {
    match ask {
        Ask::Accept { invitation, turn } => {
            json!({ "type": "accept", "invitation_id": invitation.to_string(), "turn": turn })
        }
        Ask::Reject { invitation, turn, busy } => {
            json!({ "type": "reject", "invitation_id": invitation.to_string(), "turn": turn, "busy": busy })
        }
        Ask::Cancel { invitation, whom } => {
            let (mut seen, mut callee, mut of) = (None, None, None);
            match whom {
                None => {}
                Some(CancelWhom::All { seen: revision }) => seen = Some(*revision),
                Some(CancelWhom::Turn { callee: user, turn }) => (callee, of) = (Some(user.as_str()), Some(*turn)),
            }
            let invitation = invitation.to_string();
            json!({ "type": "cancel", "invitation_id": invitation, "seen": seen, "callee": callee, "turn": of })
        }
        _ => Value::Null,
    }
}

/// A request as it stands on the wire, without its `id`.
fn request(ask: &Ask) -> Value {
    let named =
        |kind: &str, invitation: &dyn ToString| json!({ "type": kind, "invitation_id": invitation.to_string() });
    let turned = |kind: &str, id: &MissedId| json!({ "type": kind, "invitation_id": id.invitation.to_string(), "turn": id.turn });
    dense(match ask {
        Ask::Send { invitees, call_type, custom_data, call_id, ring } => with_ring(
            json!({
                "type": "send",
                "invitees": ids(invitees),
                "call_type": word(call_type),
                "custom_data": &**custom_data,
                "call_id": call_id.as_ref().map(|id| id.as_str()),
            }),
            ring,
        ),
        Ask::Invite { invitation, invitees, ring } => {
            let mut frame = named("invite", invitation);
            frame["invitees"] = json!(ids(invitees));
            with_ring(frame, ring)
        }
        Ask::Ringing { invitation, turn } => turned("ringing", &MissedId { invitation: *invitation, turn: *turn }),
        Ask::Accept { .. } | Ask::Reject { .. } | Ask::Cancel { .. } => answer(ask),
        Ask::Join { invitation } => named("join", invitation),
        Ask::Leave { invitation } => named("leave", invitation),
        Ask::End { invitation } => named("end", invitation),
        Ask::DialBack(dial) => {
            let mut frame = turned("dial_back", &dial.missed.id);
            frame["timeout_ms"] = json!(ms(dial.timeout));
            frame["resource_id"] = json!(dial.resource_id.as_deref());
            frame["title"] = json!(dial.title.as_deref());
            frame["message"] = json!(dial.message.as_deref());
            frame
        }
        Ask::Click(missed) => turned("click", &missed.id),
        Ask::Dismiss { missed, notification } => {
            let mut frame = turned("dismiss", missed);
            frame["notification"] = json!(notification);
            frame
        }
        Ask::Block(user) => json!({ "type": "block", "user": user.as_str() }),
        Ask::Unblock(user) => json!({ "type": "unblock", "user": user.as_str() }),
        Ask::DoNotDisturb { lasts, let_through } => {
            json!({ "type": "do_not_disturb", "for_ms": lasts.map(ms), "let_through": ids(let_through) })
        }
        Ask::Fetch { invitation, offset } => {
            let mut frame = named("fetch", invitation);
            frame["offset"] = json!(offset);
            frame
        }
        Ask::MissedCalls { offset } => json!({ "type": "missed_calls", "offset": offset }),
        Ask::History { before, limit } => json!({ "type": "history", "before": before, "limit": limit }),
        Ask::UpdateToken(token) => json!({ "type": "update_token", "token": &*token.0 }),
        Ask::Uninit => json!({ "type": "uninit" }),
    })
}

fn with_ring(mut frame: Value, ring: &Ring) -> Value {
    frame["timeout_ms"] = json!(ms(ring.timeout));
    frame["resource_id"] = json!(ring.resource_id.as_deref());
    frame["title"] = json!(ring.title.as_deref());
    frame["message"] = json!(ring.message.as_deref());
    frame
}

fn framed(id: &RequestId, ask: &Ask) -> Value {
    let mut frame = request(ask);
    frame["id"] = json!(id.as_str());
    frame
}

fn ids(users: &[ringback_core::id::UserId]) -> Vec<&str> {
    users.iter().map(|user| user.as_str()).collect()
}

fn server_frame(frame: &Frame) -> ServerFrame {
    match frame.clone() {
        Frame::Welcome { person, ping, token_expires_in } => ServerFrame::Welcome(Box::new(Greeting {
            protocol: 1,
            device: super::world::device(),
            user: person,
            ping,
            token_expires_in,
        })),
        Frame::Call(view) => ServerFrame::Call(view),
        Frame::Gone(id) => ServerFrame::Gone(id),
        Frame::Missed(view) => ServerFrame::Missed(view),
        Frame::Synced => ServerFrame::Synced,
        Frame::Reply { id, answer } => ServerFrame::Reply { id, answer: answer.map(done) },
        Frame::Bye(bye) => {
            let code = match bye {
                Bye::Replaced => ByeCode::Replaced,
                Bye::Unauthorized => ByeCode::Unauthorized,
                Bye::UpgradeRequired => ByeCode::UpgradeRequired,
                Bye::Other => ByeCode::Slow,
            };
            ServerFrame::Bye(WireBye::new(code, ""))
        }
        Frame::Alive => ServerFrame::Pong,
    }
}

fn done(answered: Answered) -> Done {
    match answered {
        Answered::Core(reply) => Done::Core(reply),
        Answered::Token(expires_in) => Done::Token { expires_in },
        Answered::Other | Answered::Nothing => Done::History { entries: Vec::new(), cursor: None },
    }
}

/// An output as the browser's machine gives it.
pub(super) fn output(output: &Output, me: &str, now: Timestamp) -> Value {
    match output {
        Output::Hello { holds, claim } => {
            let holds: Vec<Value> = holds
                .iter()
                .map(|(id, revision)| json!({ "invitation_id": id.to_string(), "revision": revision }))
                .collect();
            let requests: Vec<_> = claim.requests.iter().map(|id| id.as_str()).collect();
            let call = claim.invitation.map(|id| id.to_string());
            let claim = dense(json!({ "invitation_id": call, "request_ids": requests }));
            json!({ "type": "hello", "holds": holds, "claim": claim })
        }
        Output::Request { id, ask } => json!({ "type": "send", "frame": framed(id, ask) }),
        Output::Ping => json!({ "type": "send", "frame": { "type": "ping" } }),
        Output::Close => json!({ "type": "close" }),
        Output::Reply { id, answer } => reply(id, answer, now),
        Output::Event(e, about) => {
            let (name, args) = event(e);
            let mut fields = json!({ "type": "event", "name": name, "args": args });
            if let Some(at) = about {
                fields["invitation"] = invitation(at);
            }
            if let Event::IncomingMissedCallClicked { missed, .. } = &**e {
                fields["missed"] = missed_ref(missed);
            }
            fields
        }
        Output::ShowRing(ring) => json!({
            "type": "ring",
            "invitation_id": ring.invitation.to_string(),
            "turn": ring.turn,
            "call_id": ring.call_id.as_str(),
            "caller": person(&ring.caller),
            "call_type": word(ring.call_type),
            "group": ring.group,
            "deadline": ring.deadline.0,
        }),
        Output::HideRing { invitation, turn } => {
            json!({ "type": "unring", "invitation_id": invitation.to_string(), "turn": turn })
        }
        Output::Show(show) => json!({
            "type": "show",
            "key": show.key.to_string(),
            "missed": show.missed.as_ref().map(missed_ref),
            "user": me,
            "title": show.title,
            "body": show.body,
            "count": show.count,
            "at": show.at.0,
            "actions": show.action.iter().map(action).collect::<Vec<_>>(),
            "sound": show.sound,
        }),
        Output::Withdraw(key) => json!({ "type": "withdraw", "key": key.to_string() }),
        Output::DefaultAction(missed) => json!({ "type": "default_action", "missed": missed_ref(missed) }),
        Output::Persist(state) => json!({ "type": "persist", "state": persisted(state) }),
    }
}

fn reply(id: &RequestId, answer: &Result<Answered, Refusal>, now: Timestamp) -> Value {
    let mut fields = Map::from_iter([("type".into(), json!("reply")), ("id".into(), json!(id.as_str()))]);
    if let Ok(Answered::Nothing) = answer {
        fields.insert("ok".into(), json!({ "outcome": "none" }));
        return Value::Object(fields);
    }
    let frame = ServerFrame::Reply { id: id.clone(), answer: answer.clone().map(done) };
    let wire = parsed(&frame.encode(now));
    for part in ["ok", "error"] {
        if let Some(value) = wire.get(part).filter(|v| !v.is_null()) {
            fields.insert(part.into(), value.clone());
        }
    }
    Value::Object(fields)
}

fn event(event: &Event) -> (&'static str, Value) {
    match event {
        Event::IncomingCallTimeout { call_id, caller } => {
            ("onIncomingCallTimeout", json!([call_id.as_str(), person(caller)]))
        }
        Event::IncomingMissedCallClicked { call_id, caller, call_type, callees, custom_data, missed: _ } => (
            "onIncomingMissedCallClicked",
            json!([call_id.as_str(), person(caller), word(call_type), people(callees), &**custom_data]),
        ),
        Event::IncomingMissedCallDialBackFailed { reason, call_id, caller } => (
            "onIncomingMissedCallDialBackFailed",
            json!([{ "reason": reason.as_str(), "callID": call_id.as_str(), "caller": person(caller) }]),
        ),
        Event::IncomingCallReceived { call_id, caller, call_type, callees, custom_data } => (
            "onIncomingCallReceived",
            json!([call_id.as_str(), person(caller), word(call_type), people(callees), &**custom_data]),
        ),
        Event::IncomingCallCanceled { call_id, caller, custom_data } => {
            ("onIncomingCallCanceled", json!([call_id.as_str(), person(caller), &**custom_data]))
        }
        Event::IncomingCallAnsweredElsewhere { call_id, how } => {
            ("onIncomingCallAnsweredElsewhere", json!([call_id.as_str(), word(how)]))
        }
        Event::OutgoingCallSent { call_id, caller, call_type, callees, custom_data, refused } => {
            let refused: Vec<Value> =
                refused.iter().map(|(user, code)| json!({ "user": user.as_str(), "code": code.as_str() })).collect();
            let (id, callees) = (call_id.as_str(), people(callees));
            ("onOutgoingCallSent", json!([id, person(caller), word(call_type), callees, &**custom_data, refused]))
        }
        Event::OutgoingCallAccepted { call_id, callee, custom_data } => {
            ("onOutgoingCallAccepted", json!([call_id.as_str(), person(callee), &**custom_data]))
        }
        Event::OutgoingCallDeclined { call_id, callee, custom_data } => {
            ("onOutgoingCallDeclined", json!([call_id.as_str(), person(callee), &**custom_data]))
        }
        Event::OutgoingCallRejectedCauseBusy { call_id, callee, custom_data } => {
            ("onOutgoingCallRejectedCauseBusy", json!([call_id.as_str(), person(callee), &**custom_data]))
        }
        Event::OutgoingCallTimeout { call_id, callees, video } => {
            ("onOutgoingCallTimeout", json!([call_id.as_str(), people(callees), video]))
        }
        Event::InvitationUserStateChanged { call_id, users } => {
            let users: Vec<Value> = users
                .iter()
                .map(|(user, state)| json!({ "id": user.id.as_str(), "name": &*user.name, "state": word(state) }))
                .collect();
            ("onInvitationUserStateChanged", json!([call_id.as_str(), users]))
        }
        Event::CallEnded { call_id, reason } => ("onCallEnded", json!([call_id.as_str(), word(reason)])),
        Event::MissedCallsChanged { calls, total } => ("onMissedCallsChanged", json!([entries(calls), total])),
        Event::ConnectionStateChanged(state) => {
            let state = match state {
                Connection::Connected => "connected".into(),
                Connection::Disconnected => "disconnected".into(),
                Connection::Closed(bye) => word(bye),
            };
            ("onConnectionStateChanged", json!([state]))
        }
        Event::TokenWillExpire(left) => ("onTokenWillExpire", json!([ms(*left)])),
        Event::NotificationsDenied => {
            let message = "notifications are not permitted";
            ("onError", json!([{ "code": "notifications_denied", "message": message }]))
        }
    }
}

fn entries(calls: &[MissedEntry]) -> Value {
    let view = MissedView { revision: 0, calls: calls.to_vec(), total: 0 };
    parsed(&ServerFrame::Missed(view).encode(Timestamp(0)))["calls"].take()
}

fn invitation(at: &About) -> Value {
    json!({
        "invitation_id": at.invitation.to_string(),
        "turn": at.turn,
        "at": at.at.0,
        "count": at.count,
        "complete": at.complete,
    })
}

fn person(person: &Person) -> Value {
    json!({ "id": person.id.as_str(), "name": &*person.name })
}

fn people(people: &[Person]) -> Vec<Value> {
    people.iter().map(person).collect()
}

fn action(action: &Action) -> String {
    word(action)
}

fn missed_ref(missed: &MissedRef) -> Value {
    json!({
        "invitation_id": missed.id.invitation.to_string(),
        "turn": missed.id.turn,
        "call_id": missed.call_id.as_str(),
        "caller": person(&missed.caller),
        "call_type": word(missed.call_type),
        "group": missed.group,
    })
}

fn persisted(state: &Persisted) -> Value {
    json!({
        "known": state.known.iter().map(|k| json!({
            "invitation_id": k.id.invitation.to_string(), "turn": k.id.turn, "listed": k.listed,
        })).collect::<Vec<_>>(),
        "floor": state.floor.0,
        "shown": state.shown.iter().map(|s| json!({
            "key": s.key.to_string(),
            "invitation_id": s.id.invitation.to_string(),
            "turn": s.id.turn,
            "count": s.count,
            "action": s.action.as_ref().map(action),
        })).collect::<Vec<_>>(),
        "summary": state.summary.as_ref().map(|s| json!({
            "keys": s.keys.iter().map(ToString::to_string).collect::<Vec<_>>(), "count": s.count,
        })),
        "back": state.back.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "sounded": state.sounded.iter().map(|(user, at)| json!({ "user": user.as_str(), "at": at.0 })).collect::<Vec<_>>(),
        "clicks": state.clicks.iter().map(|(m, at)| json!({ "missed": missed_ref(m), "at": at.0 })).collect::<Vec<_>>(),
        "requests": state.requests.iter().map(unanswered).collect::<Vec<_>>(),
        "here": state.here.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn unanswered(r: &Request) -> Value {
    let missed = match &r.ask {
        Ask::DialBack(dial) => Some(missed_ref(&dial.missed)),
        Ask::Click(missed) => Some(missed_ref(missed)),
        _ => None,
    };
    json!({
        "id": r.id.as_str(),
        "frame": framed(&r.id, &r.ask),
        "own": r.own,
        "until": r.until.map(|until| until.0),
        "again": r.again,
        "missed": missed,
    })
}
