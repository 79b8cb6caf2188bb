//! Lines of bytes as headers of a command, of one that takes no If-Match, and of a read.
#![no_main]

use axum::body::Body;
use axum::http::Request;
use fuzz::{COMMANDS, ID, QUERIES, bearer, with_headers};
use kernel::Role;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let entry = r#"{"name":"Oak","acceptsCommissions":true}"#;
    for (api, method, path, role, body) in [
        (
            &COMMANDS,
            "POST",
            format!("/v1/orders/{ID}/accept"),
            Role::Commissioner,
            "{}",
        ),
        (
            &COMMANDS,
            "PUT",
            format!("/v1/workshops/{ID}"),
            Role::Operator,
            entry,
        ),
        (
            &QUERIES,
            "GET",
            format!("/v1/orders/{ID}"),
            Role::Commissioner,
            "",
        ),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", bearer(role));
        let request = with_headers(request, data);
        api.answer(request.body(Body::from(body)).expect("a request"));
    }
});
