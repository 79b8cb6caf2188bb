//! A commission seen as one trace: a collector in this process is sent the spans of all the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use reqwest::{Client, Method};
use test_support::eventually;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, async_trait};

use crate::commission::{Party, placement};
use crate::kafka;
use crate::system::System;

/// Spans go out every five seconds.
const BOUND: Duration = Duration::from_secs(60);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// What was sent: each span with the name of its process.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().unwrap();
        for from_one in request.into_inner().resource_spans {
            let resource = from_one.resource.unwrap_or_default();
            let process = resource
                .attributes
                .iter()
                .find(|attribute| attribute.key == "service.name")
                .map(|attribute| format!("{:?}", attribute.value))
                .unwrap_or_default();
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
        let routes = tonic::service::Routes::new(TraceServiceServer::new(self.clone()));
        tokio::spawn(async move { axum::serve(listener, routes.into_axum_router()).await });
        url
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
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())],
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
}
