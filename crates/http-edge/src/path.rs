//! What a path names: ids and numbers, and 400 for anything else in their place.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use kernel::{CommissionerId, EventId, OrderId, WorkshopId};
use uuid::Uuid;

use crate::Problem;

/// A type that one segment of a path can be.
pub trait Segment: Sized {
    /// What a client should send: "a …".
    const EXPECTED: &'static str;

    /// Reads a segment.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! parsed_segments {
    ($expected:literal: $($type:ident),+) => {$(
        impl Segment for $type {
            const EXPECTED: &'static str = $expected;

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}

parsed_segments!("a hyphenated UUID": OrderId, WorkshopId, CommissionerId, EventId);

impl Segment for Uuid {
    const EXPECTED: &'static str = EventId::EXPECTED;

    fn read(text: &str) -> Option<Self> {
        EventId::read(text).map(EventId::as_uuid)
    }
}

macro_rules! number_segments {
    ($($type:ident: $largest:literal),+) => {$(
        impl Segment for $type {
            const EXPECTED: &'static str = concat!("a whole number from 0 to ", $largest);

            fn read(text: &str) -> Option<Self> {
                // `parse` takes a sign and leading zeros too, and one number has one path.
                text.parse().ok().filter(|number: &Self| number.to_string() == text)
            }
        }
    )+};
}

number_segments!(u8: "255", u16: "65535", u32: "4294967295", u64: "18446744073709551615");

/// Types that the parameters of a path can be, in their order.
pub trait Segments: Sized {
    /// Takes each parameter.
    ///
    /// # Errors
    /// For the first that cannot be read.
    fn take<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, Problem>;
}

impl<A: Segment> Segments for A {
    fn take<'a>(mut values: impl Iterator<Item = &'a str>) -> Result<Self, Problem> {
        next(&mut values)
    }
}

impl<A: Segment, B: Segment> Segments for (A, B) {
    fn take<'a>(mut values: impl Iterator<Item = &'a str>) -> Result<Self, Problem> {
        Ok((next(&mut values)?, next(&mut values)?))
    }
}

fn next<'a, T: Segment>(values: &mut impl Iterator<Item = &'a str>) -> Result<T, Problem> {
    let text = values.next().unwrap_or_default();
    T::read(text).ok_or_else(|| {
        Problem::malformed(format!(
            "the path has {text:?} where {} must be",
            T::EXPECTED
        ))
    })
}

/// The parameters of a path, in their order: one [`Segment`], or a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: Segments> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::malformed("the path is not percent-encoded UTF-8"))?;
        T::take(parameters.iter().map(|(_, value)| value)).map(Self)
    }
}
