//! A repository of postgres-es as it comes reads an order of our store, and folds the same state.

use chrono::{DateTime, TimeZone as _, Utc};
use cqrs_es::EventStore as _;
use cqrs_es::persist::PersistedEventStore;
use event_store::{Append, NewEvent, StreamId, Version, append, load};
use kernel::{
    Actor, CommissionerId, EventId, IdSource as _, Metadata, OrderId, RandomIds, Role, WorkshopId,
};
use order_domain::order::{
    CancelOrder, CompleteStage, ConfirmOffer, Context, DeclineInvitation, Order, OrderAggregate,
    OrderCommand, OrderEvent, OrderState, OrderUpcaster, PlaceOrder, PlaceOrderInput, SubmitOffer,
    decide, fold, stored,
};
use order_domain::value::{MoneyInput, OfferInput, RequestInput, StageInput, StageNumber};
use order_domain::workshop::{self, Directory, PutWorkshop, WorkshopInput};
use postgres_es::PostgresEventRepository;
use test_support::TestDatabase;
use uuid::Uuid;

use crate::fixtures::stored as stored_now;

const ORDER: OrderId = OrderId::from_uuid(Uuid::from_u128(1));
const COMMISSIONER: CommissionerId = CommissionerId::from_uuid(Uuid::from_u128(2));
const MAKER: WorkshopId = WorkshopId::from_uuid(Uuid::from_u128(3));
const RIVAL: WorkshopId = WorkshopId::from_uuid(Uuid::from_u128(4));

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 25, 10, 0, 0).unwrap()
}

fn budget() -> Option<MoneyInput> {
    Some(MoneyInput {
        amount: Some("1250.5".to_owned()),
        currency: Some("EUR".to_owned()),
    })
}

fn commands() -> Vec<(Actor, OrderCommand)> {
    let commissioner = Actor::new(Role::Commissioner, COMMISSIONER.as_uuid());
    let maker = Actor::new(Role::Workshop, MAKER.as_uuid());
    let rival = Actor::new(Role::Workshop, RIVAL.as_uuid());
    let place = PlaceOrderInput {
        request: Some(RequestInput {
            title: Some("A desk".to_owned()),
            brief: Some("Oak.".to_owned()),
            budget: budget(),
            deadline: Some("2027-06-01T00:00:00Z".to_owned()),
        }),
        workshops: Some(vec![MAKER.to_string(), RIVAL.to_string()]),
    };
    let offer = OfferInput {
        budget: budget(),
        deadline: Some("2027-05-01T00:00:00Z".to_owned()),
        description: Some("Solid.".to_owned()),
        stages: Some(vec![
            StageInput {
                name: Some("Drawings".to_owned()),
                description: Some("To scale.".to_owned()),
                duration_days: Some(7),
                requires_approval: Some(true),
            },
            StageInput {
                name: Some("Build".to_owned()),
                description: Some("The desk.".to_owned()),
                duration_days: None,
                requires_approval: None,
            },
        ]),
        request_revision: Some(1),
    };
    vec![
        (
            commissioner,
            OrderCommand::PlaceOrder(PlaceOrder::parse(ORDER, COMMISSIONER, place, now()).unwrap()),
        ),
        (
            maker,
            OrderCommand::SubmitOffer(SubmitOffer::parse(MAKER, offer, now()).unwrap()),
        ),
        (
            rival,
            OrderCommand::DeclineInvitation(
                DeclineInvitation::parse(RIVAL, Some("No oak left.")).unwrap(),
            ),
        ),
        (
            commissioner,
            OrderCommand::ConfirmOffer(ConfirmOffer::parse(MAKER, Some(1)).unwrap()),
        ),
        (
            maker,
            OrderCommand::CompleteStage(CompleteStage {
                stage: StageNumber::new(1).unwrap(),
            }),
        ),
        (
            commissioner,
            OrderCommand::CancelOrder(CancelOrder::parse(Some("We move away.")).unwrap()),
        ),
    ]
}

/// The directory that both workshops are in.
fn directory() -> Directory {
    let operator = Actor::new(Role::Operator, Uuid::from_u128(9));
    [MAKER, RIVAL]
        .into_iter()
        .map(|id| {
            let input = WorkshopInput {
                name: Some("Oak and Brass".to_owned()),
                accepts_commissions: Some(true),
            };
            let put = PutWorkshop::parse(id, input).unwrap();
            let events =
                workshop::decide(&workshop::Workshop::default(), put, operator, now()).unwrap();
            workshop::fold(&events).unwrap()
        })
        .collect()
}

fn history() -> Vec<OrderEvent> {
    let mut events: Vec<OrderEvent> = Vec::new();
    for (actor, command) in commands() {
        let order = fold(&events).unwrap();
        let context = Context::new(actor, now()).with_directory(directory());
        events.extend(decide(&order, command, &context).unwrap());
    }
    events
}

fn new_event(event: &OrderEvent) -> NewEvent {
    let encoded = stored::encode(event);
    NewEvent {
        event_id: EventId::from_uuid(RandomIds.next()),
        event_type: encoded.event_type,
        event_version: encoded.event_version,
        payload: encoded.payload,
        metadata: Metadata {
            actor: Some(Actor::new(Role::Commissioner, COMMISSIONER.as_uuid())),
            on_behalf_of: None,
            correlation_id: Uuid::from_u128(5),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    }
}

#[tokio::test]
async fn a_stock_repository_folds_the_same_order() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let events = history();
    let request = Append::to(
        StreamId::order(ORDER),
        Version::NONE,
        events.iter().map(new_event).collect(),
    );
    let mut connection = pool.acquire().await.unwrap();
    stored_now(append(&mut connection, &request).await.unwrap());

    let repository =
        PostgresEventRepository::new(pool.clone()).with_tables("store.events", "store.none");
    let store = PersistedEventStore::<_, OrderAggregate>::new_event_store(repository)
        .with_upcasters(vec![Box::new(OrderUpcaster)]);
    let context = store.load_aggregate(&ORDER.to_string()).await.unwrap();
    let stock: Order = context.aggregate.into_order().unwrap();

    let loaded = load(&mut connection, &[StreamId::order(ORDER)])
        .await
        .unwrap();
    let ours: Vec<OrderEvent> = loaded[0]
        .events
        .iter()
        .flat_map(|e| stored::decode(&e.event_type, &e.event_version, &e.payload).unwrap())
        .collect();
    assert_eq!(ours, events);
    assert_eq!(stock, fold(&ours).unwrap());
    assert_eq!(stock.state(), Some(OrderState::Disputed));
}
