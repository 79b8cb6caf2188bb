//! The last safety net: what the tables refuse, whoever writes.

use crate::histories::{History, commissioner, commissioner_id, workshop_id};
use crate::store::Store;

const CHECK: &str = "23514";
const UNIQUE: &str = "23505";
const NOT_PERMITTED: &str = "42501";

/// An order in progress, with one more offer that was not taken, and a disputed one.
async fn two_orders() -> Store {
    let store = Store::create().await;
    for number in [1, 2] {
        let workshops = [1, 2, 3].map(workshop_id).to_vec();
        let mut order = History::place(number, commissioner_id(1), workshops);
        for seat in [1, 2] {
            assert!(order.offer(workshop_id(seat), &[true], "2029-01-01T00:00:00Z"));
        }
        assert!(order.confirm(workshop_id(1)));
        if number == 2 {
            assert!(order.cancel(commissioner(commissioner_id(1))));
        }
        store.append_order(order.order_id, 0, &order.happened).await;
    }
    store.put_workshop(workshop_id(1), 0, "Oak", true).await;
    store.catch_up().await;
    store
}

#[tokio::test]
async fn rows_that_contradict_themselves_are_refused() {
    let store = two_orders().await;
    for (statement, code) in [
        ("UPDATE orders SET state = 'lost'", CHECK),
        (
            "UPDATE orders SET state = 'negotiating', current_stage = NULL",
            CHECK,
        ),
        (
            "UPDATE orders SET state = 'finished' WHERE state = 'inProgress'",
            CHECK,
        ),
        ("UPDATE orders SET workshop_id = NULL", CHECK),
        ("UPDATE orders SET version = 0", CHECK),
        ("UPDATE orders SET budget_amount = 0", CHECK),
        ("UPDATE orders SET request_revision = 0", CHECK),
        (
            "UPDATE orders SET updated_at = placed_at - interval '1s'",
            CHECK,
        ),
        (
            "UPDATE orders SET dispute_from = 'finished' WHERE state = 'inProgress'",
            CHECK,
        ),
        (
            "UPDATE orders SET dispute_reason = NULL WHERE state = 'disputed'",
            CHECK,
        ),
        (
            "UPDATE orders SET last_position = first_position - 1",
            CHECK,
        ),
        ("UPDATE invitations SET status = 'maybe'", CHECK),
        (
            "UPDATE invitations SET status = 'confirmed' WHERE seat = 2",
            UNIQUE,
        ),
        (
            "UPDATE invitations SET status = 'offered' WHERE seat = 3",
            CHECK,
        ),
        (
            "UPDATE invitations SET status = 'declined' WHERE seat = 2",
            CHECK,
        ),
        (
            "UPDATE invitations SET offer_deadline = NULL WHERE seat = 2",
            CHECK,
        ),
        (
            "UPDATE invitations SET offer_amount = -1 WHERE seat = 2",
            CHECK,
        ),
        (
            "UPDATE invitations SET offer_revision = 0 WHERE seat = 2",
            CHECK,
        ),
        (
            "UPDATE invitations SET invited_at = first_invited_at - interval '1s'",
            CHECK,
        ),
        ("UPDATE invitations SET order_state = 'lost'", CHECK),
        ("UPDATE stages SET status = 'skipped'", CHECK),
        ("UPDATE stages SET status = 'completed'", CHECK),
        (
            "UPDATE stages SET status = 'awaitingApproval', requires_approval = false",
            CHECK,
        ),
        ("UPDATE stages SET duration_days = 0", CHECK),
        ("UPDATE timeline SET actor_role = 'analyst'", CHECK),
        ("UPDATE timeline SET on_behalf_of_role = 'workshop'", CHECK),
        ("UPDATE folds SET version = 0", CHECK),
        ("UPDATE workshops SET version = 0", CHECK),
        ("DELETE FROM timeline", NOT_PERMITTED),
        ("DELETE FROM folds", NOT_PERMITTED),
        ("UPDATE read.served SET version = 2", NOT_PERMITTED),
        ("SELECT read.create_orders(2)", NOT_PERMITTED),
        ("DELETE FROM orders", NOT_PERMITTED),
        ("TRUNCATE workshops", NOT_PERMITTED),
        ("DROP TABLE workshops", NOT_PERMITTED),
    ] {
        let refused = sqlx::query(statement).execute(&store.pool).await;
        let refused = refused.expect_err(statement).into_database_error();
        assert_eq!(
            refused.unwrap().code().as_deref(),
            Some(code),
            "{statement}"
        );
    }
}
