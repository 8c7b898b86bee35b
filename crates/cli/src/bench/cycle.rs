//! One pair that calls each other: invite, ring, accept, end; and what all pairs have counted.

use super::machine::moment;
use super::peer::{Peer, user};
use anyhow::{Context, Result, bail, ensure};
use ringback_server::config::Secret;
use ringback_server::relay::{ANSWERS, STEPS, Sizes};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Latencies that are kept at most.
const SAMPLES: usize = 4_000_000;

/// What the pairs are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// One call after another.
    Flat,
    /// Calls at a rate: the first of all at `from`, each pair's next `every` later.
    Paced { from: Instant, every: Duration },
    /// Nothing more.
    Over,
}

/// The size of each frame of a call, summed over calls.
#[derive(Debug, Default)]
struct Sums {
    asked: [AtomicU64; STEPS],
    answered: [[AtomicU64; ANSWERS]; STEPS],
}

/// What all pairs have counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) cycles: AtomicU64,
    /// Frames of those calls, to the server and from it.
    pub(super) frames: AtomicU64,
    sums: Sums,
    /// From the invitation's leaving to its ringing at the other side, of calls at a rate.
    pub(super) rings: Mutex<Vec<Duration>>,
}

impl Tally {
    /// The mean size of each frame.
    pub(super) fn sizes(&self) -> ([usize; STEPS], Sizes) {
        let cycles = self.cycles.load(Relaxed).max(1);
        let mean = |sum: &AtomicU64| usize::try_from((sum.load(Relaxed) + cycles / 2) / cycles).unwrap_or(0);
        (self.sums.asked.each_ref().map(mean), self.sums.answered.each_ref().map(|step| step.each_ref().map(mean)))
    }

    fn rang(&self, after: Duration) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        if rings.len() < SAMPLES {
            rings.push(after);
        }
    }
}

/// Whom the pairs talk to.
#[derive(Debug, Clone, Copy)]
pub(super) enum To<'a> {
    /// The server, with tokens by this secret.
    Server(&'a Secret),
    /// The relay, in frames of these sizes.
    Relay([usize; STEPS]),
}

/// What a frame says.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// A request was taken.
    Reply,
    /// The call has come so far: 0 invited, 1 rings, 2 accepted, 3 ended.
    View(usize),
}

/// Two devices that call each other, the first one the second.
pub(super) struct Pair {
    /// One that asks, by step, and the other: index 0 calls, index 1 is called.
    peers: [Peer; 2],
    callee: String,
    number: u32,
    calls: u64,
    /// For the relay, the sizes of what is asked.
    relay: Option<[usize; STEPS]>,
    tally: Arc<Tally>,
    /// Of the call under way.
    frames: u64,
    asked: [usize; STEPS],
    answered: [[usize; ANSWERS]; STEPS],
}

/// Who takes each step.
const ASKS: [usize; STEPS] = [0, 1, 1, 0];

impl Pair {
    /// Connects both.
    pub(super) async fn connect(at: SocketAddr, number: u32, to: To<'_>, tally: Arc<Tally>) -> Result<Self> {
        let (peers, relay) = match to {
            To::Server(secret) => {
                let caller = Peer::sign_in(at, 2 * number, secret).await?;
                ([caller, Peer::sign_in(at, 2 * number + 1, secret).await?], None)
            }
            To::Relay(sizes) => ([Peer::join(at, number, 0).await?, Peer::join(at, number, 1).await?], Some(sizes)),
        };
        let callee = user(2 * number + 1);
        let (asked, answered) = Default::default();
        Ok(Self { peers, callee, number, calls: 0, relay, tally, frames: 0, asked, answered })
    }

    /// Calls until it is over.
    pub(super) async fn run(mut self, mut phase: watch::Receiver<Phase>, pairs: u32) -> Result<()> {
        let mut paced = 0;
        loop {
            let now = *phase.borrow_and_update();
            let due = match now {
                Phase::Over => return Ok(()),
                Phase::Flat => {
                    paced = 0;
                    None
                }
                Phase::Paced { from, every } => {
                    // Pairs begin one after the other, evenly.
                    let due = from + every * paced + every * self.number / pairs;
                    paced += 1;
                    tokio::select! {
                        () = tokio::time::sleep_until(due.into()) => {}
                        _ = phase.changed() => continue,
                    }
                    Some(due)
                }
            };
            self.call(due).await.with_context(|| format!("the call of pair {}", self.number))?;
        }
    }

    /// One call, from invite to end. One that is due is late only if the call before it was: the clock that wakes this
    /// process is coarser than what is measured.
    async fn call(&mut self, due: Option<Instant>) -> Result<()> {
        let woken = moment();
        let began = due.filter(|due| woken.duration_since(*due) > Duration::from_millis(2)).unwrap_or(woken);
        self.calls += 1;
        self.frames = 0;
        let callee = &self.callee;
        let invite = format!(r#""invitees":["{callee}"],"call_type":"video","timeout_ms":60000"#);
        self.ask(0, "send", &invite).await?;
        let rings = self.until(0, 1).await?;
        if due.is_some() {
            self.tally.rang(began.elapsed());
        }
        let id = rings.context("a view names its invitation")?;
        let turn = format!(r#""invitation_id":"{id}","turn":1"#);
        self.ask(1, "ringing", &turn).await?;
        self.until(1, 1).await?;
        self.ask(2, "accept", &turn).await?;
        self.until(2, 1).await?;
        self.until(2, 0).await?;
        self.ask(3, "end", &format!(r#""invitation_id":"{id}""#)).await?;
        self.until(3, 0).await?;
        self.until(3, 1).await?;
        self.count();
        Ok(())
    }

    /// Takes a step.
    async fn ask(&mut self, step: usize, kind: &str, fields: &str) -> Result<()> {
        let frame = match self.relay {
            Some(sizes) => format!("{step:.<bytes$}", bytes = sizes[step]),
            None => {
                let (pair, call) = (self.number, self.calls);
                format!(r#"{{"type":"{kind}","id":"{pair:08x}-0000-4000-8000-{call:010x}{step:02x}",{fields}}}"#)
            }
        };
        self.frames += 1;
        self.asked[step] = frame.len();
        self.peers[ASKS[step]].say(frame).await
    }

    /// Waits until a side has been told all that it is told of a step; gives the invitation's id where it is new.
    async fn until(&mut self, step: usize, side: usize) -> Result<Option<String>> {
        let asked = ASKS[step] == side;
        let (mut replied, mut viewed, mut id) = (!asked, false, None);
        while !(replied && viewed) {
            let text = self.peers[side].next().await?;
            self.frames += 1;
            let heard = if self.relay.is_some() { relayed(&text) } else { said(&text) };
            match heard? {
                Heard::Reply => {
                    // The caller hears of its invitation only when it waits for the answer.
                    let of = if side == 0 && step == 2 { 0 } else { step };
                    self.answered[of][0] = text.len();
                    replied |= of == step;
                }
                Heard::View(stage) => {
                    ensure!(stage <= step, "the call is further than it can be: {text}");
                    self.answered[stage][if ASKS[stage] == side { 1 } else { 2 }] = text.len();
                    viewed |= stage == step;
                    if step == 0 {
                        id = Some(field(&text, r#""invitation_id":""#).unwrap_or_default().to_owned());
                    }
                }
            }
        }
        Ok(id)
    }

    /// Counts a call that is done.
    fn count(&self) {
        let tally = &self.tally;
        let add = |sum: &AtomicU64, bytes: &usize| sum.fetch_add(*bytes as u64, Relaxed);
        tally.sums.asked.iter().zip(&self.asked).for_each(|(sum, bytes)| {
            add(sum, bytes);
        });
        tally.sums.answered.iter().flatten().zip(self.answered.iter().flatten()).for_each(|(sum, bytes)| {
            add(sum, bytes);
        });
        tally.frames.fetch_add(self.frames, Relaxed);
        tally.cycles.fetch_add(1, Relaxed);
    }
}

/// What a frame of the relay says.
fn relayed(text: &str) -> Result<Heard> {
    match text.as_bytes() {
        [b'R', ..] => Ok(Heard::Reply),
        [b'V', step @ b'0'..=b'3', ..] => Ok(Heard::View(usize::from(step - b'0'))),
        _ => bail!("the relay said {text}"),
    }
}

/// What a frame of the server says. It isn't parsed: the load must cost less than what it measures.
fn said(text: &str) -> Result<Heard> {
    if text.starts_with(r#"{"type":"reply""#) {
        ensure!(!text.contains(r#""error":"#), "a request was refused: {text}");
        return Ok(Heard::Reply);
    }
    ensure!(text.starts_with(r#"{"type":"call""#), "nobody waits for this frame: {text}");
    let stage = if text.contains(r#""ended":"#) {
        3
    } else if text.contains(r#""in_call":2"#) {
        2
    } else if text.contains(r#""state":"ringing""#) {
        1
    } else {
        ensure!(text.contains(r#""state":"inviting""#), "a call that nobody made: {text}");
        0
    };
    Ok(Heard::View(stage))
}

/// The text behind this, up to its quotation mark.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split_once(name)?.1.split('"').next()
}
