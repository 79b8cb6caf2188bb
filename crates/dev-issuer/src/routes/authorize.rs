//! Signing in and out, by redirects of the browser.

use std::sync::Arc;

use axum::extract::{Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Issuer, html, redirect};
use crate::grants::Code;
use crate::page;
use crate::people::Person;

/// The cookie that says who somebody was: the `sub`. It protects nothing; anybody can be anybody.
const COOKIE: &str = "dev-issuer-sub";

/// What a page asks for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    client_id: String,
    redirect_uri: String,
    response_type: String,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    prompt: Option<String>,
    /// Who was chosen on our page, by number.
    person: Option<usize>,
}

/// `GET /authorize`: asks who it is, and sends the browser back with a code.
pub(super) async fn authorize(
    State(issuer): State<Arc<Issuer>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return refuse("The address lacks something that OpenID Connect wants.");
    };
    if asked.client_id != issuer.client || !issuer.is_ours(&asked.redirect_uri) {
        return refuse("The client, or the page to come back to, is not one of ours.");
    }
    let challenge = match (
        asked.response_type.as_str(),
        asked.code_challenge_method.as_deref(),
    ) {
        ("code", Some("S256")) => asked.code_challenge.clone(),
        (_, _) => None,
    };
    let Some(code_challenge) = challenge else {
        return back(&issuer, &asked, ("error", "invalid_request"));
    };
    let chosen = asked.person.and_then(|number| issuer.people.get(number));
    let prompt = asked.prompt.as_deref();
    let known = known(&issuer, &headers).filter(|_| prompt != Some("select_account"));
    match chosen.or(known) {
        Some(person) => {
            let code = issuer.grants.code(Code {
                person: person.clone(),
                redirect_uri: asked.redirect_uri.clone(),
                code_challenge,
                nonce: asked.nonce.clone(),
            });
            let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Lax; Path=/", person.sub);
            let response = back(&issuer, &asked, ("code", &code));
            ([(header::SET_COOKIE, cookie)], response).into_response()
        }
        None if prompt == Some("none") => back(&issuer, &asked, ("error", "login_required")),
        None => {
            let query = query.unwrap_or_default();
            let address = |number| format!("/authorize?{query}&person={number}");
            html(page::choose(&issuer.people, address))
        }
    }
}

/// Where somebody is sent who signed out.
#[derive(Debug, Deserialize)]
pub(super) struct Leaving {
    post_logout_redirect_uri: Option<String>,
}

/// `GET /end-session`: forgets who it was.
pub(super) async fn end_session(
    State(issuer): State<Arc<Issuer>>,
    Query(leaving): Query<Leaving>,
) -> Response {
    let cookie = format!("{COOKIE}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    let answer = match leaving.post_logout_redirect_uri {
        Some(uri) if issuer.is_ours(&uri) => redirect(&uri, &[]),
        Some(_) | None => html(page::refused("You are signed out.")),
    };
    ([(header::SET_COOKIE, cookie)], answer).into_response()
}

/// Who this browser said it was.
fn known<'a>(issuer: &'a Issuer, headers: &HeaderMap) -> Option<&'a Person> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let sub = cookies
        .split("; ")
        .find_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))?;
    issuer.people.iter().find(|person| person.sub == sub)
}

fn back(issuer: &Issuer, asked: &Asked, answer: (&str, &str)) -> Response {
    let mut query = vec![answer, ("iss", issuer.url.as_str())];
    if let Some(state) = &asked.state {
        query.push(("state", state));
    }
    redirect(&asked.redirect_uri, &query)
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, html(page::refused(why))).into_response()
}
