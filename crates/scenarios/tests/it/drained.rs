//! What the autoscaler of the projector rests on: one backlog of the bonus group is work for more
//! replicas than one.

mod soaked {
    //! One backlog with 1, 2 and 4 projectors; minutes.

    use std::time::{Duration, Instant};

    use chrono::TimeDelta;
    use dev_servers::Signal;
    use kernel::{Clock as _, SystemClock};
    use test_support::{Proxy, eventually};
    use uuid::Uuid;

    use crate::kafka;
    use crate::producer::{Producer, Told};
    use crate::system::System;

    const FACTS: u128 = 24_000;
    const BOUND: Duration = Duration::from_secs(240);
    const ONLY_BONUS: &[&str] = &["run", "--only", "bonus"];

    fn facts() -> Vec<Told> {
        let at = SystemClock.now() - TimeDelta::hours(1);
        (0..FACTS)
            .map(|number| Told {
                id: Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0005_0000_0000 + number),
                event: "OrderPlaced",
                commissioner: Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0006_0000_0000 + number),
                order: Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0007_0000_0000 + number),
                at,
            })
            .collect()
    }

    /// How long so many projectors take for the backlog, from when the first fact is taken in.
    async fn drained_by(projectors: usize, delay: Duration) -> Duration {
        let broker = kafka::start().await;
        let mut system = System::start(&broker.address()).await;
        system.projector.signal(Signal::TERM);
        system.projector.ended().await;
        Producer::of(&broker.address()).tell(&facts()).await;
        let proxy = Proxy::to(system.database.options("atlas_app").get_port()).await;
        proxy.slow_by(delay);
        let through = system.url_through(&proxy);
        let mut members: Vec<_> = (0..projectors)
            .map(|_| {
                let member = system.another_projector().with_arguments(ONLY_BONUS);
                member.with_variable("ATLAS_DATABASE_URL", &through)
            })
            .collect();
        for member in &mut members {
            member.start();
        }
        let pool = system.database.pool_app().await;
        let taken_in = async |count: i64| {
            eventually("the backlog to be drained", BOUND, async || {
                let taken_in: i64 = sqlx::query_scalar("SELECT count(*) FROM bonus.ledger")
                    .fetch_one(&pool)
                    .await
                    .unwrap();
                if taken_in >= count {
                    Ok(())
                } else {
                    Err(taken_in)
                }
            })
            .await;
        };
        taken_in(1).await;
        let started = Instant::now();
        taken_in(FACTS as i64).await;
        started.elapsed()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_backlog_is_drained_by_one_two_and_four_projectors() {
        for delay in [Duration::ZERO, Duration::from_millis(20)] {
            let mut rates = Vec::new();
            for projectors in [1, 2, 4] {
                let took = drained_by(projectors, delay).await;
                let rate = FACTS as f64 / took.as_secs_f64();
                println!(
                    "{projectors} projectors, Postgres {delay:?} away: {rate:.0} facts a second"
                );
                rates.push(rate);
            }
            assert!(rates[1] > rates[0] * 0.9, "{rates:?}");
        }
    }
}
