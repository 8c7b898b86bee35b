//! The whole server, killed: SIGKILL at a random moment, twenty times over, under traffic. What was acknowledged rings
//! on with the same deadline, or was missed, once.

use crate::client::{Client, PATIENCE, wall_ms};
use crate::server::Server;
use crate::stored::Stored;
use crate::traffic::{Caller, Numbers, Setter, Tally, callee, caller, setter};
use futures_util::future::join_all;
use ringback_core::call::TurnState;
use ringback_core::id::InvitationId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;

const ROUNDS: usize = 20;
/// Callers, each with a callee of their own: one call at a time each.
const PAIRS: usize = 140;
/// Those who set something all the time.
const SETTERS: usize = 8;
/// Invitations that are unfinished at each kill, at least.
const UNFINISHED: usize = 100;

/// What a callee's device is shown when it connects, and when that was.
async fn shown(at: SocketAddr, number: usize) -> Vec<(u64, Value)> {
    let client = Client::connect(at, &format!("callee-{number}"), "d-1", json!({})).await.unwrap();
    let now = wall_ms();
    client.opening.into_iter().map(|frame| (now, frame)).collect()
}

/// What the test knows from outside.
struct World {
    dir: TempDir,
    numbers: Numbers,
    callers: Vec<Caller>,
    setters: Vec<Setter>,
    /// At the last kill: the deadline of each invitation that was still to be answered.
    pending: BTreeMap<InvitationId, u64>,
    /// Requests that were on their way at the kills, all in all.
    in_flight: usize,
    /// Settings that were durable and whose acknowledgement the kill cut off.
    kept_untold: u64,
    /// Invitations that were found to ring on, and to be missed, after a kill.
    rang_on: usize,
    missed: usize,
}

// spec: M2, N2, L2, L9
#[tokio::test]
async fn what_was_acknowledged_survives_kills_at_any_moment() {
    let mut world = World {
        dir: TempDir::new().unwrap(),
        numbers: Numbers::new(),
        callers: (0..PAIRS).map(Caller::new).collect(),
        setters: (0..SETTERS).map(|number| Setter { number, acknowledged: 0 }).collect(),
        pending: BTreeMap::new(),
        in_flight: 0,
        kept_untold: 0,
        rang_on: 0,
        missed: 0,
    };
    for round in 0..ROUNDS {
        let server = Server::start(world.dir.path());
        world.come_back(&server).await;
        let unfinished = world.run_and_kill(server).await;
        println!("round {round}: {unfinished} unfinished, {} acknowledged so far", world.acknowledged());
        assert!(unfinished >= UNFINISHED, "round {round}: {unfinished} unfinished");
    }
    let server = Server::start(world.dir.path());
    world.come_back(&server).await;
    world.all_hang_up(&server).await;
    world.everything_adds_up(&server).await;
    let World { in_flight, kept_untold, rang_on, missed, .. } = world;
    println!("{in_flight} requests in flight at {ROUNDS} kills; {rang_on} rang on, {missed} were missed");
    println!("of {SETTERS} settings in flight at each kill, {kept_untold} were kept and untold");
    assert!(rang_on >= ROUNDS && missed >= ROUNDS && kept_untold > 0);
}

impl World {
    fn acknowledged(&self) -> usize {
        self.callers.iter().map(|caller| caller.sent.len()).sum()
    }

    /// Traffic until enough rings, then a random while, then the kill; and what the store says after it.
    async fn run_and_kill(&mut self, mut server: Server) -> usize {
        let tally = Tally::new();
        let mut tasks = Vec::new();
        for caller_of in std::mem::take(&mut self.callers) {
            let (number, numbers) = (caller_of.number, self.numbers.fork());
            tasks.push(tokio::spawn(caller(server.at, caller_of, numbers, tally.clone())));
            tokio::spawn(callee(server.at, number, self.numbers.fork()));
        }
        let setters = std::mem::take(&mut self.setters).into_iter().map(|of| tokio::spawn(setter(server.at, of)));
        let setters: Vec<_> = setters.collect();
        tally.reaches(UNFINISHED + 20).await;
        // The moment of the kill is the point here: nothing is waited for.
        tokio::time::sleep(Duration::from_micros(self.numbers.below(400_000))).await;
        server.kill();
        for task in tasks {
            let ended = tokio::time::timeout(PATIENCE, task).await;
            self.callers.push(ended.expect("a killed server's connections end").unwrap());
        }
        for task in setters {
            let ended = tokio::time::timeout(PATIENCE, task).await;
            self.setters.push(ended.expect("a killed server's connections end").unwrap());
        }
        self.in_flight += self.callers.iter().filter(|caller| caller.unanswered.is_some()).count();
        self.look_at_what_is_left();
        self.pending.len()
    }

    /// Right after a kill: every acknowledgement holds in the store.
    fn look_at_what_is_left(&mut self) {
        let stored = Stored::open(self.dir.path());
        for sent in self.callers.iter().flat_map(|caller| &caller.sent) {
            let turn = stored.callee_turn(sent.invitation).unwrap_or_else(|| panic!("{} is lost", sent.invitation));
            assert_eq!(turn.deadline.0, turn.at.0 + sent.timeout_ms, "{}", sent.invitation);
            if sent.cancelled {
                let ended = matches!(turn.state, TurnState::Cancelled | TurnState::TimedOut | TurnState::Declined);
                assert!(ended, "{} was cancelled and is {:?}", sent.invitation, turn.state);
            }
        }
        for setter in &mut self.setters {
            let (told, held) = (setter.acknowledged, stored.setting(setter.number));
            assert!(held == told || held == told + 1, "setting {told} was acknowledged, and {held} is kept");
            self.kept_untold += held - told;
            setter.acknowledged = held;
        }
        self.pending = stored.pending();
    }

    /// After a start: callers claim what they are in (some don't), repeat what was never answered, and every
    /// invitation that was to be answered at the kill rings on, or is missed.
    async fn come_back(&mut self, server: &Server) {
        let mut given_up = BTreeSet::new();
        for caller in &mut self.callers {
            match &caller.unanswered {
                Some(frame) if frame["type"] == "cancel" => given_up.extend(caller.holds),
                Some(_) => {}
                None if self.numbers.below(5) == 0 => given_up.extend(caller.holds.take()),
                None => {}
            }
        }
        // They stay connected until all is looked at.
        let claimed = join_all(self.callers.iter_mut().map(|caller| caller.back(server.at))).await;
        assert!(claimed.iter().all(Result::is_ok));
        let before = std::mem::take(&mut self.pending);
        let shown = join_all((0..PAIRS).map(|number| shown(server.at, number))).await.concat();
        let stored = Stored::beside(self.dir.path());
        for (invitation, deadline) in before {
            let turn = stored.callee_turn(invitation).unwrap();
            assert_eq!(turn.deadline.0, deadline, "{invitation}'s deadline has moved");
            let named = |frame: &Value| frame["invitation_id"] == invitation.to_string();
            if turn.state.pending() {
                assert!(!given_up.contains(&invitation), "{invitation} rings for a caller who left");
                let views = shown.iter().filter(|(_, frame)| frame["type"] == "call" && named(frame));
                let [(now, view)] = views.collect::<Vec<_>>()[..] else { panic!("{invitation} isn't shown once") };
                let remaining = view["own"][0]["remaining_ms"].as_u64().unwrap();
                // Roughly, by two clocks: to the millisecond it is the stored one, above.
                let ends = now + remaining;
                assert!(ends.abs_diff(deadline) < 10_000, "{invitation} is shown to end at {ends}, not {deadline}");
                let mut listed = shown.iter().flat_map(|(_, frame)| frame["calls"].as_array()).flatten();
                assert!(!listed.any(named), "{invitation} rings and is missed");
                self.rang_on += 1;
            } else if turn.state == TurnState::TimedOut {
                assert!(turn.ended_at.unwrap().0 >= deadline);
                assert_eq!(stored.missed_once(invitation), 1, "{invitation} timed out");
                self.missed += 1;
            } else {
                assert!(given_up.contains(&invitation), "{invitation} is {:?} by itself", turn.state);
                assert_eq!(turn.state, TurnState::Cancelled);
                assert_eq!(stored.missed_once(invitation), 1, "{invitation} was left");
                self.missed += 1;
            }
        }
        drop(claimed);
    }

    /// Every caller ends what still rings, so that nothing changes any more.
    async fn all_hang_up(&mut self, server: &Server) {
        join_all(self.callers.iter_mut().map(async |caller| {
            let mut client = caller.back(server.at).await.unwrap();
            caller.hang_up(&mut client).await.unwrap();
        }))
        .await;
    }

    /// At the end: every turn of every call has one outcome, one line of history, and one missed call or none.
    async fn everything_adds_up(&mut self, server: &Server) {
        let stored = Stored::beside(self.dir.path());
        assert_eq!(stored.turns().count(), self.acknowledged(), "each request took effect once");
        let mut of_callee: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for (invitation, number, turn) in stored.turns() {
            let missed = matches!(turn.state, TurnState::TimedOut | TurnState::Cancelled);
            assert_eq!(stored.missed_once(invitation), usize::from(missed), "{invitation} is {:?}", turn.state);
            assert_eq!(stored.history_of_callee(invitation), usize::from(turn.state.ended()), "{invitation}");
            if missed {
                of_callee.entry(number).or_default().insert(invitation.to_string());
            }
        }
        for number in 0..PAIRS {
            let name = format!("callee-{number}");
            let mut callee = Client::connect(server.at, &name, "d-1", json!({})).await.unwrap();
            let mut listed: Vec<String> = Vec::new();
            loop {
                let page = callee.request("missed_calls", json!({"offset": listed.len()})).await.unwrap().unwrap();
                let calls = page["calls"].as_array().unwrap();
                listed.extend(calls.iter().map(|call| call["invitation_id"].as_str().unwrap().to_owned()));
                if calls.is_empty() {
                    assert_eq!(page["total"], listed.len());
                    break;
                }
            }
            let once: BTreeSet<String> = listed.iter().cloned().collect();
            assert_eq!(once.len(), listed.len(), "{name} is told twice");
            assert_eq!(once, of_callee.remove(&number).unwrap_or_default(), "{name}");
        }
    }
}
