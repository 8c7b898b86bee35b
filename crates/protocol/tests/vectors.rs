//! Runs the vectors that every language's side of the wire runs.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use ringback_core::id::UserId;
use ringback_core::limits::Limits;
use ringback_core::time::Timestamp;
use ringback_protocol::{ClientFrame, Malformed, Reader, ServerFrame, Terms};
use serde_json::Value;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn vectors(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn read(text: &str) -> Result<ClientFrame, Malformed> {
    let user = UserId::new("alice").unwrap();
    Reader { limits: &Limits::default(), user: Some(&user), terms: Terms::default(), now: NOW }.read(text)
}

// spec: V5, N2
#[test]
fn frames_of_a_client_read_and_write_back() {
    for vector in vectors(include_str!("../vectors/client.json")) {
        let frame = read(&vector["frame"].to_string()).unwrap_or_else(|why| panic!("{}: {why:?}", vector["name"]));
        let again: Value = serde_json::from_str(&frame.encode(NOW)).unwrap();
        let expected = vector.get("encoded").unwrap_or(&vector["frame"]);
        assert_eq!(&again, expected, "{}", vector["name"]);
        assert_eq!(read(&again.to_string()), Ok(frame), "{}", vector["name"]);
    }
}

// spec: E (§10), C13, V5
#[test]
fn frames_that_are_wrong_are_refused_by_name() {
    for vector in vectors(include_str!("../vectors/refused.json")) {
        let name = &vector["name"];
        let text = vector["text"].as_str().map_or_else(|| vector["frame"].to_string(), Into::into);
        let (refusal, closes) = match read(&text) {
            Err(Malformed::Frame(refusal)) => (refusal, true),
            Err(Malformed::Request { id, refusal }) => {
                let reply = ServerFrame::Reply { id, answer: Err(refusal.clone()) };
                let again = ServerFrame::decode(&reply.encode(NOW), &UserId::new("alice").unwrap(), NOW).unwrap();
                assert_eq!(again, reply, "{name}: the client has the field back");
                (refusal, false)
            }
            Ok(frame) => panic!("{name}: taken as {frame:?}"),
        };
        assert_eq!(vector["refused"]["code"], refusal.code.as_str(), "{name}");
        assert_eq!(vector["refused"]["field"].as_str(), refusal.field, "{name}");
        assert_eq!(vector["refused"]["closes"].as_bool().unwrap_or(false), closes, "{name}");
    }
}

#[test]
fn frames_of_the_server_read_and_write_back() {
    let user = UserId::new("alice").unwrap();
    for vector in vectors(include_str!("../vectors/server.json")) {
        let text = vector["frame"].to_string();
        let frame = ServerFrame::decode(&text, &user, NOW).unwrap_or_else(|why| panic!("{}: {why}", vector["name"]));
        let again: Value = serde_json::from_str(&frame.encode(NOW)).unwrap();
        assert_eq!(again, vector["frame"], "{}", vector["name"]);
    }
}

// spec: E (§10)
#[test]
fn a_frame_too_large_is_refused_before_it_is_read() {
    let text = format!("{{\"type\":\"ping\",\"x\":\"{}\"}}", "x".repeat(64 * 1024));
    let Err(Malformed::Frame(refusal)) = read(&text) else { panic!("taken") };
    assert_eq!(refusal.code.as_str(), "payload_too_large");
}

// spec: R1, E (§10)
#[test]
fn a_signal_is_bounded_and_says_by_which_field() {
    let signal = |bytes: usize| {
        let data = serde_json::json!({ "sdp": "x".repeat(bytes) });
        let id = "0190b5e4-7c1e-7000-8000-000000000001";
        serde_json::json!({ "type": "signal", "id": "r", "invitation_id": id, "to": "bob", "data": data }).to_string()
    };
    let around = r#"{"sdp":""}"#.len();
    assert!(read(&signal(ringback_protocol::SIGNAL_BYTES - around)).is_ok());
    let Err(Malformed::Request { refusal, .. }) = read(&signal(ringback_protocol::SIGNAL_BYTES - around + 1)) else {
        panic!("taken")
    };
    assert_eq!((refusal.code.as_str(), refusal.field), ("payload_too_large", Some("data")));
}

// A hostile frame of deep nesting is refused, not followed until the stack ends.
#[test]
fn a_frame_nested_without_end_is_refused() {
    let text = format!("{{\"type\":\"ping\",\"x\":{}", "[".repeat(60_000));
    assert!(matches!(read(&text), Err(Malformed::Frame(_))));
}

/// Every frame that comes of putting something odd in the place of one value.
fn odd_ones(value: &Value) -> Vec<Value> {
    let odd = [
        Value::Null,
        true.into(),
        (-1).into(),
        1.5.into(),
        u64::MAX.into(),
        "".into(),
        "\u{0}".into(),
        "\u{1F4DE}".repeat(200).into(),
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!([[[{}]]]),
    ];
    let mut all = odd.to_vec();
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                all.extend(odd_ones(field).into_iter().map(|odd| {
                    let mut changed = fields.clone();
                    changed.insert(key.clone(), odd);
                    Value::Object(changed)
                }));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate().take(2) {
                all.extend(odd_ones(item).into_iter().map(|odd| {
                    let mut changed = items.clone();
                    changed[at] = odd;
                    Value::Array(changed)
                }));
            }
        }
        _ => {}
    }
    all
}

// What is odd is refused or taken, and what is taken can be said again: nothing of it ends the process.
#[test]
fn whatever_comes_is_refused_or_means_the_same_again() {
    let (mut taken, mut refused) = (0, 0);
    for vector in vectors(include_str!("../vectors/client.json")) {
        for odd in odd_ones(&vector["frame"]) {
            match read(&odd.to_string()) {
                Ok(frame) => {
                    assert_eq!(read(&frame.encode(NOW)), Ok(frame), "{odd}");
                    taken += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    let user = UserId::new("alice").unwrap();
    for vector in vectors(include_str!("../vectors/server.json")) {
        for odd in odd_ones(&vector["frame"]) {
            if let Ok(frame) = ServerFrame::decode(&odd.to_string(), &user, NOW) {
                assert_eq!(ServerFrame::decode(&frame.encode(NOW), &user, NOW).unwrap(), frame, "{odd}");
                taken += 1;
            }
        }
    }
    assert!(taken > 300 && refused > 1000, "{taken} taken, {refused} refused");
}

#[test]
fn a_credential_never_prints() {
    let text = r#"{"type":"reply","id":"r","ok":{"ice_servers":[{"urls":["turn:t"],"username":"u","credential":"secret-words"}]}}"#;
    let frame = ServerFrame::decode(text, &UserId::new("alice").unwrap(), NOW).unwrap();
    assert!(!format!("{frame:?}").contains("secret-words"));
    assert!(frame.encode(NOW).contains("secret-words"));
}

#[test]
fn a_token_never_prints() {
    let frame = read(r#"{"type":"update_token","id":"r","token":"secret-words"}"#).unwrap();
    assert!(!format!("{frame:?}").contains("secret-words"));
    let hello = read(r#"{"type":"hello","token":"secret-words","protocol":1,"device":{"id":"d"}}"#).unwrap();
    assert!(!format!("{hello:?}").contains("secret-words"));
}

/// The frames in the fenced blocks of the description of the wire that say whose they are.
fn described(whose: &str) -> Vec<Value> {
    let text = include_str!("../../../docs/protocol.md");
    let fence = format!("```json {whose}\n");
    let blocks = text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(|block| serde_json::Deserializer::from_str(block).into_iter().map(Result::unwrap)).collect()
}

// spec: V5: whoever writes a client by the description alone is understood
#[test]
fn every_frame_of_the_description_reads_and_writes_back() {
    let (client, server) = (described("client"), described("server"));
    assert!(client.len() >= 6 && server.len() >= 18, "{} and {}", client.len(), server.len());
    for frame in client {
        let read = read(&frame.to_string()).unwrap_or_else(|why| panic!("{frame}: {why:?}"));
        assert_eq!(serde_json::from_str::<Value>(&read.encode(NOW)).unwrap(), frame);
    }
    let user = UserId::new("alice").unwrap();
    for frame in server {
        let read = ServerFrame::decode(&frame.to_string(), &user, NOW).unwrap_or_else(|why| panic!("{frame}: {why:?}"));
        assert_eq!(serde_json::from_str::<Value>(&read.encode(NOW)).unwrap(), frame);
    }
    assert!(!include_str!("../../../docs/protocol.md").contains("```json\n"), "a frame that nothing checks");
}
