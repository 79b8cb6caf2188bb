//! A workshop's figures, counted by hand, however its rows came about.

use std::time::Duration;

use event_store::{Position, Reader, ReaderOptions};

use super::story::{FIRST, Told};
use super::swaps::rebuilt;

/// Of oak: one seat that was invited, declined, invited again, offered, revised twice, withdrawn,
/// invited, offered and confirmed, with four stages of which one was sent back twice; two lost
/// offers; one pending seat.
const STORY: &str = "
2026-03-02 09:00:00  anna  places     lamp   1000 EUR oak
2026-03-02 13:00:00  oak   declines   lamp   busy
2026-03-03 09:00:00  anna  invites    lamp   oak
2026-03-03 21:00:00  oak   offers     lamp   900 EUR 10 5! 5 2
2026-03-04 09:00:00  oak   revises    lamp   950 EUR 10 5! 5 2
2026-03-04 10:00:00  oak   revises    lamp   980 EUR 10 5! 5 2
2026-03-04 12:00:00  oak   withdraws  lamp   no-wood
2026-03-05 09:00:00  anna  invites    lamp   oak
2026-03-05 10:00:00  oak   offers     lamp   970 EUR 10 5! 5 2
2026-03-06 00:00:00  anna  confirms   lamp   oak
2026-03-09 08:00:00  ben   places     desk   400 EUR oak birch
2026-03-09 20:00:00  oak   offers     desk   450 EUR 4
2026-03-10 08:00:00  birch offers     desk   380 EUR 5 - 3
2026-03-10 09:00:00  ben   confirms   desk   birch
2026-03-11 08:00:00  ben   places     bench  300 USD oak
2026-03-11 12:00:00  oak   offers     bench  290 USD 4
2026-03-12 08:00:00  ben   cancels    bench  moved
2026-03-13 08:00:00  cleo  places     shelf  200 EUR oak
2026-03-15 00:00:00  oak   completes  lamp   1
2026-03-20 00:00:00  oak   completes  lamp   2
2026-03-20 12:00:00  anna  returns    lamp   2
2026-03-21 00:00:00  oak   completes  lamp   2
2026-03-21 12:00:00  anna  returns    lamp   2
2026-03-22 00:00:00  oak   completes  lamp   2
2026-03-23 00:00:00  anna  approves   lamp   2
2026-03-27 00:00:00  oak   completes  lamp   3
2026-03-30 00:00:00  oak   completes  lamp   4
";

const PERFORMANCE: &str = "
SELECT workshop_id, invited, offers, wins, round(median_hours_to_offer::numeric, 3),
       round(mean_stage_slippage_days, 3)
FROM workshop_performance ORDER BY invited DESC";

const STAGES: &str = "
SELECT order_id, number, (planned_end AT TIME ZONE 'UTC')::date, trim_scale(slippage_days)
FROM stages ORDER BY order_id, number";

const ORDERS: &str = "
SELECT order_id, (planned_end AT TIME ZONE 'UTC')::date, trim_scale(slippage_days)
FROM orders WHERE workshop_id IS NOT NULL ORDER BY confirmed_at";

fn rows(expected: &[&str]) -> Vec<Vec<String>> {
    let cells = |row: &&str| row.split('|').map(|cell| cell.trim().to_owned()).collect();
    expected.iter().map(cells).collect()
}

async fn assert_counted(told: &Told) {
    assert_eq!(
        told.ask(PERFORMANCE).await,
        // 36 h, 12 h and 4 h; -1, +2, +1 and +2 days.
        rows(&[
            "oak | 4 | 3 | 1 | 12.000 | 1.000",
            "birch | 1 | 1 | 1 | 24.000 |"
        ])
    );
    let mut stages = told.ask(STAGES).await;
    stages.sort();
    assert_eq!(
        stages,
        rows(&[
            "desk | 1 | 2026-03-15 |",
            "desk | 2 | |",
            "desk | 3 | |",
            "lamp | 1 | 2026-03-16 | -1",
            "lamp | 2 | 2026-03-21 | 2",
            "lamp | 3 | 2026-03-26 | 1",
            "lamp | 4 | 2026-03-28 | 2",
        ])
    );
    assert_eq!(
        told.ask(ORDERS).await,
        rows(&["lamp | 2026-03-28 | 2", "desk | |"])
    );
}

#[tokio::test]
async fn a_workshops_figures_are_those_counted_by_hand() {
    let told = Told::new(STORY).await;
    assert_counted(&told).await;
}

#[tokio::test]
async fn figures_do_not_move_by_a_rebuild_nor_by_another_reader_nor_by_what_comes_again() {
    let told = Told::new(STORY).await;
    rebuilt(&told, false).await;
    assert_counted(&told).await;
    // Another owner begins at an older checkpoint, and is delivered everything once more.
    sqlx::query("UPDATE store.checkpoints SET position = 0, delivered = 0, digest = 0")
        .execute(&told.database.pool_owner().await)
        .await
        .unwrap();
    told.catch_up().await;
    assert_counted(&told).await;
}

/// One event a batch, by owners that take over from one another.
#[tokio::test]
async fn figures_do_not_depend_on_how_events_came_in_batches() {
    let told = Told::new("").await;
    told.tell(STORY).await;
    let last: i64 = sqlx::query_scalar("SELECT max(position) FROM store.events")
        .fetch_one(&told.database.pool_app().await)
        .await
        .unwrap();
    for to in 1..=last {
        let owner = format!("owner {}", to % 2);
        let options = ReaderOptions {
            to: Some(Position::new(to)),
            ..ReaderOptions::new(&FIRST.to_string(), &owner, Duration::from_secs(10))
        };
        let connect = FIRST.connect(told.database.options("atlas_app"));
        let mut sink = FIRST.model.sink();
        Reader::new(connect, options)
            .catch_up(&mut *sink)
            .await
            .unwrap();
    }
    let told = Told {
        names: super::story::Names::of(STORY),
        ..told
    };
    assert_counted(&told).await;
}
