//! Formats: the fixture of each one that was released, its refusals, and that whatever is written reads back.

mod arbitrary;
mod expected;

use super::*;
use proptest::prelude::*;
use ringback_core::step::Writes;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Debug;

/// What version 0.1.0 wrote. Never changed; an added field doesn't belong here, for its absence has to read as well.
const FORMAT_1: &str = include_str!("../../../fixtures/format-1.json");

fn fixture() -> Value {
    serde_json::from_str(FORMAT_1).unwrap()
}

fn reads<R: Stored + PartialEq + Debug>(kind: &str, expected: &[R]) {
    let fixture = fixture();
    let values = fixture[kind].as_array().unwrap();
    assert_eq!(values.len(), expected.len(), "{kind}");
    for (value, expected) in values.iter().zip(expected) {
        assert_eq!(&R::decode(1, &value.to_string()).unwrap(), expected);
        let written: Value = serde_json::from_str(&expected.encode().unwrap()).unwrap();
        assert_eq!(&written, value, "format 1 is what is written");
    }
}

// design: G12
#[test]
fn the_fixture_of_format_1_reads_as_what_it_was() {
    reads("calls", &expected::calls());
    reads("lines", &expected::lines());
    reads("requests", &expected::requests());
    reads("missed", &expected::missed());
    reads("history", &expected::history());
}

/// Gathers every name found under each field: `state` has `ringing`, …
fn names(of: &Value, field: &str, found: &mut BTreeSet<(String, String)>) {
    match of {
        Value::String(name) => {
            found.insert((field.to_owned(), name.clone()));
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, field, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            found.insert((field.to_owned(), name.clone()));
            names(value, name, found);
        }),
        _ => {}
    }
}

#[test]
fn the_fixture_of_format_1_has_every_name_in_every_place() {
    let mut found = BTreeSet::new();
    names(&fixture(), "", &mut found);
    let has = |field: &str, name: Value| {
        let name = name.as_str().unwrap().to_owned();
        assert!(found.contains(&(field.to_owned(), name.clone())), "no {field}: {name}");
    };
    macro_rules! all {
        ($($kind:ident in $($field:literal)*;)*) => {$($(
            for variant in v1::$kind::ALL {
                has($field, serde_json::to_value(v1::$kind::of(variant)).unwrap());
            }
        )*)*};
    }
    all! {
        CallType in "call_type";
        Mode in "mode";
        TurnState in "state";
        TurnKind in "kind";
        Hidden in "hidden";
        Leaving in "leaving";
        EndReason in "ended" "unanswered";
        MissedReason in "missed" "reason" "reasons";
        Direction in "direction";
        Code in "refused";
    }
    for made in ["invited", "joined", "dialed_back", "engaged"] {
        has("made", made.into());
    }
    for outcome in ["answered", "declined", "missed", "unanswered"] {
        has("outcome", outcome.into());
    }
}

#[test]
fn another_format_is_refused_whatever_the_text() {
    for format in [0, 2, u32::MAX] {
        let error = LineRecord::decode(format, "whatever").unwrap_err();
        assert!(matches!(error, FormatError::Unknown { found, known: 1 } if found == format));
    }
    let error = CallRecord::decode(2, "").unwrap_err().to_string();
    let version = env!("CARGO_PKG_VERSION");
    let says = format!(
        "it is of format 2, and ringback {version} reads format 1 alone; use the version of ringback that wrote it, or \
         a newer one"
    );
    assert_eq!(error, says);
}

#[test]
fn a_damaged_value_is_refused_saying_where() {
    let whole = expected::missed()[0].encode().unwrap();
    for (from, to) in
        [("\"no_answer\"", "\"other\""), ("\"turn\":1", "\"turn\":-1"), ("0190b5e4-", "0190b5e4"), ("}", "")]
    {
        let error = MissedCall::decode(1, &whole.replacen(from, to, 1)).unwrap_err();
        assert!(matches!(error, FormatError::Damaged { format: 1, .. }), "{from}: {error:?}");
    }
}

#[test]
fn a_field_that_is_unknown_is_passed_over() {
    let whole = expected::missed()[0].encode().unwrap();
    let later = whole.replacen('{', "{\"since_9_9\":[1,{}],", 1);
    assert_eq!(MissedCall::decode(1, &later).unwrap(), expected::missed()[0]);
}

/// A batch as 0.1.0 packed it, in hexadecimal digits: like [`FORMAT_1`], never changed.
const JOURNAL_1: &str = include_str!("../../../fixtures/journal-1.hex");

fn body() -> Vec<u8> {
    let digits: Vec<u8> = JOURNAL_1.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

// design: G12
#[test]
fn the_fixture_of_journal_1_reads_as_what_it_was() {
    let written: String = journal::pack(&expected::batch(), 300).iter().map(|byte| format!("{byte:02x}")).collect();
    // Whoever adds a field: what is written takes the next number and a fixture of its own; this one has to read on.
    assert!(written == JOURNAL_1.replace('\n', ""), "journal 1 is what is written, not {written}");
    let Writes { calls, .. } = expected::batch();
    let calls = calls.iter().map(|call| call.record().clone()).collect();
    let writes = Writes { calls: vec![], ..expected::batch() };
    assert_eq!(journal::unpack(1, &body()).unwrap(), journal::Unpacked { calls, writes, row: 300 });
}

#[test]
fn a_journal_of_another_format_is_refused_and_one_cut_or_longer_too() {
    let body = body();
    for format in [0, 2, u32::MAX] {
        let error = journal::unpack(format, &body).unwrap_err();
        assert!(matches!(error, FormatError::Unknown { found, known: 1 } if found == format));
    }
    for length in 0..body.len() {
        let error = journal::unpack(1, &body[..length]).unwrap_err();
        assert!(matches!(error, FormatError::Damaged { format: 1, .. }), "{length}: {error:?}");
    }
    assert!(journal::unpack(1, &[&body[..], &[0]].concat()).is_err());
}

#[test]
fn a_packed_struct_with_fewer_fields_has_the_others_at_their_usual_values() {
    let whole = expected::missed().remove(0);
    let mut body = Vec::new();
    v1::Missed::pack(&whole, &mut body);
    let unpack = |body: &[u8]| v1::Missed::unpack(&mut packed::Unpacking::new(body));
    body[0] -= 1;
    assert_eq!(unpack(&body[..body.len() - 1]).unwrap(), whole, "without `returned`");
    body[0] += 2;
    body.push(0);
    assert!(unpack(&body).unwrap_err().to_string().contains("more fields than are known"));
    body[0] = 2;
    assert!(unpack(&body).unwrap_err().to_string().contains("a field is missing"), "`caller` has no usual value");
}

/// Comes back from both of its forms.
fn comes_back<M: Mirror<Core: Stored + PartialEq + Debug>>(record: &M::Core) {
    let text = record.encode().unwrap();
    assert_eq!(&M::Core::decode(FORMAT, &text).unwrap(), record);
    let mut body = Vec::new();
    M::pack(record, &mut body);
    let mut from = packed::Unpacking::new(&body);
    assert_eq!(&M::unpack(&mut from).unwrap(), record);
    from.end().unwrap();
}

proptest! {
    #[test]
    fn any_call_comes_back(record in arbitrary::call()) {
        comes_back::<v1::Call>(&record);
    }

    #[test]
    fn any_line_comes_back(record in arbitrary::line()) {
        comes_back::<v1::Line>(&record);
    }

    #[test]
    fn any_request_comes_back(record in arbitrary::request()) {
        comes_back::<v1::Remembered>(&record);
    }

    #[test]
    fn any_missed_call_comes_back(record in arbitrary::missed()) {
        comes_back::<v1::Missed>(&record);
    }

    #[test]
    fn any_history_comes_back(record in arbitrary::history()) {
        comes_back::<v1::History>(&record);
    }

    /// Whatever the bytes are, unpacking them ends, and makes no room for more than they hold.
    #[test]
    fn any_damage_is_refused_or_reads_as_something(at in any::<prop::sample::Index>(), byte: u8, more in prop::collection::vec(any::<u8>(), 0..9)) {
        let mut body = body();
        let at = at.index(body.len());
        body.splice(at..(at + more.len()).min(body.len()), more);
        let at = at.min(body.len() - 1);
        body[at] = byte;
        let _ = journal::unpack(1, &body);
    }
}
