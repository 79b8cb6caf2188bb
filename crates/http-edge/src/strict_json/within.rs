//! What lies within a value: its elements or members, and what is noted of those that nobody reads.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};
use serde_json::{Map, Value};

use super::{Mismatch, Strict};
use crate::ignored::Unread;

/// What is noted while a value is read.
#[derive(Default)]
pub(super) struct Notes {
    /// The steps to the value that is being read.
    steps: RefCell<Vec<String>>,
    /// The names that the object around it has.
    known: Cell<&'static [&'static str]>,
    pub(super) unread: RefCell<Vec<Unread>>,
}

impl Notes {
    /// Reads what lies one step further in.
    fn within<T>(
        &self,
        step: impl Display,
        known: &'static [&'static str],
        read: impl FnOnce() -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        let step = escaped(step);
        self.steps.borrow_mut().push(step.clone());
        self.known.set(known);
        let read = read();
        self.steps.borrow_mut().pop();
        read.map_err(|mismatch| mismatch.under(&step))
    }

    pub(super) fn note_unread(&self) {
        let steps = self.steps.borrow();
        self.unread.borrow_mut().push(Unread {
            pointer: steps.iter().map(|step| format!("/{step}")).collect(),
            known: self.known.get(),
        });
    }
}

/// A step of a JSON pointer.
fn escaped(step: impl Display) -> String {
    step.to_string().replace('~', "~0").replace('/', "~1")
}

/// The values of an array, one after another.
pub(super) struct Elements<'n> {
    rest: std::iter::Enumerate<std::vec::IntoIter<Value>>,
    notes: &'n Notes,
}

impl<'n> Elements<'n> {
    pub(super) fn of(values: Vec<Value>, notes: &'n Notes) -> Self {
        Self {
            rest: values.into_iter().enumerate(),
            notes,
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let notes = self.notes;
        self.rest
            .next()
            .map(|(index, value)| {
                notes.within(index, &[], || seed.deserialize(Strict::of(value, notes)))
            })
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The members of an object, one after another.
pub(super) struct Entries<'n> {
    rest: serde_json::map::IntoIter,
    current: Option<(String, Value)>,
    /// The names that are read; none where any may be.
    names: &'static [&'static str],
    notes: &'n Notes,
}

impl<'n> Entries<'n> {
    pub(super) fn of(
        values: Map<String, Value>,
        names: &'static [&'static str],
        notes: &'n Notes,
    ) -> Self {
        Self {
            rest: values.into_iter(),
            current: None,
            names,
            notes,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        self.current = self.rest.next();
        self.current
            .as_ref()
            .map(|(key, _)| seed.deserialize(key.as_str().into_deserializer()))
            .transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Mismatch> {
        let (names, notes) = (self.names, self.notes);
        match self.current.take() {
            Some((key, value)) => {
                notes.within(key, names, || seed.deserialize(Strict::of(value, notes)))
            }
            None => Err(Mismatch::here("a value without a key")),
        }
    }
}
