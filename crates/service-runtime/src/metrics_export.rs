//! Metrics sent to a collector by OTLP, beside what is served to whoever asks: the same names, labels
//! and numbers, because both are what the recorder renders.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Error as TransportError};

use crate::exposition::{Counts, Family, Labels, Points, read};
use crate::metrics::Metrics;

/// How long a collector may take.
const BOUND: Duration = Duration::from_secs(5);
/// How long the end of the process waits for one.
const LAST_BOUND: Duration = Duration::from_millis(500);

/// Who sends them, and where.
pub(crate) struct MetricsExport {
    name: &'static str,
    client: MetricsServiceClient<Channel>,
    resource: ProtoResource,
    interval: Duration,
    /// Since when counters count.
    started: u64,
    /// Whether the last attempt failed: that is told once.
    is_failing: bool,
}

impl MetricsExport {
    /// To the collector at this address, again and again. Nothing is connected yet.
    ///
    /// # Errors
    /// If it cannot be an address.
    pub(crate) fn to(
        endpoint: String,
        interval: Duration,
        name: &'static str,
        resource: &Resource,
    ) -> Result<Self, TransportError> {
        let channel = Endpoint::from_shared(endpoint)?
            .connect_timeout(BOUND)
            .timeout(BOUND)
            .connect_lazy();
        Ok(Self {
            name,
            client: MetricsServiceClient::new(channel),
            resource: ProtoResource {
                attributes: ResourceAttributesWithSchema::from(resource).attributes.0,
                ..ProtoResource::default()
            },
            interval,
            started: now(),
            is_failing: false,
        })
    }

    /// Sends what was recorded until work is to be finished, and then once more: a collector that
    /// does not answer delays the end by half a second.
    pub(crate) async fn run(mut self, metrics: Metrics, finish: CancellationToken) {
        let first = tokio::time::Instant::now() + self.interval;
        let mut ticks = tokio::time::interval_at(first, self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while finish.run_until_cancelled(ticks.tick()).await.is_some() {
            finish.run_until_cancelled(self.send(&metrics)).await;
        }
        if timeout(LAST_BOUND, self.send(&metrics)).await.is_err() {
            tracing::warn!("the last metrics were not exported in time");
        }
    }

    async fn send(&mut self, metrics: &Metrics) {
        let times = (self.started, now());
        let metrics = read(&metrics.render())
            .into_iter()
            .map(|family| metric(family, times))
            .collect();
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: self.name.to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    metrics,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        };
        let failed = self.client.export(request).await.err();
        match (&failed, self.is_failing) {
            (Some(status), false) => tracing::warn!(%status, "metrics are not exported"),
            (None, true) => tracing::info!("metrics are exported again"),
            (Some(_), true) | (None, false) => {}
        }
        self.is_failing = failed.is_some();
    }
}

/// Nanoseconds since 1970, as the protocol has them.
fn now() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is the time at which a number was read, not one that anything is decided by"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

fn metric(family: Family, times: (u64, u64)) -> Metric {
    let unit = if family.name.ends_with("_seconds") {
        "s"
    } else {
        "1"
    };
    let data = match family.points {
        Points::Counter(series) => Data::Sum(Sum {
            data_points: numbers(series, times),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: true,
        }),
        Points::Gauge(series) => Data::Gauge(Gauge {
            data_points: numbers(series, times),
        }),
        Points::Histogram(series) => Data::Histogram(Histogram {
            data_points: series
                .into_iter()
                .map(|(labels, counts)| distribution(labels, counts, times))
                .collect(),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        }),
    };
    Metric {
        name: family.name,
        description: family.help,
        unit: unit.to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

fn numbers(series: Vec<(Labels, f64)>, (started, now): (u64, u64)) -> Vec<NumberDataPoint> {
    let series = series.into_iter();
    series
        .map(|(labels, value)| NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: started,
            time_unix_nano: now,
            value: Some(Number::AsDouble(value)),
            ..NumberDataPoint::default()
        })
        .collect()
}

fn distribution(labels: Labels, counts: Counts, (started, now): (u64, u64)) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: started,
        time_unix_nano: now,
        count: counts.up_to.last().copied().unwrap_or_default(),
        sum: Some(counts.sum),
        bucket_counts: counts.of_buckets(),
        explicit_bounds: counts.bounds,
        ..HistogramDataPoint::default()
    }
}

fn attributes(labels: Labels) -> Vec<KeyValue> {
    let labels = labels.into_iter();
    labels
        .map(|(key, value)| KeyValue {
            key,
            value: Some(AnyValue {
                value: Some(Value::StringValue(value)),
            }),
            ..KeyValue::default()
        })
        .collect()
}
