//! The pages of the market and of the console: files inside the binary, and what they are told of
//! where they run.
//!
//! `cargo xtask web` builds the files. A binary that was built without them serves a plain page that
//! says so. While developing they are read from where they were built.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};
use serde_json::json;
use service_runtime::config::{Faulty, Reader, Section, Variable, text};

/// The applications, by the folder of each and its first part of an address.
const APPLICATIONS: [&str; 2] = ["market", "console"];
/// What serves every address that is no file: the page itself knows what it shows there.
const ENTRY: &str = "index.html";
/// Files whose names change with what is in them.
const IMMUTABLE: &str = "_app/immutable/";
const CONFIGURATION: &str = "config.json";

#[derive(RustEmbed)]
#[folder = "pages/"]
struct Files;

/// What the pages are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagesConfig {
    /// Where browsers find the command API; where the pages are, if this is none.
    pub command_url: Option<String>,
    /// The client that the pages are to the issuer.
    pub client_id: String,
}

impl PagesConfig {
    /// `ATLAS_PAGES_COMMAND_URL`.
    pub const COMMAND_URL: Variable = Variable::optional(
        "ATLAS_PAGES_COMMAND_URL",
        "where the pages find the command API, if not at their own origin",
    );
    /// `ATLAS_PAGES_CLIENT_ID`.
    pub const CLIENT_ID: Variable = Variable::with_default(
        "ATLAS_PAGES_CLIENT_ID",
        "artisan-atlas-pages",
        "the client that the pages are to the issuer of tokens",
    );

    /// The routes of the pages. People sign in at `issuer`, if it is a URL: a secret of development
    /// signs in nobody.
    pub fn router(&self, issuer: &str) -> Router {
        let issuer = origin(issuer).map(|_| issuer);
        let told = json!({
            "commandUrl": self.command_url,
            "issuer": issuer,
            "clientId": self.client_id,
        });
        let pages = Arc::new(Pages {
            configuration: told.to_string(),
            policy: policy(self.command_url.as_deref(), issuer),
        });
        let mut router = Router::new();
        for application in APPLICATIONS {
            let root = format!("/{application}/");
            let to_root = root.clone();
            let (entry, file) = (Arc::clone(&pages), Arc::clone(&pages));
            router = router
                .route(
                    &format!("/{application}"),
                    get(move || async move { Redirect::permanent(&to_root) }),
                )
                .route(
                    &root,
                    get(move |headers: HeaderMap| async move {
                        entry.serve(application, ENTRY, &headers)
                    }),
                )
                .route(
                    &format!("{root}{{*path}}"),
                    get(
                        move |Path(path): Path<String>, headers: HeaderMap| async move {
                            file.serve(application, &path, &headers)
                        },
                    ),
                );
        }
        router
    }
}

impl Section for PagesConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let url = |text: &str| {
            let expected = "expected a URL of http or https without a path";
            origin(text)
                .filter(|origin| *origin == text)
                .ok_or(expected)?;
            Ok::<_, &str>(text.to_owned())
        };
        let command_url = reader.optional(&Self::COMMAND_URL, url);
        let client_id = reader.required(&Self::CLIENT_ID, text);
        Ok(Self {
            command_url: command_url?,
            client_id: client_id?,
        })
    }
}

/// The pages of one process.
struct Pages {
    configuration: String,
    policy: String,
}

impl Pages {
    fn serve(&self, application: &str, path: &str, headers: &HeaderMap) -> Response {
        if path == CONFIGURATION {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            return self.sealed((kind, self.configuration.clone()).into_response());
        }
        let found = Files::get(&format!("{application}/{path}"));
        let is_file = path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.contains('.'));
        let (file, path) = match found {
            Some(file) => (Some(file), path),
            // A file of an earlier build is gone; it is not another page.
            None if is_file => return StatusCode::NOT_FOUND.into_response(),
            None => (Files::get(&format!("{application}/{ENTRY}")), ENTRY),
        };
        match file {
            Some(file) => self.sealed(answer(file, path, headers)),
            None => self.sealed(not_built()),
        }
    }

    /// With what a browser is to hold every page to.
    fn sealed(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.entry(name).or_insert(value);
            }
        };
        set(header::CONTENT_SECURITY_POLICY, &self.policy);
        set(header::CACHE_CONTROL, "no-cache");
        set(header::REFERRER_POLICY, "no-referrer");
        set(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        );
        set(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        );
        response
    }
}

fn answer(file: EmbeddedFile, path: &str, headers: &HeaderMap) -> Response {
    let digest = file.metadata.sha256_hash();
    let tag: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| {
        let tags = tags.to_str().unwrap_or_default();
        tags.split(',')
            .any(|each| each.trim().trim_start_matches("W/") == tag)
    });
    let cache = if path.starts_with(IMMUTABLE) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let about = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, cache)];
    if known {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let kind = [(header::CONTENT_TYPE, content_type(path))];
    (about, kind, file.data.into_owned()).into_response()
}

/// The types of what a build has; anything else is bytes.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, kind)| kind) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some(_) | None => "application/octet-stream",
    }
}

fn not_built() -> Response {
    const PAGE: &str = "<!doctype html><html lang=\"en\"><title>Artisan Atlas</title>\
        <h1>The pages were not built</h1><p>Run <code>cargo xtask web</code>, and build this \
        program again if it is an optimised one. The APIs are here: \
        <a href=\"/docs\">what can be read</a>.</p></html>";
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::SERVICE_UNAVAILABLE, kind, PAGE).into_response()
}

/// What a page may do: run our own scripts, none of them inline and none from text, and reach us
/// and the issuer.
fn policy(command_url: Option<&str>, issuer: Option<&str>) -> String {
    let others: String = [command_url, issuer]
        .into_iter()
        .flatten()
        .filter_map(origin)
        .map(|origin| format!(" {origin}"))
        .collect();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'{others}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
    )
}

/// The origin of a URL of http or https.
fn origin(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next()?;
    // What a policy has a meaning of its own for is none: no list, no wildcard, no other script.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let plain = !host.is_empty() && host.bytes().all(is_plain);
    plain.then(|| url.get(..url.len() - rest.len() + host.len()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_the_begin_of_a_url() {
        let path = "https://id.example/realms/atlas";
        assert_eq!(origin(path), Some("https://id.example"));
        assert_eq!(
            origin("http://127.0.0.1:8083"),
            Some("http://127.0.0.1:8083")
        );
        for none in [
            "artisan-atlas",
            "https://",
            "ftp://a",
            "https://a;b",
            "https://*",
            "https://b\u{fc}cher.example",
            "https://a@b",
        ] {
            assert_eq!(origin(none), None, "{none}");
        }
    }

    #[test]
    fn a_page_reaches_us_and_the_issuer_and_nobody_else() {
        let policy = policy(Some("http://c.example"), Some("https://id.example/realm"));
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
        assert!(policy.contains("connect-src 'self' http://c.example https://id.example;"));
        assert!(!policy.contains("unsafe"));
    }
}
