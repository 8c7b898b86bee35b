//! Why a request was refused: one stable code, a sentence for people, and what helps.

use crate::id::InvitationId;
use std::fmt;
use std::time::Duration;

/// The stable codes of the wire (spec §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names are the codes; the spec defines each
pub enum Code {
    BadRequest,
    PayloadTooLarge,
    Unauthorized,
    Forbidden,
    NotFound,
    Cancelled,
    CallEnded,
    InvitationExpired,
    AnsweredElsewhere,
    AlreadyInvited,
    AlreadyInCall,
    IncompatibleMode,
    UpgradeRequired,
    RateLimited,
    Unavailable,
    Internal,
}

impl Code {
    /// Every code, in the spec's order.
    pub const ALL: [Self; 16] = [
        Self::BadRequest,
        Self::PayloadTooLarge,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Cancelled,
        Self::CallEnded,
        Self::InvitationExpired,
        Self::AnsweredElsewhere,
        Self::AlreadyInvited,
        Self::AlreadyInCall,
        Self::IncompatibleMode,
        Self::UpgradeRequired,
        Self::RateLimited,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Cancelled => "cancelled",
            Self::CallEnded => "call_ended",
            Self::InvitationExpired => "invitation_expired",
            Self::AnsweredElsewhere => "answered_elsewhere",
            Self::AlreadyInvited => "already_invited",
            Self::AlreadyInCall => "already_in_call",
            Self::IncompatibleMode => "incompatible_mode",
            Self::UpgradeRequired => "upgrade_required",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One refused request; it changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// A sentence for people: what is wrong and, where it helps, what to do.
    pub message: String,
    /// The field that is wrong, in the wire's spelling.
    pub field: Option<&'static str>,
    /// When a repeat may succeed.
    pub retry_after: Option<Duration>,
    /// The invitation that stands in the way (L10: `already_invited`).
    pub invitation: Option<InvitationId>,
}

impl Refusal {
    /// A refusal with a code and a sentence alone.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, retry_after: None, invitation: None }
    }

    /// A `bad_request` that names the field.
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(Code::BadRequest, message) }
    }

    /// The same, naming the invitation in the way.
    #[must_use]
    pub fn naming(self, invitation: InvitationId) -> Self {
        Self { invitation: Some(invitation), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}
