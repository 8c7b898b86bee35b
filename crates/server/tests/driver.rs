//! What the driver owes: nothing is visible before it is durable, a store that fails loses nothing, and neither does
//! the end.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use ringback_core::call::CallRecord;
use ringback_core::id::UserId;
use ringback_core::step::{Key, Loaded, Writes};
use ringback_core::time::Timestamp;
use ringback_server::testing::{TestServer, config};
use ringback_server::{Config, DriverError};
use ringback_store::{CommitError, HistoryPage, Memory, Sqlite, Store, StoreError};
use serde_json::json;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

/// How a store is to behave.
#[derive(Default)]
struct Orders {
    held: bool,
    commits: VecDeque<CommitError>,
    loads: VecDeque<StoreError>,
    /// How many commits wait while they are held.
    waiting: usize,
}

/// Tells a store how to behave.
#[derive(Clone, Default)]
struct Hand(Arc<(Mutex<Orders>, Condvar)>);

impl Hand {
    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits, off the runtime's threads, until a commit is held.
    async fn until_held(&self) {
        let hand = self.clone();
        let wait = move || drop(hand.0.1.wait_while(hand.0.0.lock().unwrap(), |orders| orders.waiting == 0).unwrap());
        tokio::task::spawn_blocking(wait).await.unwrap();
    }
}

/// A memory that does as it is told.
struct Told {
    memory: Memory,
    hand: Hand,
}

impl Store for Told {
    fn load(&mut self, keys: &[Key]) -> Result<Loaded, StoreError> {
        match self.hand.0.0.lock().unwrap().loads.pop_front() {
            Some(error) => Err(error),
            None => self.memory.load(keys),
        }
    }
    fn commit(&mut self, writes: &Writes) -> Result<(), CommitError> {
        let (orders, changed) = &*self.hand.0;
        let mut orders = orders.lock().unwrap();
        orders.waiting += 1;
        changed.notify_all();
        let mut orders = changed.wait_while(orders, |orders| orders.held).unwrap();
        orders.waiting -= 1;
        match orders.commits.pop_front() {
            // One whose outcome is unknown may just as well have been written.
            Some(error @ CommitError::Unknown(_)) => self.memory.commit(writes).and(Err(error)),
            Some(error) => Err(error),
            None => self.memory.commit(writes),
        }
    }
    fn running(&mut self) -> Result<Vec<CallRecord>, StoreError> {
        self.memory.running()
    }
    fn newest(&mut self) -> Result<Timestamp, StoreError> {
        self.memory.newest()
    }
    fn history(&mut self, user: &UserId, before: Option<u64>, limit: usize) -> Result<HistoryPage, StoreError> {
        self.memory.history(user, before, limit)
    }
    fn forget(&mut self, before: Timestamp, limit: usize) -> Result<usize, CommitError> {
        self.memory.forget(before, limit)
    }
}

async fn told(config: Config) -> (TestServer, Hand) {
    let hand = Hand::default();
    let store = Told { memory: Memory::new(), hand: hand.clone() };
    (TestServer::with(config, Box::new(store)).await, hand)
}

fn send() -> serde_json::Value {
    json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60_000})
}

fn broken() -> StoreError {
    StoreError::backend("writing", "as the test wants it")
}

// spec: N2; design: G2, G3
#[tokio::test]
async fn nothing_is_visible_before_it_is_durable() {
    let (server, hand) = told(config()).await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.device("bob", "b1").await;
    hand.order(|orders| orders.held = true);
    let id = alice.request(send()).await;
    hand.until_held().await;
    // The sockets live, and say nothing of it: what was sent before this pong would have come before it.
    for device in [&mut alice, &mut bob] {
        device.send(&json!({"type":"ping"})).await;
        device.until(|frame| frame["type"] == "pong").await;
        assert!(device.passed().iter().all(|frame| frame["type"] != "reply" && frame["type"] != "call"));
    }
    hand.order(|orders| orders.held = false);
    let reply = alice.until(|frame| frame["id"] == json!(id)).await;
    bob.call(&reply["ok"]["invitation_id"], "inviting").await;
}

// spec: N2; design: G3
#[tokio::test]
async fn a_commit_that_failed_shows_nothing_and_changes_nothing() {
    let (server, hand) = told(config()).await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.device("bob", "b1").await;
    hand.order(|orders| orders.commits = (0..8).map(|_| CommitError::Failed(broken())).collect());
    assert_eq!(alice.refused(send()).await, "unavailable");
    hand.order(|orders| orders.commits.clear());
    assert!(bob.passed().iter().all(|frame| frame["type"] != "call"), "nothing shows of it");
    let sent = alice.ask(send()).await;
    bob.call(&sent["invitation_id"], "inviting").await;
    let mut other = server.device("bob", "b2").await;
    let calls = other.passed().into_iter().filter(|frame| frame["type"] == "call").count();
    assert_eq!(calls, 1, "of the one that failed nothing is left");
}

// spec: N2; design: G3
#[tokio::test]
async fn a_commit_whose_outcome_is_unknown_takes_effect_once() {
    let (server, hand) = told(config()).await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.device("bob", "b1").await;
    hand.order(|orders| orders.commits = [CommitError::Unknown(broken())].into());
    let reply = alice
        .reply(json!({"type":"send","id":"once","invitees":["bob"],"call_type":"voice","timeout_ms":60_000}))
        .await;
    // Refused for now or done, its repeat gives the one call that there is.
    let sent = match reply.get("ok") {
        Some(sent) => sent.clone(),
        None => {
            let mut again = send();
            again["id"] = reply["id"].clone();
            alice.send(&again).await;
            alice.until(|frame| frame["id"] == reply["id"]).await["ok"].clone()
        }
    };
    bob.call(&sent["invitation_id"], "inviting").await;
    let mut other = server.device("bob", "b2").await;
    let calls = other.passed().into_iter().filter(|frame| frame["type"] == "call").count();
    assert_eq!(calls, 1);
}

// design: G3
#[tokio::test]
async fn a_store_that_is_lost_ends_the_server() {
    let (mut server, hand) = told(config()).await;
    let mut alice = server.device("alice", "a1").await;
    hand.order(|orders| {
        orders.commits = [CommitError::Failed(broken())].into();
        orders.loads = (0..4).map(|_| broken()).collect();
    });
    alice.request(json!({"type":"block","user":"eve"})).await;
    alice.request(send()).await;
    assert!(matches!(server.failed().await, DriverError::Lost(_)));
}

// design: G3: a failed fsync ends the process.
#[tokio::test]
async fn a_disk_that_confirms_nothing_ends_the_server() {
    let (mut server, hand) = told(config()).await;
    let mut alice = server.device("alice", "a1").await;
    let disk = StoreError::Disk { source: "as the test wants it".into() };
    hand.order(|orders| orders.commits = [CommitError::Unknown(disk)].into());
    alice.request(send()).await;
    assert!(matches!(server.failed().await, DriverError::Disk(_)));
}

// design: G10
#[tokio::test]
async fn under_load_new_invitations_are_turned_away_and_calls_can_still_be_ended() {
    let (server, hand) = told(Config { inbox_steps: 8, ..config() }).await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.device("bob", "b1").await;
    let sent = alice.ask(send()).await;
    hand.order(|orders| orders.held = true);
    let held = bob.request(json!({"type":"block","user":"eve"})).await;
    hand.until_held().await;
    for _ in 0..6 {
        bob.request(json!({"type":"missed_calls"})).await;
    }
    let reply = bob.reply(json!({"type":"send","invitees":["carol"],"call_type":"voice","timeout_ms":60_000})).await;
    assert_eq!(reply["error"]["code"], "unavailable");
    assert!(reply["error"]["retry_after_ms"].as_u64().unwrap() > 0);
    let ended = alice.request(json!({"type":"end","invitation_id":sent["invitation_id"]})).await;
    alice.send(&json!({"type":"ping"})).await;
    alice.until(|frame| frame["type"] == "pong").await;
    hand.order(|orders| orders.held = false);
    bob.until(|frame| frame["id"] == json!(held)).await;
    let reply = alice.until(|frame| frame["id"] == json!(ended)).await;
    // One who has not been answered can't end it, only cancel it: what counts is that it was decided.
    assert_ne!(reply["error"]["code"], "unavailable");
}

// spec: M2, N2, L2: what was acknowledged rings on after a restart, with its deadline.
#[tokio::test]
async fn a_server_that_stops_says_so_and_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let open = || Box::new(Sqlite::open(data.path()).unwrap());
    let server = TestServer::with(config(), open()).await;
    let mut alice = server.device("alice", "a1").await;
    let mut silent = server.socket().await;
    // Each of these was sent before the server stops: each is answered, then comes the last word.
    let id = alice.request(send()).await;
    let reply = alice.until(|frame| frame["id"] == json!(id)).await;
    let stopped = tokio::spawn(server.stop());
    assert_eq!(alice.bye().await, "shutting_down");
    assert_eq!(silent.bye().await, "shutting_down");
    stopped.await.unwrap().unwrap();

    let server = TestServer::with(config(), open()).await;
    let mut bob = server.device("bob", "b1").await;
    let call = bob.call(&reply["ok"]["invitation_id"], "inviting").await;
    assert!(call["own"][0]["remaining_ms"].as_u64().unwrap() <= 60_000);
    bob.ask(json!({"type":"ringing","invitation_id":call["invitation_id"],"turn":1})).await;
}
