//! What recomputes moved, account by account.

use bonus_domain::{Account, Beneficiary, Grade, Points, PolicyVersion};
use chrono::{DateTime, Utc};
use event_store::Version;
use sqlx::PgConnection;

use crate::accounts::columns;

/// What one recompute moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Movement {
    pub(crate) beneficiary: Beneficiary,
    /// The version that it gave the account.
    pub(crate) version: Version,
    pub(crate) from: Account,
    pub(crate) to: Account,
    pub(crate) at: DateTime<Utc>,
}

/// What an account comes to, as far as a movement tells it.
struct Side {
    policy: Option<PolicyVersion>,
    points: Points,
    grade: Grade,
    vip: bool,
}

impl Side {
    fn of(account: Account) -> Self {
        let (policy, points) = match account {
            Account::Unopened => (None, Points::ZERO),
            Account::Open(standing) => (Some(standing.policy_version), standing.lifetime_points),
        };
        Self {
            policy,
            points,
            grade: account.grade(),
            vip: account.is_vip(),
        }
    }
}

/// What recomputes did, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recomputed {
    /// Beneficiaries whose ledger was counted anew.
    pub seen: u64,
    /// Accounts whose points, grade or VIP have changed.
    pub changed: u64,
    /// Accounts that were made.
    pub opened: u64,
    /// Accounts with a higher grade.
    pub grades_up: u64,
    /// Accounts with a lower grade.
    pub grades_down: u64,
    /// Accounts that became VIP.
    pub vip_gained: u64,
    /// Accounts that are no longer VIP.
    pub vip_lost: u64,
    /// The points that those gained together who gained any.
    pub points_gained: i64,
    /// The points that those lost together who lost any.
    pub points_lost: i64,
}

impl Recomputed {
    /// Counts a movement.
    pub(crate) fn count(&mut self, movement: &Movement) {
        let (from, to) = (Side::of(movement.from), Side::of(movement.to));
        let points = to.points.get().saturating_sub(from.points.get());
        self.opened += u64::from(from.policy.is_none());
        self.grades_up += u64::from(to.grade > from.grade);
        self.grades_down += u64::from(to.grade < from.grade);
        self.vip_gained += u64::from(to.vip && !from.vip);
        self.vip_lost += u64::from(from.vip && !to.vip);
        self.points_gained = self.points_gained.saturating_add(points.max(0));
        self.points_lost = self
            .points_lost
            .saturating_add(points.min(0).saturating_neg());
        let same = points == 0 && from.grade == to.grade && from.vip == to.vip;
        self.changed += u64::from(!same);
    }

    /// Adds what others did.
    pub fn add(&mut self, other: Self) {
        self.seen += other.seen;
        self.changed += other.changed;
        self.opened += other.opened;
        self.grades_up += other.grades_up;
        self.grades_down += other.grades_down;
        self.vip_gained += other.vip_gained;
        self.vip_lost += other.vip_lost;
        self.points_gained = self.points_gained.saturating_add(other.points_gained);
        self.points_lost = self.points_lost.saturating_add(other.points_lost);
    }
}

/// Adds rows.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    activation: i64,
    movements: &[Movement],
) -> Result<(), sqlx::Error> {
    let (roles, ids) = columns(movements.iter().map(|it| &it.beneficiary));
    let versions: Vec<i64> = movements.iter().map(|it| it.version.get()).collect();
    let at: Vec<DateTime<Utc>> = movements.iter().map(|it| it.at).collect();
    let from: Vec<Side> = movements.iter().map(|it| Side::of(it.from)).collect();
    let to: Vec<Side> = movements.iter().map(|it| Side::of(it.to)).collect();
    let policies = |sides: &[Side]| -> Vec<Option<i32>> {
        sides.iter().map(|it| it.policy.map(Into::into)).collect()
    };
    let points = |sides: &[Side]| -> Vec<i64> { sides.iter().map(|it| it.points.get()).collect() };
    let grades = |sides: &[Side]| -> Vec<&'static str> {
        sides.iter().map(|it| it.grade.as_str()).collect()
    };
    let vip = |sides: &[Side]| -> Vec<bool> { sides.iter().map(|it| it.vip).collect() };
    sqlx::query!(
        "INSERT INTO bonus.policy_movements
             (activation, beneficiary_role, beneficiary_id, account_version, from_policy, to_policy,
              points_before, points_after, grade_before, grade_after, vip_before, vip_after,
              moved_at)
         SELECT $1, * FROM unnest(
             $2::text[], $3::uuid[], $4::bigint[], $5::integer[], $6::integer[], $7::bigint[],
             $8::bigint[], $9::text[], $10::text[], $11::boolean[], $12::boolean[],
             $13::timestamptz[])",
        activation,
        &roles as &[&str],
        &ids,
        &versions,
        &policies(&from) as &[Option<i32>],
        &policies(&to) as &[Option<i32>],
        &points(&from),
        &points(&to),
        &grades(&from) as &[&str],
        &grades(&to) as &[&str],
        &vip(&from),
        &vip(&to),
        &at,
    )
    .execute(connection)
    .await
    .map(drop)
}
