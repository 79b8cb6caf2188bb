//! The three kinds of instruments, each with the number of its labels.

use crate::label::known_from_the_start;
use crate::{Instrument, Kind, Label};

/// The labels of one series.
fn series<const N: usize>(labels: &[Label; N], values: [&str; N]) -> Vec<metrics::Label> {
    labels
        .iter()
        .zip(values)
        .map(|(label, value)| metrics::Label::new(label.name, value.to_owned()))
        .collect()
}

/// A kind of instrument: its constants, how a series of it is had, and how it is described and begun.
macro_rules! kind {
    (
        $(#[$doc:meta])*
        $kind:ident, $series:ident, $describe:ident, $begin:expr
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $kind<const N: usize> {
            /// Its name.
            pub name: &'static str,
            /// The unit of what it records, in a word.
            pub unit: &'static str,
            /// What it says, in a sentence.
            pub help: &'static str,
            /// What tells its series apart.
            pub labels: [Label; N],
        }

        impl<const N: usize> $kind<N> {
            /// The series with these values, in the order of the labels.
            pub fn of(&self, values: [&str; N]) -> metrics::$kind {
                metrics::$series!(self.name, series(&self.labels, values))
            }
        }

        impl<const N: usize> Instrument for $kind<N> {
            fn kind(&self) -> Kind {
                Kind::$kind
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
                metrics::$describe!(self.name, self.help);
                let begin: Option<fn(&'static str, Vec<metrics::Label>)> = $begin;
                if let Some(begin) = begin {
                    for labels in known_from_the_start(&self.labels) {
                        begin(self.name, labels);
                    }
                }
            }
        }
    };
}

kind! {
    /// Counts what happens. Its name ends in `_total`.
    Counter, counter, describe_counter,
    Some(|name, labels| metrics::counter!(name, labels).increment(0))
}

kind! {
    /// Says how much there is of something now: whoever knows sets it.
    Gauge, gauge, describe_gauge, None
}

kind! {
    /// Says how values are distributed. Its name ends in `_seconds` or in `_jobs`: the recorder chooses
    /// the buckets by that.
    Histogram, histogram, describe_histogram,
    // Registered it is there, without a value.
    Some(|name, labels| drop(metrics::histogram!(name, labels)))
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
