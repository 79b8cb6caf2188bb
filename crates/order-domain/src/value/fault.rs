//! What is wrong with a value of a client: where it stands in the body, and why it is refused.

use kernel::WorkshopId;

use super::invitees::MAX_SEATS;
use super::money::Currency;
use super::stage::MAX_STAGES;

/// One value that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands in the body: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Why it is refused.
    pub kind: FaultKind,
}

impl Fault {
    /// The fault `kind` at `pointer`.
    #[must_use]
    pub fn new(pointer: impl Into<String>, kind: FaultKind) -> Self {
        Self {
            pointer: pointer.into(),
            kind,
        }
    }

    /// What a client is told: what the value must be.
    #[must_use]
    pub fn detail(&self) -> String {
        self.kind.to_string()
    }
}

/// Why a value is refused; its text says what the value must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// A required field is absent or null.
    #[error("is required")]
    Missing,
    /// A field that may be left out is null.
    #[error("must not be null: leave the field out to keep what stands")]
    Null,
    /// A text is blank or too long.
    #[error("must have 1 to {max} characters after trimming, and has {actual}")]
    TextLength {
        /// The most characters it may have, in Unicode scalar values.
        max: usize,
        /// The number it has once trimmed.
        actual: usize,
    },
    /// A text holds a control character.
    #[error("must hold no control characters but newline and tab")]
    ControlCharacter,
    /// An amount is no plain decimal string, or too long a one.
    #[error(
        "must be a decimal string of 1 to 12 digits, with 1 or 2 more after a point if any, \
         such as \"1250.00\""
    )]
    MalformedAmount,
    /// An amount is zero.
    #[error("must be greater than zero")]
    ZeroAmount,
    /// A code names no currency that one can pay in.
    #[error("must be the ISO 4217 code of a currency in capitals, such as \"EUR\"")]
    UnknownCurrency,
    /// An offer is in another currency than the request.
    #[error("must be {expected}, the currency of the request")]
    OfferCurrency {
        /// The currency of the request.
        expected: Currency,
    },
    /// A text is no instant.
    #[error(
        "must be an RFC 3339 instant with a T between day and time, with its offset, and without a \
         leap second, such as \"2027-05-01T12:00:00Z\""
    )]
    MalformedInstant,
    /// An instant lies outside the calendar that is kept.
    #[error("must lie in the years 0001 to 9999 in UTC")]
    YearOutOfRange,
    /// A deadline is not in the future: the one fault that only the clock can find.
    #[error("must be later than now")]
    DeadlinePassed,
    /// A text is no UUID.
    #[error("must be a UUID in hyphenated form")]
    MalformedId,
    /// No workshops are named, or too many.
    #[error("must name 1 to {MAX_SEATS} workshops, and names {actual}")]
    SeatCount {
        /// The number of different workshops named.
        actual: usize,
    },
    /// An order would have too many seats.
    #[error(
        "must leave the order with at most {MAX_SEATS} seats over its life, and makes {actual}"
    )]
    TooManySeats {
        /// The number of seats that there would be.
        actual: usize,
    },
    /// A workshop was named before in the same list.
    #[error("names a workshop that stands further up in the list")]
    NamedTwice,
    /// The commissioner named themselves.
    #[error("must not be the commissioner's own id")]
    OwnId,
    /// An offer has too many stages.
    #[error("must hold at most {MAX_STAGES} stages, and holds {actual}")]
    StageCount {
        /// The number of stages.
        actual: usize,
    },
    /// Two stages of an offer share a name.
    #[error("must differ from the names of the stages before it")]
    StageNameTaken,
    /// A stage would take no time, or too long.
    #[error("must be a whole number of days from 1 to 3650")]
    DurationOutOfRange,
    /// A number that no revision can have.
    #[error("must be a whole number from 1")]
    RevisionOutOfRange,
    /// A word names no resolution.
    #[error("must be \"resume\", \"cancel\" or \"complete\"")]
    UnknownResolution,
    /// The directory has no such workshop.
    #[error("workshop {workshop_id} is not in the directory")]
    NotInDirectory {
        /// The workshop.
        workshop_id: WorkshopId,
    },
    /// The workshop takes no commissions.
    #[error("workshop {workshop_id} takes no commissions at present")]
    TakesNoCommissions {
        /// The workshop.
        workshop_id: WorkshopId,
    },
    /// The workshop has not answered yet, or its offer stands.
    #[error("workshop {workshop_id} is invited already; its invitation is {status}")]
    AlreadyInvited {
        /// The workshop.
        workshop_id: WorkshopId,
        /// Where its seat stands, in the word of the wire.
        status: &'static str,
    },
}

/// Gathers the faults of one body, in the order of its fields.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes one fault.
    pub(crate) fn note(&mut self, pointer: impl Into<String>, kind: FaultKind) {
        self.0.push(Fault::new(pointer, kind));
    }

    /// How many faults there are so far.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Keeps a legal value, or notes why it is none.
    pub(crate) fn keep<T>(
        &mut self,
        pointer: impl Into<String>,
        result: Result<T, FaultKind>,
    ) -> Option<T> {
        result.map_err(|kind| self.note(pointer, kind)).ok()
    }

    /// Reads a field that must be there.
    pub(crate) fn required<I, T>(
        &mut self,
        pointer: impl Into<String>,
        input: Option<I>,
        read: impl FnOnce(I) -> Result<T, FaultKind>,
    ) -> Option<T> {
        self.keep(pointer, input.ok_or(FaultKind::Missing).and_then(read))
    }

    /// Reads a field that may be absent: `Some(None)` says that it legally was.
    pub(crate) fn optional<I, T>(
        &mut self,
        pointer: impl Into<String>,
        input: Option<I>,
        read: impl FnOnce(I) -> Result<T, FaultKind>,
    ) -> Option<Option<T>> {
        self.keep(pointer, input.map(read).transpose())
    }

    /// The value, if nothing but the clock speaks against it; else all faults. A passed deadline
    /// alone is no obstacle here: the decision judges it, later in the order of checks.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Fault>> {
        value.ok_or(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_what_the_value_must_be() {
        let fault = Fault::new("/workshops", FaultKind::SeatCount { actual: 21 });
        assert_eq!(fault.detail(), "must name 1 to 20 workshops, and names 21");
    }
}
