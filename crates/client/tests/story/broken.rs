//! What breaks in between: connections, replies, processes.

use crate::stage::{Line, Seen, SignIn, person};
use ringback_client::{CallEvent, Code, ConnectionState, SendOptions};
use ringback_server::testing::{TestServer, config};
use ringback_store::Memory;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn state(event: &CallEvent) -> Option<ConnectionState> {
    if let CallEvent::ConnectionStateChanged { state } = event { Some(*state) } else { None }
}

// spec: N1, N3, L9
#[tokio::test]
async fn a_cut_connection_comes_back_and_claims_its_call() {
    let server = TestServer::start().await;
    let line = Line::to(server.address()).await;
    let mut alice = person(&server, "alice").await;
    let mut bob = SignIn::at(line.address).person("bob").await;
    let sent = alice.service.send(SendOptions::to(["bob"])).await.unwrap();
    bob.sees_ring().await;
    bob.service.accept(None).await.unwrap();
    bob.until("in the call", |bob| bob.in_call().is_some()).await;

    line.cut();
    bob.told("the loss", |event| (state(&event)? == ConnectionState::Reconnecting).then_some(())).await;
    bob.told("the return", |event| (state(&event)? == ConnectionState::Connected).then_some(())).await;
    assert_eq!(bob.service.in_call(), Some(sent.invitation));
    assert_eq!(line.connections.load(Ordering::SeqCst), 2);
    bob.service.leave(None).await.unwrap();
    alice.told("S11", |event| matches!(event, CallEvent::CallEnded { .. }).then_some(())).await;
}

// spec: L5, L9, N2: who hangs up while the server is out of reach is out at once, and that it is over by then is no error
#[tokio::test]
async fn who_leaves_or_ends_while_cut_off_is_out_at_once() {
    let server = TestServer::start().await;
    let line = Line::to(server.address()).await;
    let mut alice = SignIn::at(line.address).person("alice").await;
    let mut bob = SignIn::at(line.address).person("bob").await;
    let mut carol = person(&server, "carol").await;
    for ends in [false, true] {
        alice.service.send(SendOptions::to(["bob", "carol"])).await.unwrap();
        for callee in [&mut bob, &mut carol] {
            callee.until("the ring", |callee| !callee.rings().is_empty()).await;
            callee.service.accept(None).await.unwrap();
        }
        alice.until("all in the call", |alice| alice.calls().iter().any(|call| call.in_call == 3)).await;
        line.freeze();
        let (hers, his) = (alice.service.clone(), bob.service.clone());
        let asked = tokio::spawn(async move { if ends { hers.end(None).await } else { hers.leave(None).await } });
        let left = tokio::spawn(async move { his.leave(None).await });
        let out = async || {
            while alice.service.in_call().or(bob.service.in_call()).is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), out()).await.unwrap();
        assert!(!asked.is_finished() && !left.is_finished());
        // Back, Bob doesn't claim the call, so he is out of it before he can say that he leaves.
        line.cut();
        asked.await.unwrap().unwrap();
        left.await.unwrap().unwrap();
        if !ends {
            carol.service.leave(None).await.unwrap();
        }
        carol.until("the end", |carol| carol.calls().is_empty()).await;
    }
}

// spec: N2
#[tokio::test]
async fn a_request_whose_reply_is_lost_takes_effect_once() {
    let server = TestServer::start().await;
    let line = Line::to(server.address()).await;
    let mut alice = SignIn::at(line.address).person("alice").await;
    let mut bob = person(&server, "bob").await;

    line.lose_answers();
    let service = alice.service.clone();
    let asked = tokio::spawn(async move { service.send(SendOptions::to(["bob"])).await });
    // The server has it: it rings.
    let ring = bob.sees_ring().await;
    assert!(!asked.is_finished());
    line.cut();
    let sent = asked.await.unwrap().unwrap();
    assert_eq!(sent.invitation, ring.invitation);
    assert_eq!(alice.service.in_call(), Some(sent.invitation), "claimed by the request (L9)");
    alice.told("S7", |event| matches!(event, CallEvent::OutgoingCallSent { .. }).then_some(())).await;
    assert_eq!(bob.service.rings().len(), 1);
    alice.service.cancel(None).await.unwrap();
    bob.until("the missed call", |bob| bob.missed().total == 1).await;
    assert_eq!(alice.service.history(None, 10).await.unwrap().entries.len(), 1);
}

// spec: C11, L9, N2: an accept that is lost with the connection takes nobody out of the call before it
#[tokio::test]
async fn a_waiting_call_whose_accept_is_lost_costs_no_other_call() {
    for arrives in [true, false] {
        let server = TestServer::start().await;
        let line = Line::to(server.address()).await;
        let mut bob = SignIn::at(line.address);
        bob.config.call_waiting = true;
        let (mut bob, mut alice, mut carol) =
            (bob.person("bob").await, person(&server, "alice").await, person(&server, "carol").await);
        let first = alice.service.send(SendOptions::to(["bob"])).await.unwrap().invitation;
        bob.sees_ring().await;
        bob.service.accept(None).await.unwrap();
        let second = carol.service.send(SendOptions::to(["bob"])).await.unwrap().invitation;
        bob.sees_ring().await;

        if arrives {
            line.lose_answers()
        } else {
            line.freeze()
        }
        let service = bob.service.clone();
        let asked = tokio::spawn(async move { service.accept(None).await });
        bob.sees("the ring's end", |seen| (seen == Seen::RingsNoMore).then_some(())).await;
        if arrives {
            carol.told("S8", |event| matches!(event, CallEvent::OutgoingCallAccepted { .. }).then_some(())).await;
        } else {
            carol.service.cancel(None).await.unwrap();
        }
        line.cut();
        let accepted = asked.await.unwrap();
        assert_eq!(accepted.map(|_| ()).map_err(|e| e.code), if arrives { Ok(()) } else { Err(Code::Cancelled) });
        assert_eq!(bob.service.in_call(), Some(if arrives { second } else { first }));
        alice.until("where she is", |alice| alice.in_call() == (!arrives).then_some(first)).await;
    }
}

// spec: N2, L9
#[tokio::test]
async fn a_request_outlives_the_process_that_made_it() {
    let server = TestServer::start().await;
    let line = Line::to(server.address()).await;
    let place = tempfile::tempdir().unwrap();
    let at = || SignIn { keep_in: Some(place.path()), take_up_call: true, ..SignIn::at(line.address) };
    let alice = at().person("alice").await;
    let mut bob = person(&server, "bob").await;
    line.lose_answers();
    let service = alice.service.clone();
    let asked = tokio::spawn(async move { service.send(SendOptions::to(["bob"])).await });
    let ring = bob.sees_ring().await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    dies(alice).await;
    line.cut();

    let mut alice = at().person("alice").await;
    alice.until("in the call", |alice| alice.in_call() == Some(ring.invitation)).await;
    bob.service.accept(None).await.unwrap();
    alice.told("S8", |event| matches!(event, CallEvent::OutgoingCallAccepted { .. }).then_some(())).await;
    assert_eq!(bob.service.calls().len(), 1);
}

// spec: N3: silence is noticed, here within 2.5 times a ping of one second
#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let config = ringback_server::Config { ping: Duration::from_secs(1), ..config() };
    let server = TestServer::with(config, Box::new(Memory::new())).await;
    let line = Line::to(server.address()).await;
    let mut bob = SignIn::at(line.address).person("bob").await;
    line.freeze();
    bob.told("the loss", |event| (state(&event)? == ConnectionState::Reconnecting).then_some(())).await;
    line.thaw();
    bob.told("the return", |event| (state(&event)? == ConnectionState::Connected).then_some(())).await;
}

// spec: N3, S13
#[tokio::test]
async fn a_server_that_stops_and_starts_again_is_found_again() {
    let server = TestServer::start().await;
    let address = server.address();
    let mut bob = person(&server, "bob").await;
    server.stop().await.unwrap();
    bob.told("the loss", |event| (state(&event)? == ConnectionState::Reconnecting).then_some(())).await;
    let out_of_reach = |event| matches!(event, CallEvent::Error { code: "unavailable", .. }).then_some(());
    bob.told("why it doesn't come", out_of_reach).await;
    let config = ringback_server::Config { listen: address, ..config() };
    let _server = TestServer::with(config, Box::new(Memory::new())).await;
    bob.told("the return", |event| (state(&event)? == ConnectionState::Connected).then_some(())).await;
}

// spec: M3, L9, N2
#[tokio::test]
async fn a_process_that_dies_shows_nothing_twice_and_takes_up_its_call() {
    let server = TestServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let mut alice = person(&server, "alice").await;
    let at = || SignIn { keep_in: Some(place.path()), ..SignIn::at(server.address()) };
    // The first connection makes the device, so that what comes then pops up (M3).
    let bob = at().person("bob").await;
    let device = bob.service.device().clone();
    dies(bob).await;
    let mut missed = SendOptions::to(["bob"]);
    missed.invite.timeout_seconds = 1;
    alice.service.send(missed).await.unwrap();
    alice.told("S9", |event| matches!(event, CallEvent::OutgoingCallTimeout { .. }).then_some(())).await;

    let mut bob = at().person("bob").await;
    assert_eq!(bob.service.device(), &device);
    bob.told("S1 after all", |event| matches!(event, CallEvent::IncomingCallTimeout { .. }).then_some(())).await;
    let shown = bob.sees_notification().await;
    dies(bob).await;

    let mut bob = at().person("bob").await;
    bob.until("the list", |bob| bob.missed().total == 1).await;
    assert_eq!(bob.glance(), [], "it is on show already");
    bob.clicks(&shown);
    alice.sees_ring().await;
    alice.service.accept(None).await.unwrap();
    bob.told("S8", |event| matches!(event, CallEvent::OutgoingCallAccepted { .. }).then_some(())).await;
    let call = bob.service.in_call();
    dies(bob).await;

    let bob = SignIn { take_up_call: true, ..at() }.person("bob").await;
    assert_eq!(bob.service.in_call(), call);
    assert_eq!(alice.service.in_call(), call);
    dies(bob).await;
    let bob = at().person("bob").await;
    assert_eq!(bob.service.in_call(), None);
    alice.told("S11", |event| matches!(event, CallEvent::CallEnded { .. }).then_some(())).await;
}

/// The process dies: its device says nothing to anybody, and what it kept is all that is left of it.
async fn dies(person: crate::stage::Person) {
    let crate::stage::Person { service, mut events, .. } = person;
    drop(service);
    while events.next().await.is_some() {}
}

// spec: S15
#[tokio::test]
async fn who_signs_off_leaves_withdraws_and_forgets() {
    let server = TestServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let mut alice = person(&server, "alice").await;
    let mut bob = SignIn { keep_in: Some(place.path()), ..SignIn::at(server.address()) }.person("bob").await;
    let mut carol = person(&server, "carol").await;
    let mut missed = SendOptions::to(["bob"]);
    missed.invite.timeout_seconds = 1;
    carol.service.send(missed).await.unwrap();
    let shown = bob.sees_notification().await;
    carol.told("S9", |event| matches!(event, CallEvent::OutgoingCallTimeout { .. }).then_some(())).await;
    alice.service.send(SendOptions::to(["bob"])).await.unwrap();
    bob.sees_ring().await;
    bob.service.accept(None).await.unwrap();

    let service = bob.service.clone();
    service.clone().uninit().await;
    assert_eq!(bob.sees_withdrawn().await, shown.tag);
    bob.told("the end", |event| (state(&event)? == ConnectionState::Disconnected).then_some(())).await;
    alice.told("S11", |event| matches!(event, CallEvent::CallEnded { .. }).then_some(())).await;
    let refused = service.send(SendOptions::to(["alice"])).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    let kept = std::fs::read_to_string(place.path().join("bob.json")).unwrap();
    assert!(!kept.contains("carol") && kept.contains(service.device().as_str()), "{kept}");
}
