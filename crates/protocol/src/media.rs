//! What media needs of the wire (R1): a signal's text, and ICE servers.

use crate::fields::{Fields, needed};
use ringback_core::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Bytes that a signal's `data` may have: an offer of a browser has 2 to 10 KB.
pub const SIGNAL_BYTES: usize = 32 * 1024;

/// A STUN or TURN server, in the form that WebRTC takes (`RTCIceServer`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `stuns:`, `turn:` or `turns:` and where it is.
    pub urls: Vec<String>,
    /// Of TURN, for a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Of TURN, for as long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl fmt::Debug for IceServer {
    /// Without the credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// A signal's `data`: an object, whatever is in it.
pub(crate) fn data(fields: Fields<'_>) -> Result<Arc<str>, Refusal> {
    const NAME: &str = "data";
    let value = needed(NAME, fields.get(NAME))?;
    if value.as_object().is_none() {
        return Err(Refusal::field(NAME, "must be an object"));
    }
    let text = value.owned().to_string();
    if text.len() > SIGNAL_BYTES {
        let message = format!("must have at most {SIGNAL_BYTES} bytes");
        return Err(Refusal { field: Some(NAME), ..Refusal::new(Code::PayloadTooLarge, message) });
    }
    Ok(text.into())
}

/// The same as it goes out again; it was read as JSON before.
pub(crate) fn value(data: &str) -> Value {
    serde_json::from_str(data).unwrap_or_default()
}
