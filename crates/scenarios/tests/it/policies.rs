//! Another policy comes into force while facts arrive, out of order, twice, and at consumers that
//! die: afterwards every account is what its facts are worth, in both modes of conflict.

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{Clock as _, SystemClock};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};
use sqlx::PgPool;
use test_support::eventually;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::commission::Party;
use crate::kafka;
use crate::producer::{Producer, Told};
use crate::system::{System, target_folder};

const PEOPLE: u128 = 1_000;
const BOUND: Duration = Duration::from_secs(60);
const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f1";

const BY: [&str; 5] = ["--yes", "--operator", OPERATOR, "--reason", "a new year"];

fn command(system: &System, brokers: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(arguments)
        .env("ATLAS_DATABASE_URL", system.database.url_app())
        .env("ATLAS_KAFKA_BROKERS", brokers)
        .stdin(Stdio::null());
    command
}

/// What a question to the projector is answered.
async fn ask(system: &System, brokers: &str, arguments: &[&str]) -> Value {
    let mut command = command(system, brokers, arguments);
    let output = kafka::blocking(move || command.output()).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What comes of an act.
async fn projector(system: &System, brokers: &str, arguments: &[&str]) -> Output {
    let arguments = [arguments, BY.as_slice()].concat();
    let mut command = command(system, brokers, &arguments);
    kafka::blocking(move || command.output()).await.unwrap()
}

fn person(number: u128) -> Uuid {
    Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0002_0000_0000 + number)
}

/// An order of everybody, and a second one of each third. Each seventh is cancelled; it had been
/// confirmed.
fn facts() -> Vec<Told> {
    let orders = PEOPLE + PEOPLE / 3;
    let at = SystemClock.now() - TimeDelta::days(1);
    (0..orders)
        .flat_map(|order| {
            let end = if order % 7 == 0 {
                "OrderCancelled"
            } else {
                "OrderCompleted"
            };
            let names = ["OrderPlaced", "OfferConfirmed", end];
            (0..).zip(names).map(move |(step, event)| Told {
                id: Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0003_0000_0000 + order * 8 + step),
                event,
                commissioner: person(order % PEOPLE),
                order: Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0004_0000_0000 + order),
                at,
            })
        })
        .collect()
}

/// What the rules of policy 2 make of them, written down again: points, grade, VIP.
fn oracle(facts: &[Told]) -> BTreeMap<Uuid, (i64, &'static str, bool)> {
    let mut points: BTreeMap<Uuid, i64> = BTreeMap::new();
    for order in facts.chunks(3) {
        let worth = if order[2].event == "OrderCancelled" {
            0
        } else {
            160
        };
        *points.entry(order[0].commissioner).or_default() += worth;
    }
    points
        .into_iter()
        .filter(|(_, points)| *points > 0)
        .map(|(who, points)| {
            let grade = match points {
                1200.. => "Platinum",
                400.. => "Gold",
                120.. => "Silver",
                _ => "Bronze",
            };
            (who, (points, grade, points >= 250))
        })
        .collect()
}

/// The accounts that are worth something, as the read model has them.
async fn accounts(pool: &PgPool) -> BTreeMap<Uuid, (i64, String, bool, i32)> {
    let rows: Vec<(Uuid, i64, String, bool, i32)> = sqlx::query_as(
        r#"SELECT beneficiary_id, lifetime_points, grade, is_vip, policy_version
           FROM "bonus@1".bonus_accounts WHERE lifetime_points > 0"#,
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(who, points, grade, vip, policy)| (who, (points, grade, vip, policy)))
        .collect()
}

/// Policies and grades follow one another, VIP alternates, and nothing waits.
async fn assert_chains(pool: &PgPool) {
    let rows: Vec<(String, String, Value)> = sqlx::query_as(
        "SELECT aggregate_id, event_type, payload FROM store.events
         WHERE aggregate_type = 'account' ORDER BY aggregate_id, sequence",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut grades: BTreeMap<&str, &str> = BTreeMap::new();
    let mut vip: BTreeMap<&str, bool> = BTreeMap::new();
    let mut told: BTreeMap<&str, &str> = BTreeMap::new();
    let mut policies: BTreeMap<&str, &Value> = BTreeMap::new();
    for (account, event, payload) in &rows {
        let policy = &payload["policyVersion"];
        let before = policies.insert(account, policy).unwrap_or(&Value::Null);
        match event.as_str() {
            "PolicyRecomputed" => assert_eq!(&payload["fromVersion"], before, "{account}"),
            _ => assert!(before.is_null() || before == policy, "{account}: {event}"),
        }
        let at = payload["occurredAt"].as_str().unwrap();
        let before = told.insert(account, at);
        assert!(before.is_none_or(|before| before <= at), "{account}: {at}");
        match event.as_str() {
            "GradeChanged" => {
                let from = payload["from"].as_str().unwrap();
                let to = payload["to"].as_str().unwrap();
                let before = grades.insert(account, to).unwrap_or("Bronze");
                assert_eq!(before, from, "{account}");
            }
            "VipAcquired" => assert_ne!(vip.insert(account, true), Some(true), "{account}"),
            "VipLost" => assert_eq!(vip.insert(account, false), Some(true), "{account}"),
            _ => {}
        }
    }
    let waiting: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM bonus.accounts WHERE policy_version <> 2 OR deferred)
              + (SELECT count(*) FROM bonus.ledger WHERE account_version IS NULL)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(waiting, 0);
}

async fn count(pool: &PgPool, what: &str) -> i64 {
    sqlx::query_scalar(what).fetch_one(pool).await.unwrap()
}

async fn change_under_way(mode: &str) {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start_with(&brokers, &[("ATLAS_POLICY_CONFLICT", mode)]).await;
    let mut second = system.another_projector();
    second.start();
    second.until(true).await;
    let pool = system.database.pool_owner().await;
    let producer = Producer::of(&brokers);

    let facts = facts();
    let mut told: Vec<Told> = facts.clone();
    told.extend(facts.iter().step_by(3).cloned());
    told.shuffle(&mut StdRng::seed_from_u64(12));
    let ledger = "SELECT count(*) FROM bonus.ledger";
    let (first, rest) = told.split_at(told.len() / 3);
    producer.tell(first).await;
    eventually("some of the facts to be taken in", BOUND, || async {
        let kept = count(&pool, ledger).await;
        if kept > 100 { Ok(()) } else { Err(kept) }
    })
    .await;
    let (middle, last) = rest.split_at(rest.len() / 2);
    producer.tell(middle).await;
    let activated = projector(&system, &brokers, &["policy", "activate", "2"]).await;
    assert_eq!(activated.status.code(), Some(0), "{activated:?}");
    second.kill();
    producer.tell(last).await;
    second.start();
    system.projector.kill();
    system.projector.start();
    let recomputed = projector(
        &system,
        &brokers,
        &["policy", "recompute", "--format", "json"],
    )
    .await;
    assert_eq!(recomputed.status.code(), Some(0), "{recomputed:?}");

    let all = i64::try_from(facts.len()).unwrap();
    eventually("every fact to be taken in or refused", BOUND, || async {
        let kept = count(&pool, ledger).await;
        let refused = "SELECT count(DISTINCT ce_id) FROM ops.dead_letters WHERE closed_at IS NULL
                       AND ce_id NOT IN (SELECT source_event_id FROM bonus.ledger)";
        let refused = count(&pool, refused).await;
        if kept + refused == all {
            Ok(())
        } else {
            Err(format!("{kept} kept, {refused} refused of {all}"))
        }
    })
    .await;
    if mode == "dead-letter" {
        let done = projector(&system, &brokers, &["dlq", "redrive"]).await;
        assert!(matches!(done.status.code(), Some(0 | 1)), "{done:?}");
        eventually("every fact to be taken in", BOUND, || async {
            let kept = count(&pool, ledger).await;
            if kept == all { Ok(()) } else { Err(kept) }
        })
        .await;
    }
    let expected: BTreeMap<_, _> = oracle(&facts)
        .into_iter()
        .map(|(who, (points, grade, vip))| (who, (points, grade.to_owned(), vip, 2)))
        .collect();
    eventually(
        "every account to be what its facts are worth",
        BOUND,
        || async {
            let found = accounts(&pool).await;
            if found == expected {
                return Ok(());
            }
            let differ = expected
                .iter()
                .filter(|(who, it)| found.get(who) != Some(it));
            Err(format!("{} differ, {} there", differ.count(), found.len()))
        },
    )
    .await;
    assert_chains(&pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_changes_under_way_leaves_every_account_right() {
    change_under_way("ingest-and-recompute").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_where_conflicts_are_dead_letters_that_are_redriven() {
    change_under_way("dead-letter").await;
}

/// The daemons but for their recompute, which would be done before anybody could kill it.
const WITHOUT_RECOMPUTE: [&str; 3] = ["run", "--only", "read-models,relay,bonus,vip-clock"];
/// Facts a second.
const RATE: usize = 500;
/// Events a second of each recompute.
const RECOMPUTE_RATE: &str = "100";

/// Tells facts at a rate, from now on.
fn tell_at_a_rate(producer: Producer, told: Vec<Told>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut twice_a_second = tokio::time::interval(Duration::from_millis(500));
        for part in told.chunks(RATE / 2) {
            twice_a_second.tick().await;
            producer.tell(part).await;
        }
    })
}

/// Policies 2 and 1 come into force five times while facts arrive; of each time's two recomputes one
/// is killed in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_change_five_times_under_killed_recomputes_leave_every_account_right() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let pool = system.database.pool_owner().await;
    system.projector.kill();
    let mut daemons = [system.another_projector(), system.another_projector()]
        .map(|daemon| daemon.with_arguments(&WITHOUT_RECOMPUTE));
    for daemon in &mut daemons {
        daemon.start();
        daemon.until(true).await;
    }

    let facts = facts();
    let mut told: Vec<Told> = facts.clone();
    told.extend(facts.iter().step_by(5).cloned());
    told.shuffle(&mut StdRng::seed_from_u64(21));
    let telling = tell_at_a_rate(Producer::of(&brokers), told);
    let (mut survivors, mut killed) = (Vec::new(), 0);
    for version in ["2", "1", "2", "1", "2"] {
        let accounts = "SELECT count(*) FROM bonus.accounts WHERE version > 0";
        let before = count(&pool, accounts).await;
        eventually("more accounts", BOUND, || async {
            let now = count(&pool, accounts).await;
            // At the end there are no more.
            if now >= 300 && (now > before + 20 || now >= 800) {
                Ok(())
            } else {
                Err(now)
            }
        })
        .await;
        let activated = projector(&system, &brokers, &["policy", "activate", version]).await;
        assert_eq!(activated.status.code(), Some(0), "{activated:?}");
        let recompute = ["policy", "recompute", "--max-rate", RECOMPUTE_RATE];
        let arguments = [recompute.as_slice(), BY.as_slice()].concat();
        let mut both: Vec<Child> = (0..2)
            .map(|_| {
                let mut command = command(&system, &brokers, &arguments);
                command.stdout(Stdio::null()).stderr(Stdio::null());
                command.spawn().unwrap()
            })
            .collect();
        let moved = "SELECT count(*) FROM bonus.policy_movements
                     WHERE activation = (SELECT max(number) FROM bonus.policy_activations)";
        eventually("a recompute to be in the middle", BOUND, || async {
            let moved = count(&pool, moved).await;
            if moved > 0 { Ok(()) } else { Err(moved) }
        })
        .await;
        let mut victim = both.remove(0);
        killed += usize::from(victim.try_wait().unwrap().is_none());
        victim.kill().unwrap();
        victim.wait().unwrap();
        survivors.append(&mut both);
    }
    assert!(
        killed >= 4,
        "{killed} of 5 recomputes were at work when they were killed"
    );
    telling.await.unwrap();
    for mut survivor in survivors {
        let ended = kafka::blocking(move || survivor.wait()).await.unwrap();
        assert!(ended.success(), "{ended}");
    }

    let all = i64::try_from(facts.len()).unwrap();
    eventually("every fact to be taken in", BOUND, || async {
        let kept = count(&pool, "SELECT count(*) FROM bonus.ledger").await;
        if kept == all { Ok(()) } else { Err(kept) }
    })
    .await;
    let last = projector(&system, &brokers, &["policy", "recompute"]).await;
    assert_eq!(last.status.code(), Some(0), "{last:?}");
    let expected: BTreeMap<_, _> = oracle(&facts)
        .into_iter()
        .map(|(who, (points, grade, vip))| (who, (points, grade.to_owned(), vip, 2)))
        .collect();
    eventually("the rows to show it", BOUND, || async {
        let found = accounts(&pool).await;
        if found == expected {
            Ok(())
        } else {
            Err(found.len())
        }
    })
    .await;
    assert_chains(&pool).await;
    let twice = "SELECT count(*) FROM (
                     SELECT FROM bonus.policy_movements
                     GROUP BY activation, beneficiary_role, beneficiary_id
                     HAVING count(*) > 1) twice";
    assert_eq!(count(&pool, twice).await, 0, "more than one a change");
    let told = "SELECT count(*) FROM store.events WHERE event_type = 'PolicyRecomputed'";
    let moved = "SELECT count(*) FROM bonus.policy_movements";
    assert_eq!(count(&pool, told).await, count(&pool, moved).await);
}

const WORKSHOPS: usize = 40;

/// So many orders, each from its placement to its acceptance, each of a workshop of its own.
async fn complete_orders(system: &System) {
    let client = reqwest::Client::new();
    let app = &system.commands[0];
    let operator = Party::new("operator", &client);
    let workshops: Vec<Party> = (0..WORKSHOPS)
        .map(|_| Party::new("workshop", &client))
        .collect();
    operator.register(app, &workshops).await;
    for workshop in &workshops {
        let commissioner = Party::new("commissioner", &client);
        let order = commissioner
            .place(app, std::slice::from_ref(workshop))
            .await;
        let mut offer = crate::commission::offer();
        offer["stages"] = json!([]);
        let path = format!("/v1/orders/{order}/offers/{}", workshop.id);
        workshop.put(app, &path, &offer).await.ok();
        let confirm = format!("{path}/confirm");
        commissioner.post(app, &confirm, &json!({})).await.ok();
        let complete = format!("/v1/orders/{order}/stages/1/complete");
        workshop.post(app, &complete, &json!({})).await.ok();
        let accept = format!("/v1/orders/{order}/accept");
        commissioner.post(app, &accept, &json!({})).await.ok();
    }
}

/// What is kept of the workshops, as told once.
async fn credits(pool: &PgPool) -> Vec<(Uuid, Uuid, Uuid, DateTime<Utc>)> {
    sqlx::query_as(
        "SELECT source_event_id, beneficiary_id, order_id, occurred_at FROM bonus.ledger
         WHERE event_type = 'WorkshopCredited' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Completed orders credit their workshops whatever policy is in force, and those of before are read
/// from the order events; under a policy that rewards it they have accounts, without a new fact, as
/// the difference had said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workshops_are_credited_and_have_accounts_once_a_policy_rewards_it() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let system = System::start(&brokers).await;
    let pool = system.database.pool_owner().await;
    complete_orders(&system).await;
    eventually("every fact to be kept", BOUND, || async {
        let kept = count(&pool, "SELECT count(*) FROM bonus.ledger").await;
        // Placed, confirmed, completed and credited.
        if kept == i64::try_from(4 * WORKSHOPS).unwrap() {
            Ok(())
        } else {
            Err(kept)
        }
    })
    .await;
    let kept = credits(&pool).await;
    assert_eq!(kept.len(), WORKSHOPS);

    // As if an earlier release had kept none of them.
    sqlx::raw_sql(
        "DELETE FROM bonus.ledger WHERE event_type = 'WorkshopCredited';
         UPDATE bonus.kept_types SET whole_since = NULL WHERE event_type = 'WorkshopCredited'",
    )
    .execute(&pool)
    .await
    .unwrap();
    let refused = projector(&system, &brokers, &["policy", "activate", "2"]).await;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(
        why.contains("`projector policy backfill 2` reads them"),
        "{why}"
    );
    for (time, line) in [
        (1, "40 facts were taken in; policy 2 can be put in force"),
        (
            2,
            "every fact that policy 2 rewards is kept: nothing was done",
        ),
    ] {
        let read = projector(&system, &brokers, &["policy", "backfill", "2"]).await;
        assert_eq!(read.status.code(), Some(0), "{time}: {read:?}");
        let said = String::from_utf8(read.stderr).unwrap();
        assert!(said.contains(line), "{time}: {said}");
    }
    assert_eq!(credits(&pool).await, kept);

    let accounts_of = "SELECT count(*) FROM \"bonus@1\".bonus_accounts
                       WHERE beneficiary_role = 'workshop' AND lifetime_points = 50";
    assert_eq!(count(&pool, accounts_of).await, 0);
    let difference = ask(
        &system,
        &brokers,
        &["policy", "diff", "1", "2", "--format", "json"],
    )
    .await;
    let report = &difference["report"];
    assert_eq!(
        (&report["seen"], &report["opened"]),
        (&json!(80), &json!(40))
    );
    let activated = projector(&system, &brokers, &["policy", "activate", "2"]).await;
    assert_eq!(activated.status.code(), Some(0), "{activated:?}");
    let told = String::from_utf8(activated.stderr).unwrap();
    assert!(
        told.contains("and 40 beneficiaries who have facts and no account"),
        "{told}"
    );
    eventually("the workshops to have accounts", BOUND, || async {
        let made = count(&pool, accounts_of).await;
        if made == i64::try_from(WORKSHOPS).unwrap() {
            Ok(())
        } else {
            Err(made)
        }
    })
    .await;
    let opened = "SELECT count(*) FROM bonus.policy_movements WHERE from_policy IS NULL";
    assert_eq!(json!(count(&pool, opened).await), report["opened"]);
    let gained = "SELECT sum(greatest(points_after - points_before, 0))::bigint
                  FROM bonus.policy_movements";
    assert_eq!(json!(count(&pool, gained).await), report["gained"]);
}
