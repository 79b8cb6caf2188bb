//! What was sent and is not read: named in the answer, or refused where the client asks for that.
//!
//! Both sides are tolerant readers, and a name with one letter missing would be dropped without a
//! word.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName};

use crate::{FieldError, Problem};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A member of a body that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Where it stands, as a JSON pointer.
    pub(crate) pointer: String,
    /// The names that are read there.
    pub(crate) known: &'static [&'static str],
}

impl Unread {
    /// The refusal of it.
    pub(crate) fn fault(&self) -> FieldError {
        let name = self.pointer.rsplit('/').next().unwrap_or_default();
        let name = name.replace("~1", "/").replace("~0", "~");
        FieldError {
            pointer: self.pointer.clone(),
            detail: format!("is not read here; {}", meant(&name, self.known)),
        }
    }
}

/// Whether the client prefers that what is not read is refused: `Prefer: handling=strict`, RFC 7240.
pub(crate) fn is_strict(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut preferences = texts.flat_map(|text| text.split(','));
    preferences.any(|preference| {
        let essence = preference.split(';').next().unwrap_or_default();
        let (name, value) = essence.split_once('=').unwrap_or((essence, ""));
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("handling") && value.eq_ignore_ascii_case("strict")
    })
}

/// The names of a query's parameters that nobody reads, for a list's answer; an argument after all
/// that read of the query. With `Prefer: handling=strict` they are 400.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ignored(pub Vec<String>);

impl<S: Sync> FromRequestParts<S> for Ignored {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let known = ReadNames::of(&mut parts.extensions).names();
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let names = pairs.map(|pairs| pairs.0).unwrap_or_default().into_iter();
        let mut unread: Vec<String> = Vec::new();
        for (name, _) in names {
            if !known.contains(&name.as_str()) && !unread.contains(&name) {
                unread.push(name);
            }
        }
        match unread.first() {
            Some(name) if is_strict(&parts.headers) => Err(Problem::malformed(format!(
                "the parameter {name:?} is not read here; {}",
                meant(name, &known)
            ))),
            Some(_) | None => Ok(Self(unread)),
        }
    }
}

/// The names of parameters that somebody reads of a request's query.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadNames(Arc<Mutex<Vec<&'static str>>>);

impl ReadNames {
    /// Those of this request.
    pub(crate) fn of(extensions: &mut Extensions) -> Self {
        extensions.get_or_insert_default::<Self>().clone()
    }

    /// Adds names.
    pub(crate) fn add(&self, names: &'static [&'static str]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(names);
    }

    fn names(&self) -> Vec<&'static str> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What may have been meant by a name that is not known: the names that are nearest to it, else all.
fn meant(name: &str, known: &[&'static str]) -> String {
    let mut near: Vec<_> = known
        .iter()
        .map(|known| {
            (
                distance(&name.to_lowercase(), &known.to_lowercase()),
                *known,
            )
        })
        .filter(|(distance, known)| distance * 3 <= known.chars().count().max(3))
        .collect();
    near.sort_unstable();
    match near.first() {
        Some((_, nearest)) => format!("{nearest} may be meant"),
        None if known.is_empty() => "nothing is".to_owned(),
        None => format!("these are: {}", known.join(", ")),
    }
}

/// How many letters have to be added, removed or changed to make one text the other. Of a text that
/// is longer than any name, the beginning counts.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (removed, letter) in from.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), removed + 1);
        let mut left = removed + 1;
        for (other, cell) in to.iter().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(*other != letter);
            diagonal = *cell;
            *cell = changed.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_told_and_else_all() {
        let known = ["name", "description", "durationDays", "requiresApproval"];
        assert_eq!(
            meant("requireApproval", &known),
            "requiresApproval may be meant"
        );
        assert_eq!(meant("Name", &known), "name may be meant");
        assert_eq!(
            meant("colour", &known),
            "these are: name, description, durationDays, requiresApproval"
        );
        assert_eq!(meant("colour", &[]), "nothing is");
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("stat", "state", 1),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn strictness_is_one_preference_among_others() {
        let strict = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PREFER, value.parse().unwrap());
            }
            is_strict(&headers)
        };
        assert!(strict(&["handling=strict"]));
        assert!(strict(&[
            "respond-async, wait=100",
            "Handling = \"strict\"; x=1"
        ]));
        assert!(!strict(&["handling=lenient"]));
        assert!(!strict(&["strict"]));
        assert!(!strict(&[]));
    }
}
