//! The story over a real socket: ring, miss, dial back.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use ringback_server::testing::TestServer;
use serde_json::json;

// spec: L1, L3, S4, S8
#[tokio::test]
async fn alice_rings_bob_who_answers() {
    let server = TestServer::start().await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.device("bob", "b1").await;
    let sent = alice
        .ask(json!({"type":"send","invitees":["bob"],"call_type":"video","timeout_ms":60_000,"custom_data":"x"}))
        .await;
    let id = &sent["invitation_id"];
    let call = bob.call(id, "inviting").await;
    assert_eq!(call["custom_data"], "x");
    assert_eq!(call["initiator"], "alice");
    assert!(call["own"][0]["remaining_ms"].as_u64().unwrap() > 55_000);
    bob.ask(json!({"type":"ringing","invitation_id":id,"turn":1})).await;
    alice.until(|frame| frame["others"][0]["turns"][0]["state"] == "ringing").await;
    let accepted = bob.ask(json!({"type":"accept","invitation_id":id,"turn":1})).await;
    assert_eq!(accepted["joined"], false);
    let view = alice.until(|frame| frame["others"][0]["turns"][0]["state"] == "accepted").await;
    assert_eq!(view["in_call"], 2);
    alice.ask(json!({"type":"leave","invitation_id":id})).await;
    assert_eq!(bob.until(|frame| frame.get("ended").is_some()).await["ended"], "left");
    server.stop().await.unwrap();
}

// spec: M1, M4, D4, D5
#[tokio::test]
async fn bob_misses_it_and_dials_back() {
    let server = TestServer::start().await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.device("bob", "b1").await;
    let sent = alice.ask(json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":1000})).await;
    let id = &sent["invitation_id"];
    let missed = bob.until(|frame| frame["type"] == "missed" && frame["total"] == 1).await;
    assert_eq!(missed["calls"][0]["invitation_id"], *id);
    assert_eq!(missed["calls"][0]["reason"], "no_answer");
    assert_eq!(missed["calls"][0]["caller"], json!({"id":"alice","name":"Alice"}));
    assert_eq!(missed["calls"][0]["existed"], true);
    alice.until(|frame| frame["ended"] == "timed_out").await;
    bob.ask(json!({"type":"click","invitation_id":id,"turn":1})).await;
    let dialed = bob.ask(json!({"type":"dial_back","invitation_id":id,"turn":1,"timeout_ms":30_000})).await;
    assert_eq!(dialed["outcome"], "called");
    assert_eq!(dialed["call_id"], sent["call_id"]);
    assert_eq!(dialed["device_id"], "b1");
    let back = &dialed["invitation_id"];
    alice.call(back, "inviting").await;
    alice.ask(json!({"type":"accept","invitation_id":back,"turn":1})).await;
    let view = bob.until(|frame| frame["in_call"] == 2).await;
    assert_eq!(view["invitation_id"], *back);
    bob.until(|frame| frame["type"] == "missed" && frame["total"] == 0).await;
    let history = bob.ask(json!({"type":"history"})).await;
    assert_eq!(history["entries"][0]["outcome"], "missed");
    server.stop().await.unwrap();
}

// spec: M3, M7: a callee never seen before is no error.
#[tokio::test]
async fn who_was_never_seen_has_the_missed_call_at_the_first_connection() {
    let server = TestServer::start().await;
    let mut alice = server.device("alice", "a1").await;
    alice.ask(json!({"type":"send","invitees":["dora"],"call_type":"voice","timeout_ms":1000})).await;
    alice.until(|frame| frame["ended"] == "timed_out").await;
    let mut dora = server.device("dora", "d1").await;
    let missed = dora.until(|frame| frame["type"] == "missed").await;
    assert_eq!(missed["total"], 1);
    assert_eq!(missed["calls"][0]["existed"], false, "listed, not popped up");
}
