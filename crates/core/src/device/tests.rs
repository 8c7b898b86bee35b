//! What the random scripts of `cargo xtask twin` don't come by often.

use super::*;
use crate::call::{CallType, MissedReason};
use crate::id::{CallId, MissedId};
use crate::line::{Made, MissedCall};
use crate::step::{MissedEntry, Reply};
use std::collections::BTreeSet;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn list(revision: u64, returned: bool) -> Frame {
    let alice = Person { id: UserId::new("alice").unwrap(), name: "Alice".into() };
    let call = MissedCall {
        id: MissedId { invitation: InvitationId(7), turn: 1 },
        call_id: CallId::new("c").unwrap(),
        caller: alice,
        call_type: CallType::Voice,
        group: false,
        reason: MissedReason::NoAnswer,
        cancelled: false,
        at: NOW,
        missed_at: NOW,
        silent: false,
        can_join: false,
        clicked: None,
        returned,
    };
    Frame::Missed(MissedView { revision, calls: vec![MissedEntry { call, of: 1, existed: true }], total: 1 })
}

// spec: M4: the server may decide a click and its dial-back at once, and then lists the missed call as if it had never
// been handled; also when that happens a second time
#[test]
fn what_a_click_handled_and_its_dial_back_undid_at_once_comes_back_silently() {
    let user = UserId::new("bob").unwrap();
    let mut session = Session::new(user.clone(), DeviceId::new("d").unwrap(), "s", Persisted::default());
    let config = Config {
        missed_enabled: true,
        dial_back: true,
        resource_id: None,
        dial_back_timeout: Duration::from_secs(30),
        reasons: BTreeSet::from([MissedReason::NoAnswer]),
        clicked: false,
    };
    session.input(NOW, Input::Init { config, take_up: false });
    session.input(NOW, Input::Opened);
    let mut shows = session.input(NOW, Input::Frame(list(1, false)));
    session.input(NOW, Input::Frame(Frame::Synced));
    for time in 1..=2 {
        let show = shows.iter().find_map(|output| if let Output::Show(show) = output { Some(show) } else { None });
        let show = show.unwrap_or_else(|| panic!("nothing shows the {time}. time"));
        assert_eq!(show.sound, time == 1);
        let missed = show.missed.clone().unwrap();
        let at = NOW;
        let outputs = session.input(NOW, Input::Clicked { missed: Some(missed.clone()), user: user.clone(), at });
        let click = outputs.iter().find_map(|output| match output {
            Output::Request { id, ask: Ask::Click(_) } => Some(id.clone()),
            _ => None,
        });
        let dial =
            DialBack { missed, title: None, message: None, timeout: Duration::ZERO, resource_id: None, default: true };
        let id = crate::id::RequestId::new(&format!("r-{time}")).unwrap();
        session.input(NOW, Input::Act { id: id.clone(), ask: Ask::DialBack(Box::new(dial)) });
        let done = Answered::Core(Reply::Done);
        session.input(NOW, Input::Frame(Frame::Reply { id: click.unwrap(), answer: Ok(done) }));
        let engaged = Answered::Core(Reply::Made(Made::Engaged { invitation: InvitationId(9) }));
        session.input(NOW, Input::Frame(Frame::Reply { id, answer: Ok(engaged) }));
        shows = session.input(NOW, Input::Frame(list(1 + time, true)));
    }
    assert!(shows.iter().any(|output| matches!(output, Output::Show(_))));
    let again = session.input(NOW, Input::Frame(list(9, true)));
    assert!(!again.iter().any(|output| matches!(output, Output::Show(_))), "what is on show is let be");
}
