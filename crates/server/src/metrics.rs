//! What is counted, and told in Prometheus' text format.

use ringback_core::refusal::Code;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Something that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }
}

/// Something that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn down(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    pub(crate) fn set(&self, value: usize) {
        self.0.store(i64::try_from(value).unwrap_or(i64::MAX), Relaxed);
    }
}

/// Upper bounds of the commit's durations, in microseconds.
const BUCKETS: [u64; 8] = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000];

/// Everything that is counted; nobody's name and no id is in it.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) sessions: Gauge,
    pub(crate) calls: Gauge,
    pub(crate) turned_away: Counter,
    pub(crate) frames_in: Counter,
    pub(crate) frames_out: Counter,
    pub(crate) writes: Counter,
    pub(crate) steps: Counter,
    pub(crate) invited: Counter,
    pub(crate) missed: Counter,
    pub(crate) ended: Counter,
    pub(crate) commits_failed: Counter,
    pub(crate) signals: Counter,
    refusals: [Counter; Code::ALL.len()],
    commits: [Counter; BUCKETS.len() + 1],
    commit_micros: Counter,
}

impl Metrics {
    /// Counts a refusal.
    pub(crate) fn refused(&self, code: Code) {
        if let Some(at) = Code::ALL.iter().position(|known| *known == code) {
            self.refusals[at].add(1);
        }
    }

    /// Counts a commit that wrote something.
    pub(crate) fn committed(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS.len());
        self.commits[bucket].add(1);
        self.commit_micros.add(micros);
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn render(&self, inbox: usize) -> String {
        let mut text = String::with_capacity(4096);
        let mut one = |name: &str, kind: &str, help: &str, value: &dyn std::fmt::Display| {
            // Writing into a text can't fail.
            let _ =
                writeln!(text, "# HELP ringback_{name} {help}\n# TYPE ringback_{name} {kind}\nringback_{name} {value}");
        };
        let counter = |counter: &Counter| counter.0.load(Relaxed);
        one("connections", "gauge", "Open connections.", &self.connections.0.load(Relaxed));
        one("sessions", "gauge", "Devices connected.", &self.sessions.0.load(Relaxed));
        one("calls_running", "gauge", "Calls that ring or go on.", &self.calls.0.load(Relaxed));
        one("inbox_steps", "gauge", "Steps that wait for the engine.", &inbox);
        one("turned_away_total", "counter", "Requests turned away for load.", &counter(&self.turned_away));
        one("frames_received_total", "counter", "Frames received.", &counter(&self.frames_in));
        one("frames_sent_total", "counter", "Frames sent.", &counter(&self.frames_out));
        one("flushes_total", "counter", "Times that frames were written out together.", &counter(&self.writes));
        one("steps_total", "counter", "Steps given to the engine.", &counter(&self.steps));
        one("turns_invited_total", "counter", "Turns that began by an invitation.", &counter(&self.invited));
        one("calls_missed_total", "counter", "Missed calls recorded.", &counter(&self.missed));
        one("calls_ended_total", "counter", "Calls that ended.", &counter(&self.ended));
        one("commits_failed_total", "counter", "Commits that failed or may have.", &counter(&self.commits_failed));
        one("signals_total", "counter", "Signals of media handed on.", &counter(&self.signals));
        self.render_refusals(&mut text);
        self.render_commits(&mut text);
        text
    }

    fn render_refusals(&self, text: &mut String) {
        text.push_str("# HELP ringback_refusals_total Requests refused.\n# TYPE ringback_refusals_total counter\n");
        for (code, count) in Code::ALL.iter().zip(&self.refusals) {
            let _ = writeln!(text, "ringback_refusals_total{{code=\"{code}\"}} {}", count.0.load(Relaxed));
        }
    }

    fn render_commits(&self, text: &mut String) {
        const NAME: &str = "ringback_commit_seconds";
        let _ = writeln!(text, "# HELP {NAME} How long commits took.\n# TYPE {NAME} histogram");
        let mut so_far = 0;
        for (at, count) in self.commits.iter().enumerate() {
            so_far += count.0.load(Relaxed);
            let bound = BUCKETS.get(at).map_or("+Inf".to_owned(), |micros| format!("{}", *micros as f64 / 1e6));
            let _ = writeln!(text, "{NAME}_bucket{{le=\"{bound}\"}} {so_far}");
        }
        let _ = writeln!(text, "{NAME}_sum {}", self.commit_micros.0.load(Relaxed) as f64 / 1e6);
        let _ = writeln!(text, "{NAME}_count {so_far}");
    }
}
