//! Points: whole numbers, added with an eye on the edge.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of points; negative only as the difference of two totals.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Points(i64);

impl Points {
    /// None.
    pub const ZERO: Self = Self(0);

    /// So many.
    #[must_use]
    pub const fn new(points: i64) -> Self {
        Self(points)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Both together.
    ///
    /// # Errors
    /// When no 64-bit number holds the sum.
    pub fn plus(self, other: Self) -> Result<Self, PointsOverflow> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or(PointsOverflow(self, other))
    }

    /// What is left of these when `other` are taken away.
    ///
    /// # Errors
    /// When no 64-bit number holds the difference.
    pub fn minus(self, other: Self) -> Result<Self, PointsOverflow> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .ok_or(PointsOverflow(self, other))
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Two numbers of points whose sum or difference is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} and {1} points are too many to count together")]
pub struct PointsOverflow(Points, Points);
