//! The parts that several payloads share: money, request, offer, stage.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An amount in a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// A decimal number as a text, with two fraction digits.
    pub amount: String,
    /// ISO 4217 code in capitals.
    pub currency: String,
}

/// What a commissioner asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// A name for the piece.
    pub title: String,
    /// What it should be.
    pub brief: String,
    /// What the commissioner means to spend.
    pub budget: Money,
    /// When it should be done.
    pub deadline: DateTime<Utc>,
    /// Counts the request's editions, from 1.
    pub revision: u32,
}

/// A workshop's terms; after the confirmation, the agreed ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The price.
    pub budget: Money,
    /// When it will be done.
    pub deadline: DateTime<Utc>,
    /// What will be made.
    pub description: String,
    /// The milestones, in order.
    pub stages: Vec<Stage>,
    /// The revision of the request that it answers.
    pub request_revision: u32,
    /// Counts the editions of this workshop's offer, from 1.
    pub offer_revision: u32,
}

/// A milestone of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its name, unique in its offer.
    pub name: String,
    /// What is done in it.
    pub description: String,
    /// How many days it takes, if the workshop says so.
    pub duration_days: Option<u32>,
    /// Whether work may not pass it until the commissioner approves.
    pub requires_approval: bool,
}
