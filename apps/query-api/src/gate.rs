//! The gate as the configuration wants it: keys and limits, and the tasks that keep them.

use std::error::Error;
use std::sync::Arc;

use http_edge::{Gate, Keys, Limits, PublishedKeys, Quota, SharedBuckets, TokenVerifier};
use kernel::Clock;
use secrecy::ExposeSecret;
use service_runtime::{Health, Process, RateConfig, TokenConfig, TokenKeys};

use crate::ACCESS;

/// Makes the gate, and starts what keeps its keys and its counts.
///
/// # Errors
/// If the keys or Redis are addressed in a way that cannot be used.
pub fn gate(
    tokens: TokenConfig,
    rate: &RateConfig,
    clock: Arc<dyn Clock>,
    process: &Process,
    health: &mut Health,
) -> Result<Gate, Box<dyn Error + Send + Sync>> {
    let keys = keys(tokens.keys, process, health)?;
    let verifier = TokenVerifier::new(keys, tokens.issuer, tokens.audience, clock);
    let shared = shared_buckets(rate, process, health)?;
    let per_minute = rate.requests_per_minute;
    let requests = Quota::new(per_minute, per_minute);
    let limits = Limits::new(requests, None, shared);
    Ok(Gate::new(verifier, ACCESS, limits))
}

/// What verifies tokens. Without published keys nothing can be answered.
fn keys(
    keys: TokenKeys,
    process: &Process,
    health: &mut Health,
) -> Result<Keys, Box<dyn Error + Send + Sync>> {
    match keys {
        TokenKeys::Secret(secret) => Ok(Keys::hs256(secret.expose_secret())?),
        TokenKeys::Published(address) => {
            let keys = PublishedKeys::at(&address)?;
            let dependency = health.require("keys");
            let keep = keys.clone().keep(move |found| dependency.report(found));
            process.tasks.keep("keys", keep);
            Ok(keys.into())
        }
    }
}

/// What counts for all processes. Without it each counts for itself.
fn shared_buckets(
    rate: &RateConfig,
    process: &Process,
    health: &mut Health,
) -> Result<Option<SharedBuckets>, Box<dyn Error + Send + Sync>> {
    let Some(url) = &rate.redis else {
        return Ok(None);
    };
    let buckets = SharedBuckets::at(url.expose_secret())?;
    let dependency = health.prefer("redis");
    let keep = buckets.clone().keep(move |up| dependency.note(up));
    process.tasks.keep("redis", keep);
    Ok(Some(buckets))
}
