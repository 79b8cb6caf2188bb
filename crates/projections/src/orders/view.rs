//! What the reads of orders answer with, key for key as documented.
//!
//! A view as it leaves this crate is cut to its viewer by [`crate::redaction`].

use chrono::{DateTime, Utc};
use kernel::{Actor, CommissionerId, OrderId, WorkshopId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::status::{DisputedFrom, InvitationStatus, OrderState, RoleName, StageStatus};

/// An order in full.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderDetail {
    /// The order.
    #[schema(value_type = Uuid)]
    pub order_id: OrderId,
    /// The order's number of events.
    #[schema(minimum = 1)]
    pub version: i64,
    /// Where the order stands.
    pub state: OrderState,
    /// Whose order it is.
    #[schema(value_type = Uuid)]
    pub commissioner_id: CommissionerId,
    /// The confirmed workshop.
    #[schema(value_type = Option<Uuid>, required)]
    pub workshop_id: Option<WorkshopId>,
    /// What is asked for.
    pub request: RequestView,
    /// The seats at the order, as they were given.
    pub invitations: Vec<InvitationView>,
    /// The agreed terms, from the confirmation on.
    #[schema(required)]
    pub terms: Option<OfferView>,
    /// The milestones of the agreed terms, in their order.
    pub stages: Vec<StageView>,
    /// The first stage that is not completed, while the work is in progress.
    #[schema(required, minimum = 1)]
    pub current_stage: Option<i64>,
    /// The open dispute, while the order is disputed.
    #[schema(required)]
    pub dispute: Option<DisputeView>,
    /// When it was placed.
    pub created_at: DateTime<Utc>,
    /// When its last event occurred.
    pub updated_at: DateTime<Utc>,
}

/// An order as it was.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderAsOf {
    /// What it was like; an offer is outdated or not as of the instant asked for.
    #[serde(flatten)]
    pub detail: OrderDetail,
    /// When that was.
    pub as_of: AsOfView,
}

/// The moment at which an order was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct AsOfView {
    /// The number of events that the order had by then.
    #[schema(minimum = 1)]
    pub version: i64,
    /// The instant asked for; else when the last of those events occurred.
    pub at: DateTime<Utc>,
}

/// A workshop's invitation, in its inbox.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationItem {
    /// The order.
    #[schema(value_type = Uuid)]
    pub order_id: OrderId,
    /// What the piece is called.
    pub title: String,
    /// Who asks for it.
    #[schema(value_type = Uuid)]
    pub commissioner_id: CommissionerId,
    /// What became of the invitation.
    pub status: InvitationStatus,
    /// The revision that the request is at.
    #[schema(minimum = 1)]
    pub request_revision: i64,
    /// The revision of the workshop's offer; null for a pending, declined or withdrawn seat.
    #[schema(required, minimum = 1)]
    pub offer_revision: Option<i64>,
    /// Whether the offer stands but cannot be confirmed until it is revised.
    pub outdated: bool,
    /// When the workshop was invited last.
    pub invited_at: DateTime<Utc>,
    /// Whether the order waits for the workshop.
    pub your_turn: bool,
}

/// An order in a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    /// The order.
    #[schema(value_type = Uuid)]
    pub order_id: OrderId,
    /// The order's number of events.
    #[schema(minimum = 1)]
    pub version: i64,
    /// Where the order stands.
    pub state: OrderState,
    /// Whether the order waits for the viewer; for an operator, whether it is disputed.
    pub your_turn: bool,
    /// Whose order it is.
    #[schema(value_type = Uuid)]
    pub commissioner_id: CommissionerId,
    /// The confirmed workshop.
    #[schema(value_type = Option<Uuid>, required)]
    pub workshop_id: Option<WorkshopId>,
    /// What is asked for, without the brief.
    pub request: RequestItem,
    /// The first stage that is not completed, while the work is in progress.
    #[schema(required, minimum = 1)]
    pub current_stage: Option<i64>,
    /// The open dispute, while the order is disputed.
    #[schema(required)]
    pub dispute: Option<DisputeView>,
    /// When it was placed.
    pub created_at: DateTime<Utc>,
    /// When its last event occurred.
    pub updated_at: DateTime<Utc>,
}

/// What a commissioner asks for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestView {
    /// Title.
    pub title: String,
    /// The piece, in the commissioner's words.
    pub brief: String,
    /// What the commissioner means to spend.
    pub budget: MoneyView,
    /// When it should be done.
    pub deadline: DateTime<Utc>,
    /// The revision of the request, from 1.
    #[schema(minimum = 1)]
    pub revision: i64,
}

/// What a commissioner asks for, as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestItem {
    /// Title.
    pub title: String,
    /// What the commissioner means to spend.
    pub budget: MoneyView,
    /// When it should be done.
    pub deadline: DateTime<Utc>,
    /// The revision of the request, from 1.
    #[schema(minimum = 1)]
    pub revision: i64,
}

/// A workshop's seat at an order.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationView {
    /// The workshop.
    #[schema(value_type = Uuid)]
    pub workshop_id: WorkshopId,
    /// What became of the invitation.
    pub status: InvitationStatus,
    /// When it was invited last.
    pub invited_at: DateTime<Utc>,
    /// Its terms; null for a pending, declined or withdrawn seat.
    #[schema(required)]
    pub offer: Option<OfferView>,
}

/// A workshop's terms.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferView {
    /// The workshop.
    #[schema(value_type = Uuid)]
    pub workshop_id: WorkshopId,
    /// What it asks.
    pub budget: MoneyView,
    /// When it will be done.
    pub deadline: DateTime<Utc>,
    /// The work, in the workshop's words.
    pub description: String,
    /// The planned milestones.
    pub stages: Vec<StagePlanView>,
    /// The revision of the request that it answers.
    #[schema(minimum = 1)]
    pub request_revision: i64,
    /// The revision of the offer, from 1.
    #[schema(minimum = 1)]
    pub offer_revision: i64,
    /// Whether it stands but cannot be confirmed until it is revised: it answers an older request,
    /// or its own deadline has passed.
    pub outdated: bool,
}

/// A milestone as planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StagePlanView {
    /// Name, unique in its offer.
    pub name: String,
    /// What is done.
    pub description: String,
    /// How long it takes, in days.
    #[schema(required, minimum = 1, maximum = 3650)]
    pub duration_days: Option<i64>,
    /// Whether work may go on only after the commissioner's approval.
    pub requires_approval: bool,
}

/// A milestone of the agreed terms.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// Its number, from 1.
    #[schema(minimum = 1)]
    pub number: i64,
    /// Name, unique in its offer.
    pub name: String,
    /// What is done.
    pub description: String,
    /// How long it takes, in days.
    #[schema(required, minimum = 1, maximum = 3650)]
    pub duration_days: Option<i64>,
    /// Whether work may go on only after the commissioner's approval.
    pub requires_approval: bool,
    /// How far it is.
    pub status: StageStatus,
    /// When it was completed.
    #[schema(required)]
    pub completed_at: Option<DateTime<Utc>>,
}

/// A cancellation that somebody wants and an operator has to decide.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisputeView {
    /// Who wants it.
    pub opened_by: ActorView,
    /// Why.
    pub reason: String,
    /// Since when.
    pub opened_at: DateTime<Utc>,
    /// The state that the order was in.
    pub from: DisputedFrom,
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActorView {
    /// The part played.
    pub role: RoleName,
    /// The principal's id in it.
    pub id: Uuid,
}

impl From<Actor> for ActorView {
    fn from(actor: Actor) -> Self {
        Self {
            role: actor.role.into(),
            id: actor.id,
        }
    }
}

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MoneyView {
    /// The amount, with two fraction digits.
    #[serde(serialize_with = "two_fraction_digits")]
    #[schema(value_type = String, example = "1250.00")]
    pub amount: Decimal,
    /// ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: String,
}

fn two_fraction_digits<S: Serializer>(amount: &Decimal, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{amount:.2}"))
}

/// One fact of an order's life, as a person can read it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// The fact's number in the order's life, from 1. Numbers that are missing belong to facts
    /// that the viewer is not shown.
    #[schema(minimum = 1)]
    pub version: i64,
    /// What happened, by its name.
    #[schema(example = "OfferConfirmed")]
    pub event: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Who did it.
    pub actor: ActorView,
    /// In whose place, where an operator did it.
    #[schema(required)]
    pub on_behalf_of: Option<ActorView>,
    /// What happened, in a sentence.
    pub summary: String,
    /// The fact's public data.
    #[schema(value_type = Object)]
    pub data: serde_json::Map<String, serde_json::Value>,
}
