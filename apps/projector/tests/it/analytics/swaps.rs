//! The views of analysts while read models are rebuilt and swapped.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use projections::rebuild::{Authority, Plan, Reading, Rebuild, Rebuilder, SwapPlan, Told as Heard};
use projections::{Model, Snapshot};
use sqlx::{Connection as _, PgConnection};
use test_support::eventually;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::story::Told;

const BOUND: Duration = Duration::from_secs(20);
const STORY: &str = "
2026-03-07 12:00:00  anna  places   lamp  100 EUR oak
2026-03-07 13:00:00  oak   offers   lamp  90 EUR 5! 5
2026-03-07 14:00:00  anna  confirms lamp  oak
";

/// Names, order, types, comments and rights of everything that an analyst sees.
const SHAPE: &str = "
SELECT c.relname, c.relacl::text, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attacl::text, col_description(c.oid, a.attnum), obj_description(c.oid)
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'analytics'::regnamespace ORDER BY 1, 3";

fn rebuilder(told: &Told, pool: sqlx::PgPool) -> Rebuilder {
    Rebuilder {
        pool,
        connect: told.database.options("atlas_app"),
        owner: "rebuilder".to_owned(),
        lease: Duration::from_secs(10),
    }
}

fn authority() -> Authority {
    Authority {
        operator: Uuid::from_u128(0xa11a),
        reason: "To try it".to_owned(),
        request: None,
    }
}

async fn built(told: &Told, model: Model) -> Rebuild {
    let by = rebuilder(told, told.database.pool_app().await);
    let plan = Plan {
        model,
        authority: authority(),
        takes_up_failed: false,
    };
    let (mut rebuild, _) = by.claim(&plan, &CancellationToken::new()).await.unwrap();
    rebuild.build(None, &mut |_| {}).await.unwrap();
    rebuild.index(&mut |_| {}).await.unwrap();
    rebuild
}

fn swap_plan(keep: bool) -> SwapPlan {
    SwapPlan {
        accept: None,
        keep,
        authority: authority(),
    }
}

/// Rebuilds and swaps every read model.
pub(crate) async fn rebuilt(told: &Told, keep: bool) {
    for model in Model::ALL {
        let mut rebuild = built(told, model).await;
        let check = rebuild.check(&mut |_| {}).await.unwrap();
        rebuild
            .swap(check, &swap_plan(keep), &mut |_| {})
            .await
            .unwrap();
        rebuild.clear(&mut |_| {}).await.unwrap();
        rebuild.release().await.unwrap();
    }
}

#[tokio::test]
async fn a_swap_and_the_way_back_change_nothing_that_an_analyst_sees() {
    let told = Told::new(STORY).await;
    let (shape, orders) = (
        told.ask(SHAPE).await,
        told.ask("SELECT * FROM orders").await,
    );
    assert!(shape.len() > 50 && orders.len() == 1);
    rebuilt(&told, true).await;
    assert_eq!(told.ask(SHAPE).await, shape);
    assert_eq!(told.ask("SELECT * FROM orders").await, orders);

    // What is served is what is read.
    let owner = told.database.pool_owner().await;
    let mark = "UPDATE \"orders@2\".orders SET title = 'second'";
    sqlx::raw_sql(mark).execute(&owner).await.unwrap();
    assert_eq!(told.ask("SELECT title FROM orders").await, [["second"]]);
    let by = rebuilder(&told, told.database.pool_app().await);
    by.back(
        Model::Orders,
        &authority(),
        &CancellationToken::new(),
        &mut |_| {},
    )
    .await
    .unwrap();
    assert_eq!(told.ask("SELECT title FROM orders").await, [["lamp"]]);
    assert_eq!(told.ask(SHAPE).await, shape);
}

#[tokio::test]
async fn a_version_that_is_built_or_retired_is_not_readable() {
    let told = Told::new(STORY).await;
    let readable = "SELECT nspname FROM pg_namespace
                    WHERE nspname ~ '@' AND has_schema_privilege(oid, 'USAGE')";
    let mut rebuild = built(&told, Model::Orders).await;
    assert_eq!(told.ask(readable).await, Vec::<Vec<String>>::new());
    let check = rebuild.check(&mut |_| {}).await.unwrap();
    rebuild
        .swap(check, &swap_plan(true), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(told.ask(readable).await, Vec::<Vec<String>>::new());
    let mut analyst = told.analyst().await.acquire().await.unwrap();
    for version in ["orders@1", "orders@2"] {
        let refused = format!("SELECT * FROM \"{version}\".orders");
        let error = sqlx::raw_sql(&refused)
            .execute(&mut *analyst)
            .await
            .unwrap_err();
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .unwrap();
        assert_eq!(code, "42501");
    }
}

/// Meanwhile the applications read and the reader follows, and the swap says for whom it waits.
#[tokio::test]
async fn a_swap_waits_for_an_analysts_transaction_in_turns_and_nobody_else_does() {
    let told = Told::new(STORY).await;
    let analyst = told.database.options("atlas_analyst");
    let mut analyst = PgConnection::connect_with(&analyst).await.unwrap();
    let cursor =
        "BEGIN; DECLARE pieces CURSOR FOR SELECT order_id FROM orders; FETCH 0 FROM pieces";
    sqlx::raw_sql(cursor).execute(&mut analyst).await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut analyst)
        .await
        .unwrap();

    let mut rebuild = built(&told, Model::Orders).await;
    let check = rebuild.check(&mut |_| {}).await.unwrap();
    let heard: Mutex<Vec<Reading>> = Mutex::default();
    let mut tell = |told: Heard<'_>| {
        if let Heard::ServesAfter { reader, .. } = told {
            heard.lock().unwrap().push(reader);
        }
    };
    let plan = swap_plan(false);
    let meanwhile = async {
        eventually("the swap to say for whom it waits", BOUND, || async {
            let heard = heard.lock().unwrap();
            if heard.len() > 1 {
                Ok(())
            } else {
                Err(format!("{heard:?}"))
            }
        })
        .await;
        let slowest = slowest_of_the_others(&told).await;
        assert!(slowest < Duration::from_millis(1500), "{slowest:?}");
        assert_eq!(told.ask("SELECT count(*) FROM orders").await, [["9"]]);
        // The open cursor goes on to its end.
        let rest = sqlx::raw_sql("FETCH ALL FROM pieces")
            .fetch_all(&mut analyst)
            .await
            .unwrap();
        assert_eq!(rest.len(), 1);
        sqlx::raw_sql("COMMIT").execute(&mut analyst).await.unwrap();
    };
    let (swapped, ()) = tokio::join!(rebuild.swap(check, &plan, &mut tell), meanwhile);
    swapped.unwrap();
    let of_the_analyst =
        |it: &Reading| matches!(it, Reading::Session { pid: of, .. } if *of == pid);
    assert!(
        heard.lock().unwrap().iter().any(of_the_analyst),
        "{heard:?}"
    );
    rebuild.clear(&mut |_| {}).await.unwrap();
    assert_eq!(told.ask("SELECT count(*) FROM orders").await, [["9"]]);
}

/// How long a read of the applications, a command and a batch of the reader take at most, together.
async fn slowest_of_the_others(told: &Told) -> Duration {
    let pool = told.database.pool_app().await;
    let mut slowest = Duration::ZERO;
    for number in 1..=8 {
        let began = Instant::now();
        drop(Snapshot::open(&pool, Model::Orders).await.unwrap());
        let read = sqlx::query("SELECT count(*) FROM \"orders@1\".orders");
        read.execute(&pool).await.unwrap();
        told.tell(&format!(
            "2026-03-08 12:00:00 ben places stool{number} 100 EUR birch"
        ))
        .await;
        told.catch_up().await;
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

#[tokio::test]
async fn five_rebuilds_leave_the_database_no_larger() {
    let told = Told::new(STORY).await;
    for number in 0..200 {
        told.tell(&format!(
            "2026-03-08 12:00:00 ben places piece{number} 100 EUR birch oak elm
             2026-03-08 13:00:00 oak offers piece{number} 100 EUR 5 5 5
             2026-03-08 14:00:00 ben confirms piece{number} oak"
        ))
        .await;
    }
    told.catch_up().await;
    let pool = told.database.pool_app().await;
    let size = || async {
        let size = sqlx::query_scalar::<_, i64>("SELECT pg_database_size(current_database())");
        size.fetch_one(&pool).await.unwrap()
    };
    let before = size().await;
    for _ in 0..5 {
        rebuilt(&told, false).await;
    }
    let after = size().await;
    assert!(after * 5 < before * 6, "from {before} to {after} bytes");
}
