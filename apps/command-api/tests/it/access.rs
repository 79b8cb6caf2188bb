//! The table of who may use which route, against the OpenAPI document and against the routes.

use std::collections::BTreeSet;
use std::time::Duration;

use command_api::ACCESS;
use http_edge::{Relation, Row};
use kernel::{Actor, Role};
use serde_json::Value;

use crate::api::{Api, HandClock};
use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::Scene;

/// A route as the document describes it.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) example: Value,
}

pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(command_api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let paths = paths
        .into_iter()
        .filter(|(path, _)| path.starts_with("/v1/"));
    let operations = paths.flat_map(|(path, item)| {
        let methods = [
            ("post", "POST"),
            ("put", "PUT"),
            ("patch", "PATCH"),
            ("get", "GET"),
        ];
        methods.into_iter().filter_map(move |(key, method)| {
            let content = &item.get(key)?["requestBody"]["content"]["application/json"];
            Some(Operation {
                method,
                path: path.clone(),
                example: content["example"].clone(),
            })
        })
    });
    operations.collect()
}

impl Operation {
    fn row(&self) -> &'static Row {
        let is_it = |row: &&Row| row.method == self.method && row.path == self.path;
        let mut rows = ACCESS.0.iter().filter(is_it);
        let row = rows.next();
        assert!(
            rows.next().is_none(),
            "{} {} has two rows",
            self.method,
            self.path
        );
        row.unwrap_or_else(|| panic!("{} {} has no row", self.method, self.path))
    }
}

#[test]
fn no_route_is_without_a_row_and_no_row_without_a_route() {
    let operations = operations();
    let described: BTreeSet<_> = operations.iter().map(Operation::row).map(key).collect();
    let rows: BTreeSet<_> = ACCESS.0.iter().map(key).collect();
    assert_eq!(rows, described);
}

fn key(row: &Row) -> (&'static str, &'static str) {
    (row.path, row.method)
}

/// Nothing is read for a role that can never use the route, and everything for any other.
#[tokio::test]
async fn each_route_is_open_to_the_roles_of_its_row() {
    let nowhere = "postgres://atlas_app@127.0.0.1:1/atlas";
    let api = Api::start(nowhere, HandClock::at_noon(), Duration::from_secs(10));
    for operation in operations() {
        let path = operation.path.replace(['{', '}'], "");
        let anonymous = api.call(operation.method, path).raw("{").send().await;
        assert_eq!(anonymous.outcome(), "401 UNAUTHENTICATED");
        for role in Role::ALL {
            let actor = Actor::new(role, COMMISSIONER.id);
            let call = api.call(operation.method, operation.path.replace(['{', '}'], ""));
            let outcome = call.by(actor).raw("{").send().await.outcome();
            let expected = match operation.row().relation(role) {
                None => "403 FORBIDDEN",
                Some(_) => "400 MALFORMED_REQUEST",
            };
            assert_eq!(
                outcome, expected,
                "{role} on {} {}",
                operation.method, operation.path
            );
        }
    }
}

/// What somebody is to an order that [`OAK`] works on and [`ELM`] was invited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    ItsCommissioner,
    AnotherCommissioner,
    NamedAndConfirmed,
    Rival,
    Uninvited,
    Aloof,
}

const EVERYBODY: [(Part, Actor); 7] = [
    (Part::ItsCommissioner, COMMISSIONER),
    (Part::AnotherCommissioner, STRANGER),
    (Part::NamedAndConfirmed, OAK),
    (Part::Rival, ELM),
    (Part::Uninvited, ASH),
    (Part::Aloof, OPERATOR),
    (Part::Aloof, ANALYST),
];

/// What the row says to somebody: whether they may, and how they are refused if not.
fn answer(row: &Row, part: Part, role: Role) -> &'static str {
    let Some(relation) = row.relation(role) else {
        return "403 FORBIDDEN";
    };
    match (relation, part) {
        (Relation::Any, _)
        | (Relation::Own, Part::ItsCommissioner)
        | (Relation::Invited, Part::NamedAndConfirmed | Part::Rival)
        | (Relation::Named | Relation::Confirmed, Part::NamedAndConfirmed) => "may",
        // A party knows that there is an order; nobody else does.
        (Relation::Named | Relation::Confirmed, Part::Rival) => "403 FORBIDDEN",
        (
            Relation::Own | Relation::Invited | Relation::Named | Relation::Confirmed,
            Part::ItsCommissioner
            | Part::AnotherCommissioner
            | Part::NamedAndConfirmed
            | Part::Rival
            | Part::Uninvited
            | Part::Aloof,
        ) => "404 NOT_FOUND",
    }
}

/// Everybody asks every route with the body of its example. Who may is told what comes of it: the
/// order is where few commands are allowed, so mostly 409.
#[tokio::test]
async fn each_route_asks_for_the_relation_of_its_row() {
    let scene = Scene::set().await;
    for operation in operations() {
        let order = scene.in_progress().await;
        let id = if operation.path.starts_with("/v1/orders/") {
            order.id.clone()
        } else {
            OAK.id.to_string()
        };
        let path = operation
            .path
            .replace("{id}", &id)
            .replace("{workshopId}", &OAK.id.to_string())
            .replace("{number}", "1");
        for (part, actor) in EVERYBODY {
            let call = scene.api.call(operation.method, path.as_str()).by(actor);
            // Some cannot do without.
            let call = call.key(&format!("{actor}-{path}"));
            let reply = call.json(&operation.example).send().await;
            let outcome = match reply.status.as_u16() {
                200 | 201 | 409 => "may".to_owned(),
                _ => reply.outcome(),
            };
            let expected = answer(operation.row(), part, actor.role);
            assert_eq!(
                outcome, expected,
                "{part:?} {actor}: {} {path}",
                operation.method
            );
        }
    }
}
