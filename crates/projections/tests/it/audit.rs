//! Rows compared with the events: what is right is found right, whatever is under way, and what is
//! wrong is named by key and field.

use event_store::StreamId;
use projections::audit::{Difference, Differs};
use projections::{Model, Snapshot};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Row as _};

use crate::histories::{History, commissioner_id, workshop_id};
use crate::reader_plans::award_points;
use crate::rows_equal_a_fold::lives;
use crate::store::{Store, first};

/// Compares a read model's rows, a few streams at a time; how many streams it has, and what is
/// different.
async fn compare(pool: &PgPool, model: Model) -> (usize, Vec<Difference>) {
    let (mut streams, mut found) = (0, Vec::new());
    let mut after: Option<String> = None;
    loop {
        let mut snapshot = Snapshot::open(pool, model).await.unwrap();
        let page = model.compare(&mut snapshot, after.as_deref(), 7).await;
        snapshot.close().await.unwrap();
        let page = page.unwrap();
        streams += page.streams;
        found.extend(page.differences);
        match page.last {
            Some(last) => after = Some(last),
            None => return (streams, found),
        }
    }
}

async fn differences(pool: &PgPool, model: Model) -> Vec<Difference> {
    compare(pool, model).await.1
}

fn field(stream: &StreamId, table: &'static str, key: &str, of: [&str; 3]) -> Difference {
    let [name, expected, actual] = of.map(ToOwned::to_owned);
    Difference {
        stream: stream.clone(),
        table,
        key: key.to_owned(),
        what: Differs::Field {
            name,
            expected: Some(expected),
            actual: Some(actual),
        },
    }
}

/// Lives in which every column has a value.
#[tokio::test]
async fn what_is_right_is_found_right_while_events_wait_to_be_read() {
    let store = Store::create().await;
    let pool = store.pool_app().await;
    let mut lives = lives(&store, 60, 40).await;
    store.catch_up().await;
    assert_eq!(compare(&pool, Model::Orders).await, (60, vec![]));

    let waiting = History::place(100, commissioner_id(1), vec![workshop_id(1)]);
    store
        .append_order(waiting.order_id, 0, &waiting.happened)
        .await;
    let mut lives = lives.iter_mut();
    let life = lives.find_map(|life| life.invite(workshop_id(9)).then_some(life));
    let life = life.unwrap();
    let (last, before) = life.happened.split_last().unwrap();
    let expected = i64::try_from(before.len()).unwrap();
    store
        .append_order(life.order_id, expected, std::slice::from_ref(last))
        .await;
    assert_eq!(compare(&pool, Model::Orders).await, (60, vec![]));
    store.catch_up().await;
    assert_eq!(compare(&pool, Model::Orders).await, (61, vec![]));
}

#[tokio::test]
async fn what_waits_in_a_parked_stream_is_no_difference() {
    let store = Store::create().await;
    let pool = store.pool_app().await;
    let order = History::place(1, commissioner_id(1), vec![workshop_id(1)]);
    store.append_order(order.order_id, 0, &order.happened).await;
    store
        .append_raw(&order, 1, "OrderGilded", "1.0", json!({}))
        .await;
    store.catch_up().await;
    assert_eq!(compare(&pool, Model::Orders).await, (1, vec![]));

    // Were it not parked, it would have to be in the rows.
    store.as_owner("DELETE FROM store.parked").await;
    let found = differences(&pool, Model::Orders).await;
    assert_eq!(found.len(), 1);
    let what = found[0].what.to_string();
    assert!(what.contains("OrderGilded"), "{what}");
}

#[tokio::test]
async fn each_row_that_is_wrong_is_named_by_key_and_field() {
    let store = Store::create().await;
    let pool = store.pool_app().await;
    let lives = lives(&store, 20, 40).await;
    store.catch_up().await;
    let streams: Vec<_> = lives
        .iter()
        .map(|life| StreamId::order(life.order_id))
        .collect();
    let [title, gone, skipped, ..] = &streams[..] else {
        unreachable!("twenty orders");
    };
    let (seat, fact) = (workshop_id(0), 1);
    store
        .as_owner(&format!(
            "UPDATE orders SET title = 'Another' WHERE order_id = '{}';
             UPDATE invitations SET seat = 9 WHERE order_id = '{}' AND workshop_id = '{seat}';
             UPDATE timeline SET data = '{{}}' WHERE order_id = '{}' AND version = {fact};
             DELETE FROM orders WHERE order_id = '{}';",
            title.key(),
            title.key(),
            title.key(),
            gone.key(),
        ))
        .await;
    let mut found = differences(&pool, Model::Orders).await;
    found.sort_by_key(|it| (it.stream.clone(), it.table));
    let missing = Difference {
        stream: gone.clone(),
        table: "orders",
        key: String::new(),
        what: Differs::Missing,
    };
    let request = lives[0].order.placement().unwrap().request();
    let seat = seat.to_string();
    let mut expected = vec![
        field(title, "invitations", &seat, ["seat", "1", "9"]),
        field(
            title,
            "orders",
            "",
            ["title", request.title.as_str(), "Another"],
        ),
        missing,
    ];
    let data = found.iter().position(|it| it.table == "timeline").unwrap();
    let data = found.remove(data);
    assert_eq!((data.field(), data.key.as_str()), (Some("data"), "1.1"));
    expected.sort_by_key(|it| (it.stream.clone(), it.table));
    assert_eq!(found, expected);

    // A checkpoint that was moved past an event: its order is behind.
    let last = lives[2].happened.len() + 1;
    let end: i64 = sqlx::query_scalar("SELECT max(position) FROM store.events")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    let declined = json!({ "workshopId": workshop_id(1), "reason": null });
    let version = i64::try_from(last).unwrap() - 1;
    store
        .append_raw(&lives[2], version, "InvitationDeclined", "1.0", declined)
        .await;
    store
        .as_owner(&format!(
            "UPDATE store.checkpoints SET position = {end} + 1 WHERE name = 'orders@1'"
        ))
        .await;
    let behind = differences(&pool, Model::Orders).await;
    assert!(behind.iter().any(|it| it.stream == *skipped), "{behind:?}");
}

#[tokio::test]
async fn rows_without_events_are_found_in_the_place_where_they_would_be() {
    let store = Store::create().await;
    let pool = store.pool_app().await;
    lives(&store, 20, 1).await;
    store.catch_up().await;
    let surplus = [0x0001_u128, 0x8000 << 112, u128::MAX >> 1]
        .map(|id| uuid::Uuid::from_u128(id).to_string());
    for id in &surplus {
        store
            .as_owner(&format!(
                "INSERT INTO orders
                 SELECT (jsonb_populate_record(NULL::orders, to_jsonb(o) || jsonb_build_object(
                     'order_id', '{id}'))).*
                 FROM (SELECT * FROM orders LIMIT 1) o"
            ))
            .await;
    }
    let (streams, found) = compare(&pool, Model::Orders).await;
    assert_eq!(streams, 23);
    let mut keys: Vec<_> = found.iter().map(|it| it.stream.key().to_owned()).collect();
    keys.sort();
    let mut expected = surplus.to_vec();
    expected.sort();
    assert_eq!(keys, expected);
    assert!(
        found.iter().all(|it| it.what == Differs::Surplus),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_fold_of_another_release_is_no_difference_and_one_of_this_is() {
    let store = Store::create().await;
    let pool = store.pool_app().await;
    lives(&store, 1, 1).await;
    store.catch_up().await;
    store
        .as_owner("UPDATE folds SET shape = -1, fold = '{}'")
        .await;
    assert_eq!(differences(&pool, Model::Orders).await, []);
    store.as_owner("UPDATE folds SET version = 7").await;
    let found = differences(&pool, Model::Orders).await;
    let fields: Vec<_> = found.iter().map(Difference::field).collect();
    assert_eq!(fields, [Some("version")]);
}

#[tokio::test]
async fn the_directory_and_the_accounts_are_compared_too() {
    let store = Store::create().await;
    let pool = store.pool_app().await;
    for number in 0..10 {
        store
            .put_workshop(workshop_id(number), 0, "Oak", true)
            .await;
    }
    store.put_workshop(workshop_id(3), 1, "Elm", false).await;
    award_points(&store).await;
    for model in Model::ALL {
        store.catch_up_to(first(model)).await;
    }
    assert_eq!(compare(&pool, Model::Workshops).await, (10, vec![]));
    assert_eq!(compare(&pool, Model::Bonus).await, (1, vec![]));

    store
        .as_owner(&format!(
            "UPDATE workshops SET name = 'Ash' WHERE name = 'Elm';
             DELETE FROM workshops WHERE workshop_id = '{}';
             UPDATE \"bonus@1\".bonus_accounts SET lifetime_points = lifetime_points + 1",
            workshop_id(7),
        ))
        .await;
    let elm = StreamId::workshop(workshop_id(3));
    let missing = Difference {
        stream: StreamId::workshop(workshop_id(7)),
        table: "workshops",
        key: String::new(),
        what: Differs::Missing,
    };
    assert_eq!(
        differences(&pool, Model::Workshops).await,
        [
            field(&elm, "workshops", "", ["name", "Elm", "Ash"]),
            missing
        ]
    );
    let points = differences(&pool, Model::Bonus).await;
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].field(), Some("lifetime_points"));
    assert!(points[0].stream.key().starts_with("commissioner:"));
}

/// Without a scan of a table: what then still is one has no index to serve it.
#[tokio::test]
async fn each_statement_is_served_by_an_index() {
    let store = Store::create().await;
    lives(&store, 20, 5).await;
    store.put_workshop(workshop_id(1), 0, "Oak", true).await;
    award_points(&store).await;
    for model in Model::ALL {
        store.catch_up_to(first(model)).await;
        let one = PgPoolOptions::new().max_connections(1);
        let pool = one.connect_with(store.connect()).await.unwrap();
        assert_eq!(differences(&pool, model).await, []);

        let mut snapshot = Snapshot::open(&pool, model).await.unwrap();
        sqlx::raw_sql(
            "SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan",
        )
        .execute(&mut *snapshot)
        .await
        .unwrap();
        let prepared = sqlx::query(
            r"SELECT name, statement, cardinality(parameter_types) AS parameters
              FROM pg_prepared_statements
              WHERE statement ~ '(store\.events|orders|workshops|bonus_accounts)'",
        )
        .fetch_all(&mut *snapshot)
        .await
        .unwrap();
        assert!(prepared.len() > 2, "{model}");
        for row in prepared {
            let parameters = usize::try_from(row.get::<i32, _>("parameters")).unwrap();
            let arguments = match parameters {
                0 => String::new(),
                some => format!("({})", vec!["NULL"; some].join(", ")),
            };
            let name: String = row.get("name");
            let lines = sqlx::raw_sql(&format!("EXPLAIN (COSTS OFF) EXECUTE {name} {arguments}"))
                .fetch_all(&mut *snapshot)
                .await
                .unwrap();
            let lines: Vec<String> = lines.iter().map(|line| line.get(0)).collect();
            let statement: String = row.get("statement");
            // The store's name and the models that are served are a row or three.
            let small =
                |line: &&String| !line.contains("on identity") && !line.contains("on served");
            let scans = lines.iter().filter(small);
            let scans = scans.filter(|line| line.contains("Seq Scan")).count();
            assert_eq!(scans, 0, "{statement}\n{}", lines.join("\n"));
        }
        snapshot.close().await.unwrap();
    }
}
