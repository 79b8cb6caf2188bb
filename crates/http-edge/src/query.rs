//! The query of a read: parameters by name, unknown ones ignored.

use std::error::Error;

use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Problem;

/// The parameters of a query. An unknown value of an enumeration and a parameter that stands twice
/// are 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(unreadable(&rejection)),
        }
    }
}

fn unreadable(rejection: &QueryRejection) -> Problem {
    // The rejection's own text says where it happened, its source what happened.
    let reason = rejection
        .source()
        .map(ToString::to_string)
        .unwrap_or_default();
    Problem::malformed(format!("the query cannot be read: {reason}"))
}
