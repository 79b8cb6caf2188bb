//! The page that lists every metric.

use std::fmt::Write as _;

use instruments::{Instrument, Label, Values};

use crate::{Part, catalogue};

const HEAD: &str = "\
# Metrics

<!-- Written by a test of `crates/monitoring`; ATLAS_BLESS=1 writes it anew. -->

Each process serves its own under `/metrics`, in Prometheus's text format. Durations are in seconds,
in buckets from 1 ms to 10 s, seven to a decade. A counter or histogram whose labels have closed lists
is there from the start, with 0; a gauge is there while its owner sets it, and is gone 20 s after.
Where `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` names a collector, the same
names, labels and numbers are sent there by OTLP/gRPC every `OTEL_METRIC_EXPORT_INTERVAL`, cumulative.
What the numbers are to be is in [slo.md](slo.md), what to do when they are not in
[operations.md](operations.md).
";

/// The page as it has to be.
#[must_use]
pub fn metrics_page() -> String {
    let mut page = HEAD.to_owned();
    for Part {
        title,
        by,
        instruments,
    } in catalogue()
    {
        // A String takes everything.
        write!(page, "\n## {title}\n\nMeasured by: {by}\n\n").ok();
        page.push_str("| metric | kind | unit | labels | what it says |\n|---|---|---|---|---|\n");
        for instrument in instruments {
            page.push_str(&row(*instrument));
        }
    }
    page
}

fn row(instrument: &dyn Instrument) -> String {
    let labels: Vec<String> = instrument.labels().iter().map(label).collect();
    let labels = if labels.is_empty() {
        "–".to_owned()
    } else {
        labels.join("; ")
    };
    format!(
        "| `{}` | {} | {} | {labels} | {} |\n",
        instrument.name(),
        instrument.kind().as_str(),
        instrument.unit(),
        instrument.help(),
    )
}

fn label(label: &Label) -> String {
    let values = match label.values {
        Values::OneOf(values) => values()
            .iter()
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Values::EachOf(what) => what.to_owned(),
    };
    format!("`{}`: {values}", label.name)
}
