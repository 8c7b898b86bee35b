//! The requests that the core decides, read from a frame's fields and written back.

use crate::client::{Reader, Terms};
use crate::fields::{Fields, Longest, id, needed};
use crate::media;
use crate::word::Word;
use ringback_core::id::{InvitationId, MissedId, TurnNo, UserId};
use ringback_core::line::DoNotDisturb;
use ringback_core::refusal::Refusal;
use ringback_core::step::{Ask, CancelWhom, Invitee, Ring, Send};
use ringback_core::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// How far a page may begin from the start of a list.
const OFFSET: u64 = 1_000_000;
/// Longest do-not-disturb: ten years, in milliseconds.
const DO_NOT_DISTURB_MS: u64 = 10 * 366 * 24 * 3600 * 1000;

/// Reads what is asked; none if no operation has this name.
pub(crate) fn read(reader: &Reader<'_>, kind: &str, fields: Fields<'_>) -> Result<Option<Ask>, Refusal> {
    let Terms { end_when_initiator_leaves, can_invite_in_calling, only_initiator_can_invite } = reader.terms;
    let invitation = || fields.id::<InvitationId>("invitation_id");
    let offset = || Ok::<_, Refusal>(fields.whole("offset", 0..=OFFSET)?.unwrap_or(0) as usize);
    Ok(Some(match kind {
        "send" => {
            let longest = Longest::Bytes(reader.limits.custom_data_bytes);
            Ask::Send(Send {
                invitees: invitees(reader, fields)?,
                call_type: fields.word("call_type")?,
                custom_data: fields.text("custom_data", longest)?.unwrap_or_default().into(),
                call_id: fields.maybe_id("call_id")?,
                ring: ring(reader, fields)?,
                end_when_initiator_leaves,
                can_invite_in_calling,
                only_initiator_can_invite,
            })
        }
        "invite" => {
            Ask::Invite { invitation: invitation()?, invitees: invitees(reader, fields)?, ring: ring(reader, fields)? }
        }
        "ringing" => Ask::Ringing { invitation: invitation()?, turn: turn(fields)? },
        "accept" => Ask::Accept { invitation: invitation()?, turn: turn(fields)? },
        "reject" => Ask::Reject { invitation: invitation()?, turn: turn(fields)?, busy: fields.flag("busy", false)? },
        "cancel" => Ask::Cancel { invitation: invitation()?, whom: whom(fields)? },
        "join" => Ask::Join { invitation: invitation()? },
        "leave" => Ask::Leave { invitation: invitation()? },
        "end" => Ask::End { invitation: invitation()? },
        "dial_back" => Ask::DialBack {
            missed: missed(fields)?,
            ring: ring(reader, fields)?,
            end_when_initiator_leaves,
            can_invite_in_calling,
            only_initiator_can_invite,
            unreachable: false,
        },
        "click" => Ask::Click { missed: missed(fields)? },
        "dismiss" => Ask::Dismiss { missed: missed(fields)?, notification: fields.flag("notification", false)? },
        "block" => Ask::Block(fields.id("user")?),
        "unblock" => Ask::Unblock(fields.id("user")?),
        "do_not_disturb" => Ask::SetDoNotDisturb(do_not_disturb(reader, fields)?),
        "fetch" => Ask::Fetch { invitation: invitation()?, offset: offset()? },
        "missed_calls" => Ask::MissedCalls { offset: offset()? },
        "signal" => Ask::Signal {
            invitation: invitation()?,
            to: another(reader, fields)?,
            device: fields.maybe_id("device")?,
            data: media::data(fields)?,
        },
        "ice_servers" => Ask::IceServers { invitation: invitation()? },
        "uninit" => Ask::Uninit,
        _ => return Ok(None),
    }))
}

/// Somebody else, whom a signal is for.
fn another(reader: &Reader<'_>, fields: Fields<'_>) -> Result<UserId, Refusal> {
    let to: UserId = fields.id("to")?;
    if reader.user == Some(&to) { Err(Refusal::field("to", "must not name yourself")) } else { Ok(to) }
}

fn turn(fields: Fields<'_>) -> Result<TurnNo, Refusal> {
    needed("turn", fields.whole("turn", 0..=u64::from(u32::MAX))?).map(|turn| turn as TurnNo)
}

fn missed(fields: Fields<'_>) -> Result<MissedId, Refusal> {
    Ok(MissedId { invitation: fields.id("invitation_id")?, turn: turn(fields)? })
}

fn invitees(reader: &Reader<'_>, fields: Fields<'_>) -> Result<Vec<Invitee>, Refusal> {
    const NAME: &str = "invitees";
    let list = needed(NAME, fields.list(NAME, reader.limits.invitees)?)?;
    if list.is_empty() {
        return Err(Refusal::field(NAME, "must name somebody"));
    }
    let mut seen = BTreeSet::new();
    let mut invitees = Vec::with_capacity(list.len());
    for value in list {
        let user: UserId = id(NAME, value)?;
        if reader.user == Some(&user) {
            return Err(Refusal::field(NAME, "must not name yourself"));
        }
        if !seen.insert(user.clone()) {
            return Err(Refusal::field(NAME, "must name nobody twice"));
        }
        invitees.push(Invitee { user, unreachable: false });
    }
    Ok(invitees)
}

fn ring(reader: &Reader<'_>, fields: Fields<'_>) -> Result<Ring, Refusal> {
    let longest = u64::try_from(reader.limits.max_timeout.as_millis()).unwrap_or(u64::MAX);
    let text = |name, most| Ok::<_, Refusal>(fields.text(name, Longest::Chars(most))?.map(Into::into));
    Ok(Ring {
        timeout: Duration::from_millis(needed("timeout_ms", fields.whole("timeout_ms", 1000..=longest)?)?),
        resource_id: fields.label("resource_id")?,
        title: text("title", reader.limits.title_chars)?,
        message: text("message", reader.limits.message_chars)?,
    })
}

fn whom(fields: Fields<'_>) -> Result<CancelWhom, Refusal> {
    let seen = fields.whole("seen", 0..=u64::MAX)?;
    let callee = fields.maybe_id("callee")?;
    match (seen, callee) {
        (Some(seen), None) => Ok(CancelWhom::All { seen }),
        (None, Some(callee)) => Ok(CancelWhom::Turn { callee, turn: turn(fields)? }),
        _ => Err(Refusal::field("seen", "must be there, or else callee and turn")),
    }
}

fn do_not_disturb(reader: &Reader<'_>, fields: Fields<'_>) -> Result<Option<DoNotDisturb>, Refusal> {
    let Some(span) = fields.whole("for_ms", 1..=DO_NOT_DISTURB_MS)? else { return Ok(None) };
    let people = fields.list("let_through", reader.limits.people_listed)?.unwrap_or_default();
    Ok(Some(DoNotDisturb {
        until: reader.now + Duration::from_millis(span),
        let_through: people.iter().map(|value| id("let_through", value)).collect::<Result<_, _>>()?,
    }))
}

/// The fields of a request, its id aside; absent ones are null.
pub(crate) fn write(ask: &Ask, now: Timestamp) -> Value {
    let on = |kind: &str, invitation: &InvitationId| json!({ "type": kind, "invitation_id": invitation.to_string() });
    let of = |kind: &str, invitation: &InvitationId, turn: &TurnNo| with(on(kind, invitation), json!({ "turn": turn }));
    match ask {
        Ask::Send(send) => with(
            json!({
                "type": "send",
                "invitees": names(&send.invitees),
                "call_type": send.call_type.word(),
                "custom_data": Some(&send.custom_data).filter(|text| !text.is_empty()),
                "call_id": send.call_id.as_ref().map(|id| id.as_str()),
            }),
            rung(&send.ring),
        ),
        Ask::Invite { invitation, invitees, ring } => {
            with(with(on("invite", invitation), json!({ "invitees": names(invitees) })), rung(ring))
        }
        Ask::Ringing { invitation, turn } => of("ringing", invitation, turn),
        Ask::Accept { invitation, turn } => of("accept", invitation, turn),
        Ask::Reject { invitation, turn, busy } => with(of("reject", invitation, turn), json!({ "busy": busy })),
        Ask::Cancel { invitation, whom: CancelWhom::All { seen } } => {
            with(on("cancel", invitation), json!({ "seen": seen }))
        }
        Ask::Cancel { invitation, whom: CancelWhom::Turn { callee, turn } } => {
            with(of("cancel", invitation, turn), json!({ "callee": callee.as_str() }))
        }
        Ask::Join { invitation } => on("join", invitation),
        Ask::Leave { invitation } => on("leave", invitation),
        Ask::End { invitation } => on("end", invitation),
        Ask::DialBack { missed, ring, .. } => with(of("dial_back", &missed.invitation, &missed.turn), rung(ring)),
        Ask::Click { missed } => of("click", &missed.invitation, &missed.turn),
        Ask::Dismiss { missed, notification } => {
            with(of("dismiss", &missed.invitation, &missed.turn), json!({ "notification": notification }))
        }
        Ask::Block(user) => json!({ "type": "block", "user": user.as_str() }),
        Ask::Unblock(user) => json!({ "type": "unblock", "user": user.as_str() }),
        Ask::SetDoNotDisturb(None) => json!({ "type": "do_not_disturb" }),
        Ask::SetDoNotDisturb(Some(set)) => json!({
            "type": "do_not_disturb",
            "for_ms": millis(now.until(set.until)).max(1),
            "let_through": set.let_through.iter().map(UserId::as_str).collect::<Vec<_>>(),
        }),
        Ask::Fetch { invitation, offset } => with(on("fetch", invitation), json!({ "offset": offset })),
        Ask::MissedCalls { offset } => json!({ "type": "missed_calls", "offset": offset }),
        Ask::Signal { invitation, to, device, data } => with(
            on("signal", invitation),
            json!({ "to": to.as_str(), "device": device.as_ref().map(|id| id.as_str()), "data": media::value(data) }),
        ),
        Ask::IceServers { invitation } => on("ice_servers", invitation),
        Ask::Uninit => json!({ "type": "uninit" }),
    }
}

fn names(invitees: &[Invitee]) -> Vec<&str> {
    invitees.iter().map(|invitee| invitee.user.as_str()).collect()
}

fn rung(ring: &Ring) -> Value {
    json!({
        "timeout_ms": millis(ring.timeout),
        "resource_id": ring.resource_id,
        "title": ring.title,
        "message": ring.message,
    })
}

fn with(mut frame: Value, more: Value) -> Value {
    if let (Value::Object(frame), Value::Object(more)) = (&mut frame, more) {
        frame.extend(more);
    }
    frame
}

/// A duration as the wire has it.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
