//! The directory follows its entries' events.

use event_store::{Sink as _, SinkError, StreamId, load};
use projections::workshops::{WorkshopItem, Workshops, list_workshops};

use crate::histories::workshop_id;
use crate::store::Store;

async fn directory(store: &Store, limit: i64) -> Vec<WorkshopItem> {
    let mut connection = store.pool.acquire().await.unwrap();
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let page = list_workshops(&mut connection, after, limit).await.unwrap();
        assert!(i64::try_from(page.items.len()).unwrap() <= limit);
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

#[tokio::test]
async fn lists_by_name_what_each_entry_says_last() {
    let store = Store::create().await;
    store
        .put_workshop(workshop_id(1), 0, "Oak & Sons", true)
        .await;
    store
        .put_workshop(workshop_id(2), 0, "Ärger und Leim", true)
        .await;
    store.catch_up().await;
    store
        .put_workshop(workshop_id(3), 0, "Oak & Sons", true)
        .await;
    store
        .put_workshop(workshop_id(1), 1, "Oak & Daughters", true)
        .await;
    store
        .put_workshop(workshop_id(1), 2, "Oak & Daughters", false)
        .await;
    store.catch_up().await;

    let expected = [
        (1, "Oak & Daughters", false),
        (3, "Oak & Sons", true),
        (2, "Ärger und Leim", true),
    ];
    let expected = expected.map(|(number, name, accepts_commissions)| WorkshopItem {
        workshop_id: workshop_id(number),
        name: name.to_owned(),
        accepts_commissions,
    });
    for limit in 1..=4 {
        assert_eq!(directory(&store, limit).await, expected);
    }
}

#[tokio::test]
async fn repeats_change_nothing_and_a_hole_is_refused() {
    let store = Store::create().await;
    let id = workshop_id(1);
    for (expected, name) in (0..).zip(["One", "Two", "Three"]) {
        store.put_workshop(id, expected, name, true).await;
    }
    let mut connection = store.pool.acquire().await.unwrap();
    let events = load(&mut connection, &[StreamId::workshop(id)])
        .await
        .unwrap()
        .remove(0)
        .events;
    for batch in [&events[..2], &events[..1], &events[..3], &events[1..2]] {
        Workshops.apply(&mut connection, batch).await.unwrap();
    }
    assert_eq!(directory(&store, 10).await[0].name, "Three");

    let other = workshop_id(2);
    for (expected, name) in (0..).zip(["One", "Two"]) {
        store.put_workshop(other, expected, name, true).await;
    }
    let events = load(&mut connection, &[StreamId::workshop(other)])
        .await
        .unwrap()
        .remove(0)
        .events;
    let refused = Workshops.apply(&mut connection, &events[1..]).await;
    assert!(
        matches!(refused, Err(SinkError::Unreadable { .. })),
        "{refused:?}"
    );
}
