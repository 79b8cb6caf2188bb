//! What an explanation is in an answer.

use bonus_domain::{Beneficiary, Explanation, Part, Place};
use chrono::{DateTime, Utc};
use kernel::{EventId, OrderId};
use projections::bonus::{GradeName, NextGradeView};
use projections::orders::RoleName;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// So many of the newest facts are told one by one; older ones in one sum.
const TOLD: usize = 500;

/// The explanation of an account, or of one event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Explained {
    // Without words of their own: of a reference that has some, generators make nothing that compiles.
    Account(Box<ExplainedAccount>),
    Fact(Box<ExplainedFact>),
}

/// What a fact does to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PlaceName {
    /// It counts, and lies in the VIP window.
    InWindow,
    /// It counts, and has left the window.
    LeftWindow,
    /// It counts, and enters the window when it occurs.
    Ahead,
    /// The policy gives nothing for it.
    NotRewarded,
    /// Another fact of its order takes its points away.
    Reversed,
    /// It counts from the next recompute on.
    Deferred,
    /// The consumer gave up on it: it counts once it was redriven.
    DeadLetter,
}

impl From<Place> for PlaceName {
    fn from(place: Place) -> Self {
        match place {
            Place::InWindow { .. } => Self::InWindow,
            Place::LeftWindow { .. } => Self::LeftWindow,
            Place::Ahead { .. } => Self::Ahead,
            Place::NotRewarded => Self::NotRewarded,
            Place::Reversed { .. } => Self::Reversed,
            Place::Deferred => Self::Deferred,
        }
    }
}

/// A fact in its place.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedPart {
    /// The event's global id.
    #[schema(value_type = Uuid)]
    event_id: EventId,
    /// The event's name.
    #[schema(example = "OrderPlaced")]
    event: String,
    /// The order that it belongs to.
    #[schema(value_type = Option<Uuid>, required)]
    order_id: Option<OrderId>,
    /// Where the order's events are told; null without an order.
    #[schema(required)]
    link: Option<String>,
    /// When it occurred.
    occurred_at: DateTime<Utc>,
    /// What it does.
    place: PlaceName,
    /// What it adds to the lifetime points.
    #[schema(minimum = 0)]
    points: i64,
    /// What it adds to the points in the window.
    #[schema(minimum = 0)]
    window_points: i64,
    /// The event that takes its points away.
    #[schema(value_type = Option<Uuid>, required)]
    reversed_by: Option<EventId>,
    /// The rule, and what comes of it, in words.
    sentence: String,
}

impl ExplainedPart {
    fn new(part: &Part, explanation: &Explanation) -> Self {
        let fact = &part.fact;
        Self {
            event_id: fact.source_event_id,
            event: fact.source_type.to_string(),
            order_id: fact.order_id,
            link: fact.order_id.map(link),
            occurred_at: fact.occurred_at,
            place: part.place.into(),
            points: part.place.lifetime_points().get(),
            window_points: part.place.window_points().get(),
            reversed_by: match part.place {
                Place::Reversed { by, .. } => Some(by),
                Place::InWindow { .. }
                | Place::LeftWindow { .. }
                | Place::Ahead { .. }
                | Place::NotRewarded
                | Place::Deferred => None,
            },
            sentence: part.sentence(explanation),
        }
    }
}

fn link(order: OrderId) -> String {
    format!("/v1/orders/{order}/timeline")
}

/// The facts that are not told one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OlderFacts {
    /// How many there are.
    #[schema(minimum = 1)]
    facts: usize,
    /// What they add to the lifetime points.
    #[schema(minimum = 0)]
    points: i64,
    /// What they add to the points in the window.
    #[schema(minimum = 0)]
    window_points: i64,
}

/// VIP, with what is missing for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedVip {
    /// Whether the account is VIP.
    active: bool,
    /// The points in the window.
    #[schema(minimum = 0)]
    window_points: i64,
    /// The points in the window that it takes.
    #[schema(minimum = 1)]
    threshold: i64,
    /// How many are missing.
    #[schema(minimum = 0)]
    points_to_go: i64,
    /// When it ends, or begins, if nothing more happens; null if it does neither.
    #[schema(required)]
    next_change: Option<DateTime<Utc>>,
}

/// Why an account is what it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedAccount {
    /// Whose account it is.
    id: Uuid,
    /// In which role.
    role: RoleName,
    /// The policy that it is explained with.
    #[schema(minimum = 1)]
    policy_version: u16,
    /// The instant of the answer.
    as_of: DateTime<Utc>,
    /// What the parts add up to.
    #[schema(minimum = 0)]
    lifetime_points: i64,
    /// The highest grade that these points reach.
    grade: GradeName,
    /// The grade above it; null at the highest.
    #[schema(required)]
    next_grade: Option<NextGradeView>,
    /// VIP.
    vip: ExplainedVip,
    /// What is missing, and when VIP ends, in words.
    sentences: Vec<String>,
    /// The newest facts, newest first.
    parts: Vec<ExplainedPart>,
    /// All others; null where there are none.
    #[schema(required)]
    older: Option<OlderFacts>,
}

impl ExplainedAccount {
    /// As it is shown.
    pub(super) fn new(beneficiary: Beneficiary, explanation: &Explanation) -> Self {
        let newest = explanation.parts.iter().rev();
        let older: Vec<&Part> = newest.clone().skip(TOLD).collect();
        let sum = |points: fn(&Part) -> i64| older.iter().map(|part| points(part)).sum();
        Self {
            id: beneficiary.id,
            role: beneficiary.role.into(),
            policy_version: explanation.policy_version.get(),
            as_of: explanation.at,
            lifetime_points: explanation.lifetime_points.get(),
            grade: explanation.grade.into(),
            next_grade: explanation.next_grade.map(Into::into),
            vip: ExplainedVip {
                active: explanation.is_vip(),
                window_points: explanation.window_points.get(),
                threshold: explanation.threshold.get(),
                points_to_go: explanation.points_to_vip().get(),
                next_change: explanation.next_vip_change,
            },
            sentences: explanation.sentences(),
            parts: newest
                .take(TOLD)
                .map(|part| ExplainedPart::new(part, explanation))
                .collect(),
            older: (!older.is_empty()).then(|| OlderFacts {
                facts: older.len(),
                points: sum(|part| part.place.lifetime_points().get()),
                window_points: sum(|part| part.place.window_points().get()),
            }),
        }
    }
}

/// What one event did to an account, or why it counts nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedFact {
    /// Whose account it is.
    id: Uuid,
    /// In which role.
    role: RoleName,
    /// The policy that it is explained with.
    #[schema(minimum = 1)]
    policy_version: u16,
    /// The instant of the answer.
    as_of: DateTime<Utc>,
    /// The event's global id.
    #[schema(value_type = Uuid)]
    event_id: EventId,
    /// What it does.
    place: PlaceName,
    /// What it adds to the lifetime points.
    #[schema(minimum = 0)]
    points: i64,
    /// The fact, as the account's explanation tells it; null where the ledger holds none.
    #[schema(required)]
    part: Option<ExplainedPart>,
    /// What it did, or why it counts nothing, in words.
    sentence: String,
}

impl ExplainedFact {
    /// Of a fact that the ledger holds. Told again it does nothing: what is known counts once.
    pub(super) fn of_part(
        beneficiary: Beneficiary,
        explanation: &Explanation,
        part: &Part,
    ) -> Self {
        let told = ExplainedPart::new(part, explanation);
        Self {
            id: beneficiary.id,
            role: beneficiary.role.into(),
            policy_version: explanation.policy_version.get(),
            as_of: explanation.at,
            event_id: part.fact.source_event_id,
            place: told.place,
            points: told.points,
            sentence: format!(
                "{} Told again, it counts nothing more: it is known already.",
                told.sentence
            ),
            part: Some(told),
        }
    }

    /// Of an event that the consumer gave up on.
    pub(super) fn dead_letter(
        beneficiary: Beneficiary,
        explanation: &Explanation,
        event_id: EventId,
        code: &str,
    ) -> Self {
        Self {
            id: beneficiary.id,
            role: beneficiary.role.into(),
            policy_version: explanation.policy_version.get(),
            as_of: explanation.at,
            event_id,
            place: PlaceName::DeadLetter,
            points: 0,
            part: None,
            sentence: format!(
                "The event counts nothing: it is a dead letter ({code}), and counts for whomever \
                 it names once it was redriven."
            ),
        }
    }
}
