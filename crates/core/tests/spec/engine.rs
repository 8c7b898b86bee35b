//! Batches, restarts and stores in trouble: G2, G3, G7, N2, K2, L9.

use crate::people::user;
use crate::server::*;
use ringback_core::call::{Leaving, TurnState};
use ringback_core::id::UserId;
use ringback_core::refusal::Code;
use ringback_core::step::{Actor, Ask, Claim, Fact, Output, Step};
use std::time::Duration;

// spec: K2, G13: nothing resident, the same answers
#[test]
fn a_store_that_hides_everything_is_not_seen() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&b, id);
        s.wait(60);
        s.twice(&c, Ask::Join { invitation: id });
        s.leave(&a, id);
        assert_eq!(s.state(id, "c"), TurnState::Accepted);
    });
}

// spec: K2: a step over as many keys as a rule needs; nobody's record is resident
#[test]
fn the_longest_chain_of_keys_is_still_decided() {
    everywhere(|s| {
        let people = ["a", "b", "c", "d", "e"].map(|who| s.hello(who));
        let [a, b, c, d, e] = &people;
        let first = s.send(a, &["b"]);
        s.wait(60);
        let missed = s.missed(b)[0].id;
        s.gone(a);
        let rings = s.send(c, &["b"]);
        let more = s.send(d, &["b", "e"]);
        s.accept(e, more);
        let back = s.click_and_dial(b, missed);
        assert!(device_of(&back).is_some(), "{back:?}");
        assert_eq!(s.state(rings, "b"), TurnState::Busy, "L8");
        assert_eq!(s.state(more, "b"), TurnState::Busy, "L8");
        assert_ne!(s.row(first).id, rings);
    });
}

// spec: G2, M2: nothing leaves before the commit, and a failed one leaves nothing
#[test]
fn a_commit_that_fails_leaves_nothing() {
    for keep in BOTH {
        for trouble in [Trouble::Refuses, Trouble::CannotLoad] {
            let mut s = Server::new(keep);
            let (a, b) = (s.hello("a"), s.hello("b"));
            let before = s.rows.clone();
            s.trouble = vec![trouble; 2]; // tried once more (G3)
            if trouble == Trouble::CannotLoad && keep == ringback_core::engine::Keep::Running {
                s.gone(&b); // so that there is something to load
                s.trouble = vec![trouble; 2];
            }
            let request = s.next_request();
            let answer = s.ask_as(&a, &request, call(&["b"]));
            assert_eq!(answer.map_err(|r| r.code), Err(Code::Unavailable));
            assert_eq!(s.rows.calls, before.calls);
            assert!(s.trouble.is_empty());
            s.ask_as(&a, &request, call(&["b"])).unwrap();
            assert_eq!(s.rows.calls.len(), 1);
        }
    }
}

// spec: G3: a batch that failed is tried once more, each step by itself, so that a bad one fails alone
#[test]
fn the_steps_of_a_failed_batch_are_tried_singly() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let people = ["a", "b", "c", "d"].map(|who| s.hello(who));
        let [a, _, c, _] = &people;
        for (by, to) in [(a, "b"), (c, "d")] {
            let request = s.next_request();
            s.engine.submit(Step::Request { by: by.clone(), request, ask: call(&[to]) });
        }
        // The batch fails, then the first step by itself.
        s.trouble = vec![Trouble::Refuses, Trouble::Refuses];
        let out = s.run();
        let answers: Vec<_> = out
            .iter()
            .filter_map(|o| match o {
                Output::Reply { to, answer, .. } => Some((*to, answer.is_ok())),
                _ => None,
            })
            .collect();
        assert_eq!(answers, [(a.session, false), (c.session, true)]);
        assert_eq!(s.rows.calls.len(), 1);
        assert_eq!(s.rows.running(&user("d")).len(), 1);
    }
}

// spec: G3, N2: commit outcome unknown: load and decide again; what was kept takes effect once
#[test]
fn a_commit_of_unknown_outcome_is_decided_again() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (a, b) = (s.hello("a"), s.hello("b"));
        s.trouble = vec![Trouble::KeepsAndSaysNothing];
        let request = s.next_request();
        s.ask_as(&a, &request, call(&["b"])).unwrap();
        s.ask_as(&a, &request, call(&["b"])).unwrap();
        assert_eq!(s.rows.calls.len(), 1, "N2: once");
        let id = *s.rows.calls.keys().next().unwrap();
        s.wait(60);
        assert_eq!(s.state(id, "b"), TurnState::TimedOut);
        assert_eq!(s.rows.missed.len(), 1);
        drop(b);
    }
}

// spec: G3, M2: a time-out whose commit fails runs a little later, and its missed call is there once
#[test]
fn a_time_out_outlives_a_store_in_trouble() {
    for keep in BOTH {
        for trouble in [Trouble::Refuses, Trouble::KeepsAndSaysNothing] {
            let mut s = Server::new(keep);
            let (a, b) = (s.hello("a"), s.hello("b"));
            let id = s.send(&a, &["b"]);
            s.wait(59);
            s.trouble = vec![trouble; 3];
            s.wait(10);
            assert_eq!(s.state(id, "b"), TurnState::TimedOut);
            assert_eq!(s.rows.missed.len(), 1);
            drop(b);
        }
    }
}

// spec: M2, L2: no restart loses an invitation, and its deadline stays to the millisecond
#[test]
fn an_invitation_outlives_a_restart() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (a, _) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        let deadline = s.turn(id, "b").deadline;
        s.wait(20);
        s.restart();
        assert_eq!(s.turn(id, "b").deadline, deadline);
        s.connect("a", "a-1", Claim::of(id));
        s.until(deadline);
        assert_eq!(s.state(id, "b"), TurnState::TimedOut);
        let b = s.hello("b");
        assert_eq!(s.missed(&b).len(), 1);
        assert_eq!(s.state(id, "a"), TurnState::Left);
    }
}

// spec: G7, L2: what came due while the server was down runs first
#[test]
fn overdue_deadlines_run_at_the_start() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (a, _) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.now = s.now + std::time::Duration::from_secs(3600);
        s.restart();
        assert_eq!(s.state(id, "b"), TurnState::TimedOut);
        assert_eq!(s.rows.missed.len(), 1);
    }
}

// spec: L9, G7: after a restart the grace counts from when connections are taken again, begun before it or not
#[test]
fn a_grace_begins_anew_after_a_restart() {
    for keep in BOTH {
        for gone_before in [false, true] {
            let mut s = Server::new(keep);
            let (a, b) = (s.hello("a"), s.hello("b"));
            let id = s.send(&a, &["b"]);
            s.accept(&b, id);
            if gone_before {
                s.gone(&a);
            }
            s.now = s.now + std::time::Duration::from_secs(3600);
            s.restart();
            assert_eq!(s.state(id, "a"), TurnState::Accepted, "{gone_before}");
            s.wait(29);
            s.connect("a", "a-1", Claim::of(id));
            assert_eq!(s.state(id, "a"), TurnState::Accepted);
            s.wait(1);
            assert_eq!(s.state(id, "b"), TurnState::Left);
            assert_eq!(s.turn(id, "b").leaving, Some(Leaving::Lost));
        }
    }
}

// spec: L9: after an outage of the store the grace counts from when connections are taken again
#[test]
fn a_grace_begins_anew_after_an_outage() {
    for keep in BOTH {
        for comes_back in [false, true] {
            let mut s = Server::new(keep);
            let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
            let id = s.send(&a, &["b"]);
            s.accept(&b, id);
            s.gone(&a);
            s.wait(5);
            s.trouble = vec![Trouble::Refuses; 1000];
            s.wait(100);
            assert_eq!(s.state(id, "a"), TurnState::Accepted, "{keep:?}");
            s.trouble.clear();
            s.ask(&c, call(&["x"])).unwrap();
            s.wait(29);
            if comes_back {
                s.connect("a", "a-1", Claim::of(id));
            }
            s.wait(3);
            let expected = if comes_back { TurnState::Accepted } else { TurnState::Left };
            assert_eq!(s.state(id, "a"), expected, "{keep:?}");
        }
    }
}

// spec: G3, L2: an outage stops no deadline for longer than itself
#[test]
fn a_deadline_outlives_an_outage() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (a, b) = (s.hello("a"), s.hello("b"));
        let ids = [s.send(&a, &["b"]), {
            let c = s.hello("c");
            s.send(&c, &["b"])
        }];
        s.wait(50);
        s.trouble = vec![Trouble::Refuses; 1000];
        s.wait(100);
        s.trouble.clear();
        s.wait(2);
        assert!(ids.iter().all(|id| s.state(*id, "b") == TurnState::TimedOut), "{keep:?}");
        assert_eq!(s.rows.missed.len(), 2);
        drop(b);
    }
}

// spec: G3, L9: someone's going that could not be written down is not forgotten
#[test]
fn a_loss_outlives_a_store_in_trouble() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        s.trouble = vec![Trouble::Refuses; 2];
        s.gone(&a);
        s.wait(40);
        assert_eq!(s.state(id, "a"), TurnState::Left);
    }
}

// spec: G6, N1: a hello in one batch with an invitation sees it, whichever comes first
#[test]
fn nothing_falls_between_a_hello_and_an_invitation() {
    for keep in BOTH {
        for hello_first in [false, true] {
            let mut s = Server::new(keep);
            let a = s.hello("a");
            let b = s.actor("b", "b-1");
            let known = s.hello("c");
            let hello = Step::Hello(Box::new(hello(&b)));
            let request = s.next_request();
            let send = Step::Request { by: a.clone(), request, ask: call(&["b"]) };
            let steps = if hello_first { [hello, send] } else { [send, hello] };
            steps.into_iter().for_each(|step| s.engine.submit(step));
            s.run();
            let id = *s.rows.calls.keys().next().unwrap();
            let own = s.own(&b, id).map(|t| t.state);
            assert_eq!(own, Some(TurnState::Inviting), "{hello_first}");
            assert_eq!(s.view(&known, id), None);
        }
    }
}

// spec: K2, L6: who declined and has nothing to be told is not asked for: a group of any size ends in its rounds
#[test]
fn a_group_that_many_declined_ends_by_itself() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let a = s.hello("a");
        let names: Vec<String> = (0..20).map(|n| format!("u{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let id = s.send(&a, &names);
        for (n, name) in names.iter().enumerate() {
            let by = s.hello(name);
            s.reject(&by, id, n % 2 == 0);
            s.gone(&by);
        }
        s.restart();
        s.wait(61);
        assert!(!s.row(id).running());
        assert!(s.rounds <= 4, "{}", s.rounds);
    }
}

// spec: K8, M2: a stored call that can't be is told of, shown to nobody and left as it is; the rest is served
#[test]
fn a_broken_call_is_passed_over_and_kept() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (a, _b) = (s.hello("a"), s.hello("b"));
        let whole = s.send(&a, &["b"]);
        s.wait(60);
        let broken = s.send(&a, &["b"]);
        let record = s.rows.calls.get_mut(&broken).unwrap();
        record.participants[0].turns[0].state = TurnState::Left; // and it runs on
        let record = record.clone();
        s.restart();
        let told = s.facts.iter().filter(|fact| matches!(fact, Fact::Broken { .. })).collect::<Vec<_>>();
        assert!(matches!(told[..], [Fact::Broken { invitation, .. }] if *invitation == broken), "{told:?}");
        let (a, b) = (s.hello("a"), s.hello("b"));
        assert!(!s.seen[&b.session].1.calls.contains_key(&broken));
        assert_eq!(s.missed(&b)[0].id.invitation, whole);
        let answer = s.ask(&b, Ask::Accept { invitation: broken, turn: 1 });
        assert_eq!(answer.unwrap_err().code, Code::NotFound);
        let next = s.send(&a, &["b"]);
        s.accept(&b, next);
        s.leave(&a, next);
        assert_eq!(s.rows.calls[&broken], record);
    }
}

// spec: G3, L9: in an outage of the store nobody waits behind all that the server owes
#[test]
fn of_what_is_owed_in_an_outage_a_step_at_a_time_is_tried() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let callers: Vec<_> = (0..20).map(|n| s.hello(&format!("a{n}"))).collect();
        let ids: Vec<_> = callers.iter().enumerate().map(|(n, a)| s.send(a, &[&format!("b{n}")])).collect();
        s.hello("free");
        s.trouble = vec![Trouble::Refuses; 1000];
        s.gone(&callers[0]);
        s.gone(&callers[1]);
        s.wait(100);
        let tries = |s: &Server| 1000 - s.trouble.len();
        // All once, when it begins, then each second a call and someone's going.
        assert!((100..260).contains(&tries(&s)), "{}", tries(&s));
        let before = tries(&s);
        let free = s.hello("free"); // known already: nothing has to be kept
        assert_eq!(s.refused(&free, call(&["x"])), Code::Unavailable);
        assert!(tries(&s) - before <= 4, "{}", tries(&s) - before);
        s.trouble.clear();
        s.wait(2);
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(s.state(*id, &format!("b{n}")), TurnState::TimedOut, "{keep:?}");
        }
    }
}

/// What left for these sessions, in order: the settings by whom they block, the replies by `ok` or their code.
fn said_to(out: &[Output], sessions: &[&Actor]) -> Vec<Vec<String>> {
    let said = |output: &Output| match output {
        Output::Settings { to, settings } => {
            let names: Vec<&str> = settings.blocked.iter().map(UserId::as_str).collect();
            Some((*to, format!("blocks {}", names.join("+"))))
        }
        Output::Reply { to, request: None, .. } => Some((*to, "welcome".to_owned())),
        Output::Reply { to, answer, .. } => {
            Some((*to, answer.as_ref().map_or_else(|e| e.code.to_string(), |_| "ok".to_owned())))
        }
        _ => None,
    };
    let of =
        |by: &&Actor| out.iter().filter_map(said).filter(|(to, _)| *to == by.session).map(|(_, said)| said).collect();
    sessions.iter().map(of).collect()
}

// spec: L13, N1: what one device sets is shown on all of its user's, at once, and before it is answered; to nobody else
#[test]
fn settings_are_the_same_on_all_devices() {
    everywhere(|s| {
        let (b1, b2, c) = (s.hello("b"), s.connect("b", "b-2", Claim::default()), s.hello("c"));
        for (ask, shown) in [(Ask::Block(user("e")), "blocks e"), (Ask::Unblock(user("e")), "blocks ")] {
            s.outputs.clear();
            s.twice(&b1, ask);
            let expected = [vec![shown, "ok", "ok"], vec![shown], vec![]];
            assert_eq!(said_to(&s.outputs, &[&b1, &b2, &c]), expected, "once, however often it is asked");
        }
        s.quiet(&b2, 60, &["c"]);
        for by in [&b1, &b2] {
            let set = s.seen[&by.session].1.settings.clone().unwrap().do_not_disturb.unwrap();
            assert_eq!((set.until, set.let_through.len()), (s.now + Duration::from_secs(60), 1));
        }
        s.wait(60);
        let (_, welcome) = s.welcome("b", "b-3", Claim::default(), vec![], false);
        assert_eq!(welcome.settings.do_not_disturb, None, "it is over");
    });
}

// spec: G2, G3, L13: in one batch each device is shown them once, as they are at its end, and behind its welcome
#[test]
fn settings_changed_in_one_batch_are_shown_once() {
    everywhere(|s| {
        let (b1, b2) = (s.hello("b"), s.connect("b", "b-2", Claim::default()));
        let late = s.actor("b", "b-3");
        let submit = |s: &mut Server, by: &Actor, ask| {
            let request = s.next_request();
            s.engine.submit(Step::Request { by: by.clone(), request, ask });
        };
        submit(s, &b1, Ask::Block(user("e")));
        s.engine.submit(Step::Hello(Box::new(hello(&late))));
        submit(s, &b2, Ask::Block(user("f")));
        submit(s, &b1, Ask::Unblock(user("e")));
        let out = s.run();
        let [first, second, third] = &said_to(&out, &[&b1, &b2, &late])[..] else { panic!() };
        assert_eq!(first, &["blocks f", "ok", "ok"]);
        assert_eq!(second, &["blocks f", "ok"]);
        assert_eq!(third, &["welcome", "blocks f"]);
    });
}

// spec: G3, L13: what isn't durable is shown nowhere
#[test]
fn settings_that_were_not_kept_are_not_shown() {
    for keep in BOTH {
        let mut s = Server::new(keep);
        let (b1, b2) = (s.hello("b"), s.connect("b", "b-2", Claim::default()));
        s.trouble = vec![Trouble::Refuses, Trouble::Refuses];
        s.outputs.clear();
        assert_eq!(s.refused(&b1, Ask::Block(user("e"))), Code::Unavailable);
        assert_eq!(said_to(&s.outputs, &[&b1, &b2]), [vec!["unavailable".to_owned()], vec![]]);
    }
}
