//! Connections: the handshake, their limits, and how they end.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use futures_util::{SinkExt, StreamExt};
use ringback_core::limits::Limits;
use ringback_server::testing::{PATIENCE, TestClient, TestServer, config, hello, metric, token};
use ringback_server::{Config, wall};
use ringback_store::Memory;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

const QUICK: Duration = Duration::from_millis(200);

async fn server(config: Config) -> TestServer {
    TestServer::with(config, Box::new(Memory::new())).await
}

// spec: E (§10): handshake 5 s, here shorter
#[tokio::test]
async fn who_says_no_hello_in_time_is_closed() {
    let server = server(Config { handshake: QUICK, ..config() }).await;
    assert_eq!(server.socket().await.bye().await, "bad_request");
    // Nor may a connection sit there without even a request.
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    let mut nothing = Vec::new();
    timeout(PATIENCE, silent.read_to_end(&mut nothing)).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_first_frame_is_a_hello_and_no_other_is() {
    let server = TestServer::start().await;
    let mut hasty = server.socket().await;
    hasty.send(&json!({"type":"missed_calls","id":"r-1"})).await;
    assert_eq!(hasty.bye().await, "bad_request");
    let mut twice = server.device("alice", "a1").await;
    twice.send(&hello("alice", "a1")).await;
    assert_eq!(twice.bye().await, "bad_request");
}

// spec: V5
#[tokio::test]
async fn a_client_too_old_is_told_the_lowest_version() {
    let server = TestServer::start().await;
    let mut old = server.socket().await;
    old.send(&json!({"type":"hello","protocol":0})).await;
    let bye = old.until(|frame| frame["type"] == "bye").await;
    assert_eq!((bye["code"].as_str(), bye["lowest"].as_u64()), (Some("upgrade_required"), Some(1)));
    let mut silent = server.socket().await;
    silent.send(&json!({"type":"hello","token":"t"})).await;
    let bye = silent.until(|frame| frame["type"] == "bye").await;
    assert_eq!((bye["code"].as_str(), bye["message"].as_str()), (Some("bad_request"), Some("protocol is missing")));
}

#[tokio::test]
async fn a_close_is_answered() {
    let server = TestServer::start().await;
    assert_eq!(server.device("alice", "a1").await.close().await, Some(1000));
    assert_eq!(server.socket().await.close().await, Some(1000), "before the hello too");
}

// spec: V5, N1
#[tokio::test]
async fn a_session_opens_in_order_and_with_the_version_of_both() {
    let server = TestServer::start().await;
    let mut alice = server.socket().await;
    let mut newer = hello("alice", "a1");
    newer["protocol"] = 7.into();
    newer["of_tomorrow"] = json!({"x":1});
    newer["holds"] = json!([{"invitation_id":"0190b5e4-7c1e-7000-8000-000000000001","revision":1}]);
    alice.greet(&newer).await;
    let frames = alice.passed();
    let types: Vec<_> = frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["welcome", "settings", "gone", "missed"]);
    assert_eq!(frames[0]["protocol"], 1);
    assert_eq!(frames[0]["user"], json!({"id":"alice","name":"Alice"}));
    assert_eq!(frames[0]["device_id"], "a1");
    assert!(frames[0]["token_expires_in_ms"].as_u64().unwrap() > 3_500_000);
}

// design: G11: what is ready together leaves in one write.
#[tokio::test]
async fn a_session_opens_in_one_write() {
    let server = TestServer::start().await;
    let _alice = server.device("alice", "a1").await;
    assert_eq!(metric(server.address(), "ringback_frames_sent_total").await, 4.0);
    assert_eq!(metric(server.address(), "ringback_flushes_total").await, 1.0);
}

// spec: L9: the newer session takes the place of the older, and the call goes on.
#[tokio::test]
async fn a_device_that_connects_again_takes_its_own_place() {
    let server = TestServer::start().await;
    let mut before = server.device("alice", "a1").await;
    let sent = before.ask(json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60_000})).await;
    let id = &sent["invitation_id"];
    let mut bob = server.device("bob", "b1").await;
    bob.ask(json!({"type":"accept","invitation_id":id,"turn":1})).await;
    let mut claiming = hello("alice", "a1");
    claiming["claim"] = json!({"invitation_id":id});
    let mut after = server.socket().await;
    after.greet(&claiming).await;
    assert_eq!(before.bye().await, "replaced");
    let view = after.until(|frame| frame["type"] == "call").await;
    assert_eq!(view["in_call"], 2);
    after.ask(json!({"type":"leave","invitation_id":id})).await;
    bob.until(|frame| frame["ended"] == "left").await;
}

// spec: E (§10): sessions of a user, here two
#[tokio::test]
async fn past_its_sessions_a_users_oldest_gives_way() {
    let limits = Limits { sessions_per_user: 2, ..Limits::default() };
    let server = server(Config { limits, ..config() }).await;
    let mut first = server.device("alice", "a1").await;
    let mut second = server.device("alice", "a2").await;
    let mut third = server.device("alice", "a3").await;
    assert_eq!(first.bye().await, "replaced");
    second.ask(json!({"type":"missed_calls"})).await;
    third.ask(json!({"type":"missed_calls"})).await;
    // Not the one that is in a call.
    let sent = second.ask(json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60000})).await;
    let mut fourth = server.device("alice", "a4").await;
    assert_eq!(third.bye().await, "replaced");
    second.ask(json!({"type":"leave","invitation_id":sent["invitation_id"]})).await;
    fourth.ask(json!({"type":"missed_calls"})).await;
}

#[tokio::test]
async fn past_its_connections_a_server_takes_no_more() {
    let server = server(Config { max_connections: 1, ..config() }).await;
    let mut alice = server.device("alice", "a1").await;
    let mut refused = TcpStream::connect(server.address()).await.unwrap();
    let mut nothing = Vec::new();
    // Closed at once, which a client may see as an end or as a reset.
    let _ = timeout(PATIENCE, refused.read_to_end(&mut nothing)).await.unwrap();
    assert!(nothing.is_empty());
    alice.ask(json!({"type":"missed_calls"})).await;
}

// spec: N3
#[tokio::test]
async fn a_client_may_ping_in_words() {
    let server = TestServer::start().await;
    let mut alice = server.device("alice", "a1").await;
    alice.send(&json!({"type":"ping"})).await;
    alice.until(|frame| frame["type"] == "pong").await;
}

// spec: N3
#[tokio::test]
async fn answers_to_pings_stay_whole_however_little_fits() {
    let server = TestServer::start().await;
    let address = server.address();
    let narrow = TcpSocket::new_v4().unwrap();
    narrow.set_recv_buffer_size(4096).unwrap();
    let mut alice = TestClient::over(narrow.connect(address).await.unwrap(), address).await;
    alice.greet(&hello("alice", "a1")).await;
    // She reads nothing until no more fits either way, and an answer is half written.
    for said in 1.. {
        let message = match said % 16 {
            0 => Message::text(json!({"type":"ping"}).to_string()),
            _ => Message::Ping(vec![0; 125].into()),
        };
        if timeout(QUICK, alice.send_message(message)).await.is_err() {
            break;
        }
    }
    while alice.next_within(QUICK).await.is_some() {}
    alice.ask(json!({"type":"missed_calls"})).await;
}

// Who asks for answers and reads none, even without a token, costs the server a buffer and not all its memory.
#[tokio::test]
async fn answers_to_pings_that_nobody_reads_are_not_gathered() {
    const PINGS: usize = 150_000;
    let server = TestServer::start().await;
    let narrow = TcpSocket::new_v4().unwrap();
    narrow.set_recv_buffer_size(4096).unwrap();
    let stream = narrow.connect(server.address()).await.unwrap();
    let (mut socket, _) = client_async(format!("ws://{}/ws", server.address()), stream).await.unwrap();
    for _ in 0..PINGS {
        socket.send(Message::Ping(vec![0; 125].into())).await.unwrap();
    }
    let mut answers = 0;
    while let Ok(Some(Ok(Message::Pong(_)))) = timeout(QUICK, socket.next()).await {
        answers += 1;
    }
    assert!((1..PINGS / 2).contains(&answers), "{answers} of {PINGS}");
}

// spec: L9, N3: who says nothing any more is noticed, and after the grace has left.
#[tokio::test]
async fn a_connection_that_died_without_a_word_is_noticed() {
    let limits = Limits { grace: QUICK, ..Limits::default() };
    let server = server(Config { ping: QUICK, limits, ..config() }).await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.device("bob", "b1").await;
    let sent = alice.ask(json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60_000})).await;
    let id = &sent["invitation_id"];
    bob.ask(json!({"type":"accept","invitation_id":id,"turn":1})).await;
    // From here on nobody reads Bob's connection, so that nothing answers the server's pings.
    let view = alice.until(|frame| frame.get("ended").is_some()).await;
    assert_eq!(view["ended"], "lost");
}

// spec: N1
#[tokio::test]
async fn a_slow_reader_is_cut_off_and_catches_up() {
    let server = server(Config { send_queue_bytes: 64 * 1024, ..config() }).await;
    let address = server.address();
    let mut alice = server.device("alice", "a1").await;
    // Bob's connection holds little, and he reads none of it.
    let narrow = TcpSocket::new_v4().unwrap();
    narrow.set_recv_buffer_size(4096).unwrap();
    let mut bob = TestClient::over(narrow.connect(address).await.unwrap(), address).await;
    bob.greet(&hello("bob", "b1")).await;
    assert_eq!(metric(address, "ringback_sessions").await, 2.0);

    let send = json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60_000,
                      "custom_data":"x".repeat(16 * 1024)});
    let mut sent = 0;
    while metric(address, "ringback_sessions").await > 1.0 {
        let made = alice.ask(send.clone()).await;
        alice.ask(json!({"type":"cancel","invitation_id":made["invitation_id"],"seen":99})).await;
        alice.passed();
        sent += 1;
        assert!(sent < 2000, "he is never cut off");
    }
    assert_eq!(bob.bye().await, "slow");

    let mut back = server.device("bob", "b1").await;
    let missed = back.until(|frame| frame["type"] == "missed").await;
    assert_eq!(missed["total"], sent.min(Limits::default().missed_kept), "he has all that he missed");
    back.ask(json!({"type":"missed_calls"})).await;
}

// spec: S15
#[tokio::test]
async fn a_session_whose_token_expired_may_still_finish_its_call() {
    let server = TestServer::start().await;
    let mut alice = server.device("alice", "a1").await;
    let mut bob = server.socket().await;
    let mut short = hello("bob", "b1");
    // Within the leeway of 5 s, and past it a second or two from now.
    short["token"] = token("bob", wall() - Duration::from_secs(3)).into();
    bob.greet(&short).await;
    let sent = alice.ask(json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60_000})).await;
    let id = &sent["invitation_id"];
    let expired = async { while bob.reply(json!({"type":"missed_calls"})).await["error"]["code"] != "unauthorized" {} };
    timeout(PATIENCE, expired).await.unwrap();

    bob.ask(json!({"type":"ringing","invitation_id":id,"turn":1})).await;
    bob.ask(json!({"type":"accept","invitation_id":id,"turn":1})).await;
    let send = json!({"type":"send","invitees":["carol"],"call_type":"voice","timeout_ms":60_000});
    assert_eq!(bob.refused(send).await, "unauthorized");
    assert_eq!(bob.refused(json!({"type":"history"})).await, "unauthorized");
    bob.ask(json!({"type":"leave","invitation_id":id})).await;

    let hour = wall() + Duration::from_secs(3600);
    assert_eq!(bob.refused(json!({"type":"update_token","token":token("alice", hour)})).await, "unauthorized");
    assert_eq!(bob.refused(json!({"type":"update_token","token":"nonsense"})).await, "unauthorized");
    let renewed = bob.ask(json!({"type":"update_token","token":token("bob", hour)})).await;
    assert!(renewed["token_expires_in_ms"].as_u64().unwrap() > 3_500_000);
    bob.ask(json!({"type":"history"})).await;
}
