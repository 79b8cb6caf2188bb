//! The issuer as a browser and the command line have it: the process, over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in what it calls too"
)]

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_servers::{Process, Signal};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use test_support::eventually;

const ORIGIN: &str = "http://127.0.0.1:8081";
const HOME: &str = "http://127.0.0.1:8081/market/";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

struct Issuer {
    url: String,
    client: Client,
    _process: Process,
}

impl Issuer {
    async fn start(name: &str) -> Self {
        let log = std::env::temp_dir().join(format!("dev-issuer-{name}-{}", std::process::id()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_dev-issuer"));
        command
            .args(["--listen", "127.0.0.1:0", "--origin", ORIGIN])
            .args(["--client", "pages", "--audience", "apis"])
            .args([
                "--person",
                r#"{"name":"<Clara>","role":"commissioner","sub":"c-1"}"#,
            ])
            .args([
                "--person",
                r#"{"name":"Oak & Iron","role":"workshop","sub":"w-1"}"#,
            ]);
        let process = Process::spawn("dev-issuer", command, &log, Signal::KILL).unwrap();
        let url = eventually("the issuer", Duration::from_secs(10), || async {
            let said = process.last_log_lines(usize::MAX);
            let url = said
                .lines()
                .find_map(|line| line.strip_prefix("ready issuer="));
            url.map(str::to_owned).ok_or(said.clone())
        });
        let url = url.await;
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self {
            url,
            client,
            _process: process,
        }
    }

    async fn authorize(&self, more: &[(&str, &str)]) -> Response {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut query = HashMap::from([
            ("client_id", "pages"),
            ("redirect_uri", HOME),
            ("response_type", "code"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("state", "s&1"),
            ("nonce", "n"),
        ]);
        query.extend(more.iter().copied());
        let url = Url::parse_with_params(&format!("{}/authorize", self.url), &query).unwrap();
        self.client.get(url).send().await.unwrap()
    }

    /// A code for the person with this number.
    async fn code(&self, person: &str) -> String {
        let answer = self.authorize(&[("person", person)]).await;
        let query = back(&answer);
        assert_eq!(query["state"], "s&1");
        assert_eq!(query["iss"], self.url);
        query["code"].clone()
    }

    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let body = Url::parse_with_params("http://x", form).unwrap();
        let request = self.client.post(format!("{}/token", self.url));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.query().unwrap().to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn redeem(&self, code: &str, verifier: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "pages"),
            ("code", code),
            ("redirect_uri", HOME),
            ("code_verifier", verifier),
        ];
        self.token(&form).await
    }

    async fn refresh(&self, token: &Value) -> (u16, Value) {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "pages"),
            ("refresh_token", token.as_str().unwrap()),
        ];
        self.token(&form).await
    }

    /// The claims of a token, verified as the APIs do.
    async fn verified(&self, token: &str, audience: &str) -> Value {
        let keys = self.client.get(format!("{}/jwks", self.url));
        let keys: JwkSet = keys.send().await.unwrap().json().await.unwrap();
        let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[audience]);
        validation.set_issuer(&[&self.url]);
        jsonwebtoken::decode::<Value>(token, &key, &validation)
            .unwrap()
            .claims
    }
}

/// What a page is sent back with.
fn back(answer: &Response) -> HashMap<String, String> {
    assert_eq!(answer.status(), 303);
    let location = answer.headers()["location"].to_str().unwrap();
    let url = Url::parse(location).unwrap();
    assert!(url.as_str().starts_with(HOME), "{url}");
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn a_code_gives_tokens_that_the_published_key_verifies() {
    let issuer = Issuer::start("code").await;
    let (status, tokens) = issuer.redeem(&issuer.code("1").await, VERIFIER).await;
    assert_eq!(status, 200, "{tokens}");
    let access = tokens["access_token"].as_str().unwrap();
    let claims = issuer.verified(access, "apis").await;
    assert_eq!(
        (&claims["sub"], &claims["role"]),
        (&json!("w-1"), &json!("workshop"))
    );
    let identity = tokens["id_token"].as_str().unwrap();
    assert_eq!(issuer.verified(identity, "pages").await["nonce"], "n");

    let (status, next) = issuer.refresh(&tokens["refresh_token"]).await;
    assert_eq!(status, 200, "{next}");
    let claims = issuer
        .verified(next["access_token"].as_str().unwrap(), "apis")
        .await;
    assert_eq!(claims["sub"], "w-1");
    assert_eq!(
        issuer.refresh(&tokens["refresh_token"]).await.0,
        400,
        "it is good once"
    );
}

#[tokio::test]
async fn a_code_is_good_once_and_for_who_has_its_verifier() {
    let issuer = Issuer::start("once").await;
    let code = issuer.code("0").await;
    assert_eq!(issuer.redeem(&code, "another verifier").await.0, 400);
    assert_eq!(
        issuer.redeem(&code, VERIFIER).await.0,
        400,
        "it was spent on the guess"
    );
    let code = issuer.code("0").await;
    assert_eq!(issuer.redeem(&code, VERIFIER).await.0, 200);
    assert_eq!(issuer.redeem(&code, VERIFIER).await.0, 400);
}

#[tokio::test]
async fn it_asks_who_it_is_unless_it_knows_or_must_not_ask() {
    let issuer = Issuer::start("asks").await;
    let page = issuer.authorize(&[]).await;
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let text = page.text().await.unwrap();
    assert!(
        text.contains("&lt;Clara&gt;") && text.contains("Oak &amp; Iron"),
        "{text}"
    );
    let silent = issuer.authorize(&[("prompt", "none")]).await;
    assert_eq!(back(&silent)["error"], "login_required");

    let chosen = issuer.authorize(&[("person", "0")]).await;
    let cookie = chosen.headers()["set-cookie"].to_str().unwrap().to_owned();
    let again = issuer
        .client
        .get(chosen_url(&issuer))
        .header("cookie", cookie);
    assert!(back(&again.send().await.unwrap()).contains_key("code"));
}

fn chosen_url(issuer: &Issuer) -> Url {
    let query = [
        ("client_id", "pages"),
        ("redirect_uri", HOME),
        ("response_type", "code"),
        ("code_challenge", "x"),
        ("code_challenge_method", "S256"),
        ("prompt", "none"),
    ];
    Url::parse_with_params(&format!("{}/authorize", issuer.url), &query).unwrap()
}

#[tokio::test]
async fn nobody_is_sent_to_strangers_or_without_a_challenge() {
    let issuer = Issuer::start("strangers").await;
    for stranger in [
        "http://evil.example/market/",
        "http://127.0.0.1:8081.evil.example/",
        "http://127.0.0.1:80811/market/",
        "javascript:alert(1)",
    ] {
        let answer = issuer
            .authorize(&[("redirect_uri", stranger), ("person", "0")])
            .await;
        assert_eq!(answer.status(), 400, "{stranger}");
    }
    assert_eq!(
        issuer.authorize(&[("client_id", "other")]).await.status(),
        400
    );
    let plain = issuer
        .authorize(&[("code_challenge_method", "plain"), ("person", "0")])
        .await;
    assert_eq!(back(&plain)["error"], "invalid_request");
}

#[tokio::test]
async fn the_command_line_gets_a_token_of_any_claims() {
    let issuer = Issuer::start("any").await;
    let claims = json!({"iss": issuer.url, "aud": "apis", "sub": "x", "exp": 4_000_000_000_u64});
    let request = issuer
        .client
        .post(format!("{}/sign", issuer.url))
        .json(&claims);
    let token = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(issuer.verified(&token, "apis").await, claims);
}
