//! Bytes as the body of a command: strict JSON, and the values of requests, offers and all else.
#![no_main]

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Request;
use fuzz::{COMMANDS, ID, bearer};
use http_edge::Row;
use libfuzzer_sys::fuzz_target;

/// Each route by its path, with somebody who may use it.
static ROUTES: LazyLock<Vec<(&Row, String, String)>> = LazyLock::new(|| {
    let rows = command_api::ACCESS.0.iter();
    rows.map(|row| {
        let path = row.path.replace("{id}", ID).replace("{workshopId}", ID);
        let role = fuzz::ROLES
            .into_iter()
            .find(|role| row.relation(*role).is_some());
        (
            row,
            path.replace("{number}", "1"),
            bearer(role.expect("a role")),
        )
    })
    .collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((route, body)) = data.split_first() else {
        return;
    };
    let (row, path, bearer) = &ROUTES[usize::from(*route) % ROUTES.len()];
    let request = Request::builder()
        .method(row.method)
        .uri(path)
        .header("authorization", bearer)
        .header("content-type", "application/json")
        .body(Body::from(body.to_vec()));
    let status = COMMANDS.answer(request.expect("a request"));
    assert!(matches!(status, 400 | 413 | 422 | 503), "{status}");
});
