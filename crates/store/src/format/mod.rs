//! How a record becomes stored text and comes back (G12, K8).
//!
//! A value is stored as JSON, beside the number of its format. JSON, because the data belong to the operator: the
//! `sqlite3` shell and its `->>` read them without Ringback, a fixture of a released format is a text that a reviewer
//! can read, and a field can be added without a new number as long as its absence means what it always meant. Fields
//! at their usual value are left out, which brings a ringing one-to-one call to 690 bytes.
//!
//! A commit writes none of that: it appends one row to the journal, whose body has the batch's records one after the
//! other without names ([`mod@journal`]), and a record becomes text when it reaches its table, a second later or with
//! hundreds of others, in its newest version alone. A body lives as long, or, on a busy server, some seconds, and
//! nobody but Ringback reads it, after a crash; so it is made for size and speed: a ringing call has a quarter of its text's bytes.
//!
//! The rules: a format that was released is never changed but by such an added field, its fixture stays, and what an
//! older reader must not overlook takes the next number. A release reads the format it writes and the one before. The
//! same holds for the journal, with one difference: a field is added at its struct's end, and takes the next number.

pub mod journal;
mod mirror;
mod packed;
mod v1;

use mirror::Mirror;
use ringback_core::call::CallRecord;
use ringback_core::line::{HistoryRecord, LineRecord, MissedCall, Remembered};
use std::error::Error;

/// The number of the format that is written.
pub const FORMAT: u32 = 1;

/// Why a stored value can't be read or made.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It is of a format that this version doesn't know.
    #[error(
        "it is of format {found}, and ringback {} reads format {known} alone; use the version of ringback that wrote \
         it, or a newer one", env!("CARGO_PKG_VERSION")
    )]
    Unknown {
        /// The value's format.
        found: u32,
        /// The format that is read.
        known: u32,
    },
    /// It isn't what its format says.
    #[error("it is damaged: not what format {format} says")]
    Damaged {
        /// The value's format.
        format: u32,
        /// Where and why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It couldn't be made into text.
    #[error("it has no form in format {FORMAT}")]
    Unwritable(#[source] serde_json::Error),
}

/// A record that has a stored form.
pub trait Stored: Sized {
    /// The record in format [`FORMAT`].
    fn encode(&self) -> Result<String, FormatError>;
    /// The record from a text of the format `format`.
    fn decode(format: u32, text: &str) -> Result<Self, FormatError>;
}

macro_rules! stored {
    ($($record:ty: $v1:ty,)*) => {$(
        impl Stored for $record {
            fn encode(&self) -> Result<String, FormatError> {
                write(&<$v1>::of(self))
            }
            fn decode(format: u32, text: &str) -> Result<Self, FormatError> {
                match format {
                    1 => match serde_json::from_str::<$v1>(text) {
                        Ok(value) => Ok(value.into_core()),
                        Err(source) => Err(FormatError::Damaged { format, source: source.into() }),
                    },
                    found => Err(FormatError::Unknown { found, known: FORMAT }),
                }
            }
        }
    )*};
}

/// Room for most values from the start: a one-to-one call has some 900 bytes once it was answered.
const USUAL_BYTES: usize = 1024;

fn write(value: &impl serde::Serialize) -> Result<String, FormatError> {
    let mut text = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut text, value).map_err(FormatError::Unwritable)?;
    String::from_utf8(text).map_err(|error| FormatError::Unwritable(serde::ser::Error::custom(error)))
}

stored! {
    CallRecord: v1::Call,
    LineRecord: v1::Line,
    MissedCall: v1::Missed,
    Remembered: v1::Remembered,
    HistoryRecord: v1::History,
}

#[cfg(test)]
mod tests;
