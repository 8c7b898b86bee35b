//! What the driver owes besides being durable before visible: a store that is lost ends the server, too much work is
//! turned away, and the end loses nothing.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

mod gated;

use gated::{Gate, Gated, Way};
use ringback_server::testing::{TestServer, config};
use ringback_server::{Config, DriverError};
use ringback_store::{Memory, Sqlite};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

async fn gated(config: Config) -> (TestServer, Arc<Gate>) {
    let gate = Gate::new();
    let store = Gated::new(Memory::new(), gate.clone());
    (TestServer::with(config, Box::new(store)).await, gate)
}

fn send() -> serde_json::Value {
    json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60_000})
}

// design: G3
#[tokio::test]
async fn a_store_that_is_lost_ends_the_server() {
    let (mut server, gate) = gated(config()).await;
    let mut alice = server.device("alice", "a1").await;
    gate.set(Way::Fails);
    gate.fail_loads();
    alice.request(json!({"type":"block","user":"eve"})).await;
    alice.request(send()).await;
    assert!(matches!(server.failed().await, DriverError::Lost(_)));
}

/// As long as an idle server waits before it has its store tidy up, and a little.
const IDLE: Duration = Duration::from_millis(1300);

#[tokio::test]
async fn an_idle_server_has_its_store_tidied_once() {
    let (server, gate) = gated(config()).await;
    let mut alice = server.device("alice", "a1").await;
    gate.tidied(1).await; // of her hello
    alice.ask(send()).await;
    assert_eq!(gate.times_tidied(), 1, "an answer waits for nothing of the kind");
    gate.tidied(2).await;
    tokio::time::sleep(IDLE).await;
    assert_eq!(gate.times_tidied(), 2, "nothing is left");
}

// design: G3
#[tokio::test]
async fn a_store_that_cannot_be_tidied_goes_on_and_is_tidied_later() {
    let (server, gate) = gated(config()).await;
    gate.tidying(Way::Fails);
    let mut alice = server.device("alice", "a1").await;
    gate.tidied(1).await;
    alice.ask(send()).await;
    tokio::time::sleep(IDLE).await;
    alice.ask(json!({"type":"block","user":"eve"})).await;
    assert_eq!(gate.times_tidied(), 1, "it isn't tried all the time");
    gate.tidying(Way::Open);
    gate.tidied(2).await;
}

/// What a process that died left, and the store couldn't tidy when it was opened.
// design: G3
#[tokio::test]
async fn what_a_store_brings_along_untidy_is_tidied_without_anybody_asking_something() {
    let (server, gate) = gated(config()).await;
    gate.tidying(Way::Fails);
    drop(server.device("alice", "a1").await);
    server.stop().await.unwrap();
    gate.tidying(Way::Open);
    let times = gate.times_tidied();
    let store = Gated::new(gate.copy(), gate.clone());
    let _server = TestServer::with(config(), Box::new(store)).await;
    gate.tidied(times + 1).await;
}

// design: G3
#[tokio::test]
async fn a_disk_that_does_not_confirm_what_is_tidied_ends_the_server() {
    let (mut server, gate) = gated(config()).await;
    gate.tidying(Way::Disk);
    let _alice = server.device("alice", "a1").await;
    assert!(matches!(server.failed().await, DriverError::Disk(_)));
}

// design: G3
#[tokio::test]
async fn a_disk_that_can_not_be_believed_ends_the_server_when_it_is_read_too() {
    let (mut server, gate) = gated(config()).await;
    let mut alice = server.device("alice", "a1").await;
    gate.tidied(1).await;
    gate.tidying(Way::Disk);
    alice.request(json!({"type":"history"})).await;
    assert!(matches!(server.failed().await, DriverError::Disk(_)));
}

/// As on a full disk: those who ask something don't wait behind all that can't be kept.
// spec: N1, N2; design: G3
#[tokio::test]
async fn a_server_starts_over_a_store_that_keeps_nothing_and_serves_what_it_can() {
    let (server, gate) = gated(config()).await;
    for n in 0..30 {
        let mut caller = server.device(&format!("caller-{n}"), "c1").await;
        caller.ask(json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60_000})).await;
    }
    drop(server.device("carol", "c1").await);
    let kept = gate.copy();
    server.stop().await.unwrap();

    let gate = Gate::new();
    gate.set(Way::Fails);
    let store = Gated::new(kept, gate.clone());
    let server = TestServer::with(config(), Box::new(store)).await;
    let mut carol = server.device("carol", "c1").await;
    assert_eq!(carol.ask(json!({"type":"missed_calls"})).await["total"], 0);
    for _ in 0..5 {
        let reply =
            carol.reply(json!({"type":"send","invitees":["dave"],"call_type":"voice","timeout_ms":60_000})).await;
        assert_eq!(reply["error"]["code"], "unavailable");
    }
    gate.set(Way::Open);
    carol.ask(json!({"type":"send","invitees":["dave"],"call_type":"voice","timeout_ms":60_000})).await;
}

// design: G10
#[tokio::test]
async fn under_load_new_invitations_are_turned_away_and_calls_can_still_be_ended() {
    let (server, gate) = gated(Config { inbox_steps: 8, ..config() }).await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.device("bob", "b1").await;
    let sent = alice.ask(send()).await;
    gate.set(Way::Held);
    let held = bob.request(json!({"type":"block","user":"eve"})).await;
    gate.arrives().await;
    for _ in 0..6 {
        bob.request(json!({"type":"missed_calls"})).await;
    }
    let reply = bob.reply(json!({"type":"send","invitees":["carol"],"call_type":"voice","timeout_ms":60_000})).await;
    assert_eq!(reply["error"]["code"], "unavailable");
    assert!(reply["error"]["retry_after_ms"].as_u64().unwrap() > 0);
    let ended = alice.request(json!({"type":"end","invitation_id":sent["invitation_id"]})).await;
    alice.send(&json!({"type":"ping"})).await;
    alice.until(|frame| frame["type"] == "pong").await;
    gate.set(Way::Open);
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
