//! Two and three people, and nothing breaks.

use crate::stage::{SignIn, person, token};
use ringback_client::{
    CallEvent, CallInvitationConfig, CallInvitationEvents, CallInvitationService, CallType, CallUser, Code,
    DefaultAction, DialedBack, Direction, Elsewhere, EndReason, InCallingConfig, Init, Invitation, InviteOptions,
    MissedCallConfig, MissedReason, Outcome, SendOptions, TextFn, TextKind, TurnState,
};
use ringback_server::testing::{PATIENCE, TestServer};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

fn for_a_second(invitees: &[&str]) -> SendOptions {
    let mut call = SendOptions::to(invitees.iter().copied());
    call.invite.timeout_seconds = 1;
    call
}

// spec: S1, S4, S7, S9, S12, M5, C5, C6, C12, D1, D4, L3
#[tokio::test]
async fn a_missed_call_is_shown_clicked_and_answered() {
    let server = TestServer::start().await;
    let mut alice = person(&server, "alice").await;
    let mut bob = SignIn::at(server.address());
    bob.config.missed_call = MissedCallConfig {
        notification_title: Some(TextFn::new(|context| {
            let kind = if context.kind == TextKind::MissedCall { "missed" } else { "dialling back" };
            Some(format!("{kind} {}", context.missed_call.caller.name))
        })),
        notification_message: Some(TextFn::plain(|| None)),
        ..MissedCallConfig::default()
    };
    let mut bob = bob.person("bob").await;

    let mut call = for_a_second(&["bob"]);
    (call.is_video_call, call.custom_data, call.call_id) = (true, "{\"room\":7}".into(), Some("standup".into()));
    let sent = alice.service.send(call).await.unwrap();
    assert_eq!((sent.call_id.as_str(), sent.refused.len(), sent.crossed), ("standup", 0, false));
    let about = alice.told("S7", |event| match event {
        CallEvent::OutgoingCallSent { callees, call_type: CallType::Video, custom_data, invitation, .. } => {
            assert_eq!((callees.len(), &*custom_data), (1, "{\"room\":7}"));
            invitation
        }
        _ => None,
    });
    assert_eq!(about.await.invitation, sent.invitation);

    let ring = bob.sees_ring().await;
    assert_eq!((ring.invitation, ring.caller.name.as_ref(), ring.group), (sent.invitation, "Alice", false));
    assert!(ring.remaining <= Duration::from_secs(1) && !ring.remaining.is_zero());
    bob.told("S4", |event| match event {
        CallEvent::IncomingCallReceived { caller, custom_data, callees, call_id, .. } => {
            assert_eq!((&*custom_data, callees[0].id.as_str(), call_id.as_str()), ("{\"room\":7}", "bob", "standup"));
            (caller.id.as_str() == "alice").then_some(())
        }
        _ => None,
    })
    .await;

    bob.told("S1", |event| matches!(event, CallEvent::IncomingCallTimeout { .. }).then_some(())).await;
    let shown = bob.sees_notification().await;
    assert_eq!((shown.title.as_str(), shown.body.as_str()), ("missed Alice", "Alice Video Call"));
    assert_eq!((shown.tag.as_str(), shown.count, shown.sound), ("caller:alice", 1, true));
    alice.told("S9", |event| matches!(event, CallEvent::OutgoingCallTimeout { .. }).then_some(())).await;
    bob.until("S12", |bob| bob.missed().total == 1).await;
    assert_eq!(bob.service.missed().calls[0].reason, MissedReason::NoAnswer);

    bob.clicks(&shown);
    let ring = alice.sees_ring().await;
    assert_eq!((ring.caller.id.as_str(), ring.call_id.as_str(), ring.call_type), ("bob", "standup", CallType::Video));
    assert!(ring.remaining > Duration::from_secs(25), "C7's 30 s");
    assert_eq!(bob.sees_withdrawn().await, "caller:alice");
    let accepted = alice.service.accept(None).await.unwrap();
    assert_eq!((accepted.invitation, accepted.joined), (ring.invitation, false));
    bob.told("S8", |event| matches!(event, CallEvent::OutgoingCallAccepted { .. }).then_some(())).await;
    assert_eq!((bob.service.in_call(), alice.service.in_call()), (Some(ring.invitation), Some(ring.invitation)));
    bob.until("nothing missed", |bob| bob.missed().total == 0).await;

    bob.service.leave(None).await.unwrap();
    alice
        .told("S11", |event| matches!(event, CallEvent::CallEnded { reason: EndReason::Left, .. }).then_some(()))
        .await;
    assert_eq!((bob.service.in_call(), alice.service.in_call()), (None, None));

    let page = alice.service.history(None, 1).await.unwrap();
    assert_eq!((page.entries[0].direction, page.entries[0].outcome), (Direction::Incoming, Outcome::Answered));
    let page = alice.service.history(page.cursor, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.entries[0].outcome), (1, Outcome::Unanswered(EndReason::TimedOut)));
}

// spec: S2, S10, C1, C9, D5, L5, M1
#[tokio::test]
async fn a_group_goes_on_and_who_missed_it_joins_by_a_click() {
    let server = TestServer::start().await;
    let mut alice = SignIn::at(server.address());
    alice.config.in_calling = InCallingConfig { can_inviting_in_calling: true, only_initiator_can_invite: false };
    let mut alice = alice.person("alice").await;
    let mut bob = person(&server, "bob").await;
    let mut carol = person(&server, "carol").await;

    let sent = alice.service.send(for_a_second(&["bob", "carol"])).await.unwrap();
    assert!(carol.sees_ring().await.group);
    carol.service.accept(None).await.unwrap();
    let shown = bob.sees_notification().await;
    assert_eq!((shown.body.as_str(), shown.action), ("Alice Group Audio Call", Some(ringback_client::Action::Join)));
    bob.clicks(&shown);
    let joined = |event| match event {
        CallEvent::InvitationUserStateChanged { users, .. } => {
            users.iter().any(|(user, state)| (user.id.as_str(), *state) == ("bob", TurnState::Accepted)).then_some(())
        }
        _ => None,
    };
    alice.told("S10: bob joined", joined).await;
    carol.told("S10: bob joined", joined).await;
    bob.until("in the call", |bob| bob.in_call() == Some(sent.invitation)).await;
    assert_eq!(bob.service.call(sent.invitation).unwrap().in_call, 3);
    assert_eq!(alice.glance().len(), 0, "a join rings nobody");

    // C9: whoever is in it may invite more.
    let mut dave = person(&server, "dave").await;
    bob.service.invite(InviteOptions::to(["dave"])).await.unwrap();
    assert_eq!(dave.sees_ring().await.caller.id.as_str(), "bob");
    bob.service.cancel_callee("dave", None).await.unwrap();
    dave.told("S5", |event| matches!(event, CallEvent::IncomingCallCanceled { .. }).then_some(())).await;

    alice.service.leave(None).await.unwrap();
    carol
        .told("alice left", |event| match event {
            CallEvent::InvitationUserStateChanged { users, .. } => {
                users.iter().any(|(user, state)| (user.id.as_str(), *state) == ("alice", TurnState::Left)).then_some(())
            }
            _ => None,
        })
        .await;
    assert_eq!(carol.service.in_call(), Some(sent.invitation));
    alice.service.join(sent.invitation).await.unwrap();
    let ended = alice.service.end(None).await;
    assert_eq!(ended, Ok(()));
    carol
        .told("S11", |event| matches!(event, CallEvent::CallEnded { reason: EndReason::Ended, .. }).then_some(()))
        .await;
}

// spec: M4, D6, S3
#[tokio::test]
async fn a_dial_back_of_who_is_engaged_fails_and_the_notification_comes_back_silently() {
    let server = TestServer::start().await;
    let alice = person(&server, "alice").await;
    let mut bob = person(&server, "bob").await;
    let mut carol = person(&server, "carol").await;
    alice.service.send(for_a_second(&["bob"])).await.unwrap();
    let shown = bob.sees_notification().await;
    carol.service.send(SendOptions::to(["bob"])).await.unwrap();
    bob.sees_ring().await;
    bob.service.accept(None).await.unwrap();
    carol.told("S8", |event| matches!(event, CallEvent::OutgoingCallAccepted { .. }).then_some(())).await;

    bob.clicks(&shown);
    bob.told("S3", |event| match event {
        CallEvent::IncomingMissedCallDialBackFailed { reason, caller, .. } => {
            assert_eq!(caller.id.as_str(), "alice");
            (reason == Code::AlreadyInCall).then_some(())
        }
        _ => None,
    })
    .await;
    let back = bob.sees_notification().await;
    assert_eq!((back.tag, back.body, back.sound), (shown.tag.clone(), shown.body.clone(), false));
    bob.until("unhandled again", |bob| bob.missed().total == 1).await;

    // Asked for by the app, it is an answer and no error.
    let missed = bob.service.missed().calls.remove(0);
    let asked = bob.service.dial_back(&missed).await.unwrap();
    assert_eq!(asked, DialedBack::Engaged { invitation: bob.service.in_call().unwrap() });
    let refused = bob.service.join(missed.id.invitation).await.unwrap_err();
    assert_eq!(refused.code, Code::AlreadyInCall, "{refused}");
    bob.dismisses(&shown);
    bob.until("handled", |bob| bob.missed().total == 0).await;
}

/// Writes down what it is told, and decides on clicks.
struct Decides {
    said: mpsc::Sender<String>,
    clicked: mpsc::Sender<DefaultAction>,
}

impl CallInvitationEvents for Decides {
    fn on_incoming_call_received(
        &self,
        call_id: &ringback_client::CallId,
        caller: &CallUser,
        call_type: CallType,
        callees: &[CallUser],
        custom_data: &str,
        invitation: Option<&Invitation>,
    ) {
        let said = format!("{call_id} {} {call_type:?} {} {custom_data:?}", caller.name, callees.len());
        self.said.try_send(said).unwrap();
        assert!(invitation.is_some());
        panic!("an app's mistake is its own");
    }

    fn on_incoming_missed_call_clicked(
        &self,
        call_id: &ringback_client::CallId,
        caller: &CallUser,
        call_type: CallType,
        callees: &[CallUser],
        custom_data: &str,
        default_action: DefaultAction,
        _: Option<&Invitation>,
    ) {
        let said = format!("clicked {call_id} {} {call_type:?} {} {custom_data:?}", caller.name, callees.len());
        self.said.try_send(said).unwrap();
        self.clicked.try_send(default_action).unwrap();
    }
}

// spec: S2, S5, S6, D1, C2, C3, C8
#[tokio::test]
async fn an_app_with_callbacks_decides_on_clicks() {
    let server = TestServer::start().await;
    let mut alice = person(&server, "alice").await;
    let (said, mut told) = mpsc::channel(16);
    let (clicked, mut clicks) = mpsc::channel(16);
    let init = |token: String| Init::new(format!("http://{}", server.address()), "bob", token);
    let service = CallInvitationService::init(
        init(token("bob", Duration::from_secs(3600))).invitation_events(Decides { said, clicked }),
    );
    let service = service.await.unwrap();
    // Another device of the same person, whose notification is off; S6 comes there.
    let mut other = SignIn::at(server.address());
    other.config = CallInvitationConfig {
        missed_call: MissedCallConfig { enabled: false, ..MissedCallConfig::default() },
        ..CallInvitationConfig::default()
    };
    let mut other = other.person("bob").await;
    timeout(PATIENCE, service.connected()).await.unwrap().unwrap();

    let mut call = SendOptions::to(["bob"]);
    call.call_id = Some("c".into());
    alice.service.send(call).await.unwrap();
    other.sees_ring().await;
    assert_eq!(told.recv().await.unwrap(), "c Alice Voice 1 \"\"");
    alice.service.cancel(None).await.unwrap();
    other.told("S5", |event| matches!(event, CallEvent::IncomingCallCanceled { .. }).then_some(())).await;
    other.until("S12", |other| other.missed().total == 1).await;

    let missed = service.missed_calls(0).await.unwrap();
    assert_eq!((missed.total, missed.calls[0].reason), (1, MissedReason::Cancelled));
    // Nothing shows where notifications are off; a click is the same, wherever it comes from.
    assert!(other.glance().iter().all(|seen| !matches!(seen, crate::stage::Seen::Shown(_))));
    // This one has no callbacks: the click that started it dials back at once (D3).
    let clicked = init(token("bob", Duration::from_secs(3600))).clicked((&missed.calls[0]).into());
    let started = CallInvitationService::init(clicked).await.unwrap();
    let mut events = started.events();
    let ring = alice.sees_ring().await;
    assert_eq!((ring.caller.id.as_str(), ring.call_id.as_str()), ("bob", "c"));
    alice.service.reject(None).await.unwrap();
    let declined = async {
        while !matches!(events.next().await, Some(CallEvent::CallEnded { reason: EndReason::Declined, .. })) {}
    };
    timeout(PATIENCE, declined).await.expect("declined");

    // And one with callbacks is asked first (S2).
    alice.service.send(for_a_second(&["bob"])).await.unwrap();
    assert!(told.recv().await.unwrap().contains("Alice Voice 1"));
    other.until("missed again", |other| other.missed().total == 1).await;
    let missed = service.missed_calls(0).await.unwrap().calls.remove(0);
    let (said, mut asked) = mpsc::channel(16);
    let (clicked, mut action) = mpsc::channel(16);
    let deciding = init(token("bob", Duration::from_secs(3600))).invitation_events(Decides { said, clicked });
    let deciding = CallInvitationService::init(deciding.clicked((&missed).into())).await.unwrap();
    assert!(asked.recv().await.unwrap().starts_with("clicked "));
    let action = action.recv().await.unwrap();
    assert!(deciding.in_call().is_none(), "the app has not decided yet");
    action.run();
    alice.sees_ring().await;
    other
        .told("S6: nothing rang there", |event| match event {
            CallEvent::MissedCallsChanged { count, .. } => (count == 0).then_some(()),
            CallEvent::IncomingCallAnsweredElsewhere { how: Elsewhere::DialedBack, .. } => panic!("it didn't ask"),
            _ => None,
        })
        .await;
    assert!(clicks.try_recv().is_err());
}

// spec: L13, S13, M8, C11
#[tokio::test]
async fn blocking_do_not_disturb_and_a_screen_that_shows_nothing() {
    let server = TestServer::start().await;
    let alice = person(&server, "alice").await;
    let mut carol = person(&server, "carol").await;
    let mut bob = SignIn::at(server.address());
    bob.denies = true;
    let mut bob = bob.person("bob").await;

    bob.service.block("alice").await.unwrap();
    assert_eq!(bob.service.blocked().len(), 1);
    alice.service.send(for_a_second(&["bob"])).await.unwrap();
    bob.service.set_do_not_disturb(Some(Duration::from_secs(60)), &["dave"]).await.unwrap();
    let set = bob.service.do_not_disturb().unwrap();
    assert!(set.remaining > Duration::from_secs(50) && set.let_through[0].as_str() == "dave");
    carol.service.send(for_a_second(&["bob"])).await.unwrap();
    carol.told("S9", |event| matches!(event, CallEvent::OutgoingCallTimeout { .. }).then_some(())).await;
    let denied = |event| matches!(event, CallEvent::Error { code: "notifications_denied", .. }).then_some(());
    bob.told("that nothing could be shown", denied).await;
    let missed = bob.service.missed();
    assert_eq!((missed.total, missed.calls[0].reason), (1, MissedReason::DoNotDisturb));
    assert!(bob.glance().is_empty(), "nothing rang");
    // Another device of theirs learns of both at its connection, and from then on at once.
    let mut other = person(&server, "bob").await;
    assert_eq!(other.service.blocked()[0].as_str(), "alice");
    assert!(other.service.do_not_disturb().is_some());
    bob.service.unblock("alice").await.unwrap();
    other.service.set_do_not_disturb(None, &[]).await.unwrap();
    for person in [&mut bob, &mut other] {
        let free = |set: &CallInvitationService| set.blocked().is_empty() && set.do_not_disturb().is_none();
        person.until("that neither holds any more", free).await;
    }
    other.service.block("carol").await.unwrap();
    bob.told("the block", |event| match event {
        CallEvent::SettingsChanged { blocked, do_not_disturb: None } => {
            blocked.iter().any(|user| user.as_str() == "carol").then_some(())
        }
        _ => None,
    })
    .await;
    alice.service.leave(None).await.ok();
    alice.service.send(for_a_second(&["bob"])).await.unwrap();
    bob.sees_ring().await;
}

// spec: S7, L5: what was just made is there to go on from
#[tokio::test]
async fn a_call_that_was_just_made_can_be_called_off_at_once() {
    let server = TestServer::start().await;
    let mut bob = person(&server, "bob").await;
    let alice = person(&server, "alice").await;
    for round in 1..=20 {
        let sent = alice.service.send(SendOptions::to(["bob"])).await.unwrap();
        assert!(alice.service.calls().iter().any(|call| call.invitation == sent.invitation));
        alice.service.cancel(None).await.unwrap();
        bob.until("the missed call", |bob| bob.missed().total == round).await;
    }
}
