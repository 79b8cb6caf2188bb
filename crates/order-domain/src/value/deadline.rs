//! Instants as clients send them, and deadlines.

use std::fmt;

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::{Deserialize, Serialize};

use super::{FaultKind, Faults};

/// Nanoseconds from which chrono's clock means a leap second.
const LEAP: u32 = 1_000_000_000;

/// Reads an RFC 3339 instant: normalised to UTC, digits past the sixth cut.
///
/// # Errors
/// The text is no instant, names a leap second, or lies outside the years 0001–9999 in UTC.
pub fn parse_instant(text: &str) -> Result<DateTime<Utc>, FaultKind> {
    // chrono also takes a typographic minus before the offset, and a space in the place of the T.
    if !text.is_ascii() || text.contains(' ') {
        return Err(FaultKind::MalformedInstant);
    }
    let instant = DateTime::parse_from_rfc3339(text)
        .map_err(|_| FaultKind::MalformedInstant)?
        .to_utc();
    check(instant).map(kernel::truncate_to_micros)
}

fn check(instant: DateTime<Utc>) -> Result<DateTime<Utc>, FaultKind> {
    if instant.nanosecond() >= LEAP {
        return Err(FaultKind::MalformedInstant);
    }
    if !(1..=9999).contains(&instant.year()) {
        return Err(FaultKind::YearOutOfRange);
    }
    Ok(instant)
}

/// The instant by which something has to be done. At that very instant it has passed. A stored one
/// is read as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Deadline(DateTime<Utc>);

impl Deadline {
    /// Reads a client's deadline; whether it has passed is asked apart.
    ///
    /// # Errors
    /// See [`parse_instant`].
    pub fn parse(text: &str) -> Result<Self, FaultKind> {
        parse_instant(text).map(Self)
    }

    /// The instant.
    #[must_use]
    pub const fn instant(self) -> DateTime<Utc> {
        self.0
    }

    /// Whether it is not later than `at`.
    #[must_use]
    pub fn has_passed(self, at: DateTime<Utc>) -> bool {
        self.0 <= at
    }

    /// Reads a required deadline that must be later than `now`.
    pub(crate) fn read(
        pointer: String,
        input: Option<String>,
        now: DateTime<Utc>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let deadline = faults.required(pointer.as_str(), input, |text| Self::parse(&text))?;
        if deadline.has_passed(now) {
            faults.note(pointer, FaultKind::DeadlinePassed);
        }
        Some(deadline)
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, FaultKind> {
        Deadline::parse(text).map(|deadline| deadline.to_string())
    }

    #[test]
    fn any_offset_is_normalised_to_utc() {
        for (text, utc) in [
            ("2027-05-01T12:00:00Z", "2027-05-01T12:00:00Z"),
            ("2027-05-01t12:00:00z", "2027-05-01T12:00:00Z"),
            ("2027-05-01T12:00:00+05:30", "2027-05-01T06:30:00Z"),
            ("2027-05-01T12:00:00-00:00", "2027-05-01T12:00:00Z"),
        ] {
            assert_eq!(shown(text).unwrap(), utc);
        }
    }

    #[test]
    fn digits_past_the_sixth_are_cut() {
        for (text, cut) in [
            (
                "2027-05-01T12:00:00.1234569Z",
                "2027-05-01T12:00:00.123456Z",
            ),
            (
                "2027-05-01T12:00:00.9999999999999Z",
                "2027-05-01T12:00:00.999999Z",
            ),
            (
                "0001-01-01T00:00:00.0000019Z",
                "0001-01-01T00:00:00.000001Z",
            ),
            (
                "9999-12-31T23:59:59.9999999Z",
                "9999-12-31T23:59:59.999999Z",
            ),
        ] {
            assert_eq!(shown(text).unwrap(), cut);
        }
    }

    #[test]
    fn years_are_counted_in_utc() {
        assert_eq!(
            shown("0000-12-31T23:30:00-01:00").unwrap(),
            "0001-01-01T00:30:00Z"
        );
        for text in [
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:30:00+01:00",
            "9999-12-31T23:30:00-01:00",
        ] {
            assert_eq!(shown(text), Err(FaultKind::YearOutOfRange), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2027-05-01",
            "2027-05-01T12:00:00",
            "2027-05-01T12:00Z",
            "2027-02-29T12:00:00Z",
            "2027-05-01T24:00:00Z",
            "2027-05-01T12:00:00+24:00",
            "2027-05-01T12:00:00.Z",
            "2026-12-31T23:59:60Z",
            "2026-12-31T23:59:60.5+00:00",
            "2027-05-01T12:00:00\u{2212}05:00",
            " 2027-05-01T12:00:00Z",
            "2027-05-01 12:00:00Z",
            "12027-05-01T12:00:00Z",
        ] {
            assert_eq!(shown(text), Err(FaultKind::MalformedInstant), "{text}");
        }
    }

    #[test]
    fn a_deadline_has_passed_at_its_own_instant() {
        let deadline = Deadline::parse("2027-05-01T12:00:00Z").unwrap();
        let at = deadline.instant();
        assert!(deadline.has_passed(at));
        assert!(!deadline.has_passed(at - chrono::TimeDelta::microseconds(1)));
    }
}
