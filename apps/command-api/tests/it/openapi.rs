//! The OpenAPI document: as it is checked in, whole, and with everything that it refers to.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::header;
use serde_json::Value;

use crate::scene::Scene;

fn document() -> Value {
    serde_json::to_value(command_api::openapi()).unwrap()
}

/// Writes the document with `ATLAS_BLESS=1`; else compares it with the one that is checked in.
#[test]
fn the_document_is_the_one_that_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let text = format!("{:#}\n", document());
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the test says whether it writes"
    )]
    let blessed = std::env::var_os("ATLAS_BLESS").is_some();
    if blessed {
        std::fs::write(&path, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap();
    assert!(
        checked_in == text,
        "apps/command-api/openapi.json is not what the code says: run the tests with ATLAS_BLESS=1"
    );
}

#[test]
fn everything_that_it_refers_to_is_there() {
    let document = document();
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(references.contains("#/components/schemas/Problem"));
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .expect("a reference into the document");
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} is missing"
        );
    }
}

fn collect_references(value: &Value, references: &mut BTreeSet<String>) {
    if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        references.insert(reference.to_owned());
    }
    let fields = value
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.values());
    let items = value.as_array().into_iter().flatten();
    fields
        .chain(items)
        .for_each(|value| collect_references(value, references));
}

/// The routes of the contract that this release has, and the statuses of their answers.
#[test]
fn every_command_says_how_it_answers() {
    let document = document();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().collect();
            routes.push(format!("{method} {path} {statuses:?}").replace('"', ""));
        }
    }
    insta::assert_snapshot!("routes_and_statuses", routes.join("\n"));
}

#[tokio::test]
async fn the_document_and_its_page_are_served_to_anybody() {
    let scene = Scene::set().await;
    let reply = scene.api.call("GET", "/openapi.json").send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body, document());
    assert_eq!(reply.body["openapi"], "3.1.0");
    let page = scene.api.call("GET", "/docs/").send().await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html");
}
