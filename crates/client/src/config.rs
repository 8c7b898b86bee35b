//! What `init` takes, by the seed page's names and with its defaults, and what of it goes where (spec §2).

use crate::error::ConfigError;
use crate::{MissedCallRef, MissedReason};
use ringback_core::device;
use ringback_core::id::{CallId, UserId};
use ringback_core::line::DeviceConfig;
use ringback_protocol::Terms;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Longest ringing, in seconds (C13).
const MAX_TIMEOUT_SECONDS: u32 = 600;

/// How call invitations behave; whatever is left out has its default.
///
/// ```
/// use ringback_client::{CallInvitationConfig, MissedCallConfig};
///
/// let config = CallInvitationConfig {
///     end_call_when_initiator_leave: true,
///     missed_call: MissedCallConfig { enable_dial_back: false, ..Default::default() },
///     ..Default::default()
/// };
/// # assert!(config.missed_call.enabled);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallInvitationConfig {
    /// Whether the whole call ends when its initiator leaves, so that nobody can join it any more; false: it goes on.
    pub end_call_when_initiator_leave: bool,
    /// Missed calls: their notifications, and what a click on one does.
    pub missed_call: MissedCallConfig,
    /// Inviting more users into a running call.
    pub in_calling: InCallingConfig,
    /// Whether a call rings while this user is in another, and accepting it leaves that one; false: they are busy.
    pub call_waiting: bool,
}

/// Missed calls: their notifications, and what a click on one does (C2 to C8).
#[derive(Debug, Clone, PartialEq)]
pub struct MissedCallConfig {
    /// Whether a missed call pops up a notification; true. Events and the list come either way.
    pub enabled: bool,
    /// Whether a click on the notification dials back; true.
    pub enable_dial_back: bool,
    /// A notification resource kept on the server, 1 to 128 bytes; none. For the pushes of missed calls and dial-backs.
    pub resource_id: Option<String>,
    /// Makes the notification's title; none: `Missed Call`.
    pub notification_title: Option<TextFn>,
    /// Makes the notification's message; none: the caller and the type of the call.
    pub notification_message: Option<TextFn>,
    /// How long a dial-back rings, 1 to 600 s; 30.
    pub timeout_seconds: u32,
    /// Which reasons pop up a notification; all.
    pub reasons: Vec<MissedReason>,
}

/// Inviting more users into a running call (C9, C10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InCallingConfig {
    /// Whether participants may invite more users; false.
    pub can_inviting_in_calling: bool,
    /// Whether of them only the initiator may; false.
    pub only_initiator_can_invite: bool,
}

impl Default for MissedCallConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            enable_dial_back: true,
            resource_id: None,
            notification_title: None,
            notification_message: None,
            timeout_seconds: 30,
            reasons: MISSED_REASONS.to_vec(),
        }
    }
}

/// Every reason for which a call counts as missed.
pub const MISSED_REASONS: [MissedReason; 5] = [
    MissedReason::NoAnswer,
    MissedReason::Cancelled,
    MissedReason::Busy,
    MissedReason::DoNotDisturb,
    MissedReason::Unreachable,
];

/// Which text is asked for (C12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// The notification of a missed call.
    MissedCall,
    /// The push that rings the person who is dialled back.
    DialBack,
}

/// What a [`TextFn`] makes its text of.
#[derive(Debug, Clone, Copy)]
pub struct TextContext<'a> {
    /// Which text is asked for.
    pub kind: TextKind,
    /// The missed call; the newest, where the notification stands for several.
    pub missed_call: &'a MissedCallRef,
    /// How many missed calls the notification stands for.
    pub count: usize,
}

/// Makes a text of a notification; none means the default text (C5, C6).
#[derive(Clone)]
pub struct TextFn(Arc<MakeText>);

type MakeText = dyn Fn(&TextContext<'_>) -> Option<String> + Send + Sync;

impl TextFn {
    /// Makes it of the context. It is called on the connection's task, so it must not block.
    pub fn new(make: impl Fn(&TextContext<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// Makes it of nothing, as the seed page's functions do.
    pub fn plain(make: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |_| make()))
    }
}

impl fmt::Debug for TextFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextFn(…)")
    }
}

/// The same function, not one that makes the same text.
impl PartialEq for TextFn {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The app's own texts; what it leaves out is none.
pub(crate) struct Texts {
    pub(crate) title: Option<String>,
    pub(crate) message: Option<String>,
}

impl CallInvitationConfig {
    /// Checks every parameter; nothing is clamped (C13).
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let missed = &self.missed_call;
        check_timeout("config.missed_call.timeout_seconds", missed.timeout_seconds)?;
        missed.resource_id.as_deref().map_or(Ok(()), |id| check_id("config.missed_call.resource_id", id).map(drop))
    }

    /// What the device's machine decides by. `clicked`: the app decides on clicks (S2).
    pub(crate) fn machine(&self, clicked: bool) -> device::Config {
        let missed = &self.missed_call;
        device::Config {
            missed_enabled: missed.enabled,
            dial_back: missed.enable_dial_back,
            resource_id: missed.resource_id.as_deref().map(Into::into),
            dial_back_timeout: Duration::from_secs(missed.timeout_seconds.into()),
            reasons: missed.reasons.iter().copied().collect(),
            clicked,
        }
    }

    /// What the server keeps with the device (C14).
    pub(crate) fn kept(&self) -> DeviceConfig {
        let missed = &self.missed_call;
        DeviceConfig {
            missed_enabled: missed.enabled,
            dial_back: missed.enable_dial_back,
            resource_id: missed.resource_id.as_deref().map(Into::into),
            reasons: missed.reasons.iter().copied().collect(),
            call_waiting: self.call_waiting,
        }
    }

    /// What the server keeps with each invitation (C14).
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            end_when_initiator_leaves: self.end_call_when_initiator_leave,
            can_invite_in_calling: self.in_calling.can_inviting_in_calling,
            only_initiator_can_invite: self.in_calling.only_initiator_can_invite,
        }
    }

    /// Asks the app for its texts.
    pub(crate) fn texts(&self, kind: TextKind, missed_call: &MissedCallRef, count: usize) -> Texts {
        let context = TextContext { kind, missed_call, count };
        let ask = |make: &Option<TextFn>| {
            let make = make.as_ref()?;
            // The app's mistake is no reason to leave its user without a notification.
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (make.0)(&context))).unwrap_or_else(|_| {
                tracing::error!("the app's function for a notification's text panicked");
                None
            })
        };
        Texts { title: ask(&self.missed_call.notification_title), message: ask(&self.missed_call.notification_message) }
    }
}

/// Takes a ringing time.
pub(crate) fn check_timeout(parameter: &'static str, seconds: u32) -> Result<Duration, ConfigError> {
    if seconds == 0 || seconds > MAX_TIMEOUT_SECONDS {
        return Err(ConfigError::new(parameter, format!("must be from 1 to {MAX_TIMEOUT_SECONDS} seconds")));
    }
    Ok(Duration::from_secs(seconds.into()))
}

/// Takes an id as the server does (spec §10).
pub(crate) fn check_id(parameter: &'static str, id: &str) -> Result<UserId, ConfigError> {
    UserId::new(id).map_err(|bad| ConfigError::new(parameter, bad.to_string()))
}

/// Takes the app's name of a call.
pub(crate) fn check_call_id(parameter: &'static str, id: &str) -> Result<CallId, ConfigError> {
    CallId::new(id).map_err(|bad| ConfigError::new(parameter, bad.to_string()))
}
