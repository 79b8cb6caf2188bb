//! A commission in a real OpenTelemetry collector, and its log lines in a real OpenSearch.

mod soaked {
    //! `cargo xtask soak --only telemetry` builds and fetches both.

    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::Duration;

    use dev_servers::{Process, Signal, free_port, scratch_folder};
    use reqwest::{Client, Method};
    use serde_json::Value;
    use test_support::eventually;

    use crate::commission::{Party, placement};
    use crate::kafka;
    use crate::system::{System, state_folder};

    const BOUND: Duration = Duration::from_secs(90);
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const COLLECTOR: &str = "\
receivers: {otlp: {protocols: {grpc: {endpoint: \"127.0.0.1:PORT\"}}}}
processors: {batch: {}}
exporters: {debug: {verbosity: detailed}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [debug]}
    metrics: {receivers: [otlp], processors: [batch], exporters: [debug]}
";
    /// A node with the transport that answers HTTP, and no other plugin.
    const NODE: &str = r#"
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

public final class Search extends Node {
    private Search(Settings settings) {
        super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "atlas"),
            List.of(Netty4Plugin.class), false);
    }

    public static void main(String[] arguments) throws Exception {
        new Search(Settings.builder()
            .put("path.home", arguments[0])
            .put("http.port", arguments[1])
            .put("transport.port", arguments[2])
            .put("network.host", "127.0.0.1")
            .put("discovery.type", "single-node")
            .put("cluster.name", "atlas")
            .put("node.name", "one")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            .build()).start();
        Thread.currentThread().join();
    }
}
"#;

    fn fetched(name: &str) -> PathBuf {
        state_folder().join("telemetry").join(name)
    }

    /// A server of this test alone.
    struct Server {
        url: String,
        log: PathBuf,
        _process: Process,
    }

    impl Server {
        fn collector(folder: &std::path::Path) -> Self {
            let port = free_port().unwrap();
            let settings = folder.join("collector.yaml");
            fs::write(&settings, COLLECTOR.replace("PORT", &port.to_string())).unwrap();
            let mut command = Command::new(fetched("collector").join("built/otelcol"));
            command.arg("--config").arg(settings);
            Self::run("collector", command, folder, port)
        }

        fn opensearch(folder: &std::path::Path) -> Self {
            let (port, transport) = (free_port().unwrap(), free_port().unwrap());
            let source = folder.join("Search.java");
            fs::write(&source, NODE).unwrap();
            let mut command = Command::new("java");
            command
                .args(["-Xmx512m", "-cp"])
                .arg(fetched("opensearch").join("libs/*"))
                .arg(source)
                .arg(folder)
                .args([port.to_string(), transport.to_string()])
                .current_dir(folder);
            Self::run("opensearch", command, folder, port)
        }

        fn run(name: &str, command: Command, folder: &std::path::Path, port: u16) -> Self {
            let log = folder.join(format!("{name}.log"));
            Self {
                url: format!("http://127.0.0.1:{port}"),
                _process: Process::spawn(name, command, &log, Signal::KILL).unwrap(),
                log,
            }
        }

        fn log(&self) -> String {
            fs::read_to_string(&self.log).unwrap()
        }
    }

    /// Gives OpenSearch these lines, and finds those of the trace.
    async fn found(search: &Server, client: &Client, lines: &[String]) -> Vec<Value> {
        let action = "{\"index\":{}}";
        let bulk: String = lines
            .iter()
            .map(|line| format!("{action}\n{line}\n"))
            .collect();
        let url = format!("{}/atlas-logs", search.url);
        let sent = client
            .post(format!("{url}/_bulk?refresh=true"))
            .header("content-type", "application/x-ndjson")
            .body(bulk);
        let sent: Value = sent.send().await.unwrap().json().await.unwrap();
        assert_eq!(sent["errors"], false, "{sent}");
        let asked = client.get(format!("{url}/_search?size=100&q=trace_id:{TRACE}"));
        let answer: Value = asked.send().await.unwrap().json().await.unwrap();
        let hits = answer["hits"]["hits"].as_array().unwrap();
        hits.iter().map(|hit| hit["_source"].clone()).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_commission_is_a_trace_in_a_real_collector_and_its_lines_are_found_by_it() {
        let folder = scratch_folder(&state_folder().join("scenarios"));
        fs::create_dir_all(&folder).unwrap();
        let (collector, search) = (Server::collector(&folder), Server::opensearch(&folder));
        let client = Client::new();
        for server in [&collector, &search] {
            eventually("it to listen", BOUND, async || {
                let answered = client.get(&server.url).send().await;
                // A collector speaks HTTP/2 alone there, and closes the connection.
                match answered {
                    Err(error) if error.is_connect() => Err(server.log()),
                    Ok(_) | Err(_) => Ok(()),
                }
            })
            .await;
        }
        let broker = kafka::start().await;
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
        ];
        let system = System::start_with(&broker.address(), &variables).await;
        let operator = Party::new("operator", &client);
        let workshop = Party::new("workshop", &client);
        let commissioner = Party::new("commissioner", &client);
        let app = &system.commands[0];
        operator
            .register(app, std::slice::from_ref(&workshop))
            .await;
        let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
        let headers = [("traceparent", traceparent.as_str())];
        let body = placement(&[workshop.id]);
        let placed = commissioner.send(app, Method::POST, "/v1/orders", &headers, &body);
        placed.await.unwrap().ok();

        let wanted = ["POST /v1/orders", "relay.publish", "bonus.award"];
        eventually("the whole trace", BOUND, async || {
            let log = collector.log();
            let of_trace: Vec<&str> = log
                .split("\nSpan #")
                .filter(|span| span.contains(TRACE))
                .collect();
            let has = |name: &str| of_trace.iter().any(|span| span.contains(name));
            let metrics = log.contains("Name: atlas_http_request_seconds")
                && log.contains("Name: atlas_feed_lag_events");
            if wanted.iter().all(|name| has(name)) && metrics {
                Ok(())
            } else {
                Err(format!("{} spans, metrics: {metrics}", of_trace.len()))
            }
        })
        .await;

        let log = app.log();
        let lines: Vec<String> = log.lines().map(str::to_owned).collect();
        let found = found(&search, &client, &lines).await;
        assert!(
            found
                .iter()
                .any(|line| line["fields"]["route"] == "/v1/orders"),
            "{found:?}"
        );
        println!(
            "{} of {} log lines are found by their trace",
            found.len(),
            lines.len()
        );
    }
}
