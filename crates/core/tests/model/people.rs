//! Who is in the model, and the numbers that hold in it.

use ringback_core::call::{MissedReason, Mode};
use ringback_core::device::Config;
use ringback_core::id::{DeviceId, RequestId, UserId};
use ringback_core::id::{InvitationId, SessionId};
use ringback_core::limits::Limits;
use ringback_core::line::DeviceConfig;
use ringback_core::step::{Actor, Claim, Hello, Ring};
use ringback_core::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// One of the four phones: 0 and 1 are Alice's, 2 and 3 are Bob's.
pub(crate) type Which = usize;

/// When it begins.
pub(crate) const T0: Timestamp = Timestamp(1_790_000_000_000);
/// How long a call rings; the shortest wait of a request (10 s, for a dial-back) is under it, the others' (30 s) over.
pub(crate) const RINGS: Duration = Duration::from_secs(20);
/// Longer than anything in the model waits: pings, tokens and reminders never come up.
pub(crate) const NEVER: Duration = Duration::from_secs(1_000_000);

/// The spec's limits, but for the reminder (N4), which heals what isn't lost here.
pub(crate) const LIMITS: Limits = Limits {
    invitees: 100,
    custom_data_bytes: 16 * 1024,
    title_chars: 256,
    message_chars: 1024,
    sessions_per_user: 20,
    pending_turns: 32,
    max_timeout: Duration::from_secs(600),
    grace: Duration::from_secs(30),
    alone: Duration::from_secs(60),
    remind: NEVER,
    turns_kept: 16,
    missed_kept: 1000,
    devices_per_user: 32,
    people_listed: 1000,
    retention: Duration::from_secs(90 * 24 * 3600),
};

/// Names, made once.
pub(crate) struct Names {
    pub(crate) users: [UserId; 2],
    pub(crate) devices: [DeviceId; 2],
    empty: Arc<str>,
    platform: Arc<str>,
}

/// The names.
pub(crate) fn names() -> &'static Names {
    static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
        users: ["alice", "bob"].map(|name| UserId::new(name).unwrap()),
        devices: ["1", "2"].map(|name| DeviceId::new(name).unwrap()),
        empty: "".into(),
        platform: "model".into(),
    });
    &NAMES
}

pub(crate) fn user(which: Which) -> &'static UserId {
    &names().users[which / 2]
}

/// The one whom this phone calls.
pub(crate) fn other(which: Which) -> &'static UserId {
    &names().users[1 - which / 2]
}

pub(crate) fn device(which: Which) -> &'static DeviceId {
    &names().devices[which % 2]
}

/// What kind of request a name was made for is told by its first letters.
pub(crate) fn request(which: Which, kind: &str, number: u8) -> RequestId {
    RequestId::new(&format!("{kind}-{which}-{number}")).unwrap()
}

pub(crate) fn actor(which: Which, session: SessionId) -> Actor {
    Actor { user: user(which).clone(), device: device(which).clone(), session }
}

pub(crate) fn ring() -> Ring {
    Ring { timeout: RINGS, resource_id: None, title: None, message: None }
}

/// The defaults of the spec's §2: dial-back on; the default action runs by itself.
pub(crate) fn config() -> Config {
    Config {
        missed_enabled: true,
        dial_back: true,
        resource_id: None,
        dial_back_timeout: RINGS,
        reasons: reasons(),
        clicked: false,
    }
}

fn reasons() -> BTreeSet<MissedReason> {
    use MissedReason::{Busy, Cancelled, DoNotDisturb, NoAnswer, Unreachable};
    BTreeSet::from([NoAnswer, Cancelled, Busy, DoNotDisturb, Unreachable])
}

pub(crate) fn hello(by: Actor, holds: Vec<(InvitationId, u64)>, claim: Claim) -> Hello {
    Hello {
        name: by.user.as_str().into(),
        by,
        platform: names().platform.clone(),
        sdk: names().empty.clone(),
        mode: Mode::Advanced,
        config: DeviceConfig {
            missed_enabled: true,
            dial_back: true,
            resource_id: None,
            reasons: reasons(),
            call_waiting: false,
        },
        holds,
        claim,
    }
}
