//! Names of things: users, devices, calls, invitations, requests and turns.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest id in bytes that any text id may have (spec §10).
pub const MAX_ID_BYTES: usize = 128;

/// Says why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadId {
    /// It has no characters.
    Empty,
    /// It has more than [`MAX_ID_BYTES`] bytes.
    TooLong,
    /// It has a control character.
    Control,
    /// It is no UUID in its usual form of 36 characters.
    NoUuid,
}

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "must not be empty",
            Self::TooLong => "must have at most 128 bytes",
            Self::Control => "must have no control characters",
            Self::NoUuid => "must be a UUID like 0190b5e4-7c1e-7000-8000-000000000001",
        })
    }
}

impl std::error::Error for BadId {}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text of 1 to [`MAX_ID_BYTES`] bytes without control characters.
            pub fn new(text: &str) -> Result<Self, BadId> {
                if text.is_empty() {
                    Err(BadId::Empty)
                } else if text.len() > MAX_ID_BYTES {
                    Err(BadId::TooLong)
                } else if text.chars().any(char::is_control) {
                    Err(BadId::Control)
                } else {
                    Ok(Self(text.into()))
                }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }
    };
}

text_id! {
    /// A person of the app, as the app's own back end names them (`sub` of the token).
    UserId
}
text_id! {
    /// One installation of the app; unique within its user.
    DeviceId
}
text_id! {
    /// The app's name for a conversation; knowing it grants nothing.
    CallId
}
text_id! {
    /// A client's name for one request, so that a repeat takes effect once (N2); unique within its user.
    RequestId
}

/// One round of ringing and what follows from it, made by the server: a UUIDv7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvitationId(pub u128);

impl InvitationId {
    /// Makes a UUIDv7 of `unix_ms` (its lowest 48 bits) and 74 of the bits of `random`.
    pub fn v7(unix_ms: u64, random: u128) -> Self {
        let time = u128::from(unix_ms & 0xffff_ffff_ffff) << 80;
        let rand_a = ((random >> 62) & 0xfff) << 64;
        let rand_b = random & 0x3fff_ffff_ffff_ffff;
        Self(time | (0x7 << 76) | rand_a | (0b10 << 62) | rand_b)
    }
}

impl InvitationId {
    /// The UUID in its usual form of 36 characters.
    pub fn text(self) -> InvitationText {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let places = (0..36).filter(|at| !matches!(at, 8 | 13 | 18 | 23));
        for (nibble, at) in places.enumerate() {
            text[at] = DIGITS[(self.0 >> (124 - 4 * nibble)) as usize & 0xf];
        }
        InvitationText(text)
    }
}

/// An invitation's id as text: written so often that it goes past the formatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvitationText([u8; 36]);

impl InvitationText {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits and dashes are always a text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl AsRef<str> for InvitationText {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for InvitationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl fmt::Debug for InvitationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for InvitationId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|&i| bytes[i] != b'-') {
            return Err(BadId::NoUuid);
        }
        let mut value = 0u128;
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                continue;
            }
            let digit = (*byte as char).to_digit(16).ok_or(BadId::NoUuid)?;
            value = (value << 4) | u128::from(digit);
        }
        Ok(Self(value))
    }
}

/// One live connection of a device, numbered by the server process; never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// The number of a turn among one participant's turns in one invitation: the initiator's own is 0, a callee's first 1.
pub type TurnNo = u32;

/// A user and the name that their own token gave them; empty for one whose token the server hasn't seen yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// The name of the token (M5), at most 256 characters; empty when unknown.
    pub name: Arc<str>,
}

/// A turn that may be or was missed: named by (invitation, turn), of one callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MissedId {
    /// The invitation.
    pub invitation: InvitationId,
    /// The callee's turn in it.
    pub turn: TurnNo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_id_is_a_uuid_v7_and_reads_back() {
        let id = InvitationId::v7(0x0190_b5e4_7c1e, u128::MAX);
        let text = id.to_string();
        assert_eq!(text, "0190b5e4-7c1e-7fff-bfff-ffffffffffff");
        assert_eq!(text.parse(), Ok(id));
        assert!("0190b5e4-7c1e-7fff-bfff-fffffffffffg".parse::<InvitationId>().is_err());
        assert!("0190b5e4".parse::<InvitationId>().is_err());
    }

    // spec: E (§10): ids have at most 128 bytes
    #[test]
    fn text_ids_are_bounded() {
        assert_eq!(UserId::new(""), Err(BadId::Empty));
        assert_eq!(UserId::new(&"x".repeat(129)), Err(BadId::TooLong));
        assert_eq!(UserId::new("a\nb"), Err(BadId::Control));
        assert!(UserId::new(&"x".repeat(128)).is_ok());
    }
}
