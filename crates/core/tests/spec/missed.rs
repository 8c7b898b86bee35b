//! Missed calls, clicks and dial-backs (M1-M4, M6, D4-D10).

use crate::people::{device, user};
use crate::server::*;
use ringback_core::call::{CallType, EndReason, MissedReason, TurnState};
use ringback_core::id::{InvitationId, MissedId};
use ringback_core::limits::Limits;
use ringback_core::line::{Made, MissedCall};
use ringback_core::refusal::Code;
use ringback_core::step::{Actor, Ask, Claim, Reply};

/// Rings out, or is called off when it ends at once; gives the callee's missed call.
fn miss(s: &mut Server, from: &Actor, to: &Actor) -> MissedCall {
    let id = s.send(from, &[to.user.as_str()]);
    s.wait(60);
    let missed = s.missed(to);
    let new = missed.into_iter().find(|m| m.id.invitation == id);
    new.expect("a missed call")
}

fn ids(s: &Server, by: &Actor) -> Vec<InvitationId> {
    s.missed(by).iter().map(|m| m.id.invitation).collect()
}

fn engaged_in(made: &Reply) -> Option<InvitationId> {
    match made {
        Reply::Made(Made::Engaged { invitation }) => Some(*invitation),
        _ => None,
    }
}

fn dialled(made: &Reply) -> InvitationId {
    match made {
        Reply::Made(Made::DialedBack { invitation, .. }) => *invitation,
        other => panic!("{other:?}"),
    }
}

// spec: M1: the table, with every device on and with every device off
#[test]
fn m1_row_by_row() {
    type Way = fn(&mut Server, &Actor, InvitationId);
    let rows: &[(&str, Way, Option<MissedReason>)] = &[
        ("deadline passed", |s, _, _| s.wait(60), Some(MissedReason::NoAnswer)),
        ("cancelled", |s, a, id| s.cancel(a, id, "b"), Some(MissedReason::Cancelled)),
        ("everyone left", |s, a, id| s.leave(a, id), Some(MissedReason::Cancelled)),
        (
            "ended",
            |s, a, id| {
                s.twice(a, Ask::End { invitation: id });
            },
            Some(MissedReason::Cancelled),
        ),
        (
            "vanished",
            |s, a, _| {
                s.gone(a);
                s.wait(30);
            },
            Some(MissedReason::Cancelled),
        ),
    ];
    everywhere(|s| {
        for on in [true, false] {
            for (what, way, reason) in rows {
                let (a, b) = (s.hello("a"), s.hello("b"));
                if !on {
                    s.gone(&b);
                }
                let id = s.send(&a, &["b"]);
                way(s, &a, id);
                let b = s.hello("b");
                assert_eq!(s.reasons(&b), Vec::from_iter(*reason), "{what}, on: {on}");
                let missed = s.missed(&b)[0].clone();
                assert_eq!((missed.caller.id.as_str(), &*missed.caller.name), ("a", "a"), "M5: the token's name");
                assert_eq!(missed.call_type, CallType::Video);
                s.twice(&b, Ask::Dismiss { missed: missed.id, notification: true });
            }
        }
    });
}

// spec: M1: declined on any device, answered, crossing: no missed call
#[test]
fn what_is_no_missed_call() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.reject(&b, id, false);
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        s.leave(&a, id);
        let id = s.send(&a, &["b"]);
        assert_eq!(s.send(&b, &["a"]), id);
        s.leave(&a, id);
        assert_eq!((s.missed(&a), s.missed(&b)), (vec![], vec![]));
    });
}

// spec: M1, M5: cancelled in a group that runs on is missed, without `Join`; one that timed out may join until it ends
#[test]
fn a_groups_missed_call_offers_to_join_while_one_may() {
    everywhere(|s| {
        let people = ["a", "b", "c", "d"].map(|who| s.hello(who));
        let [a, b, c, d] = &people;
        let id = s.send(a, &["b", "c", "d"]);
        s.accept(c, id);
        s.cancel(a, id, "d");
        assert_eq!((s.reasons(d), s.missed(d)[0].can_join), (vec![MissedReason::Cancelled], false));
        s.wait(60);
        assert!(s.missed(b)[0].can_join);
        s.twice(a, Ask::End { invitation: id });
        assert!(!s.missed(b)[0].can_join, "removed when the call ends");
    });
}

// spec: M3: a device that did not exist at the time lists it and does not pop it up; those that did are told so
#[test]
fn a_device_knows_whether_it_existed() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.gone(&b);
        miss_unseen(s, &a);
        s.wait(1);
        let existed = |s: &mut Server, on: &str| {
            let (_, welcome) = s.welcome("b", on, Claim::default(), vec![], false);
            welcome.missed.calls.iter().map(|m| m.existed).collect::<Vec<_>>()
        };
        assert_eq!(existed(s, "b-1"), [true]);
        assert_eq!(existed(s, "b-2"), [false]);
        miss_unseen(s, &a);
        assert_eq!(existed(s, "b-2"), [true, false]);
    });
}

fn miss_unseen(s: &mut Server, a: &Actor) {
    let id = s.send(a, &["b"]);
    s.wait(60);
    assert_eq!(s.state(id, "b"), TurnState::TimedOut);
}

// spec: M3: a callee never seen before has it at the first connection
#[test]
fn a_callee_never_seen_before_missed_it() {
    everywhere(|s| {
        let a = s.hello("a");
        miss_unseen(s, &a);
        let b = s.hello("b");
        assert_eq!(s.reasons(&b), [MissedReason::NoAnswer]);
    });
}

// spec: M4, S12: a dismissal handles on all devices: the one named, or all of the notification
#[test]
fn a_dismissal_handles_on_every_device() {
    everywhere(|s| {
        let (a, b, b2, c) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()), s.hello("c"));
        let first = miss(s, &a, &b);
        let second = miss(s, &a, &b);
        let third = miss(s, &a, &b);
        let other = miss(s, &c, &b);
        s.twice(&b, Ask::Dismiss { missed: second.id, notification: false });
        let left = [other.id, third.id, first.id].map(|m| m.invitation);
        assert_eq!((ids(s, &b), ids(s, &b2)), (left.to_vec(), left.to_vec()), "newest first");
        s.twice(&b2, Ask::Dismiss { missed: third.id, notification: true });
        assert_eq!((ids(s, &b), ids(s, &b2)), (vec![other.id.invitation], vec![other.id.invitation]));
    });
}

// spec: M4, M6: what a notification stands for is what it showed: a newer one came after the click, and stays
#[test]
fn a_click_handles_what_the_notification_stood_for() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        miss(s, &a, &b);
        let shown = miss(s, &a, &b);
        let newer = miss(s, &a, &b);
        s.twice(&b, Ask::Click { missed: shown.id });
        assert_eq!(ids(s, &b), [newer.id.invitation]);
    });
}

// spec: M6: one-to-one missed calls of one caller share a notification that counts them; a group's share one
#[test]
fn missed_calls_share_notifications() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        miss(s, &a, &b);
        miss(s, &a, &b);
        miss(s, &c, &b);
        let group = s.send(&a, &["b", "x"]);
        s.wait(60);
        s.twice(&a, more(group, &["b"]));
        s.cancel(&a, group, "b");
        let (_, welcome) = s.welcome("b", "b-1", Claim::default(), vec![], false);
        let of: Vec<_> = welcome.missed.calls.iter().map(|m| (m.call.group, m.of)).collect();
        assert_eq!(of, [(true, 2), (true, 2), (false, 1), (false, 2), (false, 2)]);
        assert_eq!(welcome.missed.total, 5);
    });
}

// spec: M7: at most 100 notifications' worth, with the true total, newest first
#[test]
fn a_device_is_given_a_hundred_notifications() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let b = s.hello("b");
        s.gone(&b);
        for n in 0..110 {
            let a = s.hello(&format!("a{n}"));
            let id = s.send(&a, &["b"]);
            s.leave(&a, id);
            s.wait(1);
            s.gone(&a);
        }
        let (_, welcome) = s.welcome("b", "b-1", Claim::default(), vec![], false);
        assert_eq!((welcome.missed.total, welcome.missed.calls.len()), (110, 100));
        assert_eq!(welcome.missed.calls[0].call.caller.id, user("a109"));
    }
}

// spec: M7: older than the retention is dropped
#[test]
fn old_missed_calls_are_dropped() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        miss(s, &a, &b);
        s.wait(90 * 24 * 3600 + 1);
        let (_, welcome) = s.welcome("b", "b-1", Claim::default(), vec![], false);
        assert_eq!(welcome.missed.total, 0);
        assert!(s.rows.missed.is_empty());
    });
}

// spec: §10: unhandled missed calls of one user are bounded; the oldest of the same caller goes first
#[test]
fn missed_calls_are_bounded() {
    for keep in BOTH {
        let mut s = Server::with(keep, Limits { missed_kept: 3, ..Limits::default() });
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        miss(&mut s, &c, &b);
        for _ in 0..4 {
            miss(&mut s, &a, &b);
        }
        let callers: Vec<_> = s.missed(&b).into_iter().map(|m| m.caller.id).collect();
        assert_eq!(callers, [user("a"), user("a"), user("c")]);
        assert_eq!(s.rows.missed.len(), 3);
    }
}

// spec: M4: connecting with that person one-to-one handles their one-to-one missed calls, on both sides, and no group's
#[test]
fn connecting_handles() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        miss(s, &a, &b);
        miss(s, &b, &a);
        let other = miss(s, &c, &b);
        let group = s.send(&a, &["b", "x"]);
        s.wait(60);
        s.leave(&a, group);
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        assert_eq!(ids(s, &a), []);
        assert_eq!(ids(s, &b), [group, other.id.invitation]);
        s.leave(&a, id);
        let group = s.send(&c, &["b", "x"]);
        s.wait(60);
        assert_eq!(ids(s, &b).len(), 3);
        s.twice(&b, Ask::Join { invitation: group });
        assert_eq!(ids(s, &b).len(), 2, "in that group: that invitation's");
    });
}

// spec: D4: a new invitation to the caller, with the same type, `customData` and `call_id`, ringing as C7 says
#[test]
fn a_dial_back_rings_the_caller() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let mut send = sending(&["b"]);
        send.call_type = CallType::Voice;
        let first = s.made(&a, Ask::Send(send));
        s.wait(60);
        let missed = s.missed(&b)[0].id;
        let id = dialled(&s.click_and_dial(&b, missed));
        let (old, new) = (s.row(first).clone(), s.row(id).clone());
        assert_ne!(id, first);
        assert_eq!(
            (new.call_id, new.call_type, new.custom_data, new.dial_back),
            (old.call_id, CallType::Voice, old.custom_data, true)
        );
        assert_eq!(s.turn(id, "a").deadline, s.now + std::time::Duration::from_secs(30));
        s.accept(&a, id);
        assert_eq!(s.state(id, "b"), TurnState::Accepted);
    });
}

// spec: D10: nobody answers: the person dialled gets a missed call in turn, and may dial back
#[test]
fn a_dial_back_nobody_answers_is_missed_in_turn() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let missed = miss(s, &a, &b);
        let id = dialled(&s.click_and_dial(&b, missed.id));
        s.wait(30);
        assert_eq!(s.ended(id), Some(EndReason::TimedOut));
        assert_eq!(ids(s, &a), [id]);
        assert_eq!(ids(s, &b), [], "M4: handled, whatever the default action then does");
        let missed = s.missed(&a)[0].id;
        dialled(&s.click_and_dial(&a, missed));
    });
}

// spec: D5: group: joins, and its participants see the user arrive as accepted
#[test]
fn a_dial_back_into_a_group_joins_it() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&c, id);
        s.wait(60);
        let missed = s.missed(&b)[0].id;
        assert_eq!(dialled(&s.click_and_dial(&b, missed)), id);
        for who in [&a, &c] {
            assert_eq!(s.sees(who, id, "b"), TurnState::Accepted);
            assert_eq!(s.view(who, id).unwrap().in_call, 3);
        }
    });
}

// spec: D5, L13: a group's turn that do-not-disturb hid: while it is pending, and when it is over
#[test]
fn a_dial_back_into_a_group_that_do_not_disturb_hid() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        s.quiet(&b, 600, &[]);
        let id = s.send(&a, &["b", "c"]);
        s.accept(&c, id);
        s.wait(60);
        let missed = s.missed(&b)[0].clone();
        assert!(missed.can_join && missed.silent);
        assert_eq!(dialled(&s.click_and_dial(&b, missed.id)), id);
        s.leave(&b, id);
        s.twice(&a, more(id, &["b"]));
        assert!(s.turn(id, "b").hidden.is_some());
        assert_eq!(dialled(&s.twice(&b, dial(missed.id))), id, "D8: hidden or not");
        assert_eq!((s.turn(id, "b").no, s.state(id, "b")), (3, TurnState::Accepted));
        s.leave(&b, id);
        s.twice(&a, more(id, &["b"]));
        s.twice(&b, Ask::Join { invitation: id });
        assert_eq!(s.turn(id, "b").no, 4, "L13: by its callee's own join");
        assert_eq!(s.missed(&b), []);
    });
}

// spec: D6: the group call is over, closed by C1, or to this user
#[test]
fn a_dial_back_into_a_closed_group_fails() {
    everywhere(|s| {
        let people = ["a", "b", "c"].map(|who| s.hello(who));
        let [a, b, c] = &people;
        for (c1, over, code) in
            [(false, true, Code::CallEnded), (true, true, Code::CallEnded), (false, false, Code::Forbidden)]
        {
            let mut send = sending(&["b", "c"]);
            send.end_when_initiator_leaves = c1;
            let id = s.made(a, Ask::Send(send));
            s.accept(c, id);
            if over {
                s.wait(60);
                s.leave(a, id);
                if !c1 {
                    s.leave(c, id);
                }
            } else {
                s.cancel(a, id, "b");
            }
            let missed = s.missed(b)[0].id;
            s.twice(b, Ask::Click { missed });
            assert_eq!(s.refused(b, dial(missed)), code);
            assert_eq!(s.missed(b), [], "M4: a refusal leaves handled what the click handled");
            if !over {
                s.twice(a, Ask::End { invitation: id });
            }
        }
    });
}

// spec: D6, M4: engaged elsewhere: it fails, and what its click handled is unhandled again, silently, on all devices
#[test]
fn a_dial_back_of_an_engaged_user_brings_the_missed_calls_back() {
    everywhere(|s| {
        let (a, b, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let first = miss(s, &a, &b);
        let second = miss(s, &a, &b);
        let other = s.send(&b2, &["c"]);
        s.twice(&b, Ask::Click { missed: second.id });
        assert_eq!(ids(s, &b2), []);
        let made = s.twice(&b, dial(second.id));
        assert_eq!(engaged_in(&made), Some(other), "an answer and no refusal");
        for by in [&b, &b2] {
            assert_eq!(ids(s, by), [second.id.invitation, first.id.invitation]);
            assert!(s.missed(by).iter().all(|m| m.returned));
        }
        s.leave(&b2, other);
        let id = dialled(&s.click_and_dial(&b, second.id));
        assert_eq!(s.row(id).participants[1].person.id, user("a"));
        assert_eq!(ids(s, &b), []);
    });
}

// spec: M4: and nothing else has handled since
#[test]
fn what_was_handled_since_the_click_stays_handled() {
    everywhere(|s| {
        let (a, b, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let first = miss(s, &a, &b);
        let second = miss(s, &a, &b);
        s.send(&b2, &["c"]);
        s.twice(&b, Ask::Click { missed: second.id });
        s.twice(&b2, Ask::Dismiss { missed: first.id, notification: false });
        s.twice(&b, dial(second.id));
        assert_eq!(ids(s, &b), [second.id.invitation]);
    });
}

// spec: N2, M4: a repeated click changes nothing more, not even after its dial-back failed
#[test]
fn a_repeated_click_does_not_handle_what_came_back() {
    everywhere(|s| {
        let (a, b, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let missed = miss(s, &a, &b);
        s.send(&b2, &["c"]);
        let click = s.next_request();
        s.ask_as(&b, &click, Ask::Click { missed: missed.id }).unwrap();
        s.twice(&b, dial(missed.id));
        s.ask_as(&b, &click, Ask::Click { missed: missed.id }).unwrap();
        assert_eq!(ids(s, &b), [missed.id.invitation]);
    });
}

// spec: M4: what an earlier click handled, whose dial-back went through, does not come back with a later one
#[test]
fn only_what_its_own_click_handled_comes_back() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let missed = miss(s, &a, &b);
        let id = dialled(&s.click_and_dial(&b, missed.id));
        s.leave(&b, id);
        s.send(&b, &["c"]);
        assert!(engaged_in(&s.twice(&b, dial(missed.id))).is_some());
        assert_eq!(ids(s, &b), []);
    });
}

// spec: D7: one at a time: repeats on any device return it and the device it is on; after it ended a click is a new one
#[test]
fn one_dial_back_is_under_way_at_a_time() {
    everywhere(|s| {
        let (a, b, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let old = miss(s, &a, &b);
        let missed = miss(s, &a, &b);
        let id = dialled(&s.click_and_dial(&b, missed.id));
        for (by, of) in [(&b, missed.id), (&b2, missed.id), (&b2, old.id)] {
            let made = s.twice(by, dial(of));
            assert_eq!((dialled(&made), device_of(&made)), (id, Some(&device("b-1"))));
        }
        s.cancel(&b, id, "a");
        assert_ne!(dialled(&s.twice(&b, dial(missed.id))), id);
    });
}

// spec: D7, §3: while the device it is on has a session; else that is left first
#[test]
fn a_dial_back_whose_device_is_gone_is_begun_anew() {
    everywhere(|s| {
        let (a, b, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let missed = miss(s, &a, &b);
        let id = dialled(&s.click_and_dial(&b, missed.id));
        s.gone(&b);
        let made = s.twice(&b2, dial(missed.id));
        assert_ne!(dialled(&made), id);
        assert_eq!(device_of(&made), Some(&device("b-2")));
        assert_eq!(s.state(id, "a"), TurnState::Cancelled);
    });
}

// spec: D7, D8: into a group as well
#[test]
fn one_dial_back_into_a_group_at_a_time() {
    everywhere(|s| {
        let (a, b, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let id = s.send(&a, &["b", "c"]);
        s.wait(60);
        let missed = s.missed(&b)[0].id;
        s.click_and_dial(&b, missed);
        let made = s.twice(&b2, dial(missed));
        assert_eq!((dialled(&made), device_of(&made)), (id, Some(&device("b-1"))));
    });
}

// spec: D8: a turn pending in that person's one-to-one invitation is accepted; L10's rule for voice and video
#[test]
fn a_dial_back_accepts_what_that_person_rings_with() {
    everywhere(|s| {
        for quiet in [0, 600] {
            let (a, b) = (s.hello("a"), s.hello("b"));
            s.quiet(&b, 0, &[]);
            let mut send = sending(&["b"]);
            send.call_type = CallType::Voice;
            let first = s.made(&a, Ask::Send(send));
            s.wait(60);
            let missed = s.missed(&b)[0].id;
            assert_eq!(missed.invitation, first);
            s.quiet(&b, quiet, &[]);
            let rings = s.send(&a, &["b"]);
            assert_eq!(dialled(&s.click_and_dial(&b, missed)), rings);
            assert_eq!((s.state(rings, "b"), s.row(rings).call_type), (TurnState::Accepted, CallType::Voice));
            assert_eq!(s.missed(&b), []);
            s.leave(&a, rings);
        }
    });
}

// spec: D8, L8: the call answered by a dial-back makes the rest busy
#[test]
fn a_dial_back_engages() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let missed = miss(s, &a, &b);
        let rings = s.send(&c, &["b"]);
        s.click_and_dial(&b, missed.id);
        assert_eq!(s.state(rings, "b"), TurnState::Busy);
    });
}

// spec: L10, D6: a dial-back to who rings this user in a group is refused (S3), and named
#[test]
fn a_dial_back_against_a_group_is_refused() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let missed = miss(s, &a, &b);
        let group = s.send(&a, &["b", "c"]);
        s.twice(&b, Ask::Click { missed: missed.id });
        let refusal = s.ask(&b, dial(missed.id)).unwrap_err();
        assert_eq!((refusal.code, refusal.invitation), (Code::AlreadyInvited, Some(group)));
    });
}

// spec: L9, D6: a dial-back is claimed by its request; a device that gave it up has left it
#[test]
fn a_dial_back_is_claimed_by_its_request() {
    everywhere(|s| {
        for claims in [true, false] {
            let (a, b) = (s.hello("a"), s.hello("b"));
            let missed = miss(s, &a, &b);
            let request = s.next_request();
            let made = s.ask_as(&b, &request, dial(missed.id)).unwrap();
            s.gone(&b);
            s.connect("b", "b-1", if claims { Claim::by(request.clone()) } else { Claim::default() });
            let expected = if claims { TurnState::Accepted } else { TurnState::Left };
            assert_eq!(s.state(dialled(&made), "b"), expected);
            s.leave_if_in(&b, dialled(&made));
        }
    });
}

// spec: D9: only the callee of a missed call can dial it back or join by it
#[test]
fn only_its_callee_dials_a_missed_call_back() {
    everywhere(|s| {
        let (a, b, x) = (s.hello("a"), s.hello("b"), s.hello("x"));
        let missed = miss(s, &a, &b);
        for by in [&a, &x] {
            assert_eq!(s.refused(by, dial(missed.id)), Code::NotFound);
        }
        let answered = s.send(&a, &["b"]);
        s.accept(&b, answered);
        s.leave(&b, answered);
        assert_eq!(s.refused(&b, dial(MissedId { invitation: answered, turn: 1 })), Code::NotFound);
        let declined = s.send(&a, &["b"]);
        s.reject(&b, declined, false);
        assert_eq!(s.refused(&b, dial(MissedId { invitation: declined, turn: 1 })), Code::NotFound);
    });
}

// spec: D9, L13: nor is a blocked turn one that could be dialled back
#[test]
fn a_blocked_turn_is_no_missed_call_to_dial_back() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.twice(&b, Ask::Block(user("a")));
        let id = s.send(&a, &["b"]);
        s.wait(60);
        s.twice(&b, Ask::Unblock(user("a")));
        assert_eq!(s.refused(&b, dial(MissedId { invitation: id, turn: 1 })), Code::NotFound);
    });
}

// spec: L10: dial-backs that cross become one call
#[test]
fn dial_backs_that_cross_become_one() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let of_b = miss(s, &a, &b);
        let of_a = miss(s, &b, &a);
        let id = dialled(&s.click_and_dial(&a, of_a.id));
        assert_eq!(dialled(&s.click_and_dial(&b, of_b.id)), id);
        assert_eq!((s.state(id, "a"), s.state(id, "b")), (TurnState::Accepted, TurnState::Accepted));
        assert_eq!((s.missed(&a), s.missed(&b)), (vec![], vec![]));
    });
}
