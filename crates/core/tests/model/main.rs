//! The model check: two users with two phones each, who call, answer, cancel and dial back at once (L8, L10, D7, D8).
//!
//! # What it is
//! A state is a store, the server's open sessions, and four phones with what is on its way to and from them. Each step
//! of the server is one of the real `Engine`, begun anew over a store that hides everything it isn't asked for; each
//! step of a phone is one of the real `device::Session`, with the little that a shell and a person do around it. A
//! checker goes through every state that can be reached within bounds, and holds each against what must always be:
//!
//! - **Nobody is in two calls** (L8).
//! - **No missed call is false** (M1, L10): none of a turn that was answered, declined or crossed; none between two who
//!   are in a call with each other; and nobody is busy to the only other one. No phone tells of or shows another.
//! - **Nothing that was so is undone**: the first answer stays (L3), what ended stays ended, a claim is heard (L9), who
//!   is in a call on a connected phone begins no other (§3, D7).
//! - **One connected call or all free**: when nothing is on its way and no time will do anything any more, there is one
//!   connected call or none; each phone is in the one that the server says it is in; nothing rings, nothing waits for an
//!   answer, and the notifications on show are the missed calls that there are.
//!
//! # Its bounds
//! [`STORIES`] has them: acts (each person's next when the last one's outcome is there), broken connections (what was on
//! its way down is lost; up, any part of it arrives, also after the next connection's hello), and how often time passes
//! while things are on their way. Time goes from one moment at which something is due to the next. Pings, tokens and
//! reminders (N4) are left out; what the server sends together arrives together.
//!
//! # What it leaves out, being the same story
//! Steps of different phones, and what a phone does and the server's next step, can change places without changing
//! anything, so of the orders that differ in no more than that one is gone through. What a phone says is heard at once:
//! that it is slow to speak, and that its words are slow to arrive, is one story (`Happens::Turn`). A phone that can do
//! nothing before it got more gets it at once (`World::absorb`); any other gets things when it does something, or when
//! all come to rest (`Happens::Rests`). What does make a difference is kept: a connection that breaks, time that passes
//! before the words arrive, further frames of the same turn. Stories that differ by the names of the users, or of one
//! user's phones, are told once (`World::turn_of`). Gone through without any of this, three acts had 387,122 states and
//! nothing wrong; with it they have 2,020.
//!
//! # How it is known to see anything
//! It asserts how many states it saw, and that calls crossed, a dial-back took a pending turn, and so on. And
//! `cargo test -p ringback-core --features planted --test model` plants faults in the core, a rule left out each, and
//! sees each found. The whole takes about 70 s of one CPU and 1.3 GB.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test says what is wrong by failing

mod memo;
mod people;
mod phone;
mod sealed;
mod server;
mod world;

use phone::Act;
use ringback_core::call::TurnState;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::io::Write;
use std::time::Instant;
use world::{Bounds, Happens, World};

/// What may happen in one search.
#[derive(Debug, Clone)]
struct Story {
    name: &'static str,
    bounds: Bounds,
    /// Unique states, at least: fewer, and the model says less than it did.
    #[cfg_attr(feature = "planted", expect(dead_code, reason = "a fault ends a search early"))]
    states: usize,
}

impl Model for Story {
    type State = World;
    type Action = Happens;

    fn init_states(&self) -> Vec<World> {
        vec![World::begin(&self.bounds)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Happens>) {
        world.next(&self.bounds, actions);
    }

    fn next_state(&self, world: &World, happens: Happens) -> Option<World> {
        world.after(happens, &self.bounds)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let Bounds { all, breaks, late, .. } = self.bounds;
        let mut properties = vec![
            // spec: L3, L8, L9, D7, N2
            Property::always("nothing that was so is undone", |_, w: &World| w.flaw.is_none()),
            // spec: L8, L10, D8
            Property::always("nobody is in two calls", |_, w: &World| !w.in_two_calls()),
            // spec: M1, M4, L10
            Property::always("no missed call is false", |_, w: &World| !w.falsely_missed()),
            // spec: L6, L10, M3, S14, N1
            Property::always("one connected call or all free", |_, w: &World| !w.over || w.at_rest()),
            Property::sometimes("they are connected", |_, w: &World| w.server.connected().is_some()),
            Property::sometimes("calls cross", |_, w: &World| w.crossed()),
        ];
        if self.bounds.acts.len() > 2 {
            properties.extend([
                Property::sometimes("a call is declined", |_, w: &World| w.some_turn(TurnState::Declined)),
                Property::sometimes("a call is cancelled", |_, w: &World| w.some_turn(TurnState::Cancelled)),
            ]);
        }
        properties.push(Property::sometimes("a call times out", |_, w: &World| w.some_turn(TurnState::TimedOut)));
        if all > 2 {
            properties.extend([
                // spec: D4, D7, D8
                Property::sometimes("a dial-back connects", |_, w: &World| w.dialed_back()),
                Property::sometimes("a dial-back takes a pending turn", |_, w: &World| w.dialed_into_a_pending_turn()),
                Property::sometimes("a dial-back is returned", |_, w: &World| w.returned_on_another_phone()),
            ]);
        }
        if breaks > 0 {
            // spec: L9
            properties.push(Property::sometimes("a phone comes back to its call", |_, w: &World| w.came_back()));
        }
        if breaks > 0 && late > 0 {
            properties.push(Property::sometimes("a grace runs out", |_, w: &World| w.lost()));
        }
        properties
    }
}

const ALL: &[Act] = &[Act::Call, Act::Accept, Act::Decline, Act::Cancel, Act::DialBack];
#[cfg(not(feature = "planted"))]
const CALLS: &[Act] = &[Act::Call, Act::DialBack];

const fn story(name: &'static str, acts: &'static [Act], (all, breaks, late): (u8, u8, u8), states: usize) -> Story {
    Story { name, bounds: Bounds { each: 2, all, breaks, late, acts }, states }
}

/// The searches: acts in all (of at most two a phone), broken connections, and delays that a time-out falls into.
#[cfg(not(feature = "planted"))]
const STORIES: [Story; 6] = [
    story("everyone at once", ALL, (4, 0, 0), 35_000),
    story("a connection breaks", ALL, (3, 1, 0), 140_000),
    story("a connection breaks, and all call", CALLS, (4, 1, 0), 1_800_000),
    story("two connections break", ALL, (2, 2, 0), 180_000),
    story("a time-out comes in between", ALL, (3, 0, 1), 600_000),
    story("a connection breaks, and a time-out comes in between", ALL, (2, 1, 1), 800_000),
];

/// What a search found.
#[cfg_attr(feature = "planted", expect(dead_code, reason = "what matters there is what fails"))]
struct Found {
    states: usize,
    failures: Vec<String>,
    /// What should have come up and didn't.
    unseen: Vec<&'static str>,
}

impl Story {
    /// Goes through all of it, or until something fails, and prints what it took.
    #[expect(clippy::disallowed_methods, reason = "how long it took is for people to read; nothing is decided by it")]
    fn search(&self) -> Found {
        let (begun, threads) = (Instant::now(), std::thread::available_parallelism().map_or(1, usize::from));
        let search = self.clone().checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
        let search = search.spawn_dfs().join();
        memo::forget();
        let (states, depth) = (search.unique_state_count(), search.max_depth());
        let seconds = begun.elapsed().as_secs_f64();
        say(format_args!("model: {}: {states} unique states, {depth} steps deep, {seconds:.1} s", self.name));
        let discoveries = search.discoveries();
        let mut found = Found { states, failures: Vec::new(), unseen: Vec::new() };
        for property in self.properties() {
            match (discoveries.get(property.name), property.expectation.discovery_is_failure()) {
                (Some(path), true) => {
                    let why = path.last_state().flaw.unwrap_or(property.name);
                    found.failures.push(format!("{why}: {:#?}", path.clone().into_actions()));
                }
                (None, false) => found.unseen.push(property.name),
                (Some(_), false) | (None, true) => {}
            }
        }
        found
    }
}

/// Says it, whether or not the test's output is captured: these numbers are for whoever runs CI.
fn say(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

#[cfg(not(feature = "planted"))]
#[test]
fn all_that_two_users_with_two_phones_each_do_ends_well() {
    for story in &STORIES {
        let found = story.search();
        assert!(found.failures.is_empty(), "{}: {}", story.name, found.failures.join("\n"));
        assert!(found.unseen.is_empty(), "{}: never seen: {:?}", story.name, found.unseen);
        assert!(found.states >= story.states, "{}: only {} states", story.name, found.states);
    }
}

#[cfg(feature = "planted")]
#[test]
fn each_planted_fault_is_found() {
    use ringback_core::planted::{Fault, plant};
    let stories = [story("three acts", ALL, (3, 0, 0), 0), story("a connection breaks", ALL, (2, 1, 0), 0)];
    let fails = || stories.iter().find_map(|story| story.search().failures.into_iter().next());
    assert_eq!(fails(), None, "with no fault planted");
    for fault in Fault::ALL {
        plant(Some(fault));
        let failure = fails();
        plant(None);
        let failure = failure.unwrap_or_else(|| panic!("{fault:?} was not found"));
        say(format_args!("model: {fault:?} was found: {}", failure.lines().next().unwrap_or_default()));
    }
}
