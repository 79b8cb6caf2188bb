//! A real Prometheus watches a real system: every panel of every dashboard has something to show,
//! alerts are silent while nothing is wrong and while processes are restarted, and the first dead letter
//! after that raises its own and no other.

use std::collections::BTreeSet;
use std::time::Duration;

use dev_servers::Signal;
use monitoring::dashboards;
use reqwest::Client;
use serde_json::Value;
use test_support::{TestPrometheus, eventually};

use crate::dead_letters::Message;
use crate::load::Load;
use crate::system::System;
use crate::{bounded, kafka};

/// Rules are evaluated every 15 s, some alerts wait a minute, and what a rate is of has to come twice.
const BOUND: Duration = Duration::from_secs(90);

/// Alerts that a machine with other things to do may raise by its slowness.
const OF_SPEED: [&str; 5] = [
    "AtlasAccountsLate",
    "AtlasAppendsSlow",
    "AtlasCommandsSlow",
    "AtlasKafkaStale",
    "AtlasReadModelsStale",
];

/// Who asks a Prometheus.
pub(crate) struct Watcher {
    prometheus: TestPrometheus,
    client: Client,
}

impl Watcher {
    async fn of(system: &System) -> Self {
        Self::through(TestPrometheus::watching(system.targets()).await)
    }

    pub(crate) fn through(prometheus: TestPrometheus) -> Self {
        Self {
            prometheus,
            client: Client::new(),
        }
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("{}{path}", self.prometheus.url());
        let url = reqwest::Url::parse_with_params(&url, query).unwrap();
        let answer: Value = self
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].clone()
    }

    /// How many series an expression has now whose value is a number.
    async fn numbers(&self, expression: &str) -> usize {
        let data = self.ask("/api/v1/query", &[("query", expression)]).await;
        let series = data["result"].as_array().unwrap().iter();
        series
            .filter(|one| one["value"][1] != "NaN" && one["value"][1].is_string())
            .count()
    }

    /// The alerts that are firing, those of speed left out, once every rule was evaluated without an error.
    async fn firing(&self) -> BTreeSet<String> {
        let mut firing = self.firing_at_all().await;
        firing.retain(|name| !OF_SPEED.contains(&name.as_str()));
        firing
    }

    /// The alerts that are firing, once every rule was evaluated without an error.
    pub(crate) async fn firing_at_all(&self) -> BTreeSet<String> {
        let rules = self.ask("/api/v1/rules", &[]).await;
        let groups = rules["groups"].as_array().unwrap();
        for rule in groups.iter().flat_map(|it| it["rules"].as_array().unwrap()) {
            assert_ne!(rule["health"], "err", "{rule}");
        }
        let alerts = self.ask("/api/v1/alerts", &[]).await;
        let alerts = alerts["alerts"].as_array().unwrap().iter();
        alerts
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_has_data_and_the_first_dead_letter_raises_its_alert_alone() {
    let broker = kafka::start().await;
    let mut system = System::start(&broker.address()).await;
    let asking = Watcher::of(&system).await;
    let load = Load::start(&system.commands, None, Duration::from_millis(300)).await;
    load.until(40).await;

    for dashboard in &dashboards::ALL {
        for panel in dashboard.panels {
            for (expression, _) in panel.queries {
                let what = format!("{}, {}: {expression}", dashboard.title, panel.title);
                eventually(&what, BOUND, async || {
                    match asking.numbers(expression).await {
                        0 => Err("nothing"),
                        _ => Ok(()),
                    }
                })
                .await;
            }
        }
    }
    load.stop().await;
    assert_eq!(asking.firing().await, BTreeSet::new());

    bounded::nothing_stays_of_what_others_make_up(&system, &broker.address()).await;
    let [first, second] = &mut system.commands;
    for app in [first, second, &mut system.query, &mut system.projector] {
        app.signal(Signal::TERM);
        app.ended().await;
        app.start();
        app.until(true).await;
        assert_eq!(asking.firing().await, BTreeSet::new());
    }
    let pool = system.database.pool_app().await;
    Message::good(1).lie_in(&pool, "nobody can handle it").await;
    let expected = BTreeSet::from(["AtlasDeadLetters".to_owned()]);
    eventually("the alert", BOUND, async || {
        let firing = asking.firing().await;
        if firing == expected {
            Ok(())
        } else {
            Err(format!("{firing:?}"))
        }
    })
    .await;
}
