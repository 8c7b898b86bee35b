//! Keys, one at a time: of the terminal, or the letters of an input that is none.

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use std::io::{IsTerminal, Read};
use tokio::sync::mpsc;

/// Keys pressed and not yet looked at; whoever holds one down waits.
const AHEAD: usize = 16;

/// A key, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A letter, in lower case.
    Letter(char),
    /// Ctrl-C.
    Interrupt,
}

/// The keys; while they are there, the terminal gives each as it is pressed and shows none.
pub(super) struct Keys {
    from: mpsc::Receiver<Key>,
    raw: bool,
    over: bool,
}

impl Keys {
    /// `each`: as they are pressed, where the input is a terminal; else line by line.
    pub(super) fn new(each: bool) -> Self {
        let (to, from) = mpsc::channel(AHEAD);
        let raw = each && std::io::stdin().is_terminal() && enable_raw_mode().is_ok();
        std::thread::spawn(move || if raw { terminal(&to) } else { letters(&to) });
        Self { from, raw, over: false }
    }

    /// Whether somebody sits before it.
    pub(super) fn terminal(&self) -> bool {
        self.raw
    }

    /// The next key, or Ctrl-C from wherever; waits for ever when there are no more.
    pub(super) async fn next(&mut self) -> Key {
        loop {
            tokio::select! {
                key = self.from.recv(), if !self.over => match key {
                    Some(key) => return key,
                    None => self.over = true,
                },
                _ = tokio::signal::ctrl_c() => return Key::Interrupt,
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if self.raw {
            // The terminal may be gone, and then nothing is left to mend.
            let _ = disable_raw_mode();
        }
    }
}

fn terminal(to: &mpsc::Sender<Key>) {
    while let Ok(event) = read() {
        let Event::Key(key) = event else { continue };
        let key = match key.code {
            _ if key.kind == KeyEventKind::Release => continue,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
            KeyCode::Char(letter) => Key::Letter(letter.to_ascii_lowercase()),
            _ => continue,
        };
        if to.blocking_send(key).is_err() {
            return;
        }
    }
}

fn letters(to: &mpsc::Sender<Key>) {
    for byte in std::io::stdin().lock().bytes() {
        let Ok(byte) = byte else { return };
        if byte.is_ascii_alphabetic() && to.blocking_send(Key::Letter(char::from(byte.to_ascii_lowercase()))).is_err() {
            return;
        }
    }
}
