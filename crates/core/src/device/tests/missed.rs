//! Missed calls, notifications and clicks: S1, S2, S5, S12, M3 to M8, D1 to D3, C2, C3, C8.

use super::*;
use crate::step::Details;

fn many(ids: std::ops::Range<u128>) -> Vec<MissedEntry> {
    ids.rev().map(|n| missed(InvitationId(n), &format!("u{n}"), MissedReason::NoAnswer)).collect()
}

// spec: S14, M1: S1 or S5 comes once, whether the view or the list says it first
#[test]
fn a_missed_call_is_told_once_by_view_and_list() {
    for list_first in [false, true] {
        let mut bed = Bed::connected();
        bed.view(rung(ONE));
        let view = later(&rung(ONE), 1, to(TurnState::TimedOut));
        let entry = missed(ONE, "alice", MissedReason::NoAnswer);
        let mut out = Vec::new();
        if list_first {
            out.extend(bed.list(1, vec![entry.clone()]));
        }
        out.extend(bed.view(view));
        if !list_first {
            out.extend(bed.list(1, vec![entry]));
        }
        let mut told = told(&out);
        told.sort();
        assert_eq!(told, ["S1 c1 Alice", "S12 1"]);
        assert!(seen(&out).contains(&"Missed Call: Alice Video Call [CallBack] ♪".into()));
    }
}

// spec: S14, M1, M3: a device that learns of it at its first connection after it; nothing for busy and unreachable
#[test]
fn what_was_missed_while_away_is_told_by_its_reason() {
    let mut bed = Bed::connected();
    let mut dnd = missed(InvitationId(4), "eve", MissedReason::DoNotDisturb);
    dnd.call.silent = true;
    let out = bed.list(
        1,
        vec![
            dnd,
            missed(InvitationId(3), "dave", MissedReason::Unreachable),
            missed(TWO, "carol", MissedReason::Busy),
            missed(ONE, "alice", MissedReason::NoAnswer),
        ],
    );
    assert_eq!(told(&out), ["S1 c1 Alice", "S1 c4 Eve", "S12 4"]);
    assert_eq!(
        seen(&out),
        [
            "Missed Call: Alice Video Call [CallBack] ♪",
            "Missed Call: Carol Video Call [CallBack] ♪",
            "Missed Call: Eve Video Call [CallBack]"
        ],
        "do-not-disturb without sound, unreachable not at all"
    );
}

// spec: S5, N1: a missed call that was cancelled carries its customData, or says within 10 s that it can't
#[test]
fn s5_of_a_call_not_held_fetches_its_custom_data() {
    let mut bed = Bed::connected();
    let out = bed.list(1, vec![missed(ONE, "alice", MissedReason::Cancelled)]);
    assert_eq!(told(&out), ["S12 1"]);
    let fetch = own(&out, |a| matches!(a, Ask::Fetch { .. }));
    let out = bed.reply(&fetch, Reply::Details(Box::new(Details { view: rung(ONE), offset: 0 })));
    assert_eq!(told(&out), ["S5 c1 Alice data"]);
    bed.list(2, vec![missed(TWO, "alice", MissedReason::Cancelled)]);
    assert_eq!(told(&bed.pass(10_000)), ["S5 c2 Alice  (incomplete)"]);
}

// spec: S14, N1: what waits for one call comes together, in order, as soon as that is held
#[test]
fn what_waits_for_one_call_comes_together() {
    let mut bed = Bed::connected();
    let entry = |id, turn, name| {
        let mut entry = missed(id, name, MissedReason::Cancelled);
        (entry.call.id.turn, entry.call.group) = (turn, true);
        entry
    };
    for id in [ONE, TWO] {
        bed.view(later(&rung(id), 1, to(TurnState::Cancelled)));
    }
    let out = bed.list(1, vec![entry(ONE, 2, "dave"), entry(TWO, 1, "carol"), entry(ONE, 1, "alice")]);
    assert_eq!(told(&out), ["S12 3", "S5 c1 Alice data", "S5 c1 Dave data", "S5 c2 Carol data"]);
}

// spec: M3: once per device, also across restarts; what came before the device is listed alone
#[test]
fn it_is_shown_once_per_device() {
    let mut bed = Bed::connected();
    let entry = missed(ONE, "alice", MissedReason::NoAnswer);
    bed.list(1, vec![entry.clone()]);
    let mut bed = bed.restarted();
    bed.input(Input::Init { config: config(), take_up: false });
    bed.connect();
    let older = MissedEntry { existed: false, ..missed(TWO, "carol", MissedReason::NoAnswer) };
    let out = bed.list(1, vec![older, entry]);
    assert_eq!((told(&out), seen(&out)), (vec!["S12 2".into()], vec![]));
}

// spec: M4, S12: handled elsewhere: withdrawn, and the badge lowered; a list that isn't newer changes nothing
#[test]
fn what_is_no_longer_listed_is_withdrawn() {
    let mut bed = Bed::connected();
    bed.list(5, vec![missed(ONE, "alice", MissedReason::NoAnswer)]);
    let out = bed.list(6, vec![]);
    assert_eq!((told(&out), seen(&out)), (vec!["S12 0".into()], vec!["- caller:alice".into()]));
    assert!(bed.list(5, vec![missed(ONE, "alice", MissedReason::NoAnswer)]).is_empty());
    assert_eq!(told(&bed.list(7, vec![])), Vec::<String>::new(), "a setting changed, not the list");
}

// spec: M6: one caller's share one that counts, and sound at most once a minute
#[test]
fn one_callers_share_a_notification_and_a_minutes_sound() {
    let mut bed = Bed::connected();
    let one = missed(ONE, "alice", MissedReason::NoAnswer);
    let two = MissedEntry { of: 2, ..missed(TWO, "alice", MissedReason::NoAnswer) };
    bed.list(1, vec![one.clone()]);
    bed.now += 59_999;
    let out = bed.list(2, vec![two.clone(), MissedEntry { of: 2, ..one.clone() }]);
    assert_eq!(seen(&out), ["Missed Call: Alice · 2 missed calls [CallBack]"]);
    bed.now += 1;
    let three = MissedEntry { of: 3, ..missed(InvitationId(3), "alice", MissedReason::NoAnswer) };
    let out = bed.list(3, vec![three, two, one.clone()]);
    assert_eq!(seen(&out), ["Missed Call: Alice · 3 missed calls [CallBack] ♪"]);
    // One is handled by itself: the rest is shown, silently.
    assert_eq!(seen(&bed.list(4, vec![one])), ["Missed Call: Alice Video Call [CallBack]"]);
}

// spec: M1, M5, C3: a group's offers Join while it runs, and loses it silently
#[test]
fn join_goes_when_the_call_ends() {
    let mut bed = Bed::connected();
    let mut entry = missed(ONE, "alice", MissedReason::NoAnswer);
    entry.call.group = true;
    entry.call.can_join = true;
    assert_eq!(seen(&bed.list(1, vec![entry.clone()])), ["Missed Call: Alice Group Video Call [Join] ♪"]);
    entry.call.can_join = false;
    assert_eq!(seen(&bed.list(2, vec![entry])), ["Missed Call: Alice Group Video Call"]);
}

// spec: C2, C3, C8: hidden, without its action, or by reason; events and list come all the same
#[test]
fn the_configuration_decides_what_pops_up() {
    let quiet = Config { missed_enabled: false, ..config() };
    let by_reason = Config { reasons: [MissedReason::Busy].into(), ..config() };
    let no_dialing = Config { dial_back: false, ..config() };
    for (config, expected) in
        [(quiet, vec![]), (by_reason, vec![]), (no_dialing, vec!["Missed Call: Alice Video Call ♪".to_owned()])]
    {
        let mut bed = Bed::started(config);
        bed.connect();
        let out = bed.list(1, vec![missed(ONE, "alice", MissedReason::NoAnswer)]);
        assert_eq!((told(&out), seen(&out)), (vec!["S1 c1 Alice".into(), "S12 1".into()], expected));
    }
}

// spec: M7: more than five are one summary with one sound and the true total; a click on it handles nothing
#[test]
fn more_than_five_are_one_summary() {
    let mut bed = Bed::connected();
    assert_eq!(seen(&bed.list(1, many(1..6))).len(), 5);
    let mut bed = Bed::connected();
    assert_eq!(seen(&bed.list(1, many(1..7))), ["Missed Call: 6 missed calls ♪"]);
    assert_eq!(seen(&bed.list(2, many(1..6))), ["Missed Call: 5 missed calls"]);
    let out = bed.input(Input::Clicked { missed: None, user: user("bob"), at: Timestamp(bed.now) });
    assert_eq!((told(&out), asked(&out), seen(&out)), (vec![], vec![], vec!["- summary".into()]));
    assert_eq!(seen(&bed.list(3, many(1..5))), Vec::<String>::new());
    let mut bed = Bed::connected();
    bed.list(1, many(1..8));
    assert_eq!(seen(&bed.list(2, vec![])), ["- summary"]);
}

// spec: M7: what comes up when newer ones of a long list are handled isn't new
#[test]
fn what_a_long_list_held_back_does_not_pop_up_later() {
    let mut bed = Bed::connected();
    let total = 200;
    bed.frame(Frame::Missed(MissedView { revision: 1, calls: many(60..160), total }));
    let out = bed.frame(Frame::Missed(MissedView { revision: 2, calls: many(50..150), total: 190 }));
    assert_eq!(told(&out), ["S12 190"]);
    assert_eq!(seen(&out), ["Missed Call: 190 missed calls"]);
}

// spec: M8: without the permission the app is told once
#[test]
fn a_missing_permission_is_told_once() {
    let mut bed = Bed::connected();
    assert_eq!(told(&bed.input(Input::Denied)), ["S13 denied"]);
    assert_eq!(told(&bed.input(Input::Denied)), Vec::<String>::new());
}

// spec: D1, D2, M4: a click is reported, and the default action runs where the app didn't set S2
#[test]
fn a_click_is_reported_and_runs_the_default_action() {
    let mut bed = Bed::connected();
    let entry = missed(ONE, "alice", MissedReason::NoAnswer);
    bed.list(1, vec![entry.clone()]);
    let out = bed.click(named(&entry));
    assert_eq!(asked(&out), [Ask::Click(Box::new(named(&entry)))]);
    assert!(out.contains(&Output::DefaultAction(Box::new(named(&entry)))));
    assert_eq!(seen(&out), ["- caller:alice"]);
    assert!(asked(&bed.click(named(&entry))).is_empty(), "the same click, twice");
    let click = own(&out, |a| matches!(a, Ask::Click(_)));
    bed.reply(&click, Reply::Done);
    assert_eq!(seen(&bed.list(2, vec![])), Vec::<String>::new());
}

// spec: D1: S2 gets what it carries, or after 10 s what the device has
#[test]
fn s2_waits_for_what_it_carries() {
    let mut bed = Bed::started(Config { clicked: true, ..config() });
    bed.connect();
    let entry = missed(ONE, "alice", MissedReason::NoAnswer);
    bed.list(1, vec![entry.clone()]);
    let out = bed.click(named(&entry));
    assert_eq!(told(&out), Vec::<String>::new());
    let fetch = own(&out, |a| matches!(a, Ask::Fetch { .. }));
    let details = Reply::Details(Box::new(Details { view: rung(ONE), offset: 0 }));
    assert_eq!(told(&bed.reply(&fetch, details)), ["S2 c1 Bob data"]);
    let entry = missed(TWO, "carol", MissedReason::NoAnswer);
    bed.click(named(&entry));
    assert_eq!(told(&bed.pass(9_999)), Vec::<String>::new());
    assert_eq!(told(&bed.pass(1)), ["S2 c2   (incomplete)"]);
    // At once where the call is held.
    bed.view(rung(InvitationId(3)));
    let held = missed(InvitationId(3), "alice", MissedReason::NoAnswer);
    assert_eq!(told(&bed.click(named(&held))), ["S2 c3 Bob data"]);
}

// spec: D3: a click survives the app's death, once, within 60 s, and for the user it was shown to
#[test]
fn a_click_before_init_waits_for_it() {
    let entry = missed(ONE, "alice", MissedReason::NoAnswer);
    for (later, delivered) in [(60_000, true), (60_001, false)] {
        let mut worker = Bed::bare(Persisted::default());
        assert!(asked(&worker.click(named(&entry))).is_empty());
        let mut app = worker.restarted();
        app.now += later;
        let out = app.input(Input::Init { config: config(), take_up: false });
        assert_eq!(out.contains(&Output::DefaultAction(Box::new(named(&entry)))), delivered);
        let again = app.restarted().input(Input::Init { config: config(), take_up: false });
        assert!(!again.iter().any(|o| matches!(o, Output::DefaultAction(_))), "once");
    }
    let mut bed = Bed::started(config());
    let at = Timestamp(bed.now);
    assert!(bed.input(Input::Clicked { missed: Some(named(&entry)), user: user("eve"), at }).is_empty());
}

// spec: M4: a click that never reached the server handles nothing, and its notification comes back, silently
#[test]
fn a_click_that_never_arrived_brings_the_notification_back() {
    let mut bed = Bed::connected();
    let entry = missed(ONE, "alice", MissedReason::NoAnswer);
    bed.list(1, vec![entry.clone()]);
    bed.lose();
    bed.click(named(&entry));
    assert_eq!(seen(&bed.pass(10_000)), ["Missed Call: Alice Video Call [CallBack]"]);
    assert!(asked(&bed.connect()).is_empty(), "and it isn't reported any more");
}

// spec: M4, D6: also when the list of missed calls, which says what it shows, comes only after the click was given up
#[test]
fn a_click_given_up_before_the_list_comes_back_with_it() {
    let entry = missed(ONE, "alice", MissedReason::NoAnswer);
    let clicked = || {
        let mut bed = Bed::connected();
        bed.list(1, vec![entry.clone()]);
        let mut bed = bed.restarted();
        bed.input(Input::Init { config: config(), take_up: false });
        assert_eq!(seen(&bed.click(named(&entry))), ["- caller:alice"]);
        assert_eq!(seen(&bed.pass(10_000)), Vec::<String>::new(), "what it would show isn't known yet");
        bed
    };
    let mut later = clicked().restarted();
    later.input(Input::Init { config: config(), take_up: false });
    for mut bed in [clicked(), later] {
        assert_eq!(seen(&bed.connect()), Vec::<String>::new());
        let out = bed.list(1, vec![entry.clone()]);
        assert_eq!(seen(&out), ["Missed Call: Alice Video Call [CallBack]"]);
        assert_eq!(seen(&bed.list(2, vec![entry.clone()])), Vec::<String>::new(), "once");
    }
    // Handled meanwhile, there is nothing to come back; and it isn't waited for any more.
    let mut bed = clicked();
    bed.connect();
    assert_eq!(seen(&bed.list(1, vec![])), Vec::<String>::new());
    assert_eq!(seen(&bed.list(2, vec![entry.clone()])), Vec::<String>::new());
}

// spec: M4, D6: a list that is cut off may not say yet what it shows
#[test]
fn a_click_given_up_comes_back_though_the_list_was_cut_off() {
    let mut bed = Bed::connected();
    let (old, newer) = (missed(ONE, "alice", MissedReason::NoAnswer), many(2..102));
    bed.list(1, vec![old.clone()]);
    let mut bed = bed.restarted();
    bed.input(Input::Init { config: config(), take_up: false });
    bed.click(named(&old));
    bed.pass(10_000);
    bed.connect();
    bed.frame(Frame::Missed(MissedView { revision: 2, calls: newer, total: 101 }));
    let out = seen(&bed.list(3, vec![old]));
    assert!(out.contains(&"Missed Call: Alice Video Call [CallBack]".into()), "{out:?}");
}

// spec: M4, D3: a click too old when the app starts, or one too many, opens it and handles nothing: it comes back as well
#[test]
fn a_click_that_came_too_late_brings_the_notification_back() {
    let entry = missed(ONE, "alice", MissedReason::NoAnswer);
    for others in [0, 8] {
        let mut bed = Bed::connected();
        bed.list(1, vec![entry.clone()]);
        let mut worker = bed.restarted();
        worker.click(named(&entry));
        for other in many(2..2 + others) {
            worker.click(named(&other));
        }
        let mut app = worker.restarted();
        app.now += if others == 0 { 60_001 } else { 0 };
        app.input(Input::Init { config: config(), take_up: false });
        app.connect();
        assert_eq!(seen(&app.list(2, vec![entry.clone()])), ["Missed Call: Alice Video Call [CallBack]"]);
    }
}

// spec: M4: what comes back after a dial-back that failed is shown, silently
#[test]
fn a_returned_missed_call_shows_silently() {
    let mut bed = Bed::connected();
    let mut entry = missed(ONE, "alice", MissedReason::NoAnswer);
    bed.list(1, vec![entry.clone()]);
    bed.list(2, vec![]);
    entry.call.returned = true;
    let out = bed.list(3, vec![entry]);
    assert_eq!(
        (told(&out), seen(&out)),
        (vec!["S12 1".into()], vec!["Missed Call: Alice Video Call [CallBack]".into()])
    );
}

// spec: M4: a notification that the person closed handles all that it stands for, as soon as the server hears of it
#[test]
fn a_dismissal_waits_for_the_server() {
    let mut bed = Bed::connected();
    let entry = missed(ONE, "alice", MissedReason::NoAnswer);
    bed.list(1, vec![entry.clone()]);
    bed.lose();
    bed.input(Input::Dismissed { missed: Some(named(&entry)), user: user("bob") });
    let mut bed = bed.restarted();
    bed.input(Input::Init { config: config(), take_up: false });
    assert_eq!(asked(&bed.connect()), [Ask::Dismiss { missed: entry.call.id, notification: true }]);
}

// spec: M4: the server may decide a click and its dial-back at once, and then lists the missed call as if it had never
// been handled; also when that happens a second time
#[test]
fn what_a_click_handled_and_its_dial_back_undid_at_once_comes_back() {
    let mut bed = Bed::connected();
    let mut entry = missed(ONE, "alice", MissedReason::NoAnswer);
    bed.list(1, vec![entry.clone()]);
    entry.call.returned = true;
    for time in 2..=3 {
        let click = own(&bed.click(named(&entry)), |a| matches!(a, Ask::Click(_)));
        bed.reply(&click, Reply::Done);
        let out = bed.list(time, vec![entry.clone()]);
        assert_eq!(seen(&out), ["Missed Call: Alice Video Call [CallBack]"]);
    }
    assert_eq!(seen(&bed.list(4, vec![entry])), Vec::<String>::new(), "what is on show is let be");
}
