//! Lists in pages: how many, after which, and what comes next.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use crate::{Ignored, Problem, Query, Segment};

/// How many items a page has if nothing else is asked for.
const DEFAULT_LIMIT: u32 = 50;
/// The most that a page may have.
const MAX_LIMIT: u32 = 200;

/// `limit` and `cursor` as they are sent.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// How many items at most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `nextCursor` of the page before, with the same filters.
    cursor: Option<String>,
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    limit: u32,
    cursor: Option<String>,
}

impl Page {
    /// How many items the page has at most: 1 to 200.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Where the page before ended; none for the first page. `list` is what the cursor belongs
    /// to: the route and all its filters, as for [`Listing::next`].
    ///
    /// # Errors
    /// 400 if the cursor is none of this list's.
    pub fn after<K: DeserializeOwned>(&self, list: &Listing) -> Result<Option<K>, Problem> {
        self.cursor
            .as_deref()
            .map(|cursor| list.read(cursor).ok_or_else(foreign))
            .transpose()
    }
}

fn foreign() -> Problem {
    Problem::malformed(
        "the cursor is none of this list with these filters; begin without one, and then send \
         nextCursor as it stands",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(PageParams { limit, cursor }) = Query::from_request_parts(parts, state).await?;
        let limit = match limit {
            None => Some(DEFAULT_LIMIT),
            Some(text) => u32::read(&text).filter(|limit| (1..=MAX_LIMIT).contains(limit)),
        };
        match limit {
            Some(limit) => Ok(Self { limit, cursor }),
            None => Err(Problem::malformed(
                "limit must be a whole number from 1 to 200",
            )),
        }
    }
}

/// How many bytes of a digest tell lists apart.
const MARK_LENGTH: usize = 8;

/// A list that cursors belong to: a route with its filters, for a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    mark: [u8; MARK_LENGTH],
}

impl Listing {
    /// The list that these parts tell from all others, such as
    /// `Listing::of(&("orders", actor, &filters))`.
    #[must_use]
    pub fn of(parts: &impl Serialize) -> Self {
        let digest = Sha256::digest(to_json(parts));
        Self {
            mark: std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default()),
        }
    }

    /// The cursor of the page after `last`, the sort key of this page's last item.
    #[must_use]
    pub fn next(&self, last: &impl Serialize) -> String {
        let mut cursor = self.mark.to_vec();
        cursor.extend(to_json(last));
        URL_SAFE_NO_PAD.encode(cursor)
    }

    fn read<K: DeserializeOwned>(&self, cursor: &str) -> Option<K> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let last = bytes.strip_prefix(&self.mark)?;
        // No text of ours has the character, and Postgres takes none that has.
        if String::from_utf8_lossy(last).contains("\\u0000") {
            return None;
        }
        serde_json::from_slice(last).ok()
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    // What has no JSON becomes nothing, from which no key is read.
    serde_json::to_vec(value).unwrap_or_default()
}

/// A page of a list, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// How to ask for the next page; null if this is the last.
    pub next_cursor: Option<String>,
    /// The parameters of the query that were not read; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub ignored: Vec<String>,
}

impl<T> List<T> {
    /// Makes a page of up to `limit + 1` rows: the one too many says that another page follows.
    #[must_use]
    pub fn of<K: Serialize>(
        mut items: Vec<T>,
        page: &Page,
        list: &Listing,
        key: impl FnOnce(&T) -> K,
    ) -> Self {
        let limit = page.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|item| list.next(&key(item)));
        Self {
            items,
            next_cursor,
            ignored: Vec::new(),
        }
    }

    /// The same, with the names of the parameters that were not read.
    #[must_use]
    pub fn ignoring(self, ignored: Ignored) -> Self {
        Self {
            ignored: ignored.0,
            ..self
        }
    }
}
