//! What is said in the terminal: lines for people over a line of how things stand, or objects for scripts.

use ringback_client::{Call, CallType, CallUser, Outcome, TurnState, display_name};
use serde_json::Value;
use std::fmt::{Debug, Write as _};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// The key that leaves a call.
pub(super) const HANG_UP: &str = "h hang up";

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
        if self.json {
            return;
        }
        match width() {
            Some(width) if self.live => wrapped(&[text], width).iter().for_each(|line| self.put(line)),
            _ => self.put(&harmless(text)),
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
    pub(super) fn standing(&mut self, standing: &Standing) {
        // A line that wraps can't be written over.
        let text = standing.within(width().unwrap_or(80).saturating_sub(1));
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

/// The columns of the terminal, where it is said to one.
fn width() -> Option<usize> {
    let (columns, _) = crossterm::terminal::size().ok().filter(|_| std::io::stdout().is_terminal())?;
    Some(usize::from(columns)).filter(|columns| *columns > 0)
}

/// How things stand, in one line.
pub(super) struct Standing {
    /// What is so, what matters most first.
    facts: Vec<String>,
    /// What each key does, after its letter.
    keys: Vec<String>,
}

impl Standing {
    pub(super) fn new<F: Into<String>, K: Into<String>>(
        facts: impl IntoIterator<Item = F>,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        let keys = keys.into_iter().map(Into::into).collect();
        Self { facts: facts.into_iter().map(Into::into).collect(), keys }
    }

    /// In so many columns: the keys stand longest, what is so gives way first.
    fn within(&self, width: usize) -> String {
        const BETWEEN: &str = " · ";
        let keys = self.keys.join(BETWEEN);
        for facts in (1..=self.facts.len()).rev() {
            let line = format!("{}{BETWEEN}{keys}", self.facts[..facts].join(BETWEEN));
            if line.chars().count() <= width {
                return harmless(&line);
            }
        }
        // `b call Alice back` is `b call`.
        let short = |key: &String| key.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let keys = self.keys.iter().map(short).collect::<Vec<_>>().join(BETWEEN);
        let fact = self.facts.first().map_or("", String::as_str);
        let room = width.saturating_sub(keys.chars().count() + BETWEEN.chars().count());
        let line = match fact.chars().count() {
            count if count <= room => format!("{fact}{BETWEEN}{keys}"),
            _ if room > 1 => format!("{}…{BETWEEN}{keys}", fact.chars().take(room - 1).collect::<String>()),
            _ => keys.chars().take(width).collect(),
        };
        harmless(&line)
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

/// Cells in lines of so many columns, broken between words; what goes on is set in.
fn wrapped(cells: &[impl AsRef<str>], width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut columns = 0;
    for cell in cells {
        for (no, word) in harmless(cell.as_ref()).split(' ').filter(|word| !word.is_empty()).enumerate() {
            let gap = if columns == 0 {
                ""
            } else if no == 0 {
                "  "
            } else {
                " "
            };
            let count = word.chars().count();
            if columns > 0 && columns + gap.len() + count > width {
                lines.push(format!("  {word}"));
                columns = 2 + count;
            } else if let Some(line) = lines.last_mut() {
                line.push_str(gap);
                line.push_str(word);
                columns += gap.len() + count;
            }
        }
    }
    lines
}

/// Lines under each other, in columns; where the terminal has too few, each line by its words.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    columns(rows, width().unwrap_or(usize::MAX))
}

fn columns(rows: &[Vec<String>], room: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    if widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1) > room {
        return rows.iter().flat_map(|row| wrapped(row, room)).fold(String::new(), |text, line| text + &line + "\n");
    }
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
    fn in_a_narrow_terminal_the_keys_stand_longest() {
        let rings = Standing::new(["Alice rings", "voice call", "42 s"], ["a accept", "d decline"]);
        assert_eq!(rings.within(79), "Alice rings · voice call · 42 s · a accept · d decline");
        assert_eq!(rings.within(48), "Alice rings · voice call · a accept · d decline");
        assert_eq!(rings.within(37), "Alice rings · a accept · d decline");
        assert_eq!(rings.within(30), "Alice … · a accept · d decline");
        assert_eq!(rings.within(12), "a accept · d");
        let missed = Standing::new(["1 missed"], ["b call Alice back", "x dismiss", "q quit"]);
        assert_eq!(missed.within(38), "1 missed · b call · x dismiss · q quit");
        assert_eq!(missed.within(37), "1 miss… · b call · x dismiss · q quit");
    }

    #[test]
    fn lines_break_between_words() {
        let row = ["from Alice", "voice call", "missed: no answer", "9 s ago"].map(str::to_owned);
        assert_eq!(columns(&[row.to_vec()], 40), "from Alice  voice call  missed: no\n  answer  9 s ago\n");
        assert_eq!(columns(&[row.to_vec()], 80), "from Alice  voice call  missed: no answer  9 s ago\n");
        assert_eq!(wrapped(&["listening at http://127.0.0.1:8787"], 20), ["listening at", "  http://127.0.0.1:8787"]);
        assert_eq!(wrapped(&[""], 20), [""]);
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(table(&rows), "a    b\nccc  d\n");
    }
}
