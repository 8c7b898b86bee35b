//! Signing in: what is refused, tokens, and two of the same device.

use crate::stage::{SignIn, person, token};
use ringback_client::{
    CallEvent, CallInvitationConfig, CallInvitationService, Code, ConnectionState, Init, InitError, KeepError,
    MissedCallConfig, SendOptions, TokenSource,
};
use ringback_server::testing::{PATIENCE, TestServer};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const HOUR: Duration = Duration::from_secs(3600);

// spec: C13
#[tokio::test]
async fn what_can_not_be_is_refused_by_name() {
    let missed = |missed_call| CallInvitationConfig { missed_call, ..CallInvitationConfig::default() };
    let timeout = |timeout_seconds| missed(MissedCallConfig { timeout_seconds, ..MissedCallConfig::default() });
    let resource = |id: &str| missed(MissedCallConfig { resource_id: Some(id.into()), ..MissedCallConfig::default() });
    let good = || Init::new("http://127.0.0.1:1", "bob", "token");
    for (init, parameter) in [
        (good().config(timeout(0)), "config.missed_call.timeout_seconds"),
        (good().config(timeout(601)), "config.missed_call.timeout_seconds"),
        (good().config(resource("")), "config.missed_call.resource_id"),
        (good().config(resource(&"x".repeat(129))), "config.missed_call.resource_id"),
        (Init::new("calls.example", "bob", "token"), "server"),
        (Init::new("http://127.0.0.1:1", "", "token"), "user"),
        (good().platform("x".repeat(33)), "platform"),
    ] {
        match CallInvitationService::init(init).await {
            Err(InitError::Config(error)) => assert_eq!(error.parameter, parameter, "{error}"),
            other => panic!("{parameter}: {other:?}"),
        }
    }
    let service = CallInvitationService::init(good()).await.unwrap();
    for (call, field) in [
        (SendOptions::default(), "invitees"),
        (SendOptions::to([""]), "invitees"),
        (SendOptions { call_id: Some("\n".into()), ..SendOptions::to(["alice"]) }, "call_id"),
    ] {
        let refused = service.send(call).await.unwrap_err();
        assert_eq!((refused.code, refused.field), (Code::BadRequest, Some(field)), "{refused}");
    }
    let mut call = SendOptions::to(["alice"]);
    call.invite.timeout_seconds = 0;
    assert_eq!(service.send(call).await.unwrap_err().field, Some("timeout_seconds"));
    assert_eq!(service.accept(None).await.unwrap_err().code, Code::NotFound);
    assert_eq!(service.leave(None).await.unwrap_err().code, Code::NotFound);
}

// spec: S15
#[tokio::test]
async fn a_token_that_is_refused_is_made_anew_and_a_fixed_one_waits_for_the_app() {
    let server = TestServer::start().await;
    let address = format!("http://{}", server.address());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let provider = TokenSource::provider(move |refused| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            let good = token("bob", HOUR);
            Ok::<_, std::io::Error>(if refused { good } else { format!("{good}x") })
        }
    });
    let bob = CallInvitationService::init(Init::new(&address, "bob", provider)).await.unwrap();
    timeout(PATIENCE, bob.connected()).await.unwrap().unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    let bob = CallInvitationService::init(Init::new(&address, "bob", "nonsense")).await.unwrap();
    let refused = timeout(PATIENCE, bob.connected()).await.unwrap().unwrap_err();
    assert_eq!((refused.code, bob.connection_state()), (Code::Unauthorized, ConnectionState::Unauthorized));
    bob.update_token(token("bob", HOUR)).await.unwrap();
    timeout(PATIENCE, bob.connected()).await.unwrap().unwrap();
}

// spec: S13, S15: a token that is about to expire is renewed, on the same connection
#[tokio::test]
async fn a_token_that_expires_is_renewed() {
    let server = TestServer::start().await;
    let (asks, mut asked) = mpsc::channel(8);
    let provider = TokenSource::provider(move |fresh| {
        asks.try_send(fresh).unwrap();
        // The first is about to expire from the start.
        let valid = if fresh { HOUR } else { Duration::from_secs(20) };
        async move { Ok::<_, String>(token("bob", valid)) }
    });
    let bob = CallInvitationService::init(Init::new(format!("http://{}", server.address()), "bob", provider));
    let bob = bob.await.unwrap();
    let mut events = bob.events();
    let warned = async { while !matches!(events.next().await, Some(CallEvent::TokenWillExpire { .. })) {} };
    timeout(PATIENCE, warned).await.unwrap();
    assert_eq!((asked.recv().await, asked.recv().await), (Some(false), Some(true)));
    bob.missed_calls(0).await.unwrap();
    assert_eq!(bob.connection_state(), ConnectionState::Connected);
}

// spec: S13: one session a device
#[tokio::test]
async fn a_device_is_one_service_at_a_time() {
    let server = TestServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let bob = SignIn { keep_in: Some(place.path()), ..SignIn::at(server.address()) }.person("bob").await;
    let again = Init::new(format!("http://{}", server.address()), "bob", token("bob", HOUR)).keep_in(place.path());
    let refused = CallInvitationService::init(again).await.unwrap_err();
    assert!(matches!(refused, InitError::Keep(KeepError::InUse(_))), "{refused}");

    // The same device from another place takes the session over, and this one doesn't fight for it.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(place.path().join("bob.json"), elsewhere.path().join("bob.json")).unwrap();
    let mut bob = bob;
    let other = SignIn { keep_in: Some(elsewhere.path()), ..SignIn::at(server.address()) }.person("bob").await;
    assert_eq!(other.service.device(), bob.service.device());
    bob.until("replaced", |bob| bob.connection_state() == ConnectionState::Replaced).await;
    bob.service.reconnect().await.unwrap();
    bob.until("back", |bob| bob.connection_state() == ConnectionState::Connected).await;
}

// The example of the documentation, as a program of its own.
#[tokio::test]
async fn the_example_answers_and_calls_back() {
    let server = TestServer::start().await;
    let alice = person(&server, "alice").await;
    let mut missed = SendOptions::to(["bob"]);
    missed.invite.timeout_seconds = 1;
    alice.service.send(missed).await.unwrap();
    let mut alice = alice;
    alice.told("S9", |event| matches!(event, CallEvent::OutgoingCallTimeout { .. }).then_some(())).await;

    let readme = include_str!("../../../../README.md");
    assert!(readme.contains(include_str!("../../examples/answer.rs")), "the README has the example as it is");
    // Cargo builds examples beside the tests.
    let tests = std::env::current_exe().unwrap();
    let example = tests.parent().unwrap().parent().unwrap().join("examples").join("answer");
    let mut bob = tokio::process::Command::new(&example)
        .args([&format!("http://{}", server.address()), "bob", &token("bob", HOUR)])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples builds it", example.display()));
    assert_eq!(alice.sees_ring().await.caller.id.as_str(), "bob");
    alice.service.accept(None).await.unwrap();
    alice.until("in the call", |alice| alice.in_call().is_some()).await;
    alice.service.end(None).await.unwrap();
    alice.service.send(SendOptions::to(["bob"])).await.unwrap();
    alice.told("S8", |event| matches!(event, CallEvent::OutgoingCallAccepted { .. }).then_some(())).await;
    assert!(bob.try_wait().unwrap().is_none(), "the example lives");
}
