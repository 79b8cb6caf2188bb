//! The table of who may use which route, against the OpenAPI document and against the routes.

use std::collections::BTreeSet;

use http_edge::{Relation, Row};
use kernel::{Actor, Role};
use query_api::ACCESS;

use crate::acts::act;
use crate::bonus::award;
use crate::dead_letters::put;
use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::Scene;

/// The paths that the document describes; all of them are read by GET alone.
pub(crate) fn paths() -> Vec<String> {
    let document = serde_json::to_value(query_api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let ours = paths
        .into_iter()
        .filter(|(path, _)| path.starts_with("/v1/"));
    ours.map(|(path, item)| {
        let methods: Vec<_> = item.as_object().unwrap().keys().collect();
        assert_eq!(methods, ["get"], "{path}");
        path
    })
    .collect()
}

fn row(path: &str) -> &'static Row {
    let is_it = |row: &&Row| row.method == "GET" && row.path == path;
    let mut rows = ACCESS.0.iter().filter(is_it);
    let row = rows.next().unwrap_or_else(|| panic!("{path} has no row"));
    assert!(rows.next().is_none(), "{path} has two rows");
    row
}

#[test]
fn no_route_is_without_a_row_and_no_row_without_a_route() {
    let paths = paths();
    let described: BTreeSet<_> = paths.iter().map(|path| row(path).path).collect();
    let rows: BTreeSet<_> = ACCESS.0.iter().map(|row| row.path).collect();
    assert_eq!(rows, described);
}

/// What is odd about the question, where the header is none of the route's.
fn odd(path: &str) -> &'static str {
    if path.starts_with("/v1/ops/") {
        "?limit=odd"
    } else {
        ""
    }
}

#[tokio::test]
async fn each_route_is_open_to_the_roles_of_its_row() {
    let scene = Scene::set().await;
    for path in paths() {
        let anonymous = scene.api.get(path.replace(['{', '}'], "")).send().await;
        assert_eq!(anonymous.outcome(), "401 UNAUTHENTICATED", "{path}");
        for role in Role::ALL {
            let actor = Actor::new(role, COMMISSIONER.id);
            let call = scene.api.get(path.replace(['{', '}'], "") + odd(&path));
            // Strictly, whoever reads no limit refuses one.
            let call = call.header("prefer", "handling=strict").by(actor);
            let call = call.header("atlas-min-position", "(odd)");
            let outcome = call.send().await.outcome();
            let expected = match row(&path).relation(role) {
                None => "403 FORBIDDEN",
                Some(_) => "400 MALFORMED_REQUEST",
            };
            assert_eq!(outcome, expected, "{role} on {path}");
        }
    }
}

/// What somebody is to an order that [`OAK`] works on and [`ELM`] was invited to, and to the
/// account of its commissioner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Owner,
    Confirmed,
    Rival,
    Stranger,
}

const EVERYBODY: [(Part, Actor); 7] = [
    (Part::Owner, COMMISSIONER),
    (Part::Stranger, STRANGER),
    (Part::Confirmed, OAK),
    (Part::Rival, ELM),
    (Part::Stranger, ASH),
    (Part::Stranger, OPERATOR),
    (Part::Stranger, ANALYST),
];

fn answer(row: &Row, part: Part, role: Role) -> &'static str {
    let Some(relation) = row.relation(role) else {
        return "403 FORBIDDEN";
    };
    let may = match relation {
        Relation::Any => true,
        Relation::Own => part == Part::Owner,
        Relation::Invited => matches!(part, Part::Confirmed | Part::Rival),
        Relation::Named | Relation::Confirmed => part == Part::Confirmed,
    };
    if may { "200" } else { "404 NOT_FOUND" }
}

#[tokio::test]
async fn each_route_asks_for_the_relation_of_its_row() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    award(&scene).await;
    put(&scene.pool, COMMISSIONER.id, b"key", b"value").await;
    let act = act(&scene, 1).await;
    for template in paths() {
        let id = if template.starts_with("/v1/orders/") {
            order_id.to_string()
        } else if template.starts_with("/v1/ops/acts/") {
            act.to_string()
        } else {
            COMMISSIONER.id.to_string()
        };
        let query = if template.ends_with("/as-of") {
            "?version=1"
        } else {
            ""
        };
        let path = template
            .replace("{id}", &id)
            .replace("{version}", "1")
            .replace("{to}", "2")
            + query;
        for (part, actor) in EVERYBODY {
            let outcome = scene
                .api
                .get(path.as_str())
                .by(actor)
                .send()
                .await
                .outcome();
            let expected = answer(row(&template), part, actor.role);
            assert_eq!(outcome, expected, "{part:?} {actor}: {path}");
        }
    }
}
