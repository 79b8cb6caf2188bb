//! Durations told as quantiles, and processor time by process.

use std::collections::BTreeMap;
use std::time::Duration;

use test_support::measure::time_by_name;

/// Prints the quantiles of what was measured, in milliseconds.
pub(crate) fn quantiles(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| {
        let index = (took.len() * percent / 100).min(took.len().saturating_sub(1));
        took.get(index)
            .map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
    };
    println!(
        "  {what:<44} p50 {:>8.1} ms   p99 {:>8.1} ms   most {:>8.1} ms   of {}",
        at(50),
        at(99),
        at(100),
        took.len()
    );
}

/// Processor time since it was made.
pub(crate) struct Cpu(BTreeMap<String, Duration>);

impl Cpu {
    pub(crate) fn now() -> Self {
        Self(time_by_name())
    }

    /// Prints what each process took since, for each of so many orders.
    pub(crate) fn print_each(&self, orders: u32) {
        println!("  processor time an order, of {orders}:");
        for (name, time) in time_by_name() {
            let before = self.0.get(&name).copied().unwrap_or_default();
            let took = time.saturating_sub(before) / orders;
            if took > Duration::from_micros(10) {
                println!("    {name:<16} {:>8.2} ms", took.as_secs_f64() * 1e3);
            }
        }
    }
}
