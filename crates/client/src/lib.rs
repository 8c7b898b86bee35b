//! The Rust SDK of Ringback: call invitations, missed calls and dial-back.
//!
//! [`CallInvitationService::init`] signs a user in on this device and keeps it connected: it comes back by itself, with
//! back-off and jitter, and goes on where it was. What rings, what was missed and what a click does is decided by
//! [`ringback_core::device`]; this crate is its shell: one task and one connection, a small file for what outlives the
//! process, callbacks ([`CallInvitationEvents`]) and the same events as a stream ([`CallInvitationService::events`]).
//!
//! ```no_run
#![doc = include_str!("../examples/answer.rs")]
//! ```

mod config;
mod error;
mod events;
mod keep;
mod link;
mod media;
mod notifier;
mod service;
mod shapes;
mod task;
mod token;
mod wire;

pub use config::{
    CallInvitationConfig, InCallingConfig, MISSED_REASONS, MissedCallConfig, TextContext, TextFn, TextKind,
};
pub use error::{CallError, ConfigError, InitError, KeepError};
pub use events::{CallEvent, CallInvitationEvents, ConnectionState, DefaultAction, Events};
pub use media::{IceServer, IceServers, Signal, Signals};
pub use notifier::{Clicks, Denied, Notification, Notifier, Ring};
pub use service::CallInvitationService;
pub use shapes::{
    Accepted, DialedBack, DoNotDisturb, HistoryPage, Init, InviteOptions, MissedCalls, SendOptions, Sent, display_name,
};
pub use token::TokenSource;

pub use ringback_core::call::{CallType, CallView as Call, EndReason, MissedReason, TurnState};
pub use ringback_core::device::{About as Invitation, Action, Elsewhere, MissedRef as MissedCallRef};
pub use ringback_core::id::{CallId, DeviceId, InvitationId, MissedId, Person as CallUser, TurnNo, UserId};
pub use ringback_core::line::{Direction, HistoryRecord as HistoryEntry, MissedCall, Outcome};
pub use ringback_core::refusal::Code;
