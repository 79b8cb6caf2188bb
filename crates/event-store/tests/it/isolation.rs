//! Every interleaving on the real server: PostgreSQL's own isolationtester runs the specs in
//! `tests/isolation` in all schedules of their sessions' steps, each time with a verdict. Beside
//! each spec stands one that does it wrong, and must be found out: a judge that sees nothing would
//! call everything fine.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::{TestDatabase, isolation_tester};

const FINE: &str = "fine";

/// What came of all schedules of a spec.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    schedules: u64,
    verdicts: BTreeMap<String, u64>,
}

impl Tally {
    /// Reads what isolationtester printed. Each schedule has one verdict.
    fn of(output: &str) -> Self {
        let mut tally = Self::default();
        for schedule in output.split("starting permutation: ").skip(1) {
            let mut verdicts = schedule
                .lines()
                .filter_map(|line| line.strip_prefix("verdict: "));
            let verdict = verdicts.next().map(str::trim_end);
            assert!(
                verdict.is_some() && verdicts.next().is_none(),
                "not one verdict: {schedule}"
            );
            tally.schedules += 1;
            *tally
                .verdicts
                .entry(verdict.unwrap_or_default().to_owned())
                .or_default() += 1;
        }
        tally
    }

    fn count(&self, verdict: &str) -> u64 {
        self.verdicts.get(verdict).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} schedules", self.schedules)?;
        for (verdict, count) in &self.verdicts {
            write!(f, ", {count} {verdict}")?;
        }
        Ok(())
    }
}

/// In how many orders the steps of a spec's sessions can be run.
fn schedules(spec: &str) -> u64 {
    let mut orders = 1;
    let mut all = 0;
    let mut in_session = 0;
    for line in spec.lines() {
        if line.starts_with("session ") {
            in_session = 0;
        } else if line.starts_with("step ") {
            // The binomial coefficient of all steps so far over those of this session.
            all += 1;
            in_session += 1;
            orders = orders * all / in_session;
        }
    }
    orders
}

fn specs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isolation")
}

/// Runs all schedules of a spec in a database of its own.
async fn run(name: &str) -> Tally {
    let database = TestDatabase::create().await;
    let scratch = fs::read_to_string(specs().join("scratch.sql")).unwrap();
    let superuser = database.pool_superuser().await;
    sqlx::raw_sql(&scratch).execute(&superuser).await.unwrap();
    superuser.close().await;

    let file = specs().join(format!("{name}.spec"));
    let output = Command::new(isolation_tester())
        .arg(database.url_superuser())
        .env("PGOPTIONS", "-c synchronous_commit=off")
        .stdin(File::open(&file).unwrap())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = printed.rsplit("starting permutation: ").next();
    assert!(
        output.status.success(),
        "{name}: {complaint}\n{}",
        last.unwrap_or_default()
    );
    let tally = Tally::of(&printed);
    // Past the capture of the test harness: the counts are to be seen when all is well, too.
    let mut seen_by_all = io::stderr();
    writeln!(seen_by_all, "isolation {name}: {tally}").unwrap();
    assert_eq!(
        tally.schedules,
        schedules(&fs::read_to_string(&file).unwrap())
    );
    tally
}

async fn never_goes_wrong(name: &str) {
    let tally = run(name).await;
    assert_eq!(tally.count(FINE), tally.schedules, "{name}: {tally}");
}

async fn goes_wrong(name: &str, verdict: &str) {
    let tally = run(name).await;
    assert!(tally.count(verdict) > 0, "{name}: {tally}");
    assert_eq!(
        tally.count(FINE) + tally.count(verdict),
        tally.schedules,
        "{name}: {tally}"
    );
}

#[tokio::test]
async fn a_reader_by_the_watermark_sees_every_append() {
    never_goes_wrong("appends_and_a_reader").await;
    goes_wrong("appends_and_a_reader_by_position", "an event was lost").await;
    goes_wrong(
        "appends_and_a_reader_with_an_old_snapshot",
        "an event was lost",
    )
    .await;
}

#[tokio::test]
async fn announcing_drawing_and_looking_are_in_the_right_order() {
    never_goes_wrong("statements_of_an_append").await;
    goes_wrong("statements_of_an_append_locks_first", "an event was lost").await;
    goes_wrong(
        "statements_of_an_append_announced_late",
        "an event was lost",
    )
    .await;
}

#[tokio::test]
async fn one_of_two_appends_to_a_version_is_done() {
    never_goes_wrong("append_and_append_many_on_one_stream").await;
    goes_wrong(
        "append_and_append_many_on_one_stream_unchecked",
        "more than one was done",
    )
    .await;
}

#[tokio::test]
async fn what_is_asked_with_one_key_is_done_once() {
    never_goes_wrong("append_and_append_many_on_one_key").await;
    goes_wrong(
        "append_and_append_many_on_one_key_looked_up",
        "more than one was done",
    )
    .await;
}

#[tokio::test]
async fn an_owner_that_stalled_moves_nothing() {
    never_goes_wrong("lease_taken_over").await;
    goes_wrong("lease_taken_over_without_epoch", "an event was seen twice").await;
}

#[tokio::test]
async fn one_change_of_history_opens_one_generation() {
    never_goes_wrong("generation_changes").await;
    goes_wrong(
        "generation_changes_not_looked_at_again",
        "more than one was opened",
    )
    .await;
}

#[tokio::test]
async fn a_read_model_is_swapped_under_its_readers() {
    never_goes_wrong("read_model_swap").await;
    goes_wrong(
        "read_model_swap_in_two_snapshots",
        "an answer was not whole",
    )
    .await;
    goes_wrong(
        "read_model_swap_without_hold",
        "an answer was older than the one before",
    )
    .await;
}

#[test]
fn every_spec_is_run() {
    let this = include_str!("isolation.rs");
    for entry in fs::read_dir(specs()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_spec = path.extension().is_some_and(|each| each == "spec");
        assert!(
            !is_spec || this.contains(&format!("\"{name}\"")),
            "{name} is not run"
        );
    }
}

#[test]
fn schedules_are_counted() {
    let two_and_one = "session a\nstep 1 {}\nstep 2 {}\nsession b\nstep 3 {}\n";
    assert_eq!(schedules(two_and_one), 3);
    let tally = Tally::of(
        "Parsed test spec with 2 sessions\n\nstarting permutation: 1 2 3\nverdict: fine \n\
         starting permutation: 1 3 2\nERROR:  x\nverdict: lost\n",
    );
    assert_eq!(tally.to_string(), "2 schedules, 1 fine, 1 lost");
}
