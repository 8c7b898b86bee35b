//! What a client says: its hello, its requests, `ping`.

use crate::fields::{Fields, Longest, id, needed, word};
use crate::word::Word;
use crate::{LOWEST, VERSION, ask, value};
use ringback_core::call::{MissedReason, Mode};
use ringback_core::id::{DeviceId, InvitationId, RequestId, UserId};
use ringback_core::limits::Limits;
use ringback_core::line::DeviceConfig;
use ringback_core::refusal::{Code, Refusal};
use ringback_core::step::{Ask, Claim};
use ringback_core::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Held invitations that a hello may name.
pub const HOLDS: usize = 64;
/// Unanswered requests that a hello may claim by: as many as a client has at most.
pub const CLAIMS: usize = 128;
/// Bytes that a token may have.
pub const TOKEN_BYTES: usize = 8 * 1024;
/// Entries of a page of history.
pub const HISTORY_PAGE: usize = 100;
/// Characters of a platform's name and of an SDK's version.
const LABEL_CHARS: usize = 32;

/// One frame of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// The first one of a connection.
    Hello(Box<Handshake>),
    /// Asks for a `pong`: for clients that can't see pings of the WebSocket's own.
    Ping,
    /// Asks for something, and is answered by one reply of the same id.
    Request {
        /// The request's name (N2).
        id: RequestId,
        /// What is asked.
        request: Request,
    },
}

/// What is asked: of the core, or of the shell alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Decided by the core.
    Ask(Ask),
    /// A page of the user's history.
    History {
        /// The cursor of the page before it.
        before: Option<u64>,
        /// How many entries, 1 to 100.
        limit: usize,
    },
    /// A newer token for this session (S15).
    UpdateToken(Token),
}

/// A signed token; it prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A connection's first frame, its token not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// Says who it is.
    pub token: Token,
    /// The highest version that the client speaks (V5).
    pub protocol: u32,
    /// Which of the user's devices.
    pub device: DeviceId,
    /// `web`, `android`, …; at most 32 characters.
    pub platform: Arc<str>,
    /// The SDK's version; at most 32 characters.
    pub sdk: Arc<str>,
    /// What holds when the app isn't running (C14).
    pub config: DeviceConfig,
    /// What each invitation of this session is sent with.
    pub terms: Terms,
    /// The invitations that the device holds, with the revision it has; at most [`HOLDS`].
    pub holds: Vec<(InvitationId, u64)>,
    /// The call that it says it is in (L9); at most [`CLAIMS`] requests.
    pub claim: Claim,
}

impl Handshake {
    /// The device's mode: advanced when C3 or C9 is true (V1).
    pub fn mode(&self) -> Mode {
        if self.config.dial_back || self.terms.can_invite_in_calling { Mode::Advanced } else { Mode::General }
    }
}

/// C1, C9 and C10 of a session, kept with each invitation that it sends (C14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// C1.
    pub end_when_initiator_leaves: bool,
    /// C9.
    pub can_invite_in_calling: bool,
    /// C10.
    pub only_initiator_can_invite: bool,
}

/// Why a frame can't be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// It is no frame, or a hello that can't be served: the connection is closed with a `bye` of this code.
    Frame(Refusal),
    /// It is a request that is wrong: answered by a reply with this refusal, and nothing else happens.
    Request {
        /// The request's name.
        id: RequestId,
        /// What is wrong with it.
        refusal: Refusal,
    },
}

/// What frames are read against.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The bounds.
    pub limits: &'a Limits,
    /// Whose connection it is, once that is known: nobody may invite themselves.
    pub user: Option<&'a UserId>,
    /// The session's terms.
    pub terms: Terms,
    /// The moment that durations count from.
    pub now: Timestamp,
}

impl Reader<'_> {
    /// Reads one frame and checks every field of it against its bound.
    pub fn read(&self, text: &str) -> Result<ClientFrame, Malformed> {
        if text.len() > crate::frame_bytes(self.limits) {
            let message = format!("a frame must have at most {} bytes", crate::frame_bytes(self.limits));
            return Err(Malformed::Frame(Refusal::new(Code::PayloadTooLarge, message)));
        }
        let frame: value::Map<'_> = serde_json::from_str(text).map_err(|error| {
            Malformed::Frame(Refusal::new(Code::BadRequest, format!("a frame must be one JSON object: {error}")))
        })?;
        let fields = Fields(&frame);
        let kind = needed("type", fields.get("type").and_then(value::Value::as_str)).map_err(Malformed::Frame)?;
        match kind {
            "hello" => handshake(fields).map(|hello| ClientFrame::Hello(hello.into())).map_err(Malformed::Frame),
            "ping" => Ok(ClientFrame::Ping),
            _ => {
                let id: RequestId = fields.id("id").map_err(Malformed::Frame)?;
                match self.request(kind, fields) {
                    Ok(request) => Ok(ClientFrame::Request { id, request }),
                    Err(refusal) => Err(Malformed::Request { id, refusal }),
                }
            }
        }
    }

    fn request(&self, kind: &str, fields: Fields<'_>) -> Result<Request, Refusal> {
        match kind {
            "history" => {
                let page = HISTORY_PAGE as u64;
                let limit = fields.whole("limit", 1..=page)?.unwrap_or(page / 2);
                Ok(Request::History { before: fields.whole("before", 0..=u64::MAX)?, limit: limit as usize })
            }
            "update_token" => Ok(Request::UpdateToken(token(fields)?)),
            _ => match ask::read(self, kind, fields)? {
                Some(ask) => Ok(Request::Ask(ask)),
                None => Err(Refusal::field("type", "is no operation that this server knows")),
            },
        }
    }
}

fn token(fields: Fields<'_>) -> Result<Token, Refusal> {
    needed("token", fields.text("token", Longest::Bytes(TOKEN_BYTES))?).map(|text| Token(text.to_owned()))
}

fn handshake(fields: Fields<'_>) -> Result<Handshake, Refusal> {
    // First, since an older client's other fields may have another form (V5).
    let protocol = needed("protocol", fields.whole("protocol", 0..=u64::from(u32::MAX))?)? as u32;
    if protocol < LOWEST {
        let message = format!("this server speaks versions {LOWEST} to {VERSION} of the protocol: update the app");
        return Err(Refusal { field: Some("protocol"), ..Refusal::new(Code::UpgradeRequired, message) });
    }
    let device = needed("device", fields.object("device")?)?;
    let label = |name| -> Result<Arc<str>, Refusal> {
        Ok(device.text(name, Longest::Chars(LABEL_CHARS))?.unwrap_or_default().into())
    };
    let nothing = value::Map::default();
    let config = fields.object("config")?.unwrap_or(Fields(&nothing));
    let missed = config.object("config.missed_call")?.unwrap_or(Fields(&nothing));
    let calling = config.object("config.in_calling")?.unwrap_or(Fields(&nothing));
    Ok(Handshake {
        // Without one it is nobody's connection: a matter of who asks, not of form.
        token: token(fields).map_err(|refusal| Refusal { code: Code::Unauthorized, ..refusal })?,
        protocol,
        device: device.id("device.id")?,
        platform: label("device.platform")?,
        sdk: label("device.sdk")?,
        config: DeviceConfig {
            missed_enabled: missed.flag("config.missed_call.enabled", true)?,
            dial_back: missed.flag("config.missed_call.enable_dial_back", true)?,
            resource_id: missed.label("config.missed_call.resource_id")?,
            reasons: reasons(missed)?,
            call_waiting: config.flag("config.call_waiting", false)?,
        },
        terms: Terms {
            end_when_initiator_leaves: config.flag("config.end_call_when_initiator_leave", false)?,
            can_invite_in_calling: calling.flag("config.in_calling.can_inviting_in_calling", false)?,
            only_initiator_can_invite: calling.flag("config.in_calling.only_initiator_can_invite", false)?,
        },
        holds: holds(fields)?,
        claim: claim(fields)?,
    })
}

fn reasons(missed: Fields<'_>) -> Result<BTreeSet<MissedReason>, Refusal> {
    const NAME: &str = "config.missed_call.reasons";
    match missed.list(NAME, 2 * MissedReason::ALL.len())? {
        None => Ok(MissedReason::ALL.iter().map(|(reason, _)| *reason).collect()),
        Some(list) => list.iter().map(|value| word(NAME, value)).collect(),
    }
}

fn holds(fields: Fields<'_>) -> Result<Vec<(InvitationId, u64)>, Refusal> {
    let held = fields.list("holds", HOLDS)?.unwrap_or_default();
    held.iter()
        .map(|value| {
            let held = Fields(value.as_object().ok_or_else(|| Refusal::field("holds", "must be a list of objects"))?);
            let revision = held.whole("holds.revision", 0..=u64::MAX)?;
            Ok((held.id("holds.invitation_id")?, needed("holds.revision", revision)?))
        })
        .collect()
}

fn claim(fields: Fields<'_>) -> Result<Claim, Refusal> {
    let Some(claim) = fields.object("claim")? else { return Ok(Claim::default()) };
    let requests = claim.list("claim.request_ids", CLAIMS)?.unwrap_or_default();
    Ok(Claim {
        invitation: claim.maybe_id("claim.invitation_id")?,
        requests: requests.iter().map(|value| id("claim.request_ids", value)).collect::<Result<_, _>>()?,
    })
}

impl ClientFrame {
    /// The frame's text. `now` is what moments become durations by.
    pub fn encode(&self, now: Timestamp) -> String {
        let frame = match self {
            Self::Hello(hello) => hello.encode(),
            Self::Ping => json!({ "type": "ping" }),
            Self::Request { id, request } => {
                let mut frame = match request {
                    Request::Ask(ask) => ask::write(ask, now),
                    Request::History { before, limit } => json!({
                        "type": "history", "before": before, "limit": limit,
                    }),
                    Request::UpdateToken(token) => json!({ "type": "update_token", "token": token.0 }),
                };
                frame["id"] = json!(id.as_str());
                frame
            }
        };
        without_nulls(frame).to_string()
    }
}

impl Handshake {
    fn encode(&self) -> Value {
        let reasons: Vec<&str> = self.config.reasons.iter().map(|reason| reason.word()).collect();
        let holds: Vec<Value> = self
            .holds
            .iter()
            .map(|(id, revision)| json!({ "invitation_id": id.to_string(), "revision": revision }))
            .collect();
        json!({
            "type": "hello",
            "token": self.token.0,
            "protocol": self.protocol,
            "device": { "id": self.device.as_str(), "platform": self.platform, "sdk": self.sdk },
            "config": {
                "missed_call": {
                    "enabled": self.config.missed_enabled,
                    "enable_dial_back": self.config.dial_back,
                    "resource_id": self.config.resource_id,
                    "reasons": reasons,
                },
                "in_calling": {
                    "can_inviting_in_calling": self.terms.can_invite_in_calling,
                    "only_initiator_can_invite": self.terms.only_initiator_can_invite,
                },
                "end_call_when_initiator_leave": self.terms.end_when_initiator_leaves,
                "call_waiting": self.config.call_waiting,
            },
            "holds": holds,
            "claim": {
                "invitation_id": self.claim.invitation.map(|id| id.to_string()),
                "request_ids": self.claim.requests.iter().map(RequestId::as_str).collect::<Vec<_>>(),
            },
        })
    }
}

/// Optional fields are left out, not null; what a signal carries is its sender's own, and stays as it is.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| if key == "data" { (key, value) } else { (key, without_nulls(value)) })
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}
