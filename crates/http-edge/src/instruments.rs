//! What the edge of an API measures.

use instruments::{Counter, Histogram, Label, List};

use crate::Code;
use crate::limits::POLICIES;

/// The code of an answer that is no problem of ours.
pub(crate) const NO_CODE: &str = "(none)";

/// How long requests take.
pub const HTTP_REQUEST_SECONDS: Histogram<3> = Histogram {
    name: "atlas_http_request_seconds",
    unit: "seconds",
    help: "From the head of a request to the head of its answer.",
    labels: [
        Label::one_of("method", || {
            vec![
                "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER",
            ]
        }),
        Label::each_of(
            "route",
            "a route of the contract, as its pattern; `(none)` is whatever matches none",
        ),
        Label::one_of("status", || vec!["1xx", "2xx", "3xx", "4xx", "5xx"]),
    ],
};

/// Requests that the server failed.
pub const HTTP_FAILURES: Counter<1> = Counter {
    name: "atlas_http_failures_total",
    unit: "requests",
    help: "Requests that were answered by 5xx, by the code of the problem.",
    labels: [Label::one_of("code", codes_of_failures)],
};

/// Requests refused because their principal asks too often.
pub const RATE_LIMITED: Counter<1> = Counter {
    name: "atlas_rate_limited_total",
    unit: "requests",
    help: "Requests that were answered by 429, by the limit that they met.",
    labels: [Label::one_of("policy", || POLICIES.to_vec())],
};

/// Limits that each process counted alone.
pub const RATE_LIMIT_FALLBACKS: Counter<1> = Counter {
    name: "atlas_rate_limit_fallbacks_total",
    unit: "requests",
    help: "Requests whose limit the process counted by itself, Redis being unfit for it.",
    labels: [Label::one_of("reason", || {
        vec!["away", "slow", "refused", "unreachable"]
    })],
};

/// All of them.
pub const ALL: List = &[
    &HTTP_REQUEST_SECONDS,
    &HTTP_FAILURES,
    &RATE_LIMITED,
    &RATE_LIMIT_FALLBACKS,
];

fn codes_of_failures() -> Vec<&'static str> {
    let codes = Code::ALL
        .iter()
        .filter(|code| code.status().is_server_error());
    codes.map(|code| code.as_str()).chain([NO_CODE]).collect()
}
