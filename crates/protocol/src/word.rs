//! The wire's words for the core's enums, and texts that stand for ids.

use crate::json::{Json, Out};
use crate::server::ByeCode;
use ringback_core::call::{CallType, EndReason, Leaving, MissedReason, Mode, TurnKind, TurnState};
use ringback_core::line::Direction;
use ringback_core::refusal::Code;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

/// An enum whose every value has one word on the wire.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// Each value and its word.
    const ALL: &'static [(Self, &'static str)];

    /// The word of a value.
    fn word(self) -> &'static str;

    /// The value of a word.
    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(value, _)| *value)
    }
}

macro_rules! words {
    ($($kind:ident { $($value:ident = $word:literal),* $(,)? })*) => { $(
        impl Word for $kind {
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$value, $word)),*];

            // Breaks the build when the core gains a value that has no word here.
            fn word(self) -> &'static str {
                match self { $(Self::$value => $word),* }
            }
        }

        impl Json for $kind {
            fn write(&self, out: &mut Out) {
                out.plain(self.word());
            }
        }
    )* };
}

words! {
    CallType { Voice = "voice", Video = "video" }
    TurnState {
        Inviting = "inviting", Ringing = "ringing", Accepted = "accepted", Left = "left", Declined = "declined",
        Busy = "busy", Cancelled = "cancelled", TimedOut = "timed_out", Unreachable = "unreachable",
    }
    TurnKind { Origin = "origin", Invited = "invited", Joined = "joined" }
    Leaving { Asked = "asked", Elsewhere = "elsewhere", Lost = "lost" }
    EndReason {
        Declined = "declined", Busy = "busy", TimedOut = "timed_out", Cancelled = "cancelled",
        Unreachable = "unreachable", Left = "left", Ended = "ended", Alone = "alone", Elsewhere = "elsewhere",
        Lost = "lost",
    }
    MissedReason {
        NoAnswer = "no_answer", Cancelled = "cancelled", Busy = "busy", DoNotDisturb = "do_not_disturb",
        Unreachable = "unreachable",
    }
    Direction { Outgoing = "outgoing", Incoming = "incoming", Joined = "joined" }
    Mode { General = "general", Advanced = "advanced" }
    Code {
        BadRequest = "bad_request", PayloadTooLarge = "payload_too_large", Unauthorized = "unauthorized",
        Forbidden = "forbidden", NotFound = "not_found", Cancelled = "cancelled", CallEnded = "call_ended",
        InvitationExpired = "invitation_expired", AnsweredElsewhere = "answered_elsewhere",
        AlreadyInvited = "already_invited", AlreadyInCall = "already_in_call",
        IncompatibleMode = "incompatible_mode", UpgradeRequired = "upgrade_required", RateLimited = "rate_limited",
        Unavailable = "unavailable", Internal = "internal",
    }
    ByeCode {
        Replaced = "replaced", Unauthorized = "unauthorized", UpgradeRequired = "upgrade_required",
        BadRequest = "bad_request", PayloadTooLarge = "payload_too_large", Slow = "slow",
        ShuttingDown = "shutting_down", Unavailable = "unavailable",
    }
}

/// A value that stands on the wire as its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named<T>(pub(crate) T);

impl<'de, T: Word> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reads<T>(PhantomData<T>);
        impl<T: Word> Visitor<'_> for Reads<T> {
            type Value = Named<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one of")?;
                T::ALL.iter().try_for_each(|(_, word)| write!(f, " {word}"))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Named<T>, E> {
                T::of(text).map(Named).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        from.deserialize_str(Reads(PhantomData))
    }
}

/// A value that stands on the wire as the text it displays: an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<T>(pub(crate) T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_cores() {
        for code in Code::ALL {
            assert_eq!(code.word(), code.as_str());
        }
    }
}
