//! schemathesis against both running APIs, as each role, with the ids of a prepared database: the
//! OpenAPI documents say what is answered, and nothing else is.

mod exclusions;
mod prepared;
mod report;
mod run;

use std::time::Duration;

use dev_servers::{Process, Signal};
use test_support::eventually;

use self::exclusions::EXCLUSIONS;
use self::prepared::Prepared;
use self::report::{CHECKS, Tally};
use self::run::{Api, Run};
use crate::system::{System, state_folder, target_folder};

/// Every role of the projector that an order passes through.
const WITHOUT_ACTS: &[&str] = &["run", "--only", "read-models,relay,bonus"];
const ROLES: [&str; 4] = ["commissioner", "workshop", "operator", "analyst"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_one_that_the_documents_describe() {
    let (_broker, brokers) = start_broker("schemathesis").await;
    let variables = [
        // Limits that nobody reaches, and that every answer tells of.
        ("ATLAS_RATE_PLACE_PER_MINUTE", "1000000"),
        ("ATLAS_RATE_PLACE_BURST", "1000000"),
        ("ATLAS_RATE_ALL_PER_MINUTE", "1000000"),
        // Positions that are not reached are among what is asked for.
        ("ATLAS_MIN_POSITION_WAIT_MS", "20"),
    ];
    let mut system = System::start_with(&brokers, &variables).await;
    // What is asked for is read, and not carried out: it would change what others are asked.
    system.projector.kill();
    system.projector = system.another_projector().with_arguments(WITHOUT_ACTS);
    system.projector.start();
    system.projector.until(true).await;
    let prepared = Prepared::make(&system).await;

    let mut tally = Tally::default();
    for role in ROLES {
        let commands = Run::of(Api::Command, &system.commands[0], role, &prepared);
        let queries = Run::of(Api::Query, &system.query, role, &prepared);
        let (commands, queries) = tokio::join!(commands.finish(), queries.finish());
        for report in [commands, queries] {
            tally.add(&report);
        }
    }
    println!("{tally}");
    assert_eq!(tally.checks(), CHECKS);
    assert_eq!(
        tally.findings(),
        "",
        "schemathesis found what is not excluded"
    );
    for (exclusion, used) in EXCLUSIONS.iter().zip(tally.used()) {
        assert!(
            used > 0 || exclusion.rare,
            "an exclusion that nothing needs: {}",
            exclusion.reason
        );
    }
    assert_eq!(
        tally.never_succeeded(),
        [""; 0],
        "operations that nobody got through"
    );
}

/// The broker in memory, for awards: what is read of accounts is to be there.
pub(crate) async fn start_broker(scenario: &str) -> (Process, String) {
    let folder = state_folder().join("scenarios");
    std::fs::create_dir_all(&folder).unwrap();
    let log = folder.join(format!("dev-broker-{scenario}-{}.log", std::process::id()));
    let command = std::process::Command::new(target_folder().join("dev-broker"));
    let broker = Process::spawn("dev-broker", command, &log, Signal::KILL).unwrap();
    let address = eventually("the broker", Duration::from_secs(20), || async {
        let said = broker.last_log_lines(usize::MAX);
        let mut lines = said.lines();
        let address = lines.find_map(|line| line.strip_prefix("ready kafka="));
        address.map(str::to_owned).ok_or(said.clone())
    });
    let address = address.await;
    (broker, address)
}
