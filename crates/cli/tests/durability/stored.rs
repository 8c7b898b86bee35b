//! What the data directory holds, read past the server.

use ringback_core::call::{CallRecord, TurnRecord};
use ringback_core::id::InvitationId;
use ringback_core::line::LineRecord;
use ringback_store::format::Stored as _;
use ringback_store::{Sqlite, Store};
use rusqlite::{Connection, OpenFlags, params};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// A look at the stored rows.
pub(crate) struct Stored {
    calls: BTreeMap<InvitationId, CallRecord>,
    /// By invitation, how many rows of missed calls.
    missed: BTreeMap<InvitationId, usize>,
    /// By invitation, how many lines of history its callee has.
    history: BTreeMap<InvitationId, usize>,
    /// By setter, the number that their do-not-disturb says.
    settings: BTreeMap<String, u64>,
}

impl Stored {
    /// Opens the store as a restart would, which nobody else may have open; then looks.
    pub(crate) fn open(dir: &Path) -> Self {
        let mut store = Sqlite::open(&dir.join("data")).unwrap();
        let running = store.running().unwrap();
        drop(store);
        let stored = Self::in_tables(&dir.join("data/ringback.db"));
        let seen = stored.calls.values().filter(|call| call.running());
        assert!(seen.eq(&running), "what runs is what isn't ended");
        stored
    }

    /// Looks while a server runs: at a copy of that moment, opened as a restart would, for what the server has not yet
    /// brought from its journal into the tables.
    pub(crate) fn beside(dir: &Path) -> Self {
        let copy = TempDir::new().unwrap();
        let file = copy.path().join("ringback.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = Connection::open_with_flags(dir.join("data/ringback.db"), flags).unwrap();
        db.execute("VACUUM INTO ?1", [file.to_str().unwrap()]).unwrap();
        drop(Sqlite::open(copy.path()).unwrap());
        Self::in_tables(&file)
    }

    fn in_tables(file: &Path) -> Self {
        let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let tx = db.unchecked_transaction().unwrap(); // one moment for all tables
        let mut calls = BTreeMap::new();
        let mut statement = tx.prepare("SELECT format, body FROM calls").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
        for (format, body) in rows.map(Result::unwrap) {
            let call = CallRecord::decode(format, &body).unwrap();
            calls.insert(call.id, call);
        }
        let count = |sql: &str| -> BTreeMap<InvitationId, usize> {
            let mut statement = tx.prepare(sql).unwrap();
            let rows = statement.query_map(params![], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?)));
            let rows = rows.unwrap().map(Result::unwrap);
            rows.map(|(id, n)| (InvitationId(u128::from_be_bytes(id)), n as usize)).collect()
        };
        let missed = count("SELECT invitation, count(*) FROM missed GROUP BY invitation");
        let of_callees = "SELECT invitation, count(*) FROM history WHERE user LIKE 'callee-%' GROUP BY invitation";
        let history = count(of_callees);
        let mut settings = BTreeMap::new();
        let mut statement = tx.prepare("SELECT format, body FROM lines WHERE user LIKE 'setter-%'").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
        for (format, body) in rows.map(Result::unwrap) {
            let line = LineRecord::decode(format, &body).unwrap();
            let says = line.do_not_disturb.iter().flat_map(|set| &set.let_through);
            let number = says.filter_map(|name| name.as_str().strip_prefix("n-")?.parse().ok()).next();
            settings.insert(line.person.id.to_string(), number.unwrap_or(0));
        }
        Self { calls, missed, history, settings }
    }

    /// Which of their settings a setter's line holds; 0 before the first.
    pub(crate) fn setting(&self, number: usize) -> u64 {
        self.settings.get(&format!("setter-{number}")).copied().unwrap_or(0)
    }

    /// The callee's turn in a one-to-one call.
    pub(crate) fn callee_turn(&self, invitation: InvitationId) -> Option<&TurnRecord> {
        let call = self.calls.get(&invitation)?;
        let [_, callee] = &call.participants[..] else { panic!("{invitation} is one-to-one") };
        let [turn] = &callee.turns[..] else { panic!("{invitation} has {} turns", callee.turns.len()) };
        Some(turn)
    }

    /// Every call's callee, by number, and their turn.
    pub(crate) fn turns(&self) -> impl Iterator<Item = (InvitationId, usize, &TurnRecord)> {
        self.calls.values().filter_map(|call| {
            let number = call.participants[1].person.id.as_str().strip_prefix("callee-")?.parse().ok()?;
            Some((call.id, number, self.callee_turn(call.id)?))
        })
    }

    /// The deadline of each turn that waits for an answer.
    pub(crate) fn pending(&self) -> BTreeMap<InvitationId, u64> {
        let waiting = self.turns().filter(|(_, _, turn)| turn.state.pending());
        waiting.map(|(invitation, _, turn)| (invitation, turn.deadline.0)).collect()
    }

    /// How many missed calls there are of an invitation.
    pub(crate) fn missed_once(&self, invitation: InvitationId) -> usize {
        self.missed.get(&invitation).copied().unwrap_or(0)
    }

    /// How many lines of history an invitation's callee has.
    pub(crate) fn history_of_callee(&self, invitation: InvitationId) -> usize {
        self.history.get(&invitation).copied().unwrap_or(0)
    }
}
