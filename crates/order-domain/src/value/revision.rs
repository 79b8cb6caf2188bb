//! Revisions: how often a request or an offer has been put, counted from 1. A stored revision is
//! read as it stands.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FaultKind;

macro_rules! revision {
    ($(#[$doc:meta])* $name:ident, $last:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            /// The first.
            pub const FIRST: Self = Self(1);
            /// The last that may be put.
            pub const LAST: Self = Self($last);

            /// Reads a client's number. One greater than any that is ever reached is legal: it is
            /// just none that there is.
            ///
            /// # Errors
            /// It is below 1.
            pub fn parse(number: i64) -> Result<Self, FaultKind> {
                if number < 1 {
                    return Err(FaultKind::RevisionOutOfRange);
                }
                Ok(Self(u32::try_from(number).unwrap_or(u32::MAX)))
            }

            /// The one after this; the last that can be counted follows itself.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl From<$name> for i64 {
            fn from(revision: $name) -> Self {
                revision.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

revision! {
    /// Which putting of the request.
    RequestRevision, 100
}
revision! {
    /// Which putting of a workshop's offer, counted over the whole life of its seat.
    OfferRevision, 50
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_counts_from_one() {
        assert_eq!(OfferRevision::parse(1), Ok(OfferRevision::FIRST));
        assert_eq!(OfferRevision::FIRST.next().get(), 2);
        for number in [i64::MIN, -1, 0] {
            assert_eq!(
                RequestRevision::parse(number),
                Err(FaultKind::RevisionOutOfRange)
            );
        }
    }

    #[test]
    fn a_client_may_name_a_revision_that_is_never_reached() {
        let beyond = i64::from(u32::MAX) + 1;
        let last = OfferRevision(u32::MAX);
        assert_eq!(OfferRevision::parse(beyond), Ok(last));
        assert_eq!(OfferRevision::parse(i64::MAX), Ok(last));
    }
}
