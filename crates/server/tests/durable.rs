//! Durable before visible (G2, G3): a server over a store with a gate before its commits.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests too

mod gated;

use gated::{Gate, Gated, Way};
use ringback_core::id::UserId;
use ringback_core::step::Key;
use ringback_server::DriverError;
use ringback_server::testing::{TestClient, TestServer, config, hello};
use ringback_store::{Memory, Store};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long nothing has to come, where nothing may: there is no event for that.
const SILENCE: Duration = Duration::from_millis(300);

struct Stage {
    server: TestServer,
    gate: Arc<Gate>,
}

impl Stage {
    async fn new() -> Self {
        let gate = Gate::new();
        let store = Gated::new(Memory::new(), gate.clone());
        Self { server: TestServer::with(config(), Box::new(store)).await, gate }
    }

    /// Alice and Bob, connected and caught up.
    async fn two(&self) -> (TestClient, TestClient) {
        let (mut alice, mut bob) = (self.server.device("alice", "a1").await, self.server.device("bob", "b1").await);
        alice.passed();
        bob.passed();
        (alice, bob)
    }

    /// How many running calls the store has, and how many missed calls of Bob.
    fn kept(&self) -> (usize, usize) {
        let mut store = self.gate.copy();
        let loaded = store.load(&[Key::Line(UserId::new("bob").unwrap())]).unwrap();
        (store.running().unwrap().len(), loaded.lines[0].missed.len())
    }
}

fn to_bob(timeout_ms: u64) -> Value {
    json!({"type": "send", "id": "the one send", "invitees": ["bob"], "call_type": "voice", "timeout_ms": timeout_ms})
}

/// Sends a request that has its id already, for the first time or again, and waits for its reply.
async fn ask(client: &mut TestClient, request: &Value) -> Value {
    client.send(request).await;
    client.until(|frame| frame["type"] == "reply" && frame["id"] == request["id"]).await
}

fn rings(frame: &Value) -> bool {
    frame["type"] == "call" && frame["own"][0]["state"] == "inviting"
}

// spec: N2; design: G2
#[tokio::test]
async fn while_a_commit_is_held_back_no_byte_leaves_any_socket() {
    let stage = Stage::new().await;
    let (mut alice, mut bob) = stage.two().await;
    let mut carol = stage.server.socket().await;

    stage.gate.set(Way::Held);
    alice.send(&to_bob(60_000)).await;
    stage.gate.arrives().await;
    // Others ask meanwhile: a hello, a refusal, a read.
    carol.send(&hello("carol", "c1")).await;
    let unknown = "0190b5e4-7c1e-7000-8000-000000000001";
    let refused = bob.request(json!({"type": "accept", "invitation_id": unknown, "turn": 1})).await;
    let read = alice.request(json!({"type": "missed_calls", "offset": 0})).await;
    tokio::time::sleep(SILENCE).await;
    for client in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(client.bytes_there(), 0, "not even one byte");
    }
    assert_eq!(stage.kept(), (0, 0));

    stage.gate.set(Way::Open);
    let answer = alice.next().await.unwrap();
    assert_eq!(answer["id"], to_bob(0)["id"]);
    assert!(answer["ok"]["invitation_id"].is_string());
    bob.until(rings).await;
    let refusal = bob.until(|frame| frame["id"] == refused).await;
    assert_eq!(refusal["error"]["code"], "not_found");
    carol.until(|frame| frame["type"] == "synced").await;
    alice.until(|frame| frame["id"] == read).await;
    assert_eq!(stage.kept(), (1, 0));
}

// spec: N2; design: G3
#[tokio::test]
async fn of_a_commit_that_failed_nothing_shows() {
    let stage = Stage::new().await;
    let (mut alice, mut bob) = stage.two().await;

    stage.gate.set(Way::Fails);
    let refused = ask(&mut alice, &to_bob(60_000)).await;
    assert_eq!(refused["error"]["code"], "unavailable");
    assert!(refused["error"]["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{refused}");
    assert_eq!(bob.next_within(SILENCE).await, None);
    assert_eq!(stage.kept(), (0, 0));

    // The same request goes on where it was.
    stage.gate.set(Way::Open);
    let made = ask(&mut alice, &to_bob(60_000)).await;
    let ring = bob.until(rings).await;
    assert_eq!(ring["invitation_id"], made["ok"]["invitation_id"]);
    assert_eq!(ask(&mut alice, &to_bob(60_000)).await, made);
    assert_eq!(stage.kept(), (1, 0));
}

// spec: M2, L2
#[tokio::test]
async fn a_call_missed_while_the_store_fails_is_told_once_it_is_kept() {
    let stage = Stage::new().await;
    let (mut alice, mut bob) = stage.two().await;
    alice.ask(to_bob(1_000)).await;
    let ring = bob.until(rings).await;
    let named = |kind: &str| json!({"type": kind, "invitation_id": ring["invitation_id"], "turn": 1});
    bob.ask(named("ringing")).await;
    bob.until(|frame| frame["own"][0]["state"] == "ringing").await;

    stage.gate.set(Way::Fails);
    stage.gate.arrives().await; // the time-out
    assert_eq!(bob.refused(named("accept")).await, "unavailable", "neither accepted nor expired can be told");
    assert_eq!(bob.next_within(SILENCE).await, None);
    assert_eq!(stage.kept(), (1, 0));

    stage.gate.set(Way::Open);
    let missed = bob.until(|frame| frame["type"] == "missed").await;
    assert_eq!((&missed["total"], &missed["calls"][0]["reason"]), (&json!(1), &json!("no_answer")));
    assert_eq!(stage.kept(), (0, 1));
}

// spec: N2; design: G3
#[tokio::test]
async fn a_commit_of_unknown_outcome_is_decided_again_and_takes_effect_once() {
    for way in [Way::KeptAndUnknown, Way::LostAndUnknown] {
        let stage = Stage::new().await;
        let (mut alice, mut bob) = stage.two().await;
        stage.gate.set_once(way);
        let made = alice.ask(to_bob(60_000)).await;
        let ring = bob.until(rings).await;
        assert_eq!(ring["invitation_id"], made["invitation_id"]);
        assert_eq!(stage.kept(), (1, 0), "{way:?}");
    }
}

// spec: N2; design: G3
#[tokio::test]
async fn a_disk_that_confirms_nothing_ends_the_server_without_a_word() {
    let mut stage = Stage::new().await;
    let (mut alice, mut bob) = stage.two().await;
    stage.gate.set(Way::Disk);
    alice.send(&to_bob(60_000)).await;
    assert!(matches!(stage.server.failed().await, DriverError::Disk(_)));
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.next_within(SILENCE).await, None);
    }
}
