//! How a batch's writes become the body of a row of the journal, and come back (G12).

use super::mirror::{Id, Mirror, Shared};
use super::packed::{Unpacking, Unreadable, length, number};
use super::{FormatError, v1};
use ringback_core::call::CallRecord;
use ringback_core::id::UserId;
use ringback_core::step::Writes;

/// The number of the journal's format that is written. An added field takes the next one too, for an older reader can't
/// pass it over; who knows more fields reads a body that has fewer.
pub const JOURNAL: u32 = 1;

/// Requests as they are packed, each with its user.
type Requests = Vec<(Id<UserId>, Shared<v1::Remembered>)>;
/// Missed calls as they are packed, each with its user.
type Missed = Vec<(Id<UserId>, v1::Missed)>;
/// Missed calls that are handled, as they are packed.
type Handled = Vec<(Id<UserId>, v1::MissedId)>;
/// Lines of history as they are packed.
type History = Vec<v1::History>;

/// What a row of the journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The batch's calls as they were packed, nothing checked: whoever takes one up holds it to its invariants
    /// (`Call::from_record`), like one from the tables.
    pub calls: Vec<CallRecord>,
    /// The rest of the batch.
    pub writes: Writes,
    /// The first of its rows of history.
    pub row: u64,
}

/// A batch in format [`JOURNAL`], its history as the rows from `row` on.
pub fn pack(writes: &Writes, row: u64) -> Vec<u8> {
    let Writes { calls, lines, requests, missed, handled, history, outbox: _ } = writes;
    let mut body = Vec::with_capacity(1 << 10);
    length(calls.len(), &mut body);
    calls.iter().for_each(|call| v1::Call::pack(call.record(), &mut body));
    length(lines.len(), &mut body);
    lines.iter().for_each(|line| v1::Line::pack(line, &mut body));
    Requests::pack(requests, &mut body);
    Missed::pack(missed, &mut body);
    Handled::pack(handled, &mut body);
    number(row, &mut body);
    History::pack(history, &mut body);
    body
}

/// A batch from a body of the format `format`.
pub fn unpack(format: u32, body: &[u8]) -> Result<Unpacked, FormatError> {
    if format != JOURNAL {
        return Err(FormatError::Unknown { found: format, known: JOURNAL });
    }
    whole(&mut Unpacking::new(body)).map_err(|source| FormatError::Damaged { format, source: source.into() })
}

fn whole(from: &mut Unpacking<'_>) -> Result<Unpacked, Unreadable> {
    let calls = from.list(v1::Call::unpack)?;
    let mut writes = Writes {
        lines: from.list(|from| v1::Line::unpack(from).map(Into::into))?,
        requests: Requests::unpack(from)?,
        missed: Missed::unpack(from)?,
        handled: Handled::unpack(from)?,
        ..Writes::default()
    };
    let row = row(from)?;
    writes.history = History::unpack(from)?;
    from.end()?;
    Ok(Unpacked { calls, writes, row })
}

/// A row's number: half of what a table can have is more than are ever written.
fn row(from: &mut Unpacking<'_>) -> Result<u64, Unreadable> {
    let row = from.number()?;
    if row < 1 << 62 { Ok(row) } else { Err(from.wrong("a row's number is too large")) }
}
