//! What is seen of a request from outside: trace, log line, metrics.

use std::cell::RefCell;
use std::io::Write;

use axum::Router;
use axum::routing::get as route_get;
use http_edge::{Edge, Path, Principal, Problem};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tracing::Span;

use crate::app::{SUBJECT, bearer, edge, get, send, with_state};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn routes(edge: Edge) -> Router {
    let api = Router::new()
        .route(
            "/things/{n}",
            route_get(|_: Principal, _: Path<u32>| async { "thing" }),
        )
        .route(
            "/bug",
            route_get(async || Problem::internal("the reason of it all")),
        );
    edge.around(with_state(api), Router::new())
}

thread_local! {
    static SEEN: RefCell<Vec<Option<String>>> = const { RefCell::new(Vec::new()) };
}

fn remember(_: &Span, traceparent: Option<&str>) {
    SEEN.with_borrow_mut(|seen| seen.push(traceparent.map(str::to_owned)));
}

#[tokio::test]
async fn the_callers_trace_is_handed_over_once_and_only_if_there_is_one() {
    let app = routes(Edge {
        continue_trace: remember,
        ..edge()
    });
    let with = |values: &[&str]| {
        values
            .iter()
            .fold(get("/bug"), |r, value| r.header("traceparent", *value))
    };
    for values in [&[TRACEPARENT][..], &[], &[TRACEPARENT, TRACEPARENT]] {
        send(&app, with(values)).await;
    }
    let seen = SEEN.with_borrow(Clone::clone);
    assert_eq!(seen, [Some(TRACEPARENT.to_owned()), None, None]);
}

thread_local! {
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the test of this thread. One subscriber serves all tests of this binary: with one a
/// test, whichever thread meets a log statement first decides for the others whether it is of
/// interest.
struct ThisThread;

impl Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.with_borrow_mut(|written| written.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn written() -> Vec<Value> {
    let text = String::from_utf8(WRITTEN.take()).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn each_request_is_one_line_in_its_span() {
    tracing_subscriber::fmt()
        .json()
        .with_writer(|| ThisThread)
        .init();
    let app = routes(edge());
    let thing = get("/things/5").header("authorization", bearer("analyst"));
    send(&app, thing.header("x-request-id", "r-1")).await;
    send(&app, get("/bug")).await;

    let lines = written();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let (answered, failed) = (&lines[0], &lines[1]);
    assert_eq!(answered["level"], "INFO");
    assert_eq!(answered["fields"]["status"], 200);
    let span = &answered["span"];
    assert_eq!(span["name"], "http.request");
    assert_eq!(span["http.route"], "/things/{n}");
    assert_eq!(span["http.request.method"], "GET");
    assert_eq!(span["request_id"], "r-1");
    assert_eq!(span["actor"], format!("analyst:{SUBJECT}"));
    assert_eq!(span["http.response.status_code"], 200);

    assert_eq!(failed["level"], "ERROR");
    assert_eq!(failed["fields"]["code"], "INTERNAL");
    assert_eq!(failed["fields"]["cause"], "the reason of it all");
}

#[test]
fn each_request_is_timed_by_method_route_and_status() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let app = routes(edge());
            for path in ["/things/5", "/things/6", "/bug", "/nowhere"] {
                send(&app, get(path)).await;
            }
        });
    });
    let text = recorder.handle().render();
    for line in [
        r#"atlas_http_request_seconds_count{method="GET",route="/things/{n}",status="4xx"} 2"#,
        r#"atlas_http_request_seconds_count{method="GET",route="/bug",status="5xx"} 1"#,
        r#"atlas_http_request_seconds_count{method="GET",route="(none)",status="4xx"} 1"#,
        r#"atlas_http_failures_total{code="INTERNAL"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}
