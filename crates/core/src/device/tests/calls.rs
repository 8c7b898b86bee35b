//! Views and what the app is told of them: S1, S4 to S11, S14.

use super::*;
use crate::call::Leaving;
use crate::step::Details;

// spec: S4, L1, M5: the callee is told, the ring is shown, and the server hears that this device has it
#[test]
fn a_ring_is_told_shown_and_said() {
    let mut bed = Bed::connected();
    let out = bed.view(rung(ONE));
    assert_eq!(told(&out), ["S4 c1 Alice Bob data"]);
    assert_eq!(seen(&out), ["ring Alice"]);
    assert_eq!(asked(&out), [Ask::Ringing { invitation: ONE, turn: 1 }]);
}

// spec: K6, G5, N1: a view that isn't newer is dropped, so a doubled or late one rings nothing
#[test]
fn a_view_that_is_not_newer_is_dropped() {
    let mut bed = Bed::connected();
    let first = rung(ONE);
    let second = later(&first, 1, to(TurnState::TimedOut));
    assert_eq!(told(&bed.view(second.clone())), Vec::<String>::new(), "never rang here");
    assert!(bed.view(first.clone()).is_empty());
    assert!(bed.view(second.clone()).is_empty());
    let third = later(&second, 1, |v| v.own.push(turn(2, TurnKind::Invited, "alice", TurnState::Inviting)));
    assert_eq!(told(&bed.view(third)).len(), 1, "a new turn rings again (L11)");
}

// spec: S1, S5, S6, M1: how a turn ended, on a device that had S4 for it
#[test]
fn each_end_of_a_ring_has_its_event() {
    let elsewhere = |state| {
        move |v: &mut CallView| {
            let own = v.own.last_mut().unwrap();
            own.state = state;
            own.device = Some(device("d-2"));
        }
    };
    type Change = Box<dyn Fn(&mut CallView)>;
    let cases: Vec<(&str, Change)> = vec![
        ("S1 c1 Alice", Box::new(to(TurnState::TimedOut))),
        ("S5 c1 Alice data", Box::new(to(TurnState::Cancelled))),
        ("S6 c1 Answered", Box::new(elsewhere(TurnState::Accepted))),
        ("S6 c1 Declined", Box::new(elsewhere(TurnState::Declined))),
        ("S6 c1 Declined", Box::new(to(TurnState::Declined))), // blocked while it rang (L13)
        ("S6 c1 Busy", Box::new(elsewhere(TurnState::Busy))),
        ("S6 c1 Busy", Box::new(to(TurnState::Busy))), // engaged in another call (L8)
        (
            "S6 c1 Crossed",
            Box::new(|v: &mut CallView| {
                to(TurnState::Cancelled)(v);
                v.own[0].crossed = true; // a group's call crossed it (L10)
            }),
        ),
    ];
    for (expected, change) in cases {
        let mut bed = Bed::connected();
        bed.view(rung(ONE));
        let out = bed.view(later(&rung(ONE), 3, change));
        assert_eq!(told(&out), [expected]);
        assert_eq!(seen(&out), ["no ring"]);
    }
}

// spec: S6, M1: the device that declined, or said busy, itself isn't told
#[test]
fn who_answered_here_is_not_told_of_elsewhere() {
    for state in [TurnState::Declined, TurnState::Busy] {
        let mut bed = Bed::connected();
        bed.view(rung(ONE));
        let busy = state == TurnState::Busy;
        let out = bed.act("r-1", Ask::Reject { invitation: ONE, turn: None, busy });
        assert_eq!(seen(&out), ["no ring"], "at once");
        assert_eq!(asked(&out), [Ask::Reject { invitation: ONE, turn: Some(1), busy }]);
        bed.reply("r-1", Reply::Done);
        let out = bed.view(later(&rung(ONE), 1, |v| {
            to(state)(v);
            v.own[0].device = Some(device(HERE));
        }));
        assert_eq!(told(&out), Vec::<String>::new());
    }
}

// spec: L3: an accept that is refused for want of a server rings on; one that was answered is over
#[test]
fn a_ring_hides_while_it_is_answered() {
    let mut bed = Bed::connected();
    bed.view(rung(ONE));
    assert_eq!(seen(&bed.act("r-1", Ask::Accept { invitation: ONE, turn: None })), ["no ring"]);
    assert_eq!(seen(&bed.refuse("r-1", Code::Unavailable)), ["ring Alice"]);
}

// spec: L2, L12: with the server out of reach a ring ends at its deadline, and what came of it is told later
#[test]
fn a_ring_ends_at_its_deadline_by_itself() {
    let mut bed = Bed::connected();
    bed.view(rung(ONE));
    bed.lose();
    assert_eq!(bed.session.poll_timeout(), Some(Timestamp(1_060_000)));
    let out = bed.pass(60_000);
    assert_eq!(seen(&out), ["no ring"]);
    assert_eq!(told(&out), Vec::<String>::new());
    bed.input(Input::Opened);
    assert_eq!(told(&bed.view(later(&rung(ONE), 1, to(TurnState::TimedOut)))), ["S1 c1 Alice"]);
}

// spec: S7, S8, S9, S11: one call after the other, as its caller is told
#[test]
fn the_caller_is_told_in_order() {
    let mut bed = Bed::connected();
    bed.act("r-1", send(&["alice", "carol", "dave", "eve"]));
    bed.reply("r-1", invited(ONE, &[("eve", Code::Forbidden)]));
    let first = sent(ONE, &["alice", "carol", "dave"]);
    assert_eq!(told(&bed.view(first.clone())), ["S7 c1 Alice+Carol+Dave eve:forbidden"]);
    let skipped = later(&first, 4, |v| {
        they(v, "alice", TurnState::Left); // accepted and left between two views: still owed
        they(v, "carol", TurnState::Busy);
        they(v, "dave", TurnState::TimedOut);
    });
    assert_eq!(told(&bed.view(skipped.clone())), ["S8 busy Carol", "S8 accepted Alice", "S9 Dave true"]);
    assert_eq!(told(&bed.view(later(&skipped, 1, ended(EndReason::Alone)))), ["S11 c1 Alone"]);
    assert_eq!(told(&bed.view(later(&skipped, 2, |_| {}))), Vec::<String>::new());
}

// spec: S8, S11, L6: declined one-to-one, seen only once it is over
#[test]
fn a_call_that_ended_meanwhile_still_says_how() {
    let (mut bed, first) = calling(&["alice"]);
    bed.lose();
    let (holds, claim) = hello(&bed.input(Input::Opened));
    assert_eq!(holds, [(ONE, 1)]);
    assert_eq!(claim, crate::step::Claim::of(ONE));
    let out = bed.view(later(&first, 2, |v| {
        they(v, "alice", TurnState::Declined);
        ended(EndReason::Declined)(v);
    }));
    assert_eq!(told(&out), ["S8 declined Alice", "S11 c1 Declined"]);
}

// spec: S10, S16: who is in the call is told of everyone whose state changed, at most 20 of them and their number
#[test]
fn participants_that_changed_are_told() {
    let names: Vec<String> = (0..30).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut bed, first) = calling(&names);
    let out = bed.view(later(&first, 1, |v| names.iter().for_each(|n| they(v, n, TurnState::Ringing))));
    let changed = out.iter().find_map(|o| match o {
        Output::Event(event, about) => match &**event {
            Event::InvitationUserStateChanged { users, .. } => Some((users.len(), about.as_ref()?.count)),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(changed, Some((20, Some(30))));
}

// spec: S10: above 32 participants, changes are told merged, at most twice a second; what is one's own at once
#[test]
fn a_crowd_is_told_of_at_most_twice_a_second() {
    let names: Vec<String> = (0..32).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let s10 = |o: &&Output| matches!(o, Output::Event(e, _) if matches!(**e, Event::InvitationUserStateChanged { .. }));
    let moved = |out: &[Output]| out.iter().filter(s10).count();
    let (mut bed, mut now) = calling(&names);
    let mut events = 0;
    for (n, name) in names.iter().enumerate().take(30) {
        now = later(&now, 1, |v| they(v, name, TurnState::Ringing));
        events += moved(&bed.view(now.clone()));
        events += moved(&bed.pass(100));
        assert!(events <= 1 + (n + 1) / 5, "{events} after {} views", n + 1);
    }
    events += moved(&bed.pass(500));
    assert!((6..=7).contains(&events), "3 s of changes: {events}");
    let over = bed.view(later(&now, 1, |v| ended(EndReason::Ended)(v)));
    assert!(told(&over).iter().any(|t| t.starts_with("S11")), "{over:?}");
}

// spec: S11, L9, C11: taken out without asking is told, leaving isn't
#[test]
fn who_is_taken_out_is_told_and_who_leaves_is_not() {
    for (leaving, reason) in [(Leaving::Elsewhere, "Elsewhere"), (Leaving::Lost, "Lost")] {
        let (mut bed, first) = calling(&["alice", "carol"]);
        let out = bed.view(later(&first, 1, |v| {
            to(TurnState::Left)(v);
            v.own[0].leaving = Some(leaving);
        }));
        assert_eq!(told(&out), [format!("S11 c1 {reason}")]);
        assert_eq!(bed.session.in_call(), None);
    }
    let (mut bed, first) = calling(&["alice"]);
    bed.act("r-2", Ask::Leave { invitation: ONE });
    assert_eq!(bed.session.in_call(), None, "not claimed either");
    assert_eq!(told(&bed.view(later(&first, 1, ended(EndReason::Left)))), Vec::<String>::new());
    let (mut bed, first) = calling(&["alice"]);
    bed.act("r-2", Ask::End { invitation: ONE });
    assert_eq!(told(&bed.view(later(&first, 1, ended(EndReason::Ended)))), ["S11 c1 Ended"]);
}

// spec: L5, L9: whose end the app has asked for isn't to be shown, and is claimed until there is an answer
#[test]
fn a_call_whose_end_was_asked_for_is_still_claimed() {
    let end = || Ask::End { invitation: ONE };
    let cancel = || Ask::Cancel { invitation: ONE, whom: None };
    // The initiator of a group can cancel in it, and be in it all the same; who else is in it can't end it.
    for (callees, mine, ask, asked) in [
        (vec!["alice"], true, end(), true),
        (vec!["alice"], true, cancel(), true),
        (vec!["alice"], false, end(), true),
        (vec!["alice"], false, cancel(), false),
        (vec!["alice", "carol"], true, end(), true),
        (vec!["alice", "carol"], true, cancel(), false),
        (vec!["alice", "carol"], false, end(), false),
    ] {
        let (mut bed, first) = calling(&callees);
        if !mine {
            bed.view(later(&first, 1, |v| v.initiator = user("alice")));
        }
        bed.lose();
        let (_, claim) = hello(&bed.input(Input::Opened));
        assert!(!bed.session.end_asked(ONE));
        bed.act("r-2", ask.clone());
        assert_eq!(bed.session.end_asked(ONE), asked, "{callees:?} {mine} {ask:?}");
        bed.lose();
        assert_eq!(hello(&bed.input(Input::Opened)).1, claim);
        bed.refuse("r-2", Code::Forbidden);
        assert!(!bed.session.end_asked(ONE));
    }
}

// spec: L10: the later request's device gets S7 and S8; another device of its user, which rang, S6
#[test]
fn crossing_calls_are_told_as_one() {
    let crossed = later(&rung(ONE), 1, |v| {
        to(TurnState::Accepted)(v);
        v.own[0].device = Some(device(HERE));
        v.own[0].crossed = true;
        they(v, "alice", TurnState::Accepted);
    });
    let mut bed = Bed::connected();
    bed.view(rung(ONE));
    bed.act("r-1", send(&["alice"]));
    bed.reply("r-1", invited(ONE, &[]));
    let out = bed.view(crossed.clone());
    assert_eq!(told(&out), ["S7 c1 Alice", "S8 accepted Alice"]);
    assert_eq!(seen(&out), ["no ring"]);

    let mut bed = Bed::connected();
    bed.view(rung(ONE));
    let out = bed.view(later(&crossed, 0, |v| v.own[0].device = Some(device("d-2"))));
    assert_eq!(told(&out), ["S6 c1 Answered"]);
}

// spec: §3, S7: inviting into a running call is told whether its view comes before or after the reply
#[test]
fn inviting_more_is_told_in_either_order() {
    let grown = |first: &CallView| {
        later(first, 1, |v| {
            v.others.push(other("dave", 1, TurnKind::Invited, "bob", TurnState::Inviting));
            v.others_count += 1;
        })
    };
    let invite = Ask::Invite { invitation: ONE, invitees: vec![user("dave")], ring: ring() };
    let (mut bed, first) = calling(&["alice"]);
    bed.act("r-2", invite.clone());
    bed.reply("r-2", invited(ONE, &[]));
    assert_eq!(told(&bed.view(grown(&first))), ["S7 c1 Dave"]);
    let (mut bed, first) = calling(&["alice"]);
    bed.act("r-2", invite);
    bed.view(grown(&first));
    assert_eq!(told(&bed.reply("r-2", invited(ONE, &[]))), ["S7 c1 Dave"]);
}

// spec: N1, S14: a connection's view without its customData waits for it, and its events with it
#[test]
fn a_view_waits_for_its_custom_data() {
    let mut bed = Bed::connected();
    let bare = later(&rung(ONE), 0, |v| v.custom_data = None);
    let out = bed.view(bare.clone());
    assert_eq!(told(&out), Vec::<String>::new());
    assert_eq!(asked(&out), [Ask::Fetch { invitation: ONE, offset: 0 }]);
    let fetch = own(&out, |a| matches!(a, Ask::Fetch { .. }));
    // What happens meanwhile takes its place.
    bed.view(later(&bare, 1, |v| they(v, "alice", TurnState::Left)));
    let out = bed.reply(&fetch, Reply::Details(Box::new(Details { view: rung(ONE), offset: 0 })));
    assert_eq!(told(&out), ["S4 c1 Alice Bob data"]);
    // Known from then on.
    assert_eq!(told(&bed.view(later(&bare, 2, to(TurnState::Cancelled)))), ["S5 c1 Alice data"]);
    // Refused: told without, and saying so.
    let fetch = own(&bed.view(later(&bare, 0, |v| v.invitation = TWO)), |a| matches!(a, Ask::Fetch { .. }));
    assert_eq!(told(&bed.refuse(&fetch, Code::Unavailable)), ["S4 c1 Alice Bob  (incomplete)"]);
}

// spec: K5, S8: of a large group, more may have changed than a view lists: the rest is fetched before it is told
#[test]
fn what_a_view_cannot_list_is_fetched() {
    let names: Vec<String> = (0..50).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut bed, first) = calling(&names);
    bed.pass(500);
    let full = later(&first, 9, |v| names.iter().for_each(|n| they(v, n, TurnState::Declined)));
    let cut = later(&full, 0, |v| v.others.truncate(20));
    let out = bed.view(cut);
    let fetch = own(&out, |a| *a == Ask::Fetch { invitation: ONE, offset: 0 });
    assert_eq!(told(&out), Vec::<String>::new());
    let page = |from: usize, to: usize| {
        let view = later(&full, 0, |v| v.others = v.others[from..to].to_vec());
        Reply::Details(Box::new(Details { view, offset: from }))
    };
    let out = bed.reply(&fetch, page(0, 30));
    let fetch = own(&out, |a| *a == Ask::Fetch { invitation: ONE, offset: 30 });
    assert_eq!(told(&bed.reply(&fetch, page(30, 50))).len(), 50);
    // A callee is owed nothing of the others, and asks for nothing.
    let mut bed = Bed::connected();
    let out = bed.view(later(&rung(ONE), 0, |v| v.others_count = 50));
    assert_eq!(asked(&out), [Ask::Ringing { invitation: ONE, turn: 1 }]);
}

// spec: N1, S14: what isn't visible any more stops ringing, and is brought to an end
#[test]
fn what_is_gone_is_forgotten() {
    let mut bed = Bed::connected();
    bed.view(rung(ONE));
    let out = bed.frame(Frame::Gone(ONE));
    assert_eq!((told(&out), seen(&out)), (vec!["S5 c1 Alice data".into()], vec!["no ring".into()]));
    let (mut bed, _) = calling(&["alice"]);
    assert_eq!(told(&bed.frame(Frame::Gone(ONE))), ["S11 c1 Lost"]);
    assert_eq!(bed.session.in_call(), None);
}

// spec: K6, §10: at most 64 calls are held; those it is in stay
#[test]
fn the_oldest_calls_make_room() {
    let (mut bed, _) = calling(&["alice"]);
    for n in 2..100 {
        bed.view(later(&rung(InvitationId(n)), 0, |v| v.ended = Some(EndReason::Cancelled)));
    }
    assert_eq!(bed.session.calls().count(), 64);
    assert!(bed.session.call(ONE).is_some());
    bed.lose();
    assert_eq!(hello(&bed.input(Input::Opened)).0, [(ONE, 1)], "ended ones needn't be asked for again");
}

// spec: L3, L4: what was answered here rings no more, though the answer's reply comes before the view that says so
#[test]
fn what_was_answered_does_not_ring_up_again() {
    for accepts in [true, false] {
        let mut bed = Bed::connected();
        assert_eq!(seen(&bed.view(rung(ONE))), ["ring Alice"]);
        let (ask, reply) = match accepts {
            true => (Ask::Accept { invitation: ONE, turn: None }, Reply::Accepted { invitation: ONE, turn: 1 }),
            false => (Ask::Reject { invitation: ONE, turn: None, busy: false }, Reply::Done),
        };
        assert_eq!(seen(&bed.act("r-1", ask.clone())), ["no ring"]);
        assert_eq!(seen(&bed.reply("r-1", reply)), Vec::<String>::new());
        // Invited again, it rings again.
        let again = later(&rung(ONE), 3, |v| {
            v.own[0].state = TurnState::Declined;
            v.own.push(turn(2, TurnKind::Invited, "alice", TurnState::Inviting));
        });
        assert_eq!(seen(&bed.view(again)), ["ring Alice"]);
        // An answer that wasn't taken answers nothing.
        bed.act("r-2", ask);
        assert_eq!(seen(&bed.refuse("r-2", Code::Unavailable)), ["ring Alice"]);
    }
}
