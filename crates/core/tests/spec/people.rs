//! Names, moments and little makers that every test here uses.

use ringback_core::call::{Asked, Begin, Call, CallType, Command, Hidden, Mode, NewTurn, TurnState};
use ringback_core::id::{CallId, DeviceId, InvitationId, Person, RequestId, UserId};
use ringback_core::limits::Limits;
use ringback_core::time::Timestamp;
use std::time::Duration;

/// When everything here begins.
pub(crate) const T0: Timestamp = Timestamp(1_790_000_000_000);

pub(crate) fn at(seconds: u64) -> Timestamp {
    T0 + Duration::from_secs(seconds)
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn person(name: &str) -> Person {
    Person { id: user(name), name: name.into() }
}

pub(crate) fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

pub(crate) fn asked(on: &str, request: &str) -> Asked {
    Asked { device: device(on), request: RequestId::new(request).unwrap() }
}

pub(crate) fn limits() -> Limits {
    Limits::default()
}

/// A call that `a` began on `a-1` at T0, with C9, without C1 and C10, and with nobody invited yet.
pub(crate) fn begin() -> Begin {
    Begin {
        id: InvitationId::v7(T0.0, 1),
        call_id: CallId::new("room").unwrap(),
        initiator: person("a"),
        asked: asked("a-1", "send"),
        call_type: CallType::Video,
        mode: Mode::Advanced,
        end_when_initiator_leaves: false,
        can_invite_in_calling: true,
        only_initiator_can_invite: false,
        custom_data: "".into(),
        resource_id: None,
        title: None,
        message: None,
        dial_back: false,
    }
}

/// A turn of 60 s from T0 that rings.
pub(crate) fn rings(callee: &str) -> NewTurn {
    NewTurn { callee: person(callee), deadline: at(60), hidden: None, state: TurnState::Inviting }
}

/// One that a later command begins.
pub(crate) fn rings_later(callee: &str) -> NewTurn {
    NewTurn { deadline: at(120), ..rings(callee) }
}

pub(crate) fn hidden(callee: &str, hidden: Hidden) -> NewTurn {
    NewTurn { hidden: Some(hidden), ..rings(callee) }
}

/// A turn that is over as it begins.
pub(crate) fn at_once(callee: &str, state: TurnState) -> NewTurn {
    NewTurn { deadline: T0, state, ..rings(callee) }
}

pub(crate) fn invite(by: &str, turns: Vec<NewTurn>) -> Command {
    Command::Invite { by: user(by), turns }
}

pub(crate) fn accept(callee: &str, on: &str, turn: u32) -> Command {
    Command::Accept { callee: user(callee), asked: asked(on, "accept"), turn }
}

pub(crate) fn reject(callee: &str, on: &str, turn: u32, busy: bool) -> Command {
    Command::Reject { callee: user(callee), asked: asked(on, "reject"), turn, busy }
}

pub(crate) fn ringing(callee: &str, on: &str, turn: u32) -> Command {
    Command::Ringing { callee: user(callee), device: device(on), turn }
}

pub(crate) fn join(who: &str, on: &str) -> Command {
    Command::Join { user: user(who), asked: asked(on, "join") }
}

pub(crate) fn leave(who: &str, on: &str) -> Command {
    Command::Leave { user: user(who), asked: asked(on, "leave") }
}

pub(crate) fn end(who: &str, on: &str) -> Command {
    Command::End { user: user(who), asked: asked(on, "end") }
}

pub(crate) fn cancel(by: &str, callee: &str, turn: u32) -> Command {
    Command::Cancel {
        by: user(by),
        asked: asked(&format!("{by}-1"), "cancel"),
        whom: ringback_core::step::CancelWhom::Turn { callee: user(callee), turn },
    }
}

pub(crate) fn cancel_all(by: &str, seen: u64) -> Command {
    Command::Cancel {
        by: user(by),
        asked: asked(&format!("{by}-1"), "cancel"),
        whom: ringback_core::step::CancelWhom::All { seen },
    }
}

/// Does a command that the set-up needs, at `seconds` after T0, time-outs first.
pub(crate) fn act(call: &mut Call, seconds: u64, command: Command) {
    call.handle_timeout(at(seconds), &limits());
    call.handle(command.clone(), at(seconds), &limits()).unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"));
}

/// Where a user's newest turn stands.
pub(crate) fn state(call: &Call, who: &str) -> TurnState {
    call.last_turn(&user(who)).unwrap().state
}
