//! The names of events that policies speak of, each kept once: a fact carries a pointer to its
//! name, and millions of facts are read without a text of their own.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use serde::de::{Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use crate::Policies;

/// Every name that was ever interned; they are few, and stay.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The name of an event that a policy may reward, such as `OrderPlaced`.
///
/// Two of the same name are the same pointer, which is how they are compared.
#[derive(Clone, Copy)]
pub struct SourceType(&'static str);

impl SourceType {
    /// The event of that name; none where no policy of this release speaks of it, so that its
    /// facts are worth nothing and need no keeping.
    #[must_use]
    pub fn known(name: &str) -> Option<Self> {
        Policies::compiled().source_type(name)
    }

    /// The event of that name, kept for good from now on. Only for names of which there are few:
    /// those of policies' files and of stored events, never those of messages.
    pub(crate) fn interned(name: &str) -> Self {
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(name) {
            return Self(name);
        }
        let name: &'static str = Box::leak(name.into());
        names.insert(name);
        Self(name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl PartialEq for SourceType {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for SourceType {}

impl PartialOrd for SourceType {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SourceType {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(other.0)
    }
}

impl Hash for SourceType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for SourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for SourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for SourceType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for SourceType {
    /// Reads a name of a policy's file or of a stored event: also one that a later release rewards.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(Self::interned(&name))
    }
}
