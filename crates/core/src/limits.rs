//! The bounds of everything (spec §10), each settable by the operator.

use std::time::Duration;

/// Every bound that a decision depends on. The defaults are the spec's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Invitees an invitation may have over its whole life; 100, at most 1,000.
    pub invitees: usize,
    /// Bytes of `customData`; 16 KiB.
    pub custom_data_bytes: usize,
    /// Characters of a title; 256.
    pub title_chars: usize,
    /// Characters of a message; 1,024.
    pub message_chars: usize,
    /// Live sessions of one user; 20. The oldest gives way, of those that are in no call.
    pub sessions_per_user: usize,
    /// Turns pending for one user at a time; 32. Beyond it a new one is `busy` without ringing.
    pub pending_turns: usize,
    /// Longest ringing; 600 s (C13).
    pub max_timeout: Duration,
    /// How long a device in a call may be gone before it has left; 30 s (L9).
    pub grace: Duration,
    /// How long one person may be alone in a group with nobody pending; 60 s (L6).
    pub alone: Duration,
    /// After how long a device that hasn't said `ringing` is sent the invitation again; 2 s (N4).
    pub remind: Duration,
    /// Turns kept of one participant in one invitation; 16. The oldest hidden one goes first, then the oldest.
    pub turns_kept: usize,
    /// Unhandled missed calls kept of one user; 1,000. Beyond it the oldest of the same caller goes first, then the oldest.
    pub missed_kept: usize,
    /// Devices registered of one user; 32. Beyond it the one longest unseen goes.
    pub devices_per_user: usize,
    /// People one user may block, and people one may let through do-not-disturb; 1,000.
    pub people_listed: usize,
    /// Age at which an unhandled missed call is dropped; 90 days (M7).
    pub retention: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            invitees: 100,
            custom_data_bytes: 16 * 1024,
            title_chars: 256,
            message_chars: 1024,
            sessions_per_user: 20,
            pending_turns: 32,
            max_timeout: Duration::from_secs(600),
            grace: Duration::from_secs(30),
            alone: Duration::from_secs(60),
            remind: Duration::from_secs(2),
            turns_kept: 16,
            missed_kept: 1000,
            devices_per_user: 32,
            people_listed: 1000,
            retention: Duration::from_secs(90 * 24 * 3600),
        }
    }
}

/// Request ids kept of one user (K1).
pub const REQUESTS: u64 = 32;
/// How many participants, at most, a view or an event lists (S16, K5).
pub const LISTED: usize = 20;
/// How many missed calls' notifications, at most, a device is given (M7).
pub const NOTIFICATIONS: usize = 100;
/// How many missed calls, at most, one `missed` frame lists: the newest of each notification, then the next newest.
pub const MISSED_LISTED: usize = 150;
