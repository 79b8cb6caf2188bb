//! Telemetry: log lines on stderr, traces and metrics to a collector where one is configured, and
//! panics that are logged like everything else.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::Scheme;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, Sampler, SdkTracer, SdkTracerProvider,
};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Faulty, Reader, Section, Variable, millis};
use crate::lifecycle::Tasks;
use crate::log_lines::{EventsOnly, LogLines};
use crate::metrics::Metrics;
use crate::metrics_export::MetricsExport;

/// What is logged, and where traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// Directives of `tracing_subscriber`'s `EnvFilter`.
    pub log: String,
    /// An OTLP/gRPC collector; none: traces have ids but are not exported.
    pub otlp_endpoint: Option<String>,
    /// An OTLP/gRPC collector for metrics, the same if no other is named; none: they are served only.
    pub otlp_metrics_endpoint: Option<String>,
    /// How often metrics are exported.
    pub metrics_interval: Duration,
}

impl TelemetryConfig {
    /// `ATLAS_LOG`.
    pub const LOG: Variable = Variable::with_default(
        "ATLAS_LOG",
        "info",
        "which log lines are written, such as \"info\" or \"info,sqlx=debug\"",
    );
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub const OTLP_ENDPOINT: Variable = Variable::optional(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "the collector that takes traces and metrics by OTLP/gRPC, such as http://127.0.0.1:4317",
    );
    /// `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`.
    pub const OTLP_METRICS_ENDPOINT: Variable = Variable::optional(
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "the collector that takes metrics by OTLP/gRPC, where it is another one",
    );
    /// `OTEL_METRIC_EXPORT_INTERVAL`.
    pub const METRICS_INTERVAL: Variable = Variable::with_default(
        "OTEL_METRIC_EXPORT_INTERVAL",
        "60000",
        "how often metrics are exported, in milliseconds",
    );
}

impl Section for TelemetryConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let log = reader.required(&Self::LOG, |directives| {
            EnvFilter::try_new(directives).map(|_| directives.to_owned())
        });
        let otlp_endpoint = reader.optional(&Self::OTLP_ENDPOINT, plain_http);
        let otlp_metrics_endpoint = reader.optional(&Self::OTLP_METRICS_ENDPOINT, plain_http);
        let metrics_interval = reader.required(&Self::METRICS_INTERVAL, millis(100..=3_600_000));
        let otlp_endpoint = otlp_endpoint?;
        Ok(Self {
            log: log?,
            otlp_metrics_endpoint: otlp_metrics_endpoint?.or_else(|| otlp_endpoint.clone()),
            otlp_endpoint,
            metrics_interval: metrics_interval?,
        })
    }
}

fn plain_http(endpoint: &str) -> Result<String, &'static str> {
    let uri: Option<Uri> = endpoint.parse().ok();
    match uri {
        Some(uri) if uri.scheme() == Some(&Scheme::HTTP) => Ok(endpoint.to_owned()),
        Some(_) | None => Err("expected http://HOST:PORT"),
    }
}

/// Telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives of `ATLAS_LOG` cannot be read.
    #[error("the log directives cannot be read")]
    Directives(#[source] tracing_subscriber::filter::ParseError),
    /// The exporter of traces cannot be built.
    #[error("the exporter of traces cannot be built")]
    Exporter(#[source] ExporterBuildError),
    /// The exporter of metrics cannot be built.
    #[error("the exporter of metrics cannot be built")]
    MetricsExporter(#[source] tonic::transport::Error),
    /// Another subscriber is installed already.
    #[error("telemetry was started already")]
    AlreadyStarted(#[source] tracing_subscriber::util::TryInitError),
}

/// As many causes as a batch has at most.
const MOST_LINKS: u32 = 1024;

/// The telemetry of this process. Stop it last.
pub struct Telemetry {
    provider: SdkTracerProvider,
    /// What metrics are exported by, until that has begun.
    metrics: Option<MetricsExport>,
}

impl Telemetry {
    /// Starts log lines on stderr and traces for the process `name`. Needs a tokio runtime where
    /// a collector is configured.
    ///
    /// # Errors
    /// If the configuration cannot be used, or telemetry runs already.
    pub fn start(name: &'static str, config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let resource = resource(name);
        let provider = provider(resource.clone(), config)?;
        let metrics = config
            .otlp_metrics_endpoint
            .clone()
            .map(|endpoint| MetricsExport::to(endpoint, config.metrics_interval, name, &resource))
            .transpose()
            .map_err(TelemetryError::MetricsExporter)?;
        let log = EnvFilter::try_new(&config.log).map_err(TelemetryError::Directives)?;
        subscriber(log, std::io::stderr, provider.tracer(name))
            .try_init()
            .map_err(TelemetryError::AlreadyStarted)?;
        Ok(Self { provider, metrics })
    }

    /// Exports what is recorded, where a collector takes it, until the tasks are to finish.
    pub fn export_metrics(&mut self, metrics: &Metrics, tasks: &Tasks) {
        if let Some(export) = self.metrics.take() {
            let export = export.run(metrics.clone(), tasks.finish());
            tasks.spawn("metrics export", async move {
                export.await;
                Ok::<(), Infallible>(())
            });
        }
    }

    /// Sends what is left and stops. A collector that does not answer is given up after a bound.
    pub async fn stop(self) {
        const BOUND: Duration = Duration::from_secs(3);
        // The exporter blocks its thread until the collector has answered.
        let shutdown =
            tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(BOUND));
        match tokio::time::timeout(BOUND, shutdown).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last traces were not exported"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last traces were not exported in time"),
        }
    }
}

/// Whom traces and metrics are of: two processes of a name are told apart.
fn resource(name: &'static str) -> Resource {
    let instance = RandomIdGenerator::default().new_trace_id().to_string();
    Resource::builder()
        .with_service_name(name)
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .build()
}

fn provider(
    resource: Resource,
    config: &TelemetryConfig,
) -> Result<SdkTracerProvider, TelemetryError> {
    let builder = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_max_links_per_span(MOST_LINKS);
    let Some(endpoint) = &config.otlp_endpoint else {
        // Ids for logs and events, and nothing recorded that nobody would read.
        let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        return Ok(builder.with_sampler(sampler).build());
    };
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(TelemetryError::Exporter)?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
    Ok(builder
        .with_sampler(sampler)
        .with_batch_exporter(exporter)
        .build())
}

fn subscriber<W>(
    log: EnvFilter,
    writer: W,
    tracer: SdkTracer,
) -> impl Subscriber + SubscriberInitExt
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    Registry::default()
        .with(traces(tracer))
        .with(LogLines::to(writer).with_filter(EventsOnly(log)))
}

fn traces<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let exported = filter_fn(|metadata| !carries_traces(metadata));
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(exported.and(LevelFilter::from_level(Level::INFO)))
}

/// Whether this comes from what carries the traces away: exporting it would cause more of it.
fn carries_traces(metadata: &Metadata<'_>) -> bool {
    [
        "h2",
        "hyper",
        "hyper_util",
        "tonic",
        "tower",
        "opentelemetry",
    ]
    .iter()
    .any(|crate_name| {
        metadata
            .target()
            .strip_prefix(crate_name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

/// From now on panics are log lines with a place, in the span they happen in.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("(no message)");
        tracing::error!(panic.place = place, panic.message = message, "panic");
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing::{info_span, subscriber::with_default};

    use super::*;
    use crate::{continue_trace, traceparent};

    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN_ID: &str = "b7ad6b7169203331";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// The lines that `work` writes under these directives, without a collector.
    fn lines(directives: &str, work: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let config = TelemetryConfig {
            log: directives.to_owned(),
            otlp_endpoint: None,
            otlp_metrics_endpoint: None,
            metrics_interval: Duration::from_secs(60),
        };
        let tracer = provider(resource("test"), &config).unwrap().tracer("test");
        let log = EnvFilter::try_new(&config.log).unwrap();
        with_default(subscriber(log, written.clone(), tracer), work);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn text<'a>(line: &'a Value, name: &str) -> &'a str {
        line[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {line}"))
    }

    #[test]
    fn a_line_says_when_where_and_what() {
        let error = std::io::Error::other("the disk is full");
        let lines = lines("info", || {
            tracing::warn!(
                count = 3,
                ok = false,
                error = &error as &dyn std::error::Error,
                "lost"
            );
        });
        let [line] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        assert_eq!(text(line, "level"), "WARN");
        assert_eq!(text(line, "target"), "service_runtime::telemetry::tests");
        assert_eq!(text(line, "message"), "lost");
        let fields = json!({"count": 3, "ok": false, "error": "the disk is full"});
        assert_eq!(line["fields"], fields);
        let timestamp = text(line, "timestamp");
        assert!(
            timestamp.ends_with('Z') && timestamp.contains('T'),
            "{timestamp}"
        );
        assert_eq!(
            line.get("trace_id"),
            None,
            "there is no trace outside of spans"
        );
    }

    #[test]
    fn lines_in_a_request_carry_its_trace_and_its_id() {
        let header = format!("00-{TRACE_ID}-{SPAN_ID}-01");
        let lines = lines("info", || {
            let request = info_span!("http.request", request_id = "r-1");
            continue_trace(&request, Some(&header));
            request.in_scope(|| {
                tracing::info!("outer");
                info_span!("store.append").in_scope(|| tracing::info!("inner"));
            });
        });
        let [outer, inner] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        for line in [outer, inner] {
            assert_eq!(text(line, "trace_id"), TRACE_ID);
            assert_eq!(text(line, "request_id"), "r-1");
            assert_ne!(text(line, "span_id"), SPAN_ID);
        }
        assert_ne!(text(outer, "span_id"), text(inner, "span_id"));
    }

    #[test]
    fn a_line_keeps_its_trace_where_spans_are_not_logged() {
        let lines = lines("error", || {
            info_span!("http.request", request_id = "r-1").in_scope(|| {
                tracing::info!("not written");
                tracing::error!("written");
            });
        });
        let [line] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        assert_eq!(text(line, "message"), "written");
        assert_eq!(text(line, "request_id"), "r-1");
        assert_eq!(text(line, "trace_id").len(), 32);
    }

    #[test]
    fn the_traceparent_handed_on_is_that_of_the_current_span() {
        for (sampled, header) in [("01", Some(SPAN_ID)), ("00", Some(SPAN_ID)), ("00", None)] {
            let header = header.map(|id| format!("00-{TRACE_ID}-{id}-{sampled}"));
            let lines = lines("info", || {
                let request = info_span!("http.request");
                continue_trace(&request, header.as_deref());
                request.in_scope(|| tracing::info!(handed_on = traceparent(), "sent"));
            });
            let [line] = lines.as_slice() else {
                panic!("{lines:?}")
            };
            let (trace_id, span_id) = (text(line, "trace_id"), text(line, "span_id"));
            let expected = format!("00-{trace_id}-{span_id}-{sampled}");
            assert_eq!(line["fields"]["handed_on"], expected);
            assert_eq!(trace_id == TRACE_ID, header.is_some());
        }
    }

    #[test]
    fn a_malformed_header_begins_a_trace_of_its_own() {
        let lines = lines("info", || {
            let request = info_span!("http.request");
            continue_trace(&request, Some("00-not-a-trace-01"));
            request.in_scope(|| tracing::info!("begun"));
        });
        let [line] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        assert_eq!(text(line, "trace_id").len(), 32);
    }

    #[test]
    fn what_carries_the_traces_is_not_traced() {
        let lines = lines("trace", || {
            let ours = info_span!(target: "h2_ours::x", "ours");
            ours.in_scope(|| tracing::info!("ours"));
            let theirs = info_span!(target: "h2::client", "theirs");
            theirs.in_scope(|| tracing::info!("theirs"));
        });
        let [ours, theirs] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        assert!(ours.get("trace_id").is_some());
        assert_eq!(theirs.get("trace_id"), None);
    }

    #[test]
    fn metrics_go_where_traces_go_if_no_other_collector_is_named() {
        let (all, other) = ("http://127.0.0.1:4317", "http://127.0.0.1:9");
        let read = |mut reader: Reader| reader.read::<TelemetryConfig>().unwrap();
        let neither = read(Reader::of([]));
        assert_eq!(neither.otlp_metrics_endpoint, None);
        let both = read(Reader::of([("OTEL_EXPORTER_OTLP_ENDPOINT", all)]));
        assert_eq!(both.otlp_metrics_endpoint.as_deref(), Some(all));
        let apart = read(Reader::of([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", all),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", other),
        ]));
        assert_eq!(apart.otlp_endpoint.as_deref(), Some(all));
        assert_eq!(apart.otlp_metrics_endpoint.as_deref(), Some(other));
    }

    #[test]
    fn what_cannot_be_used_is_a_fault() {
        let mut reader = Reader::of([
            ("ATLAS_LOG", "info,=,nonsense=loud"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
        ]);
        let faults = reader.read::<TelemetryConfig>().unwrap_err().to_string();
        for name in ["ATLAS_LOG", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
            assert!(
                faults.contains(&format!("{name} cannot be read")),
                "{faults}"
            );
        }
    }
}
