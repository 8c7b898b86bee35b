//! How what is kept becomes text and comes back: JSON, with the number of its format (G12).

use ringback_core::call::CallType;
use ringback_core::device::{Action, Ask, DialBack, Key, Known, MissedRef, Persisted, Request, Shown, Summary};
use ringback_core::id::{CallId, DeviceId, InvitationId, MissedId, Person, RequestId, TurnNo, UserId};
use ringback_core::step::Ring;
use ringback_core::time::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The number of the format that is written.
pub(super) const FORMAT: u32 = 1;

/// Why a text gives nothing back.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is of a format that this version doesn't know.
    Newer(u32),
    /// It isn't what its format says.
    Damaged(String),
}

/// The text of what one user's device keeps.
pub(super) fn encode(user: &UserId, device: &DeviceId, state: &Persisted) -> String {
    let whole = Whole { format: FORMAT, user: Text(user.clone()), device: Text(device.clone()), state: state.into() };
    // Its keys are texts and its numbers whole, so nothing in it can fail to be written.
    serde_json::to_string(&whole).unwrap_or_default()
}

/// What a text keeps of this user's device.
pub(super) fn decode(text: &str, user: &UserId) -> Result<(DeviceId, Persisted), Unreadable> {
    let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
    let Head { format } = serde_json::from_str(text).map_err(damaged)?;
    if format != FORMAT {
        return Err(Unreadable::Newer(format));
    }
    let whole: Whole = serde_json::from_str(text).map_err(damaged)?;
    if whole.user.0 != *user {
        return Err(Unreadable::Damaged("it is another user's".to_owned()));
    }
    Ok((whole.device.0, whole.state.into()))
}

/// A value that stands as the text that it displays: an id.
#[derive(Debug, Clone)]
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct Whole {
    format: u32,
    user: Text<UserId>,
    device: Text<DeviceId>,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    known: Vec<KnownV1>,
    floor: u64,
    shown: Vec<ShownV1>,
    summary: Option<SummaryV1>,
    back: Vec<KeyV1>,
    sounded: Vec<(Text<UserId>, u64)>,
    clicks: Vec<(MissedV1, u64)>,
    requests: Vec<RequestV1>,
    here: Vec<Text<InvitationId>>,
}

#[derive(Serialize, Deserialize)]
struct KnownV1 {
    invitation: Text<InvitationId>,
    turn: TurnNo,
    listed: bool,
}

#[derive(Serialize, Deserialize)]
struct ShownV1 {
    key: KeyV1,
    invitation: Text<InvitationId>,
    turn: TurnNo,
    count: usize,
    action: Option<ActionV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeyV1 {
    Caller(Text<UserId>),
    Call(Text<InvitationId>),
    Summary,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionV1 {
    CallBack,
    Join,
}

#[derive(Serialize, Deserialize)]
struct SummaryV1 {
    keys: Vec<KeyV1>,
    count: usize,
}

#[derive(Serialize, Deserialize)]
struct MissedV1 {
    invitation: Text<InvitationId>,
    turn: TurnNo,
    call_id: Text<CallId>,
    caller: Text<UserId>,
    caller_name: Arc<str>,
    video: bool,
    group: bool,
}

#[derive(Serialize, Deserialize)]
struct RingV1 {
    timeout_ms: u64,
    resource_id: Option<Arc<str>>,
    title: Option<Arc<str>>,
    message: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
struct RequestV1 {
    id: Text<RequestId>,
    own: bool,
    until: Option<u64>,
    again: bool,
    ask: AskV1,
}

/// The requests that are still worth asking after the process died.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AskV1 {
    Send {
        invitees: Vec<Text<UserId>>,
        video: bool,
        custom_data: Arc<str>,
        call_id: Option<Text<CallId>>,
        ring: RingV1,
    },
    Accept {
        invitation: Text<InvitationId>,
        turn: Option<TurnNo>,
    },
    Join {
        invitation: Text<InvitationId>,
    },
    DialBack {
        missed: MissedV1,
        ring: RingV1,
        default: bool,
    },
    Click {
        missed: MissedV1,
    },
    Dismiss {
        invitation: Text<InvitationId>,
        turn: TurnNo,
        notification: bool,
    },
}

impl From<&Persisted> for State {
    fn from(state: &Persisted) -> Self {
        let known = |known: &Known| KnownV1 {
            invitation: Text(known.id.invitation),
            turn: known.id.turn,
            listed: known.listed,
        };
        let shown = |shown: &Shown| ShownV1 {
            key: (&shown.key).into(),
            invitation: Text(shown.id.invitation),
            turn: shown.id.turn,
            count: shown.count,
            action: shown.action.map(|action| match action {
                Action::CallBack => ActionV1::CallBack,
                Action::Join => ActionV1::Join,
            }),
        };
        let summary =
            |summary: &Summary| SummaryV1 { keys: summary.keys.iter().map(Into::into).collect(), count: summary.count };
        Self {
            known: state.known.iter().map(known).collect(),
            floor: state.floor.0,
            shown: state.shown.iter().map(shown).collect(),
            summary: state.summary.as_ref().map(summary),
            back: state.back.iter().map(Into::into).collect(),
            sounded: state.sounded.iter().map(|(user, at)| (Text(user.clone()), at.0)).collect(),
            clicks: state.clicks.iter().map(|(missed, at)| (missed.into(), at.0)).collect(),
            requests: state.requests.iter().filter_map(request).collect(),
            here: state.here.iter().map(|invitation| Text(*invitation)).collect(),
        }
    }
}

impl From<State> for Persisted {
    fn from(state: State) -> Self {
        let id = |invitation: Text<InvitationId>, turn| MissedId { invitation: invitation.0, turn };
        let shown = |shown: ShownV1| Shown {
            key: shown.key.into(),
            id: id(shown.invitation, shown.turn),
            count: shown.count,
            action: shown.action.map(|action| match action {
                ActionV1::CallBack => Action::CallBack,
                ActionV1::Join => Action::Join,
            }),
        };
        let summary = |summary: SummaryV1| Summary {
            keys: summary.keys.into_iter().map(Into::into).collect(),
            count: summary.count,
        };
        let known = state.known.into_iter();
        Self {
            known: known.map(|known| Known { id: id(known.invitation, known.turn), listed: known.listed }).collect(),
            floor: Timestamp(state.floor),
            shown: state.shown.into_iter().map(shown).collect(),
            summary: state.summary.map(summary),
            back: state.back.into_iter().map(Into::into).collect(),
            sounded: state.sounded.into_iter().map(|(user, at)| (user.0, Timestamp(at))).collect(),
            clicks: state.clicks.into_iter().map(|(missed, at)| (missed.into(), Timestamp(at))).collect(),
            requests: state.requests.into_iter().map(Into::into).collect(),
            here: state.here.into_iter().map(|invitation| invitation.0).collect(),
        }
    }
}

/// None for a request that isn't worth repeating, which the machine doesn't give out to be kept.
fn request(request: &Request) -> Option<RequestV1> {
    let ask = match &request.ask {
        Ask::Send { invitees, call_type, custom_data, call_id, ring } => AskV1::Send {
            invitees: invitees.iter().cloned().map(Text).collect(),
            video: *call_type == CallType::Video,
            custom_data: custom_data.clone(),
            call_id: call_id.clone().map(Text),
            ring: ring.into(),
        },
        Ask::Accept { invitation, turn } => AskV1::Accept { invitation: Text(*invitation), turn: *turn },
        Ask::Join { invitation } => AskV1::Join { invitation: Text(*invitation) },
        Ask::DialBack(dial) => AskV1::DialBack {
            missed: (&dial.missed).into(),
            ring: RingV1 {
                timeout_ms: millis(dial.timeout),
                resource_id: dial.resource_id.clone(),
                title: dial.title.clone(),
                message: dial.message.clone(),
            },
            default: dial.default,
        },
        Ask::Click(missed) => AskV1::Click { missed: missed.as_ref().into() },
        Ask::Dismiss { missed, notification } => {
            AskV1::Dismiss { invitation: Text(missed.invitation), turn: missed.turn, notification: *notification }
        }
        _ => return None,
    };
    let Request { id, own, until, again, .. } = request;
    Some(RequestV1 { id: Text(id.clone()), own: *own, until: until.map(|at| at.0), again: *again, ask })
}

impl From<RequestV1> for Request {
    fn from(request: RequestV1) -> Self {
        let ask = match request.ask {
            AskV1::Send { invitees, video, custom_data, call_id, ring } => Ask::Send {
                invitees: invitees.into_iter().map(|user| user.0).collect(),
                call_type: call_type(video),
                custom_data,
                call_id: call_id.map(|id| id.0),
                ring: ring.into(),
            },
            AskV1::Accept { invitation, turn } => Ask::Accept { invitation: invitation.0, turn },
            AskV1::Join { invitation } => Ask::Join { invitation: invitation.0 },
            AskV1::DialBack { missed, ring, default } => Ask::DialBack(Box::new(DialBack {
                missed: missed.into(),
                title: ring.title,
                message: ring.message,
                timeout: Duration::from_millis(ring.timeout_ms),
                resource_id: ring.resource_id,
                default,
            })),
            AskV1::Click { missed } => Ask::Click(Box::new(missed.into())),
            AskV1::Dismiss { invitation, turn, notification } => {
                Ask::Dismiss { missed: MissedId { invitation: invitation.0, turn }, notification }
            }
        };
        let RequestV1 { id, own, until, again, .. } = request;
        Self { id: id.0, ask, own, until: until.map(Timestamp), again, sent: false }
    }
}

impl From<&Key> for KeyV1 {
    fn from(key: &Key) -> Self {
        match key {
            Key::Caller(user) => Self::Caller(Text(user.clone())),
            Key::Call(invitation) => Self::Call(Text(*invitation)),
            Key::Summary => Self::Summary,
        }
    }
}

impl From<KeyV1> for Key {
    fn from(key: KeyV1) -> Self {
        match key {
            KeyV1::Caller(user) => Self::Caller(user.0),
            KeyV1::Call(invitation) => Self::Call(invitation.0),
            KeyV1::Summary => Self::Summary,
        }
    }
}

impl From<&MissedRef> for MissedV1 {
    fn from(missed: &MissedRef) -> Self {
        Self {
            invitation: Text(missed.id.invitation),
            turn: missed.id.turn,
            call_id: Text(missed.call_id.clone()),
            caller: Text(missed.caller.id.clone()),
            caller_name: missed.caller.name.clone(),
            video: missed.call_type == CallType::Video,
            group: missed.group,
        }
    }
}

impl From<MissedV1> for MissedRef {
    fn from(missed: MissedV1) -> Self {
        Self {
            id: MissedId { invitation: missed.invitation.0, turn: missed.turn },
            call_id: missed.call_id.0,
            caller: Person { id: missed.caller.0, name: missed.caller_name },
            call_type: call_type(missed.video),
            group: missed.group,
        }
    }
}

impl From<&Ring> for RingV1 {
    fn from(ring: &Ring) -> Self {
        Self {
            timeout_ms: millis(ring.timeout),
            resource_id: ring.resource_id.clone(),
            title: ring.title.clone(),
            message: ring.message.clone(),
        }
    }
}

impl From<RingV1> for Ring {
    fn from(ring: RingV1) -> Self {
        let RingV1 { timeout_ms, resource_id, title, message } = ring;
        Self { timeout: Duration::from_millis(timeout_ms), resource_id, title, message }
    }
}

fn call_type(video: bool) -> CallType {
    if video { CallType::Video } else { CallType::Voice }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One of everything that is kept.
    pub(in super::super) fn state() -> Persisted {
        let invitation = InvitationId::v7(1_790_000_000_000, 7);
        let user = |id: &str| UserId::new(id).unwrap();
        let missed = MissedRef {
            id: MissedId { invitation, turn: 1 },
            call_id: CallId::new("c \"1\"").unwrap(),
            caller: Person { id: user("alice"), name: "Älice".into() },
            call_type: CallType::Video,
            group: true,
        };
        let ring = Ring {
            timeout: Duration::from_millis(60_001),
            resource_id: Some("r".into()),
            title: None,
            message: Some("m".into()),
        };
        let dial = DialBack {
            missed: missed.clone(),
            title: Some("t".into()),
            message: None,
            timeout: Duration::from_secs(30),
            resource_id: None,
            default: true,
        };
        let asks = [
            Ask::Send {
                invitees: vec![user("alice"), user("Bób")],
                call_type: CallType::Voice,
                custom_data: "{}".into(),
                call_id: Some(CallId::new("c").unwrap()),
                ring,
            },
            Ask::Accept { invitation, turn: Some(2) },
            Ask::Join { invitation },
            Ask::DialBack(Box::new(dial)),
            Ask::Click(Box::new(missed.clone())),
            Ask::Dismiss { missed: missed.id, notification: true },
        ];
        let requests = asks.into_iter().enumerate().map(|(no, ask)| Request {
            id: RequestId::new(&format!("r-{no}")).unwrap(),
            ask,
            own: no % 2 == 0,
            until: (no > 2).then_some(Timestamp(no as u64)),
            again: no % 3 == 0,
            sent: false,
        });
        Persisted {
            known: vec![Known { id: missed.id, listed: true }],
            floor: Timestamp(5),
            shown: vec![
                Shown { key: Key::Caller(user("eve")), id: missed.id, count: 3, action: Some(Action::CallBack) },
                Shown { key: Key::Call(invitation), id: missed.id, count: 1, action: Some(Action::Join) },
                Shown { key: Key::Summary, id: missed.id, count: 1, action: None },
            ],
            summary: Some(Summary { keys: vec![Key::Call(invitation)], count: 9 }),
            back: vec![Key::Caller(user("dave"))],
            sounded: vec![(user("alice"), Timestamp(1))],
            clicks: vec![(missed, Timestamp(2))],
            requests: requests.collect(),
            here: vec![invitation],
        }
    }

    /// What format 1 wrote at its release: it is read for as long as format 1 is.
    const FIXTURE: &str = include_str!("../../fixtures/format-1.json");

    #[test]
    fn everything_that_is_kept_comes_back() {
        let (user, device) = (UserId::new("bob").unwrap(), DeviceId::new("d-1").unwrap());
        let text = encode(&user, &device, &state());
        assert_eq!(decode(&text, &user).unwrap(), (device, state()));
    }

    #[test]
    fn format_1_is_read() {
        let user = UserId::new("bob").unwrap();
        assert_eq!(decode(FIXTURE, &user).unwrap(), (DeviceId::new("d-1").unwrap(), state()));
        let again = encode(&user, &DeviceId::new("d-1").unwrap(), &state());
        assert_eq!(again.trim(), FIXTURE.trim(), "a released format isn't changed: it gets a new number");
        assert!(matches!(decode(FIXTURE, &UserId::new("eve").unwrap()), Err(Unreadable::Damaged(_))));
    }
}
