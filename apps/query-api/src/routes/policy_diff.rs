//! What the difference of two policies is in an answer.

use bonus_domain::{
    Assessment, Beneficiary, Bucket, Flow, GradeFlow, Largest, Movement, PolicyVersion, Report,
};
use bonus_store::LedgerState;
use chrono::{DateTime, Utc};
use projections::bonus::GradeName;
use projections::orders::RoleName;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// So many accounts that move are named.
const NAMED: usize = 5_000;

/// What becomes of everybody if one policy follows another.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyDiff {
    /// The policy that is left.
    #[schema(minimum = 1)]
    from: u16,
    /// The policy that would follow.
    #[schema(minimum = 1)]
    to: u16,
    /// What was read.
    ledger: LedgerRead,
    /// All accounts together.
    report: DiffReport,
    /// The accounts for which anything moves, by role and id; at most 5000.
    movements: Vec<AccountMovement>,
    /// How many more there are.
    #[schema(minimum = 0)]
    movements_left_out: u64,
}

/// The state of the ledger that was read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LedgerRead {
    /// The instant for which VIP was computed.
    as_of: DateTime<Utc>,
    /// The facts in it.
    #[schema(minimum = 0)]
    facts: u64,
    /// Those that no account counts yet.
    #[schema(minimum = 0)]
    deferred_facts: u64,
    /// Whom they belong to, in number.
    #[schema(minimum = 0)]
    beneficiaries: u64,
    /// How many of them are of another policy than `from`: of them it is shown what would be if they
    /// were of it, which is not what a recompute does.
    #[schema(minimum = 0)]
    of_other_policies: u64,
    /// The same for the same facts.
    digest: String,
}

/// What becomes of all accounts together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DiffReport {
    /// Beneficiaries with facts, with or without an account.
    #[schema(minimum = 0)]
    seen: u64,
    /// Those for whom anything moves: points, grade or VIP.
    #[schema(minimum = 0)]
    changed: u64,
    /// Those who gain points.
    #[schema(minimum = 0)]
    gainers: u64,
    /// Those who lose points.
    #[schema(minimum = 0)]
    losers: u64,
    /// Those without an account before who have one after.
    #[schema(minimum = 0)]
    opened: u64,
    /// The points of all of them before.
    points_before: i64,
    /// The points of all of them after.
    points_after: i64,
    /// What the gainers gain in sum.
    #[schema(minimum = 0)]
    gained: i64,
    /// What the losers lose in sum.
    #[schema(minimum = 0)]
    lost: i64,
    /// Accounts by their grade before and after: every pair.
    grades: Vec<GradeMoves>,
    /// Accounts by what becomes of VIP.
    vip: VipMoves,
    /// Accounts by how much their points move, ascending: the classes that have any.
    histogram: Vec<MovementClass>,
    /// Who gains most; the first is the largest.
    largest_gains: Vec<LargestMovement>,
    /// Who loses most; the first is the largest.
    largest_losses: Vec<LargestMovement>,
}

/// Accounts of one grade before and one after.
#[derive(Debug, Serialize, ToSchema)]
struct GradeMoves {
    /// The grade before.
    from: GradeName,
    /// The grade after.
    to: GradeName,
    /// How many.
    #[schema(minimum = 0)]
    accounts: u64,
}

/// Accounts by what becomes of their VIP.
#[derive(Debug, Serialize, ToSchema)]
struct VipMoves {
    /// VIP before and after.
    #[schema(minimum = 0)]
    kept: u64,
    /// VIP only after.
    #[schema(minimum = 0)]
    gained: u64,
    /// VIP only before.
    #[schema(minimum = 0)]
    lost: u64,
    /// VIP neither before nor after.
    #[schema(minimum = 0)]
    without: u64,
}

/// A class of the histogram.
#[derive(Debug, Serialize, ToSchema)]
struct MovementClass {
    /// The least movement of the class; null where it is open below.
    #[schema(required)]
    from: Option<i64>,
    /// The greatest; null where it is open above.
    #[schema(required)]
    to: Option<i64>,
    /// How many accounts.
    #[schema(minimum = 1)]
    accounts: u64,
}

/// What facts come to under a policy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Standing {
    /// The points.
    lifetime_points: i64,
    /// The grade that they reach.
    grade: GradeName,
    /// Whether enough of them lie in the window.
    vip: bool,
}

/// An account that moves by much.
#[derive(Debug, Serialize, ToSchema)]
struct LargestMovement {
    /// In which role the points were earned.
    role: RoleName,
    /// Whose they are.
    id: Uuid,
    /// By how much they move.
    points: i64,
    /// Under the policy that is left.
    before: Standing,
    /// Under the policy that would follow.
    after: Standing,
    /// The same in words.
    sentence: String,
}

/// An account that moves.
#[derive(Debug, Serialize, ToSchema)]
struct AccountMovement {
    /// In which role the points were earned.
    role: RoleName,
    /// Whose they are.
    id: Uuid,
    /// Under the policy that is left.
    before: Standing,
    /// Under the policy that would follow.
    after: Standing,
}

/// The accounts that move, as they are found.
#[derive(Debug, Default)]
pub(super) struct Moved {
    named: Vec<AccountMovement>,
    left_out: u64,
}

impl Moved {
    pub(super) fn add(&mut self, beneficiary: Beneficiary, movement: Movement) {
        if movement.is_none() {
            return;
        }
        if self.named.len() >= NAMED {
            self.left_out += 1;
            return;
        }
        self.named.push(AccountMovement {
            role: beneficiary.role.into(),
            id: beneficiary.id,
            before: movement.before().into(),
            after: movement.after().into(),
        });
    }
}

impl LedgerRead {
    pub(super) fn of(ledger: LedgerState, of_others: u64, at: DateTime<Utc>) -> Self {
        Self {
            as_of: at,
            facts: ledger.facts,
            deferred_facts: ledger.deferred,
            beneficiaries: ledger.beneficiaries,
            of_other_policies: of_others,
            digest: format!("{:016x}", ledger.digest),
        }
    }
}

impl PolicyDiff {
    pub(super) fn of(
        (from, to): (PolicyVersion, PolicyVersion),
        ledger: LedgerRead,
        report: &Report,
        moved: Moved,
    ) -> Self {
        Self {
            from: from.get(),
            to: to.get(),
            ledger,
            report: report.into(),
            movements: moved.named,
            movements_left_out: moved.left_out,
        }
    }
}

impl From<&Report> for DiffReport {
    fn from(report: &Report) -> Self {
        Self {
            seen: report.seen,
            changed: report.changed,
            gainers: report.gainers,
            losers: report.losers,
            opened: report.opened,
            points_before: report.points_before.get(),
            points_after: report.points_after.get(),
            gained: report.gained.get(),
            lost: report.lost.get(),
            grades: report.grades().map(GradeMoves::from).collect(),
            vip: report.vip.into(),
            histogram: report.histogram().map(MovementClass::from).collect(),
            largest_gains: report.largest_gains().map(LargestMovement::from).collect(),
            largest_losses: report.largest_losses().map(LargestMovement::from).collect(),
        }
    }
}

impl From<GradeFlow> for GradeMoves {
    fn from(flow: GradeFlow) -> Self {
        Self {
            from: flow.from.into(),
            to: flow.to.into(),
            accounts: flow.accounts,
        }
    }
}

impl From<Flow> for VipMoves {
    fn from(flow: Flow) -> Self {
        Self {
            kept: flow.kept,
            gained: flow.gained,
            lost: flow.lost,
            without: flow.without,
        }
    }
}

impl From<Bucket> for MovementClass {
    fn from(bucket: Bucket) -> Self {
        Self {
            from: bucket.from,
            to: bucket.to,
            accounts: bucket.accounts,
        }
    }
}

impl From<Assessment> for Standing {
    fn from(assessment: Assessment) -> Self {
        Self {
            lifetime_points: assessment.lifetime_points.get(),
            grade: assessment.grade.into(),
            vip: assessment.vip,
        }
    }
}

impl From<Largest> for LargestMovement {
    fn from(largest: Largest) -> Self {
        Self {
            role: largest.beneficiary.role.into(),
            id: largest.beneficiary.id,
            points: largest.points.get(),
            before: largest.movement.before().into(),
            after: largest.movement.after().into(),
            sentence: largest.sentence(),
        }
    }
}
