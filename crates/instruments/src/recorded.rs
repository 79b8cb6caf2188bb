//! The three kinds of instruments, each with the number of its labels.

use crate::label::known_from_the_start;
use crate::{Instrument, Kind, Label};

/// Counts what happens.
#[derive(Debug)]
pub struct Counter<const N: usize> {
    /// Its name; it ends in `_total`.
    pub name: &'static str,
    /// What it counts, in a word.
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// What tells its series apart.
    pub labels: [Label; N],
}

/// Says how much there is of something now.
#[derive(Debug)]
pub struct Gauge<const N: usize> {
    /// Its name.
    pub name: &'static str,
    /// The unit that it is given in.
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// What tells its series apart.
    pub labels: [Label; N],
}

/// Says how values are distributed. Its name ends in `_seconds` or in `_jobs`: the recorder chooses
/// the buckets by that.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    /// Its name.
    pub name: &'static str,
    /// The unit that it is given in.
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// What tells its series apart.
    pub labels: [Label; N],
}

/// The labels of one series.
fn series<const N: usize>(labels: &[Label; N], values: [&str; N]) -> Vec<metrics::Label> {
    labels
        .iter()
        .zip(values)
        .map(|(label, value)| metrics::Label::new(label.name, value.to_owned()))
        .collect()
}

impl<const N: usize> Counter<N> {
    /// The series with these values, in the order of the labels.
    pub fn of(&self, values: [&str; N]) -> metrics::Counter {
        metrics::counter!(self.name, series(&self.labels, values))
    }
}

impl<const N: usize> Gauge<N> {
    /// The series with these values, in the order of the labels.
    pub fn of(&self, values: [&str; N]) -> metrics::Gauge {
        metrics::gauge!(self.name, series(&self.labels, values))
    }
}

impl<const N: usize> Histogram<N> {
    /// The series with these values, in the order of the labels.
    pub fn of(&self, values: [&str; N]) -> metrics::Histogram {
        metrics::histogram!(self.name, series(&self.labels, values))
    }
}

impl<const N: usize> Instrument for Counter<N> {
    fn kind(&self) -> Kind {
        Kind::Counter
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn unit(&self) -> &'static str {
        self.unit
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn labels(&self) -> &[Label] {
        &self.labels
    }

    fn prepare(&self) {
        metrics::describe_counter!(self.name, self.help);
        for labels in known_from_the_start(&self.labels) {
            metrics::counter!(self.name, labels).increment(0);
        }
    }
}

impl<const N: usize> Instrument for Gauge<N> {
    fn kind(&self) -> Kind {
        Kind::Gauge
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn unit(&self) -> &'static str {
        self.unit
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn labels(&self) -> &[Label] {
        &self.labels
    }

    fn prepare(&self) {
        metrics::describe_gauge!(self.name, self.help);
    }
}

impl<const N: usize> Instrument for Histogram<N> {
    fn kind(&self) -> Kind {
        Kind::Histogram
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn unit(&self) -> &'static str {
        self.unit
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn labels(&self) -> &[Label] {
        &self.labels
    }

    fn prepare(&self) {
        metrics::describe_histogram!(self.name, self.help);
        for labels in known_from_the_start(&self.labels) {
            // Registered it is there, without a value.
            drop(metrics::histogram!(self.name, labels));
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    const DONE: Counter<2> = Counter {
        name: "atlas_test_done_total",
        unit: "things",
        help: "Things done.",
        labels: [
            Label::one_of("kind", || vec!["a", "b"]),
            Label::one_of("how", || vec!["well"]),
        ],
    };
    const OF_EACH: Counter<1> = Counter {
        name: "atlas_test_each_total",
        unit: "things",
        help: "Things done by each.",
        labels: [Label::each_of("who", "somebody")],
    };
    const TOOK: Histogram<0> = Histogram {
        name: "atlas_test_seconds",
        unit: "seconds",
        help: "How long it took.",
        labels: [],
    };
    const NOW: Gauge<0> = Gauge {
        name: "atlas_test_now",
        unit: "things",
        help: "Things there are.",
        labels: [],
    };

    fn rendered(work: impl FnOnce()) -> String {
        let recorder = PrometheusBuilder::new()
            .set_buckets(crate::DURATIONS)
            .unwrap()
            .build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            crate::prepare(&[&[&DONE, &OF_EACH, &TOOK, &NOW]]);
            work();
        });
        handle.render()
    }

    #[test]
    fn what_is_known_from_the_start_is_there_with_zero_and_gauges_are_not() {
        let text = rendered(|| ());
        for line in [
            "# HELP atlas_test_done_total Things done.",
            r#"atlas_test_done_total{kind="a",how="well"} 0"#,
            r#"atlas_test_done_total{kind="b",how="well"} 0"#,
            "atlas_test_seconds_count 0",
            r#"atlas_test_seconds_bucket{le="0.001"} 0"#,
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        for absent in ["atlas_test_each_total{", "atlas_test_now "] {
            assert!(!text.contains(absent), "{absent} is in:\n{text}");
        }
    }

    #[test]
    fn values_go_to_the_series_of_their_labels() {
        let text = rendered(|| {
            DONE.of(["b", "well"]).increment(2);
            OF_EACH.of(["me"]).increment(1);
            NOW.of([]).set(7.0);
            TOOK.of([]).record(0.003);
        });
        for line in [
            r#"atlas_test_done_total{kind="a",how="well"} 0"#,
            r#"atlas_test_done_total{kind="b",how="well"} 2"#,
            r#"atlas_test_each_total{who="me"} 1"#,
            "atlas_test_now 7",
            r#"atlas_test_seconds_bucket{le="0.0027"} 0"#,
            r#"atlas_test_seconds_bucket{le="0.00375"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
    }
}
