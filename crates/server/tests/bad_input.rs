//! What is wrong is refused, and takes down nothing but itself: each case comes while two neighbours are in the middle
//! of a ring cycle, which they then complete.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use ringback_server::config::Secret;
use ringback_server::testing::{PATIENCE, TestClient, TestServer, hello, token};
use ringback_server::{token, wall};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const MINUTE: Duration = Duration::from_secs(60);

/// Two who call each other, and a server that somebody else troubles.
struct Street {
    server: TestServer,
    dave: TestClient,
    erin: TestClient,
}

impl Street {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let dave = server.device("dave", "d1").await;
        let erin = server.device("erin", "e1").await;
        Self { server, dave, erin }
    }

    /// A user with a device, who means trouble.
    async fn mallory(&self) -> TestClient {
        self.server.device("mallory", "m1").await
    }

    /// Has the neighbours ring, lets the case happen, and has them answer, talk and leave.
    async fn during<T>(&mut self, case: impl Future<Output = T>) -> T {
        let (dave, erin) = (&mut self.dave, &mut self.erin);
        let ring = json!({"type":"send","invitees":["erin"],"call_type":"voice","timeout_ms":60_000});
        let sent = dave.ask(ring).await;
        let id = &sent["invitation_id"];
        erin.call(id, "inviting").await;
        erin.ask(json!({"type":"ringing","invitation_id":id,"turn":1})).await;
        let result = case.await;
        erin.ask(json!({"type":"accept","invitation_id":id,"turn":1})).await;
        dave.until(|frame| frame["invitation_id"] == *id && frame["in_call"] == 2).await;
        dave.ask(json!({"type":"leave","invitation_id":id})).await;
        erin.until(|frame| frame["invitation_id"] == *id && frame.get("ended").is_some()).await;
        result
    }
}

/// A request that is refused by code and field, after which the session goes on.
async fn refused(request: Value, code: &str, field: Option<&str>) {
    let mut street = Street::new().await;
    let mut mallory = street.mallory().await;
    let reply = street.during(mallory.reply(request)).await;
    assert_eq!(reply["error"]["code"], code, "{reply}");
    assert_eq!(reply["error"]["field"].as_str(), field, "{reply}");
    assert!(!reply["error"]["message"].as_str().unwrap().is_empty());
    mallory.ask(json!({"type":"missed_calls"})).await;
}

/// A first frame that closes the connection with this last word.
async fn turned_away(hello: Value, code: &str) {
    let mut street = Street::new().await;
    let mut stranger = street.server.socket().await;
    let case = async {
        stranger.send(&hello).await;
        stranger.bye().await
    };
    assert_eq!(street.during(case).await, code);
}

fn send(more: Value) -> Value {
    let mut request = json!({"type":"send","invitees":["bob"],"call_type":"voice","timeout_ms":60_000});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

// spec: E (§10)
#[tokio::test]
async fn malformed_json_closes_its_own_connection_alone() {
    let mut street = Street::new().await;
    let mut mallory = street.mallory().await;
    let case = async {
        mallory.send_text("{\"type\":\"send\",").await;
        mallory.bye().await
    };
    assert_eq!(street.during(case).await, "bad_request");
}

// spec: E (§10)
#[tokio::test]
async fn a_frame_that_is_no_text_closes_its_own_connection_alone() {
    let mut street = Street::new().await;
    let mut mallory = street.mallory().await;
    let case = async {
        mallory.send_message(Message::binary(vec![0; 10])).await;
        mallory.bye().await
    };
    assert_eq!(street.during(case).await, "bad_request");
}

// spec: E (§10)
#[tokio::test]
async fn bytes_that_are_no_frame_close_their_own_connection_alone() {
    let mut street = Street::new().await;
    // Not masked, as a client's must be; not UTF-8, as a text must be; of no kind that there is; no WebSocket at all.
    let nonsense: [&[u8]; 4] =
        [b"\x81\x02{}", b"\x81\x82\0\0\0\0\xff\xff", b"\xbf\x80\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n"];
    for bytes in nonsense {
        let address = street.server.address();
        let case = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(UPGRADE.as_bytes()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            let mut answer = Vec::new();
            timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        };
        let answer = street.during(case).await;
        assert!(answer.starts_with("HTTP/1.1 101") && answer.contains("bad_request"), "{answer}");
    }
}

// spec: E (§10)
#[tokio::test]
async fn a_frame_too_large_closes_its_own_connection_alone() {
    let mut street = Street::new().await;
    let mut mallory = street.mallory().await;
    let case = async {
        mallory.send(&json!({"type":"ping","padding":"x".repeat(64 * 1024)})).await;
        mallory.bye().await
    };
    assert_eq!(street.during(case).await, "payload_too_large");
}

// spec: E (§10)
#[tokio::test]
async fn a_frame_as_large_as_allowed_is_taken() {
    let server = TestServer::start().await;
    let mut alice = server.device("alice", "a1").await;
    let bare = json!({"type":"ping","padding":""}).to_string().len();
    alice.send(&json!({"type":"ping","padding":"x".repeat(64 * 1024 - bare)})).await;
    alice.until(|frame| frame["type"] == "pong").await;
}

#[tokio::test]
async fn no_token() {
    let mut hello = hello("mallory", "m1");
    hello.as_object_mut().unwrap().remove("token");
    turned_away(hello, "unauthorized").await;
}

#[tokio::test]
async fn an_expired_token() {
    let mut hello = hello("mallory", "m1");
    hello["token"] = token("mallory", wall() - MINUTE).into();
    turned_away(hello, "unauthorized").await;
}

#[tokio::test]
async fn a_token_with_a_wrong_signature() {
    let mut hello = hello("mallory", "m1");
    let user = "alice".parse().unwrap();
    hello["token"] = token::sign(&Secret::new([7; 32]), &user, "Alice", wall() + MINUTE).unwrap().into();
    turned_away(hello, "unauthorized").await;
}

#[tokio::test]
async fn a_token_that_is_none() {
    let mut hello = hello("mallory", "m1");
    hello["token"] = "let me in".into();
    turned_away(hello, "unauthorized").await;
}

// spec: E (§10)
#[tokio::test]
async fn an_unknown_operation() {
    refused(json!({"type":"explode"}), "bad_request", Some("type")).await;
}

#[tokio::test]
async fn an_empty_invitee_list() {
    refused(send(json!({"invitees":[]})), "bad_request", Some("invitees")).await;
}

#[tokio::test]
async fn a_doubled_invitee() {
    refused(send(json!({"invitees":["bob","carol","bob"]})), "bad_request", Some("invitees")).await;
}

#[tokio::test]
async fn oneself_as_invitee() {
    refused(send(json!({"invitees":["bob","mallory"]})), "bad_request", Some("invitees")).await;
}

// spec: C13
#[tokio::test]
async fn a_timeout_of_0() {
    refused(send(json!({"timeout_ms":0})), "bad_request", Some("timeout_ms")).await;
}

// spec: E (§10)
#[tokio::test]
async fn custom_data_too_large() {
    refused(send(json!({"custom_data":"x".repeat(16 * 1024 + 1)})), "payload_too_large", Some("custom_data")).await;
}

// spec: E (§10)
#[tokio::test]
async fn too_many_invitees() {
    let many: Vec<String> = (0..101).map(|n| format!("u{n}")).collect();
    refused(send(json!({"invitees":many})), "bad_request", Some("invitees")).await;
}

// spec: L5: it is as if it did not exist.
#[tokio::test]
async fn someone_elses_invitation() {
    let mut street = Street::new().await;
    let mut mallory = street.mallory().await;
    let mut alice = street.server.device("alice", "a1").await;
    let sent = alice.ask(send(json!({}))).await;
    let id = &sent["invitation_id"];
    let case = async {
        for request in [
            json!({"type":"accept","invitation_id":id,"turn":1}),
            json!({"type":"reject","invitation_id":id,"turn":1}),
            json!({"type":"ringing","invitation_id":id,"turn":1}),
            json!({"type":"cancel","invitation_id":id,"seen":99}),
            json!({"type":"cancel","invitation_id":id,"callee":"bob","turn":1}),
            json!({"type":"invite","invitation_id":id,"invitees":["carol"],"timeout_ms":60_000}),
            json!({"type":"join","invitation_id":id}),
            json!({"type":"leave","invitation_id":id}),
            json!({"type":"end","invitation_id":id}),
            json!({"type":"fetch","invitation_id":id}),
            json!({"type":"dial_back","invitation_id":id,"turn":1,"timeout_ms":30_000}),
        ] {
            assert_eq!(mallory.refused(request.clone()).await, "not_found", "{request}");
        }
    };
    street.during(case).await;
    let mut bob = street.server.device("bob", "b1").await;
    bob.ask(json!({"type":"accept","invitation_id":id,"turn":1})).await;
    assert!(mallory.passed().iter().all(|frame| frame["type"] != "call"), "nobody outside it ever gets a view");
}

// spec: L2
#[tokio::test]
async fn an_answer_after_the_deadline() {
    let mut street = Street::new().await;
    let mut mallory = street.mallory().await;
    let mut alice = street.server.device("alice", "a1").await;
    let sent = alice.ask(send(json!({"invitees":["mallory"],"timeout_ms":1000}))).await;
    let id = sent["invitation_id"].clone();
    mallory.until(|frame| frame["type"] == "missed" && frame["total"] == 1).await;
    let case = mallory.refused(json!({"type":"accept","invitation_id":id,"turn":1}));
    assert_eq!(street.during(case).await, "invitation_expired");
}
