//! scratch
use crate::broker::{Endpoint, first_occurrences};
use crate::relay;
use crate::store::Store;
use std::process::Command;
use std::time::{Duration, Instant};

fn sh(s: &str) {
    assert!(
        Command::new("bash")
            .args(["-c", s])
            .status()
            .unwrap()
            .success()
    );
}

async fn load(store: &mut Store, seconds: u64) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        store.append(7, 10).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn one(hurt: &str, heal: &str, seconds: u64) {
    let kafka = Endpoint::real().unwrap();
    let topic = kafka.make_topic(&[]).await;
    let mut store = Store::empty().await;
    let running =
        relay::Running::start_with(&store, &kafka, "a", |event| relay::id_on(topic, event));
    load(&mut store, 5).await;
    eprintln!(
        "at {} of {}",
        store.checkpoint().await,
        store.last_position().await
    );
    sh(hurt);
    load(&mut store, seconds).await;
    eprintln!(
        "hurt: at {} of {}",
        store.checkpoint().await,
        store.last_position().await
    );
    sh(heal);
    let healed = Instant::now();
    load(&mut store, 5).await;
    eprintln!(
        "healed: at {} of {} {:?}",
        store.checkpoint().await,
        store.last_position().await,
        *running.state.borrow()
    );
    store.relayed_to(store.last_position().await).await;
    eprintln!("caught up after {:?}", healed.elapsed());
    running.stop().await;
    let records = kafka.read(topic);
    let total: usize = store.appended.values().map(Vec::len).sum();
    eprintln!("{} events, {} records", total, records.len());
    assert_eq!(first_occurrences(&records), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen() {
    one(
        "kill -STOP $(cat /tmp/kafka-mine/pid)",
        "kill -CONT $(cat /tmp/kafka-mine/pid)",
        45,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped() {
    one(
        "kill -KILL $(cat /tmp/kafka-mine/pid)",
        "(setsid /tmp/kafka-mine/start.sh </dev/null >/dev/null 2>&1 &)",
        60,
    )
    .await;
}
