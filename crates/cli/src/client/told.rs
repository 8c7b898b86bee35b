//! What is said of the call that this terminal is in, as it goes.

use super::say;
use ringback_client::{
    Call, CallEvent, CallInvitationService, ConnectionState, EndReason, InvitationId, TurnState, UserId, display_name,
};
use std::collections::BTreeSet;
use tokio::time::Instant;

/// What was said of a call so far.
#[derive(Default)]
pub(super) struct Told {
    /// Somebody answered.
    pub(super) answered: bool,
    /// Of whom it was said that they are in the call.
    present: BTreeSet<UserId>,
    /// The call that others are or were in, and since when.
    since: Option<(InvitationId, Instant)>,
    /// Who left a call of two, which is over then.
    left: Option<String>,
    /// The connection is gone, and it was said.
    pub(super) away: bool,
}

/// Whether an event is about a group's call.
pub(super) fn of_group(service: &CallInvitationService, event: &CallEvent) -> bool {
    let about = match event {
        CallEvent::InvitationUserStateChanged { invitation, .. } | CallEvent::CallEnded { invitation, .. } => {
            invitation
        }
        _ => return false,
    };
    about.as_ref().and_then(|about| service.call(about.invitation)).is_some_and(|call| call.group)
}

impl Told {
    /// `answered`: somebody did before anything was said.
    pub(super) fn new(answered: bool) -> Self {
        Self { answered, ..Self::default() }
    }

    /// Looks at the call that this device is in.
    pub(super) fn look(&mut self, call: &Call) {
        if call.in_call > 1 && self.since.is_none_or(|(id, _)| id != call.invitation) {
            self.since = Some((call.invitation, Instant::now()));
        }
    }

    /// What there is to say when this device has left a call.
    pub(super) fn hung_up(&mut self, invitation: InvitationId) -> String {
        match self.after(invitation) {
            after if after.is_empty() => "You called it off".to_owned(),
            after => format!("You hung up{after}"),
        }
    }

    /// ` after 0:42`; nothing if nobody else was in the call.
    fn after(&self, invitation: InvitationId) -> String {
        let since = self.since.filter(|(id, _)| *id == invitation);
        since.map_or_else(String::new, |(_, since)| format!(" after {}", say::clock(since.elapsed())))
    }

    /// The lines that an event is worth; `group`: it is about a group's call.
    pub(super) fn lines(&mut self, event: &CallEvent, group: bool) -> Vec<String> {
        let line = match event {
            CallEvent::OutgoingCallSent { callees, call_type, .. } => {
                format!("calling {} ({})", say::names(callees), say::word(call_type))
            }
            CallEvent::OutgoingCallAccepted { callee, .. } => {
                self.answered = true;
                self.present.insert(callee.id.clone());
                format!("{} answered", display_name(callee))
            }
            CallEvent::OutgoingCallDeclined { callee, .. } => format!("{} declined", display_name(callee)),
            CallEvent::OutgoingCallRejectedCauseBusy { callee, .. } => format!("{} is busy", display_name(callee)),
            CallEvent::OutgoingCallTimeout { callees, .. } => format!("{} didn't answer", say::names(callees)),
            CallEvent::InvitationUserStateChanged { users, .. } => {
                return users
                    .iter()
                    .filter_map(|(user, state)| self.change(display_name(user), &user.id, *state, group))
                    .collect();
            }
            CallEvent::CallEnded { reason, invitation, .. } => {
                self.present.clear();
                let after = invitation.as_ref().map(|about| self.after(about.invitation)).unwrap_or_default();
                return over(*reason, self.left.take(), &after).into_iter().collect();
            }
            CallEvent::ConnectionStateChanged { state } => return self.connection(*state).into_iter().collect(),
            CallEvent::Error { message, .. } => message.clone(),
            _ => return Vec::new(),
        };
        vec![line]
    }

    fn connection(&mut self, state: ConnectionState) -> Option<String> {
        let away = std::mem::replace(&mut self.away, state != ConnectionState::Connected);
        let line = match state {
            ConnectionState::Connected if away => "connected again",
            ConnectionState::Reconnecting => "reconnecting…",
            ConnectionState::Replaced => "this device connected again elsewhere",
            ConnectionState::Unauthorized => "the server refused the token",
            ConnectionState::UpgradeRequired => "the server doesn't serve this version any more",
            ConnectionState::Connecting => {
                self.away = away;
                return None;
            }
            ConnectionState::Connected | ConnectionState::Disconnected => return None,
        };
        Some(line.to_owned())
    }

    fn change(&mut self, name: &str, user: &UserId, state: TurnState, group: bool) -> Option<String> {
        match state {
            TurnState::Ringing => Some(format!("it rings at {name}'s")),
            TurnState::Accepted => {
                // By answering, or by joining what nobody had answered.
                self.answered = true;
                // Who answered was named already.
                self.present.insert(user.clone()).then(|| format!("{name} is in the call"))
            }
            TurnState::Left => {
                self.present.remove(user);
                if group {
                    return Some(format!("{name} left"));
                }
                // With that it is over, which is said at once.
                self.left = Some(name.to_owned());
                None
            }
            TurnState::Unreachable => Some(format!("{name} can't be reached just now")),
            _ => None,
        }
    }
}

/// How a call ended, if that wasn't said already; `left` left a call of two.
fn over(reason: EndReason, left: Option<String>, after: &str) -> Option<String> {
    Some(match (reason, left) {
        (EndReason::Declined | EndReason::Busy | EndReason::TimedOut | EndReason::Unreachable, _) => return None,
        (EndReason::Left, Some(left)) => format!("{left} hung up{after}"),
        (EndReason::Left, None) => format!("everybody has left; the call is over{after}"),
        (EndReason::Cancelled, _) => "the call was called off".to_owned(),
        (EndReason::Ended, _) => format!("the call was ended for everyone{after}"),
        (EndReason::Alone, _) => "the call is over: nobody else was in it any more".to_owned(),
        (EndReason::Elsewhere, _) => format!("the call is over here{after}: you went on elsewhere"),
        (EndReason::Lost, Some(left)) => format!("the connection to {left} was lost{after}"),
        (EndReason::Lost, None) => format!("the connection was lost, and with it the call{after}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_client::{CallId, CallUser, Invitation};
    use ringback_core::time::Timestamp;
    use std::time::Duration;

    const ID: InvitationId = InvitationId(1);

    fn event(of: impl FnOnce(CallId, Option<Invitation>) -> CallEvent) -> CallEvent {
        let about = Invitation { invitation: ID, turn: None, at: Timestamp(0), count: None, complete: true };
        of(CallId::new("c").unwrap(), Some(about))
    }

    fn ended(reason: EndReason) -> CallEvent {
        event(|call_id, invitation| CallEvent::CallEnded { call_id, reason, invitation })
    }

    fn left() -> CallEvent {
        let bob = CallUser { id: UserId::new("bob").unwrap(), name: "Bob".into() };
        let users = vec![(bob, TurnState::Left)];
        event(|call_id, invitation| CallEvent::InvitationUserStateChanged { call_id, users, invitation })
    }

    #[test]
    fn who_hung_up_is_said_with_how_long_it_lasted() {
        let since = Instant::now().checked_sub(Duration::from_secs(42)).unwrap();
        let mut told = Told { since: Some((ID, since)), ..Told::default() };
        assert_eq!(told.lines(&left(), false), [""; 0]);
        assert_eq!(told.lines(&ended(EndReason::Left), false), ["Bob hung up after 0:42"]);
        assert_eq!(told.hung_up(ID), "You hung up after 0:42");
        assert_eq!(told.hung_up(InvitationId(2)), "You called it off");
        assert_eq!(told.lines(&left(), true), ["Bob left"]);
        assert_eq!(told.lines(&ended(EndReason::Ended), true), ["the call was ended for everyone after 0:42"]);
        told.lines(&left(), false);
        assert_eq!(told.lines(&ended(EndReason::Lost), false), ["the connection to Bob was lost after 0:42"]);
    }

    #[test]
    fn a_connection_that_goes_and_comes_back_is_told() {
        let mut told = Told::default();
        let mut said = |state| told.lines(&CallEvent::ConnectionStateChanged { state }, false);
        assert_eq!(said(ConnectionState::Connecting), [""; 0]);
        assert_eq!(said(ConnectionState::Connected), [""; 0]);
        assert_eq!(said(ConnectionState::Reconnecting), ["reconnecting…"]);
        assert_eq!(said(ConnectionState::Connected), ["connected again"]);
    }

    #[test]
    fn what_was_said_already_is_not_said_again() {
        for reason in [EndReason::Declined, EndReason::Busy, EndReason::TimedOut] {
            assert_eq!(Told::default().lines(&ended(reason), false), [""; 0]);
        }
    }
}
