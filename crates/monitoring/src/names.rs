//! Whether an expression speaks of what there is: each metric and each label is in the catalogue.

use instruments::Kind;

use crate::instrument;

/// What every metric of ours begins with.
const PREFIX: &str = "atlas_";
/// What Prometheus adds when it scrapes, and when it counts in buckets.
const OF_THE_SCRAPE: [&str; 3] = ["job", "instance", "le"];
/// What a histogram is, seen by name.
const PARTS: [&str; 3] = ["_bucket", "_count", "_sum"];

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No instrument records it.
    #[error("no process has the metric {0}")]
    Metric(String),
    /// Nothing that is summed up is told apart by it.
    #[error("nothing in {of} has the label {label}")]
    Grouping {
        /// What is summed up.
        of: String,
        /// The label.
        label: String,
    },
    /// The instrument is not told apart by it.
    #[error("the metric {metric} has no label {label}")]
    Label {
        /// The metric.
        metric: String,
        /// The label.
        label: String,
    },
}

/// Looks up every metric of ours in an expression of PromQL, with the labels that it selects by, and
/// those by which series are summed up.
///
/// # Errors
/// The first name that nothing has.
pub fn check_expression(expression: &str) -> Result<(), Unknown> {
    for (at, _) in expression.match_indices(PREFIX) {
        let before = expression.get(..at).and_then(|text| text.chars().last());
        if before.is_some_and(is_of_a_name) {
            continue;
        }
        let rest = expression.get(at..).unwrap_or_default();
        let end = rest.find(|it| !is_of_a_name(it)).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let labels = labels_of(name)?;
        for label in selected_by(after) {
            let known = labels.contains(&label) || OF_THE_SCRAPE.contains(&label);
            if !known {
                return Err(Unknown::Label {
                    metric: name.to_owned(),
                    label: label.to_owned(),
                });
            }
        }
    }
    for (labels, of) in groupings(expression) {
        let known: Vec<&str> = names(of)
            .flat_map(|name| labels_of(name).unwrap_or_default())
            .collect();
        for label in labels {
            if !known.contains(&label) && !OF_THE_SCRAPE.contains(&label) {
                return Err(Unknown::Grouping {
                    of: of.to_owned(),
                    label: label.to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// The lists of labels in an expression, each with what is summed up by it or matched on it.
fn groupings(expression: &str) -> Vec<(Vec<&str>, &str)> {
    let mut groupings = Vec::new();
    for word in [" by ", " without ", " on ", " ignoring "] {
        for (at, _) in expression.match_indices(word) {
            let after = expression.get(at + word.len()..).unwrap_or_default();
            let Some(labels) = in_parentheses(after) else {
                continue;
            };
            let rest = after
                .get(labels.len() + 2..)
                .unwrap_or_default()
                .trim_start();
            // What is matched stands on both sides.
            let of = match word {
                " by " | " without " => in_parentheses(rest).unwrap_or(expression),
                _ => expression,
            };
            let labels = labels.split(',').map(str::trim);
            groupings.push((labels.filter(|label| !label.is_empty()).collect(), of));
        }
    }
    groupings
}

/// What stands in the parentheses that a text begins with.
fn in_parentheses(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return text.get(1..at);
        }
    }
    None
}

/// The metrics of ours that an expression names.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|it| !is_of_a_name(it));
    words.filter(|word| word.starts_with(PREFIX))
}

/// The labels of a metric.
fn labels_of(name: &str) -> Result<Vec<&'static str>, Unknown> {
    let histogram = PARTS
        .iter()
        .find_map(|part| name.strip_suffix(part))
        .and_then(instrument)
        .filter(|found| found.kind() == Kind::Histogram);
    let plain = instrument(name).filter(|found| found.kind() != Kind::Histogram);
    histogram
        .or(plain)
        .map(|found| found.labels().iter().map(|label| label.name).collect())
        .ok_or_else(|| Unknown::Metric(name.to_owned()))
}

/// The labels in the braces that follow a name.
fn selected_by(after: &str) -> impl Iterator<Item = &str> {
    let selectors = after
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .map_or("", |(selectors, _)| selectors);
    selectors
        .split(',')
        .filter_map(|selector| selector.split(['=', '!']).next())
        .map(str::trim)
        .filter(|label| !label.is_empty())
}

const fn is_of_a_name(it: char) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, '_' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_there_are_pass_whatever_part_of_a_histogram_is_meant() {
        for expression in [
            "sum(rate(atlas_http_failures_total{job=\"command-api\",code=\"INTERNAL\"}[5m]))",
            "histogram_quantile(0.99, sum by (le) (rate(atlas_append_seconds_bucket[5m])))",
            "atlas_feed_lag_seconds{reader!=\"relay\"} > 5 and up == 1",
            "atlas:read_models_stale:bool > 0",
            "sum by (job, code) ((atlas_http_failures_total > 0) unless (up offset 5m)) > 0",
            "max by (reader) (atlas_feed_halted) == 1",
            "a unless on (instance) (atlas_consumer_paused_partitions > 0)",
        ] {
            assert_eq!(check_expression(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn a_name_or_label_that_nothing_has_is_told() {
        for (expression, unknown) in [
            (
                "rate(atlas_append_second_bucket[5m])",
                "no process has the metric atlas_append_second_bucket",
            ),
            (
                "atlas_append_seconds",
                "no process has the metric atlas_append_seconds",
            ),
            (
                "atlas_feed_parked{model=\"orders\"}",
                "the metric atlas_feed_parked has no label model",
            ),
            (
                "max by (model) (atlas_feed_parked) > 0",
                "nothing in atlas_feed_parked has the label model",
            ),
            (
                "sum by (job, group) (rate(atlas_append_seconds_count[5m])) or sum by (group) \
                 (atlas_consumer_lag_messages)",
                "nothing in rate(atlas_append_seconds_count[5m]) has the label group",
            ),
            (
                "up == 1 and on (pod) atlas_feed_halted",
                "nothing in up == 1 and on (pod) atlas_feed_halted has the label pod",
            ),
        ] {
            let found = check_expression(expression).unwrap_err().to_string();
            assert_eq!(found, unknown);
        }
    }
}
