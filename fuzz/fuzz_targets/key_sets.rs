//! Bytes as the set of keys that an issuer publishes, and tokens that name its keys.
#![no_main]

use std::path::PathBuf;
use std::pin::pin;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fuzz::Api;
use http_edge::PublishedKeys;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

/// Where they are published.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("atlas-fuzz-{}.json", std::process::id())));

static KEYS: LazyLock<PublishedKeys> =
    LazyLock::new(|| PublishedKeys::at(FILE.to_str().expect("a path")).expect("an address"));

/// Trusts whatever was published last that makes sense.
static TRUSTING: LazyLock<Api> = LazyLock::new(|| Api::commands(KEYS.clone().into()));

fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).expect("a file");
    let known = TRUSTING.run(async {
        let (sender, mut found) = unbounded_channel();
        let keep = pin!(KEYS.clone().keep(move |outcome| {
            sender.send(outcome.is_ok()).expect("a receiver");
        }));
        tokio::select! {
            never = keep => match never {},
            known = found.recv() => known == Some(true),
        }
    });
    let document = serde_json::from_slice(data).unwrap_or(Value::Null);
    let keys = document["keys"].as_array().into_iter().flatten();
    for kid in keys.filter_map(|key| key["kid"].as_str()).take(3) {
        for algorithm in ["EdDSA", "ES256", "RS256"] {
            let header = json!({"alg": algorithm, "kid": kid}).to_string();
            let token = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header));
            let request = Request::post("/v1/orders");
            let request = request.header("authorization", format!("Bearer {token}"));
            let status = TRUSTING.answer(request.body(Body::empty()).expect("a request"));
            assert_eq!(status, if known { 401 } else { 503 });
        }
    }
});
