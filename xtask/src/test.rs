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

/// How often a test that failed among the others must pass alone. Some hold a bound of time that a
/// busy machine breaks; one that fails here is wrong whoever runs beside it.
const ALONE: u32 = 3;

/// Of at most so many the company can be the reason; where more fail, something is broken.
const UNSTEADY: usize = 3;

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
    let tests = |arguments: &[&str]| {
        let mut cargo = command::cargo();
        cargo
            .args(["test", "--workspace", "--no-fail-fast", "--"])
            .args(arguments)
            .env("SQLX_OFFLINE", "true")
            .env("ATLAS_TEST_POSTGRES", postgres.superuser_url())
            .env("ATLAS_TEST_KAFKA", kafka.address());
        if options.whole {
            cargo.env("ATLAS_TEST_WHOLE", "1");
        }
        cargo
    };
    let mut total = Total::default();
    let outcome = step("run tests", "twenty minutes or so, if all of them", || {
        let mut cargo = tests(if options.whole {
            &[]
        } else {
            &["--skip", LONG]
        });
        cargo.args(&options.arguments);
        command::run_with(cargo, |line| total.add(line))
    });
    let outcome = outcome.or_else(|failure| {
        let everything = options.arguments.is_empty() && !options.whole;
        if !everything || !total.may_be_the_company() {
            return Err(failure);
        }
        for time in 1..=ALONE {
            let name = format!("run alone what failed ({time} of {ALONE})");
            step(&name, "must pass each time", || {
                let mut cargo = tests(&["--exact", "--test-threads", "1"]);
                cargo.args(&total.failures);
                let mut alone = Total::default();
                command::run_with(cargo, |line| alone.add(line))?;
                alone.is_all_of(&total)
            })?;
        }
        total.excuse();
        Ok(())
    });
    for name in &total.unsteady {
        eprintln!("unsteady: {name} failed among the others, and passed {ALONE} times alone");
    }
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
    /// The names of those that failed, and passed alone.
    unsteady: Vec<String>,
    /// How many programs began.
    began: u64,
    /// How many of these ended.
    ended: u64,
}

impl Total {
    /// Takes a line of a test program's output into account.
    fn add(&mut self, line: &str) {
        if line.starts_with("running ") && line.trim_end_matches('s').ends_with(" test") {
            self.began += 1;
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.ended += 1;
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

    /// Whether what failed can be asked for again by name: few tests, no example of the documentation,
    /// and no program that died.
    fn may_be_the_company(&self) -> bool {
        let count = self.failures.len();
        (1..=UNSTEADY).contains(&count)
            && self.failed == count as u64
            && self.began == self.ended
            && !self.failures.iter().any(|name| name.contains(" - "))
    }

    /// Whether this run had the programs of the other, and passed what failed there: a name that no
    /// program knows passes too.
    fn is_all_of(&self, other: &Self) -> Result<(), Failure> {
        let asked = other.failures.len() as u64;
        if self.began == other.began && self.passed >= asked {
            return Ok(());
        }
        let (began, passed) = (self.began, self.passed);
        eprintln!(
            "{began} programs began and {passed} tests passed, where {} and {asked} were to",
            other.began
        );
        Err(Failure::Told)
    }

    /// Takes what failed as passed.
    fn excuse(&mut self) {
        self.passed += self.failed;
        self.failed = 0;
        self.unsteady.append(&mut self.failures);
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

    /// What is printed by test programs with these tests that failed.
    fn total(names: &[&str], more: &[&str]) -> Total {
        let mut total = Total::default();
        total.add("running 3 tests");
        for name in names {
            total.add(&format!("test {name} ... FAILED"));
        }
        total.add(&format!(
            "test result: FAILED. 2 passed; {} failed",
            names.len()
        ));
        more.iter().for_each(|line| total.add(line));
        total
    }

    #[test]
    fn few_tests_are_asked_again() {
        assert!(
            total(
                &["a::b", "a::c"],
                &["running 1 test", "test result: ok. 1 passed; 0 failed"]
            )
            .may_be_the_company()
        );
        assert!(!total(&[], &[]).may_be_the_company());
        assert!(!total(&["a", "b", "c", "d"], &[]).may_be_the_company());
    }

    #[test]
    fn neither_a_dead_program_nor_an_example_is_asked_again() {
        assert!(!total(&["a::b"], &["running 1 test"]).may_be_the_company());
        assert!(!total(&["src/a.rs - a (line 3)"], &[]).may_be_the_company());
    }

    #[test]
    fn alone_is_a_run_of_the_same_programs() {
        let among_others = total(
            &["a::b"],
            &["running 1 test", "test result: ok. 1 passed; 0 failed"],
        );
        let mut alone = Total::default();
        for line in ["running 1 test", "test result: ok. 1 passed; 0 failed"] {
            alone.add(line);
        }
        assert!(alone.is_all_of(&among_others).is_err());
        alone.add("running 0 tests");
        assert!(alone.is_all_of(&among_others).is_ok());
        alone.passed = 0;
        assert!(alone.is_all_of(&among_others).is_err());
    }

    #[test]
    fn what_passed_alone_is_named_and_counts() {
        let mut total = total(&["a::b"], &[]);
        total.excuse();
        assert_eq!(total.to_string(), "3 passed, 0 failed");
        assert_eq!(total.unsteady, ["a::b"]);
    }
}
