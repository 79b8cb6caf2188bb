//! Movements counted together: totals, who gains and who loses, and the largest of them. Its size
//! does not grow with the number of accounts.

use std::collections::BTreeMap;

use super::Movement;
use crate::{Beneficiary, Grade, Points, PointsOverflow};

/// How many of the largest gains, and of the largest losses, are named.
pub const LARGEST: usize = 10;

/// Where the classes of the histogram begin, above and below 0.
const STEPS: [i64; 8] = [1, 10, 30, 100, 300, 1_000, 3_000, 10_000];

/// Accounts of one grade before and one after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GradeFlow {
    /// The grade before.
    pub from: Grade,
    /// The grade after.
    pub to: Grade,
    /// How many.
    pub accounts: u64,
}

/// Accounts by what becomes of their VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// VIP before and after.
    pub kept: u64,
    /// VIP only after.
    pub gained: u64,
    /// VIP only before.
    pub lost: u64,
    /// VIP neither before nor after.
    pub without: u64,
}

/// A class of the histogram: how many accounts move by so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The least movement of the class; none where it is open below.
    pub from: Option<i64>,
    /// The greatest; none where it is open above.
    pub to: Option<i64>,
    /// How many.
    pub accounts: u64,
}

/// An account that moves by much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Largest {
    /// Whose it is.
    pub beneficiary: Beneficiary,
    /// By how much its total moves.
    pub points: Points,
    /// What becomes of it.
    pub movement: Movement,
}

/// What becomes of all beneficiaries together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Beneficiaries, with or without an account.
    pub seen: u64,
    /// Those for whom anything moves: points, grade or VIP.
    pub changed: u64,
    /// Those who gain points.
    pub gainers: u64,
    /// Those who lose points.
    pub losers: u64,
    /// Those without an account before who have one after.
    pub opened: u64,
    /// The points of all of them before.
    pub points_before: Points,
    /// The points of all of them after.
    pub points_after: Points,
    /// What the gainers gain in sum.
    pub gained: Points,
    /// What the losers lose in sum; not negative.
    pub lost: Points,
    /// What becomes of VIP.
    pub vip: Flow,
    grades: BTreeMap<(Grade, Grade), u64>,
    histogram: BTreeMap<i64, u64>,
    gains: BTreeMap<(i64, Beneficiary), Movement>,
    losses: BTreeMap<(i64, Beneficiary), Movement>,
}

impl Report {
    /// Counts one beneficiary in.
    ///
    /// # Errors
    /// When no number holds a sum.
    pub fn add(
        &mut self,
        beneficiary: Beneficiary,
        movement: Movement,
    ) -> Result<(), PointsOverflow> {
        let (before, after) = (movement.before(), movement.after());
        let points = movement.points()?;
        self.seen += 1;
        self.changed += u64::from(!movement.is_none());
        self.points_before = self.points_before.plus(before.lifetime_points)?;
        self.points_after = self.points_after.plus(after.lifetime_points)?;
        self.opened += u64::from(movement.opens());
        if points > Points::ZERO {
            self.gainers += 1;
            self.gained = self.gained.plus(points)?;
            // The largest come first, and of equal ones the lowest id.
            keep_largest(&mut self.gains, (-points.get(), beneficiary), movement);
        } else if points < Points::ZERO {
            self.losers += 1;
            self.lost = self.lost.minus(points)?;
            keep_largest(&mut self.losses, (points.get(), beneficiary), movement);
        }
        *self.grades.entry((before.grade, after.grade)).or_default() += 1;
        *self.histogram.entry(class(points.get())).or_default() += 1;
        let flow = &mut self.vip;
        let flowing = match (before.vip, after.vip) {
            (true, true) => &mut flow.kept,
            (false, true) => &mut flow.gained,
            (true, false) => &mut flow.lost,
            (false, false) => &mut flow.without,
        };
        *flowing += 1;
        Ok(())
    }

    /// The grades before and after: every pair, ascending.
    pub fn grades(&self) -> impl Iterator<Item = GradeFlow> {
        Grade::ALL.into_iter().flat_map(move |from| {
            Grade::ALL.into_iter().map(move |to| GradeFlow {
                from,
                to,
                accounts: self.grades.get(&(from, to)).copied().unwrap_or_default(),
            })
        })
    }

    /// How many accounts move by how much, ascending: the classes that have any.
    pub fn histogram(&self) -> impl Iterator<Item = Bucket> {
        self.histogram.iter().map(|(class, accounts)| {
            let (from, to) = bounds(*class);
            Bucket {
                from,
                to,
                accounts: *accounts,
            }
        })
    }

    /// The largest gains, the largest first.
    pub fn largest_gains(&self) -> impl Iterator<Item = Largest> {
        largest(&self.gains)
    }

    /// The largest losses, the largest first.
    pub fn largest_losses(&self) -> impl Iterator<Item = Largest> {
        largest(&self.losses)
    }
}

fn keep_largest(
    kept: &mut BTreeMap<(i64, Beneficiary), Movement>,
    key: (i64, Beneficiary),
    movement: Movement,
) {
    let full = kept.len() >= LARGEST;
    if full && kept.last_key_value().is_some_and(|(last, _)| *last < key) {
        return;
    }
    kept.insert(key, movement);
    if full {
        kept.pop_last();
    }
}

fn largest(kept: &BTreeMap<(i64, Beneficiary), Movement>) -> impl Iterator<Item = Largest> {
    kept.iter().filter_map(|((_, beneficiary), movement)| {
        Some(Largest {
            beneficiary: *beneficiary,
            points: movement.points().ok()?,
            movement: *movement,
        })
    })
}

/// The class of a movement: how many steps it reaches, negative for losses.
fn class(points: i64) -> i64 {
    let reached = STEPS
        .iter()
        .filter(|step| points.unsigned_abs() >= step.unsigned_abs())
        .count();
    let reached = i64::try_from(reached).unwrap_or(i64::MAX);
    if points < 0 { -reached } else { reached }
}

/// The least and the greatest movement of a class.
fn bounds(class: i64) -> (Option<i64>, Option<i64>) {
    let step = |number: u64| {
        let place = usize::try_from(number).ok()?;
        STEPS.get(place).copied()
    };
    let Some(below) = class.unsigned_abs().checked_sub(1) else {
        return (Some(0), Some(0));
    };
    let least = step(below);
    let most = step(class.unsigned_abs()).map(|next| next - 1);
    if class > 0 {
        (least, most)
    } else {
        (most.map(|most| -most), least.map(|least| -least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_the_histogram_follow_one_another_without_gaps() {
        let last = i64::try_from(STEPS.len()).unwrap();
        for points in [-20_000, -9_999, -30, -29, -1, 0, 1, 9, 10, 299, 300, 10_000] {
            let (from, to) = bounds(class(points));
            assert!(from.is_none_or(|from| from <= points), "{points}");
            assert!(to.is_none_or(|to| points <= to), "{points}");
        }
        for number in -last..last {
            let (_, to) = bounds(number);
            let (from, _) = bounds(number + 1);
            assert_eq!(to.map(|to| to + 1), from);
        }
        assert_eq!(bounds(-last).0, None);
        assert_eq!(bounds(last).1, None);
    }
}
