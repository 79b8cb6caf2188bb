//! Acts that are asked for from a distance: taken in once each, in their order, carried out by one
//! owner, and told with what they did.

use event_store::acts::{
    self, ActId, ActKind, End, EndState, Letters, NewAct, NewRequest, RequestState, Requested,
    Undertaking, find_done, is_followed, take_in,
};
use event_store::{Append, StreamId, Version, append};
use kernel::Metadata;
use serde_json::{Value, json};
use sqlx::PgConnection;
use test_support::TestDatabase;
use uuid::Uuid;

use crate::fixtures::stored;

const ANNA: Uuid = Uuid::from_u128(1);
const BERT: Uuid = Uuid::from_u128(2);

/// The request of a discard, at the end of its operator's stream.
async fn request(connection: &mut PgConnection, operator: Uuid, key: &str) -> ActId {
    let stream = StreamId::operator(operator);
    let loaded = event_store::load(connection, std::slice::from_ref(&stream))
        .await
        .unwrap();
    let after = loaded[0].version();
    let request = NewRequest {
        requested: Requested::Discard(Letters {
            code: Some(key.to_owned()),
            ..Letters::default()
        }),
        operator,
        reason: "because".to_owned(),
        key: key.to_owned(),
    };
    let metadata = Metadata {
        actor: None,
        on_behalf_of: None,
        correlation_id: Uuid::nil(),
        causation_id: None,
        traceparent: None,
        idempotency_key: Some(key.to_owned()),
    };
    let one = Append::to(stream, after, vec![request.event(after, metadata)]);
    stored(append(connection, &one).await.unwrap());
    NewRequest::id_at(operator, Version::new(after.get() + 1), key)
}

fn discarded(request: ActId) -> NewAct {
    NewAct {
        kind: ActKind::Discard,
        operator: ANNA,
        reason: "because".to_owned(),
        subject: json!({ "count": 3 }),
        request: Some(request),
    }
}

fn done(result: Value) -> End {
    End {
        state: EndState::Done,
        exit_code: 0,
        result,
        lasting: None,
    }
}

async fn next(connection: &mut PgConnection, owner: &str) -> Option<Undertaking> {
    Undertaking::next(connection, owner).await.unwrap()
}

async fn state(connection: &mut PgConnection, id: ActId) -> RequestState {
    let act = acts::find(connection, id).await.unwrap().unwrap();
    act.request.unwrap().state
}

#[tokio::test]
async fn requests_are_carried_out_once_each_in_the_order_of_the_log() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap().detach();
    let mut ids = Vec::new();
    for (operator, key) in [(ANNA, "a"), (BERT, "b"), (ANNA, "c")] {
        ids.push(request(&mut connection, operator, key).await);
    }
    assert_eq!(next(&mut connection, "one").await, None, "none is noted");
    assert_eq!(take_in(&mut connection).await.unwrap(), 3);
    assert_eq!(take_in(&mut connection).await.unwrap(), 0);
    for id in &ids {
        assert_eq!(state(&mut connection, *id).await, RequestState::Requested);
        let first = next(&mut connection, "one").await.unwrap();
        assert_eq!((first.id, first.taken_up), (*id, false));
        assert_eq!(state(&mut connection, *id).await, RequestState::Running);
        // Who was killed is followed by another, on the same one.
        let second = next(&mut connection, "two").await.unwrap();
        assert_eq!((second.id, second.taken_up), (*id, true));
        let end = done(json!({ "discarded": 3 }));
        assert!(!first.end(&mut connection, &end, &[]).await.unwrap());
        assert!(
            !first
                .progress(&mut connection, None, &["late".to_owned()])
                .await
                .unwrap()
        );
        let said = ["discarded 3".to_owned()];
        assert!(second.end(&mut connection, &end, &said).await.unwrap());
        assert!(!second.end(&mut connection, &end, &said).await.unwrap());
        let act = acts::find(&mut connection, *id).await.unwrap().unwrap();
        assert_eq!(act.end.unwrap().result, json!({ "discarded": 3 }));
        let request = act.request.unwrap();
        assert_eq!(
            (request.state, request.exit_code, request.said.as_slice()),
            (RequestState::Done, Some(0), &said[..])
        );
        assert!(request.started_at < request.ended_at);
    }
    assert_eq!(next(&mut connection, "two").await, None);
    assert_eq!(Undertaking::waiting(&mut connection).await.unwrap(), 0);
}

#[tokio::test]
async fn nothing_is_taken_in_beyond_an_append_that_is_not_committed() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let mut open = pool.begin().await.unwrap();
    let first = request(&mut open, ANNA, "first").await;
    let mut connection = pool.acquire().await.unwrap();
    let second = request(&mut connection, BERT, "second").await;
    assert_eq!(take_in(&mut connection).await.unwrap(), 0);
    assert_eq!(
        state(&mut connection, second).await,
        RequestState::Requested
    );
    open.commit().await.unwrap();
    assert_eq!(take_in(&mut connection).await.unwrap(), 2);
    assert_eq!(next(&mut connection, "one").await.unwrap().id, first);
}

#[tokio::test]
async fn a_request_does_a_thing_once_and_is_listed_with_what_it_did() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    let id = request(&mut connection, ANNA, "a").await;
    assert_eq!(
        find_done(&mut connection, id, ActKind::Discard)
            .await
            .unwrap(),
        None
    );
    let fact = acts::record(&mut connection, &discarded(id)).await.unwrap();
    let (found, position, subject) = find_done(&mut connection, id, ActKind::Discard)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found, subject), (fact, json!({ "count": 3 })));
    for (kind, expected) in [(ActKind::Discard, false), (ActKind::Replay, false)] {
        let followed = is_followed(&mut connection, kind, position).await.unwrap();
        assert_eq!(followed, expected, "{kind}");
    }
    let again = acts::record(&mut connection, &discarded(id)).await;
    assert!(again.is_err(), "{again:?}");
    // Another kind is another thing, and a rebuild is claimed by everybody who goes on.
    for kind in [ActKind::Swap, ActKind::Rebuild, ActKind::Rebuild] {
        let act = NewAct {
            kind,
            ..discarded(id)
        };
        acts::record(&mut connection, &act).await.unwrap();
    }
    let by_hand = NewAct {
        request: None,
        ..discarded(id)
    };
    for _ in 0..2 {
        acts::record(&mut connection, &by_hand).await.unwrap();
    }
    let followed = is_followed(&mut connection, ActKind::Discard, position);
    assert!(followed.await.unwrap());

    let listed = acts::page(&mut connection, None, 10).await.unwrap();
    let requests: Vec<_> = listed
        .iter()
        .map(|act| (act.id == id, act.request.as_ref()))
        .map(|(is_it, request)| (is_it, request.map(|it| it.done.len())))
        .collect();
    assert_eq!(requests, [(false, None), (false, None), (true, Some(4))]);
    let done = &listed[2].request.as_ref().unwrap().done;
    let kinds: Vec<&str> = done.iter().map(|fact| fact.act.as_str()).collect();
    assert_eq!(kinds, ["discard", "swap", "rebuild", "rebuild"]);
    assert_eq!(done[0].act_id, fact.as_uuid());
    // What did it is found by its own id, too.
    let fact = acts::find(&mut connection, fact).await.unwrap().unwrap();
    assert_eq!(fact.request, None);
}

#[tokio::test]
async fn of_a_request_that_this_release_does_not_know_it_is_told_what_is_odd() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap().detach();
    let id = request(&mut connection, ANNA, "a").await;
    sqlx::query(
        "UPDATE store.events SET payload = jsonb_set(payload, '{act}', '\"adopt\"')
         WHERE event_id = $1",
    )
    .bind(id.as_uuid())
    .execute(&database.pool_owner().await)
    .await
    .unwrap();
    take_in(&mut connection).await.unwrap();
    let undertaking = next(&mut connection, "one").await.unwrap();
    let odd = undertaking.request.unwrap_err();
    assert!(odd.contains("adopt"), "{odd}");
    let act = acts::find(&mut connection, id).await.unwrap().unwrap();
    assert_eq!(act.kind, "adopt");
}
