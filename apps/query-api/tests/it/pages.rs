//! The files of the pages, and what they are told.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use query_api::PagesConfig;
use tower::ServiceExt;

const ISSUER: &str = "https://id.example/realm";

fn pages(issuer: &str) -> Router {
    let config = PagesConfig {
        command_url: Some("http://127.0.0.1:8080".to_owned()),
        client_id: "pages".to_owned(),
    };
    config.router(issuer)
}

async fn get(router: Router, path: &str) -> (u16, HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (parts.status.as_u16(), parts.headers, text)
}

#[tokio::test]
async fn a_page_is_told_where_commands_go_and_who_signs_people_in() {
    let (status, headers, told) = get(pages(ISSUER), "/market/config.json").await;
    assert_eq!(status, 200);
    assert_eq!(headers["cache-control"], "no-cache");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["commandUrl"], "http://127.0.0.1:8080");
    assert_eq!(told["issuer"], ISSUER);
    let (_, _, told) = get(pages("artisan-atlas"), "/console/config.json").await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["issuer"].is_null(), "a secret signs in nobody");
}

#[tokio::test]
async fn every_address_of_a_page_is_held_to_the_policy() {
    for path in ["/market/", "/console/", "/market/orders/x"] {
        let (status, headers, text) = get(pages(ISSUER), path).await;
        // Where the pages were not built, a plain one says what to run.
        assert!(status == 200 || (status == 503 && text.contains("cargo xtask web")));
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"));
        assert!(policy.contains("connect-src 'self' http://127.0.0.1:8080 https://id.example;"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert!(policy.contains("require-trusted-types-for 'script'"));
        assert!(!text.contains("<script>"), "a script in the page");
        assert_eq!(headers["cache-control"], "no-cache");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_no_page() {
    let (status, _, _) = get(pages(ISSUER), "/market/_app/immutable/chunks/gone.js").await;
    assert_eq!(status, 404);
    for path in [
        "/market/..%2f..%2fCargo.toml",
        "/market/../console/config.json",
    ] {
        let (status, _, _) = get(pages(ISSUER), path).await;
        assert_eq!(status, 404, "{path}");
    }
    let (status, headers, _) = get(pages(ISSUER), "/market").await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (308, "/market/")
    );
}
