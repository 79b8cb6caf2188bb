//! The OpenAPI document: as it is checked in, whole, and with everything that it refers to.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::header;
use command_api::ACCESS;
use http_edge::Code;
use kernel::Role;
use serde_json::Value;
use test_support::api_added_to;

use crate::scene::Scene;

fn document() -> Value {
    serde_json::to_value(command_api::openapi()).unwrap()
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
        "apps/command-api/openapi.json is not what the code says: run the tests with ATLAS_BLESS=1"
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

/// The routes of the contract that this release has, and the statuses and codes of their answers.
#[test]
fn every_command_says_how_it_answers() {
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

/// What every command of a kind may be refused for, whatever its rules are.
#[test]
fn each_command_is_refused_as_its_row_and_its_body_allow() {
    let document = document();
    for row in ACCESS.0 {
        let operation = &document["paths"][row.path][row.method.to_lowercase()];
        assert_eq!(operation["security"], serde_json::json!([{ "bearer": [] }]));
        let closed = Role::ALL.iter().any(|role| row.relation(*role).is_none());
        assert!(closed, "{} is open to everybody", row.path);
        let mut expected = vec![Code::ANY, Code::COMMAND];
        if row.path.starts_with("/v1/orders/{id}") {
            expected.push(Code::ORDER_COMMAND);
        }
        let refusals = refusals(operation);
        let mut expected = names(&expected);
        if row.path == "/v1/ops/acts" {
            // Whether an act may be asked for depends on nothing that is stored.
            expected.remove(Code::UnreadableEvent.as_str());
        }
        let missing: Vec<_> = expected.difference(&refusals).copied().collect();
        assert_eq!(missing, [""; 0], "{} {}", row.method, row.path);
        let of_orders = names(&[Code::ORDER_COMMAND]);
        let others: Vec<_> = of_orders.intersection(&refusals).copied().collect();
        let expected: Vec<_> = match (row.method, row.path) {
            (_, path) if path.starts_with("/v1/orders/{id}") => of_orders.into_iter().collect(),
            ("PUT", _) | (_, "/v1/ops/acts") => vec!["CONCURRENT_MODIFICATION"],
            _ => Vec::new(),
        };
        assert_eq!(others, expected, "{} {}", row.method, row.path);
        for code in names(&[Code::READ]) {
            assert!(!refusals.contains(code), "{code} on {}", row.path);
        }
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
