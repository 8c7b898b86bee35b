//! What is said in the terminal: lines for people over a line of how things stand, or objects for scripts.

use ringback_client::{Call, CallType, CallUser, Outcome, TurnState, display_name};
use serde_json::Value;
use std::fmt::{Debug, Write as _};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Where it is said.
pub(super) struct Screen {
    json: bool,
    /// Someone watches: a line can be written over.
    live: bool,
    /// The terminal leaves the return to us.
    raw: bool,
    standing: String,
}

impl Screen {
    pub(super) fn new(json: bool, raw: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { json, live: !json && terminal, raw: raw && terminal, standing: String::new() }
    }

    /// Whether somebody watches, who is told how things stand in the last line.
    pub(super) fn live(&self) -> bool {
        self.live
    }

    /// Says a line to people.
    pub(super) fn line(&mut self, text: &str) {
        if !self.json {
            self.put(&harmless(text));
        }
    }

    /// Says an object to scripts.
    pub(super) fn object(&mut self, object: &Value) {
        if self.json {
            self.put(&object.to_string());
        }
    }

    /// Rings the terminal's bell, where somebody watches.
    pub(super) fn bell(&self) {
        if self.live {
            self.write("\x07");
        }
    }

    /// Says how things stand, in the last line, where somebody watches.
    pub(super) fn standing(&mut self, text: String) {
        // A line that wraps can't be written over.
        let width = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns)).saturating_sub(1);
        let text = harmless(&text).chars().take(width).collect();
        if self.live && text != self.standing {
            self.standing = text;
            self.write(&format!("\r\x1b[K{}", self.standing));
        }
    }

    fn put(&mut self, text: &str) {
        let end = if self.raw { "\r\n" } else { "\n" };
        if self.live {
            self.write(&format!("\r\x1b[K{text}{end}{}", self.standing));
        } else {
            self.write(&format!("{text}{end}"));
        }
    }

    fn write(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // Nobody reads any more: the next signal or key ends it.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.live && !self.standing.is_empty() {
            self.write("\r\x1b[K");
        }
    }
}

/// A text of somebody else's, without what moves the cursor or turns the direction of what follows.
fn harmless(text: &str) -> String {
    let plain = |letter: char| match letter {
        '\n' | '\r' | '\t' => ' ',
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    };
    text.chars().map(plain).collect()
}

/// The app's own text in a line, as far as it fits there.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let text = text.trim();
    let more = if text.chars().count() > LONGEST { "…" } else { "" };
    format!("\"{}{more}\"", text.chars().take(LONGEST).collect::<String>())
}

/// A name in Rust as the wire spells it: `NoAnswer` is `no_answer`.
pub(super) fn word(name: impl Debug) -> String {
    let mut word = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

/// The same for people: `no answer`.
pub(super) fn words(name: impl Debug) -> String {
    word(name).replace('_', " ")
}

/// `video call`, `group voice call`.
pub(super) fn kind(call_type: CallType, group: bool) -> String {
    format!("{}{} call", if group { "group " } else { "" }, word(call_type))
}

pub(super) fn names(users: &[CallUser]) -> String {
    users.iter().map(display_name).collect::<Vec<_>>().join(", ")
}

/// Names in a line, those past the third as a number; `more` are not among them.
fn few(people: &[&CallUser], more: usize) -> String {
    const NAMED: usize = 3;
    let mut line = people.iter().take(NAMED).map(|person| display_name(person)).collect::<Vec<_>>().join(", ");
    let rest = people.len().saturating_sub(NAMED) + more;
    if rest > 0 {
        line += &format!(" and {rest} more");
    }
    line
}

/// With whom one is in the call; else whom it rings; else nobody.
pub(super) enum Company {
    With(String),
    Rings(String),
    Alone,
}

/// How a call that one is in stands.
pub(super) fn company(call: &Call) -> Company {
    let who = |states: &[TurnState]| -> Vec<&CallUser> {
        let now =
            |turns: &[ringback_core::call::OtherTurn]| turns.last().is_some_and(|turn| states.contains(&turn.state));
        call.others.iter().filter(|other| now(&other.turns)).map(|other| &other.person).collect()
    };
    let (here, rung) = (who(&[TurnState::Accepted]), who(&[TurnState::Inviting, TurnState::Ringing]));
    let unlisted = (call.others_count as usize).saturating_sub(call.others.len());
    if call.in_call > 1 {
        let others = call.in_call as usize - 1;
        Company::With(few(&here, others.saturating_sub(here.len())))
    } else if !rung.is_empty() {
        Company::Rings(few(&rung, 0))
    } else if unlisted > 0 {
        // Of a crowd those who changed last are listed; the others may ring still.
        Company::Rings(format!("{unlisted} more"))
    } else {
        Company::Alone
    }
}

/// How long ago, or how long still: `42 s`, `5 min`, `3 h`, `2 days`.
pub(super) fn about(span: Duration) -> String {
    let rounded = |unit: u64| (span.as_secs() + unit / 2) / unit;
    match span.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", rounded(60)),
        7200..172_800 => format!("{} h", rounded(3600)),
        _ => format!("{} days", rounded(86_400)),
    }
}

/// How long a call lasted: `0:42`, `1:02:03`.
pub(super) fn clock(span: Duration) -> String {
    let (minutes, seconds) = (span.as_secs() / 60, span.as_secs() % 60);
    match minutes / 60 {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{:02}:{seconds:02}", minutes % 60),
    }
}

/// How a past call came out, and why.
pub(super) fn outcome(outcome: Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Answered => ("answered", None),
        Outcome::Declined => ("declined", None),
        Outcome::Missed(reason) => ("missed", Some(word(reason))),
        Outcome::Unanswered(reason) => ("unanswered", Some(word(reason))),
    }
}

/// Lines under each other, in columns.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a text can't fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(harmless(line.trim_end()).as_str());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_on_the_wire() {
        assert_eq!(word(ringback_client::MissedReason::DoNotDisturb), "do_not_disturb");
        assert_eq!(words(ringback_client::EndReason::TimedOut), "timed out");
    }

    #[test]
    fn what_others_write_moves_no_cursor_and_has_an_end() {
        assert_eq!(harmless("a\n\u{1b}[2Jb\u{202e}c\u{9b}"), "a \u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(harmless("Zoë 日本 👋"), "Zoë 日本 👋");
        assert_eq!(quoted(" lunch? "), "\"lunch?\"");
        assert_eq!(quoted(&"é".repeat(61)), format!("\"{}…\"", "é".repeat(60)));
        let rows = [vec!["a\u{7}b".to_owned()]];
        assert_eq!(table(&rows), "a\u{fffd}b\n");
    }

    #[test]
    fn spans_are_said_as_people_do() {
        assert_eq!(about(Duration::from_secs(119)), "119 s");
        assert_eq!(about(Duration::from_secs(600)), "10 min");
        assert_eq!(about(Duration::from_secs(8 * 3600 - 1)), "8 h");
        assert_eq!(about(Duration::from_secs(3 * 86_400)), "3 days");
    }

    #[test]
    fn lengths_are_read_off_a_clock() {
        assert_eq!([42, 600, 3723].map(|seconds| clock(Duration::from_secs(seconds))), ["0:42", "10:00", "1:02:03"]);
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(table(&rows), "a    b\nccc  d\n");
    }
}
