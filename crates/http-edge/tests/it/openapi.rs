//! How refusals are described in OpenAPI.

use axum::http::StatusCode;
use http_edge::{
    AnswerHeader, Code, IfMatch, JsonBody, Path, Principal, Problem, describe, problems,
};
use kernel::{OrderId, WorkshopId};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Confirm {
    #[expect(dead_code, reason = "only described here")]
    offer_revision: Option<u32>,
}

problems! {
    /// How confirming an offer is refused.
    ConfirmProblems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND, &[Code::OfferOutdated];
}

#[utoipa::path(
    post,
    path = "/v1/orders/{id}/offers/{workshop}/confirm",
    params(("id" = uuid::Uuid, Path), ("workshop" = uuid::Uuid, Path)),
    request_body = Confirm,
    security(("bearer" = [])),
    responses((status = 200, description = "confirmed"), ConfirmProblems),
)]
#[expect(dead_code, reason = "only described here")]
async fn confirm(
    _principal: Principal,
    Path((_order, _workshop)): Path<(OrderId, WorkshopId)>,
    _if_match: IfMatch,
    _body: JsonBody<Confirm>,
) -> Result<StatusCode, Problem> {
    Ok(StatusCode::OK)
}

#[derive(OpenApi)]
#[openapi(paths(confirm), components(schemas(Problem)))]
struct Api;

#[test]
fn a_route_describes_each_refusal() {
    let mut document = Api::openapi();
    describe(&mut document, |_, status| match status {
        200 => &[AnswerHeader::ETAG],
        _ => &[],
    });
    let document = serde_json::to_value(document).unwrap();
    insta::assert_json_snapshot!(serde_json::json!([
        document["paths"],
        document["components"]
    ]));
}

#[test]
fn every_code_is_listed_with_its_status() {
    let table: Vec<_> = Code::ALL
        .iter()
        .map(|code| {
            let retryable = if code.retryable() { " retryable" } else { "" };
            format!("{} {}{retryable}", code.as_str(), code.status().as_u16())
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"));
}

/// Every code with its status, for those who build on them: `crates/contracts/codes/http.json`, written
/// with `ATLAS_BLESS=1`, else compared; what it has is never taken away.
#[test]
fn the_codes_are_those_that_are_listed_and_only_ever_more() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/codes/http.json");
    let codes = Code::ALL.iter().map(|code| {
        serde_json::json!({
            "code": code.as_str(),
            "status": code.status().as_u16(),
            "retryable": code.retryable(),
        })
    });
    let listed = serde_json::json!({ "codes": codes.collect::<Vec<_>>() });
    if let Ok(kept) = std::fs::read_to_string(&path) {
        let kept = serde_json::from_str(&kept).unwrap();
        assert_eq!(test_support::added_to(&kept, &listed), Ok(()));
    }
    let text = format!("{listed:#}\n");
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the test says whether it writes"
    )]
    let blessed = std::env::var_os("ATLAS_BLESS").is_some();
    if blessed {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "codes/http.json is stale: run the tests with ATLAS_BLESS=1"
    );
}
