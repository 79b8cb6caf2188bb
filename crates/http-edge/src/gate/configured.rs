//! The gate as the configuration wants it: keys and limits, and the tasks that keep them.

use std::error::Error;
use std::sync::Arc;

use kernel::Clock;
use secrecy::ExposeSecret;
use service_runtime::{Health, Process, RateConfig, TokenConfig, TokenKeys};

use super::Gate;
use crate::{Access, Keys, Limits, PublishedKeys, Quota, SharedBuckets, TokenVerifier};

type Refused = Box<dyn Error + Send + Sync>;

impl Gate {
    /// Makes the gate of a process, and starts what keeps its keys and its counts. Orders are placed
    /// within `placing`, if that is limited.
    ///
    /// # Errors
    /// If the keys or Redis are addressed in a way that cannot be used.
    pub fn configured(
        access: Access,
        (tokens, rate, placing): (TokenConfig, &RateConfig, Option<Quota>),
        clock: Arc<dyn Clock>,
        process: &Process,
        health: &mut Health,
    ) -> Result<Self, Refused> {
        let keys = keys(tokens.keys, process, health)?;
        let verifier = TokenVerifier::new(keys, tokens.issuer, tokens.audience, clock);
        let shared = shared_buckets(rate, process, health)?;
        let per_minute = rate.requests_per_minute;
        let requests = Quota::new(per_minute, per_minute);
        Ok(Self::new(
            verifier,
            access,
            Limits::new(requests, placing, shared),
        ))
    }
}

/// What verifies tokens. Without published keys nothing can be answered.
fn keys(keys: TokenKeys, process: &Process, health: &mut Health) -> Result<Keys, Refused> {
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
) -> Result<Option<SharedBuckets>, Refused> {
    let Some(url) = &rate.redis else {
        return Ok(None);
    };
    let buckets = SharedBuckets::at(url.expose_secret())?;
    let dependency = health.prefer("redis");
    let keep = buckets.clone().keep(move |found| dependency.note(found));
    process.tasks.keep("redis", keep);
    Ok(Some(buckets))
}
