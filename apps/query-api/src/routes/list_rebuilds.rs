//! `GET /v1/ops/rebuilds`: what is served of each read model, how well it is proved, and its last
//! rebuild.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use http_edge::{Ignored, Principal, Problem, problems};
use projections::Model;
use projections::rebuild::{
    self, Certificate, Difference, Proof, Shown, Standing, Table, standing,
};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use crate::AppState;

problems! {
    /// How listing rebuilds is refused.
    Problems: Code::ANY, &[Code::Forbidden];
}

/// How well the served version of a read model is proved.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum ProofName {
    /// No rebuild has made it, or compared it with what it made of the events.
    NotVerified,
    /// It was made of exactly the events, or was equal, row by row, to a version that was.
    Verified,
    /// Rows of a version that was made of exactly the events differ from it.
    Differs,
    /// It was looked at by another release, or in an earlier generation of the store.
    Stale,
}

impl From<Proof> for ProofName {
    fn from(proof: Proof) -> Self {
        match proof {
            Proof::NotVerified => Self::NotVerified,
            Proof::Verified => Self::Verified,
            Proof::Differs => Self::Differs,
            Proof::Stale => Self::Stale,
        }
    }
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum RebuildState {
    /// The new version is filled.
    Building,
    /// It has come as far as the served one, and is compared with it.
    Checking,
    /// The two differ.
    Failed,
    /// The new version was served.
    Swapped,
    /// Another was begun in its place.
    Abandoned,
}

impl From<rebuild::State> for RebuildState {
    fn from(state: rebuild::State) -> Self {
        match state {
            rebuild::State::Building => Self::Building,
            rebuild::State::Checking => Self::Checking,
            rebuild::State::Failed => Self::Failed,
            rebuild::State::Swapped => Self::Swapped,
            rebuild::State::Abandoned => Self::Abandoned,
        }
    }
}

/// What follows from a check.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum VerdictName {
    /// Nothing differs.
    Equal,
    /// Exactly as many rows differ as were accepted.
    Accepted,
    /// Rows differ, and not as many as were accepted.
    Differs,
    /// The new version was not made of exactly the events of the store.
    EventsDiffer,
}

impl From<rebuild::Verdict> for VerdictName {
    fn from(verdict: rebuild::Verdict) -> Self {
        match verdict {
            rebuild::Verdict::Equal => Self::Equal,
            rebuild::Verdict::Accepted => Self::Accepted,
            rebuild::Verdict::Differs => Self::Differs,
            rebuild::Verdict::EventsDiffer => Self::EventsDiffer,
        }
    }
}

/// A table of both versions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ComparedTable {
    /// Its name.
    table: String,
    /// Rows of the version that was built.
    #[schema(minimum = 0)]
    rows: i64,
    /// The XOR of their hashes, in hexadecimal digits.
    digest: String,
    /// Rows of the version before.
    #[schema(minimum = 0)]
    rows_before: i64,
    /// The XOR of their hashes.
    digest_before: String,
    /// Rows that differ, or that one of the versions lacks.
    #[schema(minimum = 0)]
    differing: i64,
}

impl From<Table> for ComparedTable {
    fn from(compared: Table) -> Self {
        Self {
            table: compared.table,
            rows: compared.new.rows,
            digest: compared.new.digest,
            rows_before: compared.old.rows,
            digest_before: compared.old.digest,
            differing: compared.differing,
        }
    }
}

/// A row that differs; the values are shown by the command line alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DifferingRow {
    /// Its table.
    table: String,
    /// The columns of its key, and what they hold.
    key: String,
    /// The version that lacks it, `old` or `new`; null where both have it.
    #[schema(required)]
    missing: Option<String>,
    /// The names of the fields that differ.
    fields: Vec<String>,
}

impl From<Difference> for DifferingRow {
    fn from(row: Difference) -> Self {
        let columns = row.key.as_object().into_iter().flatten();
        let columns = columns.map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name} {text}"),
            None => format!("{name} {value}"),
        });
        let key = columns.collect::<Vec<_>>().join(", ");
        Self {
            table: row.table,
            key,
            missing: row.missing,
            fields: row.fields.into_iter().map(|it| it.field).collect(),
        }
    }
}

/// What the check of a rebuild found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CertificateView {
    /// What it comes to, in a sentence.
    sentence: String,
    /// What follows from it.
    verdict: VerdictName,
    /// When it was checked.
    checked_at: DateTime<Utc>,
    /// The release whose code built the version.
    code: String,
    /// The version is made of the events after this position,
    #[schema(minimum = 0)]
    after: i64,
    /// up to this one.
    #[schema(minimum = 0)]
    to: i64,
    /// How many they are, recomputed from the store.
    #[schema(minimum = 0)]
    events: i64,
    /// The sum of their hashed ids modulo 2^64, in hexadecimal digits.
    digest: String,
    /// Streams whose events the version's reader could not take: they are in neither version.
    #[schema(minimum = 0)]
    parked: i64,
    /// The tables.
    tables: Vec<ComparedTable>,
    /// The number of rows that differ.
    #[schema(minimum = 0)]
    differing: i64,
    /// The number of differing rows that the operator has accepted.
    #[schema(required, minimum = 0)]
    accepted: Option<i64>,
    /// The first hundred or so of the rows that differ.
    differences: Vec<DifferingRow>,
}

impl From<Certificate> for CertificateView {
    fn from(found: Certificate) -> Self {
        Self {
            sentence: found.sentence(),
            verdict: found.verdict.into(),
            checked_at: found.checked_at,
            code: found.code,
            after: found.events.after,
            to: found.events.to,
            events: found.events.count,
            digest: found.events.digest,
            parked: found.events.new_parked,
            tables: found.tables.into_iter().map(Into::into).collect(),
            differing: found.differing,
            accepted: found.accepted,
            differences: found.differences.into_iter().map(Into::into).collect(),
        }
    }
}

/// A rebuild, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RebuildView {
    /// Its number.
    id: i64,
    /// The version that was served when it began.
    from: String,
    /// The version that it builds.
    to: String,
    /// How far it is.
    state: RebuildState,
    /// Who works on it; null where nobody does.
    #[schema(required)]
    owner: Option<String>,
    /// On whose authority.
    operator: Uuid,
    /// Why.
    reason: String,
    /// When it was begun.
    started_at: DateTime<Utc>,
    /// When the new version was served.
    #[schema(required)]
    swapped_at: Option<DateTime<Utc>>,
    /// When nothing was left to do.
    #[schema(required)]
    ended_at: Option<DateTime<Utc>>,
    /// The events that the new version has taken.
    #[schema(minimum = 0)]
    events: i64,
    /// The events that the version before has taken.
    #[schema(minimum = 0)]
    of_events: i64,
    /// What its check found; null before, where it is that of the served version, and where it is
    /// written as another release writes it.
    #[schema(required)]
    certificate: Option<CertificateView>,
}

impl From<Shown> for RebuildView {
    fn from(shown: Shown) -> Self {
        let certificate = shown.certificate;
        let certificate = certificate.and_then(|it| serde_json::from_value::<Certificate>(it).ok());
        Self {
            id: shown.id,
            from: shown.from.to_string(),
            to: shown.to.to_string(),
            state: shown.state.into(),
            owner: shown.owner,
            operator: shown.operator,
            reason: shown.reason,
            started_at: shown.started_at,
            swapped_at: shown.swapped_at,
            ended_at: shown.ended_at,
            events: shown.built,
            of_events: shown.of,
            certificate: certificate.map(Into::into),
        }
    }
}

/// A read model, what is served of it, and how well that is proved.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReadModelStanding {
    /// Its name.
    model: String,
    /// The version that queries are answered from.
    served: String,
    /// The version that is kept to go back to.
    #[schema(required)]
    kept: Option<String>,
    /// How well the served version is proved.
    proof: ProofName,
    /// What the last check of the served version found; null where there was none, or where it is
    /// written as another release writes it.
    #[schema(required)]
    certificate: Option<CertificateView>,
    /// The last rebuild; null where there never was one.
    #[schema(required)]
    rebuild: Option<RebuildView>,
}

impl From<Standing> for ReadModelStanding {
    fn from(standing: Standing) -> Self {
        let shown_above = |it: &RebuildView| {
            let above = standing.certificate.as_ref();
            above.is_some_and(|above| above.to == it.to)
        };
        let mut rebuild = standing.rebuild.map(RebuildView::from);
        if let Some(last) = rebuild.as_mut().filter(|it| shown_above(it)) {
            last.certificate = None;
        }
        Self {
            model: standing.served.model.to_string(),
            served: standing.served.to_string(),
            kept: standing.kept.map(|version| version.to_string()),
            proof: standing.proof.into(),
            certificate: standing.certificate.map(Into::into),
            rebuild,
        }
    }
}

/// Every read model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rebuilds {
    /// The read models.
    items: Vec<ReadModelStanding>,
}

/// The read models.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "every read model",
    example = json!({
        "items": [
            {
                "model": "orders",
                "served": "orders@1",
                "kept": null,
                "proof": "notVerified",
                "certificate": null,
                "rebuild": null
            }
        ]
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Listed(Rebuilds);

/// List the read models and their rebuilds.
///
/// What is served of each read model, how well it is proved, and how far its last rebuild is; with
/// the certificate of each. What differs in a row is told by `projector rebuild show` alone.
#[utoipa::path(
    get,
    path = "/v1/ops/rebuilds",
    tag = "operations",
    security(("bearer" = [])),
    responses(Listed, Problems)
)]
pub(crate) async fn list_rebuilds(
    State(app): State<AppState>,
    _principal: Principal,
    _: Ignored,
) -> Result<impl IntoResponse, Problem> {
    let standings = app
        .look(|connection| {
            Box::pin(async move {
                let mut standings = Vec::new();
                for model in Model::ALL {
                    standings.push(standing(connection, model).await?);
                }
                Ok(standings)
            })
        })
        .await?;
    let items = standings.into_iter().map(Into::into).collect();
    Ok(Json(Rebuilds { items }))
}
