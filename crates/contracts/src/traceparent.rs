//! The W3C trace context that every message carries.

use std::fmt;

use uuid::Uuid;

/// A well-formed `traceparent`: `version-trace id-parent id-flags` in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traceparent(String);

impl Traceparent {
    /// Reads a header. A malformed one is none: whoever needs a trace starts one then.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const VERSION_0_LENGTH: usize = 55;
        let mut parts = text.split('-');
        let (version, trace, parent, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let well_formed = is_hex(version, 2)
            && version != "ff"
            && is_hex(trace, 32)
            && is_hex(parent, 16)
            && is_hex(flags, 2)
            && !is_zero(trace)
            && !is_zero(parent)
            && (version != "00" || text.len() == VERSION_0_LENGTH);
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The trace that begins with an event which came without one: the same at every repeat.
    #[must_use]
    pub fn started_by(event_id: Uuid) -> Self {
        // Of version 5, whose fixed bits keep both ids from being zero, whatever the event's id is.
        let trace = Uuid::new_v5(&event_id, b"traceparent");
        let (_, parent) = trace.as_u64_pair();
        Self(format!("00-{}-{parent:016x}-01", trace.as_simple()))
    }

    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|b| b == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_standard_allows_is_taken() {
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later",
        ] {
            assert_eq!(
                Traceparent::parse(text).map(|t| t.to_string()).as_deref(),
                Some(text)
            );
        }
    }

    #[test]
    fn what_is_malformed_is_none() {
        for text in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(Traceparent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_event_starts_the_same_trace_at_every_repeat() {
        for id in [Uuid::nil(), Uuid::from_u128(7), Uuid::max()] {
            let trace = Traceparent::started_by(id);
            assert_eq!(trace, Traceparent::started_by(id));
            assert_eq!(Traceparent::parse(trace.as_str()), Some(trace));
        }
        assert_ne!(
            Traceparent::started_by(Uuid::from_u128(1)),
            Traceparent::started_by(Uuid::from_u128(2))
        );
    }
}
