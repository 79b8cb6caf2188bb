//! Every statement that a reader prepares is served by an index, on tables that are empty and were
//! never looked at, in the plan that it has after a while: the generic one.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bonus_domain::{
    Beneficiary, Fact, Head, KnownFacts, Policies, PolicyVersion, SourceType, Taken, settle, stored,
};
use event_store::{
    BatchBound, Position, Reader, ReaderOptions, Sink, SinkError, StoredEvent, StreamId,
};
use kernel::{EventId, Role};
use order_domain::Encoded;
use projections::Model;
use serde_json::json;
use sqlx::{ConnectOptions as _, PgConnection, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::histories::{History, commissioner_id, operator, workshop_id};
use crate::store::{Store, first, options};

const LATE: &str = "2029-01-01T00:00:00Z";

/// The statements that a connection has prepared, each with the types of its parameters.
type Statements = BTreeMap<String, Vec<String>>;

/// A read model, and what its reader's connection has prepared so far.
struct Watched {
    sink: Box<dyn Sink>,
    prepared: Statements,
}

#[async_trait]
impl Sink for Watched {
    async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        self.sink.apply(transaction, events).await
    }

    async fn flush(&mut self, transaction: &mut PgConnection) -> Result<(), SinkError> {
        self.sink.flush(transaction).await?;
        let rows = sqlx::query(
            "SELECT statement, parameter_types::text[] AS types FROM pg_prepared_statements",
        )
        .fetch_all(transaction)
        .await?;
        let prepared = rows
            .iter()
            .map(|row| (row.get("statement"), row.get("types")));
        self.prepared.extend(prepared);
        Ok(())
    }

    fn abandon(&mut self) {
        self.sink.abandon();
    }
}

/// Everything that the readers of a read model prepare while they bring it up to date, a few events
/// at a time.
async fn prepared(store: &Store, model: Model, to: i64) -> Statements {
    let version = first(model);
    let with = ReaderOptions {
        to: Some(Position::new(to)),
        batch: BatchBound {
            events: 3,
            ..BatchBound::default()
        },
        ..options(version)
    };
    let reader = Reader::new(version.connect(store.connect()), with);
    let mut watched = Watched {
        sink: model.sink(),
        prepared: Statements::new(),
    };
    reader.drive(&mut watched, &CancellationToken::new()).await;
    watched.prepared
}

/// All that may happen to a reader: new orders and known ones, a stream that is parked and flows
/// again, a fold of another shape.
async fn statements() -> BTreeMap<Model, Statements> {
    let store = Store::create().await;
    let mut order = History::place(1, commissioner_id(1), vec![workshop_id(1)]);
    assert!(order.offer(workshop_id(1), &[true], LATE));
    store.append_order(order.order_id, 0, &order.happened).await;
    let odd = History::place(2, commissioner_id(1), vec![workshop_id(1)]);
    store.append_order(odd.order_id, 0, &odd.happened).await;
    store
        .append_raw(&odd, 1, "OrderGilded", "1.0", json!({}))
        .await;
    store.put_workshop(workshop_id(1), 0, "Oak", true).await;
    award_points(&store).await;
    let mut found: BTreeMap<Model, Statements> = BTreeMap::new();
    for model in Model::ALL {
        found
            .entry(model)
            .or_default()
            .extend(prepared(&store, model, last(&store).await).await);
    }

    let declined = json!({
        "event": "InvitationDeclined", "workshopId": workshop_id(1), "reason": null,
        "orderId": odd.order_id, "commissionerId": odd.commissioner_id,
        "occurredAt": "2027-12-31T00:00:00Z",
    });
    store
        .as_owner(&format!(
            "UPDATE store.events SET event_type = 'InvitationDeclined', payload = '{declined}'
             WHERE event_type = 'OrderGilded';
             UPDATE folds SET shape = -1",
        ))
        .await;
    let before = order.happened.len();
    assert!(order.confirm(workshop_id(1)));
    assert!(order.complete_stage(operator(), 1));
    assert!(order.approve_stage(1));
    let expected = i64::try_from(before).unwrap();
    store
        .append_order(order.order_id, expected, &order.happened[before..])
        .await;
    for model in Model::ALL {
        found
            .entry(model)
            .or_default()
            .extend(prepared(&store, model, last(&store).await).await);
    }
    found
}

async fn last(store: &Store) -> i64 {
    sqlx::query_scalar("SELECT max(position) FROM store.events")
        .fetch_one(&store.pool)
        .await
        .unwrap()
}

/// An account's first points.
pub(crate) async fn award_points(store: &Store) {
    let beneficiary = Beneficiary::new(Role::Commissioner, Uuid::from_u128(1));
    let at = "2027-01-01T00:00:00Z".parse().unwrap();
    let fact = Fact {
        source_event_id: EventId::from_uuid(Uuid::from_u128(1)),
        source_type: SourceType::known("OrderPlaced").unwrap(),
        beneficiary,
        order_id: None,
        by_dispute: false,
        occurred_at: at,
    };
    let policy = Policies::compiled().get(PolicyVersion::FIRST).unwrap();
    let known = KnownFacts::default();
    let settled = settle(Head::new(policy), fact.beneficiary, &known, policy, at).unwrap();
    let Taken::Awarded { moved, .. } = settled.award(&known, &fact, policy).unwrap() else {
        unreachable!("the fact is worth something");
    };
    let events = moved.events;
    let stream = StreamId::account(beneficiary.role, beneficiary.id);
    let encoded = events.iter().map(|event| {
        let (event_type, event_version, payload) = stored::encode(event);
        Encoded {
            event_type,
            event_version,
            payload,
        }
    });
    store
        .append_encoded(stream, operator(), encoded.collect())
        .await;
}

/// The generic plan of a statement that the connection prepares now.
async fn plan(connection: &mut PgConnection, statement: &str, types: &[String]) -> String {
    let parameters = match types {
        [] => String::new(),
        types => format!("({})", types.join(", ")),
    };
    let arguments = match types {
        [] => String::new(),
        types => format!("({})", vec!["NULL"; types.len()].join(", ")),
    };
    sqlx::raw_sql(&format!(
        "DEALLOCATE ALL; PREPARE one {parameters} AS {statement}"
    ))
    .execute(&mut *connection)
    .await
    .unwrap();
    let lines = sqlx::raw_sql(&format!("EXPLAIN (COSTS OFF) EXECUTE one {arguments}"))
        .fetch_all(connection)
        .await
        .unwrap();
    let lines: Vec<String> = lines.iter().map(|line| line.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn no_statement_of_a_reader_scans_a_table_not_even_an_empty_one() {
    let statements = statements().await;
    let empty = Store::create().await;
    let mut used = BTreeSet::new();
    for (model, statements) in &statements {
        let connect = first(*model).connect(empty.connect());
        let mut connection = connect.connect().await.unwrap();
        sqlx::raw_sql("SET plan_cache_mode = force_generic_plan")
            .execute(&mut connection)
            .await
            .unwrap();
        for (statement, types) in statements {
            if statement.contains("pg_prepared_statements") {
                continue;
            }
            let plan = plan(&mut connection, statement, types).await;
            // The store's name is one row.
            let scans = plan.lines().filter(|line| !line.contains("on identity"));
            let scanned = scans.filter(|line| line.contains("Seq Scan")).count();
            assert_eq!(scanned, 0, "{model}: {statement}\n{plan}");
            let indexes = plan
                .split_whitespace()
                .filter(|word| word.ends_with("_pkey"));
            used.extend(indexes.map(ToOwned::to_owned));
        }
    }
    // Everything that a reader does was among them.
    for index in [
        "bonus_accounts_pkey",
        "checkpoints_pkey",
        "events_pkey",
        "folds_pkey",
        "invitations_pkey",
        "orders_pkey",
        "parked_pkey",
        "stages_pkey",
        "workshops_pkey",
    ] {
        assert!(used.contains(index), "{index} is not among {used:?}");
    }
    let merges = statements.values().flatten();
    assert!(
        merges
            .filter(|(text, _)| text.contains("MERGE INTO"))
            .count()
            >= 3
    );
}
