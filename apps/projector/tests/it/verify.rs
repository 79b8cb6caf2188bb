//! `projector store verify`.

use serde_json::json;

use crate::program::projector;
use crate::store::{as_owner, directory, register};

#[tokio::test]
async fn what_is_right_ends_with_0_and_says_how_much_was_looked_at() {
    let database = directory().await;
    let said = projector(&database.url_app(), &["store", "verify", "--rows"]);
    assert_eq!(said.code, 0, "{said:?}");
    let expected = "1 checkpoints, 3 events, rows of 3 streams: everything is as it should be";
    assert!(said.stderr.contains(expected), "{said:?}");
    assert!(said.stdout.starts_with("READER"), "{said:?}");
}

#[tokio::test]
async fn what_is_wrong_ends_with_1_and_is_named() {
    let database = directory().await;
    register(&database, 4).await;
    as_owner(
        &database,
        "UPDATE store.checkpoints SET position = 4;
         UPDATE \"workshops@1\".workshops SET name = 'Elm'
         WHERE workshop_id = '00000000-0000-0000-0000-000000000002'",
    )
    .await;
    let arguments = ["store", "verify", "--rows", "--format", "json"];
    let said = projector(&database.url_app(), &arguments);
    assert_eq!(said.code, 1, "{said:?}");
    let found = said.json();
    let checkpoint = &found["checkpoints"][0];
    assert_eq!(
        (&checkpoint["missing"], &checkpoint["sameDigest"]),
        (&json!(1), &json!(false))
    );
    let skipped = "workshop/00000000-0000-0000-0000-000000000004";
    assert_eq!(checkpoint["skipped"]["stream"], skipped);
    let rows: Vec<_> = found["rows"].as_array().unwrap().iter().collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["field"], "name");
    assert_eq!(rows[0]["what"], r#"name is "Elm", not "Oak""#);
    assert_eq!(
        (&rows[1]["stream"], &rows[1]["what"]),
        (&json!(skipped), &json!("the row is missing"))
    );
    let told = "1 checkpoints do not hold, 0 streams have holes, 2 differences in rows";
    assert!(said.stderr.contains(told), "{said:?}");

    as_owner(&database, "DELETE FROM store.events WHERE position = 1").await;
    register(&database, 5).await;
    as_owner(
        &database,
        "UPDATE store.events SET sequence = 3 WHERE position = 5",
    )
    .await;
    let said = projector(&database.url_app(), &["store", "verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("BROKEN STREAM"), "{said:?}");
    assert!(said.stderr.contains("1 streams have holes"), "{said:?}");
}
