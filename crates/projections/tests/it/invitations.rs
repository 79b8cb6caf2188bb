//! A workshop's inbox: its own seats, the last invitation first.

use chrono::{DateTime, Utc};
use kernel::WorkshopId;
use projections::orders::{InvitationFilter, InvitationItem, InvitationStatus, list_invitations};
use serde_json::json;

use crate::histories::{History, commissioner_id, workshop_id};
use crate::store::Store;

/// Before every deadline.
fn now() -> DateTime<Utc> {
    "2027-02-01T00:00:00Z".parse().unwrap()
}

const LATE: &str = "2029-01-01T00:00:00Z";

async fn list_at(
    store: &Store,
    of: WorkshopId,
    status: Option<InvitationStatus>,
    at: DateTime<Utc>,
) -> Vec<InvitationItem> {
    let mut connection = store.pool.acquire().await.unwrap();
    let filter = InvitationFilter {
        status,
        mine: false,
    };
    let page = list_invitations(&mut connection, of, filter, at, None, 100);
    let page = page.await.unwrap();
    assert_eq!(page.next, None);
    page.items
}

async fn list(store: &Store, of: WorkshopId) -> Vec<InvitationItem> {
    list_at(store, of, None, now()).await
}

/// One order for each status that the seat of the first workshop may have, in their order.
async fn every_status() -> (Store, WorkshopId) {
    let store = Store::create().await;
    let [me, rival] = [1, 2].map(workshop_id);
    for number in 1..=6 {
        let mut order = History::place(number, commissioner_id(number), vec![me, rival]);
        match number {
            1 => {}
            2 => assert!(order.offer(me, &[], LATE)),
            3 => assert!(order.offer(me, &[], LATE) && order.confirm(me)),
            4 => assert!(order.decline(me)),
            5 => assert!(order.offer(me, &[], LATE) && order.withdraw(me)),
            _ => assert!(order.offer(rival, &[], LATE) && order.confirm(rival)),
        }
        store.append_order(order.order_id, 0, &order.happened).await;
    }
    store.catch_up().await;
    (store, me)
}

#[tokio::test]
async fn an_item_has_its_keys_and_no_others() {
    let (store, me) = every_status().await;
    let shown: Vec<_> = list(&store, me).await.iter().map(|i| json!(i)).collect();
    let statuses: Vec<_> = shown.iter().map(|item| item["status"].clone()).collect();
    assert_eq!(
        statuses,
        [
            "notSelected",
            "withdrawn",
            "declined",
            "confirmed",
            "offered",
            "pending"
        ]
    );
    assert_eq!(
        shown[4],
        json!({
            "orderId": "00000000-0000-0000-0000-000000d00002",
            "title": "Piece 2",
            "commissionerId": commissioner_id(2),
            "status": "offered",
            "requestRevision": 1,
            "offerRevision": 1,
            "outdated": false,
            "invitedAt": "2027-01-01T00:02:01.000001Z",
        })
    );
    let revisions: Vec<_> = shown.iter().map(|i| i["offerRevision"].as_i64()).collect();
    assert_eq!(revisions, [None, None, None, Some(1), Some(1), None]);
}

#[tokio::test]
async fn a_status_narrows_the_list() {
    let (store, me) = every_status().await;
    for status in [
        InvitationStatus::Pending,
        InvitationStatus::Offered,
        InvitationStatus::Confirmed,
        InvitationStatus::Declined,
        InvitationStatus::Withdrawn,
        InvitationStatus::NotSelected,
    ] {
        let items = list_at(&store, me, Some(status), now()).await;
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].status, status);
    }
    assert_eq!(list(&store, workshop_id(9)).await, []);
}

#[tokio::test]
async fn what_stands_is_outdated_by_an_edit_and_by_its_deadline() {
    let store = Store::create().await;
    let me = workshop_id(1);
    let mut order = History::place(1, commissioner_id(1), vec![me]);
    assert!(order.offer(me, &[], "2027-06-01T00:00:00Z"));
    store.append_order(order.order_id, 0, &order.happened).await;
    store.catch_up().await;
    let outdated = async |at: &str| {
        let items = list_at(&store, me, None, at.parse().unwrap()).await;
        (items[0].request_revision, items[0].outdated)
    };
    assert_eq!(outdated("2027-05-31T23:59:59Z").await, (1, false));
    assert_eq!(outdated("2027-06-01T00:00:00Z").await, (1, true));

    let stored = order.happened.len();
    assert!(order.edit(2000));
    let expected = stored.try_into().unwrap();
    store
        .append_order(order.order_id, expected, &order.happened[stored..])
        .await;
    store.catch_up().await;
    assert_eq!(outdated("2027-05-31T23:59:59Z").await, (2, true));
}

/// Invited again, an order comes to the top; the pages follow one another all the same.
#[tokio::test]
async fn pages_follow_one_another_without_hole_or_repeat() {
    let store = Store::create().await;
    let me = workshop_id(1);
    let mut first = History::place(1, commissioner_id(1), vec![me]);
    for number in 2..=6 {
        let order = History::place(number, commissioner_id(1), vec![me]);
        store.append_order(order.order_id, 0, &order.happened).await;
    }
    assert!(first.decline(me));
    first.wait_minutes(60);
    assert!(first.invite(me));
    store.append_order(first.order_id, 0, &first.happened).await;
    store.catch_up().await;

    let mut connection = store.pool.acquire().await.unwrap();
    for status in [None, Some(InvitationStatus::Pending)] {
        for limit in 1..=7 {
            let (mut titles, mut after) = (Vec::new(), None);
            loop {
                let filter = InvitationFilter {
                    status,
                    mine: false,
                };
                let page = list_invitations(&mut connection, me, filter, now(), after, limit);
                let page = page.await.unwrap();
                assert!(i64::try_from(page.items.len()).unwrap() <= limit);
                titles.extend(page.items.into_iter().map(|item| item.title));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let expected = [1, 6, 5, 4, 3, 2].map(|number| format!("Piece {number}"));
            assert_eq!(titles, expected);
        }
    }
}
