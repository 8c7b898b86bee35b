//! `ringback bench ring-cycle`: what a call costs the server, held against a relay of the same frames.

use super::args::RingArgs;
use super::child::{Child, ServerSettings};
use super::cycle::{Pair, Phase, Tally, To};
use super::machine::moment;
use super::say::{Bar, median, percentile};
use super::{Machine, Target};
use anyhow::{Context, Result, bail, ensure};
use ringback_server::config::Secret;
use ringback_server::relay::{STEPS, Sizes};
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long it runs before it is measured, as a share of what is measured.
const WARM: f64 = 0.25;
/// Pairs that connect at a time.
const CONNECTING: usize = 32;
/// How long may pass without one call before the benchmark fails.
const STALLED: Duration = Duration::from_secs(30);
/// The goal: at most this many times what the relay costs.
const GOAL: f64 = 2.0;

/// What a part of a round came to.
#[derive(Debug, Clone, Copy)]
struct Measured {
    cycles_per_s: f64,
    cpu_us_per_cycle: f64,
    frames_per_cycle: f64,
    /// How much of its core it used.
    busy: f64,
}

/// Everything that was measured.
#[derive(Debug, Default)]
struct Found {
    server: Vec<Measured>,
    relay: Vec<Measured>,
    rings: Vec<Duration>,
    asked: [usize; STEPS],
    sizes: Sizes,
}

/// Measures, and says what it found.
pub(super) async fn run(args: RingArgs) -> Result<()> {
    let machine = Machine::prepare(&args.place, 2 * args.pairs)?;
    let secret = super::secret()?;
    let mut bar = Bar::new(args.rounds * 3, args.place.json);
    let mut found = Found::default();
    for round in 1..=args.rounds {
        server(&args, &machine, &secret, &mut found, &mut bar, round).await?;
        relay(&args, &machine, &mut found, &mut bar, round).await?;
    }
    bar.end();
    say(&args, &machine, &found);
    Ok(())
}

/// Lets the server run as fast as it goes, then at half that rate.
async fn server(
    args: &RingArgs,
    machine: &Machine,
    secret: &Secret,
    found: &mut Found,
    bar: &mut Bar,
    round: u32,
) -> Result<()> {
    let set = ServerSettings { secret, log: &args.place.log, connections: 2 * args.pairs };
    let child = Child::server(&machine.folder.0, machine.cores.0, &set).await?;
    let measure = async {
        let mut load = Load::connect(&child, args.pairs, To::Server(secret)).await?;
        bar.step(&format!("round {round} of {}: the server, as fast as it goes", args.rounds));
        let flat = load.measure(&child, Phase::Flat, args.seconds).await?;
        (found.asked, found.sizes) = load.tally.sizes();
        bar.step(&format!("round {round} of {}: the server, at half that rate", args.rounds));
        let every = Duration::from_secs_f64(f64::from(args.pairs) * 2.0 / flat.cycles_per_s);
        let paced = Phase::Paced { from: moment(), every };
        load.measure(&child, paced, args.seconds).await?;
        found.rings.append(&mut load.rings());
        found.server.push(flat);
        load.over().await
    };
    measure.await.with_context(|| format!("the server; the end of its log: {}", child.last_words()))?;
    child.end().await
}

/// Lets the relay run as fast as it goes, in frames of the server's sizes.
async fn relay(args: &RingArgs, machine: &Machine, found: &mut Found, bar: &mut Bar, round: u32) -> Result<()> {
    let child = Child::relay(&machine.folder.0, machine.cores.0, &found.sizes).await?;
    let mut load = Load::connect(&child, args.pairs, To::Relay(found.asked)).await?;
    bar.step(&format!("round {round} of {}: the relay", args.rounds));
    found.relay.push(load.measure(&child, Phase::Flat, args.seconds).await.context("the relay")?);
    load.over().await?;
    child.end().await
}

/// All pairs, and what they are told to do.
struct Load {
    pairs: JoinSet<Result<()>>,
    phase: watch::Sender<Phase>,
    tally: Arc<Tally>,
}

impl Load {
    /// Connects all pairs, some at a time.
    async fn connect(child: &Child, pairs: u32, to: To<'_>) -> Result<Self> {
        use futures_util::{StreamExt, TryStreamExt, stream};
        let tally = Arc::new(Tally::default());
        let connecting = (0..pairs).map(|number| Pair::connect(child.at, number, to, tally.clone()));
        let connected: Vec<Pair> = stream::iter(connecting).buffer_unordered(CONNECTING).try_collect().await?;
        let (phase, _) = watch::channel(Phase::Flat);
        let mut load = Self { pairs: JoinSet::new(), phase, tally };
        for pair in connected {
            load.pairs.spawn(pair.run(load.phase.subscribe(), pairs));
        }
        Ok(load)
    }

    /// Lets them do this for a while, and then measures for `time`.
    async fn measure(&mut self, child: &Child, phase: Phase, time: Duration) -> Result<Measured> {
        self.phase.send_replace(phase);
        self.wait(time.mul_f64(WARM)).await?;
        drop(self.rings());
        let (began, cpu) = (moment(), child.cpu_time()?);
        let (cycles, frames) = (self.tally.cycles.load(Relaxed), self.tally.frames.load(Relaxed));
        self.wait(time).await?;
        let (elapsed, cpu) = (began.elapsed().as_secs_f64(), child.cpu_time()?.saturating_sub(cpu).as_secs_f64());
        let done = (self.tally.cycles.load(Relaxed) - cycles) as f64;
        let frames = (self.tally.frames.load(Relaxed) - frames) as f64;
        ensure!(done > 0.0, "not one call was made: give it more time with --seconds, or fewer pairs");
        Ok(Measured {
            cycles_per_s: done / elapsed,
            cpu_us_per_cycle: cpu * 1e6 / done,
            frames_per_cycle: frames / done,
            busy: cpu / elapsed,
        })
    }

    /// Waits, and fails when a pair does, or when nothing happens any more.
    async fn wait(&mut self, time: Duration) -> Result<()> {
        let until = moment() + time;
        loop {
            let (now, cycles) = (moment(), self.tally.cycles.load(Relaxed));
            if now >= until {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep((until - now).min(STALLED)) => {}
                ended = self.pairs.join_next() => match ended {
                    Some(ended) => { ended??; }
                    None => bail!("every pair is gone"),
                }
            }
            ensure!(
                now.elapsed() < STALLED || self.tally.cycles.load(Relaxed) > cycles,
                "no call came to its end for {} s",
                STALLED.as_secs()
            );
        }
    }

    fn rings(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.tally.rings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the calls under way come to their ends.
    async fn over(mut self) -> Result<()> {
        self.phase.send_replace(Phase::Over);
        let ended = async {
            while let Some(ended) = self.pairs.join_next().await {
                ended??;
            }
            Ok(())
        };
        tokio::time::timeout(STALLED, ended).await.context("calls that don't end")?
    }
}

fn say(args: &RingArgs, machine: &Machine, found: &Found) {
    let of = |rounds: &[Measured], value: fn(&Measured) -> f64| median(rounds.iter().map(value).collect());
    let (server, relay) = (of(&found.server, |m| m.cpu_us_per_cycle), of(&found.relay, |m| m.cpu_us_per_cycle));
    let bytes: usize = found.asked.iter().sum::<usize>() + found.sizes.iter().flatten().sum::<usize>();
    let rings = |share| percentile(&found.rings, share).map(|ring| ring.as_micros() as u64);
    let ratio = server / relay;
    let round = |value: f64, digits: i32| {
        let scale = 10_f64.powi(digits);
        (value * scale).round() / scale
    };
    let rounds: Vec<Value> = found
        .server
        .iter()
        .zip(&found.relay)
        .map(|(server, relay)| {
            json!({
                "cycles_per_s": round(server.cycles_per_s, 0), "server_cpu_us": round(server.cpu_us_per_cycle, 1),
                "server_busy": round(server.busy, 2), "relay_cycles_per_s": round(relay.cycles_per_s, 0),
                "relay_cpu_us": round(relay.cpu_us_per_cycle, 1), "relay_busy": round(relay.busy, 2),
            })
        })
        .collect();
    let figures = json!({
        "cycles_per_s": round(of(&found.server, |m| m.cycles_per_s), 0),
        "frames_per_cycle": round(of(&found.server, |m| m.frames_per_cycle), 2),
        "bytes_per_cycle": bytes,
        "server_cpu_us_per_cycle": round(server, 1),
        "relay_cpu_us_per_cycle": round(relay, 1),
        "ratio_to_relay": round(ratio, 2),
        "invite_to_ring_p50_us": rings(0.5),
        "invite_to_ring_p99_us": rings(0.99),
        "pairs": args.pairs,
        "rounds": rounds,
    });
    let goal = Target { figure: "ratio_to_relay", says: "at most 2", met: ratio <= GOAL };
    machine.say("ring-cycle", figures, &goal, args.place.json);
}
