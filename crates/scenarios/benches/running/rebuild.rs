//! A million events rebuilt beside the live system at 100 commands a second, against the set-based
//! limit; and how far behind the live model is meanwhile.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Client;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::commission::Party;
use crate::figures::quantiles;
use crate::history::{rate, set_based};
use crate::kafka::blocking;
use crate::large::{self, EVENTS, NOWHERE};
use crate::pace::Pace;
use crate::system::{App, System, target_folder};

/// Commands a second beside it.
const RATE: u32 = 100;
const LOOK: Duration = Duration::from_millis(100);
const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f2";

pub(crate) async fn measure() {
    let (server, database) = large::store().await;
    let owner = database.pool_owner().await;
    let limit = set_based(&owner, EVENTS).await;
    println!("set-based SQL, nothing beside it: {limit:.0} events/s = 1.00");
    let system = System::start_on(server, database, NOWHERE, &[]).await;
    let pace = Pace::start(&system, RATE, true).await;
    let beside = set_based(&owner, EVENTS).await;
    println!(
        "set-based SQL, {RATE} commands/s beside it: {beside:.0} events/s = {:.2}",
        beside / limit
    );
    let stop = CancellationToken::new();
    let lag = watch_lag(system.query.at_same_address(), stop.clone());
    let began = Instant::now();
    let building = tokio::spawn(until_built(owner.clone(), began));
    let mut command = command(&system);
    let output = blocking(move || command.output()).await.unwrap();
    let whole = began.elapsed();
    assert!(output.status.success(), "{output:?}");
    let built = building.await.unwrap();
    stop.cancel();
    for (what, took) in [
        ("built, indexes too", built),
        ("compared and swapped as well", whole),
    ] {
        let rate = rate(EVENTS, took);
        println!(
            "rebuilt beside live, {what}: {:.1} s, {rate:.0} events/s = {:.2} of the limit alone, \
             {:.2} of the limit beside",
            took.as_secs_f64(),
            rate / limit,
            rate / beside
        );
    }
    quantiles(
        "lag of orders@1 meanwhile, as it is told",
        lag.await.unwrap(),
    );
    let done = pace.stop().await;
    quantiles("answer to read, with the token", done.read);
}

fn command(system: &System) -> Command {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(["rebuild", "orders", "--yes", "--operator", OPERATOR])
        .args(["--reason", "Measured"])
        .env("ATLAS_DATABASE_URL", system.database.url_app())
        .stdin(Stdio::null());
    command
}

/// How long it is built, from the start of the command.
async fn until_built(pool: PgPool, began: Instant) -> Duration {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        let state: Option<String> =
            sqlx::query_scalar("SELECT state FROM read.rebuilds ORDER BY id DESC LIMIT 1")
                .fetch_optional(&pool)
                .await
                .unwrap();
        if state.is_some_and(|state| state != "building") {
            return began.elapsed();
        }
    }
}

/// What the operators' route says again and again of the live model.
fn watch_lag(query: App, stop: CancellationToken) -> JoinHandle<Vec<Duration>> {
    tokio::spawn(async move {
        let operator = Party::new("operator", &Client::new());
        let mut ticks = tokio::time::interval(LOOK);
        let mut lags = Vec::new();
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let all = operator.get(&query, "/v1/ops/projections", &[]).await.ok();
            let mut items = all["items"].as_array().unwrap().iter();
            // It is dropped once another version is served.
            if let Some(live) = items.find(|item| item["name"] == "orders@1") {
                lags.push(Duration::from_secs_f64(
                    live["lagSeconds"].as_f64().unwrap(),
                ));
            }
        }
        lags
    })
}
