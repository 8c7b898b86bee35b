//! What can go wrong, for who writes an app.

use crate::Code;
use ringback_core::id::InvitationId;
use ringback_core::refusal::Refusal;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// A parameter that can't be taken (C13); nothing is clamped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{parameter} {problem}")]
pub struct ConfigError {
    /// The parameter's path, such as `config.missed_call.timeout_seconds`.
    pub parameter: &'static str,
    /// What it has to be.
    pub problem: String,
}

impl ConfigError {
    pub(crate) fn new(parameter: &'static str, problem: impl Into<String>) -> Self {
        Self { parameter, problem: problem.into() }
    }
}

/// Why the service doesn't start.
#[derive(Debug, Error)]
pub enum InitError {
    /// A parameter can't be taken.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What is kept of the device can't be used.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The system gives no randomness, which request ids are made of.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[source] std::io::Error),
}

/// Why what is kept of a device can't be used.
#[derive(Debug, Error)]
pub enum KeepError {
    /// Another process, or another service of this one, is this device.
    #[error("{} is in use: one service at a time can be this device; give the other one another directory", .0.display())]
    InUse(PathBuf),
    /// It was written by a newer version, and holds what this one must not lose.
    #[error("{} is of format {found}, and this version reads format {known}: update the app", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// It can't be read or written.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What failed: `read`, `write`, …
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A request that was refused, or that could not be brought to the server in time. A refusal changes nothing.
///
/// `code` is stable and is what to decide by; the message is a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{message} ({code})", field.map(|field| format!("{field} ")).unwrap_or_default())]
pub struct CallError {
    /// The stable code of spec §10.
    pub code: Code,
    /// What is wrong and, where it helps, what to do.
    pub message: String,
    /// The parameter that is wrong.
    pub field: Option<&'static str>,
    /// When a repeat may succeed.
    pub retry_after: Option<Duration>,
    /// The invitation that stands in the way.
    pub invitation: Option<InvitationId>,
}

impl CallError {
    pub(crate) fn new(code: Code, message: &str) -> Self {
        Refusal::new(code, message).into()
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, message, field, retry_after, invitation } = refusal;
        Self { code, message, field, retry_after, invitation }
    }
}

impl From<ConfigError> for CallError {
    fn from(error: ConfigError) -> Self {
        Refusal { field: Some(error.parameter), ..Refusal::new(Code::BadRequest, error.problem) }.into()
    }
}
