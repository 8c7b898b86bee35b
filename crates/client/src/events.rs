//! What the app is told: callbacks with the seed page's names, and the same as a stream (spec §3).

use crate::task::{Command, Commands};
use crate::{
    CallId, CallType, CallUser, Code, DoNotDisturb, EndReason, Invitation, MissedCall, MissedCallRef, Signal,
    TurnState, UserId,
};
use ringback_core::device::{Connection, Elsewhere, Event};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// Events that a [`Events`] reader may be behind before it loses the oldest.
pub(crate) const EVENTS: usize = 1024;

/// How the connection stands (S13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Not yet connected for the first time.
    Connecting,
    /// Connected, and up to date.
    Connected,
    /// Gone; it comes back by itself.
    Reconnecting,
    /// This device connected again elsewhere; it doesn't come back until `reconnect`.
    Replaced,
    /// The token was refused, and nothing makes new ones; it comes back with `update_token`.
    Unauthorized,
    /// This version of the SDK isn't served any more; it doesn't come back.
    UpgradeRequired,
    /// Signed off by `uninit`.
    Disconnected,
}

/// One thing that the app is told. Each has the parameters that its callback in [`CallInvitationEvents`] has.
///
/// At most 20 callees are listed; `invitation` says how many there are (S16).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is its callback's, and its fields are that one's parameters
#[non_exhaustive]
pub enum CallEvent {
    IncomingCallTimeout {
        call_id: CallId,
        caller: CallUser,
        invitation: Option<Invitation>,
    },
    IncomingMissedCallClicked {
        call_id: CallId,
        caller: CallUser,
        call_type: CallType,
        callees: Vec<CallUser>,
        custom_data: Arc<str>,
        missed_call: MissedCallRef,
        invitation: Option<Invitation>,
    },
    IncomingMissedCallDialBackFailed {
        reason: Code,
        call_id: CallId,
        caller: CallUser,
        invitation: Option<Invitation>,
    },
    IncomingCallReceived {
        call_id: CallId,
        caller: CallUser,
        call_type: CallType,
        callees: Vec<CallUser>,
        custom_data: Arc<str>,
        invitation: Option<Invitation>,
    },
    IncomingCallCanceled {
        call_id: CallId,
        caller: CallUser,
        custom_data: Arc<str>,
        invitation: Option<Invitation>,
    },
    IncomingCallAnsweredElsewhere {
        call_id: CallId,
        how: Elsewhere,
        invitation: Option<Invitation>,
    },
    OutgoingCallSent {
        call_id: CallId,
        caller: CallUser,
        call_type: CallType,
        callees: Vec<CallUser>,
        custom_data: Arc<str>,
        refused: Vec<(UserId, Code)>,
        invitation: Option<Invitation>,
    },
    OutgoingCallAccepted {
        call_id: CallId,
        callee: CallUser,
        custom_data: Arc<str>,
        invitation: Option<Invitation>,
    },
    OutgoingCallDeclined {
        call_id: CallId,
        callee: CallUser,
        custom_data: Arc<str>,
        invitation: Option<Invitation>,
    },
    OutgoingCallRejectedCauseBusy {
        call_id: CallId,
        callee: CallUser,
        custom_data: Arc<str>,
        invitation: Option<Invitation>,
    },
    OutgoingCallTimeout {
        call_id: CallId,
        callees: Vec<CallUser>,
        is_video_call: bool,
        invitation: Option<Invitation>,
    },
    InvitationUserStateChanged {
        call_id: CallId,
        users: Vec<(CallUser, TurnState)>,
        invitation: Option<Invitation>,
    },
    CallEnded {
        call_id: CallId,
        reason: EndReason,
        invitation: Option<Invitation>,
    },
    MissedCallsChanged {
        missed_calls: Vec<MissedCall>,
        count: usize,
    },
    SettingsChanged {
        blocked: Vec<UserId>,
        do_not_disturb: Option<DoNotDisturb>,
    },
    ConnectionStateChanged {
        state: ConnectionState,
    },
    TokenWillExpire {
        remaining: Duration,
    },
    Error {
        /// `notifications_denied`, `internal`, or one of the codes of spec §10.
        code: &'static str,
        message: String,
    },
}

/// What a click on a missed-call notification does unless the app decides otherwise: it dials back, or joins the group,
/// where `missed_call.enable_dial_back` is true, and else nothing (D2).
#[derive(Clone)]
pub struct DefaultAction {
    pub(crate) commands: Commands,
    pub(crate) missed_call: MissedCallRef,
}

impl DefaultAction {
    /// Runs it. It never fails: `on_incoming_missed_call_dial_back_failed` says so instead.
    pub fn run(self) {
        self.commands.put(Command::DefaultAction(Box::new(self.missed_call)));
    }
}

impl fmt::Debug for DefaultAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DefaultAction({:?})", self.missed_call.id)
    }
}

/// The app's callbacks; each does nothing unless it is written, but for the click, which runs its default action.
///
/// They are called in order on the connection's task, so they must not block: what takes time belongs into a task of
/// its own. The same events come from [`CallInvitationService::events`](crate::CallInvitationService::events).
#[allow(unused_variables)] // the names are for who writes one
#[allow(clippy::too_many_arguments)] // the seed page's parameters, in its order
pub trait CallInvitationEvents: Send + Sync + 'static {
    /// To a callee (S1): nobody answered in time.
    fn on_incoming_call_timeout(&self, call_id: &CallId, caller: &CallUser, invitation: Option<&Invitation>) {}

    /// To a callee (S2): the notification of a missed call was clicked. The app decides whether and when to run
    /// `default_action`; as it stands, at once.
    fn on_incoming_missed_call_clicked(
        &self,
        call_id: &CallId,
        caller: &CallUser,
        call_type: CallType,
        callees: &[CallUser],
        custom_data: &str,
        default_action: DefaultAction,
        invitation: Option<&Invitation>,
    ) {
        default_action.run();
    }

    /// To a callee (S3): dialling back failed, and nothing else happens.
    fn on_incoming_missed_call_dial_back_failed(
        &self,
        reason: Code,
        call_id: &CallId,
        caller: &CallUser,
        invitation: Option<&Invitation>,
    ) {
    }

    /// To a callee (S4): it rings.
    fn on_incoming_call_received(
        &self,
        call_id: &CallId,
        caller: &CallUser,
        call_type: CallType,
        callees: &[CallUser],
        custom_data: &str,
        invitation: Option<&Invitation>,
    ) {
    }

    /// To a callee (S5): called off before an answer.
    fn on_incoming_call_canceled(
        &self,
        call_id: &CallId,
        caller: &CallUser,
        custom_data: &str,
        invitation: Option<&Invitation>,
    ) {
    }

    /// To a callee's other devices (S6): it rings no more, settled elsewhere.
    fn on_incoming_call_answered_elsewhere(&self, call_id: &CallId, how: Elsewhere, invitation: Option<&Invitation>) {}

    /// To a caller (S7): the server took it; `refused` could not be invited.
    fn on_outgoing_call_sent(
        &self,
        call_id: &CallId,
        caller: &CallUser,
        call_type: CallType,
        callees: &[CallUser],
        custom_data: &str,
        refused: &[(UserId, Code)],
        invitation: Option<&Invitation>,
    ) {
    }

    /// To the initiator and the inviter (S8).
    fn on_outgoing_call_accepted(
        &self,
        call_id: &CallId,
        callee: &CallUser,
        custom_data: &str,
        invitation: Option<&Invitation>,
    ) {
    }

    /// To the initiator and the inviter (S8).
    fn on_outgoing_call_declined(
        &self,
        call_id: &CallId,
        callee: &CallUser,
        custom_data: &str,
        invitation: Option<&Invitation>,
    ) {
    }

    /// To the initiator and the inviter (S8).
    fn on_outgoing_call_rejected_cause_busy(
        &self,
        call_id: &CallId,
        callee: &CallUser,
        custom_data: &str,
        invitation: Option<&Invitation>,
    ) {
    }

    /// To the initiator and the inviter (S9): these didn't answer in time.
    fn on_outgoing_call_timeout(
        &self,
        call_id: &CallId,
        callees: &[CallUser],
        is_video_call: bool,
        invitation: Option<&Invitation>,
    ) {
    }

    /// To those in a call (S10): whose state changed.
    fn on_invitation_user_state_changed(
        &self,
        call_id: &CallId,
        users: &[(CallUser, TurnState)],
        invitation: Option<&Invitation>,
    ) {
    }

    /// To those who were in it (S11): the call is over, or this device was taken out of it.
    fn on_call_ended(&self, call_id: &CallId, reason: EndReason, invitation: Option<&Invitation>) {}

    /// The unhandled missed calls, newest first, and how many there are, for a badge (S12).
    fn on_missed_calls_changed(&self, missed_calls: &[MissedCall], count: usize) {}

    /// Whom the user blocked, and do-not-disturb (L13), on whichever of their devices it was set.
    fn on_settings_changed(&self, blocked: &[UserId], do_not_disturb: Option<&DoNotDisturb>) {}

    /// How the connection stands (S13).
    fn on_connection_state_changed(&self, state: ConnectionState) {}

    /// The token expires soon (S13); one that a provider made is renewed without the app's doing.
    fn on_token_will_expire(&self, remaining: Duration) {}

    /// What another participant's media says (R1); also by [`CallInvitationService::signals`](crate::CallInvitationService::signals).
    fn on_signal(&self, signal: &Signal) {}

    /// Something failed that no request's answer tells (S13).
    fn on_error(&self, code: &str, message: &str) {}
}

/// The events, as they come; what came before it was made isn't in it.
#[derive(Debug)]
pub struct Events {
    pub(crate) from: broadcast::Receiver<CallEvent>,
    pub(crate) lost: u64,
}

impl Events {
    /// The next event; none when the service is gone. Nothing is lost by dropping the future.
    pub async fn next(&mut self) -> Option<CallEvent> {
        loop {
            match self.from.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    self.lost += lost;
                    tracing::warn!(lost, "events were lost, since nobody read them");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// How many events this reader lost by being more than 1,024 behind.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The same as a `Stream`.
    pub fn into_stream(self) -> impl futures_util::Stream<Item = CallEvent> + Send {
        futures_util::stream::unfold(self, |mut events| async { Some((events.next().await?, events)) })
    }
}

impl CallEvent {
    /// The app's event of the machine's; nothing for how the connection stands, which the connection's task knows better.
    pub(crate) fn of(event: Event, invitation: Option<Invitation>) -> Result<Self, Connection> {
        Ok(match event {
            Event::IncomingCallTimeout { call_id, caller } => Self::IncomingCallTimeout { call_id, caller, invitation },
            Event::IncomingMissedCallClicked { call_id, caller, call_type, callees, custom_data, missed } => {
                let missed_call = missed;
                Self::IncomingMissedCallClicked {
                    call_id,
                    caller,
                    call_type,
                    callees,
                    custom_data,
                    missed_call,
                    invitation,
                }
            }
            Event::IncomingMissedCallDialBackFailed { reason, call_id, caller } => {
                Self::IncomingMissedCallDialBackFailed { reason, call_id, caller, invitation }
            }
            Event::IncomingCallReceived { call_id, caller, call_type, callees, custom_data } => {
                Self::IncomingCallReceived { call_id, caller, call_type, callees, custom_data, invitation }
            }
            Event::IncomingCallCanceled { call_id, caller, custom_data } => {
                Self::IncomingCallCanceled { call_id, caller, custom_data, invitation }
            }
            Event::IncomingCallAnsweredElsewhere { call_id, how } => {
                Self::IncomingCallAnsweredElsewhere { call_id, how, invitation }
            }
            Event::OutgoingCallSent { call_id, caller, call_type, callees, custom_data, refused } => {
                Self::OutgoingCallSent { call_id, caller, call_type, callees, custom_data, refused, invitation }
            }
            Event::OutgoingCallAccepted { call_id, callee, custom_data } => {
                Self::OutgoingCallAccepted { call_id, callee, custom_data, invitation }
            }
            Event::OutgoingCallDeclined { call_id, callee, custom_data } => {
                Self::OutgoingCallDeclined { call_id, callee, custom_data, invitation }
            }
            Event::OutgoingCallRejectedCauseBusy { call_id, callee, custom_data } => {
                Self::OutgoingCallRejectedCauseBusy { call_id, callee, custom_data, invitation }
            }
            Event::OutgoingCallTimeout { call_id, callees, video } => {
                Self::OutgoingCallTimeout { call_id, callees, is_video_call: video, invitation }
            }
            Event::InvitationUserStateChanged { call_id, users } => {
                Self::InvitationUserStateChanged { call_id, users, invitation }
            }
            Event::CallEnded { call_id, reason } => Self::CallEnded { call_id, reason, invitation },
            Event::MissedCallsChanged { calls, total } => {
                let missed_calls = calls.into_iter().map(|entry| entry.call).collect();
                Self::MissedCallsChanged { missed_calls, count: total }
            }
            Event::ConnectionStateChanged(connection) => return Err(connection),
            Event::TokenWillExpire(remaining) => Self::TokenWillExpire { remaining },
            Event::NotificationsDenied => Self::Error {
                code: "notifications_denied",
                message: "Notifications can't be shown; missed calls are listed all the same.".to_owned(),
            },
        })
    }

    /// Calls the app's callback of this event.
    pub(crate) fn call(&self, app: &dyn CallInvitationEvents, commands: &Commands) {
        match self {
            Self::IncomingCallTimeout { call_id, caller, invitation } => {
                app.on_incoming_call_timeout(call_id, caller, invitation.as_ref());
            }
            Self::IncomingMissedCallClicked {
                call_id,
                caller,
                call_type,
                callees,
                custom_data,
                missed_call,
                invitation,
            } => {
                let action = DefaultAction { commands: commands.clone(), missed_call: missed_call.clone() };
                let about = invitation.as_ref();
                app.on_incoming_missed_call_clicked(call_id, caller, *call_type, callees, custom_data, action, about);
            }
            Self::IncomingMissedCallDialBackFailed { reason, call_id, caller, invitation } => {
                app.on_incoming_missed_call_dial_back_failed(*reason, call_id, caller, invitation.as_ref());
            }
            Self::IncomingCallReceived { call_id, caller, call_type, callees, custom_data, invitation } => {
                let about = invitation.as_ref();
                app.on_incoming_call_received(call_id, caller, *call_type, callees, custom_data, about);
            }
            Self::IncomingCallCanceled { call_id, caller, custom_data, invitation } => {
                app.on_incoming_call_canceled(call_id, caller, custom_data, invitation.as_ref());
            }
            Self::IncomingCallAnsweredElsewhere { call_id, how, invitation } => {
                app.on_incoming_call_answered_elsewhere(call_id, *how, invitation.as_ref());
            }
            Self::OutgoingCallSent { call_id, caller, call_type, callees, custom_data, refused, invitation } => {
                let about = invitation.as_ref();
                app.on_outgoing_call_sent(call_id, caller, *call_type, callees, custom_data, refused, about);
            }
            Self::OutgoingCallAccepted { call_id, callee, custom_data, invitation } => {
                app.on_outgoing_call_accepted(call_id, callee, custom_data, invitation.as_ref());
            }
            Self::OutgoingCallDeclined { call_id, callee, custom_data, invitation } => {
                app.on_outgoing_call_declined(call_id, callee, custom_data, invitation.as_ref());
            }
            Self::OutgoingCallRejectedCauseBusy { call_id, callee, custom_data, invitation } => {
                app.on_outgoing_call_rejected_cause_busy(call_id, callee, custom_data, invitation.as_ref());
            }
            Self::OutgoingCallTimeout { call_id, callees, is_video_call, invitation } => {
                app.on_outgoing_call_timeout(call_id, callees, *is_video_call, invitation.as_ref());
            }
            Self::InvitationUserStateChanged { call_id, users, invitation } => {
                app.on_invitation_user_state_changed(call_id, users, invitation.as_ref());
            }
            Self::CallEnded { call_id, reason, invitation } => {
                app.on_call_ended(call_id, *reason, invitation.as_ref());
            }
            Self::MissedCallsChanged { missed_calls, count } => app.on_missed_calls_changed(missed_calls, *count),
            Self::SettingsChanged { blocked, do_not_disturb } => {
                app.on_settings_changed(blocked, do_not_disturb.as_ref());
            }
            Self::ConnectionStateChanged { state } => app.on_connection_state_changed(*state),
            Self::TokenWillExpire { remaining } => app.on_token_will_expire(*remaining),
            Self::Error { code, message } => app.on_error(code, message),
        }
    }
}
