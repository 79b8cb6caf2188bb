//! `test`: every test of the workspace, on servers of its own.

use std::fmt;
use std::time::Instant;

use clap::Args;
use dev_servers::Port;
use dev_servers::packages::{self, Need};

use crate::build;
use crate::command::{self, step};
use crate::database;
use crate::failure::{self, Failure};
use crate::kafka;
use crate::python;
use crate::web;

/// What the scenarios ask our APIs with; they find it under `target/atlas`.
const SCHEMATHESIS: &str = include_str!("../../crates/scenarios/schemathesis.txt");

/// What a stranger reads our topics with; the scenarios find it there too.
const CONSUMER: &str = include_str!("../../crates/scenarios/consumer.txt");

/// What analysts' tools are tried with; the projector's tests find it there too.
const ANALYTICS: &str = include_str!("../../apps/projector/tests/it/analytics/requirements.txt");

/// What the modules of tests are called that take minutes.
const LONG: &str = "soaked::";

/// Which tests to run.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// What to hand on to the tests: a part of their names, or options of the test harness.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// Whether scenarios run at their whole size, and those that take minutes: `soak` has the time.
    #[arg(skip)]
    whole: bool,
}

impl Options {
    /// The tests whose names contain one of these.
    pub(crate) fn named(names: &[&str]) -> Self {
        Self {
            arguments: names.iter().map(|name| (*name).to_owned()).collect(),
            whole: false,
        }
    }

    /// The same, at their whole size.
    pub(crate) fn whole(self) -> Self {
        Self {
            whole: true,
            ..self
        }
    }
}

/// Everything that the tests need from the machine, asked for at once.
pub(crate) const NEEDS: [Need; 11] = [
    Need::Compilers,
    Need::Postgres,
    Need::IsolationTester,
    Need::Kafka,
    Need::Redis,
    Need::PgBouncer,
    Need::Nginx,
    Need::Curl,
    Need::Prometheus,
    Need::Chromium,
    Need::Python,
];

/// Installs what is missing, builds once, starts the servers and runs the tests against them. The
/// last line of standard output is the total.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let start = Instant::now();
    packages::ensure(&NEEDS)?;
    step(
        "install schemathesis",
        "it asks our APIs for anything",
        || python::environment("schemathesis", SCHEMATHESIS).map(drop),
    )?;
    step(
        "install kafka-python",
        "a stranger reads our topics by the documents",
        || python::environment("consumer", CONSUMER).map(drop),
    )?;
    web::build_for_tests()?;
    step(
        "install psycopg, pandas and others",
        "analysts' tools read our views",
        || python::environment("analytics", ANALYTICS).map(drop),
    )?;
    build::programs_and_tests()?;
    let postgres = database::start(None, Port::Free)?;
    let kafka = kafka::start()?;
    let mut total = Total::default();
    let outcome = step("run tests", "twenty minutes or so, if all of them", || {
        let mut cargo = command::cargo();
        cargo
            .args(["test", "--workspace", "--no-fail-fast", "--"])
            .args(
                (!options.whole)
                    .then_some(["--skip", LONG])
                    .iter()
                    .flatten(),
            )
            .args(&options.arguments)
            .env("SQLX_OFFLINE", "true")
            .env("ATLAS_TEST_POSTGRES", postgres.superuser_url())
            .env("ATLAS_TEST_KAFKA", kafka.address());
        if options.whole {
            cargo.env("ATLAS_TEST_WHOLE", "1");
        }
        command::run_with(cargo, |line| total.add(line))
    });
    for name in &total.failures {
        eprintln!("failed: {name}");
    }
    if let Err(failure) = &outcome {
        eprintln!("xtask: {}", failure::chain(failure));
    }
    eprintln!("== test: {:.1} min", start.elapsed().as_secs_f64() / 60.0);
    println!("{total}");
    outcome.map_err(|_| Failure::Told)
}

/// What all test programs come to.
#[derive(Debug, Default)]
struct Total {
    passed: u64,
    failed: u64,
    /// The names of those that failed.
    failures: Vec<String>,
}

impl Total {
    /// Takes a line of a test program's output into account.
    fn add(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            let count = |word: &str| {
                let before = result.split(word).next().unwrap_or_default();
                let number = before.rsplit([' ', '.']).find(|part| !part.is_empty());
                number.and_then(|number| number.parse().ok()).unwrap_or(0)
            };
            self.passed += count(" passed");
            self.failed += count(" failed");
        } else if let Some(name) = line.strip_prefix("test ")
            && let Some(name) = name.strip_suffix(" ... FAILED")
        {
            self.failures.push(name.to_owned());
        }
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_over_all_programs() {
        let mut total = Total::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 47 filtered out; \
             finished in 40.82s",
            "test result: ok. 8 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
             finished in 0.01s",
        ] {
            total.add(line);
        }
        assert_eq!(total.to_string(), "20 passed, 1 failed");
        assert_eq!(total.failures, ["a::c"]);
    }
}
