//! What shows rings and missed calls, where the app wants Ringback to do it.

use crate::task::{Command, Commands};
use crate::{Action, CallId, CallType, CallUser, InvitationId, MissedCallRef};
use std::time::Duration;
use thiserror::Error;

/// The system refused to show a notification; the app is told once (M8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("notifications may not be shown")]
pub struct Denied;

/// The notification of one or several missed calls (M5, M6). One with a tag that is on show takes that one's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What it stands for: a caller, a group's call, or the summary of many.
    pub tag: String,
    /// The app's title, else `Missed Call`.
    pub title: String,
    /// The app's message, else the caller and the type of the call.
    pub body: String,
    /// How many missed calls it stands for.
    pub count: usize,
    /// When the newest was made, ms since 1970 on the server's clock.
    pub at: u64,
    /// What it offers beside being dismissed.
    pub action: Option<Action>,
    /// Whether it makes a sound.
    pub sound: bool,
    /// What a click on it is about, to be given to [`Clicks`]; none for the summary.
    pub missed_call: Option<MissedCallRef>,
}

/// A call that rings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// The invitation.
    pub invitation: InvitationId,
    /// The app's name of the call.
    pub call_id: CallId,
    /// Who calls.
    pub caller: CallUser,
    /// Voice or video.
    pub call_type: CallType,
    /// Whether it is a group's.
    pub group: bool,
    /// How long it still rings.
    pub remaining: Duration,
}

/// Shows rings and missed-call notifications. Called in order on the connection's task, so it must not block.
pub trait Notifier: Send + Sync + 'static {
    /// Is given, before anything else, what takes the clicks on what it shows.
    fn attach(&self, clicks: Clicks) {
        drop(clicks);
    }

    /// Shows a notification, in the place of the one of the same tag.
    fn show(&self, notification: &Notification) -> Result<(), Denied>;

    /// Closes the notification of this tag, if it is on show.
    fn withdraw(&self, tag: &str);

    /// Begins to ring.
    fn show_ring(&self, ring: &Ring) {
        let _ = ring;
    }

    /// Stops ringing.
    fn hide_ring(&self, invitation: InvitationId) {
        let _ = invitation;
    }
}

/// Takes what a person does with the notifications that a [`Notifier`] shows.
#[derive(Debug, Clone)]
pub struct Clicks(pub(crate) Commands);

impl Clicks {
    /// The notification, or its action, was clicked.
    pub fn clicked(&self, notification: &Notification) {
        self.0.put(Command::Clicked(notification.missed_call.clone().map(Box::new)));
    }

    /// The notification was closed by the person: not one that was withdrawn or clicked.
    pub fn dismissed(&self, notification: &Notification) {
        self.0.put(Command::Dismissed(notification.missed_call.clone().map(Box::new)));
    }
}

impl Ring {
    pub(crate) fn of(ringing: ringback_core::device::Ringing, now: ringback_core::time::Timestamp) -> Self {
        Self {
            invitation: ringing.invitation,
            call_id: ringing.call_id,
            caller: ringing.caller,
            call_type: ringing.call_type,
            group: ringing.group,
            remaining: now.until(ringing.deadline),
        }
    }
}
