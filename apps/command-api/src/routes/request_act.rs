//! `POST /v1/ops/acts`: an operator asks for an act, which the projector carries out.

mod arguments;
mod body;
mod faults;

use axum::extract::State;
use body::{Body, Described};
use event_store::acts::NewRequest;
use http_edge::{FieldError, NoIfMatch, Principal, Problem, problems};
use utoipa::IntoResponses;

use crate::AppState;
use crate::answer::{ActAfter, ActAnswer};
use crate::request::{KeyedHeaders, NoPath, Sent};

problems! {
    /// How asking for an act is refused.
    Problems: Code::ANY,
        &[
            Code::Forbidden,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
            Code::IdempotencyKeyReused,
            Code::ConcurrentModification,
        ];
}

/// The answer to a request.
#[derive(IntoResponses)]
#[response(
    status = 201,
    description = "requested",
    example = json!({
        "actId": "01938f5e-7c00-5000-8000-0000000000ac",
        "version": 7,
        "position": "Xw2bNopeSwyfXgx9HzorTAAAAAAAAAABAAAAAAAABBI",
    }),
)]
#[expect(dead_code, reason = "carries the description of an answer")]
struct Requested(ActAfter);

/// Ask for an act.
///
/// The request is kept as a fact, with who asked and why, and the projector carries it out by the
/// code of its command line: one act after the other, in the order of their requests. How far it is,
/// what it says and how it ended is in the query API, at `Location`. That a rule refuses it is told
/// there, too.
#[utoipa::path(
    post,
    path = "/v1/ops/acts",
    tag = "operations",
    params(KeyedHeaders),
    request_body(content = Described, example = json!({
        "act": "redrive",
        "arguments": {"code": "ACCOUNT_REJECTED"},
        "reason": "the ledger takes these events since today's release",
    })),
    security(("bearer" = [])),
    responses(Requested, Problems),
)]
pub(crate) async fn request_act(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<NoPath, Body, NoIfMatch>,
) -> Result<ActAnswer, Problem> {
    let Some(key) = sent.asked.key.clone() else {
        return Err(Problem::malformed(
            "asking for an act needs an Idempotency-Key: repeated with it, it is asked for once",
        ));
    };
    let unread = unread_arguments(&sent.asked.ignored);
    if !unread.is_empty() {
        return Err(Problem::invalid(unread));
    }
    let (requested, reason) = sent.body.read().map_err(Problem::invalid)?;
    let actor = principal.actor();
    let request = NewRequest {
        requested,
        operator: actor.id,
        reason: reason.as_str().to_owned(),
        key,
    };
    app.request_act(actor, request, sent.asked).await
}

/// The arguments that nobody reads. Elsewhere they are named and passed over; of an act that would
/// widen what it is done to.
fn unread_arguments(ignored: &[String]) -> Vec<FieldError> {
    let arguments = ignored.iter().filter(|it| it.starts_with("/arguments/"));
    let errors = arguments.map(|pointer| FieldError {
        pointer: pointer.clone(),
        detail: "is not read here, and no act is done to more than what was meant".to_owned(),
    });
    errors.collect()
}

#[cfg(test)]
mod tests {
    use event_store::acts::{Letters, Requested};
    use serde_json::json;

    use super::*;

    fn read(body: serde_json::Value) -> Result<Requested, Vec<String>> {
        let body: Body = serde_json::from_value(body).unwrap();
        body.read()
            .map(|(requested, _)| requested)
            .map_err(|faults| faults.into_iter().map(|it| it.pointer).collect())
    }

    #[test]
    fn arguments_are_those_of_their_act_wherever_it_stands() {
        let body = r#"{"reason": "r", "arguments": {"code": "X"}, "act": "discard"}"#;
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let letters = Letters {
            code: Some("X".to_owned()),
            ..Letters::default()
        };
        assert_eq!(read(body), Ok(Requested::Discard(letters)));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        for (body, pointers) in [
            (json!({}), &["/act", "/arguments", "/reason"][..]),
            (
                json!({"act": "adopt", "arguments": {"a": 1}, "reason": " "}),
                &["/act", "/reason"],
            ),
            (
                json!({"act": "redrive", "arguments": {
                    "code": "", "kind": "a\u{0}", "failedBefore": "now", "ids": ["x", "y"],
                }, "reason": "r"}),
                &[
                    "/arguments/code",
                    "/arguments/kind",
                    "/arguments/failedBefore",
                    "/arguments/ids/0",
                    "/arguments/ids/1",
                ],
            ),
            (
                json!({"act": "discard", "arguments": {"ids": []}, "reason": "r"}),
                &["/arguments/ids"],
            ),
            (
                json!({"act": "replay", "arguments": {"to": 0, "maxRate": 0}, "reason": "r"}),
                &["/arguments/from", "/arguments/to", "/arguments/maxRate"],
            ),
            (
                json!({"act": "rebuild", "arguments": {"model": "Orders", "acceptDifferences": 0},
                       "reason": "r"}),
                &["/arguments/model", "/arguments/acceptDifferences"],
            ),
            (
                json!({"act": "rebuildBack", "arguments": {}, "reason": "r"}),
                &["/arguments/model"],
            ),
            (
                json!({"act": "activate", "arguments": {"version": 65536}, "reason": "r"}),
                &["/arguments/version"],
            ),
            (
                json!({"act": "backfill", "arguments": {}, "reason": "r"}),
                &["/arguments/version"],
            ),
            (
                json!({"act": "recompute", "arguments": {"role": "workshop"}, "reason": "r"}),
                &["/arguments/role"],
            ),
        ] {
            let told = read(body.clone()).unwrap_err();
            assert_eq!(told, pointers, "{body}");
        }
    }
}
