//! Typed ids: a UUID that says what it names, and the one source of fresh ones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is no UUID in hyphenated form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no UUID in hyphenated form")]
pub struct MalformedId(String);

/// Reads a UUID as clients send it: hyphenated, in any case.
fn parse_hyphenated(text: &str) -> Result<Uuid, MalformedId> {
    const HYPHENATED_LENGTH: usize = 36;
    if text.len() != HYPHENATED_LENGTH {
        return Err(MalformedId(text.chars().take(64).collect()));
    }
    Uuid::try_parse(text).map_err(|_| MalformedId(text.to_owned()))
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Names the thing that has this UUID.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The bare UUID.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hyphenated(text).map(Self)
            }
        }
    };
}

typed_id! {
    /// One commission, from placement to its end.
    OrderId
}
typed_id! {
    /// Somebody who asks for a piece.
    CommissionerId
}
typed_id! {
    /// An entry of the workshop directory.
    WorkshopId
}
typed_id! {
    /// One stored fact; the same on every wire, and so the key of deduplication.
    EventId
}

/// Gives fresh ids. Tests give ones that they know.
pub trait IdSource: Send + Sync {
    /// An id that nothing had before; later ones sort after earlier ones.
    fn next(&self) -> Uuid;
}

/// Fresh ids of version 7: random, and sorted by time.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one owner of fresh ids"
    )]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}
