//! Bytes as what a read's path names, and as its query string.
#![no_main]

use axum::body::Body;
use axum::http::{Request, Uri};
use fuzz::{ID, QUERIES, ROLES, bearer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [route, role, rest @ ..] = data else {
        return;
    };
    let rows = query_api::ACCESS.0;
    let row = &rows[usize::from(*route) % rows.len()];
    let (name, query) = match std::str::from_utf8(rest).map(|rest| rest.split_once('?')) {
        Ok(Some((name, query))) => (name, query),
        _ => return,
    };
    let name = if name.is_empty() { ID } else { name };
    let path = row.path.replace("{id}", name).replace("{version}", name);
    let Ok(uri) = format!("{path}?{query}").parse::<Uri>() else {
        return;
    };
    let role = ROLES[usize::from(*role) % ROLES.len()];
    let request = Request::get(uri).header("authorization", bearer(role));
    let status = QUERIES.answer(request.body(Body::empty()).expect("a request"));
    assert!(matches!(status, 200 | 400 | 403 | 404 | 503), "{status}");
});
