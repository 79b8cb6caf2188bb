//! What a metric is here: a constant that says its name, unit, help and labels. A crate that
//! measures keeps its constants in one file, `instruments.rs`, lists them there, and records through
//! them alone, so that a name which rules and dashboards know is written once.
//!
//! Deliberately absent: any metric, and whatever shows them. Start at [`Counter`]; [`prepare`] is
//! what a process calls with the lists of the crates that it is made of.

mod label;
mod recorded;

pub use label::{Label, Values};
pub use recorded::{Counter, Gauge, Histogram};

/// The bounds of the buckets of durations, in seconds: from 1 ms to 10 s, seven to a decade. Each is
/// at most 1.4 times the one before it, so that a quantile is off by less than 40 %, wherever in its
/// bucket the truth lies.
pub const DURATIONS: &[f64] = &[
    0.001, 0.0014, 0.00195, 0.0027, 0.00375, 0.0052, 0.0072, 0.01, 0.014, 0.0195, 0.027, 0.0375,
    0.052, 0.072, 0.1, 0.14, 0.195, 0.27, 0.375, 0.52, 0.72, 1.0, 1.4, 1.95, 2.7, 3.75, 5.2, 7.2,
    10.0,
];

/// What an instrument records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows, from 0 at every start of its process.
    Counter,
    /// A number as it is now.
    Gauge,
    /// How many values lay below each bound.
    Histogram,
}

impl Kind {
    /// The kind in Prometheus's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric, as a list of them has it.
pub trait Instrument: Sync {
    /// What it records.
    fn kind(&self) -> Kind;
    /// Its name, as Prometheus has it.
    fn name(&self) -> &'static str;
    /// The unit of what it records.
    fn unit(&self) -> &'static str;
    /// What it says, in a sentence.
    fn help(&self) -> &'static str;
    /// What tells its series apart.
    fn labels(&self) -> &[Label];
    /// Tells the recorder what it is. A series that can be known from the start is there from then
    /// on, with 0: the first event after a start is an increase. Gauges are left out: they are set
    /// by whoever knows, and are absent where nobody does.
    fn prepare(&self);
}

/// The instruments of a crate, or of a part of it.
pub type List = &'static [&'static dyn Instrument];

/// Prepares every instrument of these lists.
pub fn prepare(lists: &[List]) {
    for instrument in lists.iter().copied().flatten() {
        instrument.prepare();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_at_most_two_fifths_above_the_one_before_it() {
        for pair in DURATIONS.windows(2) {
            let ratio = pair[1] / pair[0];
            assert!(ratio > 1.3 && ratio < 1.4 + 1e-9, "{pair:?}");
        }
        assert_eq!(
            (DURATIONS.first(), DURATIONS.last()),
            (Some(&0.001), Some(&10.0))
        );
    }
}
