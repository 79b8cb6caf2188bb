//! What the OpenAPI document of an API says of every answer: the headers, each described once, and
//! an example of each problem.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi, Ref, RefOr, Response};

use crate::examples::problem;
use crate::open::say_open;
use crate::problem::PROBLEM_JSON;
use crate::{Code, problem_schema};

/// A header of answers, as the document describes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnswerHeader {
    /// Its name.
    pub name: &'static str,
    /// Whose it is, where others of this name look otherwise.
    pub of: Option<&'static str>,
    /// What it says.
    pub description: &'static str,
    /// What it looks like.
    pub form: Form,
    /// Whether the answers that are described with it always carry it.
    pub always: bool,
}

/// What the value of a header looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// Exactly this.
    Fixed(&'static str),
    /// A text that this regular expression matches, such as the second.
    Text(&'static str, &'static str),
    /// A whole number from 0, such as this.
    Count(u32),
    /// A decimal from 0, such as this.
    Decimal(f64),
}

impl AnswerHeader {
    /// `ETag`, with the version of what was asked for.
    pub const ETAG: Self = Self {
        name: "ETag",
        of: None,
        description: "The version, as a strong tag: for If-Match and If-None-Match.",
        form: Form::Text(r#"^"[1-9][0-9]*"$"#, r#""4""#),
        always: true,
    };

    const REQUEST_ID: Self = Self {
        name: "X-Request-Id",
        of: None,
        description: "The request's id: the one that it came with, or a new one.",
        form: Form::Text("^[!-~]{1,128}$", "01938f5e-7c00-7000-8000-0000000000ff"),
        always: true,
    };
    const CACHE_CONTROL: Self = Self {
        name: "Cache-Control",
        of: None,
        description: "Answers are the principal's own, and are asked for anew each time.",
        form: Form::Fixed("private, no-cache, no-transform"),
        always: true,
    };
    const RATE_LIMIT: Self = Self {
        name: "RateLimit",
        of: None,
        description: "How each limit that was looked at stands, as \
                      draft-ietf-httpapi-ratelimit-headers has it; none where none is in force.",
        form: Form::Text(r#"^"[a-z]+";r=[0-9]+;t=[0-9]+"#, r#""requests";r=5999;t=1"#),
        always: false,
    };
    const RATE_LIMIT_POLICY: Self = Self {
        name: "RateLimit-Policy",
        of: None,
        description: "What each limit that was looked at is, as \
                      draft-ietf-httpapi-ratelimit-headers has it; none where none is in force.",
        form: Form::Text(
            r#"^"[a-z]+";q=[0-9]+;w=[0-9]+"#,
            r#""requests";q=6000;w=60"#,
        ),
        always: false,
    };
    const WWW_AUTHENTICATE: Self = Self {
        name: "WWW-Authenticate",
        of: None,
        description: "How to authenticate, and what was wrong with a token that was shown: \
                      RFC 6750.",
        form: Form::Text(
            "^Bearer ",
            r#"Bearer realm="artisan-atlas", error="invalid_token""#,
        ),
        always: true,
    };
    const RETRY_AFTER: Self = Self {
        name: "Retry-After",
        of: None,
        description: "After how many seconds it is worth to try again. UNREADABLE_EVENT has none: \
                      it lasts until another release runs.",
        form: Form::Count(1),
        always: false,
    };

    /// The name of its description in the document.
    fn component(self) -> String {
        let Self { name, of, .. } = self;
        of.map_or_else(|| name.to_owned(), |of| format!("{name}-{of}"))
    }

    fn describe(self) -> Header {
        let always = self
            .always
            .then(|| Extensions::from_iter([("required", true)]));
        HeaderBuilder::new()
            .schema(Some(self.form.schema()))
            .description(Some(self.description))
            .example(Some(self.form.example()))
            .extensions(always)
            .build()
    }
}

impl Form {
    fn schema(self) -> Object {
        let object = ObjectBuilder::new();
        match self {
            Self::Fixed(text) => object.schema_type(Type::String).enum_values(Some([text])),
            Self::Text(pattern, _) => object.schema_type(Type::String).pattern(Some(pattern)),
            Self::Count(_) => object.schema_type(Type::Integer).minimum(Some(0)),
            Self::Decimal(_) => object.schema_type(Type::Number).minimum(Some(0)),
        }
        .build()
    }

    fn example(self) -> Value {
        match self {
            Self::Fixed(text) | Self::Text(_, text) => json!(text),
            Self::Count(number) => json!(number),
            Self::Decimal(number) => json!(number),
        }
    }
}

const BEARER: &str = "A JSON Web Token of the issuer that the deployment trusts, as \
    `Authorization: Bearer …` and never in an address. Claims: `sub` (a UUID, who it is), `role` \
    (`commissioner`, `workshop`, `operator` or `analyst`), `iss`, `aud`, `exp`; optional `nbf`, `name`. \
    60 s of leeway. In development `cargo xtask token` makes one.";

/// Completes the document of an API: tokens, the headers of every answer, and an example of each
/// problem. `own` are the headers that the API's own answers have, by path and status.
pub fn describe(document: &mut OpenApi, own: fn(&str, u16) -> &'static [AnswerHeader]) {
    let mut components = document.components.take().unwrap_or_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(BEARER));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            let bounded = operation.security.is_some();
            for (status, response) in &mut operation.responses.responses {
                let (Ok(status), RefOr::T(response)) = (status.parse(), response) else {
                    continue;
                };
                add_examples(&mut components, response);
                let around = around(bounded, status);
                for header in around.iter().chain(own(path, status)) {
                    add_header(&mut components, response, *header);
                }
            }
        }
    }
    say_open(document, &mut components);
    document.components = Some(components);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        post,
        put,
        patch,
        ..
    } = item;
    [get, post, put, patch].into_iter().flatten()
}

/// The headers that the layers around the routes add.
fn around(bounded: bool, status: u16) -> Vec<AnswerHeader> {
    let mut headers = vec![AnswerHeader::REQUEST_ID, AnswerHeader::CACHE_CONTROL];
    if !bounded {
        return headers;
    }
    match status {
        401 => headers.push(AnswerHeader::WWW_AUTHENTICATE),
        _ => headers.extend([AnswerHeader::RATE_LIMIT, AnswerHeader::RATE_LIMIT_POLICY]),
    }
    if matches!(status, 429 | 503) {
        headers.push(AnswerHeader::RETRY_AFTER);
    }
    headers
}

fn add_header(components: &mut Components, response: &mut Response, header: AnswerHeader) {
    let component = header.component();
    let reference = Ref::new(format!("#/components/headers/{component}"));
    response
        .headers
        .insert(header.name.to_owned(), RefOr::Ref(reference));
    let described = components.headers.entry(component);
    described.or_insert_with(|| RefOr::T(header.describe()));
}

fn add_examples(components: &mut Components, response: &Response) {
    let Some(RefOr::T(content)) = response.content.get(PROBLEM_JSON) else {
        return;
    };
    let named: BTreeSet<_> = content.examples.keys().map(String::as_str).collect();
    for code in Code::ALL
        .iter()
        .filter(|code| named.contains(code.as_str()))
    {
        let example = ExampleBuilder::new()
            .summary(code.title())
            .value(Some(problem(*code)));
        let name = code.as_str().to_owned();
        components.examples.insert(name, RefOr::T(example.build()));
        let schema = problem_schema::schema(*code);
        components
            .schemas
            .insert(problem_schema::name(*code), schema);
    }
}
