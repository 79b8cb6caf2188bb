//! A Prometheus that watches a test's processes.

use std::path::PathBuf;

use dev_servers::{PrivatePrometheus, PrometheusOptions, reachable_folder, scratch_folder};

use crate::server::{blocking, chain, workspace};

/// A Prometheus with the rules of `deploy/prometheus`, which asks every second.
#[derive(Debug)]
pub struct TestPrometheus(PrivatePrometheus);

impl TestPrometheus {
    /// Starts one that asks these: the name of a job, and HOST:PORT.
    ///
    /// # Panics
    /// When none can be started; with the reason.
    pub async fn watching(targets: Vec<(String, String)>) -> Self {
        let rules = workspace().join("deploy/prometheus/rules");
        let rules = std::fs::read_dir(rules).into_iter().flatten().flatten();
        Self::watching_by(rules.map(|entry| entry.path()).collect(), targets).await
    }

    /// The same by rules of the test's own.
    ///
    /// # Panics
    /// When none can be started; with the reason.
    pub async fn watching_by(rules: Vec<PathBuf>, targets: Vec<(String, String)>) -> Self {
        let options = PrometheusOptions {
            folder: scratch_folder(&reachable_folder(&workspace().join("target/atlas/tests"))),
            rules,
            targets,
        };
        let started = blocking(move || PrivatePrometheus::start(&options)).await;
        Self(started.unwrap_or_else(|error| panic!("no Prometheus for a test: {}", chain(&error))))
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }
}
