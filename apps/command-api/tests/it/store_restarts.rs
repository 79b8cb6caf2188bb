//! Postgres is restarted, and processes are killed, under clients that go on: what each was told
//! is true, and what nobody could tell it is settled by its key.

use test_support::{TestDatabase, TestServer};

use crate::people::SECRET;
use crate::running::Running;
use crate::steady::Steady;

/// How many commands are carried out between two troubles.
const BETWEEN: usize = 100;

async fn process(database: &TestDatabase) -> Running {
    let variables = [
        ("ATLAS_JWT_SECRET", SECRET),
        ("ATLAS_RATE_PLACE_BURST", "0"),
        ("ATLAS_RATE_ALL_PER_MINUTE", "0"),
    ];
    let process = Running::start(&database.url_app(), &variables).await;
    process.is_ready().await;
    process
}

/// Checks the store, and that there was something to be checked.
async fn is_true(steady: &Steady, database: &TestDatabase, troubles: usize) {
    let believed = steady.is_true(&database.pool_app().await).await;
    let (done, refused) = believed.settled();
    println!(
        "{done} commands done, {refused} refused; told {} times that nothing was changed, {} times \
         that nobody knows",
        believed.told_nothing, believed.told_unknown
    );
    assert!(done > BETWEEN * troubles && refused > BETWEEN * troubles / 2);
    assert!(believed.told_nothing > 0 && believed.told_unknown > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_true_when_the_store_is_restarted() {
    const ROUNDS: usize = 3;
    let server = TestServer::start().await;
    let database = TestDatabase::create_on(&server).await;
    let processes = [process(&database).await, process(&database).await];
    let steady = Steady::new([&processes[0].url, &processes[1].url]);
    steady.set_up().await;
    steady
        .while_troubled(async {
            for _ in 0..ROUNDS {
                steady.goes_on_for(BETWEEN).await;
                // As an administrator does it.
                server.restart().await;
                steady.goes_on_for(BETWEEN).await;
                server.stop_immediate().await;
                server.restart().await;
            }
            steady.goes_on_for(BETWEEN).await;
        })
        .await;
    is_true(&steady, &database, 2 * ROUNDS).await;
    for process in processes {
        assert!(process.stop().await.success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_true_when_processes_are_killed() {
    const KILLS: usize = 6;
    let database = TestDatabase::create().await;
    let mut processes = [process(&database).await, process(&database).await];
    let steady = Steady::new([&processes[0].url, &processes[1].url]);
    steady.set_up().await;
    steady
        .while_troubled(async {
            for kill in 0..KILLS {
                steady.goes_on_for(BETWEEN).await;
                processes[kill % 2].kill();
                processes[kill % 2] = process(&database).await;
                steady.moved(kill % 2, &processes[kill % 2].url);
            }
            steady.goes_on_for(BETWEEN).await;
        })
        .await;
    is_true(&steady, &database, KILLS).await;
}
