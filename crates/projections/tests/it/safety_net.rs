//! The last safety net: what the tables refuse, whoever writes.

use crate::histories::{History, commissioner, commissioner_id, workshop_id};
use crate::store::Store;

const CHECK: &str = "23514";
const UNIQUE: &str = "23505";
const FOREIGN_KEY: &str = "23503";
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
        ("UPDATE read.orders SET state = 'lost'", CHECK),
        (
            "UPDATE read.orders SET state = 'negotiating', current_stage = NULL",
            CHECK,
        ),
        (
            "UPDATE read.orders SET state = 'finished' WHERE state = 'inProgress'",
            CHECK,
        ),
        ("UPDATE read.orders SET workshop_id = NULL", CHECK),
        ("UPDATE read.orders SET version = 0", CHECK),
        ("UPDATE read.orders SET budget_amount = 0", CHECK),
        ("UPDATE read.orders SET budget_currency = 'eur'", CHECK),
        ("UPDATE read.orders SET request_revision = 0", CHECK),
        (
            "UPDATE read.orders SET updated_at = created_at - interval '1s'",
            CHECK,
        ),
        (
            "UPDATE read.orders SET dispute_from = 'finished' WHERE state = 'inProgress'",
            CHECK,
        ),
        (
            "UPDATE read.orders SET dispute_reason = NULL WHERE state = 'disputed'",
            CHECK,
        ),
        (
            "UPDATE read.orders SET last_position = first_position - 1",
            CHECK,
        ),
        ("UPDATE read.invitations SET status = 'maybe'", CHECK),
        (
            "UPDATE read.invitations SET status = 'confirmed' WHERE seat = 2",
            UNIQUE,
        ),
        (
            "UPDATE read.invitations SET status = 'offered' WHERE seat = 3",
            CHECK,
        ),
        (
            "UPDATE read.invitations SET status = 'declined' WHERE seat = 2",
            CHECK,
        ),
        (
            "UPDATE read.invitations SET offer_deadline = NULL WHERE seat = 2",
            CHECK,
        ),
        (
            "UPDATE read.invitations SET offer_budget_amount = -1 WHERE seat = 2",
            CHECK,
        ),
        (
            "UPDATE read.invitations SET offer_stages = '{}' WHERE seat = 2",
            CHECK,
        ),
        ("UPDATE read.stages SET status = 'skipped'", CHECK),
        ("UPDATE read.stages SET status = 'completed'", CHECK),
        (
            "UPDATE read.stages SET status = 'awaitingApproval', requires_approval = false",
            CHECK,
        ),
        ("UPDATE read.stages SET duration_days = 3651", CHECK),
        ("UPDATE read.timeline SET actor_role = 'analyst'", CHECK),
        (
            "UPDATE read.timeline SET on_behalf_of_role = 'workshop'",
            CHECK,
        ),
        (
            "UPDATE read.timeline SET order_id = gen_random_uuid()",
            FOREIGN_KEY,
        ),
        ("UPDATE read.workshops SET version = 0", CHECK),
        ("DELETE FROM read.timeline", NOT_PERMITTED),
        ("DELETE FROM read.orders", NOT_PERMITTED),
        ("TRUNCATE read.workshops", NOT_PERMITTED),
        ("DROP TABLE read.workshops", NOT_PERMITTED),
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
