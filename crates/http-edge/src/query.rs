//! The query of a read: parameters by name. What of it nobody reads, [`crate::Ignored`] says.

use std::fmt::{self, Display};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::Problem;
use crate::ignored::ReadNames;

/// The parameters of a query, as a struct of optional texts and enumerations: what else a text must
/// be is the route's to say. An unknown value of an enumeration and a parameter that stands twice
/// are 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        type Pairs = axum::extract::Query<Vec<(String, String)>>;
        let pairs = Pairs::try_from_uri(&parts.uri);
        let pairs = pairs
            .map_err(|_| Problem::malformed("the query cannot be read"))?
            .0;
        let parameters = pairs
            .into_iter()
            .map(|(name, value)| (name.clone(), Parameter { name, value }));
        let named = Named {
            parameters: MapDeserializer::new(parameters),
            names: ReadNames::of(&mut parts.extensions),
        };
        match T::deserialize(named) {
            Ok(parameters) => Ok(Self(parameters)),
            Err(Unreadable(reason)) => Err(Problem::malformed(reason)),
        }
    }
}

/// A query that notes which names are read of it.
struct Named<D> {
    parameters: D,
    names: ReadNames,
}

impl<'de, D: Deserializer<'de, Error = Unreadable>> Deserializer<'de> for Named<D> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.parameters.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.names.add(fields);
        self.parameters.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map option enum identifier ignored_any
    }
}

/// Why a query is not what the route takes, in words for its sender.
#[derive(Debug)]
struct Unreadable(String);

impl Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(format!("the parameter {field} stands twice in the query"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("must be one of {}", expected.join(", ")))
    }
}

/// One value, and the name that a refusal of it begins with.
struct Parameter {
    name: String,
    value: String,
}

impl<'de> IntoDeserializer<'de, Unreadable> for Parameter {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Parameter {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_string(self.value)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let value: StrDeserializer<'_, Unreadable> = self.value.as_str().into_deserializer();
        visitor
            .visit_enum(value)
            .map_err(|Unreadable(reason)| Unreadable(format!("{} {reason}", self.name)))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
