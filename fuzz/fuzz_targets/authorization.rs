//! Bytes as Authorization, as a token, and as the header and the claims of one that is signed.
#![no_main]

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use fuzz::{QUERIES, signed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (first, second) = (parts.next(), parts.next());
    let good = br#"{"alg":"HS256"}"#;
    let tokens = match (first, second) {
        (Some(header), Some(claims)) => vec![
            signed(header, claims).into_bytes(),
            signed(good, claims).into_bytes(),
        ],
        _ => vec![data.to_vec(), [b"Bearer ", data].concat()],
    };
    for token in tokens {
        let Ok(token) = HeaderValue::from_bytes(&token) else {
            continue;
        };
        let request = Request::get("/v1/orders").header("authorization", token);
        let status = QUERIES.answer(request.body(Body::empty()).expect("a request"));
        // 503: it was good, and the store is away.
        assert!(matches!(status, 401 | 503), "{status}");
    }
});
