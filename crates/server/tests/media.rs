//! What media needs, over a real socket: signals from device to device, and ICE servers.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use ringback_server::config::{Ice, Secret};
use ringback_server::testing::{TestClient, TestServer, config, metric};
use ringback_store::Memory;
use serde_json::{Value, json};
use std::time::Duration;

/// Alice and Bob in a call, and its invitation.
async fn talking(server: &TestServer) -> (TestClient, TestClient, Value) {
    let (mut alice, mut bob) = (server.device("alice", "a1").await, server.device("bob", "b1").await);
    let sent = alice.ask(json!({"type":"send","invitees":["bob"],"call_type":"video","timeout_ms":60_000})).await;
    let id = sent["invitation_id"].clone();
    bob.call(&id, "inviting").await;
    bob.ask(json!({"type":"accept","invitation_id":id,"turn":1})).await;
    alice.until(|frame| frame["in_call"] == 2).await;
    (alice, bob, id)
}

// spec: R1
#[tokio::test]
async fn a_signal_goes_to_the_one_device_in_the_call_as_it_is() {
    let server = TestServer::start().await;
    let (mut alice, mut bob, id) = talking(&server).await;
    let mut bobs_other = server.device("bob", "b2").await;
    let mut eve = server.device("eve", "e1").await;
    let data = json!({"description":{"type":"offer","sdp":"v=0\r\n"},"candidates":[null,{"sdpMid":"0"}],"n":0.5});
    assert_eq!(alice.ask(json!({"type":"signal","invitation_id":id,"to":"bob","data":data})).await, json!({}));
    let came = bob.until(|frame| frame["type"] == "signal").await;
    assert_eq!(came, json!({"type":"signal","invitation_id":id,"from":"alice","device":"a1","data":data}));
    let to_bob = json!({"type":"signal","invitation_id":id,"to":"bob","data":{}});
    assert_eq!(eve.refused(to_bob).await, "not_found");
    let to_alice = json!({"type":"signal","invitation_id":id,"to":"alice","data":{}});
    assert_eq!(bobs_other.refused(to_alice).await, "forbidden");
    let wrong_device =
        alice.reply(json!({"type":"signal","invitation_id":id,"to":"bob","device":"b2","data":{}})).await;
    assert_eq!((&wrong_device["error"]["code"], &wrong_device["error"]["field"]), (&json!("not_found"), &json!("to")));
    assert_eq!(metric(server.address(), "ringback_signals_total").await, 1.0);
    // Nothing reached anybody else: what comes first is the answer to a ping.
    for other in [&mut bobs_other, &mut eve, &mut alice] {
        other.send(&json!({"type":"ping"})).await;
        other.until(|frame| frame["type"] == "pong").await;
        assert!(other.passed().iter().all(|frame| frame["type"] != "signal"));
    }
}

// spec: R1, E (§10)
#[tokio::test]
async fn signals_are_bounded_in_size_and_number() {
    let server = TestServer::start().await;
    let (mut alice, _bob, id) = talking(&server).await;
    let signal = |sdp: &str| json!({"type":"signal","invitation_id":id,"to":"bob","data":{"sdp":sdp}});
    assert_eq!(alice.refused(signal(&"x".repeat(33 * 1024))).await, "payload_too_large");
    let mut refused = None;
    for _ in 0..1000 {
        let reply = alice.reply(signal("")).await;
        if reply.get("error").is_some() {
            refused = Some(reply["error"].clone());
            break;
        }
    }
    let refused = refused.expect("past two hundred at once it is too much");
    assert_eq!(refused["code"], "rate_limited");
    assert!(refused["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0 && wait < 5_000), "{refused}");
    assert_eq!(alice.ask(json!({"type":"leave","invitation_id":id})).await, json!({}), "and nothing else is");
}

// spec: R1: time-limited, and for those in the call alone
#[tokio::test]
async fn ice_servers_are_told_to_who_is_in_the_call() {
    let ice = Ice {
        stun: vec!["stun:stun.example".into()],
        turn: vec!["turn:turn.example?transport=udp".into(), "turns:turn.example".into()],
        secret: Some(Secret::new(b"shared with coturn".to_vec())),
        ttl: Duration::from_secs(600),
    };
    let server = TestServer::with(ringback_server::Config { ice, ..config() }, Box::new(Memory::new())).await;
    let (mut alice, mut bob, id) = talking(&server).await;
    let ask = json!({"type":"ice_servers","invitation_id":id});
    let told = alice.ask(ask.clone()).await;
    assert_eq!(told["ice_servers"][0], json!({"urls":["stun:stun.example"]}));
    assert_eq!(told["ice_servers"][1]["urls"], json!(["turn:turn.example?transport=udp", "turns:turn.example"]));
    assert_eq!(told["expires_in_ms"], 600_000);
    let name = told["ice_servers"][1]["username"].as_str().unwrap().to_owned();
    assert!(!name.contains("alice"), "{name}");
    let his = bob.ask(ask.clone()).await;
    assert_ne!(his["ice_servers"][1]["credential"], told["ice_servers"][1]["credential"]);
    let mut eve = server.device("eve", "e1").await;
    assert_eq!(eve.refused(ask.clone()).await, "not_found");
    bob.ask(json!({"type":"leave","invitation_id":id})).await;
    assert_eq!(bob.refused(ask).await, "call_ended");
}

// spec: R1: none configured is an answer
#[tokio::test]
async fn without_ice_servers_the_list_is_empty() {
    let server = TestServer::start().await;
    let (mut alice, _bob, id) = talking(&server).await;
    assert_eq!(alice.ask(json!({"type":"ice_servers","invitation_id":id})).await, json!({"ice_servers":[]}));
}
