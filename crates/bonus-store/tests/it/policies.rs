//! Which policy is in force, and that none that ever was is edited.

use bonus_store::{CheckError, IngestError, PolicyInForceError, check_policies};

use crate::fixtures::{BonusStore, told};

async fn activations(store: &BonusStore) -> Vec<(i32, bool)> {
    sqlx::query_as(
        "SELECT version, replaced_at IS NULL FROM bonus.policy_activations ORDER BY number",
    )
    .fetch_all(&store.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn the_first_start_activates_policy_1_and_later_ones_nothing() {
    let store = BonusStore::empty().await;
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let pool = store.pool.clone();
            tokio::spawn(async move { check_policies(&pool).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(activations(&store).await, [(1, true)]);
    store.activate(2).await;
    check_policies(&store.pool).await.unwrap();
    assert_eq!(activations(&store).await, [(1, false), (2, true)]);
}

#[tokio::test]
async fn a_policy_that_was_edited_after_its_activation_stops_the_start() {
    let store = BonusStore::started().await;
    store.activate(2).await;
    let owner = store.database.pool_owner().await;
    sqlx::query(
        "UPDATE bonus.policy_activations SET hash = decode(repeat('ab', 32), 'hex')
         WHERE version = 1",
    )
    .execute(&owner)
    .await
    .unwrap();
    let error = check_policies(&store.pool).await.unwrap_err();
    let CheckError::Edited {
        version,
        activated,
        compiled,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(version.get(), 1);
    assert_eq!(*activated, "ab".repeat(32));
    assert!(error.to_string().contains(&compiled.to_string()), "{error}");
}

#[tokio::test]
async fn a_policy_of_a_later_release_lets_the_start_pass_and_stops_awards() {
    let store = BonusStore::started().await;
    store.activate(3).await;
    check_policies(&store.pool).await.unwrap();
    let error = store
        .ingest
        .run(&[told(1, "OrderPlaced", 7)])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            IngestError::Policy(PolicyInForceError::Unknown { version }) if version.get() == 3
        ),
        "{error:?}"
    );
    assert_eq!(store.ledger().await, []);

    store.activate(1).await;
    store
        .ingest
        .run(&[told(1, "OrderPlaced", 7)])
        .await
        .unwrap();
}

#[tokio::test]
async fn before_the_first_start_nothing_is_awarded() {
    let store = BonusStore::empty().await;
    let error = store
        .ingest
        .run(&[told(1, "OrderPlaced", 7)])
        .await
        .unwrap_err();
    assert!(
        matches!(error, IngestError::Policy(PolicyInForceError::None)),
        "{error:?}"
    );
}
