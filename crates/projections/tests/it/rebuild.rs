//! Rebuilds: the next version of each read model, built, compared and served beside live writes;
//! stopped at any step and taken up again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_store::acts;
use projections::rebuild::{
    Authority, Certificate, Claimed, Plan, Reading, Rebuild, RebuildError, Rebuilder, State,
    SwapPlan, Told, Verdict,
};
use projections::{Model, Snapshot, Version};
use serde_json::json;
use sqlx::PgPool;
use test_support::eventually;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::histories::{History, commissioner_id, workshop, workshop_id};
use crate::reader_plans::award_points;
use crate::rows_equal_a_fold::{assert_rows_equal_the_fold, lives};
use crate::store::{Store, first};

const LEASE: Duration = Duration::from_millis(600);
const BOUND: Duration = Duration::from_secs(20);
const SECOND: Version = Version {
    model: Model::Orders,
    version: 2,
};

pub(crate) async fn rebuilder(store: &Store, owner: &str) -> Rebuilder {
    Rebuilder {
        pool: store.pool_app().await,
        connect: store.connect(),
        owner: owner.to_owned(),
        lease: LEASE,
    }
}

fn authority() -> Authority {
    Authority {
        operator: Uuid::from_u128(0xa11a),
        reason: "The titles were cut".to_owned(),
        request: None,
    }
}

async fn claim(
    by: &Rebuilder,
    model: Model,
    takes_up_failed: bool,
) -> Result<(Rebuild, Claimed), RebuildError> {
    let plan = Plan {
        model,
        authority: authority(),
        takes_up_failed,
    };
    by.claim(&plan, &CancellationToken::new()).await
}

async fn build(rebuild: &mut Rebuild) {
    rebuild.build(None, &mut |_| {}).await.unwrap();
    rebuild.index(&mut |_| {}).await.unwrap();
}

async fn check_and_swap(
    rebuild: &mut Rebuild,
    accept: Option<i64>,
    keep: bool,
) -> Result<Certificate, RebuildError> {
    let check = rebuild.check(&mut |_| {}).await?;
    let plan = SwapPlan {
        accept,
        keep,
        authority: authority(),
    };
    rebuild.swap(check, &plan, &mut |_| {}).await
}

/// The whole of it, as the command does it.
async fn rebuilt(by: &Rebuilder, model: Model, keep: bool) -> Certificate {
    let (mut rebuild, _) = claim(by, model, false).await.unwrap();
    build(&mut rebuild).await;
    let certificate = check_and_swap(&mut rebuild, None, keep).await.unwrap();
    rebuild.clear(&mut |_| {}).await.unwrap();
    rebuild.release().await.unwrap();
    certificate
}

async fn served(pool: &PgPool, model: Model) -> i32 {
    let mut connection = pool.acquire().await.unwrap();
    model.served(&mut connection).await.unwrap().version
}

/// Which versions have tables.
async fn versions(pool: &PgPool) -> Vec<String> {
    let schemas =
        sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname ~ '@' ORDER BY 1");
    schemas.fetch_all(pool).await.unwrap()
}

/// What the indexes of a version are, but for its name.
async fn indexes(pool: &PgPool, version: Version) -> Vec<String> {
    let definitions = sqlx::query_scalar(
        "SELECT replace(indexdef, schemaname, 'v') FROM pg_indexes WHERE schemaname = $1 ORDER BY 1",
    );
    let version = version.to_string();
    definitions.bind(version).fetch_all(pool).await.unwrap()
}

/// One order with an account, and a directory entry: something of every model.
async fn something_of_all(store: &Store) {
    let lives = lives(store, 8, 20).await;
    store.put_workshop(workshop_id(1), 0, "Oak", true).await;
    store
        .put_workshop(workshop_id(1), 1, "Oak & Iron", false)
        .await;
    award_points(store).await;
    for model in Model::ALL {
        store.catch_up_to(first(model)).await;
    }
    assert_rows_equal_the_fold(store, &lives).await;
}

#[tokio::test]
async fn each_model_is_rebuilt_compared_and_served() {
    let store = Store::create().await;
    something_of_all(&store).await;
    let by = rebuilder(&store, "a").await;
    for model in Model::ALL {
        let of_first = indexes(&by.pool, first(model)).await;
        let certificate = rebuilt(&by, model, false).await;
        assert_eq!(certificate.verdict, Verdict::Equal, "{certificate:#?}");
        assert!(certificate.events.old_holds && certificate.events.new_holds);
        let recorded: i64 =
            sqlx::query_scalar("SELECT count(*) FROM store.events WHERE position <= $1")
                .bind(certificate.events.to)
                .fetch_one(&by.pool)
                .await
                .unwrap();
        assert_eq!(certificate.events.count, recorded);
        assert!(!certificate.tables.is_empty());
        for table in &certificate.tables {
            assert!(table.new.rows > 0, "{} is empty", table.table);
            assert_eq!(table.old, table.new);
        }
        assert_eq!(served(&by.pool, model).await, 2);
        let second = Version { model, version: 2 };
        assert_eq!(indexes(&by.pool, second).await, of_first);
        let shown = by.show(model).await.unwrap().unwrap();
        assert_eq!(shown.state, State::Swapped);
        assert!(shown.ended_at.is_some());
        let kept: Certificate = serde_json::from_value(shown.certificate.unwrap()).unwrap();
        assert_eq!(kept, certificate);
    }
    assert_eq!(
        versions(&by.pool).await,
        ["bonus@2", "orders@2", "workshops@2"]
    );
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM store.checkpoints ORDER BY 1")
        .fetch_all(&by.pool)
        .await
        .unwrap();
    assert_eq!(names, ["bonus@2", "orders@2", "workshops@2"]);
    let mut connection = by.pool.acquire().await.unwrap();
    let acts = acts::page(&mut connection, None, 10).await.unwrap();
    let told: Vec<_> = acts
        .iter()
        .map(|act| (act.kind.as_str(), &act.subject["model"]))
        .collect();
    assert_eq!(told[0], ("swap", &json!("bonus")));
    assert_eq!(told[1], ("rebuild", &json!("bonus")));
    assert_eq!(told.len(), 6);
}

/// What touched a row last does not depend on how events came in batches: the new version takes
/// them all at once, where the one before took them one by one.
#[tokio::test]
async fn a_row_that_is_again_what_it_was_has_the_position_that_touched_it() {
    let store = Store::create().await;
    let mut order = History::place(1, commissioner_id(1), vec![workshop_id(1)]);
    let maker = workshop(workshop_id(1));
    assert!(order.offer(workshop_id(1), &[true, false], "2029-01-01T00:00:00Z"));
    assert!(order.confirm(workshop_id(1)));
    let confirmed = order.happened.len();
    // Stage and seat go there and back again.
    assert!(order.complete_stage(maker, 1) && order.request_changes(1));
    assert!(order.cancel(maker) && order.resolve("resume"));
    let mut at = 0;
    for end in [confirmed]
        .into_iter()
        .chain(confirmed + 1..=order.happened.len())
    {
        let some = &order.happened[at..end];
        store
            .append_order(order.order_id, i64::try_from(at).unwrap(), some)
            .await;
        store.catch_up_to(first(Model::Orders)).await;
        at = end;
    }
    // The new version begins between the two, so that its second batch finds the row.
    let by = rebuilder(&store, "a").await;
    let (mut rebuild, _) = claim(&by, Model::Orders, false).await.unwrap();
    let half = event_store::ReaderOptions {
        to: Some(event_store::Position::new(
            i64::try_from(confirmed).unwrap(),
        )),
        ..crate::store::options(SECOND)
    };
    store.catch_up_with(SECOND, half).await;
    build(&mut rebuild).await;
    let certificate = check_and_swap(&mut rebuild, None, false).await.unwrap();
    assert_eq!(certificate.verdict, Verdict::Equal);
}

#[tokio::test]
async fn a_fault_is_named_to_row_and_field_and_only_its_exact_number_is_accepted() {
    let store = Store::create().await;
    let lives = lives(&store, 12, 20).await;
    store.catch_up().await;
    let by = rebuilder(&store, "a").await;
    let (mut rebuild, _) = claim(&by, Model::Orders, false).await.unwrap();
    build(&mut rebuild).await;
    let order_id = lives[3].order_id;
    store
        .as_owner(&format!(
            "UPDATE \"orders@2\".orders SET title = 'Another' WHERE order_id = '{order_id}'"
        ))
        .await;

    let refused = check_and_swap(&mut rebuild, None, false).await.unwrap_err();
    let RebuildError::Differs(certificate) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (certificate.verdict, certificate.differing),
        (Verdict::Differs, 1)
    );
    let [difference] = &certificate.differences[..] else {
        panic!("{certificate:#?}");
    };
    assert_eq!(difference.table, "orders");
    assert_eq!(difference.key, json!({ "order_id": order_id }));
    let [field] = &difference.fields[..] else {
        panic!("{difference:?}");
    };
    assert_eq!(
        (field.field.as_str(), &field.old, &field.new),
        ("title", &json!("Piece 4"), &json!("Another"))
    );
    assert_eq!(served(&by.pool, Model::Orders).await, 1);
    assert_eq!(
        by.show(Model::Orders).await.unwrap().unwrap().state,
        State::Failed
    );
    rebuild.release().await.unwrap();

    // More comes meanwhile; the difference is the same one.
    let mut order = History::place(40, commissioner_id(1), vec![workshop_id(1)]);
    assert!(order.offer(workshop_id(1), &[], "2029-01-01T00:00:00Z"));
    store.append_order(order.order_id, 0, &order.happened).await;
    store.catch_up().await;
    for wrong in [2, 3] {
        let (mut again, claimed) = claim(&by, Model::Orders, true).await.unwrap();
        assert_eq!(claimed, Claimed::TakenUp(State::Failed));
        assert_eq!(again.state(), State::Checking);
        let refused = check_and_swap(&mut again, Some(wrong), false)
            .await
            .unwrap_err();
        assert!(matches!(refused, RebuildError::Differs(_)), "{refused:?}");
        again.release().await.unwrap();
        assert_eq!(served(&by.pool, Model::Orders).await, 1);
    }
    let (mut again, _) = claim(&by, Model::Orders, true).await.unwrap();
    let certificate = check_and_swap(&mut again, Some(1), false).await.unwrap();
    assert_eq!(certificate.verdict, Verdict::Accepted);
    assert_eq!(served(&by.pool, Model::Orders).await, 2);
}

/// Rows that one version lacks, and those of a stream that moves on, count too.
#[tokio::test]
async fn rows_that_are_missing_or_too_many_are_counted_also_where_their_order_moves_on() {
    let store = Store::create().await;
    let mut order = History::place(1, commissioner_id(1), vec![workshop_id(1), workshop_id(2)]);
    store.append_order(order.order_id, 0, &order.happened).await;
    store.catch_up().await;
    let by = rebuilder(&store, "a").await;
    let (mut rebuild, _) = claim(&by, Model::Orders, false).await.unwrap();
    build(&mut rebuild).await;
    store
        .as_owner(
            "DELETE FROM \"orders@2\".timeline;
             UPDATE \"orders@2\".invitations SET first_position = first_position - 0, seat = 9
             WHERE seat = 2;
             INSERT INTO \"orders@2\".stages (order_id, number, name, requires_approval, status,
                                              first_position, last_position)
             SELECT order_id, 7, 'Ghost', false, 'pending', 1, 1 FROM \"orders@2\".orders",
        )
        .await;
    let check = rebuild.check(&mut |_| {}).await.unwrap();
    // The order moves after the comparison: all of it is compared again.
    let before = order.happened.len();
    assert!(order.offer(workshop_id(1), &[], "2029-01-01T00:00:00Z"));
    let expected = i64::try_from(before).unwrap();
    store
        .append_order(order.order_id, expected, &order.happened[before..])
        .await;
    store.catch_up().await;
    let plan = SwapPlan {
        accept: None,
        keep: false,
        authority: authority(),
    };
    let refused = rebuild.swap(check, &plan, &mut |_| {}).await.unwrap_err();
    let RebuildError::Differs(certificate) = refused else {
        panic!("{refused:?}");
    };
    let found: Vec<_> = certificate
        .differences
        .iter()
        .map(|it| (it.table.as_str(), it.missing.as_deref(), it.fields.len()))
        .collect();
    assert_eq!(
        found,
        [
            ("invitations", None, 1),
            ("stages", Some("old"), 0),
            ("timeline", Some("new"), 0)
        ]
    );
    assert_eq!(certificate.differing, 3);
    let timeline = &certificate.tables[4];
    assert_eq!((timeline.old.rows, timeline.new.rows), (2, 1));
}

#[tokio::test]
async fn a_second_rebuild_is_refused_and_the_first_named() {
    let store = Store::create().await;
    something_of_all(&store).await;
    let by = rebuilder(&store, "the first").await;
    let (rebuild, _) = claim(&by, Model::Workshops, false).await.unwrap();
    // It is renewed: much later it still holds.
    eventually("a renewal", BOUND, || async {
        let renewed: bool = sqlx::query_scalar(
            "SELECT expires_at > started_at + make_interval(secs => 1.2) FROM read.rebuilds",
        )
        .fetch_one(&by.pool)
        .await
        .unwrap();
        renewed.then_some(()).ok_or("not renewed")
    })
    .await;
    let other = rebuilder(&store, "the second").await;
    let refused = claim(&other, Model::Workshops, false).await.unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("rebuild 1 of workshops") && told.contains("the first"),
        "{told}"
    );
    // Another model's is its own.
    let (of_bonus, _) = claim(&other, Model::Bonus, false).await.unwrap();
    of_bonus.release().await.unwrap();
    rebuild.release().await.unwrap();
}

/// As a kill leaves it: nothing is given back, and the claim ends with its lease.
#[tokio::test]
async fn whoever_dies_at_any_step_is_followed_by_one_that_goes_on() {
    let store = Store::create().await;
    something_of_all(&store).await;
    let by = rebuilder(&store, "dies").await;
    let (mut rebuild, claimed) = claim(&by, Model::Orders, false).await.unwrap();
    assert_eq!(claimed, Claimed::Begun);
    rebuild.build(None, &mut |_| {}).await.unwrap();
    drop(rebuild);
    let refused = claim(&rebuilder(&store, "early").await, Model::Orders, false).await;
    assert!(
        matches!(refused, Err(RebuildError::Held { .. })),
        "{refused:?}"
    );

    for (state, next) in [
        (State::Building, State::Checking),
        (State::Checking, State::Checking),
        (State::Checking, State::Swapped),
        (State::Swapped, State::Swapped),
    ] {
        let by = rebuilder(&store, &format!("goes on {}", state.as_str())).await;
        let (mut rebuild, claimed) = eventually("the claim", BOUND, || async {
            claim(&by, Model::Orders, false)
                .await
                .map_err(|error| error.to_string())
        })
        .await;
        assert_eq!(claimed, Claimed::TakenUp(state));
        assert_eq!(rebuild.to(), SECOND);
        match (state, next) {
            (State::Building, _) => rebuild.index(&mut |_| {}).await.unwrap(),
            (State::Checking, State::Checking) => drop(rebuild.check(&mut |_| {}).await.unwrap()),
            (State::Checking, _) => drop(check_and_swap(&mut rebuild, None, false).await.unwrap()),
            _ => rebuild.clear(&mut |_| {}).await.unwrap(),
        }
    }
    assert_eq!(served(&by.pool, Model::Orders).await, 2);
    assert!(!versions(&by.pool).await.contains(&"orders@1".to_owned()));
    assert!(
        by.show(Model::Orders)
            .await
            .unwrap()
            .unwrap()
            .ended_at
            .is_some()
    );
}

#[tokio::test]
async fn an_owner_that_was_stalled_swaps_nothing() {
    let store = Store::create().await;
    something_of_all(&store).await;
    let by = rebuilder(&store, "stalled").await;
    let (mut stalled, _) = claim(&by, Model::Orders, false).await.unwrap();
    build(&mut stalled).await;
    let check = stalled.check(&mut |_| {}).await.unwrap();
    store
        .as_owner("UPDATE read.rebuilds SET epoch = epoch + 1, owner = 'another'")
        .await;
    let plan = SwapPlan {
        accept: None,
        keep: false,
        authority: authority(),
    };
    let lost = stalled.swap(check, &plan, &mut |_| {}).await.unwrap_err();
    assert!(matches!(lost, RebuildError::ClaimLost), "{lost:?}");
    assert_eq!(served(&by.pool, Model::Orders).await, 1);
}

async fn back(by: &Rebuilder) -> Result<(Version, Version), RebuildError> {
    let stop = CancellationToken::new();
    by.back(Model::Orders, &authority(), &stop, &mut |_| {})
        .await
}

#[tokio::test]
async fn a_kept_version_is_served_again_though_nobody_followed_it() {
    let store = Store::create().await;
    let mut lives = lives(&store, 6, 20).await;
    store.catch_up().await;
    let by = rebuilder(&store, "a").await;
    let refused = back(&by).await.unwrap_err();
    assert!(
        matches!(refused, RebuildError::NothingKept { .. }),
        "{refused:?}"
    );
    rebuilt(&by, Model::Orders, true).await;
    let order = History::place(50, commissioner_id(1), vec![workshop_id(1)]);
    store.append_order(order.order_id, 0, &order.happened).await;
    lives.push(order);
    store.catch_up_to(SECOND).await;

    assert_eq!(back(&by).await.unwrap(), (SECOND, first(Model::Orders)));
    assert_eq!(served(&by.pool, Model::Orders).await, 1);
    // It is not behind what was shown before.
    assert_rows_equal_the_fold(&store, &lives).await;
    assert_eq!(back(&by).await.unwrap(), (first(Model::Orders), SECOND));

    // At most one is left: the next one replaces what was kept.
    rebuilt(&by, Model::Orders, true).await;
    let orders: Vec<_> = versions(&by.pool).await;
    assert_eq!(orders, ["bonus@1", "orders@2", "orders@3", "workshops@1"]);
}

#[tokio::test]
async fn the_version_before_is_dropped_once_nobody_reads_it() {
    let store = Store::create().await;
    something_of_all(&store).await;
    let by = rebuilder(&store, "a").await;
    // It has learnt which version is served, and has read nothing of it yet.
    let mut early = Snapshot::open(&by.pool, Model::Orders).await.unwrap();
    let (mut rebuild, _) = claim(&by, Model::Orders, false).await.unwrap();
    build(&mut rebuild).await;
    check_and_swap(&mut rebuild, None, false).await.unwrap();

    let waits: Arc<Mutex<Vec<Reading>>> = Arc::default();
    let heard = Arc::clone(&waits);
    let clearing = tokio::spawn(async move {
        let hears = &mut |told: Told<'_>| match told {
            Told::Waits { reader, .. } => heard.lock().unwrap().push(reader),
            Told::Dropped(version) => assert_eq!(version, first(Model::Orders)),
            Told::Built { .. }
            | Told::Indexed(_)
            | Told::Counted { .. }
            | Told::Compared { .. }
            | Told::ServesAfter { .. } => {}
        };
        rebuild.clear(hears).await
    });
    eventually("somebody to wait for", BOUND, || async {
        let waits = waits.lock().unwrap();
        let session = waits.iter().any(|it| matches!(it, Reading::Session { .. }));
        session.then_some(()).ok_or(format!("{waits:?}"))
    })
    .await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM orders")
        .fetch_one(&mut *early)
        .await
        .unwrap();
    assert_eq!(rows, 8);
    assert!(!clearing.is_finished());
    early.close().await.unwrap();
    clearing.await.unwrap().unwrap();
    assert!(!versions(&by.pool).await.contains(&"orders@1".to_owned()));
}

#[tokio::test]
async fn the_applications_role_can_drop_and_serve_nothing_else() {
    let store = Store::create().await;
    something_of_all(&store).await;
    let by = rebuilder(&store, "a").await;
    let (mut rebuild, _) = claim(&by, Model::Orders, false).await.unwrap();
    for refused in [
        "SELECT read.drop_version('orders', 1)",
        "SELECT read.drop_version('orders', 2)",
        "SELECT read.drop_version('orders', 3)",
        "SELECT read.serve('orders', 1, 2, false)",
        "SELECT read.serve('orders', 1, 1, false)",
        "UPDATE read.served SET version = 2",
        "UPDATE read.rebuilds SET pending_indexes = '{}'",
        "DROP SCHEMA \"orders@2\" CASCADE",
    ] {
        let done = sqlx::query(refused).execute(&by.pool).await;
        assert!(done.is_err(), "{refused}");
    }
    // Built in full and behind, it is not served either.
    build(&mut rebuild).await;
    let order = History::place(60, commissioner_id(1), vec![workshop_id(1)]);
    store.append_order(order.order_id, 0, &order.happened).await;
    store.catch_up_to(first(Model::Orders)).await;
    let behind = sqlx::query("SELECT read.serve('orders', 1, 2, false)")
        .execute(&by.pool)
        .await;
    assert!(
        behind
            .unwrap_err()
            .to_string()
            .contains("has not come as far")
    );
    assert_eq!(served(&by.pool, Model::Orders).await, 1);
}
