//! What a policy is in an answer.

use bonus_domain::{Policies, Policy};
use bonus_store::{Activation, activations};
use projections::bonus::GradeName;
use projections::orders::RoleName;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

/// More activations than this are not looked at.
const ACTIVATIONS: i64 = 1_000;

/// Whether a policy is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PolicyState {
    /// Awards are made under it.
    Active,
    /// They were, once.
    Replaced,
    /// They never were.
    Draft,
}

/// What an event gives.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AwardRule {
    /// The event.
    #[schema(example = "OrderPlaced")]
    event: &'static str,
    /// The role in which it is rewarded.
    role: RoleName,
    /// The points that it gives.
    #[schema(minimum = 1)]
    points: i64,
}

/// What an event takes away.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReversalRule {
    /// The event.
    #[schema(example = "OrderCancelled")]
    event: &'static str,
    /// The role in which it takes points.
    role: RoleName,
    /// Whether it takes them when it was decided in a dispute, or when it was not.
    by_dispute: bool,
    /// The events of the same order whose points it takes.
    reverses: Vec<&'static str>,
}

/// From when on an account has a grade.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GradeRule {
    /// The grade.
    name: GradeName,
    /// The lifetime points that it takes.
    #[schema(minimum = 0)]
    points: i64,
}

/// When an account is VIP.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VipRuleView {
    /// The length of the window in days of 24 hours.
    #[schema(minimum = 1)]
    window_days: u16,
    /// The points in the window that it takes.
    #[schema(minimum = 1)]
    threshold: i64,
}

/// The rules of the bonus.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyView {
    /// The policy's number.
    #[schema(minimum = 1)]
    version: u16,
    /// Whether it is in force.
    state: PolicyState,
    /// The SHA-256 of its file.
    hash: String,
    /// What gives points.
    awards: Vec<AwardRule>,
    /// What takes them away again.
    reversals: Vec<ReversalRule>,
    /// The grades, ascending.
    grades: Vec<GradeRule>,
    /// When an account is VIP.
    vip: VipRuleView,
}

/// Every policy of this release, ascending.
pub(super) async fn policies(
    connection: &mut PgConnection,
) -> Result<Vec<PolicyView>, sqlx::Error> {
    let activations = activations(connection, ACTIVATIONS).await?;
    let policies = Policies::compiled().iter();
    Ok(policies.map(|policy| view(policy, &activations)).collect())
}

impl PolicyView {
    /// The policy's number.
    pub(super) const fn version(&self) -> u16 {
        self.version
    }
}

fn view(policy: &Policy, activations: &[Activation]) -> PolicyView {
    let mut own = activations
        .iter()
        .filter(|it| it.version == policy.version());
    let state = match own.next() {
        None => PolicyState::Draft,
        Some(last) if last.replaced_at.is_none() => PolicyState::Active,
        Some(_) => PolicyState::Replaced,
    };
    PolicyView {
        version: policy.version().get(),
        state,
        hash: policy.hash().to_string(),
        awards: policy
            .awards()
            .map(|(event, role, points)| AwardRule {
                event: event.as_str(),
                role: role.into(),
                points: points.get(),
            })
            .collect(),
        reversals: policy
            .reversals()
            .map(|rule| ReversalRule {
                event: rule.event.as_str(),
                role: rule.role.into(),
                by_dispute: rule.by_dispute,
                reverses: rule.reverses.iter().map(|event| event.as_str()).collect(),
            })
            .collect(),
        grades: policy
            .grades()
            .map(|(grade, points)| GradeRule {
                name: grade.into(),
                points: points.get(),
            })
            .collect(),
        vip: VipRuleView {
            window_days: policy.vip().window_days.get(),
            threshold: policy.vip().threshold.get(),
        },
    }
}
