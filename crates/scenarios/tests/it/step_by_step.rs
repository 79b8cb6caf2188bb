//! Every statement of every reaction fails once and is repeated once, in an order that a seed says:
//! read models, relay, consumer, leases, a redrive and a rebuild. The end is what the store says.

use std::process::Stdio;
use std::time::{Duration, Instant};

use test_support::{Saboteur, eventually};

use crate::dead_letters::{Message, OPERATOR, projector, run};
use crate::load::Load;
use crate::system::System;
use crate::whole::{seed, sized};
use crate::{audit, kafka};

const BOUND: Duration = Duration::from_secs(600);
const INTERVAL: Duration = Duration::from_millis(500);
const LETTERS: u128 = 20;

/// An act behind the saboteur, again and again until it has done what it was to do.
async fn until_done(system: &System, brokers: &str, url: &str, act: &[&str]) -> usize {
    let by = ["--yes", "--operator", OPERATOR, "--reason", "as always"];
    let arguments = [act, &by].concat();
    let mut times = 0;
    eventually("the act to be done", BOUND, || {
        let mut command = projector(system, brokers, &arguments);
        command
            .env("ATLAS_DATABASE_URL", url)
            .env("ATLAS_LEASE_MS", "2000")
            .stdin(Stdio::null());
        times += 1;
        async move {
            let output = run(command).await;
            if output.status.success() {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&output.stderr).into_owned())
            }
        }
    })
    .await;
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_step_fails_or_is_repeated_the_end_is_what_the_store_says() {
    let long = sized(Duration::from_secs(300), Duration::from_secs(20));
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let port = system.database.options("atlas_app").get_port();
    let saboteur = Saboteur::to(port, seed()).await;
    let (plain, behind) = (format!(":{port}/"), format!(":{}/", saboteur.port()));
    let url = system.database.url_app().replace(&plain, &behind);
    system.projector.kill();
    system.projector = system
        .another_projector()
        .with_variable("ATLAS_DATABASE_URL", &url);
    system.projector.start();
    system.projector.until(true).await;
    let pool = system.database.pool_owner().await;
    for number in 0..LETTERS {
        Message::credited(number)
            .lie_in(&pool, "of another release")
            .await;
    }
    let load = Load::start(&system.commands, None, INTERVAL).await;
    load.until(50).await;

    saboteur.begin();
    let began = Instant::now();
    let rebuild = ["rebuild", "orders"];
    let redrive = ["dlq", "redrive"];
    let (rebuilt, redriven, ()) = tokio::join!(
        until_done(&system, &brokers, &url, &rebuild),
        until_done(&system, &brokers, &url, &redrive),
        async {
            eventually("a while", BOUND, || async {
                if began.elapsed() > long {
                    Ok(())
                } else {
                    Err("it goes on")
                }
            })
            .await;
            saboteur.end();
        },
    );
    let steps = saboteur.steps();
    let failed = steps.values().filter(|step| step.failed).count();
    let repeated = steps.values().filter(|step| step.repeated).count();
    println!(
        "{} statements: {failed} failed once, {repeated} were repeated once; rebuilt at the \
         {rebuilt}. start, redriven at the {redriven}.",
        steps.len()
    );
    assert!(failed > 20 && repeated > 20, "{steps:#?}");
    load.stop().await;
    let open = "SELECT count(*) FROM ops.dead_letters WHERE closed_at IS NULL";
    eventually("the dead letters to be closed", BOUND, || async {
        match sqlx::query_scalar::<_, i64>(open).fetch_one(&pool).await {
            Ok(0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    // The letters told of facts that the store does not hold.
    audit::everything_restored(&system.database, &brokers).await;
    let verified = run(projector(&system, &brokers, &["store", "verify"])).await;
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}
