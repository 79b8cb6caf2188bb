//! What the recorder renders, read again: the numbers that are served are those that are exported.

use std::collections::BTreeMap;

/// What tells a series apart: names and values.
pub(crate) type Labels = Vec<(String, String)>;

/// A metric with its series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) points: Points,
}

/// The numbers of a metric, a series each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Points {
    Counter(Vec<(Labels, f64)>),
    Gauge(Vec<(Labels, f64)>),
    Histogram(BTreeMap<Labels, Counts>),
}

/// How the values of a series are distributed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counts {
    /// The upper bound of each bucket but the last, which has none.
    pub(crate) bounds: Vec<f64>,
    /// How many values lay at or below each bound, and in all.
    pub(crate) up_to: Vec<u64>,
    pub(crate) sum: f64,
}

impl Counts {
    /// How many values lay in each bucket.
    pub(crate) fn of_buckets(&self) -> Vec<u64> {
        let before = std::iter::once(&0).chain(&self.up_to);
        let buckets = self.up_to.iter().zip(before);
        buckets
            .map(|(up_to, before)| up_to.saturating_sub(*before))
            .collect()
    }
}

/// Every metric of a text in Prometheus's format. A line that says nothing of a metric is passed over.
pub(crate) fn read(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    let mut help = "";
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            families.extend(begun(typed, std::mem::take(&mut help)));
        } else if let (Some(family), Some(sample)) = (families.last_mut(), Sample::read(line)) {
            family.take(sample);
        }
    }
    families
}

/// A metric without a series so far.
fn begun(typed: &str, help: &str) -> Option<Family> {
    let (name, kind) = typed.split_once(' ')?;
    let points = match kind {
        "counter" => Points::Counter(Vec::new()),
        "gauge" => Points::Gauge(Vec::new()),
        "histogram" => Points::Histogram(BTreeMap::new()),
        _ => return None,
    };
    Some(Family {
        name: name.to_owned(),
        help: help.to_owned(),
        points,
    })
}

impl Family {
    fn take(&mut self, sample: Sample<'_>) {
        let Sample {
            name,
            mut labels,
            value,
        } = sample;
        let Some(part) = name.strip_prefix(&self.name) else {
            return;
        };
        match &mut self.points {
            Points::Counter(series) | Points::Gauge(series) => {
                series.extend(value.parse().ok().map(|value| (labels, value)));
            }
            Points::Histogram(series) => {
                let bound = labels.pop_if(|(name, _)| name == "le");
                let counts = series.entry(labels).or_default();
                match (part, bound) {
                    ("_bucket", Some((_, bound))) => {
                        counts.bounds.extend(finite(&bound));
                        counts.up_to.extend(value.parse::<u64>());
                    }
                    ("_sum", None) => counts.sum = value.parse().unwrap_or_default(),
                    // It is that of the last bucket.
                    _ => {}
                }
            }
        }
    }
}

fn finite(bound: &str) -> Option<f64> {
    bound.parse().ok().filter(|bound: &f64| bound.is_finite())
}

/// One line: a number of a series.
struct Sample<'a> {
    name: &'a str,
    labels: Labels,
    value: &'a str,
}

impl<'a> Sample<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, labels(rest.strip_suffix('}')?)?),
            None => (series, Vec::new()),
        };
        Some(Self {
            name,
            labels,
            value,
        })
    }
}

/// `a="b",c="d"`; a value may have anything in it, escaped.
fn labels(mut text: &str) -> Option<Labels> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = rest.char_indices();
        let end = loop {
            match letters.next()? {
                (end, '"') => break end,
                (_, '\\') => value.push(match letters.next()? {
                    (_, 'n') => '\n',
                    (_, other) => other,
                }),
                (_, letter) => value.push(letter),
            }
        };
        labels.push((name.to_owned(), value));
        let rest = rest.get(end + 1..)?;
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    fn label(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_is_rendered_is_read_again() {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&[0.5, 1.0, 2.0])
            .unwrap()
            .build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::describe_counter!("atlas_done_total", "Things that are done.");
            metrics::counter!("atlas_done_total", "how" => "\"so\", \\and\n{so} =\"").increment(3);
            metrics::counter!("atlas_done_total", "how" => "well", "by" => "me").increment(1);
            metrics::gauge!("atlas_lag_seconds").set(-0.25);
            for value in [0.1, 0.2, 1.5, 70.0] {
                metrics::histogram!("atlas_took_seconds", "what" => "it").record(value);
            }
        });
        let mut read = read(&recorder.handle().render());
        read.sort_by(|a, b| a.name.cmp(&b.name));
        let [done, lag, took] = read.as_slice() else {
            panic!("{read:?}")
        };
        assert_eq!(done.help, "Things that are done.");
        let Points::Counter(series) = &done.points else {
            panic!("{done:?}")
        };
        for expected in [
            (vec![label("how", "\"so\", \\and\n{so} =\"")], 3.0),
            (vec![label("how", "well"), label("by", "me")], 1.0),
        ] {
            assert!(series.contains(&expected), "{series:?}");
        }
        assert_eq!(series.len(), 2);
        assert_eq!(lag.points, Points::Gauge(vec![(Vec::new(), -0.25)]));
        let counts = Counts {
            bounds: vec![0.5, 1.0, 2.0],
            up_to: vec![2, 2, 3, 4],
            sum: 71.8,
        };
        assert_eq!(counts.of_buckets(), [2, 0, 1, 1]);
        let series = BTreeMap::from([(vec![label("what", "it")], counts)]);
        assert_eq!(took.points, Points::Histogram(series));
    }
}
