//! A commission seen as one trace: a collector in this process is sent the spans of all the others,
//! and their metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Text;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{NumberDataPoint, ResourceMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use reqwest::{Client, Method};
use test_support::eventually;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, async_trait};

use crate::commission::{Party, placement};
use crate::kafka;
use crate::system::{App, System};

/// Spans go out every five seconds, metrics every one.
const BOUND: Duration = Duration::from_secs(60);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// What was sent: each span with the name of its process, and the metrics of each process as it sent
/// them last.
#[derive(Clone, Default)]
struct Collector(
    Arc<Mutex<Vec<(String, Span)>>>,
    Arc<Mutex<BTreeMap<String, ResourceMetrics>>>,
);

/// An attribute of a process: its name, or which one of that name it is.
fn attribute(resource: Option<&Resource>, key: &str) -> String {
    let attributes = resource.iter().flat_map(|it| &it.attributes);
    attributes
        .filter(|attribute| attribute.key == key)
        .map(|attribute| format!("{:?}", attribute.value))
        .collect()
}

#[async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut last = self.1.lock().unwrap();
        for of_one in request.into_inner().resource_metrics {
            let instance = attribute(of_one.resource.as_ref(), "service.instance.id");
            last.insert(instance, of_one);
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().unwrap();
        for from_one in request.into_inner().resource_spans {
            let process = attribute(from_one.resource.as_ref(), "service.name");
            let scopes = from_one.scope_spans.into_iter();
            spans.extend(
                scopes
                    .flat_map(|it| it.spans)
                    .map(|it| (process.clone(), it)),
            );
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = tonic::service::Routes::new(TraceServiceServer::new(self.clone()))
            .add_service(MetricsServiceServer::new(self.clone()));
        tokio::spawn(async move { axum::serve(listener, routes.into_axum_router()).await });
        url
    }

    /// Every series that processes of this name have sent, but for the bounds of buckets: with the
    /// number that it has, or how many values it counts.
    fn series(&self, process: &str) -> Vec<BTreeMap<String, f64>> {
        let last = self.1.lock().unwrap();
        let of_name = last
            .values()
            .filter(|of_one| attribute(of_one.resource.as_ref(), "service.name").contains(process));
        of_name.map(series).collect()
    }

    /// The names of the spans in a trace, each with its processes.
    fn names(&self, trace: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (process, span) in &*self.0.lock().unwrap() {
            if hex(&span.trace_id) == trace {
                let processes = names.entry(span.name.clone()).or_default();
                processes.insert(process.clone());
            }
        }
        names
    }

    /// Whether a span of this name links to the trace.
    fn links(&self, name: &str, trace: &str) -> bool {
        let spans = self.0.lock().unwrap();
        let mut named = spans.iter().filter(|(_, span)| span.name == name);
        named.any(|(_, span)| span.links.iter().any(|link| hex(&link.trace_id) == trace))
    }
}

/// The series of one process, written as Prometheus has them.
fn series(of_one: &ResourceMetrics) -> BTreeMap<String, f64> {
    let mut series = BTreeMap::new();
    let metrics = of_one.scope_metrics.iter().flat_map(|scope| &scope.metrics);
    for metric in metrics {
        let (points, suffix): (Vec<_>, _) = match metric.data.as_ref().unwrap() {
            Data::Gauge(gauge) => (gauge.data_points.iter().map(number).collect(), ""),
            Data::Sum(sum) => {
                assert!(
                    sum.is_monotonic && sum.aggregation_temporality == 2,
                    "{sum:?}"
                );
                (sum.data_points.iter().map(number).collect(), "")
            }
            Data::Histogram(histogram) => {
                let counted = histogram.data_points.iter().map(|point| {
                    let in_buckets: u64 = point.bucket_counts.iter().sum();
                    assert_eq!(in_buckets, point.count, "{point:?}");
                    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                    (
                        &point.attributes,
                        f64::from(u32::try_from(point.count).unwrap()),
                    )
                });
                (counted.collect(), "_count")
            }
            Data::ExponentialHistogram(_) | Data::Summary(_) => panic!("{metric:?}"),
        };
        for (attributes, value) in points {
            let labels: Vec<String> = attributes
                .iter()
                .map(|it| match it.value.clone().and_then(|it| it.value) {
                    Some(Text::StringValue(text)) => format!("{}={text:?}", it.key),
                    other => panic!("{other:?}"),
                })
                .collect();
            let labels = match labels.as_slice() {
                [] => String::new(),
                labels => format!("{{{}}}", labels.join(",")),
            };
            series.insert(format!("{}{suffix}{labels}", metric.name), value);
        }
    }
    series
}

fn number(point: &NumberDataPoint) -> (&Vec<KeyValue>, f64) {
    match point.value {
        Some(Number::AsDouble(value)) => (&point.attributes, value),
        other => panic!("{other:?}"),
    }
}

/// The series that a process serves, the same way.
async fn served(app: &App) -> BTreeMap<String, f64> {
    let text = reqwest::get(app.url("/metrics")).await.unwrap();
    let text = text.text().await.unwrap();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter(|line| !line.contains("_bucket{") && !line.contains("_sum"))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_goes_from_the_request_over_kafka_to_the_award() {
    let collector = Collector::default();
    let url = collector.listen().await;
    let broker = kafka::start().await;
    let system = System::start_with(
        &broker.address(),
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
        ],
    )
    .await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let workshop = Party::new("workshop", &client);
    let commissioner = Party::new("commissioner", &client);
    let app = &system.commands[0];
    operator
        .register(app, std::slice::from_ref(&workshop))
        .await;
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", traceparent.as_str())];
    let body = placement(&[workshop.id]);
    let placed = commissioner.send(app, Method::POST, "/v1/orders", &headers, &body);
    placed.await.unwrap().ok();

    let wanted = ["POST /v1/orders", "relay.publish", "bonus.award"];
    eventually("the whole trace", BOUND, async || {
        let names = collector.names(TRACE);
        let links = collector.links("relay.send", TRACE) && collector.links("bonus.handle", TRACE);
        if links && wanted.iter().all(|name| names.contains_key(*name)) {
            Ok(())
        } else {
            Err(format!("links: {links}, spans: {names:?}"))
        }
    })
    .await;
    let names = collector.names(TRACE);
    assert!(
        !names.contains_key("relay.send"),
        "a batch has a trace of its own: {names:?}"
    );

    // What is exported is what is served: the same series, and once nothing happens the same numbers.
    let is_still = |series: &str| !series.contains("_seconds") || series.contains("/v1/orders");
    for (name, app, number) in [
        ("command-api", &system.commands[0], 2),
        ("projector", &system.projector, 1),
    ] {
        eventually("the metrics", BOUND, async || {
            let mut served = served(app).await;
            served.retain(|series, _| is_still(series));
            let mut exported = collector.series(name);
            for series in &mut exported {
                series.retain(|series, _| is_still(series));
            }
            if exported.len() == number && exported.contains(&served) {
                Ok(())
            } else {
                Err(format!("served {served:?}, exported {exported:?}"))
            }
        })
        .await;
    }
}
