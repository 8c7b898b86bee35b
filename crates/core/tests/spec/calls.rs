//! One call among devices: ringing, answering, leaving, vanishing (L1-L7, L9, L11, §3).

use crate::people::{at, user};
use crate::server::*;
use ringback_core::call::{EndReason, Leaving, MissedReason, TurnState};
use ringback_core::id::InvitationId;
use ringback_core::line::{Direction, Made, Outcome};
use ringback_core::refusal::Code;
use ringback_core::step::{Actor, Ask, CancelWhom, Claim, Invitee, Reply};
use std::time::Duration;

// spec: L1: the caller is told of both
#[test]
fn the_caller_sees_inviting_then_ringing() {
    everywhere(|s| {
        let a = s.hello("a");
        let id = s.send(&a, &["b"]);
        assert_eq!(s.sees(&a, id, "b"), TurnState::Inviting);
        let b = s.hello("b");
        assert_eq!(s.sees(&a, id, "b"), TurnState::Inviting, "no device said so yet");
        s.twice(&b, Ask::Ringing { invitation: id, turn: 1 });
        assert_eq!(s.sees(&a, id, "b"), TurnState::Ringing);
    });
}

// spec: L3, S6: the first device wins; the others see where it was answered, and are refused
#[test]
fn the_first_device_wins() {
    everywhere(|s| {
        let (a, b1, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let id = s.send(&a, &["b"]);
        s.accept(&b1, id);
        let own = s.own(&b2, id).unwrap();
        assert_eq!((own.state, own.device.as_ref()), (TurnState::Accepted, Some(&b1.device)));
        assert_eq!(s.refused(&b2, Ask::Accept { invitation: id, turn: 1 }), Code::AnsweredElsewhere);
        assert_eq!(s.sees(&a, id, "b"), TurnState::Accepted);
    });
}

// spec: L3: in one batch as well, the first submitted is the first
#[test]
fn two_accepts_at_once_have_one_winner() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (a, b1, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let id = s.send(&a, &["b"]);
        for by in [&b2, &b1] {
            let request = s.next_request();
            let ask = Ask::Accept { invitation: id, turn: 1 };
            s.engine.submit(ringback_core::step::Step::Request { by: by.clone(), request, ask });
        }
        s.run();
        assert_eq!(s.turn(id, "b").device(), Some(&b2.device));
    }
}

// spec: L4, L6, S11: a decline on one device declines for the user, and ends one-to-one
#[test]
fn a_decline_declines_for_the_user() {
    everywhere(|s| {
        let (a, b1, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let id = s.send(&a, &["b"]);
        s.reject(&b1, id, false);
        assert_eq!(s.own(&b2, id).unwrap().state, TurnState::Declined);
        assert_eq!(s.view(&a, id).unwrap().ended, Some(EndReason::Declined));
        assert_eq!(s.missed(&b1), [], "M1: declined on any device");
    });
}

// spec: L4, M1: reject(busy) is busy, and missed
#[test]
fn busy_by_hand_is_busy() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.reject(&b, id, true);
        assert_eq!(s.view(&a, id).unwrap().ended, Some(EndReason::Busy));
        assert_eq!(s.reasons(&b), [MissedReason::Busy]);
    });
}

// spec: L2: at the deadline the time-out has run first, even if the clock's own step comes later
#[test]
fn an_answer_at_the_deadline_finds_it_timed_out() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.until(at(60) - Duration::from_millis(1));
        assert_eq!(s.state(id, "b"), TurnState::Inviting);
        s.now = at(60);
        let answer = s.ask(&b, Ask::Accept { invitation: id, turn: 1 });
        assert_eq!(answer.map_err(|r| r.code), Err(Code::InvitationExpired));
        assert_eq!(s.reasons(&b), [MissedReason::NoAnswer]);
    }
}

// spec: L2, N2, L9: a late accept in a group is a join, its repeat answers as that join, and claims it
#[test]
fn a_late_accept_in_a_group_joins() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&c, id);
        s.wait(60);
        let request = s.next_request();
        let accept = Ask::Accept { invitation: id, turn: 1 };
        let first = s.ask_as(&b, &request, accept.clone());
        assert_eq!(first, Ok(Reply::Made(Made::Joined { invitation: id, turn: 2 })));
        s.gone(&b);
        let b = s.connect("b", "b-1", Claim::by(request.clone()));
        assert_eq!(s.ask_as(&b, &request, accept), first);
        s.wait(40);
        assert_eq!(s.state(id, "b"), TurnState::Accepted);
        assert_eq!(s.missed(&b), [], "M4: connecting handles it");
    });
}

// spec: L2, L5: a late accept where no join may be is refused
#[test]
fn a_late_accept_joins_only_where_a_join_may() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let over = s.send(&a, &["b", "c"]);
        s.wait(60);
        s.leave(&a, over);
        assert_eq!(s.refused(&b, Ask::Accept { invitation: over, turn: 1 }), Code::InvitationExpired);
        let again = s.send(&a, &["b", "c"]);
        s.wait(60);
        s.twice(&a, more(again, &["b"]));
        s.reject(&b, again, false);
        let late = Ask::Accept { invitation: again, turn: 1 };
        assert_eq!(s.refused(&b, late), Code::InvitationExpired, "N2: for an earlier one changes nothing");
    });
}

// spec: L6: a group is over when one has been alone in it for 60 s, and all who are left are told
#[test]
fn alone_for_a_minute_ends_a_group() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&b, id);
        s.wait(60);
        s.leave(&a, id);
        s.wait(59);
        assert_eq!(s.ended(id), None);
        s.wait(1);
        assert_eq!(s.view(&b, id).unwrap().ended, Some(EndReason::Alone));
    });
}

// spec: C1, L7, M1: with C1 the call ends for everyone, and those who ring stop ringing
#[test]
fn with_c1_the_call_ends_with_its_initiator() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let mut send = sending(&["b", "c"]);
        send.end_when_initiator_leaves = true;
        let id = s.made(&a, Ask::Send(send));
        s.accept(&b, id);
        s.leave(&a, id);
        assert!(s.view(&b, id).unwrap().ended.is_some());
        assert_eq!(s.own(&c, id).unwrap().state, TurnState::Cancelled);
        assert_eq!(s.reasons(&c), [MissedReason::Cancelled]);
        assert!(!s.missed(&c)[0].can_join);
    });
}

// spec: L9: a connection that claims the call is in it; one that does not has left
#[test]
fn a_device_claims_the_call_it_is_in() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&b, id);
        s.gone(&b);
        s.wait(29);
        let b = s.connect("b", "b-1", Claim::of(id));
        s.wait(60);
        assert_eq!(s.state(id, "b"), TurnState::Accepted);
        let b = {
            s.gone(&b);
            s.connect("b", "b-1", Claim::default())
        };
        assert_eq!(s.state(id, "b"), TurnState::Left);
        assert_eq!(s.turn(id, "b").leaving, Some(Leaving::Elsewhere));
        assert_eq!(s.own(&b, id).unwrap().leaving, Some(Leaving::Elsewhere), "S11");
        assert_eq!(s.state(id, "a"), TurnState::Accepted);
    });
}

// spec: L9: it claims by the unanswered request as well; another request's name claims nothing
#[test]
fn a_device_claims_by_its_unanswered_request() {
    everywhere(|s| {
        let a = s.hello("a");
        let request = s.next_request();
        let sent = s.ask_as(&a, &request, call(&["b"])).unwrap();
        let id = *s.rows.calls.keys().next().unwrap();
        s.gone(&a);
        let a = s.connect("a", "a-1", Claim::by(request.clone()));
        assert_eq!(s.ask_as(&a, &request, call(&["b"])), Ok(sent));
        s.wait(31);
        assert_eq!(s.state(id, "a"), TurnState::Accepted);
        s.gone(&a);
        let other = s.next_request();
        s.connect("a", "a-1", Claim::by(other));
        assert_eq!(s.state(id, "a"), TurnState::Left);
    });
}

/// A device with call waiting in one call, rung by another; the two calls.
fn rung_in_a_call(s: &mut Server) -> (Actor, [InvitationId; 2]) {
    let (a, b, c) = (s.hello("a"), s.hello_waiting("b", "b-1"), s.hello("c"));
    let first = s.send(&a, &["b"]);
    s.accept(&b, first);
    let second = s.send(&c, &["b"]);
    (b, [first, second])
}

// spec: C11, L9: an accept that left a call and whose answer is lost: claimed, if it arrived; else the call before it is
#[test]
fn a_device_claims_its_call_and_the_accept_that_may_have_left_it() {
    for arrived in [false, true] {
        everywhere(|s| {
            let (b, [first, second]) = rung_in_a_call(s);
            let (request, accept) = (s.next_request(), Ask::Accept { invitation: second, turn: 1 });
            if arrived {
                s.ask_as(&b, &request, accept.clone()).unwrap();
            }
            s.gone(&b);
            let claim = Claim { invitation: Some(first), requests: vec![request.clone()] };
            let (b, _) = s.welcome("b", "b-1", claim, vec![], true);
            let expected = if arrived { [TurnState::Left, TurnState::Accepted] } else { [TurnState::Accepted; 2] };
            assert_eq!(s.state(first, "b"), expected[0]);
            s.ask_as(&b, &request, accept).unwrap();
            s.wait(31);
            assert_eq!([first, second].map(|id| s.state(id, "b")), [TurnState::Left, TurnState::Accepted]);
            assert_eq!(s.turn(first, "b").leaving, Some(Leaving::Elsewhere), "S11: taken out by the accept");
        });
    }
}

// spec: C11, L9: an accept that was refused, or came too late, put the device nowhere: it is in the call before it
#[test]
fn a_device_stays_in_its_call_when_its_accept_was_refused() {
    everywhere(|s| {
        let (b, [first, second]) = rung_in_a_call(s);
        s.wait(60);
        let (request, accept) = (s.next_request(), Ask::Accept { invitation: second, turn: 1 });
        let refused = s.ask_as(&b, &request, accept.clone());
        assert_eq!(refused.as_ref().map_err(|r| r.code), Err(Code::InvitationExpired));
        s.gone(&b);
        let claim = Claim { invitation: Some(first), requests: vec![request.clone()] };
        let (b, _) = s.welcome("b", "b-1", claim, vec![], true);
        assert_eq!(s.ask_as(&b, &request, accept), refused);
        s.wait(31);
        assert_eq!(s.state(first, "b"), TurnState::Accepted);
    });
}

// spec: C11, D6, L9: an accept that its device gave up isn't claimed: what it entered is left, and what it left stays so
#[test]
fn an_accept_that_was_given_up_is_left() {
    everywhere(|s| {
        let (b, [first, second]) = rung_in_a_call(s);
        s.accept(&b, second);
        s.gone(&b);
        s.welcome("b", "b-1", Claim::of(first), vec![], true);
        assert_eq!([first, second].map(|id| s.state(id, "b")), [TurnState::Left; 2]);
    });
}

// spec: §1, L9: a newer session takes the older's place; the older's end is then no loss
#[test]
fn a_replaced_session_that_ends_is_no_loss() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        let (_, welcome) = s.welcome("b", "b-1", Claim::of(id), vec![], false);
        assert_eq!(welcome.replaced, [b.session]);
        assert!(s.seen[&b.session].1.replaced);
        s.gone(&b);
        s.wait(60);
        assert_eq!(s.state(id, "b"), TurnState::Accepted);
    });
}

// spec: L9: the device in the call counts, not the user's others
#[test]
fn another_device_neither_holds_nor_claims() {
    everywhere(|s| {
        let (a, b1, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let id = s.send(&a, &["b"]);
        s.accept(&b1, id);
        s.gone(&b2);
        s.wait(31);
        assert_eq!(s.state(id, "b"), TurnState::Accepted);
        s.gone(&b1);
        s.connect("b", "b-2", Claim::of(id));
        s.wait(30);
        assert_eq!(s.state(id, "b"), TurnState::Left);
        assert_eq!(s.turn(id, "b").leaving, Some(Leaving::Lost));
    });
}

// spec: L9, L2: a claim decided before the grace's time-out is in time, and one at it is not
#[test]
fn a_claim_at_the_end_of_the_grace_is_late() {
    everywhere(|s| {
        for (millis, stays) in [(29_999, true), (30_000, false)] {
            let (a, b) = (s.hello("a"), s.hello("b"));
            let id = s.send(&a, &["b"]);
            s.accept(&b, id);
            s.gone(&b);
            s.now = s.now + Duration::from_millis(millis);
            s.connect("b", "b-1", Claim::of(id));
            assert_eq!(s.state(id, "b") == TurnState::Accepted, stays, "{millis}");
        }
    });
}

// spec: L9, M1: a caller who vanishes has left, and the callee missed it as cancelled
#[test]
fn a_caller_who_vanishes_is_missed_as_cancelled() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.gone(&a);
        s.wait(30);
        assert_eq!(s.own(&b, id).unwrap().state, TurnState::Cancelled);
        assert_eq!(s.reasons(&b), [MissedReason::Cancelled]);
    });
}

// spec: S15, L7: uninit leaves the call and forgets the device
#[test]
fn uninit_leaves() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        s.twice(&b, Ask::Uninit);
        assert_eq!(s.ended(id), Some(EndReason::Left));
        assert!(s.rows.lines[&user("b")].devices.is_empty());
    });
}

// spec: L11, S7: one who is in it or rung is refused, and the others are invited all the same
#[test]
fn an_invite_names_whom_it_could_not_invite() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&b, id);
        let made = s.twice(&b, more(id, &["a", "c", "d"]));
        let Reply::Made(Made::Invited { refused, .. }) = made else { panic!("{made:?}") };
        assert_eq!(refused, [(user("a"), Code::AlreadyInvited), (user("c"), Code::AlreadyInvited)]);
        assert_eq!(s.turn(id, "d").inviter, user("b"));
        assert_eq!(s.refused(&b, more(id, &["c"])), Code::AlreadyInvited, "S7: with the first one's code");
    });
}

// spec: L11: whose turn ended may be invited again, and answers the new turn
#[test]
fn who_declined_may_be_invited_again() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b", "c"]);
        s.reject(&b, id, false);
        s.twice(&a, more(id, &["b"]));
        let own = s.own(&b, id).unwrap();
        assert_eq!((own.no, own.state), (2, TurnState::Inviting));
        let old = Ask::Accept { invitation: id, turn: 1 };
        assert_eq!(s.refused(&b, old), Code::AnsweredElsewhere, "N2");
        s.accept(&b, id);
    });
}

// spec: §3, C9: `send` on a device that is in a call is `invite` into it
#[test]
fn a_send_in_a_call_invites_into_it() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        assert_eq!(s.send(&b, &["c"]), id);
        assert!(s.row(id).group);
        assert_eq!(s.turn(id, "c").inviter, user("b"));
    });
}

// spec: C9, C10, C14: kept with the invitation, and enforced
#[test]
fn c9_and_c10_of_the_initiator_hold() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let mut send = sending(&["b"]);
        send.only_initiator_can_invite = true;
        let id = s.made(&a, Ask::Send(send.clone()));
        s.accept(&b, id);
        assert_eq!(s.refused(&b, more(id, &["c"])), Code::Forbidden);
        s.twice(&a, more(id, &["c"]));
        s.twice(&a, Ask::End { invitation: id });
        send.can_invite_in_calling = false;
        let id = s.made(&a, Ask::Send(send));
        s.accept(&b, id);
        assert_eq!(s.refused(&a, more(id, &["c"])), Code::Forbidden);
        assert_eq!(s.refused(&a, call(&["c"])), Code::Forbidden, "§3");
    });
}

// spec: §3: an engaged user's request on another device is refused, unless the device in the call has no session
#[test]
fn a_device_without_a_session_gives_way() {
    everywhere(|s| {
        let (a1, a2) = (s.hello("a"), s.connect("a", "a-2", Claim::default()));
        let id = s.send(&a1, &["b", "c"]);
        assert_eq!(s.refused(&a2, call(&["d"])), Code::AlreadyInCall);
        assert_eq!(s.refused(&a2, Ask::Join { invitation: id }), Code::AlreadyInCall);
        s.gone(&a1);
        let other = s.send(&a2, &["d"]);
        assert_eq!((s.state(id, "a"), s.state(other, "a")), (TurnState::Left, TurnState::Accepted));
        assert_eq!(s.turn(id, "a").leaving, Some(Leaving::Elsewhere));
    });
}

// spec: §3: a `join` of the call that this device is in returns it
#[test]
fn a_join_of_ones_own_call_returns_it() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&b, id);
        let rows = s.rows.calls.clone();
        let made = s.twice(&b, Ask::Join { invitation: id });
        assert_eq!(made, Reply::Made(Made::Joined { invitation: id, turn: 1 }));
        assert_eq!(s.rows.calls, rows);
    });
}

// spec: N1, L5: who declined, missed or left a group could still join it, and is shown when that is over
#[test]
fn who_could_join_is_shown_when_the_call_is_over() {
    everywhere(|s| {
        let people = ["a", "b", "c", "d", "e"].map(|who| s.hello(who));
        let [a, b, c, d, e] = &people;
        let id = s.send(a, &["b", "c", "d", "e"]);
        s.reject(b, id, false);
        s.accept(c, id);
        s.leave(c, id);
        s.cancel(a, id, "d");
        s.accept(e, id);
        let sees = |s: &Server, who: &Actor| s.view(who, id).map(|v| (v.can_join, v.ended));
        let could = Some((true, None));
        assert_eq!([b, c, d].map(|who| sees(s, who)), [could, could, Some((false, None))]);
        s.leave(e, id);
        assert_eq!([b, c].map(|who| sees(s, who)), [could, could], "nothing else of it concerns them");
        s.leave(a, id);
        let over = Some((false, Some(EndReason::Left)));
        assert_eq!([b, c, d].map(|who| sees(s, who)), [over, over, Some((false, None))]);
    });
}

// spec: L5: who is not in it learns nothing
#[test]
fn a_stranger_gets_not_found_whatever_he_asks() {
    everywhere(|s| {
        let (a, x) = (s.hello("a"), s.hello("x"));
        let busy = s.send(&x, &["y"]);
        let id = s.send(&a, &["b", "c"]);
        let turn = 1;
        for ask in [
            Ask::Ringing { invitation: id, turn },
            Ask::Accept { invitation: id, turn },
            Ask::Reject { invitation: id, turn, busy: false },
            Ask::Cancel { invitation: id, whom: CancelWhom::Turn { callee: user("b"), turn } },
            Ask::Cancel { invitation: id, whom: CancelWhom::All { seen: 9 } },
            Ask::Join { invitation: id },
            Ask::Leave { invitation: id },
            Ask::End { invitation: id },
            Ask::Fetch { invitation: id, offset: 0 },
            more(id, &["d"]),
            dial(ringback_core::id::MissedId { invitation: id, turn }),
        ] {
            assert_eq!(s.refused(&x, ask.clone()), Code::NotFound, "{ask:?}");
        }
        s.leave(&x, busy);
        assert_eq!(s.refused(&x, Ask::Join { invitation: id }), Code::NotFound);
    });
}

// spec: §10: bad input names its field, and changes nothing
#[test]
fn bad_input_is_refused() {
    everywhere(|s| {
        let a = s.hello("a");
        let timeout = |span| {
            let mut send = sending(&["b"]);
            send.ring.timeout = span;
            Ask::Send(send)
        };
        let text = |bytes| {
            let mut send = sending(&["b"]);
            send.custom_data = "x".repeat(bytes).as_str().into();
            Ask::Send(send)
        };
        let people: Vec<String> = (0..101).map(|n| format!("u{n}")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        for (ask, code, field) in [
            (call(&[]), Code::BadRequest, "invitees"),
            (call(&["b", "b"]), Code::BadRequest, "invitees"),
            (call(&["b", "a"]), Code::BadRequest, "invitees"),
            (call(&people), Code::BadRequest, "invitees"),
            (timeout(Duration::ZERO), Code::BadRequest, "timeout_ms"),
            (timeout(Duration::from_millis(600_001)), Code::BadRequest, "timeout_ms"),
            (text(16 * 1024 + 1), Code::PayloadTooLarge, "custom_data"),
        ] {
            let refusal = s.ask(&a, ask).unwrap_err();
            assert_eq!((refusal.code, refusal.field), (code, Some(field)));
        }
        assert!(s.rows.calls.is_empty());
        s.ask(&a, call(&people[..100])).unwrap();
        let id = *s.rows.calls.keys().next().unwrap();
        assert_eq!(s.refused(&a, more(id, &["one-more"])), Code::BadRequest, "§10: an invitation");
    });
}

// spec: V3, M1, S7: the caller is told at once who is unreachable; they have a missed call
#[test]
fn an_unreachable_callee_is_told_of_at_once() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let mut send = sending(&["b", "c"]);
        let unreachable = |who: &str| Invitee { user: user(who), unreachable: true };
        send.invitees[0] = unreachable("b");
        let id = s.made(&a, Ask::Send(send.clone()));
        assert_eq!((s.sees(&a, id, "b"), s.ended(id)), (TurnState::Unreachable, None));
        assert_eq!(s.reasons(&b), [MissedReason::Unreachable]);
        s.leave(&a, id);
        send.invitees = vec![unreachable("b"), unreachable("c")];
        let Ok(Reply::Made(Made::Invited { invitation: id, refused, .. })) = s.ask(&a, Ask::Send(send)) else {
            panic!("a turn that is unreachable is a turn")
        };
        assert_eq!(s.view(&a, id).unwrap().ended, Some(EndReason::Unreachable));
        assert_eq!(refused, [(user("b"), Code::IncompatibleMode), (user("c"), Code::IncompatibleMode)]);
    });
}

// spec: N1, K6: a device that holds an invitation gets its last state back, ended or not, and is told what is gone
#[test]
fn a_hello_brings_back_what_the_device_holds() {
    everywhere(|s| {
        let (a, b, x) = (s.hello("a"), s.hello("b"), s.hello("x"));
        let over = s.send(&a, &["b"]);
        let foreign = s.send(&x, &["y"]);
        s.gone(&b);
        s.wait(60);
        let runs = s.send(&a, &["b"]);
        let (_, welcome) = s.welcome("b", "b-1", Claim::default(), vec![(over, 1), (foreign, 1)], false);
        let calls: Vec<_> = welcome.calls.iter().map(|v| (v.invitation, v.own[0].state)).collect();
        assert_eq!(calls.len(), 2);
        assert!(calls.contains(&(over, TurnState::TimedOut)));
        assert!(calls.contains(&(runs, TurnState::Inviting)));
        assert_eq!(welcome.gone, [foreign]);
    });
}

// spec: §10: 20 sessions a user, the oldest gives way; 32 devices, the one longest unseen is forgotten
#[test]
fn sessions_and_devices_are_bounded() {
    everywhere(|s| {
        let first = s.hello("b");
        let others: Vec<_> = (2..=20).map(|n| s.connect("b", &format!("b-{n}"), Claim::default())).collect();
        assert!(!s.seen[&first.session].1.replaced);
        let (_, welcome) = s.welcome("b", "b-21", Claim::default(), vec![], false);
        assert_eq!(welcome.replaced, [first.session]);
        let a = s.hello("a");
        let id = s.send(&a, &["b"]);
        assert_eq!((s.view(&first, id).is_some(), s.view(&others[0], id).is_some()), (false, true));
        s.gone(&first);
        for by in &others {
            s.gone(by);
        }
        for n in 22..=40 {
            s.wait(1);
            let by = s.connect("b", &format!("b-{n}"), Claim::default());
            s.gone(&by);
        }
        assert_eq!(s.rows.lines[&user("b")].devices.len(), 32);
    });
}

// spec: §3 (history), M1, L13: a line for each turn that ended, on either side; none for who blocked
#[test]
fn history_tells_each_turn_once() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let answered = s.send(&a, &["b"]);
        s.accept(&b, answered);
        s.leave(&a, answered);
        let declined = s.send(&a, &["b"]);
        s.reject(&b, declined, false);
        let missed = s.send(&a, &["b"]);
        s.wait(60);
        s.twice(&b, Ask::Block(user("c")));
        let blocked = s.send(&c, &["b"]);
        s.wait(60);
        let of = |who: &str, id| {
            let mine = s.rows.history.iter().filter(|h| h.user == user(who) && h.id.invitation == id);
            mine.map(|h| (h.direction, h.outcome)).collect::<Vec<_>>()
        };
        let (out, inc) = (Direction::Outgoing, Direction::Incoming);
        assert_eq!(
            (of("a", answered), of("b", answered)),
            (vec![(out, Outcome::Answered)], vec![(inc, Outcome::Answered)])
        );
        assert_eq!(
            (of("a", declined), of("b", declined)),
            (vec![(out, Outcome::Declined)], vec![(inc, Outcome::Declined)])
        );
        assert_eq!(of("a", missed), [(out, Outcome::Unanswered(EndReason::TimedOut))]);
        assert_eq!(of("b", missed), [(inc, Outcome::Missed(MissedReason::NoAnswer))]);
        assert_eq!(of("c", blocked), [(out, Outcome::Unanswered(EndReason::TimedOut))]);
        assert_eq!(of("b", blocked), []);
    });
}

// spec: §3 (history): who joins their own group again was with everyone; who joins another's, with its initiator
#[test]
fn history_tells_with_whom_one_joined() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let id = s.send(&a, &["b", "c"]);
        for who in [&b, &c] {
            s.accept(who, id);
        }
        for who in [&a, &b] {
            s.leave(who, id);
            s.twice(who, Ask::Join { invitation: id });
        }
        s.twice(&a, Ask::End { invitation: id });
        let joined = |who: &str| {
            let mine = s.rows.history.iter().find(|h| h.user == user(who) && h.direction == Direction::Joined);
            mine.map(|h| (h.with.iter().map(|p| p.id.to_string()).collect::<Vec<_>>(), h.with_count))
        };
        assert_eq!(joined("a"), Some((vec!["b".into(), "c".into()], 2)));
        assert_eq!(joined("b"), Some((vec!["a".into()], 1)));
    });
}
