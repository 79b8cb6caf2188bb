//! Queries over 100 000 orders, by those who ask them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Client;
use sqlx::PgPool;
use uuid::Uuid;

use crate::commission::Party;
use crate::figures::quantiles;
use crate::large::{self, NOWHERE};
use crate::system::{App, System};

/// How many ask at once, one query after the other.
const AT_ONCE: usize = 4;
/// How often each query is asked, after a tenth of it to warm up.
const TIMES: usize = 2_000;

/// An order and its parties.
type Row = (Uuid, Uuid, Uuid);

/// Who asks for what, of an order.
struct Query {
    what: &'static str,
    who: Who,
    path: fn(&Row) -> String,
}

enum Who {
    Operator,
    Commissioner,
    Workshop,
}

const QUERIES: [Query; 9] = [
    Query {
        what: "GET /v1/orders/{id}",
        who: Who::Commissioner,
        path: |row| format!("/v1/orders/{}", row.0),
    },
    Query {
        what: "…/timeline",
        who: Who::Commissioner,
        path: |row| format!("/v1/orders/{}/timeline", row.0),
    },
    Query {
        what: "…/situation",
        who: Who::Workshop,
        path: |row| format!("/v1/orders/{}/situation", row.0),
    },
    Query {
        what: "…/as-of, folded from the store",
        who: Who::Commissioner,
        path: |row| format!("/v1/orders/{}/as-of?version=5", row.0),
    },
    Query {
        what: "GET /v1/orders, a commissioner's 20",
        who: Who::Commissioner,
        path: |_| "/v1/orders".to_owned(),
    },
    Query {
        what: "GET /v1/orders, 50 of a workshop's 400",
        who: Who::Workshop,
        path: |_| "/v1/orders".to_owned(),
    },
    Query {
        what: "GET /v1/orders, 50 of all",
        who: Who::Operator,
        path: |_| "/v1/orders".to_owned(),
    },
    Query {
        what: "GET /v1/orders?state=completed&limit=200",
        who: Who::Operator,
        path: |_| "/v1/orders?state=completed&limit=200".to_owned(),
    },
    Query {
        what: "GET /v1/invitations, 50 of 400",
        who: Who::Workshop,
        path: |_| "/v1/invitations".to_owned(),
    },
];

pub(crate) async fn measure() {
    let (server, database) = large::store().await;
    let system = System::start_on(server, database, NOWHERE, &[]).await;
    let rows = rows(&system.database.pool_owner().await).await;
    println!("{AT_ONCE} ask at once:");
    for query in QUERIES {
        let (parties, paths): (Vec<_>, Vec<_>) = asked(&query, &rows);
        let asked: Arc<[(Party, String)]> = parties.into_iter().zip(paths).collect();
        ask(&system.query, &asked, TIMES / 10).await;
        quantiles(query.what, ask(&system.query, &asked, TIMES).await);
    }
}

/// Some orders from all over.
async fn rows(pool: &PgPool) -> Vec<Row> {
    sqlx::query_as(
        "SELECT order_id, commissioner_id, workshop_id FROM \"orders@1\".orders
         ORDER BY md5(order_id::text) LIMIT 500",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

fn asked(query: &Query, rows: &[Row]) -> (Vec<Party>, Vec<String>) {
    let client = Client::new();
    let party = |row: &Row| match query.who {
        Who::Operator => Party::new("operator", &client),
        Who::Commissioner => Party::of(row.1, "commissioner", &client),
        Who::Workshop => Party::of(row.2, "workshop", &client),
    };
    rows.iter()
        .map(|row| (party(row), (query.path)(row)))
        .unzip()
}

async fn ask(app: &App, asked: &Arc<[(Party, String)]>, times: usize) -> Vec<Duration> {
    let tasks = (0..AT_ONCE).map(|asker| {
        let (asked, app) = (Arc::clone(asked), app.at_same_address());
        tokio::spawn(async move {
            let mut took = Vec::new();
            for number in (asker..times).step_by(AT_ONCE) {
                let (party, path) = &asked[number % asked.len()];
                let began = Instant::now();
                party.get(&app, path, &[]).await.ok();
                took.push(began.elapsed());
            }
            took
        })
    });
    let took = join_all(tasks).await.into_iter();
    took.flat_map(Result::unwrap).collect()
}
