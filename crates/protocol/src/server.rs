//! What the server says: how things stand, replies, `bye`.

use crate::VERSION;
use crate::ask::millis;
use crate::media::{self, IceServer};
use crate::view::{CallWire, DoNotDisturbWire, HistoryWire, MissedCallWire, MissedWire, PersonWire};
use crate::word::{Named, Text, Word};
use ringback_core::call::CallView;
use ringback_core::id::{CallId, DeviceId, InvitationId, Person, RequestId, TurnNo, UserId};
use ringback_core::line::{DoNotDisturb, HistoryRecord, Made};
use ringback_core::refusal::{Code, Refusal};
use ringback_core::step::{Details, MissedView, Reply, Signal, Welcome};
use ringback_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One frame of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// Opens a session; the first frame.
    Welcome(Box<Greeting>),
    /// A view of a call.
    Call(Box<CallView>),
    /// A held invitation that this user can't see (any more).
    Gone(InvitationId),
    /// The unhandled missed calls.
    Missed(MissedView),
    /// What a connection begins with is complete.
    Synced,
    /// What another device in the same call has for this one's media.
    Signal(Signal),
    /// Answers `ping`.
    Pong,
    /// Answers a request.
    Reply {
        /// The request's name.
        id: RequestId,
        /// What it was answered with.
        answer: Result<Done, Refusal>,
    },
    /// Says why the connection is about to be closed.
    Bye(Bye),
}

/// What `welcome` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The version that both speak from here on.
    pub protocol: u32,
    /// The user, by the token's name.
    pub user: Person,
    /// The device of this session.
    pub device: DeviceId,
    /// How often the server pings.
    pub ping: Duration,
    /// For how long the token is still valid.
    pub token_expires_in: Duration,
    /// Whom this user blocked.
    pub blocked: Vec<UserId>,
    /// Do-not-disturb, while it holds.
    pub do_not_disturb: Option<DoNotDisturb>,
}

/// What a request that was taken is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// By the core; never its `Welcome`, which opens a session, or its `InCall`, which becomes `IceServers`.
    Core(Reply),
    /// A page of history, newest first, and where the next one begins.
    History {
        /// The entries.
        entries: Vec<HistoryRecord>,
        /// What to give as `before` for the next page; none at the end.
        cursor: Option<u64>,
    },
    /// What the media of a call needs.
    IceServers {
        /// In the order in which they are to be tried.
        servers: Vec<IceServer>,
        /// For how long their credentials are valid, if any has some.
        expires_in: Option<Duration>,
    },
    /// For how long a new token is valid.
    Token {
        /// Counted from now.
        expires_in: Duration,
    },
}

/// Why the server closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByeCode {
    /// The device connected again: don't come back by itself.
    Replaced,
    /// Get a new token.
    Unauthorized,
    /// Update the app.
    UpgradeRequired,
    /// A frame that is none.
    BadRequest,
    /// A frame too large.
    PayloadTooLarge,
    /// Too slow a reader: come back and catch up.
    Slow,
    /// Come back.
    ShuttingDown,
    /// Come back later.
    Unavailable,
}

impl Word for ByeCode {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Replaced, "replaced"),
        (Self::Unauthorized, "unauthorized"),
        (Self::UpgradeRequired, "upgrade_required"),
        (Self::BadRequest, "bad_request"),
        (Self::PayloadTooLarge, "payload_too_large"),
        (Self::Slow, "slow"),
        (Self::ShuttingDown, "shutting_down"),
        (Self::Unavailable, "unavailable"),
    ];
}

impl ByeCode {
    /// The code as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}

/// The last frame of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bye {
    /// Why.
    pub code: ByeCode,
    /// A sentence for people.
    pub message: String,
    /// The lowest version that is served, for `upgrade_required`.
    pub lowest: Option<u32>,
    /// When to come back, for `unavailable`.
    pub retry_after: Option<Duration>,
}

impl Bye {
    /// A bye with a code and a sentence alone.
    pub fn new(code: ByeCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), lowest: None, retry_after: None }
    }
}

impl From<Refusal> for Bye {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.code {
            Code::PayloadTooLarge => ByeCode::PayloadTooLarge,
            Code::Unauthorized | Code::Forbidden => ByeCode::Unauthorized,
            Code::UpgradeRequired => ByeCode::UpgradeRequired,
            Code::Unavailable | Code::Internal | Code::RateLimited => ByeCode::Unavailable,
            _ => ByeCode::BadRequest,
        };
        let message = match refusal.field {
            Some(field) if field != "protocol" => format!("{field} {}", refusal.message),
            _ => refusal.message,
        };
        let lowest = (code == ByeCode::UpgradeRequired).then_some(crate::LOWEST);
        Self { code, message, lowest, retry_after: refusal.retry_after }
    }
}

/// The frames that a connection begins with, in their order: `welcome`, the calls, the gone ones, `missed`, `synced`.
pub fn opening(
    welcome: Welcome,
    device: DeviceId,
    ping: Duration,
    token_expires_in: Duration,
) -> impl Iterator<Item = ServerFrame> {
    let greeting = Greeting {
        protocol: VERSION,
        user: welcome.person,
        device,
        ping,
        token_expires_in,
        blocked: welcome.blocked,
        do_not_disturb: welcome.do_not_disturb,
    };
    std::iter::once(ServerFrame::Welcome(greeting.into()))
        .chain(welcome.calls.into_iter().map(|view| ServerFrame::Call(view.into())))
        .chain(welcome.gone.into_iter().map(ServerFrame::Gone))
        .chain([ServerFrame::Missed(welcome.missed), ServerFrame::Synced])
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire {
    Welcome(WelcomeWire),
    Call(CallWire),
    Gone { invitation_id: Text<InvitationId> },
    Missed(MissedWire),
    Synced,
    Signal(SignalWire),
    Pong,
    Reply(ReplyWire),
    Bye(ByeWire),
}

#[derive(Debug, Serialize, Deserialize)]
struct WelcomeWire {
    protocol: u32,
    user: PersonWire,
    device_id: Text<DeviceId>,
    ping_ms: u64,
    token_expires_in_ms: u64,
    blocked: Vec<Text<UserId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    do_not_disturb: Option<DoNotDisturbWire>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ByeWire {
    code: Named<ByeCode>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lowest: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SignalWire {
    invitation_id: Text<InvitationId>,
    from: Text<UserId>,
    device: Text<DeviceId>,
    data: serde_json::Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct ReplyWire {
    id: Text<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<OkWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorWire>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ErrorWire {
    code: Named<Code>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation_id: Option<Text<InvitationId>>,
}

/// Told apart by their fields; the order matters to a reader, which takes the first that fits.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum OkWire {
    Invited {
        invitation_id: Text<InvitationId>,
        call_id: Text<CallId>,
        refused: Vec<RefusedWire>,
        crossed: bool,
    },
    Accepted {
        invitation_id: Text<InvitationId>,
        turn: TurnNo,
        joined: bool,
    },
    DialBack(DialBackWire),
    Details {
        call: Box<CallWire>,
        offset: usize,
    },
    MissedCalls {
        calls: Vec<MissedCallWire>,
        total: usize,
    },
    History {
        entries: Vec<HistoryWire>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<u64>,
    },
    Token {
        token_expires_in_ms: u64,
    },
    IceServers {
        ice_servers: Vec<IceServer>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in_ms: Option<u64>,
    },
    Nothing {},
}

#[derive(Debug, Serialize, Deserialize)]
struct RefusedWire {
    user: Text<UserId>,
    code: Named<Code>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum DialBackWire {
    Called { invitation_id: Text<InvitationId>, call_id: Text<CallId>, device_id: Text<DeviceId> },
    Engaged { invitation_id: Text<InvitationId> },
}

impl ServerFrame {
    /// The frame's text. `now` is what moments become durations by.
    pub fn encode(&self, now: Timestamp) -> String {
        let wire = match self {
            Self::Welcome(greeting) => Wire::Welcome(WelcomeWire {
                protocol: greeting.protocol,
                user: PersonWire::from(&greeting.user),
                device_id: Text(greeting.device.clone()),
                ping_ms: millis(greeting.ping),
                token_expires_in_ms: millis(greeting.token_expires_in),
                blocked: greeting.blocked.iter().cloned().map(Text).collect(),
                do_not_disturb: greeting.do_not_disturb.as_ref().and_then(|set| DoNotDisturbWire::new(set, now)),
            }),
            Self::Call(view) => Wire::Call(CallWire::new(view, now)),
            Self::Gone(id) => Wire::Gone { invitation_id: Text(*id) },
            Self::Missed(view) => Wire::Missed(MissedWire::from(view)),
            Self::Synced => Wire::Synced,
            Self::Signal(signal) => Wire::Signal(SignalWire {
                invitation_id: Text(signal.invitation),
                from: Text(signal.from.clone()),
                device: Text(signal.device.clone()),
                data: media::value(&signal.data),
            }),
            Self::Pong => Wire::Pong,
            Self::Reply { id, answer } => {
                let (ok, error) = match answer {
                    Ok(done) => (Some(OkWire::new(done, now)), None),
                    Err(refusal) => (None, Some(ErrorWire::from(refusal))),
                };
                Wire::Reply(ReplyWire { id: Text(id.clone()), ok, error })
            }
            Self::Bye(bye) => Wire::Bye(ByeWire {
                code: Named(bye.code),
                message: bye.message.clone(),
                lowest: bye.lowest,
                retry_after_ms: bye.retry_after.map(millis),
            }),
        };
        // Most are views of one-to-one calls: room for one from the start.
        let mut text = Vec::with_capacity(704);
        // Nothing in a frame can fail to be written: its keys are texts and its numbers are whole.
        match serde_json::to_writer(&mut text, &wire) {
            Ok(()) => String::from_utf8(text).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Reads a frame's text, for the user who is signed in; a client passes over one that it can't read.
    pub fn decode(text: &str, user: &UserId, now: Timestamp) -> Result<Self, serde_json::Error> {
        Ok(match serde_json::from_str(text)? {
            Wire::Welcome(wire) => Self::Welcome(Box::new(Greeting {
                protocol: wire.protocol,
                user: wire.user.into(),
                device: wire.device_id.0,
                ping: Duration::from_millis(wire.ping_ms),
                token_expires_in: Duration::from_millis(wire.token_expires_in_ms),
                blocked: wire.blocked.into_iter().map(|user| user.0).collect(),
                do_not_disturb: wire.do_not_disturb.map(|set| set.into_set(now)),
            })),
            Wire::Call(wire) => Self::Call(wire.into_view(now).into()),
            Wire::Gone { invitation_id } => Self::Gone(invitation_id.0),
            Wire::Missed(wire) => Self::Missed(wire.into()),
            Wire::Synced => Self::Synced,
            Wire::Signal(wire) => Self::Signal(Signal {
                invitation: wire.invitation_id.0,
                from: wire.from.0,
                device: wire.device.0,
                data: wire.data.to_string().into(),
            }),
            Wire::Pong => Self::Pong,
            Wire::Reply(wire) => {
                let answer = match (wire.ok, wire.error) {
                    (_, Some(error)) => Err(error.into()),
                    (ok, None) => Ok(ok.unwrap_or(OkWire::Nothing {}).into_done(user, now)),
                };
                Self::Reply { id: wire.id.0, answer }
            }
            Wire::Bye(wire) => Self::Bye(Bye {
                code: wire.code.0,
                message: wire.message,
                lowest: wire.lowest,
                retry_after: wire.retry_after_ms.map(Duration::from_millis),
            }),
        })
    }
}

impl OkWire {
    fn new(done: &Done, now: Timestamp) -> Self {
        match done {
            Done::Core(Reply::Done | Reply::InCall | Reply::Welcome(_)) => Self::Nothing {},
            Done::Core(Reply::Made(made)) => Self::made(made),
            Done::Core(Reply::Accepted { invitation, turn }) => {
                Self::Accepted { invitation_id: Text(*invitation), turn: *turn, joined: false }
            }
            Done::Core(Reply::Details(details)) => {
                Self::Details { call: CallWire::new(&details.view, now).into(), offset: details.offset }
            }
            Done::Core(Reply::MissedCalls { calls, total }) => {
                Self::MissedCalls { calls: calls.iter().map(MissedCallWire::from).collect(), total: *total }
            }
            Done::History { entries, cursor } => {
                Self::History { entries: entries.iter().map(HistoryWire::from).collect(), cursor: *cursor }
            }
            Done::IceServers { servers, expires_in } => {
                Self::IceServers { ice_servers: servers.clone(), expires_in_ms: expires_in.map(millis) }
            }
            Done::Token { expires_in } => Self::Token { token_expires_in_ms: millis(*expires_in) },
        }
    }

    fn made(made: &Made) -> Self {
        match made {
            Made::Invited { invitation, call_id, refused, crossed } => Self::Invited {
                invitation_id: Text(*invitation),
                call_id: Text(call_id.clone()),
                refused: refused
                    .iter()
                    .map(|(user, code)| RefusedWire { user: Text(user.clone()), code: Named(*code) })
                    .collect(),
                crossed: *crossed,
            },
            Made::Joined { invitation, turn } => {
                Self::Accepted { invitation_id: Text(*invitation), turn: *turn, joined: true }
            }
            Made::DialedBack { invitation, call_id, device } => Self::DialBack(DialBackWire::Called {
                invitation_id: Text(*invitation),
                call_id: Text(call_id.clone()),
                device_id: Text(device.clone()),
            }),
            Made::Engaged { invitation } => Self::DialBack(DialBackWire::Engaged { invitation_id: Text(*invitation) }),
        }
    }

    fn into_done(self, user: &UserId, now: Timestamp) -> Done {
        Done::Core(match self {
            Self::Nothing {} => Reply::Done,
            Self::Invited { invitation_id, call_id, refused, crossed } => Reply::Made(Made::Invited {
                invitation: invitation_id.0,
                call_id: call_id.0,
                refused: refused.into_iter().map(|refused| (refused.user.0, refused.code.0)).collect(),
                crossed,
            }),
            Self::Accepted { invitation_id, turn, joined: true } => {
                Reply::Made(Made::Joined { invitation: invitation_id.0, turn })
            }
            Self::Accepted { invitation_id, turn, joined: false } => {
                Reply::Accepted { invitation: invitation_id.0, turn }
            }
            Self::DialBack(DialBackWire::Called { invitation_id, call_id, device_id }) => {
                Reply::Made(Made::DialedBack { invitation: invitation_id.0, call_id: call_id.0, device: device_id.0 })
            }
            Self::DialBack(DialBackWire::Engaged { invitation_id }) => {
                Reply::Made(Made::Engaged { invitation: invitation_id.0 })
            }
            Self::Details { call, offset } => Reply::Details(Details { view: call.into_view(now), offset }.into()),
            Self::MissedCalls { calls, total } => {
                Reply::MissedCalls { calls: calls.into_iter().map(Into::into).collect(), total }
            }
            Self::History { entries, cursor } => {
                let entries = entries.into_iter().filter_map(|entry| entry.into_entry(user.clone())).collect();
                return Done::History { entries, cursor };
            }
            Self::IceServers { ice_servers, expires_in_ms } => {
                let expires_in = expires_in_ms.map(Duration::from_millis);
                return Done::IceServers { servers: ice_servers, expires_in };
            }
            Self::Token { token_expires_in_ms } => {
                return Done::Token { expires_in: Duration::from_millis(token_expires_in_ms) };
            }
        })
    }
}

impl From<&Refusal> for ErrorWire {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: Named(refusal.code),
            message: refusal.message.clone(),
            field: refusal.field.map(Into::into),
            retry_after_ms: refusal.retry_after.map(millis),
            invitation_id: refusal.invitation.map(Text),
        }
    }
}

impl From<ErrorWire> for Refusal {
    fn from(wire: ErrorWire) -> Self {
        let field = wire.field.and_then(|field| FIELDS.iter().find(|known| **known == field).copied());
        Self {
            field,
            retry_after: wire.retry_after_ms.map(Duration::from_millis),
            invitation: wire.invitation_id.map(|id| id.0),
            ..Self::new(wire.code.0, wire.message)
        }
    }
}

/// The fields that a refusal may name, so that a client can have them back; one that isn't here is lost to it.
const FIELDS: [&str; 25] = [
    "data",
    "device",
    "to",
    "before",
    "call_id",
    "call_type",
    "callee",
    "custom_data",
    "for_ms",
    "invitation_id",
    "invitees",
    "let_through",
    "limit",
    "message",
    "notification",
    "offset",
    "resource_id",
    "seen",
    "timeout_ms",
    "title",
    "token",
    "turn",
    "type",
    "user",
    "busy",
];
