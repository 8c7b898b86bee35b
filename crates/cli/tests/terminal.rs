//! A user's device in the terminal: keys and screens in a real one (tmux), and one object a line for scripts.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const RINGBACK: &str = env!("CARGO_BIN_EXE_ringback");
/// How long a test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A development server of the test's own.
struct Server {
    child: Child,
    address: String,
    place: tempfile::TempDir,
    /// Read to its end: a server that nobody hears can't go on speaking.
    _says: Receiver<String>,
}

impl Server {
    fn start() -> Self {
        Self::at("127.0.0.1:0", tempfile::tempdir().unwrap())
    }

    /// Ends without a word.
    fn die(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts where it was, with what it had.
    fn again(&mut self) {
        let place = std::mem::replace(&mut self.place, tempfile::tempdir().unwrap());
        *self = Self::at(self.address.strip_prefix("http://").unwrap(), place);
    }

    fn at(address: &str, place: tempfile::TempDir) -> Self {
        let mut child = Command::new(RINGBACK)
            .env_clear()
            .args(["serve", "--listen", address, "--data"])
            .arg(place.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let says = lines(BufReader::new(child.stdout.take().unwrap()));
        let address = loop {
            let line = says.recv_timeout(PATIENCE).unwrap();
            if let Some((_, rest)) = line.split_once("http://") {
                break format!("http://{}", rest.split('/').next().unwrap());
            }
        };
        Self { child, address, place, _says: says }
    }

    /// The binary as somebody's device, with nothing of this machine's environment.
    fn ringback(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RINGBACK);
        command.env_clear().env("XDG_STATE_HOME", self.place.path()).env("RINGBACK_SERVER", &self.address);
        command.args(arguments);
        command
    }

    /// What a command says, object by object; and whether it went well.
    fn objects(&self, arguments: &[&str]) -> (Vec<Value>, bool) {
        let output = self.ringback(arguments).arg("--json").stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.success())
    }

    /// A command that goes on, and what it says.
    fn goes_on(&self, arguments: &[&str]) -> Talk {
        let mut command = self.ringback(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let says = lines(BufReader::new(child.stdout.take().unwrap()));
        let keys = child.stdin.take().unwrap();
        Talk { child, keys, says }
    }

    fn terminal(&self, arguments: &str) -> Terminal {
        Terminal::run(self, arguments, 80)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they come, each in time or not at all.
fn lines(from: impl BufRead + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in from.split(b'\n') {
            let Ok(line) = line else { return };
            if to.send(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// A command whose input and output are pipes.
struct Talk {
    child: Child,
    keys: ChildStdin,
    says: Receiver<String>,
}

impl Talk {
    fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.says.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("waited in vain for {what}"));
            if wanted(&line) {
                return line;
            }
        }
    }

    fn event(&self, name: &str) -> Value {
        let is = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"] == name;
        serde_json::from_str(&self.until(name, is)).unwrap()
    }

    fn press(&mut self, key: &str) {
        self.keys.write_all(key.as_bytes()).unwrap();
    }

    fn ends(mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

/// A real terminal: tmux, which says when its screen changes.
struct Terminal {
    tmux: Child,
    orders: ChildStdin,
    says: Receiver<String>,
}

impl Terminal {
    fn run(server: &Server, arguments: &str, columns: u32) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let socket = server.place.path().join(format!("tmux-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let inside = format!(
            "RINGBACK_SERVER={} XDG_STATE_HOME={} {RINGBACK} {arguments}; echo it ended; read end",
            server.address,
            server.place.path().display(),
        );
        let mut tmux = Command::new("tmux")
            .env_remove("TMUX")
            .env("LC_ALL", "C.UTF-8")
            .arg("-S")
            .arg(&socket)
            .args(["-f", "/dev/null", "-C", "new-session", "-x", &columns.to_string(), "-y", "20", "sh", "-c", &inside])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("tmux: {error}"));
        let says = lines(BufReader::new(tmux.stdout.take().unwrap()));
        let orders = tmux.stdin.take().unwrap();
        let terminal = Self { tmux, orders, says };
        terminal.said(|line| line.starts_with("%session-changed"));
        terminal
    }

    fn said(&self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.says.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the screen stands still"));
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Gives an order, and what tmux answers; whether the screen changed meanwhile.
    fn order(&mut self, order: &str) -> (String, bool) {
        writeln!(self.orders, "{order}").unwrap();
        let (mut changed, mut answer, mut within) = (false, String::new(), false);
        loop {
            let line = self.said(|_| true);
            match line.split(' ').next().unwrap_or_default() {
                "%begin" => within = true,
                "%end" | "%error" if within => return (answer, changed),
                _ if within => answer += &(line + "\n"),
                "%output" => changed = true,
                _ => {}
            }
        }
    }

    fn screen(&mut self) -> (String, bool) {
        self.order("capture-pane -p")
    }

    /// Waits until the screen shows this; each change is looked at.
    fn shows(&mut self, text: &str) -> String {
        loop {
            let (screen, changed) = self.screen();
            if screen.contains(text) {
                return screen;
            }
            if !changed {
                let said = self.says.recv_timeout(PATIENCE);
                said.unwrap_or_else(|_| panic!("waited in vain for {text:?} on\n{screen}"));
            }
        }
    }

    fn press(&mut self, key: &str) {
        self.order(&format!("send-keys {key}"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = writeln!(self.orders, "kill-server");
        let _ = self.tmux.wait();
    }
}

// spec: S4, S12, M5, D1, D4: the story of one to one, in two terminals
#[test]
fn two_terminals_ring_miss_call_back_and_answer() {
    let server = Server::start();
    let mut bob = server.terminal("listen --as bob");
    bob.shows("waiting for calls");
    let mut alice = server.terminal("call bob --as alice --timeout 2 --video --custom-data 'lunch?'");
    bob.shows("Alice rings, video call: \"lunch?\"");
    let ringing = bob.shows("a accept");
    assert!(
        ringing.contains("Alice rings · video call · ") && ringing.contains(" s · a accept · d decline"),
        "{ringing}"
    );
    alice.shows("it rings at Bob's");
    bob.shows("missed: Alice, video call · b calls back");
    bob.shows("1 missed · b call Alice back");
    let over = alice.shows("it ended");
    assert!(over.contains("Bob didn't answer") && over.contains("nobody answered"), "{over}");
    drop(alice);

    let mut alice = server.terminal("listen --as alice --auto accept");
    alice.shows("waiting for calls");
    bob.press("b");
    alice.shows("in the call with Bob");
    bob.shows("Alice answered");
    bob.shows("in the call with Alice · h hang up");
    bob.press("h");
    alice.shows("Bob hung up after 0:");
    bob.shows("You hung up after 0:");
    bob.shows("waiting for calls");
    bob.press("q");
    bob.shows("it ended");
    // The terminal is as it was: what is typed shows.
    bob.press("typed");
    bob.shows("typed");
}

// spec: S4, S10, M5, D5, L6: the story of a group, in three terminals
#[test]
fn three_terminals_ring_miss_join_late_and_part() {
    let server = Server::start();
    let mut bob = server.terminal("listen --as bob");
    let mut carol = server.terminal("listen --as carol");
    bob.shows("waiting for calls");
    carol.shows("waiting for calls");
    let mut alice = server.terminal("call bob carol --as alice --timeout 5 --video");
    alice.shows("calling Bob, Carol (video)");
    bob.shows("Alice rings · group video call · ");
    carol.shows("Alice rings · group video call · ");
    carol.press("a");
    alice.shows("Carol answered");
    carol.shows("in the call with Alice · h hang up");
    alice.shows("Bob didn't answer");
    bob.shows("missed: Alice, group video call · b joins");
    bob.shows("1 missed · b join Alice's call · x dismiss · q quit");
    bob.press("b");
    alice.shows("Bob is in the call");
    carol.shows("Bob is in the call");
    // Whose state changed last comes first.
    alice.shows("in the call with Bob, Carol · h hang up");
    bob.shows("in the call with Carol, Alice · h hang up");
    carol.shows("in the call with Bob, Alice · h hang up");
    alice.press("h");
    let over = alice.shows("it ended");
    assert!(over.contains("You hung up after 0:"), "{over}");
    bob.shows("Alice left");
    carol.press("h");
    bob.shows("alone in the call");
    carol.shows("waiting for calls");
    bob.press("h");
    bob.shows("waiting for calls");
}

// spec: L6, L4, M1
#[test]
fn a_group_that_nobody_answers_says_so_and_can_be_called_off() {
    let server = Server::start();
    let mut bob = server.terminal("listen --as bob --auto decline");
    bob.shows("waiting for calls");
    let mut alice = server.terminal("call bob carol --as alice --timeout 2");
    alice.shows("Bob declined");
    alice.shows("carol didn't answer");
    alice.shows("nobody is in the call; for a minute, whoever missed it can still join");
    alice.press("C-c");
    let over = alice.shows("it ended");
    assert!(over.contains("nobody answered"), "{over}");
}

// spec: M4, D5: a group that is over can't be joined, and is dismissed all the same
#[test]
fn a_missed_group_that_is_over_is_dismissed_by_a_key() {
    let server = Server::start();
    let mut bob = server.terminal("listen --as bob");
    bob.shows("waiting for calls");
    let mut alice = server.terminal("call bob carol --as alice");
    bob.shows("Alice rings, group voice call");
    alice.press("h");
    bob.shows("1 missed · x dismiss · q quit");
    bob.press("x");
    bob.shows("dismissed: Alice, group voice call");
    bob.shows("waiting for calls");
    bob.press("x");
    bob.shows("nothing missed");

    assert!(!server.objects(&["call", "bob", "--as", "alice", "--timeout", "1"]).1);
    let missed = server.ringback(&["missed", "--as", "bob", "--dismiss"]).output().unwrap();
    let missed = String::from_utf8(missed.stdout).unwrap();
    assert!(missed.starts_with("Alice  voice call") && missed.ends_with("\n1 dismissed\n"), "{missed}");
}

// spec: L4, S8
#[test]
fn a_key_declines_and_another_calls_it_off() {
    let server = Server::start();
    let mut bob = server.terminal("listen --as bob");
    bob.shows("waiting for calls");
    let mut alice = server.terminal("call bob --as alice");
    bob.shows("d decline");
    bob.press("d");
    alice.shows("Bob declined");
    let over = alice.shows("it ended");
    assert!(!over.contains("the call is over"), "it was said already:\n{over}");
    drop(alice);
    let mut alice = server.terminal("call bob --as alice --timeout 60");
    bob.shows("d decline");
    alice.shows("ringing · ");
    alice.press("C-c");
    let over = alice.shows("it ended");
    assert!(over.contains("You called it off"), "{over}");
    bob.shows("missed: Alice, voice call");
}

// spec: S6, L8: who takes one of two calls has told the other's caller
#[test]
fn who_takes_one_of_two_calls_reads_what_the_other_was_told() {
    let server = Server::start();
    let mut bob = server.terminal("listen --as bob");
    bob.shows("waiting for calls");
    let mut alice = server.terminal("call bob --as alice");
    bob.shows("Alice rings, voice call");
    let mut carol = server.terminal("call bob --as carol");
    bob.shows("Carol rings, voice call");
    bob.press("a");
    bob.shows("Carol was told that you are in another call");
    let told = bob.shows("in the call with Alice");
    assert!(!told.contains("another device"), "{told}");
    carol.shows("Bob is busy");
    alice.shows("Bob answered");
}

// spec: N1, L9: an outage while it rings
#[test]
fn what_a_key_asks_for_in_an_outage_is_done_when_the_server_is_back() {
    let mut server = Server::start();
    let mut bob = server.terminal("listen --as bob");
    bob.shows("waiting for calls");
    let mut alice = server.terminal("call bob --as alice --timeout 300");
    alice.shows("it rings at Bob's");
    bob.shows("a accept");
    server.die();
    alice.shows("reconnecting… · h hang up");
    bob.shows(" · reconnecting… · a accept");
    bob.press("a");
    bob.shows("answering when the connection is back");
    server.again();
    bob.shows("connected again");
    bob.shows("in the call with Alice");
    alice.shows("in the call with Bob");
    server.die();
    alice.shows("reconnecting… · h hang up");
    alice.press("h");
    alice.shows("hanging up when the connection is back");
    alice.press("C-c");
    alice.shows("it ended");
}

#[test]
fn a_narrow_terminal_shows_the_keys_and_whole_words() {
    let server = Server::start();
    let mut bob = Terminal::run(&server, "listen --as bob", 38);
    bob.shows("waiting for calls");
    let mut alice = server.terminal("call bob --as alice");
    bob.shows("Alice rings · a accept · d decline");
    alice.press("h");
    bob.shows("· b call · x dismiss · q quit");
    let mut history = Terminal::run(&server, "history --as bob", 38);
    let shown = history.shows("it ended");
    assert!(shown.contains("from Alice  voice call  missed:\n  cancelled  "), "{shown}");
}

fn fields(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// The fields that docs/command-line.md gives to a row.
fn documented(row: &str) -> BTreeSet<String> {
    let page = include_str!("../../../docs/command-line.md");
    let line = page.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap();
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn scripts_are_told_one_object_a_line() {
    let server = Server::start();
    let bob = server.goes_on(&["listen", "--as", "bob", "--json", "--auto", "accept"]);
    while bob.event("connection_state_changed")["state"] != "connected" {}
    let mut alice =
        server.goes_on(&["call", "bob", "--as", "alice", "--json", "--custom-data", "{}", "--call-id", "c"]);
    let received = bob.event("incoming_call_received");
    assert_eq!((&received["call_id"], &received["custom_data"]), (&"c".into(), &"{}".into()));
    assert_eq!(received["caller"]["name"], "Alice");
    assert_eq!(alice.event("outgoing_call_accepted")["callee"]["id"], "bob");
    alice.press("h\n");
    assert!(alice.ends(), "somebody answered");
    assert_eq!(bob.event("call_ended")["reason"], "left");
    let mut bob = bob;
    bob.press("q\n");
    assert!(bob.ends());

    let (said, well) = server.objects(&["call", "bob", "--as", "alice", "--timeout", "1"]);
    assert!(!well, "nobody answered");
    assert_eq!(said.last().unwrap()["reason"], "timed_out");
    let (missed, _) = server.objects(&["missed", "--as", "bob", "--dismiss"]);
    assert_eq!((missed.len(), &missed[0]["reason"]), (1, &"no_answer".into()));
    assert_eq!(fields(&missed[0]), documented("missed call"));
    assert_eq!(server.objects(&["missed", "--as", "bob"]).0.len(), 0);
    let (history, _) = server.objects(&["history", "--as", "bob"]);
    let outcomes: Vec<_> = history.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["missed", "answered"]);
    assert_eq!(fields(&history[0]), documented("past call"));
    assert_eq!(server.objects(&["history", "--as", "bob", "--limit", "1"]).0.len(), 1);

    assert_eq!(server.objects(&["block", "eve", "--as", "bob"]).0[0]["blocked"], true);
    assert_eq!(server.objects(&["block", "--as", "bob"]).0[0]["user"], "eve");
    assert_eq!(server.objects(&["unblock", "eve", "--as", "bob"]).0[0]["blocked"], false);
    assert_eq!(server.objects(&["block", "--as", "bob"]).0.len(), 0);
    assert_eq!(server.objects(&["dnd", "8h", "--let-through", "alice", "--as", "bob"]).0[0]["on"], true);
    assert_eq!(server.objects(&["dnd", "--as", "bob"]).0[0]["let_through"][0], "alice");
    assert_eq!(server.objects(&["dnd", "off", "--as", "bob"]).0[0]["on"], false);
}

#[test]
fn who_one_is_can_be_a_token_and_what_is_wrong_is_said_with_what_to_do() {
    let server = Server::start();
    let data = server.place.path().join("data");
    let made = Command::new(RINGBACK).env_clear().args(["token", "bob", "--data"]).arg(data).output().unwrap();
    let token = String::from_utf8(made.stdout).unwrap();
    let file = server.place.path().join("bob.token");
    std::fs::write(&file, &token).unwrap();
    let file: &Path = &file;
    let good = server.ringback(&["dnd", "--token-file"]).arg(file).output().unwrap();
    assert!(good.status.success(), "{good:?}");
    let good = server.ringback(&["dnd"]).env("RINGBACK_TOKEN", token.trim()).output().unwrap();
    assert_eq!(String::from_utf8(good.stdout).unwrap(), "do-not-disturb is off: calls ring\n");

    let refused = |arguments: &[&str]| {
        let output = server.ringback(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("bad_request"), "{said}");
        said
    };
    assert!(refused(&["dnd"]).contains("--as NAME"));
    assert!(refused(&["dnd", "--as", "Bob B."]).contains("did you mean bob-b?"));
    assert!(refused(&["call", "Bob", "--as", "alice"]).contains("did you mean bob?"));
    assert!(refused(&["call", "bob,carol", "--as", "alice"]).contains("separate names with spaces"));
    assert!(refused(&["block", "x y", "--as", "alice"]).contains("did you mean x-y?"));
    assert!(refused(&["dnd", "8h", "--let-through", "Bob", "--as", "alice"]).contains("did you mean bob?"));
    assert!(refused(&["dnd", "--as", "bob", "--server", "https://calls.example"]).contains("--token-file"));
    assert!(refused(&["dnd", "--as", "bob", "--server", "http://127.0.0.1:1"]).contains("start it with `ringback`"));
    assert!(refused(&["dnd", "--token", token.trim(), "--server", "http://127.0.0.1:1"]).contains("can't be reached"));
    assert!(refused(&["dnd", "--token", "nonsense"]).contains("ringback token"));
    assert!(refused(&["call", "bob", "--as", "bob"]).contains("you can't call yourself"));
    assert!(refused(&["call", "bob", "bob", "--as", "alice"]).contains("bob is named twice"));
    assert!(refused(&["call", "", "--token", token.trim()]).contains("a user's name must not be empty"));
    assert!(refused(&["dnd", "9999d", "--as", "bob"]).contains("do-not-disturb can't last that long"));
    assert!(refused(&["call", "alice", "--as", "bob", "--timeout", "0"]).contains("1..=600"));
    assert!(refused(&["history", "--as", "bob", "--limit", "0"]).contains("--limit"));
    assert!(refused(&["block", "bob", "--as", "bob"]).contains("you can't block yourself"));
}
