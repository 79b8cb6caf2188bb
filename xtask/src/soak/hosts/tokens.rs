//! What position tokens and keys of the old generation are worth in the new one.

use std::time::Duration;

use serde_json::Value;
use ureq::http::Request;

use super::load::Load;
use super::promise;
use super::system::System;
use crate::demo::say;
use crate::failure::Failure;
use crate::http::{Answer, Client};

const PATIENCE: Duration = Duration::from_secs(5);

/// What was given out before.
#[derive(Debug)]
pub(super) struct Before {
    order: String,
    position: String,
}

/// Reads with a token that was just given out.
pub(super) fn before(system: &System, load: &Load) -> Result<Before, Failure> {
    let first = acknowledged(&load.send(load.first())?)?;
    let read = read(system, load, &first)?;
    promise(
        "a token is good for reading in its generation",
        read.status.as_u16() == 200,
    )?;
    Ok(first)
}

/// The same token is foreign now; the same command is the same order, with a token of today.
pub(super) fn after(system: &System, load: &Load, before: &Before) -> Result<(), Failure> {
    let refused = read(system, load, before)?;
    promise(
        &format!(
            "a token from before is refused; it was answered {}: {}",
            refused.status, refused.body
        ),
        refused.status.as_u16() == 409 && refused.body.contains("POSITION_FOREIGN"),
    )?;
    let repeated = load.send(load.first())?;
    let replayed = repeated.headers.contains_key("idempotency-replayed");
    let now = acknowledged(&repeated)?;
    promise(
        "a key from before is answered with the order from before",
        replayed && now.order == before.order,
    )?;
    promise(
        "and with a token that is good now",
        now.position != before.position && read(system, load, &now)?.status.as_u16() == 200,
    )?;
    say(
        "a token from before: 409 POSITION_FOREIGN; a key from before: the same order, \
         with a token that is good now",
    )
}

fn read(system: &System, load: &Load, of: &Before) -> Result<Answer, Failure> {
    let request = Request::get(format!("{}/v1/orders/{}", system.origin(), of.order))
        .header("Authorization", format!("Bearer {}", load.first().token))
        .header("Atlas-Min-Position", &of.position)
        .body(());
    let sent = request
        .map_err(ureq::Error::from)
        .and_then(|request| Client::new(PATIENCE).send(request));
    sent.map_err(|error| Failure::NotAsPromised(format!("a read: {error}")))
}

fn acknowledged(answer: &Answer) -> Result<Before, Failure> {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let text = |name: &str| body.get(name)?.as_str().map(str::to_owned);
    let read = || {
        Some(Before {
            order: text("orderId")?,
            position: text("position")?,
        })
    };
    read().ok_or_else(|| Failure::NotAsPromised(format!("a repeat: {}", answer.body)))
}
