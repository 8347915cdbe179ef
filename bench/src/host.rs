//! What the machine that this machine runs on kept from it.

use std::fs;

/// Processor time in ticks: what passed on all cores, and what a virtual machine's host gave to others.
pub struct Ticks {
    all: f64,
    stolen: f64,
}

impl Ticks {
    /// Since the machine began.
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let fields: Vec<f64> = first
            .split_whitespace()
            .skip(1)
            .filter_map(|word| word.parse().ok())
            .collect();
        Self {
            // The last two are counted among the first ones.
            all: fields.iter().take(8).sum(),
            stolen: fields.get(7).copied().unwrap_or(0.0),
        }
    }

    /// Share of the time since then that this machine was kept waiting, in percent. With more than a
    /// few, ratios still mean something, and times do not.
    pub fn stolen_since(&self) -> f64 {
        let now = Self::now();
        let all = (now.all - self.all).max(1.0);
        100.0 * (now.stolen - self.stolen) / all
    }
}
