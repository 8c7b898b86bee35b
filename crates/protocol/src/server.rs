//! What the server says: how things stand, replies, `bye`.

use crate::VERSION;
use crate::json::{Object, Out, fields};
use crate::media::IceServer;
use crate::view::{CallWire, DoNotDisturbWire, HistoryWire, MissedCallWire, MissedWire, PersonWire};
use crate::word::{Named, Text, Word};
use ringback_core::call::CallView;
use ringback_core::id::{CallId, DeviceId, InvitationId, Person, RequestId, TurnNo, UserId};
use ringback_core::line::{HistoryRecord, Made};
use ringback_core::refusal::{Code, Refusal};
use ringback_core::step::{Details, MissedView, Reply, Settings, Signal, Welcome};
use ringback_core::time::Timestamp;
use serde::Deserialize;
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
    /// Who reaches the user, and when.
    Settings(Settings),
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
            // A sentence of its own.
            Some(field) if code != ByeCode::UpgradeRequired => format!("{field} {}", refusal.message),
            _ => refusal.message,
        };
        let lowest = (code == ByeCode::UpgradeRequired).then_some(crate::LOWEST);
        Self { code, message, lowest, retry_after: refusal.retry_after }
    }
}

/// The frames that a connection begins with, in their order: `welcome`, `settings`, the calls, the gone ones, `missed`,
/// `synced`.
pub fn opening(
    welcome: Welcome,
    device: DeviceId,
    ping: Duration,
    token_expires_in: Duration,
) -> impl Iterator<Item = ServerFrame> {
    let greeting = Greeting { protocol: VERSION, user: welcome.person, device, ping, token_expires_in };
    [ServerFrame::Welcome(greeting.into()), ServerFrame::Settings(welcome.settings)]
        .into_iter()
        .chain(welcome.calls.into_iter().map(|view| ServerFrame::Call(view.into())))
        .chain(welcome.gone.into_iter().map(ServerFrame::Gone))
        .chain([ServerFrame::Missed(welcome.missed), ServerFrame::Synced])
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire {
    Welcome(WelcomeWire),
    Call(CallWire),
    Gone { invitation_id: Text<InvitationId> },
    Missed(MissedWire),
    Settings(SettingsWire),
    Synced,
    Signal(SignalWire),
    Pong,
    Reply(ReplyWire),
    Bye(ByeWire),
}

#[derive(Debug, Deserialize)]
struct WelcomeWire {
    protocol: u32,
    user: PersonWire,
    device_id: Text<DeviceId>,
    ping_ms: u64,
    token_expires_in_ms: u64,
}

#[derive(Debug, Deserialize)]
struct SettingsWire {
    blocked: Vec<Text<UserId>>,
    do_not_disturb: Option<DoNotDisturbWire>,
}

#[derive(Debug, Deserialize)]
struct ByeWire {
    code: Named<ByeCode>,
    message: String,
    lowest: Option<u32>,
    retry_after_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct SignalWire {
    invitation_id: Text<InvitationId>,
    from: Text<UserId>,
    device: Text<DeviceId>,
    data: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct ReplyWire {
    id: Text<RequestId>,
    ok: Option<OkWire>,
    error: Option<ErrorWire>,
}

#[derive(Debug, Deserialize)]
struct ErrorWire {
    code: Named<Code>,
    message: String,
    field: Option<String>,
    retry_after_ms: Option<u64>,
    invitation_id: Option<Text<InvitationId>>,
}

/// Told apart by their fields; the order matters to a reader, which takes the first that fits.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OkWire {
    Invited { invitation_id: Text<InvitationId>, call_id: Text<CallId>, refused: Vec<RefusedWire>, crossed: bool },
    Accepted { invitation_id: Text<InvitationId>, turn: TurnNo, joined: bool },
    DialBack(DialBackWire),
    Details { call: Box<CallWire>, offset: usize },
    MissedCalls { calls: Vec<MissedCallWire>, total: usize },
    History { entries: Vec<HistoryWire>, cursor: Option<u64> },
    Token { token_expires_in_ms: u64 },
    IceServers { ice_servers: Vec<IceServer>, expires_in_ms: Option<u64> },
    Nothing {},
}

#[derive(Debug, Deserialize)]
struct RefusedWire {
    user: Text<UserId>,
    code: Named<Code>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum DialBackWire {
    Called { invitation_id: Text<InvitationId>, call_id: Text<CallId>, device_id: Text<DeviceId> },
    Engaged { invitation_id: Text<InvitationId> },
}

impl Object for ServerFrame {
    fn fields(&self, out: &mut Out) {
        match self {
            Self::Welcome(greeting) => {
                fields!(out, "type": "welcome");
                greeting.fields(out);
            }
            Self::Call(view) => {
                fields!(out, "type": "call");
                view.fields(out);
            }
            Self::Gone(id) => fields!(out, "type": "gone", "invitation_id": id),
            Self::Missed(view) => {
                fields!(out, "type": "missed");
                view.fields(out);
            }
            Self::Settings(settings) => {
                fields!(out, "type": "settings");
                settings.fields(out);
            }
            Self::Synced => fields!(out, "type": "synced"),
            Self::Signal(signal) => {
                fields!(out, "type": "signal");
                signal.fields(out);
            }
            Self::Pong => fields!(out, "type": "pong"),
            Self::Reply { id, answer } => {
                fields!(out, "type": "reply", "id": id, "ok": answer.as_ref().ok(), "error": answer.as_ref().err());
            }
            Self::Bye(bye) => {
                fields!(out, "type": "bye");
                bye.fields(out);
            }
        }
    }
}

impl Object for Greeting {
    fn fields(&self, out: &mut Out) {
        fields!(out,
            "protocol": self.protocol,
            "user": self.user,
            "device_id": self.device,
            "ping_ms": self.ping,
            "token_expires_in_ms": self.token_expires_in,
        );
    }
}

impl Object for Settings {
    fn fields(&self, out: &mut Out) {
        let now = out.now;
        fields!(out,
            "blocked": self.blocked,
            "do_not_disturb": self.do_not_disturb.as_ref().filter(|set| now < set.until),
        );
    }
}

impl Object for Signal {
    fn fields(&self, out: &mut Out) {
        fields!(out, "invitation_id": self.invitation, "from": self.from, "device": self.device);
        // It was read as JSON before.
        out.raw(",\"data\":");
        out.raw(&self.data);
    }
}

impl Object for Bye {
    fn fields(&self, out: &mut Out) {
        fields!(out,
            "code": self.code,
            "message": self.message,
            "lowest": self.lowest,
            "retry_after_ms": self.retry_after,
        );
    }
}

impl Object for Refusal {
    fn fields(&self, out: &mut Out) {
        fields!(out,
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "retry_after_ms": self.retry_after,
            "invitation_id": self.invitation,
        );
    }
}

impl Object for Done {
    fn fields(&self, out: &mut Out) {
        match self {
            Self::Core(Reply::Done | Reply::InCall | Reply::Welcome(_)) => {}
            Self::Core(Reply::Made(made)) => made.fields(out),
            Self::Core(Reply::Accepted { invitation, turn }) => {
                fields!(out, "invitation_id": invitation, "turn": turn, "joined": false);
            }
            Self::Core(Reply::Details(details)) => {
                fields!(out, "call": details.view, "offset": details.offset);
            }
            Self::Core(Reply::MissedCalls { calls, total }) => fields!(out, "calls": calls, "total": total),
            Self::History { entries, cursor } => fields!(out, "entries": entries, "cursor": cursor),
            Self::IceServers { servers, expires_in } => {
                fields!(out, "ice_servers": servers, "expires_in_ms": expires_in);
            }
            Self::Token { expires_in } => fields!(out, "token_expires_in_ms": expires_in),
        }
    }
}

impl Object for Made {
    fn fields(&self, out: &mut Out) {
        match self {
            Self::Invited { invitation, call_id, refused, crossed } => fields!(out,
                "invitation_id": invitation,
                "call_id": call_id,
                "refused": refused,
                "crossed": crossed,
            ),
            Self::Joined { invitation, turn } => {
                fields!(out, "invitation_id": invitation, "turn": turn, "joined": true);
            }
            Self::DialedBack { invitation, call_id, device } => fields!(out,
                "outcome": "called",
                "invitation_id": invitation,
                "call_id": call_id,
                "device_id": device,
            ),
            Self::Engaged { invitation } => fields!(out, "outcome": "engaged", "invitation_id": invitation),
        }
    }
}

impl Object for (UserId, Code) {
    fn fields(&self, out: &mut Out) {
        fields!(out, "user": self.0, "code": self.1);
    }
}

impl ServerFrame {
    /// The frame's text. `now` is what moments become durations by.
    pub fn encode(&self, now: Timestamp) -> String {
        let mut out = Out::new(now);
        out.object(|out| self.fields(out));
        out.text()
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
            })),
            Wire::Call(wire) => Self::Call(wire.into_view(now).into()),
            Wire::Gone { invitation_id } => Self::Gone(invitation_id.0),
            Wire::Missed(wire) => Self::Missed(wire.into()),
            Wire::Settings(wire) => Self::Settings(Settings {
                blocked: wire.blocked.into_iter().map(|user| user.0).collect(),
                do_not_disturb: wire.do_not_disturb.map(|set| set.into_set(now)),
            }),
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
