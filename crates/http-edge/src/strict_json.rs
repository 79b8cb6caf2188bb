//! JSON read to the letter: keys that stand twice are refused, even unknown ones, and so is every
//! value of another type than the one asked for. serde by itself takes the last of two keys, and
//! an array in the place of an object; and its messages speak of Rust.

mod within;

use std::fmt::{self, Display};

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Map, Number, Value};

use self::within::{Elements, Entries, Notes};
use crate::ignored::Unread;

/// Where a text is not what was asked for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The place, as a JSON pointer; empty for the whole.
    pub(crate) pointer: String,
    /// What stands there, and what should.
    pub(crate) detail: String,
}

/// Reads a text as JSON without double keys.
pub(crate) fn parse(text: &[u8]) -> Result<Value, String> {
    match serde_json::from_slice(text) {
        Ok(Unambiguous(value)) => Ok(value),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a value as a type; with the members that the type does not read.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<(T, Vec<Unread>), Mismatch> {
    let notes = Notes::default();
    let read = T::deserialize(Strict::of(value, &notes))?;
    Ok((read, notes.unread.into_inner()))
}

/// A value none of whose objects names a key twice.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Self)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if values.contains_key(&key) {
                return Err(de::Error::custom(format_args!(
                    "the key {key:?} stands twice"
                )));
            }
            let Unambiguous(value) = map.next_value()?;
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

impl Mismatch {
    fn here(detail: impl Into<String>) -> Self {
        Self {
            pointer: String::new(),
            detail: detail.into(),
        }
    }

    fn expected(what: impl Display, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(number) => {
                return Self::here(format!("expected {what}, found the number {number}"));
            }
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        Self::here(format!("expected {what}, found {found}"))
    }

    /// The same mismatch, seen from one step further out.
    fn under(mut self, step: &str) -> Self {
        self.pointer = format!("/{step}{}", self.pointer);
        self
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: Display>(message: T) -> Self {
        Self::here(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::here(format!("the key {field:?} is missing"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::here(format!("expected one of {}", expected.join(", ")))
    }
}

/// A value that gives itself only as what it is.
struct Strict<'n> {
    value: Value,
    notes: &'n Notes,
}

impl<'n> Strict<'n> {
    const fn of(value: Value, notes: &'n Notes) -> Self {
        Self { value, notes }
    }
}

/// A number that is whole, however it is written: JSON has one type of numbers, in which `1`, `1.0`
/// and `1e0` are the same.
fn whole(value: &Value) -> Option<i128> {
    let number = value.as_number()?;
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is too large stays too large"
    )]
    let whole = |number: f64| number as i128;
    number
        .as_f64()
        .filter(|number| number.fract() == 0.0)
        .map(whole)
}

macro_rules! whole_numbers {
    ($($method:ident: $type:ident, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            let number = whole(&self.value).and_then(|number| $type::try_from(number).ok());
            match number {
                Some(number) => visitor.$visit(number),
                None => Err(Mismatch::expected(
                    format_args!("a whole number from {} to {}", $type::MIN, $type::MAX),
                    &self.value,
                )),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Strict<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => visit_number(&number, visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(values) => visitor.visit_seq(Elements::of(values, self.notes)),
            Value::Object(values) => visitor.visit_map(Entries::of(values, &[], self.notes)),
        }
    }

    whole_numbers! {
        deserialize_u8: u8, visit_u8;
        deserialize_u16: u16, visit_u16;
        deserialize_u32: u32, visit_u32;
        deserialize_u64: u64, visit_u64;
        deserialize_i8: i8, visit_i8;
        deserialize_i16: i16, visit_i16;
        deserialize_i32: i32, visit_i32;
        deserialize_i64: i64, visit_i64;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Bool(value) = self.value else {
            return Err(Mismatch::expected("true or false", &self.value));
        };
        visitor.visit_bool(value)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::String(text) = self.value else {
            return Err(Mismatch::expected("a string", &self.value));
        };
        visitor.visit_string(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.value.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Array(values) = self.value else {
            return Err(Mismatch::expected("an array", &self.value));
        };
        visitor.visit_seq(Elements::of(values, self.notes))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Object(values) = self.value else {
            return Err(Mismatch::expected("an object", &self.value));
        };
        visitor.visit_map(Entries::of(values, &[], self.notes))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let Value::Object(values) = self.value else {
            return Err(Mismatch::expected("an object", &self.value));
        };
        visitor.visit_map(Entries::of(values, names, self.notes))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.notes.note_unread();
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let Value::String(name) = &self.value else {
            return Err(Mismatch::expected("a string", &self.value));
        };
        let name: StrDeserializer<'_, Mismatch> = name.as_str().into_deserializer();
        visitor.visit_enum(name)
    }

    forward_to_deserialize_any! {
        f32 f64 i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Mismatch> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(number), _, _) => visitor.visit_u64(number),
        (None, Some(number), _) => visitor.visit_i64(number),
        (None, None, Some(number)) => visitor.visit_f64(number),
        (None, None, None) => Err(Mismatch::here("the number is too large")),
    }
}
