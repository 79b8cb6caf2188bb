//! Who is taken for whom, and who is turned away.

use axum::Router;
use axum::routing::get as route_get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_edge::{Path, Principal};
use jsonwebtoken::{Algorithm, Header};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::app::{Answer, NOW, SECRET, SUBJECT, app, bearer, claims, get, send, sign, token};

fn who() -> Router {
    app(Router::new()
        .route(
            "/who",
            route_get(|principal: Principal| async move { principal.actor().to_string() }),
        )
        .route(
            "/commissioners/{n}",
            route_get(|principal: Principal, Path(n): Path<u32>| async move {
                format!("{} {n}", principal.actor())
            }),
        )
        .route(
            "/without-a-row",
            route_get(|principal: Principal| async move { principal.actor().to_string() }),
        ))
}

async fn with_token(token: &str) -> Answer {
    send(
        &who(),
        get("/who").header("authorization", format!("Bearer {token}")),
    )
    .await
}

async fn with_claims(claims: Value) -> Answer {
    with_token(&token(&claims)).await
}

/// Valid claims with one of them replaced, or left out.
fn but(name: &str, value: Option<Value>) -> Value {
    let mut claims = claims("workshop");
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    claims
}

#[tokio::test]
async fn the_bearer_of_a_valid_token_is_its_subject_in_its_role() {
    for role in ["commissioner", "workshop", "operator", "analyst"] {
        let answer = with_claims(claims(role)).await;
        assert_eq!(answer.body, format!("{role}:{SUBJECT}"));
    }
}

#[tokio::test]
async fn optional_claims_and_lists_are_taken() {
    for claims in [
        but("nbf", Some(json!(NOW))),
        but("name", Some(json!("Ada"))),
        but("aud", Some(json!(["another", "artisan-atlas"]))),
        but("exp", Some(json!(1_800_000_600.5))),
        but("sub", Some(json!(SUBJECT.to_uppercase()))),
        but("unheard_of", Some(json!({"x": 1}))),
    ] {
        let answer = with_claims(claims.clone()).await;
        assert_eq!(answer.status, 200, "{claims}: {}", answer.body);
    }
}

#[tokio::test]
async fn clocks_may_lie_sixty_seconds_apart() {
    for (claim, seconds, status) in [
        ("exp", NOW - 59, 200),
        ("exp", NOW - 60, 401),
        ("nbf", NOW + 60, 200),
        ("nbf", NOW + 61, 401),
    ] {
        let answer = with_claims(but(claim, Some(json!(seconds)))).await;
        assert_eq!(answer.status, status, "{claim} {seconds}");
    }
}

#[tokio::test]
async fn a_missing_or_odd_claim_is_401() {
    let mut odd = vec![
        but("sub", Some(json!("018900000000700080000000000000ff"))),
        but("sub", Some(json!("me"))),
        but("sub", Some(json!(7))),
        but("role", Some(json!("admin"))),
        but("role", Some(json!(["operator"]))),
        but("iss", Some(json!("elsewhere"))),
        but("aud", Some(json!("elsewhere"))),
        but("aud", Some(json!([]))),
        but("exp", Some(json!("tomorrow"))),
        but("exp", Some(Value::Null)),
        but("nbf", Some(json!("today"))),
        but("name", Some(json!(5))),
    ];
    odd.extend(["sub", "role", "iss", "aud", "exp"].map(|claim| but(claim, None)));
    for claims in odd {
        let answer = with_claims(claims.clone()).await;
        assert_eq!(
            answer.problem(),
            (401, "UNAUTHENTICATED".to_owned()),
            "{claims}"
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
}

#[tokio::test]
async fn other_algorithms_keys_and_forms_are_refused() {
    let unsigned = {
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!(
            "{}.{}.",
            part(json!({"alg": "none"})),
            part(claims("operator"))
        )
    };
    let critical = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..Header::default()
    };
    let valid = token(&claims("operator"));
    let (head_and_claims, _) = valid.rsplit_once('.').unwrap();
    for token in [
        unsigned,
        sign(&Header::new(Algorithm::HS384), &claims("operator"), SECRET),
        sign(
            &Header::default(),
            &claims("operator"),
            b"another secret of at least 32 bytes",
        ),
        sign(&critical, &claims("operator"), SECRET),
        format!("{head_and_claims}.AAAA"),
        "no.token".to_owned(),
        String::new(),
    ] {
        let answer = with_token(&token).await;
        assert_eq!(
            answer.problem(),
            (401, "UNAUTHENTICATED".to_owned()),
            "{token}"
        );
    }
}

/// Valid claims, with a second role.
struct TwoRoles;

impl Serialize for TwoRoles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in claims("analyst").as_object().unwrap() {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("role", "operator")?;
        map.end()
    }
}

#[tokio::test]
async fn a_claim_that_stands_twice_is_refused() {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
    let token = jsonwebtoken::encode(&Header::default(), &TwoRoles, &key).unwrap();
    assert_eq!(with_token(&token).await.status, 401);
}

#[tokio::test]
async fn without_exactly_one_bearer_token_the_answer_says_how_to_authenticate() {
    let once = bearer("operator");
    let plain = r#"Bearer realm="artisan-atlas""#;
    let again = r#"Bearer realm="artisan-atlas", error="invalid_token""#;
    for (values, challenge) in [
        (&[][..], plain),
        (&["Basic dXNlcjpwYXNz"], plain),
        (&["Bearer"], again),
        (&["bearer "], again),
        (&["Bearer x"], again),
        (&["Bearer \u{e9}"], again),
        (&[&once, &once], again),
        (&["Basic dXNlcjpwYXNz", &once], again),
    ] {
        let request = values.iter().fold(get("/who"), |request, value| {
            request.header("authorization", *value)
        });
        let answer = send(&who(), request).await;
        assert_eq!(answer.problem(), (401, "UNAUTHENTICATED".to_owned()));
        assert_eq!(
            answer.header("www-authenticate"),
            Some(challenge),
            "{values:?}"
        );
    }
}

#[tokio::test]
async fn a_role_that_can_never_use_the_route_is_403_before_anything_else_is_read() {
    let as_role = |role, path| get(path).header("authorization", bearer(role));
    let admitted = send(&who(), as_role("commissioner", "/commissioners/3")).await;
    assert_eq!(admitted.body, format!("commissioner:{SUBJECT} 3"));
    for role in ["workshop", "operator", "analyst"] {
        let refused = send(&who(), as_role(role, "/commissioners/not-a-number")).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN".to_owned()));
    }
}

#[tokio::test]
async fn a_route_without_a_row_is_for_nobody() {
    for role in ["commissioner", "workshop", "operator", "analyst"] {
        let request = get("/without-a-row").header("authorization", bearer(role));
        let refused = send(&who(), request).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN".to_owned()));
    }
}

#[tokio::test]
async fn who_may_read_may_ask_for_the_head_of_it() {
    let head = axum::http::Request::head("/commissioners/3");
    let answer = send(&who(), head.header("authorization", bearer("commissioner"))).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    let head = axum::http::Request::head("/commissioners/3");
    let refused = send(&who(), head.header("authorization", bearer("operator"))).await;
    assert_eq!(refused.status, 403);
}
