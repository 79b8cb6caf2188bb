//! Metrics: one recorder a process, rendered as Prometheus text.
//!
//! Code records through the constants of its crate's `instruments.rs`. Histograms are of seconds or of jobs that went
//! together; their names end in `_seconds` and `_jobs`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use instruments::{DURATIONS, List};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;

/// A gauge that nobody has set for so long is gone: what it said is of another owner, or of none.
/// Whoever has a gauge sets it every few seconds.
const GAUGE_LIFE: Duration = Duration::from_secs(20);

/// As many as go together at most.
const JOBS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0];

/// The metrics of this process could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the metrics recorder could not be installed")]
pub struct MetricsError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Sets gauges of what is known now.
type Measure = Box<dyn Fn() + Send>;

/// What was recorded, to be shown.
#[derive(Clone)]
pub struct Metrics {
    recorded: PrometheusHandle,
    measures: Arc<Mutex<Vec<Measure>>>,
}

impl Metrics {
    /// Installs the recorder of this process.
    ///
    /// # Errors
    /// If there is one already.
    pub fn install() -> Result<Self, MetricsError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATIONS)
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Suffix("_jobs".to_owned()), JOBS)
            })
            .map_err(|error| MetricsError(error.into()))?
            .idle_timeout(MetricKindMask::GAUGE, Some(GAUGE_LIFE))
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| MetricsError(error.into()))?;
        instruments::prepare(&[crate::instruments::ALL]);
        Ok(Self {
            recorded: handle,
            measures: Arc::default(),
        })
    }

    /// Makes the series of these instruments that are known from the start, with 0.
    pub fn prepare(&self, lists: &[List]) {
        instruments::prepare(lists);
    }

    /// Has this done before each rendering: it sets gauges of what is known then.
    pub(crate) fn measure_by(&self, measure: impl Fn() + Send + 'static) {
        let mut measures = self.measures.lock().unwrap_or_else(PoisonError::into_inner);
        measures.push(Box::new(measure));
    }

    /// Everything recorded until now, in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        let measures = self.measures.lock().unwrap_or_else(PoisonError::into_inner);
        for measure in &*measures {
            measure();
        }
        self.recorded.render()
    }

    /// Folds recorded samples into their buckets. Without it they pile up between two renderings.
    pub(crate) fn fold(&self) {
        self.recorded.run_upkeep();
    }
}
