//! What is said of the call that this terminal is in, as it goes.

use super::say;
use ringback_client::{CallEvent, TurnState, UserId, display_name};
use std::collections::BTreeSet;

/// What was said of a call so far.
#[derive(Default)]
pub(super) struct Told {
    /// Somebody answered.
    pub(super) answered: bool,
    /// Of whom it was said that they are in the call.
    present: BTreeSet<UserId>,
}

impl Told {
    /// `answered`: somebody did before anything was said.
    pub(super) fn new(answered: bool) -> Self {
        Self { answered, ..Self::default() }
    }

    /// The lines that an event is worth.
    pub(super) fn lines(&mut self, event: &CallEvent) -> Vec<String> {
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
                    .filter_map(|(user, state)| self.change(display_name(user), &user.id, *state))
                    .collect();
            }
            CallEvent::CallEnded { reason, .. } => {
                self.present.clear();
                format!("the call is over: {}", say::words(reason))
            }
            CallEvent::Error { message, .. } => message.clone(),
            _ => return Vec::new(),
        };
        vec![line]
    }

    fn change(&mut self, name: &str, user: &UserId, state: TurnState) -> Option<String> {
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
                Some(format!("{name} left"))
            }
            _ => None,
        }
    }
}
