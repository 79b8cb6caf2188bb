//! Every read is served by its index, in the plan that it has after a while: the generic one.

use std::collections::BTreeSet;

use event_store::{Position, Version};
use projections::orders::{
    InvitationFilter, InvitationStatus, OrderFilter, OrderState, Span, complete_up_to,
    count_by_state, list_invitations, list_orders, position_before, read_order, read_situation,
    read_timeline, sees_parked, walk_invitations, walk_orders, walk_timeline,
};
use projections::redaction::Viewer;
use projections::workshops::list_workshops;
use projections::{Model, touched};
use sqlx::{PgConnection, Row};

use crate::histories::{History, commissioner, commissioner_id, operator, workshop, workshop_id};
use crate::store::Store;

/// Enough orders for the planner to take its indexes seriously; few are cancelled.
const FILL: &str = "
    INSERT INTO orders (order_id, version, state, commissioner_id, title, budget_amount,
                        budget_currency, deadline, request_revision, placed_at, updated_at,
                        first_position, last_position)
    SELECT md5('order' || n)::uuid, 1,
           CASE WHEN n % 500 = 0 THEN 'cancelled' ELSE 'negotiating' END,
           md5('commissioner' || n % 100)::uuid, 'Piece', 1000, 'EUR', '2029-01-01', 1, at, at, n, n
    FROM generate_series(1, 5000) AS n, LATERAL (SELECT now() + n * interval '1s' AS at) AS t;
    INSERT INTO invitations (order_id, workshop_id, seat, status, first_invited_at, invited_at,
                             order_state, placed_at, first_position, last_position)
    SELECT order_id, md5('workshop' || (first_position + seat) % 100)::uuid, seat, 'pending',
           placed_at, placed_at, state, placed_at, first_position, last_position
    FROM orders, generate_series(1, 2) AS seat WHERE title = 'Piece';
    INSERT INTO timeline (order_id, version, part, event_id, event, schema_version, data,
                          actor_role, actor_id, occurred_at, recorded_at, position)
    SELECT order_id, number, 1, md5(order_id::text || number)::uuid, 'OrderPlaced', '1.0', '{}',
           'commissioner', commissioner_id, placed_at, placed_at, first_position
    FROM orders, generate_series(1, 5) AS number WHERE title = 'Piece';
    INSERT INTO folds (order_id, version, shape, fold)
    SELECT order_id, 1, -1, '{}' FROM orders WHERE title = 'Piece';
    INSERT INTO workshops
    SELECT md5('workshop' || n)::uuid, 1, 'Workshop ' || n, true, n, n
    FROM generate_series(1, 5000) AS n;
";

const INDEXES: [&str; 13] = [
    "folds_pkey",
    "invitations_by_order_state",
    "invitations_inbox",
    "invitations_inbox_turn",
    "invitations_order_turn",
    "invitations_pkey",
    "orders_by_commissioner",
    "orders_by_state",
    "orders_commissioners_turn",
    "orders_pkey",
    "timeline_pkey",
    "timeline_walk",
    "workshops_by_name",
];

/// The generic plans of all statements on read tables that the connection has prepared.
async fn plans(connection: &mut PgConnection) -> Vec<(String, String)> {
    let prepared = sqlx::query(
        "SELECT name, statement, cardinality(parameter_types) AS parameters
         FROM pg_prepared_statements WHERE statement ~ $1",
    )
    .bind(r"\m(FROM|JOIN) (orders|invitations|stages|timeline|folds|workshops)\M")
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

/// What a plan does for each state or status, or all of it: a walk along an index there is cut at
/// the limit, and what the walks find may well be sorted.
fn walks(plan: &str) -> &str {
    plan.split_once("Function Scan")
        .map_or(plan, |(_, walks)| walks)
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
    store.as_owner("ANALYZE").await;
    sqlx::raw_sql("SET plan_cache_mode = force_generic_plan")
        .execute(&mut *connection)
        .await
        .unwrap();

    let all = OrderFilter::default();
    let by_state = OrderFilter {
        state: Some(OrderState::Negotiating),
        ..all
    };
    let rare = OrderFilter {
        state: Some(OrderState::Cancelled),
        ..all
    };
    let mine = OrderFilter { mine: true, ..all };
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
        (seated, rare),
        (seated, mine),
        (Viewer::from(commissioner(commissioner_id(1))), mine),
    ] {
        list_orders(&mut connection, viewer, filter, None, 50)
            .await
            .unwrap();
    }
    assert!(
        !sees_parked(&mut connection, seated, Position::new(1))
            .await
            .unwrap()
    );
    let now = "2027-01-01T00:00:00Z".parse().unwrap();
    read_order(&mut connection, anyone, order_id, now)
        .await
        .unwrap();
    read_timeline(&mut connection, seated, order_id, Version::NONE, 50)
        .await
        .unwrap();
    for status in [None, Some(InvitationStatus::Offered)] {
        for mine in [false, true] {
            let filter = InvitationFilter { status, mine };
            list_invitations(&mut connection, workshop_id(1), filter, now, None, 50)
                .await
                .unwrap();
        }
    }
    let span = Span {
        after: Position::START,
        up_to: Position::new(100),
        since: now,
    };
    for viewer in [anyone, seated] {
        walk_orders(&mut connection, viewer, span).await.unwrap();
        complete_up_to(&mut connection, viewer, span.up_to)
            .await
            .unwrap();
    }
    walk_invitations(&mut connection, workshop_id(1), now, span)
        .await
        .unwrap();
    walk_timeline(&mut connection, anyone, order_id, span)
        .await
        .unwrap();
    position_before(&mut connection, now, span.up_to)
        .await
        .unwrap();
    read_situation(&mut connection, operator(), order_id, now)
        .await
        .unwrap();
    list_workshops(&mut connection, None, 50).await.unwrap();
    count_by_state(&mut connection, 100).await.unwrap();
    touched(&mut connection, Model::Orders, span.after, span.up_to)
        .await
        .unwrap();

    let plans = plans(&mut connection).await;
    let mut used = BTreeSet::new();
    for (statement, plan) in &plans {
        let sorts = statement.contains("LIMIT") && walks(plan).contains("Sort");
        // What is parked is little, and a live stream looks at all of it.
        let scans = plan.replace("Seq Scan on parked", "").contains("Seq Scan");
        assert!(!scans && !sorts, "{statement}\n{plan}");
        used.extend(
            INDEXES
                .into_iter()
                .filter(|index| plan.split_whitespace().any(|word| word == *index)),
        );
    }
    assert_eq!(used, BTreeSet::from(INDEXES));
}
