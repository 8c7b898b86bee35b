//! Who reaches whom with what media needs (R1).

use crate::people::{device, user};
use crate::server::*;
use ringback_core::call::CallView;
use ringback_core::id::InvitationId;
use ringback_core::refusal::Code;
use ringback_core::step::{Actor, Ask, Claim, Output, Reply, Step};

fn signal(invitation: InvitationId, to: &str) -> Ask {
    Ask::Signal { invitation, to: user(to), device: None, data: "{\"offer\":1}".into() }
}

/// What a request made leave: to whom, from whom and from which device.
fn left(s: &mut Server, by: &Actor, ask: Ask) -> Vec<(String, String, String)> {
    let before = s.outputs.len();
    assert_eq!(s.ask(by, ask), Ok(Reply::Done));
    let signals = s.outputs[before..].iter().filter_map(|output| match output {
        Output::Signal { to, signal } => {
            assert_eq!(&*signal.data, "{\"offer\":1}");
            let whose = s.seen[to].0.to_string();
            Some((whose, signal.from.to_string(), signal.device.to_string()))
        }
        _ => None,
    });
    signals.collect()
}

fn from(to: &str, from: &str, on: &str) -> Vec<(String, String, String)> {
    vec![(to.to_owned(), from.to_owned(), on.to_owned())]
}

// spec: R1: between accepted participants, from the device in the call to the device in the call, and nothing is kept
#[test]
fn those_in_a_call_reach_each_other() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        let rows = s.rows.clone();
        assert_eq!(left(s, &a, signal(id, "b")), from("b", "a", "a-1"));
        assert_eq!(left(s, &b, signal(id, "a")), from("a", "b", "b-1"));
        let Ask::Signal { invitation, to, data, .. } = signal(id, "b") else { unreachable!() };
        let on = |on: &str| {
            let (to, data) = (to.clone(), data.clone());
            Ask::Signal { invitation, to, data, device: Some(device(on)) }
        };
        assert_eq!(left(s, &a, on("b-1")), from("b", "a", "a-1"));
        assert_eq!(s.refused(&a, on("b-2")), Code::NotFound);
        assert_eq!(s.ask(&a, Ask::IceServers { invitation: id }), Ok(Reply::InCall));
        assert_eq!(s.rows, rows, "never stored");
    });
}

// spec: R1, L5: relayed to nobody else, whoever asks
#[test]
fn nobody_else_reaches_anybody() {
    everywhere(|s| {
        let people = ["a", "b", "c", "d", "e"].map(|who| s.hello(who));
        let [a, b, c, d, e] = &people;
        let (b2, stranger) = (s.connect("b", "b-2", Claim::default()), s.hello("z"));
        let id = s.send(a, &["b", "c", "d", "e"]);
        s.accept(b, id);
        s.accept(d, id);
        s.leave(d, id);
        s.reject(e, id, false);
        let before = s.outputs.len();
        let refused = [
            (&stranger, Code::NotFound), // has no part in it
            (c, Code::Forbidden),        // rings
            (d, Code::Forbidden),        // has left
            (e, Code::Forbidden),        // declined
            (&b2, Code::Forbidden),      // is in the call on another device
        ];
        for (who, code) in refused {
            assert_eq!(s.refused(who, signal(id, "a")), code, "{who:?}");
            assert_eq!(s.refused(who, Ask::IceServers { invitation: id }), code, "{who:?}");
        }
        // Who isn't in the call looks the same, whether they ring, have left, never were in it, or aren't there at all.
        for whom in ["c", "d", "e", "z", "nobody"] {
            assert_eq!(s.refused(a, signal(id, whom)), Code::NotFound, "{whom}");
        }
        assert_eq!(s.refused(a, signal(InvitationId(7), "b")), Code::NotFound);
        s.twice(a, Ask::End { invitation: id });
        assert_eq!(s.refused(a, signal(id, "b")), Code::CallEnded);
        assert_eq!(s.refused(&stranger, signal(id, "b")), Code::NotFound);
        assert!(s.outputs[before..].iter().all(|output| !matches!(output, Output::Signal { .. })));
    });
}

// spec: R1, L13: a turn that is hidden from its callee gives the caller away to nobody
#[test]
fn who_was_blocked_is_not_heard_of() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        s.twice(&b, Ask::Block(user("a")));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&c, id);
        assert_eq!(s.refused(&b, signal(id, "c")), Code::NotFound);
        assert_eq!(s.refused(&b, Ask::IceServers { invitation: id }), Code::NotFound);
        assert_eq!(s.refused(&c, signal(id, "b")), Code::NotFound);
    });
}

// spec: R1, L13: nor does the order of coming in tell who has left of a turn that is hidden from them
#[test]
fn the_order_of_coming_in_tells_of_no_hidden_turn() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&b, id);
        s.accept(&c, id);
        s.leave(&b, id);
        s.twice(&b, Ask::Block(user("a")));
        let seen = |s: &mut Server| match s.ask(&b, Ask::Fetch { invitation: id, offset: 0 }).unwrap() {
            Reply::Details(details) => CallView { revision: 0, ..details.view },
            other => panic!("{other:?}"),
        };
        let before = seen(s);
        s.twice(&a, more(id, &["b"]));
        assert_eq!(seen(s), before);
        s.wait(61);
        assert_eq!(seen(s), before);
    });
}

// spec: R1, L9: who is away for a moment isn't reached, and nothing waits for them
#[test]
fn nothing_waits_for_who_is_away() {
    everywhere(|s| {
        let (a, b) = (s.hello("a"), s.hello("b"));
        let id = s.send(&a, &["b"]);
        s.accept(&b, id);
        s.gone(&b);
        let refusal = s.ask(&a, signal(id, "b")).unwrap_err();
        assert_eq!(refusal.code, Code::Unavailable);
        assert!(refusal.retry_after.is_some());
        let before = s.outputs.len();
        let back = s.connect("b", "b-1", Claim::of(id));
        assert!(s.outputs[before..].iter().all(|output| !matches!(output, Output::Signal { .. })));
        assert_eq!(left(s, &a, signal(id, "b")).len(), 1);
        assert_eq!(left(s, &back, signal(id, "a")).len(), 1);
    });
}

// spec: R1: who is shown that somebody came in hears from them after that
#[test]
fn a_signal_comes_behind_the_views_of_its_batch() {
    everywhere(|s| {
        let (a, b, c) = (s.hello("a"), s.hello("b"), s.hello("c"));
        let id = s.send(&a, &["b", "c"]);
        s.accept(&b, id);
        let request = s.next_request();
        let turn = s.turn(id, "c").no;
        s.engine.submit(Step::Request { by: c.clone(), request, ask: Ask::Accept { invitation: id, turn } });
        let request = s.next_request();
        s.engine.submit(Step::Request { by: c.clone(), request, ask: signal(id, "a") });
        let out = s.run();
        let shown = out.iter().position(|o| matches!(o, Output::Call { to, .. } if *to == a.session)).unwrap();
        let heard = out.iter().position(|o| matches!(o, Output::Signal { to, .. } if *to == a.session)).unwrap();
        assert!(shown < heard);
    });
}

// spec: R1: everybody sees the same order of coming in, themselves included, also after somebody left and came back
#[test]
fn all_see_the_same_order_of_coming_in() {
    everywhere(|s| {
        let people = ["a", "b", "c", "d"].map(|who| s.hello(who));
        let [a, b, c, d] = &people;
        let id = s.send(a, &["b", "c", "d"]);
        s.accept(c, id);
        s.accept(b, id);
        s.accept(d, id);
        s.leave(c, id);
        s.twice(c, Ask::Join { invitation: id });
        for by in &people {
            let view = s.view(by, id).unwrap();
            let mut order: Vec<_> = view.others.iter().map(|o| (o.changed, o.person.id.to_string())).collect();
            order.push((view.entered.unwrap(), by.user.to_string()));
            order.sort();
            let order: Vec<_> = order.into_iter().map(|(_, who)| who).collect();
            assert_eq!(order, ["a", "b", "d", "c"], "as {} sees it", by.user);
        }
    });
}
