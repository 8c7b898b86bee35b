//! What a benchmark tells while it runs, and how figures are drawn from many.

use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Columns of the bar.
const WIDTH: u32 = 24;

/// A progress bar: on a terminal alone, and not where a program reads along.
pub(super) struct Bar {
    steps: u32,
    done: u32,
    shown: bool,
}

impl Bar {
    pub(super) fn new(steps: u32, json: bool) -> Self {
        Self { steps, done: 0, shown: !json && std::io::stderr().is_terminal() }
    }

    /// Says what goes on now; what went on before is done.
    pub(super) fn step(&mut self, what: &str) {
        if self.shown {
            let full = (self.done * WIDTH / self.steps.max(1)).min(WIDTH);
            let bar: String = (0..WIDTH).map(|at| if at < full { '█' } else { '░' }).collect();
            // Whoever closed the terminal doesn't look.
            let _ = write!(std::io::stderr(), "\r\x1b[K{bar} {what}");
        }
        self.done += 1;
    }

    /// Wipes it.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}

/// The middle one.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    f64::midpoint(at(low), at(high))
}

/// The one that this share of all is at or below.
pub(super) fn percentile(values: &[Duration], share: f64) -> Option<Duration> {
    let mut values = values.to_vec();
    values.sort_unstable();
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

/// A whole number with its thousands apart, or what else there is.
pub(super) fn grouped(value: &serde_json::Value) -> String {
    let Some(number) = value.as_u64().or_else(|| value.as_f64().filter(|v| *v >= 1000.0).map(|v| v as u64)) else {
        return value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    };
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_are_drawn_from_many() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        let values: Vec<_> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!(percentile(&values, 0.5), Some(Duration::from_micros(50)));
        assert_eq!(percentile(&values, 0.99), Some(Duration::from_micros(99)));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(&json!(1_234_567)), "1,234,567");
        assert_eq!(grouped(&json!(999)), "999");
        assert_eq!(grouped(&json!(1.85)), "1.85");
        assert_eq!(grouped(&json!("ext4")), "ext4");
    }
}
