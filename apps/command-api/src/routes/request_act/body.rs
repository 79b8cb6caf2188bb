//! The body of a request: an act, its arguments as that act takes them, and why.

use std::fmt;

use event_store::acts::Requested;
use http_edge::FieldError;
use order_domain::value::Reason;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::arguments::{
    AccountBody, Arguments, LettersBody, ModelBody, PolicyBody, RebuildingBody, ResendingBody,
};
use super::faults::Faults;

const MEMBERS: &[&str] = &["act", "arguments", "reason"];

/// What was sent.
#[derive(Debug)]
pub(crate) struct Body {
    act: Option<String>,
    arguments: Option<Arguments>,
    reason: Option<String>,
}

impl Body {
    /// What is asked for, and why.
    pub(super) fn read(self) -> Result<(Requested, Reason), Vec<FieldError>> {
        let mut faults = Faults::default();
        let act = faults.required("/act", self.act);
        faults.taken("/act", act, |act| {
            if Requested::ACTS.contains(&act.as_str()) {
                return Ok(());
            }
            Err(format!("must be one of {}", Requested::ACTS.join(", ")))
        });
        let arguments = faults.required("/arguments", self.arguments);
        let requested = arguments.and_then(|arguments| arguments.read(&mut faults));
        let reason = faults.required("/reason", self.reason);
        let reason = faults.taken("/reason", reason, |text| {
            Reason::parse(&text).map_err(|kind| kind.to_string())
        });
        faults.finish(requested.zip(reason))
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("ActRequest", MEMBERS, Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    /// Members come in the order of their names, so that the act is known before its arguments.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut body = Body {
            act: None,
            arguments: None,
            reason: None,
        };
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "act" => body.act = map.next_value()?,
                "arguments" => {
                    body.arguments = map.next_value_seed(ArgumentsOf(body.act.as_deref()))?;
                }
                "reason" => body.reason = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(body)
    }
}

/// The arguments of this act.
struct ArgumentsOf<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for ArgumentsOf<'_> {
    type Value = Option<Arguments>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<Arguments>, D::Error> {
        fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
            from: D,
            of: impl FnOnce(T) -> Arguments,
        ) -> Result<Option<Arguments>, D::Error> {
            Ok(Option::<T>::deserialize(from)?.map(of))
        }
        match self.0 {
            Some("redrive") => read(from, Arguments::Redrive),
            Some("redrivePreview") => read(from, Arguments::RedrivePreview),
            Some("discard") => read(from, Arguments::Discard),
            Some("replay") => read(from, Arguments::Replay),
            Some("rebuild") => read(from, Arguments::Rebuild),
            Some("rebuildBack") => read(from, Arguments::RebuildBack),
            Some("activate") => read(from, Arguments::Activate),
            Some("recompute") => read(from, Arguments::Recompute),
            Some("backfill") => read(from, Arguments::Backfill),
            // That there is no such act is told, and not what its arguments are.
            Some(_) | None => read(from, |_: Map<String, Value>| Arguments::OfNoAct),
        }
    }
}

/// The request of an act.
#[derive(ToSchema)]
#[schema(as = ActRequest)]
#[serde(tag = "act", rename_all = "camelCase")]
#[expect(dead_code, reason = "carries the description of a body")]
pub(super) enum Described {
    /// Send dead letters again, the oldest first, until one comes back.
    Redrive {
        arguments: LettersBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
    /// Show what sending dead letters again would change: all is handled, and rolled back.
    RedrivePreview {
        arguments: LettersBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
    /// Close dead letters without sending them: they are given up.
    Discard {
        arguments: LettersBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
    /// Send stored events to Kafka again, with the ids that they had.
    Replay {
        arguments: ResendingBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
    /// Build the next version of a read model beside the one that is served, and serve it.
    Rebuild {
        arguments: RebuildingBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
    /// Serve the version before again, which a rebuild has kept.
    RebuildBack {
        arguments: ModelBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
    /// Put a policy in force.
    Activate {
        arguments: PolicyBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
    /// Compute accounts anew.
    Recompute {
        arguments: AccountBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
    /// Read the facts that a policy rewards and the ledger has not kept from the first event on.
    Backfill {
        arguments: PolicyBody,
        /// Why.
        #[schema(min_length = 1, max_length = 2000)]
        reason: String,
    },
}
