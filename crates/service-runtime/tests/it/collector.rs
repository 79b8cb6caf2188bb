//! Traces arrive at a collector.

use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use service_runtime::{Telemetry, TelemetryConfig, continue_trace};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, async_trait};
use tracing::info_span;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).unwrap();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn collector() -> (
    SocketAddr,
    mpsc::UnboundedReceiver<ExportTraceServiceRequest>,
) {
    let (sender, received) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = tonic::service::Routes::new(TraceServiceServer::new(Collector(sender)));
    tokio::spawn(async move { axum::serve(listener, router.into_axum_router()).await });
    (address, received)
}

/// The only test of this binary that starts telemetry, which a process does once.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_arrives_before_the_process_ends() {
    let (address, mut received) = collector().await;
    let config = TelemetryConfig {
        log: "off".to_owned(),
        otlp_endpoint: Some(format!("http://{address}")),
        otlp_metrics_endpoint: None,
        metrics_interval: Duration::from_secs(60),
    };
    let telemetry = Telemetry::start("traced", &config).unwrap();
    let request = info_span!(
        "http.request",
        otel.name = "GET /things",
        request_id = "r-1"
    );
    continue_trace(&request, Some(TRACEPARENT));
    request.in_scope(|| drop(info_span!("store.load")));
    drop(request);
    telemetry.stop().await;

    let bound = Duration::from_secs(5);
    let exported = tokio::time::timeout(bound, received.recv())
        .await
        .unwrap()
        .unwrap();
    let [resource_spans] = exported.resource_spans.as_slice() else {
        panic!("{exported:?}")
    };
    let resource = format!("{:?}", resource_spans.resource);
    assert!(
        resource.contains("service.name") && resource.contains("traced"),
        "{resource}"
    );
    let mut spans: Vec<_> = resource_spans
        .scope_spans
        .iter()
        .flat_map(|scope| &scope.spans)
        .map(|span| {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            (
                span.name.as_str(),
                hex(&span.trace_id),
                hex(&span.parent_span_id),
                hex(&span.span_id),
            )
        })
        .collect();
    spans.sort_unstable();
    let [request, load] = spans.as_slice() else {
        panic!("{spans:?}")
    };
    assert_eq!((request.0, load.0), ("GET /things", "store.load"));
    assert_eq!(request.1, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(load.1, request.1);
    assert_eq!(
        request.2, "b7ad6b7169203331",
        "the caller's span is the parent"
    );
    assert_eq!(load.2, request.3);
}
