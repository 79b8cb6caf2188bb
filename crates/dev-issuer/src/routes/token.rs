//! Tokens: for a code, for a refresh token, and for whoever asks on the command line.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Issuer;
use crate::clock;
use crate::people::Person;

/// How long an access token is good, in seconds: short, so that refreshing is what pages do.
const ACCESS_SECONDS: u64 = 300;

/// What a page redeems.
#[derive(Debug, Deserialize)]
#[serde(tag = "grant_type", rename_all = "snake_case")]
pub(super) enum Grant {
    AuthorizationCode {
        client_id: String,
        code: String,
        redirect_uri: String,
        code_verifier: String,
    },
    RefreshToken {
        client_id: String,
        refresh_token: String,
    },
}

/// `POST /token`.
pub(super) async fn exchange(
    State(issuer): State<Arc<Issuer>>,
    grant: Result<Form<Grant>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Ok(Form(grant)) = grant else {
        return refuse("invalid_request");
    };
    let granted = match grant {
        Grant::AuthorizationCode {
            client_id,
            code,
            redirect_uri,
            code_verifier,
        } => issuer.grants.redeem(&code).and_then(|code| {
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(code_verifier));
            let same = code.code_challenge == challenge && code.redirect_uri == redirect_uri;
            (same && client_id == issuer.client).then_some((code.person, code.nonce))
        }),
        Grant::RefreshToken {
            client_id,
            refresh_token,
        } => issuer
            .grants
            .refresh(&refresh_token)
            .filter(|_| client_id == issuer.client)
            .map(|person| (person, None)),
    };
    match granted {
        Some((person, nonce)) => grant_to(&issuer, person, nonce),
        None => refuse("invalid_grant"),
    }
}

fn grant_to(issuer: &Issuer, person: Person, nonce: Option<String>) -> Response {
    let now = clock::now();
    let claims = |audience: &str| {
        json!({
            "iss": issuer.url, "sub": person.sub, "aud": audience, "iat": now,
            "exp": now + ACCESS_SECONDS, "name": person.name, "role": person.role,
        })
    };
    let mut identity = claims(&issuer.client);
    if let (Some(nonce), Some(identity)) = (nonce, identity.as_object_mut()) {
        identity.insert("nonce".to_owned(), nonce.into());
    }
    let signed = |claims: &Value| claims.as_object().and_then(|it| issuer.key.sign(it).ok());
    let (Some(access_token), Some(id_token)) =
        (signed(&claims(&issuer.audience)), signed(&identity))
    else {
        return refuse("server_error");
    };
    let refresh_token = issuer.grants.refresh_token(person);
    let body = Json(json!({
        "access_token": access_token, "id_token": id_token, "refresh_token": refresh_token,
        "token_type": "Bearer", "expires_in": ACCESS_SECONDS,
    }));
    ([(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// `POST /sign`: a token of any claims, for `cargo xtask token`. Not for browsers: their scripts of
/// other origins cannot send JSON here without being allowed to, and are not.
pub(super) async fn sign(
    State(issuer): State<Arc<Issuer>>,
    Json(claims): Json<Map<String, Value>>,
) -> Response {
    match issuer.key.sign(&claims) {
        Ok(token) => token.into_response(),
        Err(_) => refuse("server_error"),
    }
}

fn refuse(error: &str) -> Response {
    let body = Json(json!({ "error": error }));
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::BAD_REQUEST, headers, body).into_response()
}
