//! Rules over more than one invitation: one call at a time, crossing, blocks, do-not-disturb (L8, L10, L13, C11).

use crate::people::user;
use crate::server::*;
use ringback_core::call::{CallType, EndReason, Leaving, MissedReason, TurnState};
use ringback_core::id::SessionId;
use ringback_core::line::Made;
use ringback_core::refusal::Code;
use ringback_core::step::{Actor, Ask, Claim, Output, Reply, Step};

fn voice(to: &[&str]) -> Ask {
    let mut send = sending(to);
    send.call_type = CallType::Voice;
    Ask::Send(send)
}

// spec: L8, M1: whoever engages, by accept, join or send, is busy for what else rings
#[test]
fn who_engages_is_busy_for_the_rest() {
    everywhere(|s| {
        let people = ["a", "b", "c", "d"].map(|who| s.hello(who));
        let [a, b, c, d] = &people;
        let first = s.send(a, &["b"]);
        let second = s.send(c, &["b", "d"]);
        s.accept(b, first);
        assert_eq!(s.state(second, "b"), TurnState::Busy);
        assert_eq!(s.reasons(b), [MissedReason::Busy]);
        s.leave(b, first);
        let third = s.send(a, &["b"]);
        s.twice(b, Ask::Join { invitation: second });
        assert_eq!(s.view(a, third).unwrap().ended, Some(EndReason::Busy));
        s.twice(c, Ask::End { invitation: second });
        s.twice(d, Ask::Dismiss { missed: s.missed(d)[0].id, notification: false });
        let fourth = s.send(a, &["d"]);
        s.send(d, &["b"]);
        assert_eq!(s.state(fourth, "d"), TurnState::Busy);
    });
}

// spec: L8: a new turn of an engaged user is busy at once, without ringing
#[test]
fn an_engaged_user_is_busy_at_once() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        s.send(&b, &["x"]);
        let id = s.send(&a, &["b"]);
        assert_eq!(s.ended(id), Some(EndReason::Busy));
        assert_eq!(s.turn(id, "b").rang, []);
        let group = s.send(&c, &["b", "y"]);
        assert_eq!((s.state(group, "b"), s.ended(group)), (TurnState::Busy, None));
        assert_eq!(s.reasons(&b), [MissedReason::Busy, MissedReason::Busy]);
    });
}

// spec: C11, L8, S11: with call waiting it rings, and accepting it leaves the other
#[test]
fn with_call_waiting_it_rings_and_accepting_leaves_the_other() {
    everywhere(|s| {
        let (a, c, d) = (s.hello("a"), s.hello("c"), s.hello("d"));
        let b = s.hello_waiting("b", "b-1");
        let first = s.send(&a, &["b"]);
        let second = s.send(&c, &["b"]);
        s.accept(&b, first);
        assert_eq!(s.state(second, "b"), TurnState::Inviting);
        let third = s.send(&d, &["b"]);
        assert_eq!(s.state(third, "b"), TurnState::Inviting);
        s.accept(&b, second);
        assert_eq!(s.state(first, "b"), TurnState::Left);
        assert_eq!(s.turn(first, "b").leaving, Some(Leaving::Elsewhere));
        assert_eq!(s.view(&a, first).unwrap().ended, Some(EndReason::Left));
    });
}

// spec: C11: it is of the device in the call
#[test]
fn call_waiting_is_of_the_device_in_the_call() {
    everywhere(|s| {
        let (a, c) = (s.hello("a"), s.hello("c"));
        let (plain, _) = (s.hello("b"), s.hello_waiting("b", "b-2"));
        let first = s.send(&a, &["b"]);
        s.accept(&plain, first);
        let second = s.send(&c, &["b"]);
        assert_eq!(s.state(second, "b"), TurnState::Busy);
    });
}

// spec: L10: the earlier stands, both are in it, voice unless both are video, and nobody has a missed call
#[test]
fn crossing_calls_become_one() {
    everywhere(|s| {
        for (first, second, becomes) in [
            (call(&["b"]), call(&["a"]), CallType::Video),
            (voice(&["b"]), call(&["a"]), CallType::Voice),
            (call(&["b"]), voice(&["a"]), CallType::Voice),
        ] {
            let (a, b, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
            let standing = s.made(&a, first);
            let made = s.twice(&b, second);
            let Reply::Made(Made::Invited { invitation, call_id, crossed, .. }) = made else { panic!("{made:?}") };
            assert_eq!((invitation, crossed), (standing, true));
            assert_eq!(call_id, s.row(standing).call_id);
            assert_eq!(s.row(standing).call_type, becomes);
            assert_eq!(s.state(standing, "a"), TurnState::Accepted);
            assert_eq!(s.turn(standing, "b").device(), Some(&b.device));
            let own = s.own(&b2, standing).unwrap();
            assert!(own.crossed && own.device.as_ref() == Some(&b.device), "S6 on the other device");
            assert_eq!(s.rows.missed.len(), 0);
            s.leave(&a, standing);
        }
    });
}

// spec: L10, L8: it goes before L8 for the one called, who is engaged by their own call
#[test]
fn crossing_comes_before_busy_but_the_asker_must_be_free() {
    everywhere(|s| {
        let (a, b1, b2) = (s.hello("a"), s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let other = s.send(&b1, &["x"]);
        let standing = s.send(&a, &["b"]);
        assert_eq!(s.state(standing, "b"), TurnState::Busy);
        let standing = s.send(&a, &["y", "b"]);
        assert_eq!(s.refused(&b2, call(&["a"])), Code::AlreadyInCall, "§3");
        s.leave(&b1, other);
        assert_eq!(s.state(standing, "b"), TurnState::Busy);
    });
}

// spec: L10: an answered call is crossed by nothing
#[test]
fn an_answered_call_is_not_crossed() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        assert_eq!(s.refused(&b, call(&["a"])), Code::AlreadyInvited, "§3: it is `invite` into it, L11");
    });
}

// spec: L10: a group over a one-to-one: that ends without a missed call, and the group rings, do-not-disturb or not
#[test]
fn a_group_crosses_a_one_to_one_call() {
    everywhere(|s| {
        for quiet in [false, true] {
            let (a, b) = (s.hello("a"), s.hello("b"));
            let to_a = s.send(&b, &["a"]);
            s.quiet(&b, if quiet { 600 } else { 0 }, &[]);
            let group = s.send(&a, &["b", "c"]);
            assert_eq!(s.ended(to_a), Some(EndReason::Cancelled));
            assert!(s.own(&a, to_a).unwrap().crossed, "S6 on who had S4");
            assert_eq!(s.rows.missed.len(), 0);
            assert_eq!(s.own(&b, group).unwrap().state, TurnState::Inviting);
            assert_eq!(s.turn(group, "b").hidden, None);
            s.accept(&b, group);
            s.twice(&a, Ask::End { invitation: group });
            s.rows.missed.clear();
            s.gone(&a);
            s.gone(&b);
        }
    });
}

// spec: L10, D6: a one-to-one request that comes second is refused, naming the group's invitation
#[test]
fn a_one_to_one_call_against_a_group_is_refused() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let group = s.send(&a, &["b", "c"]);
        let refusal = s.ask(&b, call(&["a"])).unwrap_err();
        assert_eq!((refusal.code, refusal.invitation), (Code::AlreadyInvited, Some(group)));
    });
}

// spec: L10, L13: but it goes on as if there were none when that turn is hidden
#[test]
fn a_one_to_one_call_against_a_hidden_group_turn_goes_on() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.quiet(&b, 600, &[]);
        let group = s.send(&a, &["b", "c"]);
        let id = s.send(&b, &["a"]);
        assert_ne!(id, group);
        assert_eq!(s.state(id, "a"), TurnState::Busy, "a is in the group");
        assert_eq!(s.state(group, "b"), TurnState::Inviting, "L8 passes it over");
    });
}

// spec: L13: crossing holds over do-not-disturb, and accepts the hidden turn without a missed call
#[test]
fn crossing_holds_over_do_not_disturb() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.quiet(&b, 600, &[]);
        let id = s.send(&a, &["b"]);
        assert_eq!(s.view(&b, id), None);
        assert_eq!(s.send(&b, &["a"]), id);
        assert_eq!(s.state(id, "b"), TurnState::Accepted);
        assert_eq!(s.rows.missed.len(), 0);
    });
}

/// What everybody else is sent and answered through a script of `a`'s in which `b` does as told and says nothing more.
fn what_others_get(b_does: fn(&mut Server, &Actor), script: fn(&mut Server, &Actor)) -> Vec<Output> {
    let mut s = Server::new(ringback_core::engine::Keep::Running);
    let (a, b) = (s.hello("a"), s.hello("b"));
    s.hello("c");
    s.hello("d");
    s.send(&b, &["a"]);
    s.wait(60);
    b_does(&mut s, &b);
    s.outputs.clear();
    script(&mut s, &a);
    let b_too = |to: &SessionId| s.seen.get(to).is_some_and(|(who, _)| *who == user("b"));
    let to_others = |o: &Output| {
        let (Output::Reply { to, .. }
        | Output::Call { to, .. }
        | Output::Missed { to, .. }
        | Output::Settings { to, .. }) = o
        else {
            return false;
        };
        !b_too(to)
    };
    std::mem::take(&mut s.outputs).into_iter().filter(to_others).collect()
}

/// As many steps in each, so that the ids made are the same: a request, and a session that goes.
fn is_off(s: &mut Server, b: &Actor) {
    s.ask(b, Ask::Block(user("z"))).unwrap();
    s.gone(b);
}

fn blocks_a(s: &mut Server, b: &Actor) {
    s.ask(b, Ask::Block(user("a"))).unwrap();
    s.gone(&Actor { session: SessionId(999), ..b.clone() });
}

fn is_not_to_be_disturbed(s: &mut Server, b: &Actor) {
    let until = s.now + std::time::Duration::from_secs(9999);
    let to = ringback_core::line::DoNotDisturb { until, let_through: Default::default() };
    s.ask(b, Ask::SetDoNotDisturb(Some(to))).unwrap();
    s.gone(&Actor { session: SessionId(999), ..b.clone() });
}

// spec: L13: state, timing and errors: exactly what a callee whose devices are all off gives, to the byte
#[test]
fn who_is_blocked_cannot_tell_it_from_devices_that_are_off() {
    type Script = fn(&mut Server, &Actor);
    let scripts: &[(&str, Script)] = &[
        ("rings out", |s, a| {
            s.send(a, &["b"]);
            s.wait(120);
        }),
        ("cancelled", |s, a| {
            let id = s.send(a, &["b"]);
            s.wait(3);
            s.cancel(a, id, "b");
        }),
        ("left", |s, a| {
            let id = s.send(a, &["b"]);
            s.leave(a, id);
        }),
        ("a group", |s, a| {
            let id = s.send(a, &["b", "c"]);
            s.wait(61);
            s.twice(a, more(id, &["b", "d"]));
            s.wait(10);
            s.cancel(a, id, "b");
            s.twice(a, Ask::End { invitation: id });
        }),
        ("dialled back", |s, a| {
            let missed = s.missed(a)[0].id;
            s.click_and_dial(a, missed);
            s.wait(61);
        }),
        ("unreachable", |s, a| {
            let mut send = sending(&["b"]);
            send.invitees[0].unreachable = true;
            s.made(a, Ask::Send(send));
        }),
        ("over and over", |s, a| {
            for _ in 0..40 {
                let id = s.send(a, &["b"]);
                s.leave(a, id);
            }
        }),
    ];
    for (what, script) in scripts {
        let off = what_others_get(is_off, *script);
        assert!(!off.is_empty());
        assert_eq!(what_others_get(blocks_a, *script), off, "blocked: {what}");
        assert_eq!(what_others_get(is_not_to_be_disturbed, *script), off, "do-not-disturb: {what}");
    }
}

// spec: L13, M1: the callee of a block gets nothing: no view, no missed call, no history
#[test]
fn who_blocks_gets_nothing() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.twice(&b, Ask::Block(user("a")));
        for to in [&["b"][..], &["b", "c"]] {
            let history = s.rows.history.len();
            let id = s.send(&a, to);
            let turn = 1;
            assert_eq!(s.refused(&b, Ask::Accept { invitation: id, turn }), Code::NotFound);
            s.wait(60);
            if to.len() > 1 {
                s.leave(&a, id);
            }
            assert_eq!(s.view(&b, id), None);
            assert_eq!(s.refused(&b, Ask::Join { invitation: id }), Code::NotFound);
            let mine = |h: &&ringback_core::line::HistoryRecord| h.user == user("b");
            assert_eq!(s.rows.history[history..].iter().find(mine), None);
        }
        assert_eq!(s.missed(&b), []);
        let (_, welcome) = s.welcome("b", "b-1", Claim::default(), vec![], false);
        assert_eq!((welcome.calls, welcome.missed.total), (vec![], 0));
    });
}

// spec: L13: blocking while it rings: S6, saying declined, to the callee; unchanged to the caller until the deadline
#[test]
fn a_block_while_it_rings_declines_to_oneself_alone() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.twice(&b, Ask::Ringing { invitation: id, turn: 1 });
        s.twice(&b, Ask::Block(user("a")));
        assert_eq!(s.own(&b, id).unwrap().state, TurnState::Declined);
        assert_eq!(s.sees(&a, id, "b"), TurnState::Ringing);
        assert_eq!(s.refused(&b, Ask::Accept { invitation: id, turn: 1 }), Code::AnsweredElsewhere);
        s.twice(&b, Ask::Unblock(user("a")));
        assert_eq!(s.own(&b, id).unwrap().state, TurnState::Declined, "unblocking makes none of them ring");
        s.wait(60);
        assert_eq!(s.sees(&a, id, "b"), TurnState::TimedOut);
        assert_eq!(s.missed(&b), []);
    });
}

// spec: L13, V3, M1: unreachable comes before the block, and is no missed call for who blocked
#[test]
fn unreachable_comes_before_a_block() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.twice(&b, Ask::Block(user("a")));
        let mut send = sending(&["b"]);
        send.invitees[0].unreachable = true;
        let id = s.made(&a, Ask::Send(send));
        assert_eq!(s.view(&a, id).unwrap().ended, Some(EndReason::Unreachable));
        assert_eq!((s.missed(&b), s.view(&b, id)), (vec![], None));
    });
}

// spec: L13: a block withdraws the missed calls of who is blocked, and theirs alone
#[test]
fn a_block_withdraws_missed_calls() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        for caller in [&a, &c] {
            let id = s.send(caller, &["b"]);
            s.leave(caller, id);
        }
        let missed = s.missed(&b).into_iter().find(|m| m.caller.id == user("a")).unwrap();
        s.twice(&b, Ask::Block(user("a")));
        let callers: Vec<_> = s.missed(&b).into_iter().map(|m| m.caller.id).collect();
        assert_eq!(callers, [user("c")]);
        assert_eq!(s.refused(&b, dial(missed.id)), Code::Forbidden, "can't dial them back");
        assert_eq!(s.refused(&b, call(&["a"])), Code::Forbidden, "can't invite them");
        let made = s.twice(&b, call(&["a", "c"]));
        let Reply::Made(Made::Invited { invitation, refused, .. }) = made else { panic!("{made:?}") };
        assert_eq!(refused, [(user("a"), Code::Forbidden)]);
        assert!(!s.row(invitation).group, "§1: invitees refused with an error don't count");
    });
}

// spec: L13: a block ends no answered call and keeps nobody from joining a group
#[test]
fn a_block_ends_no_answered_call() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&b, id);
        s.twice(&b, Ask::Block(user("a")));
        assert_eq!(s.state(id, "b"), TurnState::Accepted);
        s.leave(&b, id);
        s.twice(&b, Ask::Join { invitation: id });
        assert_eq!(s.state(id, "b"), TurnState::Accepted);
    });
}

// spec: L13, M1: do-not-disturb: no device is told while it rings, the missed call says so and is silent
#[test]
fn do_not_disturb_hides_and_is_missed_in_silence() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.quiet(&b, 30, &[]);
        let id = s.send(&a, &["b"]);
        s.wait(31);
        let (b, welcome) = s.welcome("b", "b-1", Claim::default(), vec![], false);
        assert_eq!(welcome.calls, [], "L13: the end of do-not-disturb makes none of them ring");
        assert_eq!(s.refused(&b, Ask::Accept { invitation: id, turn: 1 }), Code::NotFound);
        s.wait(29);
        assert_eq!(s.own(&b, id).unwrap().state, TurnState::TimedOut, "M1: S1 as it ended");
        let missed = s.missed(&b);
        assert_eq!(missed[0].reason, MissedReason::DoNotDisturb);
        assert!(missed[0].silent && !missed[0].cancelled);
    });
}

// spec: L13: callers may be let through; whoever is engaged is busy first
#[test]
fn some_are_let_through_do_not_disturb_and_busy_comes_before_it() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        s.quiet(&b, 600, &["a"]);
        let id = s.send(&a, &["b"]);
        assert_eq!(s.own(&b, id).unwrap().state, TurnState::Inviting);
        s.accept(&b, id);
        let busy = s.send(&c, &["b"]);
        assert_eq!(s.ended(busy), Some(EndReason::Busy), "checked in this order");
        let missed = s.missed(&b);
        assert_eq!((missed[0].reason, missed[0].silent), (MissedReason::Busy, true));
    });
}

// spec: L13, M1: cancelled while hidden by do-not-disturb: S5, and the reason says why
#[test]
fn a_hidden_turn_that_was_cancelled_says_so() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.quiet(&b, 600, &[]);
        let id = s.send(&a, &["b"]);
        s.cancel(&a, id, "b");
        assert_eq!(s.own(&b, id).unwrap().state, TurnState::Cancelled);
        let missed = s.missed(&b);
        assert_eq!((missed[0].reason, missed[0].cancelled), (MissedReason::DoNotDisturb, true));
    });
}

// spec: L13: blocking turns a turn that do-not-disturb hid into a blocked one, without its missed call
#[test]
fn a_block_takes_over_what_do_not_disturb_hid() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.quiet(&b, 600, &[]);
        let id = s.send(&a, &["b"]);
        s.twice(&b, Ask::Block(user("a")));
        s.wait(60);
        assert_eq!((s.missed(&b), s.view(&b, id)), (vec![], None));
    });
}

// spec: §10: 32 turns pending for one user at a time, beyond it `busy` without ringing
#[test]
fn a_user_is_rung_by_so_many_at_a_time() {
    everywhere(|s| {
        let b = s.hello("b");
        for n in 0..33 {
            let a = s.hello(&format!("a{n}"));
            let id = s.send(&a, &["b"]);
            let rings = s.own(&b, id).unwrap().state == TurnState::Inviting;
            assert_eq!(rings, n < 32, "{n}");
        }
    });
}

// spec: L8, L10: two who call each other, and others who call both, in one batch: one call each, or busy
#[test]
fn everybody_calls_everybody_in_one_batch() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let names = ["a", "b", "c", "d"];
        let people = names.map(|who| s.hello(who));
        for (n, by) in people.iter().enumerate() {
            let request = s.next_request();
            let to = names[(n + 1) % 4];
            s.engine.submit(Step::Request { by: by.clone(), request, ask: call(&[to]) });
        }
        s.run();
        s.wait(200);
        assert!(s.rows.calls.values().all(|c| !c.running()));
    }
}
