//! Declaring in OpenAPI how a route refuses: [`problems!`](crate::problems) makes a type that
//! stands for a set of codes.

use std::collections::BTreeMap;

use utoipa::openapi::example::Example;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::Code;
use crate::problem::PROBLEM_JSON;
use crate::problem_schema::one_of;

impl Code {
    /// How every route of an API may refuse.
    pub const ANY: &[Self] = &[
        Self::MalformedRequest,
        Self::Unauthenticated,
        Self::RateLimited,
        Self::Internal,
        Self::Overloaded,
        Self::StoreUnavailable,
        Self::KeysUnavailable,
        Self::Timeout,
    ];

    /// How every reading route may refuse, beside [`ANY`](Self::ANY).
    pub const READ: &[Self] = &[Self::ProjectionLagging, Self::PositionForeign];

    /// How every command may refuse, beside [`ANY`](Self::ANY).
    pub const COMMAND: &[Self] = &[
        Self::Forbidden,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        // Of a command without values too: `handling=strict` refuses members that nobody reads.
        Self::ValidationFailed,
        Self::IdempotencyKeyReused,
        Self::UnreadableEvent,
    ];

    /// How every command on an existing order may refuse, beside [`COMMAND`](Self::COMMAND).
    pub const ORDER_COMMAND: &[Self] = &[
        Self::NotFound,
        Self::IllegalTransition,
        Self::ConcurrentModification,
        Self::VersionMismatch,
    ];
}

/// Declares a type for the `responses(…)` of `#[utoipa::path]` that stands for sets of codes.
///
/// ```
/// http_edge::problems! {
///     /// How confirming an offer is refused.
///     pub ConfirmOfferProblems: Code::ANY, Code::COMMAND, &[Code::OfferOutdated];
/// }
/// ```
#[macro_export]
macro_rules! problems {
    ($($(#[$doc:meta])* $vis:vis $name:ident: $($codes:expr),+;)+) => {$(
        $(#[$doc])*
        $vis struct $name;

        impl ::utoipa::IntoResponses for $name {
            fn responses() -> ::std::collections::BTreeMap<
                ::std::string::String,
                ::utoipa::openapi::RefOr<::utoipa::openapi::response::Response>,
            > {
                use $crate::Code;
                $crate::problem_responses(&[$($codes),+])
            }
        }
    )+};
}

/// The OpenAPI responses of these codes, one a status, each code with its example. They refer to
/// components that [`describe`](crate::describe) adds.
#[must_use]
pub fn problem_responses(sets: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut statuses: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in sets.iter().copied().flatten().copied() {
        let codes = statuses.entry(code.status().as_u16()).or_default();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    statuses
        .into_iter()
        .map(|(status, codes)| (status.to_string(), RefOr::T(response(&codes))))
        .collect()
}

fn response(codes: &[Code]) -> Response {
    let lines: Vec<_> = codes
        .iter()
        .map(|code| format!("- `{}`: {}", code.as_str(), code.when()))
        .collect();
    let examples = codes.iter().map(|code| {
        let name = code.as_str();
        let example = Ref::new(format!("#/components/examples/{name}"));
        (name, RefOr::Ref::<Example>(example))
    });
    let content = ContentBuilder::new()
        .schema(Some(one_of(codes)))
        .examples_from_iter(examples)
        .build();
    ResponseBuilder::new()
        .description(lines.join("\n"))
        .content(PROBLEM_JSON, content)
        .build()
}
