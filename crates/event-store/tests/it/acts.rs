//! Operators' acts: recorded with what they do or not at all, and found again.

use event_store::acts::{self, Act, ActKind, NewAct};
use event_store::{Position, StreamId, Version, append, load};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use test_support::TestDatabase;
use uuid::Uuid;

use crate::fixtures::{counted, stored, until_blocked};

const ANNA: Uuid = Uuid::from_u128(1);
const BERT: Uuid = Uuid::from_u128(2);

fn act(operator: Uuid, number: u32) -> NewAct {
    NewAct {
        kind: ActKind::Discard,
        operator,
        reason: format!("reason {number}"),
        subject: json!({ "number": number }),
        request: None,
    }
}

async fn all(connection: &mut PgConnection) -> Vec<Act> {
    acts::page(connection, None, 100).await.unwrap()
}

#[tokio::test]
async fn acts_are_paged_newest_first_each_with_its_end() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap().detach();
    let mut ids = Vec::new();
    for number in 0..5 {
        let operator = if number % 2 == 0 { ANNA } else { BERT };
        let recorded = acts::record(&mut connection, &act(operator, number)).await;
        ids.push(recorded.unwrap());
        let one = counted(&format!("other {number}"), 0, 3);
        stored(append(&mut connection, &one).await.unwrap());
    }
    acts::ended(&mut connection, ids[3], BERT, json!({ "sent": 7 }))
        .await
        .unwrap();

    let mut before = None;
    let mut found: Vec<Act> = Vec::new();
    loop {
        let page = acts::page(&mut connection, before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.position);
        found.extend(page);
    }
    found.reverse();
    assert_eq!(found.iter().map(|act| act.id).collect::<Vec<_>>(), ids);
    let told = |act: &Act| {
        (
            act.kind.clone(),
            act.operator,
            act.reason.clone(),
            act.subject.clone(),
            act.end.as_ref().map(|end| end.result.clone()),
        )
    };
    let discard = |operator, number: u32, end: Option<Value>| {
        let subject = json!({ "number": number });
        (
            "discard".to_owned(),
            operator,
            format!("reason {number}"),
            subject,
            end,
        )
    };
    let expected = [
        discard(ANNA, 0, None),
        discard(BERT, 1, None),
        discard(ANNA, 2, None),
        discard(BERT, 3, Some(json!({ "sent": 7 }))),
        discard(ANNA, 4, None),
    ];
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), expected);
    let stream = load(&mut connection, &[StreamId::operator(BERT)])
        .await
        .unwrap();
    assert_eq!(stream[0].version(), Version::new(3));
    let actor = stream[0].events[2].metadata().unwrap().actor.unwrap();
    assert_eq!(actor.to_string(), format!("operator:{BERT}"));
}

#[tokio::test]
async fn an_act_that_is_rolled_back_never_was() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap().detach();
    let mut transaction = connection.begin().await.unwrap();
    acts::record(&mut transaction, &act(ANNA, 1)).await.unwrap();
    assert_eq!(all(&mut transaction).await.len(), 1);
    transaction.rollback().await.unwrap();
    assert_eq!(all(&mut connection).await, []);
}

#[tokio::test]
async fn two_acts_of_one_operator_at_once_are_both_recorded() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let mut first = pool.begin().await.unwrap();
    acts::record(&mut first, &act(ANNA, 1)).await.unwrap();
    let second = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut transaction = pool.begin().await?;
            acts::record(&mut transaction, &act(ANNA, 2)).await?;
            transaction.commit().await
        }
    });
    until_blocked(&database).await;
    first.commit().await.unwrap();
    second.await.unwrap().unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let reasons: Vec<String> = all(&mut connection)
        .await
        .into_iter()
        .map(|act| act.reason)
        .collect();
    assert_eq!(reasons, ["reason 2", "reason 1"]);
}

#[tokio::test]
async fn a_page_of_acts_is_served_by_indexes_among_many_events() {
    let database = TestDatabase::create().await;
    let mut connection = PgConnection::connect(&database.url("atlas_owner"))
        .await
        .unwrap();
    for filled in [false, true] {
        if filled {
            let mut app = database.pool_app().await.acquire().await.unwrap().detach();
            for stream in 0..20 {
                let one = counted(&format!("{stream}"), 0, 500);
                stored(append(&mut app, &one).await.unwrap());
            }
            for number in 1..=500 {
                acts::record(&mut app, &act(ANNA, number)).await.unwrap();
            }
            sqlx::raw_sql("ANALYZE store.events")
                .execute(&mut connection)
                .await
                .unwrap();
        }
        for statement in [
            "SET plan_cache_mode = force_generic_plan",
            "DEALLOCATE ALL",
            concat!(
                "PREPARE acts_page AS ",
                include_str!("../../queries/acts_page.sql")
            ),
        ] {
            sqlx::raw_sql(&statement.replace("?\"", "\""))
                .execute(&mut connection)
                .await
                .unwrap();
        }
        let last = Position::new(1 << 40).get();
        let lines: Vec<String> =
            sqlx::query_scalar(&format!("EXPLAIN EXECUTE acts_page ({last}, 50)"))
                .persistent(false)
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let plan = lines.join("\n");
        assert!(!plan.contains("Seq Scan on events"), "{plan}");
        // What a request did is looked up among acts, in whichever index of theirs: while there are
        // none, both cost the same.
        for index in [
            "events_acts on",
            "events_acts_requested on",
            "events_acts_ended on",
        ] {
            assert!(plan.contains(index), "{index}: {plan}");
        }
        if filled {
            assert!(plan.contains("events_acts_of_requests"), "{plan}");
        }
    }
}
