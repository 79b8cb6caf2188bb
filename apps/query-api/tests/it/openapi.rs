//! The OpenAPI document: as it is checked in, whole, and with everything that it refers to.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::header;
use http_edge::Code;
use kernel::Role;
use query_api::ACCESS;
use serde_json::Value;
use test_support::api_added_to;

use crate::scene::Scene;

fn document() -> Value {
    serde_json::to_value(query_api::openapi()).unwrap()
}

/// Writes the document with `ATLAS_BLESS=1`; else compares it with the one that is checked in. Either
/// way it says what that one says, and asks for no more.
#[test]
fn the_document_is_the_one_that_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let text = format!("{:#}\n", document());
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the test says whether it writes"
    )]
    let blessed = std::env::var_os("ATLAS_BLESS").is_some();
    let kept = std::fs::read_to_string(&path).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    api_added_to(&kept, &document()).expect("clients of the document that was keep working");
    if blessed {
        std::fs::write(&path, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap();
    assert!(
        checked_in == text,
        "apps/query-api/openapi.json is not what the code says: run the tests with ATLAS_BLESS=1"
    );
}

#[test]
fn everything_that_it_refers_to_is_there() {
    let document = document();
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(references.contains("#/components/schemas/Problem_NOT_FOUND"));
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
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(reference) => {
                        references.insert(reference.to_owned());
                    }
                    None => collect_references(value, references),
                }
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_references(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The routes of the contract that this release has, and the statuses and codes of their answers.
#[test]
fn every_read_says_how_it_answers() {
    let document = document();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            routes.push(format!("{method} {path}"));
            for (status, response) in operation["responses"].as_object().unwrap() {
                let codes = codes(response).join(" ");
                routes.push(format!("  {status} {codes}").trim_end().to_owned());
            }
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

/// Keys are never left out: what is not there is null. Health alone says nothing of what is well.
#[test]
fn every_key_of_an_answer_is_promised() {
    let document = document();
    let mut checked = 0;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let item = &schema["properties"]["items"]["items"];
        let schema = if name.starts_with("List_") {
            item
        } else {
            schema
        };
        // A problem of any code has members that only some codes carry.
        let Some(properties) = schema["properties"]
            .as_object()
            .filter(|_| name != "Problem")
        else {
            continue;
        };
        let required = schema["required"].as_array().unwrap();
        let required: BTreeSet<_> = required.iter().map(|key| key.as_str().unwrap()).collect();
        let mut keys: BTreeSet<_> = properties.keys().map(String::as_str).collect();
        if name == "DependencyReadiness" {
            assert!(keys.remove("detail"));
        }
        // A request may be malformed as a whole.
        if name == "Problem_MALFORMED_REQUEST" {
            assert!(keys.remove("errors"));
        }
        assert_eq!(keys, required, "{name}");
        checked += 1;
    }
    assert!(checked > 15, "only {checked} schemas have keys");
}

/// The codes of the problems of a response.
fn codes(response: &Value) -> Vec<&str> {
    let examples = &response["content"]["application/problem+json"]["examples"];
    let examples = examples.as_object().into_iter().flatten();
    examples.map(|(code, _)| code.as_str()).collect()
}

/// The codes of all problems of an operation.
fn refusals(operation: &Value) -> BTreeSet<&str> {
    let responses = operation["responses"].as_object().unwrap();
    responses.values().flat_map(codes).collect()
}

fn names<'a>(sets: &[&[Code]]) -> BTreeSet<&'a str> {
    let all = sets.iter().copied().flatten();
    all.map(|code| code.as_str()).collect()
}

/// Exactly what a read may be refused for.
#[test]
fn each_read_is_refused_as_its_row_allows() {
    let document = document();
    for row in ACCESS.0 {
        let operation = &document["paths"][row.path][row.method.to_lowercase()];
        assert_eq!(operation["security"], serde_json::json!([{ "bearer": [] }]));
        let mut expected = vec![Code::ANY];
        let of_model = row.path == "/v1/ops/order-states" || !row.path.starts_with("/v1/ops/");
        if of_model {
            expected.push(Code::READ);
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let as_another = parameters.into_iter().any(|it| it["name"] == "as");
        if as_another || Role::ALL.iter().any(|role| row.relation(*role).is_none()) {
            expected.push(&[Code::Forbidden]);
        }
        if row.path.contains('{') {
            expected.push(&[Code::NotFound]);
        }
        if row.path.contains("{id}") && !row.path.starts_with("/v1/ops/") {
            expected.push(&[Code::UnreadableEvent]);
        }
        assert_eq!(refusals(operation), names(&expected), "{}", row.path);
    }
}

/// Nobody's browser asks a stranger on the internet what it thinks of the document.
#[tokio::test]
async fn the_page_shows_no_validator_badge() {
    let scene = Scene::set().await;
    let script = scene.api.call("GET", "/docs/swagger-initializer.js");
    let text = script.send_for_text().await;
    assert!(text.contains(r#""validatorUrl": "none""#), "{text}");
}
