//! Requests, claims and dial-backs: N1 to N3, L9, D6, D7, S3, S13, S15.

use super::*;
use crate::call::OwnTurn;
use crate::step::{CancelWhom, Claim, Details};

fn dial(entry: &MissedEntry) -> Ask {
    Ask::DialBack(Box::new(DialBack {
        missed: named(entry),
        title: None,
        message: None,
        timeout: Duration::ZERO,
        resource_id: None,
        default: true,
    }))
}

fn called(id: InvitationId, on: &str) -> Reply {
    let call_id = CallId::new("c1").unwrap();
    Reply::Made(Made::DialedBack { invitation: id, call_id, device: device(on) })
}

fn a_missed_call() -> MissedEntry {
    missed(ONE, "alice", MissedReason::NoAnswer)
}

fn replied(out: &[Output], id: &str) -> Option<Result<Answered, Code>> {
    out.iter().find_map(|o| match o {
        Output::Reply { id: of, answer } if *of == rid(id) => Some(answer.clone().map_err(|e| e.code)),
        _ => None,
    })
}

// spec: N2, L9: an unanswered request is repeated with the same id, and claims what it may have entered
#[test]
fn an_unanswered_request_is_repeated_and_claimed() {
    let mut bed = Bed::connected();
    bed.act("r-1", send(&["alice"]));
    bed.lose();
    let out = bed.input(Input::Opened);
    assert_eq!(hello(&out), (vec![], Claim::by(rid("r-1"))));
    // What the server shows of it before its answer waits for that.
    assert_eq!(told(&bed.view(sent(ONE, &["alice"]))), Vec::<String>::new());
    let out = bed.frame(Frame::Synced);
    assert!(out.contains(&Output::Request { id: rid("r-1"), ask: send(&["alice"]) }));
    let out = bed.reply("r-1", invited(ONE, &[]));
    assert_eq!(told(&out), ["S7 c1 Alice"]);
    assert_eq!(bed.session.in_call(), Some(ONE));
}

// spec: N2, S11: the repeat of a send whose call ended meanwhile is answered without a view: it is fetched, and told
#[test]
fn a_repeat_of_what_ended_is_told_to_its_end() {
    let mut bed = Bed::connected();
    bed.act("r-1", send(&["alice"]));
    bed.lose();
    bed.connect();
    let fetch = own(&bed.reply("r-1", invited(ONE, &[])), |a| matches!(a, Ask::Fetch { .. }));
    let view = later(&sent(ONE, &["alice"]), 1, |v| {
        they(v, "alice", TurnState::Busy);
        ended(EndReason::Busy)(v);
    });
    let out = bed.reply(&fetch, Reply::Details(Box::new(Details { view, offset: 0 })));
    assert_eq!(told(&out), ["S7 c1 Alice", "S8 busy Alice", "S11 c1 Busy"]);
    assert_eq!(bed.session.in_call(), None);
}

// spec: N2, L9: the answer to a repeat doesn't put a device back into what it was shown to have left since
#[test]
fn a_repeat_of_what_was_left_enters_nothing() {
    let mut bed = Bed::connected();
    let entry = a_missed_call();
    bed.act("r-1", dial(&entry));
    bed.lose();
    bed.input(Input::Opened);
    bed.welcome();
    bed.view(later(&rung(ONE), 3, |v| {
        // In by that request, taken out by the user's other device, which is in it now.
        v.group = true;
        v.own = vec![
            OwnTurn { device: Some(device(HERE)), ..turn(2, TurnKind::Joined, "bob", TurnState::Left) },
            OwnTurn { device: Some(device("d-2")), ..turn(3, TurnKind::Joined, "bob", TurnState::Accepted) },
        ];
    }));
    bed.frame(Frame::Synced);
    bed.reply("r-1", called(ONE, HERE));
    assert_eq!(bed.session.in_call(), None);
}

// spec: L9: an app started anew claims only what it takes up again
#[test]
fn a_new_process_claims_what_it_takes_up() {
    for take_up in [true, false] {
        let (bed, _) = calling(&["alice"]);
        let mut bed = bed.restarted();
        bed.input(Input::Init { config: config(), take_up });
        let (_, claim) = hello(&bed.input(Input::Opened));
        assert_eq!(claim, if take_up { Claim::of(ONE) } else { Claim::default() });

        let mut bed = Bed::connected();
        bed.act("r-1", send(&["alice"]));
        let mut bed = bed.restarted();
        bed.input(Input::Init { config: config(), take_up });
        let (_, claim) = hello(&bed.input(Input::Opened));
        assert_eq!(claim, if take_up { Claim::by(rid("r-1")) } else { Claim::default() });
    }
}

// spec: K6, L9, S11: what a new process takes up may have ended before it asks
#[test]
fn a_call_that_ended_between_two_processes_is_not_taken_up() {
    let after = || {
        let (bed, view) = calling(&["alice"]);
        let mut bed = bed.restarted();
        bed.input(Input::Init { config: config(), take_up: true });
        let (holds, claim) = hello(&bed.input(Input::Opened));
        assert_eq!((holds, claim), (vec![(ONE, 0)], Claim::of(ONE)));
        bed.welcome();
        (bed, view)
    };
    let (mut bed, mut view) = after();
    view.revision += 1;
    ended(EndReason::Ended)(&mut view);
    assert_eq!(told(&bed.view(view)), ["S11 c1 Ended"]);
    assert_eq!(bed.session.in_call(), None);
    let (mut bed, _) = after();
    bed.frame(Frame::Gone(ONE));
    assert_eq!(bed.session.in_call(), None);
}

/// A bed in which Bob is in ONE, accepted TWO that rang beside it (C11), and lost the connection before the answer.
fn waiting_call_accepted() -> (Bed, CallView) {
    let (mut bed, first) = calling(&["alice"]);
    bed.view(rung(TWO));
    bed.act("r-2", Ask::Accept { invitation: TWO, turn: None });
    bed.lose();
    let claim = Claim { invitation: Some(ONE), requests: vec![rid("r-2")] };
    assert_eq!(hello(&bed.input(Input::Opened)).1, claim);
    bed.welcome();
    (bed, first)
}

// spec: C11, L9, S11: an accept whose answer is lost is claimed beside the call that it left; the one left is told
#[test]
fn an_accept_that_left_the_other_call_is_claimed() {
    let (mut bed, first) = waiting_call_accepted();
    let out = bed.view(later(&first, 1, |v| {
        ended(EndReason::Elsewhere)(v);
        v.own[0].leaving = Some(crate::call::Leaving::Elsewhere);
    }));
    assert_eq!(told(&out), ["S11 c1 Elsewhere"]);
    bed.frame(Frame::Synced);
    bed.reply("r-2", Reply::Accepted { invitation: TWO, turn: 1 });
    assert_eq!(bed.session.in_call(), Some(TWO));
}

// spec: C11, L9, N2: an accept that never arrived takes the device out of nothing; repeated, it does what it was to do
#[test]
fn an_accept_that_was_lost_leaves_nothing() {
    for expired in [false, true] {
        let (mut bed, first) = waiting_call_accepted();
        assert_eq!(told(&bed.view(later(&first, 1, |_| {}))), Vec::<String>::new());
        assert_eq!(bed.session.in_call(), Some(ONE));
        let accept = Ask::Accept { invitation: TWO, turn: Some(1) };
        assert!(asked(&bed.frame(Frame::Synced)).contains(&accept));
        if expired {
            bed.refuse("r-2", Code::InvitationExpired);
        } else {
            bed.reply("r-2", Reply::Accepted { invitation: TWO, turn: 1 });
        }
        assert_eq!(bed.session.in_call(), Some(if expired { ONE } else { TWO }));
    }
}

// spec: C11, L9: of several unanswered requests any may have been the last that was taken
#[test]
fn each_unanswered_request_is_claimed_by() {
    let (mut bed, _) = calling(&["alice"]);
    for (n, id) in [(2, TWO), (3, InvitationId(3))] {
        bed.view(rung(id));
        bed.act(&format!("r-{n}"), Ask::Accept { invitation: id, turn: None });
    }
    bed.act("r-4", Ask::Leave { invitation: ONE });
    bed.lose();
    let claim = Claim { invitation: None, requests: vec![rid("r-2"), rid("r-3")] };
    assert_eq!(hello(&bed.input(Input::Opened)).1, claim, "S11: what was left isn't claimed, nor by what leaves");
}

// spec: C11, D6, L9: an accept that was given up isn't claimed, and the call before it is
#[test]
fn what_was_given_up_is_not_claimed_beside_the_call() {
    let (mut bed, _) = waiting_call_accepted();
    bed.lose();
    bed.pass(30_000);
    assert_eq!(hello(&bed.input(Input::Opened)).1, Claim::of(ONE));
}

// spec: N2: a cancel of all names the revision that was seen
#[test]
fn a_cancel_says_what_it_saw() {
    let (mut bed, first) = calling(&["alice", "carol"]);
    bed.view(later(&first, 4, |v| they(v, "alice", TurnState::Ringing)));
    let out = bed.act("r-2", Ask::Cancel { invitation: ONE, whom: None });
    assert_eq!(asked(&out), [Ask::Cancel { invitation: ONE, whom: Some(CancelWhom::All { seen: 5 }) }]);
    let out = bed.act("r-3", Ask::Cancel { invitation: TWO, whom: None });
    assert_eq!(replied(&out, "r-3"), Some(Err(Code::NotFound)));
}

// spec: L1, N2: `ringing` is repeated while the turn still rings, and not for one that is over
#[test]
fn ringing_is_said_again_while_it_rings() {
    let mut bed = Bed::connected();
    bed.view(rung(ONE));
    bed.lose();
    assert_eq!(asked(&bed.connect()), [Ask::Ringing { invitation: ONE, turn: 1 }]);
    bed.lose();
    bed.input(Input::Opened);
    bed.view(later(&rung(ONE), 1, to(TurnState::TimedOut)));
    assert_eq!(asked(&bed.frame(Frame::Synced)), []);
}

// spec: D2, D4, C4, C7: the default action dials back as configured, or does nothing
#[test]
fn the_default_action_is_the_dial_back() {
    let mut bed = Bed::started(Config { resource_id: Some("res".into()), ..config() });
    bed.connect();
    let asks = asked(&bed.act("r-1", dial(&a_missed_call())));
    let [Ask::DialBack(dialed)] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!((dialed.timeout, dialed.resource_id.as_deref()), (Duration::from_secs(30), Some("res")));
    bed.reply("r-1", called(TWO, HERE));
    assert_eq!(told(&bed.view(sent(TWO, &["alice"]))), ["S7 c2 Alice"]);
    let mut bed = Bed::started(Config { dial_back: false, ..config() });
    bed.connect();
    let out = bed.act("r-1", dial(&a_missed_call()));
    assert_eq!((asked(&out), replied(&out, "r-1")), (vec![], Some(Ok(Answered::Nothing))));
}

// spec: D5: a group is joined: in the call, and nothing was sent
#[test]
fn a_dial_back_into_a_group_joins_it() {
    let mut bed = Bed::connected();
    bed.act("r-1", dial(&a_missed_call()));
    bed.reply("r-1", called(ONE, HERE));
    let out = bed.view(later(&rung(ONE), 5, |v| {
        v.group = true;
        v.own[0].state = TurnState::TimedOut;
        let joined = turn(2, TurnKind::Joined, "bob", TurnState::Accepted);
        v.own.push(crate::call::OwnTurn { device: Some(device(HERE)), ..joined });
    }));
    assert_eq!(told(&out), Vec::<String>::new());
    assert_eq!(bed.session.in_call(), Some(ONE));
}

// spec: D7: under way on another device: shown as elsewhere, without S3; a repeat here is told once
#[test]
fn a_dial_back_under_way_is_returned() {
    let mut bed = Bed::connected();
    bed.act("r-1", dial(&a_missed_call()));
    assert_eq!(told(&bed.reply("r-1", called(TWO, "d-2"))), ["S6 c1 DialedBack"]);
    assert_eq!(bed.session.in_call(), None);
    for id in ["r-2", "r-3"] {
        bed.act(id, dial(&a_missed_call()));
    }
    bed.reply("r-2", called(TWO, HERE));
    let first = sent(TWO, &["alice"]);
    // The view waits for the other answer too? No: the first one explains it.
    assert_eq!(told(&bed.view(first.clone())), ["S7 c2 Alice"]);
    bed.reply("r-3", called(TWO, HERE));
    assert_eq!(told(&bed.view(later(&first, 1, |_| {}))), Vec::<String>::new());
}

// spec: D6, S3: engaged, refused
#[test]
fn a_dial_back_that_fails_says_why() {
    let mut bed = Bed::connected();
    bed.act("r-1", dial(&a_missed_call()));
    assert_eq!(told(&bed.reply("r-1", Reply::Made(Made::Engaged { invitation: TWO }))), ["S3 c1 already_in_call"]);
    bed.act("r-2", dial(&a_missed_call()));
    assert_eq!(told(&bed.refuse("r-2", Code::CallEnded)), ["S3 c1 call_ended"]);
}

// spec: D6: no answer within 10 s: given up, not repeated, not claimed; and left if it was taken after all
#[test]
fn a_dial_back_without_an_answer_is_given_up() {
    let mut bed = Bed::connected();
    bed.act("r-1", dial(&a_missed_call()));
    assert_eq!(told(&bed.pass(9_999)), Vec::<String>::new());
    let out = bed.pass(1);
    assert_eq!(told(&out), ["S3 c1 unavailable"]);
    assert_eq!(replied(&out, "r-1"), Some(Err(Code::Unavailable)));
    assert!(bed.reply("r-1", called(TWO, HERE)).is_empty(), "too late");
    let out = bed.view(sent(TWO, &["alice"]));
    assert_eq!((told(&out), asked(&out)), (vec![], vec![Ask::Leave { invitation: TWO }]));
    assert!(asked(&bed.view(later(&sent(TWO, &["alice"]), 1, |_| {}))).is_empty(), "once");
    bed.lose();
    assert_eq!(hello(&bed.input(Input::Opened)).1, Claim::default());
}

// spec: N2, L9: what would ring someone isn't sent an hour later
#[test]
fn a_send_without_a_connection_is_given_up() {
    let mut bed = Bed::started(config());
    bed.act("r-1", send(&["alice"]));
    assert_eq!(replied(&bed.pass(30_000), "r-1"), Some(Err(Code::Unavailable)));
    assert_eq!(asked(&bed.connect()), []);
}

// spec: N3: a silent connection is asked, then taken for dead after 25 s
#[test]
fn a_silent_connection_is_found_dead() {
    let mut bed = Bed::connected();
    assert_eq!(bed.session.poll_timeout(), Some(Timestamp(bed.now + 10_000)));
    assert_eq!(bed.pass(10_000), [Output::Ping]);
    assert_eq!(bed.pass(14_999), []);
    assert_eq!(bed.pass(1), [Output::Close]);
    assert_eq!(told(&bed.lose()), ["S13 Disconnected"]);
    bed.connect();
    bed.pass(10_000);
    bed.frame(Frame::Alive);
    assert_eq!(bed.pass(14_999), [Output::Ping], "heard in between");
}

// spec: S13, docs/protocol.md: a connection that was taken over doesn't come back by itself
#[test]
fn the_connections_state_is_told() {
    let mut bed = Bed::started(config());
    assert_eq!(told(&bed.connect()), ["S13 Connected"]);
    bed.frame(Frame::Bye(Bye::Replaced));
    assert_eq!(told(&bed.lose()), ["S13 Closed(Replaced)"]);
    bed.input(Input::Opened);
    assert_eq!(told(&bed.lose()), Vec::<String>::new(), "it never was connected");
}

// spec: S13, S15: the app hears a minute before its token expires, and again of the next
#[test]
fn a_token_that_will_expire_is_told() {
    let mut bed = Bed::connected();
    assert_eq!(told(&bed.pass(3_539_999)), Vec::<String>::new());
    assert_eq!(told(&bed.pass(1)), ["S13 token 60"]);
    bed.act("r-1", Ask::UpdateToken(Secret("t".into())));
    bed.frame(Frame::Reply { id: rid("r-1"), answer: Ok(Answered::Token(Duration::from_secs(61))) });
    assert_eq!(told(&bed.pass(1_000)), ["S13 token 60"]);
}

// spec: S15: uninit leaves, withdraws what shows, and is the last thing that is said
#[test]
fn uninit_takes_everything_down() {
    let (mut bed, _) = calling(&["carol"]);
    bed.view(rung(TWO));
    bed.list(1, vec![a_missed_call()]);
    let out = bed.act("r-9", Ask::Uninit);
    assert_eq!(seen(&out), ["- caller:alice", "no ring"]);
    assert_eq!(asked(&out), [Ask::Uninit]);
    assert_eq!((bed.session.in_call(), bed.session.poll_timeout()), (None, None));
    assert_eq!(replied(&bed.reply("r-9", Reply::Done), "r-9"), Some(Ok(Answered::Core(Reply::Done))));
    assert!(bed.view(later(&rung(TWO), 9, |_| {})).is_empty());
    let mut bed = Bed::started(config());
    assert!(replied(&bed.act("r-1", Ask::Uninit), "r-1").is_some(), "offline, at once");
}

// spec: §10: requests that wait have a bound
#[test]
fn too_many_waiting_requests_are_refused() {
    let mut bed = Bed::started(config());
    for n in 0..REQUESTS {
        bed.act(&format!("r-{n}"), Ask::Block(user("eve")));
    }
    assert_eq!(replied(&bed.act("r-x", Ask::Block(user("eve"))), "r-x"), Some(Err(Code::Unavailable)));
}
