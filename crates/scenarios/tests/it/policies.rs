//! Another policy comes into force while facts arrive, out of order, twice, and at consumers that
//! die: afterwards every account is what its facts are worth, in both modes of conflict.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use chrono::TimeDelta;
use kernel::{Clock as _, SystemClock};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::Value;
use sqlx::PgPool;
use test_support::eventually;
use uuid::Uuid;

use crate::kafka;
use crate::producer::{Producer, Told};
use crate::system::{System, target_folder};

const PEOPLE: u128 = 1_000;
const BOUND: Duration = Duration::from_secs(60);
const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f1";

async fn projector(system: &System, brokers: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(arguments)
        .args(["--yes", "--operator", OPERATOR, "--reason", "a new year"])
        .env("ATLAS_DATABASE_URL", system.database.url_app())
        .env("ATLAS_KAFKA_BROKERS", brokers)
        .stdin(Stdio::null());
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

/// Grades follow one another, VIP alternates, and nothing waits.
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
    for (account, event, payload) in &rows {
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

/// Completed orders credit their workshops whatever policy is in force; under one that rewards it
/// they have accounts, without a new fact.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workshops_are_credited_and_have_accounts_once_a_policy_rewards_it() {
    use crate::commission::Party;
    use serde_json::json;

    const WORKSHOPS: usize = 8;
    let broker = kafka::start().await;
    let brokers = broker.address();
    let system = System::start(&brokers).await;
    let pool = system.database.pool_owner().await;
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
    eventually("the workshops' facts to be kept", BOUND, || async {
        let kept = "SELECT count(*) FROM bonus.ledger WHERE event_type = 'WorkshopCredited'";
        let kept = count(&pool, kept).await;
        if kept == i64::try_from(WORKSHOPS).unwrap() {
            Ok(())
        } else {
            Err(kept)
        }
    })
    .await;
    let accounts_of = "SELECT count(*) FROM \"bonus@1\".bonus_accounts
                       WHERE beneficiary_role = 'workshop' AND lifetime_points = 50";
    assert_eq!(count(&pool, accounts_of).await, 0);
    let activated = projector(&system, &brokers, &["policy", "activate", "2"]).await;
    assert_eq!(activated.status.code(), Some(0), "{activated:?}");
    let told = String::from_utf8(activated.stderr).unwrap();
    assert!(
        told.contains("and 8 beneficiaries who have facts and no account"),
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
}
