//! What the application's role may not do to the bonus tables.

use crate::fixtures::{BonusStore, whole_order};

#[tokio::test]
async fn facts_and_activations_are_never_changed() {
    let store = BonusStore::started().await;
    store.ingest.run(&whole_order(1, 7)).await.unwrap();
    for statement in [
        "UPDATE bonus.ledger SET by_dispute = true",
        "DELETE FROM bonus.ledger",
        "TRUNCATE bonus.ledger",
        "DELETE FROM bonus.accounts",
        "UPDATE bonus.policy_activations SET version = 2",
        "UPDATE bonus.policy_activations SET hash = hash",
        "DELETE FROM bonus.policy_activations",
    ] {
        let refused = sqlx::query(statement)
            .execute(&store.pool)
            .await
            .unwrap_err();
        let code = refused.into_database_error().unwrap();
        assert_eq!(code.code().as_deref(), Some("42501"), "{statement}");
    }
}
