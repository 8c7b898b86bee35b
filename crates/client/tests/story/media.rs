//! What an app's media needs: signals and ICE servers.

use crate::stage::{Line, Person, SignIn, person};
use ringback_client::{CallEvent, Code, ConnectionState, SendOptions, Signal, Signals};
use ringback_server::Config;
use ringback_server::config::{Ice, Secret};
use ringback_server::testing::{PATIENCE, TestServer, config};
use ringback_store::Memory;
use std::time::Duration;
use tokio::time::timeout;

async fn hears(signals: &mut Signals) -> Signal {
    timeout(PATIENCE, signals.next()).await.expect("a signal in time").expect("the service lives")
}

/// Who is rung accepts, and both are in the call.
async fn meet(alice: &mut Person, bob: &mut Person) {
    alice.service.send(SendOptions::to(["bob"])).await.unwrap();
    bob.sees_ring().await;
    bob.service.accept(None).await.unwrap();
    bob.until("in the call", |bob| bob.in_call().is_some()).await;
    alice.told("S8", |event| matches!(event, CallEvent::OutgoingCallAccepted { .. }).then_some(())).await;
}

// spec: R1
#[tokio::test]
async fn signals_go_from_device_to_device_and_end_with_the_connection() {
    let server = TestServer::start().await;
    let line = Line::to(server.address()).await;
    let mut alice = person(&server, "alice").await;
    let mut bob = SignIn::at(line.address).person("bob").await;
    let (mut to_alice, mut to_bob) = (alice.service.signals(), bob.service.signals());
    let alone = alice.service.signal("bob", None, "{}", None).await.unwrap_err();
    assert_eq!(alone.code, Code::NotFound, "in no call");
    meet(&mut alice, &mut bob).await;

    let offer = "{\"description\":{\"sdp\":\"v=0\",\"type\":\"offer\"}}";
    alice.service.signal("bob", None, offer, None).await.unwrap();
    let heard = hears(&mut to_bob).await;
    assert_eq!((&*heard.data, heard.from.as_str(), &heard.device), (offer, "alice", alice.service.device()));
    bob.service.signal("alice", Some(&heard.device), "{}", heard.invitation).await.unwrap();
    assert_eq!(hears(&mut to_alice).await.from.as_str(), "bob");
    let nobody = alice.service.signal("carol", None, "{}", None).await.unwrap_err();
    assert_eq!((nobody.code, nobody.field), (Code::NotFound, Some("to")));
    let no_object = alice.service.signal("bob", None, "[]", None).await.unwrap_err();
    assert_eq!((no_object.code, no_object.field), (Code::BadRequest, Some("data")));

    // A signal whose answer is lost is lost, and isn't sent again.
    line.lose_answers();
    let service = bob.service.clone();
    let asked = tokio::spawn(async move { service.signal("alice", None, "{\"n\":1}", None).await });
    assert_eq!(&*hears(&mut to_alice).await.data, "{\"n\":1}");
    line.cut();
    let lost = asked.await.unwrap().unwrap_err();
    assert_eq!(lost.code, Code::Unavailable);
    assert!(lost.retry_after.is_some());
    for state in [ConnectionState::Reconnecting, ConnectionState::Connected] {
        bob.told("the return", |event| match event {
            CallEvent::ConnectionStateChanged { state: now } if now == state => Some(()),
            _ => None,
        })
        .await;
    }
    bob.service.signal("alice", None, "{\"n\":2}", None).await.unwrap();
    assert_eq!(&*hears(&mut to_alice).await.data, "{\"n\":2}", "and not the lost one again");
}

// spec: R1
#[tokio::test]
async fn ice_servers_come_with_credentials_for_a_time() {
    let ice = Ice {
        turn: vec!["turn:turn.example".into()],
        secret: Some(Secret::new(b"shared with coturn".to_vec())),
        ttl: Duration::from_secs(900),
        ..Ice::default()
    };
    let server = TestServer::with(Config { ice, ..config() }, Box::new(Memory::new())).await;
    let (mut alice, mut bob) = (person(&server, "alice").await, person(&server, "bob").await);
    meet(&mut alice, &mut bob).await;
    let told = bob.service.ice_servers(None).await.unwrap();
    assert_eq!(told.servers[0].urls, ["turn:turn.example"]);
    assert!(told.servers[0].username.is_some() && told.servers[0].credential.is_some());
    assert_eq!(told.expires_in, Some(Duration::from_secs(900)));
}
