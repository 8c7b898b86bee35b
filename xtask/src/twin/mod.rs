//! `cargo xtask twin`: runs random scripts through `core::device` and through `web/device.js`, and compares (K9).

mod cover;
mod json;
mod server;
mod world;

use anyhow::{Context, Result, bail, ensure};
use cover::Cover;
use ringback_core::device::{Input, Output, Persisted, Session};
use ringback_core::time::Timestamp;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;
use world::World;

/// The browser's machine.
const DEVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/device.js");
/// Scripts that are under way to node at a time.
const AHEAD: usize = 64;

/// One step of a script.
#[derive(Debug, Clone)]
enum Step {
    /// An input, and when.
    Input(Timestamp, Box<Input>),
    /// A new process, with what was kept and this seed.
    Restart(String),
    /// In the browser another tab takes over; the state goes through JSON, and nobody notices.
    Handover,
}

/// The Rust machine under a script.
struct Runner {
    session: Session,
    seed: String,
    persisted: Persisted,
    cover: Cover,
    /// What came of each step, as the driver writes it.
    results: Vec<Value>,
}

impl Runner {
    fn new() -> Self {
        let seed = "s0".to_owned();
        let session = Session::new(world::me(), world::device(), &seed, Persisted::default());
        Self { session, seed, persisted: Persisted::default(), cover: Cover::default(), results: Vec::new() }
    }

    fn step(&mut self, step: &Step) -> Vec<Output> {
        let (mut outputs, mut now) = (Vec::new(), Timestamp(0));
        match step {
            Step::Input(at, input) => {
                now = *at;
                outputs = self.session.input(*at, Input::clone(input));
                self.cover.input(input, &outputs);
                let waited = |o: &Output| matches!(o, Output::Show(show) if self.persisted.back.contains(&show.key));
                if outputs.iter().any(waited) {
                    self.cover.count("comes back later");
                }
            }
            Step::Restart(seed) => {
                self.seed.clone_from(seed);
                self.session = Session::new(world::me(), world::device(), seed, self.persisted.clone());
                self.cover.count("a new process");
            }
            Step::Handover => self.cover.count("another tab takes over"),
        }
        if let Some(Output::Persist(state)) = outputs.last() {
            self.persisted = (**state).clone();
        }
        let me = world::me();
        let said: Vec<Value> = outputs.iter().map(|o| json::output(o, me.as_str(), now)).collect();
        let due = self.session.poll_timeout().map(|at| at.0);
        let here = self.session.in_call();
        let end_asked = here.is_some_and(|id| self.session.end_asked(id));
        self.results.push(json!([said, due, here.map(|id| id.to_string()), end_asked]));
        outputs
    }
}

/// A script as the driver reads it: one line.
fn script(steps: &[Step]) -> String {
    let mut seed = "s0";
    let mut line = format!(r#"{{"user":"{}","device":"{}","seed":"{seed}","steps":["#, world::me(), world::device());
    for (at, step) in steps.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        match step {
            Step::Input(now, input) => line.push_str(&format!("[{},{}]", now.0, json::input(input, *now))),
            Step::Restart(next) => {
                seed = next;
                line.push_str(&format!(r#"{{"restart":"{seed}"}}"#));
            }
            Step::Handover => line.push_str(&format!(r#"{{"handover":"{seed}"}}"#)),
        }
    }
    line.push_str("]}\n");
    line
}

/// The browser's machine, in one process for all scripts.
struct Node {
    process: Child,
    /// Nothing once it is written to elsewhere.
    to: Option<BufWriter<ChildStdin>>,
    from: BufReader<ChildStdout>,
}

impl Node {
    fn start(device: &Path) -> Result<Self> {
        let mut process = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/twin/driver.js"))
            .arg(device)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node could not be started; the twin needs Node 20 or newer")?;
        let to = process.stdin.take().context("node has no stdin")?;
        let from = process.stdout.take().context("node has no stdout")?;
        Ok(Self { process, to: Some(BufWriter::new(to)), from: BufReader::new(from) })
    }

    fn send(&mut self, line: &str) -> Result<()> {
        let to = self.to.as_mut().context("node has no stdin")?;
        to.write_all(line.as_bytes())?;
        Ok(to.flush()?)
    }

    fn receive(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.from.read_line(&mut line)? > 0, "node ended early; what it said is above");
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A script on which the two differ.
struct Difference {
    run: u64,
    steps: Vec<Step>,
}

/// What a comparison came to.
struct Compared {
    cover: Cover,
    steps: u64,
    difference: Option<Difference>,
}

/// Runs the scripts of these seeds through both, until they differ.
fn compare(device: &Path, seed: u64, runs: u64) -> Result<Compared> {
    let mut node = Node::start(device)?;
    let mut to = node.to.take().context("node has no stdin")?;
    // The scripts are made and written beside the reading: neither side waits for the other with a full pipe.
    let (hand, take) = std::sync::mpsc::sync_channel::<(u64, Vec<Step>, String)>(AHEAD);
    let maker = std::thread::spawn(move || -> Result<Cover> {
        let mut cover = Cover::default();
        for run in 0..runs {
            let mut runner = Runner::new();
            let steps = World::new(seed.wrapping_add(run), &mut runner).live();
            cover.add(&runner.cover);
            let line = script(&steps);
            if hand.send((run, steps, serde_json::to_string(&runner.results)?)).is_err() {
                break;
            }
            to.write_all(line.as_bytes())?;
            to.flush()?;
        }
        Ok(cover)
    });
    let (mut steps_run, mut difference) = (0, None);
    for (run, steps, expected) in take.iter() {
        let got = node.receive()?;
        steps_run += steps.len() as u64;
        if got != expected && serde_json::from_str::<Value>(&got)? != serde_json::from_str::<Value>(&expected)? {
            difference = Some(Difference { run, steps });
            break;
        }
    }
    drop(take);
    if difference.is_some() {
        drop(node); // the maker may be writing to it
        let _ = maker.join();
        return Ok(Compared { cover: Cover::default(), steps: steps_run, difference });
    }
    let cover = maker.join().map_err(|_| anyhow::anyhow!("the maker of scripts panicked"))??;
    Ok(Compared { cover, steps: steps_run, difference })
}

/// Both machines' results for a script: Rust's, the browser's.
fn both(node: &mut Node, steps: &[Step]) -> Result<(Vec<Value>, Value)> {
    let mut runner = Runner::new();
    for step in steps {
        runner.step(step);
    }
    node.send(&script(steps))?;
    Ok((runner.results, serde_json::from_str(&node.receive()?)?))
}

/// Where they differ first, if they do.
fn differs(rust: &[Value], browser: &Value) -> Option<usize> {
    let Value::Array(browser) = browser else { return Some(0) };
    (0..rust.len()).find(|&at| browser.get(at) != Some(&rust[at]))
}

/// Leaves out of the script what the difference doesn't need, and says what is left.
fn explain(device: &Path, found: Difference, seed: u64) -> Result<String> {
    let mut node = Node::start(device)?;
    let mut steps = found.steps;
    let (rust, browser) = both(&mut node, &steps)?;
    if let (Some(at), true) = (differs(&rust, &browser), browser.is_array()) {
        steps.truncate(at + 1);
    }
    let mut at = steps.len();
    while at > 0 {
        at -= 1;
        let mut fewer = steps.clone();
        fewer.remove(at);
        let (rust, browser) = both(&mut node, &fewer)?;
        if let Some(last) = differs(&rust, &browser) {
            steps = fewer;
            if browser.is_array() {
                steps.truncate(last + 1);
            }
            at = at.min(steps.len());
        }
    }
    let (rust, browser) = both(&mut node, &steps)?;
    let mut text = format!(
        "the two machines differ; alone: cargo xtask twin --runs 1 --seed {}\nthe least script that shows it:\n",
        seed.wrapping_add(found.run)
    );
    for step in &steps {
        let line = match step {
            Step::Input(now, input) => format!("  {} {}", now.0, json::input(input, *now)),
            Step::Restart(_) => "  (a new process, with what was kept)".into(),
            Step::Handover => "  (another tab takes over)".into(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    let last = differs(&rust, &browser).unwrap_or_default();
    let said = if browser.is_array() { &browser[last] } else { &browser };
    for (who, said) in [("Rust", &rust[last]), ("browser", said)] {
        text.push_str(&format!("{who} says of the last step, with its next time-out and the call it is in:\n"));
        match said.get(0).and_then(Value::as_array) {
            Some(outputs) => outputs.iter().for_each(|o| text.push_str(&format!("    {o}\n"))),
            None => text.push_str(&format!("    {said}\n")),
        }
        text.push_str(&format!("    {} {}\n", said[1], said[2]));
    }
    Ok(text)
}

/// Differences planted in the browser's machine: a name, what stands there, and what stands there instead.
const PLANTED: [(&str, &str, &str); 3] = [
    ("S1 isn't deduplicated", "if (told == null) this.missedOne(entry);", "this.missedOne(entry);"),
    ("the minute of M6 is one millisecond longer", "now - x.at < SOUND", "now - x.at <= SOUND"),
    (
        "a dial-back that was given up is still claimed",
        "for (let at; (at = s.requests.findIndex(due)) >= 0; ) this.giveUp(s.requests.splice(at, 1)[0]);",
        "for (const r of s.requests.filter(due)) { r.until = null; this.giveUp(r); }",
    ),
];

/// Plants each difference, and demands that it is found.
fn planted(seed: u64, runs: u64) -> Result<()> {
    let source = std::fs::read_to_string(DEVICE).with_context(|| DEVICE.to_owned())?;
    let place = tempfile::tempdir()?;
    let file = place.path().join("device.mjs");
    for (name, right, wrong) in PLANTED {
        ensure!(source.matches(right).count() == 1, "{DEVICE} has no longer exactly one `{right}`: plant it anew");
        std::fs::write(&file, source.replace(right, wrong))?;
        let Some(found) = compare(&file, seed, runs)?.difference else {
            bail!("planted and not found in {runs} runs: {name}");
        };
        println!("planted and found, in run {}: {name}", found.run);
    }
    Ok(())
}

/// `cargo xtask twin [--runs N] [--seed N] [--planted]`.
pub(crate) fn twin(args: &[String]) -> Result<()> {
    let (mut runs, mut seed, mut plant) = (10_000, fastrand::u64(..1 << 48), false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut number = || -> Result<u64> {
            let value = args.next().with_context(|| format!("{arg} wants a number"))?;
            value.parse().with_context(|| format!("{arg} wants a number, not `{value}`"))
        };
        match arg.as_str() {
            "--runs" => runs = number()?,
            "--seed" => seed = number()?,
            "--planted" => plant = true,
            other => bail!("`cargo xtask twin` knows --runs N, --seed N and --planted, and not `{other}`"),
        }
    }
    println!("seed {seed}");
    if plant { planted(seed, runs) } else { same(seed, runs) }
}

/// What CI runs: 10,000 scripts from a seed that it prints, and the planted differences.
pub(crate) fn check() -> Result<()> {
    twin(&[])?;
    twin(&["--planted".to_owned()])
}

/// Demands that both machines do the same, and that the scripts reach everything.
#[expect(clippy::disallowed_methods, reason = "a chore's time is for people to read; nothing is decided by it")]
fn same(seed: u64, runs: u64) -> Result<()> {
    let begun = Instant::now();
    let compared = compare(Path::new(DEVICE), seed, runs)?;
    if let Some(found) = compared.difference {
        bail!(explain(Path::new(DEVICE), found, seed)?);
    }
    compared.cover.print();
    println!("{runs} scripts, {} steps, no difference, {:.1} s", compared.steps, begun.elapsed().as_secs_f64());
    if runs >= 1_000 { compared.cover.complete() } else { Ok(()) }
}
