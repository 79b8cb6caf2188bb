//! `GET /v1/ops/dead-letters`: the messages that a consumer gave up on, newest first.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use contracts::{DeadLetterCode, DeadLetterKind};
use dead_letters::{LISTED_KEY, Listed, Selection, Summary};
use http_edge::{Ignored, List, Listing, Page, PageParams, Principal, Problem, Query, problems};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoResponses, PartialSchema, ToSchema};
use uuid::Uuid;

use super::examples;
use super::foreign::Foreign;
use crate::AppState;

problems! {
    /// How listing dead letters is refused.
    Problems: Code::ANY, &[Code::Forbidden];
}

/// Which dead letters.
#[derive(Debug, Deserialize, Serialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this code.
    #[param(value_type = Option<DeadLetterCodeName>)]
    code: Option<String>,
    /// Only those of this kind.
    #[param(value_type = Option<DeadLetterKindName>)]
    kind: Option<String>,
    /// Only those from this topic.
    #[param(pattern = r"^[^\u0000]*$")]
    topic: Option<String>,
    /// Only those of this event type, such as `atlas.order.OrderPlaced`.
    #[serde(rename = "type")]
    #[param(pattern = r"^[^\u0000]*$")]
    ce_type: Option<String>,
}

/// Which of them a list has.
#[derive(Debug, Deserialize, Serialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Standing {
    /// Only those in this state.
    state: Option<DeadLetterState>,
    /// Only those of this group.
    #[param(pattern = r"^[^\u0000]*$")]
    group: Option<String>,
}

/// Whether it still waits for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum DeadLetterState {
    /// Its event has not been handled.
    Open,
    /// Its event was handled, or it was discarded.
    Closed,
}

/// A message that a consumer gave up on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetterItem {
    /// Names it.
    id: Uuid,
    /// Where the message lay first.
    topic: String,
    /// The partition that it lay on.
    #[schema(minimum = 0)]
    partition: i32,
    /// Its place in the partition.
    #[schema(minimum = 0)]
    offset: i64,
    /// The message's key, up to 1 KiB of it; null if it has none, or it is not kept any more.
    #[schema(required)]
    key: Option<Foreign>,
    /// The event's id; null if it has none.
    #[schema(required)]
    ce_id: Option<Uuid>,
    /// The event's type, whatever its producer wrote; null if it has none.
    #[schema(required)]
    ce_type: Option<String>,
    /// What is wrong, in a word.
    code: String,
    /// Of which kind that is.
    kind: String,
    /// What is wrong, in a sentence.
    detail: String,
    /// Its group: those of the same code, type and cause.
    group: String,
    /// How often it was tried, over all its redrives.
    #[schema(minimum = 1)]
    attempts: i32,
    /// When it failed first.
    first_failed_at: DateTime<Utc>,
    /// When it failed last.
    last_failed_at: DateTime<Utc>,
    /// Whether it still waits for somebody.
    state: DeadLetterState,
    /// When it was closed; null while it is open.
    #[schema(required)]
    closed_at: Option<DateTime<Utc>>,
    /// How it was closed: `redriven`, `handled` (another message of its event was) or `discarded`.
    #[schema(required)]
    closed_how: Option<String>,
}

#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "a page",
    example = json!({"items": [examples::dead_letter()], "nextCursor": null}),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Found(List<DeadLetterItem>);

/// A code, as the document describes it.
pub(crate) struct DeadLetterCodeName;

impl PartialSchema for DeadLetterCodeName {
    fn schema() -> RefOr<Schema> {
        one_of(&DeadLetterCode::ALL.map(DeadLetterCode::as_str))
    }
}

impl ToSchema for DeadLetterCodeName {}

/// A kind, as the document describes it.
pub(crate) struct DeadLetterKindName;

impl PartialSchema for DeadLetterKindName {
    fn schema() -> RefOr<Schema> {
        one_of(&DeadLetterKind::ALL.map(DeadLetterKind::as_str))
    }
}

impl ToSchema for DeadLetterKindName {}

fn one_of(words: &[&str]) -> RefOr<Schema> {
    let one_of = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words.iter().copied()));
    one_of.into()
}

impl Filter {
    /// The open or closed rows that it lets through.
    pub(super) fn selection(&self) -> Result<Selection, Problem> {
        known(
            "code",
            self.code.as_ref(),
            &DeadLetterCode::ALL.map(DeadLetterCode::as_str),
        )?;
        known(
            "kind",
            self.kind.as_ref(),
            &DeadLetterKind::ALL.map(DeadLetterKind::as_str),
        )?;
        Ok(Selection {
            code: self.code.clone(),
            kind: self.kind.clone(),
            topic: storable("topic", self.topic.as_ref())?,
            ce_type: storable("type", self.ce_type.as_ref())?,
            ..Selection::default()
        })
    }
}

fn known(name: &str, value: Option<&String>, words: &[&str]) -> Result<(), Problem> {
    match value {
        Some(value) if !words.contains(&value.as_str()) => {
            let words = words.join(", ");
            Err(Problem::malformed(format!("{name} must be one of {words}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A text that the database can compare with.
fn storable(name: &str, value: Option<&String>) -> Result<Option<String>, Problem> {
    match value {
        Some(value) if value.contains('\0') => Err(Problem::malformed(format!(
            "{name} must not have the character U+0000"
        ))),
        Some(_) | None => Ok(value.cloned()),
    }
}

/// List dead letters.
///
/// The messages that a consumer gave up on, open and closed, newest first. Keys, types and details
/// are shown as they came: they are data, whatever they look like.
#[utoipa::path(
    get,
    path = "/v1/ops/dead-letters",
    tag = "operations",
    params(Filter, Standing, PageParams),
    security(("bearer" = [])),
    responses(Found, Problems)
)]
pub(crate) async fn list_dead_letters(
    State(app): State<AppState>,
    _principal: Principal,
    Query(filter): Query<Filter>,
    Query(standing): Query<Standing>,
    page: Page,
    ignored: Ignored,
) -> Result<impl IntoResponse, Problem> {
    let selection = Selection {
        group: storable("group", standing.group.as_ref())?,
        ..filter.selection()?
    };
    let list = Listing::of(&("dead letters", &filter, &standing));
    let before: Option<Uuid> = page.after(&list)?;
    let state = standing.state.map(dead_letters::State::from);
    let one_more = i64::from(page.limit()) + 1;
    let found = app
        .look(|connection| {
            let selection = selection.clone();
            Box::pin(async move {
                Ok(dead_letters::page(connection, &selection, state, before, one_more).await?)
            })
        })
        .await?;
    let items = found.into_iter().map(DeadLetterItem::from).collect();
    let list = List::of(items, &page, &list, |item: &DeadLetterItem| item.id);
    Ok(Json(list.ignoring(ignored)))
}

impl DeadLetterItem {
    pub(super) fn new(
        summary: Summary,
        key: Option<Foreign>,
        closed: Option<(String, DateTime<Utc>)>,
    ) -> Self {
        let (closed_how, closed_at) = closed.unzip();
        Self {
            id: summary.id,
            topic: summary.topic,
            partition: summary.partition,
            offset: summary.offset,
            key,
            ce_id: summary.ce_id,
            ce_type: summary.ce_type,
            code: summary.code,
            kind: summary.kind,
            detail: summary.detail,
            group: summary.group,
            attempts: summary.attempts,
            first_failed_at: summary.first_failed_at,
            last_failed_at: summary.last_failed_at,
            state: match closed_at {
                None => DeadLetterState::Open,
                Some(_) => DeadLetterState::Closed,
            },
            closed_at,
            closed_how,
        }
    }
}

impl From<Listed> for DeadLetterItem {
    fn from(listed: Listed) -> Self {
        let length = usize::try_from(listed.key_length).unwrap_or_default();
        let key = listed.key.as_deref();
        let key = key.map(|key| Foreign::of(key, length, usize::from(LISTED_KEY)));
        Self::new(listed.summary, key, listed.closed)
    }
}

impl From<DeadLetterState> for dead_letters::State {
    fn from(state: DeadLetterState) -> Self {
        match state {
            DeadLetterState::Open => Self::Open,
            DeadLetterState::Closed => Self::Closed,
        }
    }
}
