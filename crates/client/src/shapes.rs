//! What the service takes, and what it answers.

use crate::config::{CallInvitationConfig, check_id, check_timeout};
use crate::error::{CallError, ConfigError};
use crate::events::CallInvitationEvents;
use crate::notifier::Notifier;
use crate::token::TokenSource;
use crate::{CallId, CallUser, Code, HistoryEntry, InvitationId, MissedCall, MissedCallRef, UserId};
use ringback_core::step;
use ringback_core::time::Timestamp;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What [`CallInvitationService::init`](crate::CallInvitationService::init) takes: where, who, and how.
#[derive(Clone)]
pub struct Init {
    pub(crate) server: String,
    pub(crate) user: String,
    pub(crate) tokens: TokenSource,
    pub(crate) config: CallInvitationConfig,
    pub(crate) events: Option<Arc<dyn CallInvitationEvents>>,
    pub(crate) notifier: Option<Arc<dyn Notifier>>,
    pub(crate) keep_in: Option<PathBuf>,
    pub(crate) platform: String,
    pub(crate) take_up_call: bool,
    pub(crate) clicked: Vec<MissedCallRef>,
}

impl Init {
    /// Names the server (`https://calls.example`, or the WebSocket's own address), the user's id as the token has it, and
    /// the token or what makes it.
    pub fn new(server: impl Into<String>, user: impl Into<String>, token: impl Into<TokenSource>) -> Self {
        Self {
            server: server.into(),
            user: user.into(),
            tokens: token.into(),
            config: CallInvitationConfig::default(),
            events: None,
            notifier: None,
            keep_in: None,
            platform: std::env::consts::OS.to_owned(),
            take_up_call: false,
            clicked: Vec::new(),
        }
    }

    /// Sets how call invitations behave.
    #[must_use]
    pub fn config(mut self, config: CallInvitationConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the app's callbacks. Without, a click on a missed call runs its default action at once.
    #[must_use]
    pub fn invitation_events(mut self, events: impl CallInvitationEvents) -> Self {
        self.events = Some(Arc::new(events));
        self
    }

    /// Sets what shows rings and missed calls. Without, nothing is shown but what the app shows itself.
    #[must_use]
    pub fn notifier(mut self, notifier: impl Notifier) -> Self {
        self.notifier = Some(Arc::new(notifier));
        self
    }

    /// Keeps what must outlive the process in a file of this directory, one for each user: which device this is, what is
    /// on show, which requests have no answer yet. Without, the device lives as long as the service.
    #[must_use]
    pub fn keep_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.keep_in = Some(directory.into());
        self
    }

    /// Names the platform; at most 32 characters. The operating system's name, if left out.
    #[must_use]
    pub fn platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = platform.into();
        self
    }

    /// Whether the app goes on with the call that this device was in when the process before ended, if that wasn't longer
    /// ago than the server waits (L9); false: it has left that call.
    #[must_use]
    pub fn take_up_call(mut self, take_up: bool) -> Self {
        self.take_up_call = take_up;
        self
    }

    /// Hands over the click that started the app (D3).
    #[must_use]
    pub fn clicked(mut self, missed_call: MissedCallRef) -> Self {
        self.clicked.push(missed_call);
        self
    }
}

impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Init").field("server", &self.server).field("user", &self.user).finish_non_exhaustive()
    }
}

/// Whom to invite, and how to ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteOptions {
    /// Ids of users, 1 to as many as the server allows.
    pub invitees: Vec<String>,
    /// The push's notification resource; none.
    pub resource_id: Option<String>,
    /// The push's title; none: the default.
    pub notification_title: Option<String>,
    /// The push's message; none: the default.
    pub notification_message: Option<String>,
    /// How long it rings, 1 to 600 s; 60.
    pub timeout_seconds: u32,
}

impl Default for InviteOptions {
    fn default() -> Self {
        Self {
            invitees: Vec::new(),
            resource_id: None,
            notification_title: None,
            notification_message: None,
            timeout_seconds: 60,
        }
    }
}

impl InviteOptions {
    /// Invites these, with everything else at its default.
    pub fn to<T: Into<String>>(invitees: impl IntoIterator<Item = T>) -> Self {
        Self { invitees: invitees.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    pub(crate) fn ring(self) -> Result<(Vec<UserId>, step::Ring), CallError> {
        if self.invitees.is_empty() {
            return Err(ConfigError::new("invitees", "must name somebody").into());
        }
        let invitees: Result<_, _> = self.invitees.iter().map(|user| check_id("invitees", user)).collect();
        if let Some(id) = &self.resource_id {
            check_id("resource_id", id)?;
        }
        let ring = step::Ring {
            timeout: check_timeout("timeout_seconds", self.timeout_seconds)?,
            resource_id: self.resource_id.map(Into::into),
            title: self.notification_title.map(Into::into),
            message: self.notification_message.map(Into::into),
        };
        Ok((invitees?, ring))
    }
}

/// A call to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// Whom, and how to ring.
    pub invite: InviteOptions,
    /// Video, or voice; voice.
    pub is_video_call: bool,
    /// The app's own text; empty.
    pub custom_data: String,
    /// The app's name of the call; the server makes one if there is none.
    pub call_id: Option<String>,
}

impl SendOptions {
    /// Calls these by voice, with everything else at its default.
    pub fn to<T: Into<String>>(invitees: impl IntoIterator<Item = T>) -> Self {
        Self { invite: InviteOptions::to(invitees), ..Self::default() }
    }
}

/// What became of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The invitation.
    pub invitation: InvitationId,
    /// The app's name of the call, or the one that the server made.
    pub call_id: CallId,
    /// Who could not be invited, and why.
    pub refused: Vec<(UserId, Code)>,
    /// They called each other at once, and both are in that one call (L10).
    pub crossed: bool,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The invitation.
    pub invitation: InvitationId,
    /// It was too late to answer, but not to join (L2).
    pub joined: bool,
}

/// What became of a dial-back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialedBack {
    /// It rings, or the group was joined.
    Called {
        /// The invitation.
        invitation: InvitationId,
        /// The app's name of the call.
        call_id: CallId,
        /// It is under way on another device of this user (D7).
        elsewhere: bool,
    },
    /// This user is in another call; the missed call is unhandled again (M4).
    Engaged {
        /// The invitation that this user is in.
        invitation: InvitationId,
    },
}

/// A page of missed calls, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedCalls {
    /// At most 100.
    pub calls: Vec<MissedCall>,
    /// How many are unhandled in all.
    pub total: usize,
}

/// A page of past calls, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// At most 100.
    pub entries: Vec<HistoryEntry>,
    /// What to give as `before` for the next page; none at the end.
    pub cursor: Option<u64>,
}

/// How this user doesn't want to be disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoNotDisturb {
    /// How much longer.
    pub remaining: Duration,
    /// Who rings all the same.
    pub let_through: Vec<UserId>,
}

/// What is left of do-not-disturb.
pub(crate) fn left_of(set: &ringback_core::line::DoNotDisturb, now: Timestamp) -> DoNotDisturb {
    DoNotDisturb { remaining: now.until(set.until), let_through: set.let_through.iter().cloned().collect() }
}

/// A user's name, or their id where the name isn't known.
pub fn display_name(user: &CallUser) -> &str {
    if user.name.is_empty() { user.id.as_str() } else { &user.name }
}
