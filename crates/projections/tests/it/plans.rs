//! Every read is served by its index, in the plan that it has after a while: the generic one.

use std::collections::BTreeSet;

use event_store::Version;
use projections::orders::{
    InvitationStatus, OrderFilter, OrderState, list_invitations, list_orders, read_order,
    read_timeline,
};
use projections::redaction::Viewer;
use projections::workshops::list_workshops;
use sqlx::{PgConnection, Row};

use crate::histories::{History, commissioner_id, operator, workshop, workshop_id};
use crate::store::Store;

/// Enough orders for the planner to take its indexes seriously.
const FILL: &str = "
    INSERT INTO read.orders
    SELECT md5('order' || n)::uuid, 1, (ARRAY['negotiating', 'cancelled'])[1 + n % 2],
           md5('commissioner' || n % 100)::uuid, NULL, 'Piece', 'In oak', 1000, 'EUR',
           '2029-01-01', 1, NULL, NULL, NULL, NULL, NULL, NULL, at, at, n, n
    FROM generate_series(1, 5000) AS n, LATERAL (SELECT now() + n * interval '1s' AS at) AS t;
    INSERT INTO read.invitations (order_id, workshop_id, seat, status, invited_at,
                                  order_created_at, first_position, last_position)
    SELECT order_id, md5('workshop' || (first_position + seat) % 100)::uuid, seat, 'pending',
           created_at, created_at, first_position, last_position
    FROM read.orders, generate_series(1, 2) AS seat WHERE title = 'Piece';
    INSERT INTO read.stages (order_id, number, name, description, requires_approval, status,
                             first_position, last_position)
    SELECT order_id, number, 'Stage ' || number, 'Work', false, 'pending', first_position,
           last_position
    FROM read.orders, generate_series(1, 3) AS number WHERE title = 'Piece';
    INSERT INTO read.timeline (order_id, version, event_id, event_type, event_version, payload,
                               actor_role, actor_id, occurred_at, position)
    SELECT order_id, number, md5(order_id::text || number)::uuid, 'OrderPlaced', '1.0', '{}',
           'commissioner', commissioner_id, created_at, first_position
    FROM read.orders, generate_series(1, 5) AS number WHERE title = 'Piece';
    INSERT INTO read.workshops
    SELECT md5('workshop' || n)::uuid, 1, 'Workshop ' || n, true, n, n
    FROM generate_series(1, 5000) AS n;
";

const INDEXES: [&str; 11] = [
    "invitations_inbox",
    "invitations_inbox_by_status",
    "invitations_pkey",
    "invitations_workshop_newest",
    "orders_commissioner_newest",
    "orders_newest",
    "orders_pkey",
    "orders_state_newest",
    "stages_pkey",
    "timeline_pkey",
    "workshops_by_name",
];

/// The generic plans of all statements on `read.*` that the connection has prepared.
async fn plans(connection: &mut PgConnection) -> Vec<(String, String)> {
    let prepared = sqlx::query(
        "SELECT name, statement, cardinality(parameter_types) AS parameters
         FROM pg_prepared_statements WHERE statement LIKE $1",
    )
    .bind("%FROM read.%")
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let mut plans = Vec::new();
    for row in prepared {
        let nulls = vec!["NULL"; usize::try_from(row.get::<i32, _>("parameters")).unwrap()];
        let explain = format!(
            "EXPLAIN (COSTS OFF) EXECUTE {} ({})",
            row.get::<String, _>("name"),
            nulls.join(", ")
        );
        let lines = sqlx::raw_sql(&explain)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let lines: Vec<String> = lines.iter().map(|line| line.get(0)).collect();
        plans.push((row.get("statement"), lines.join("\n")));
    }
    plans
}

#[tokio::test]
async fn every_read_has_its_index() {
    let store = Store::create().await;
    let order = History::place(1, commissioner_id(1), vec![workshop_id(1)]);
    let order_id = order.order_id;
    store.append_order(order_id, 0, &order.happened).await;
    store.catch_up().await;
    let mut connection = store.pool.acquire().await.unwrap();
    sqlx::raw_sql(FILL).execute(&mut *connection).await.unwrap();
    sqlx::raw_sql("ANALYZE")
        .execute(&store.owner().await)
        .await
        .unwrap();
    sqlx::raw_sql("SET plan_cache_mode = force_generic_plan")
        .execute(&mut *connection)
        .await
        .unwrap();

    let all = OrderFilter::default();
    let by_state = OrderFilter {
        state: Some(OrderState::Negotiating),
        ..all
    };
    let own = OrderFilter {
        commissioner_id: Some(commissioner_id(1)),
        ..all
    };
    let seated = Viewer::from(workshop(workshop_id(1)));
    let anyone = Viewer::from(operator());
    for (viewer, filter) in [
        (anyone, all),
        (anyone, by_state),
        (anyone, own),
        (seated, all),
    ] {
        list_orders(&mut connection, viewer, filter, None, 50)
            .await
            .unwrap();
    }
    let now = "2027-01-01T00:00:00Z".parse().unwrap();
    read_order(&mut connection, anyone, order_id, now)
        .await
        .unwrap();
    read_timeline(&mut connection, seated, order_id, Version::NONE, 50)
        .await
        .unwrap();
    for status in [None, Some(InvitationStatus::Offered)] {
        list_invitations(&mut connection, workshop_id(1), status, now, None, 50)
            .await
            .unwrap();
    }
    list_workshops(&mut connection, None, 50).await.unwrap();

    let plans = plans(&mut connection).await;
    let mut used = BTreeSet::new();
    for (statement, plan) in &plans {
        // A list is read in its order; the rows of one order may well be sorted.
        let sorts = statement.contains("LIMIT") && plan.contains("Sort");
        assert!(!plan.contains("Seq Scan") && !sorts, "{statement}\n{plan}");
        used.extend(
            INDEXES
                .into_iter()
                .filter(|index| plan.split_whitespace().any(|word| word == *index)),
        );
    }
    assert_eq!(used, BTreeSet::from(INDEXES));
}
