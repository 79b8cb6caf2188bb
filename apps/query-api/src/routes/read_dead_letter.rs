//! `GET /v1/ops/dead-letters/{id}`: one message that a consumer gave up on, with its bytes.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use dead_letters::{DeadLetter, LISTED_KEY, find};
use http_edge::{Ignored, Path, Principal, Problem, problems};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use super::examples;
use super::foreign::Foreign;
use super::list_dead_letters::DeadLetterItem;
use crate::AppState;

problems! {
    /// How reading a dead letter is refused.
    Problems: Code::ANY, &[Code::Forbidden, Code::NotFound];
}

/// How many bytes of the value are shown.
const LONGEST_VALUE: usize = 64 * 1024;
/// How many headers are shown, how many characters of a name, and how many bytes of a value.
const MOST_HEADERS: usize = 100;
const LONGEST_NAME: usize = 256;
const LONGEST_HEADER: usize = 4096;

/// A message that a consumer gave up on, with its bytes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetterDetail {
    /// What a list says of it.
    #[serde(flatten)]
    item: DeadLetterItem,
    /// Whether its bytes are kept still: 90 days after it was closed they are erased, and key,
    /// headers and value are as if it had none.
    has_bytes: bool,
    /// The first 100 headers, in order.
    headers: Vec<HeaderView>,
    /// How many headers there are.
    #[schema(minimum = 0)]
    header_count: usize,
    /// The message's value, up to 64 KiB of it; null if it has none.
    #[schema(required)]
    value: Option<Foreign>,
}

/// A header of a message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HeaderView {
    /// Its name, up to 256 characters of it.
    name: String,
    /// Its value, up to 4 KiB of it; null if it has none.
    #[schema(required)]
    value: Option<Foreign>,
}

#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "the dead letter",
    example = json!(examples::whole_dead_letter()),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(DeadLetterDetail);

/// Read a dead letter.
///
/// The message with its key, headers and value, which are data, whatever they look like: text
/// where they are some, else base64.
#[utoipa::path(
    get,
    path = "/v1/ops/dead-letters/{id}",
    tag = "operations",
    params(("id" = Uuid, Path, description = "the dead letter")),
    security(("bearer" = [])),
    responses(Found, Problems)
)]
pub(crate) async fn read_dead_letter(
    State(app): State<AppState>,
    _principal: Principal,
    Path(id): Path<Uuid>,
    _: Ignored,
) -> Result<impl IntoResponse, Problem> {
    let found = app
        .look(|connection| Box::pin(async move { Ok(find(connection, id).await?) }))
        .await?;
    match found {
        Some(letter) => Ok(Json(DeadLetterDetail::from(letter))),
        None => Err(Problem::not_found("there is no such dead letter")),
    }
}

impl From<DeadLetter> for DeadLetterDetail {
    fn from(letter: DeadLetter) -> Self {
        let show = |bytes: &Option<Vec<u8>>, longest| {
            let bytes = bytes.as_deref();
            bytes.map(|bytes| Foreign::whole(bytes, longest))
        };
        let headers = letter.headers.iter().take(MOST_HEADERS);
        Self {
            has_bytes: letter.has_bytes,
            headers: headers
                .map(|(name, value)| HeaderView {
                    name: name.chars().take(LONGEST_NAME).collect(),
                    value: show(value, LONGEST_HEADER),
                })
                .collect(),
            header_count: letter.headers.len(),
            value: show(&letter.value, LONGEST_VALUE),
            item: DeadLetterItem::new(
                letter.summary,
                show(&letter.key, usize::from(LISTED_KEY)),
                letter.closed,
            ),
        }
    }
}
