//! What a hostile stranger tries: none of it is a success, none of it a failure of ours, and none
//! of it leaves a trace in the store.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::HeaderName;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::stream::{self, StreamExt};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use kernel::{Actor, Role};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::access::operations;
use crate::people::{COMMISSIONER, OAK, OPERATOR, SECRET, STRANGER, token};
use crate::running::Running;
use crate::scene::{Scene, request};

/// Claims that are valid for an operator, but for this.
fn but(name: &str, value: Value) -> Value {
    let mut claims = json!({
        "sub": OPERATOR.id, "role": "operator",
        "iss": "artisan-atlas", "aud": "artisan-atlas", "exp": 4_102_444_800_u32,
    });
    claims[name] = value;
    claims
}

fn signed(header: &Header, claims: &Value, secret: &str) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn unsigned(algorithm: &str) -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(json!({"alg": algorithm, "typ": "JWT"}));
    format!("{header}.{}.", part(but("name", json!("Eve"))))
}

fn hostile_tokens() -> Vec<String> {
    let plain = Header::default();
    let good = token(OPERATOR);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = message.split_once('.').unwrap();
    let named = Header {
        kid: Some("../../etc/passwd".to_owned()),
        jku: Some("http://127.0.0.1:1/keys".to_owned()),
        ..Header::default()
    };
    let another = "another secret, as long as HS256 asks for";
    vec![
        unsigned("none"),
        unsigned("NONE"),
        unsigned("HS256"),
        format!("{message}."),
        format!("{message}.{}", &signature[1..]),
        format!("{message}.{signature}="),
        format!(
            "{head}.{}.{signature}",
            URL_SAFE_NO_PAD.encode(but("sub", json!(STRANGER.id)).to_string())
        ),
        signed(&plain, &but("name", json!("Eve")), another),
        signed(&named, &but("name", json!("Eve")), another),
        signed(
            &Header::new(Algorithm::HS512),
            &but("name", json!("Eve")),
            SECRET,
        ),
        signed(&plain, &but("exp", json!(1_700_000_000)), SECRET),
        signed(&plain, &but("exp", json!(-1)), SECRET),
        signed(&plain, &but("exp", json!("4102444800")), SECRET),
        signed(&plain, &but("nbf", json!(4_000_000_000_u32)), SECRET),
        signed(&plain, &but("aud", json!("another service")), SECRET),
        signed(&plain, &but("aud", json!(["another", "services"])), SECRET),
        signed(&plain, &but("iss", json!("https://evil.example")), SECRET),
        signed(&plain, &but("iss", Value::Null), SECRET),
        signed(&plain, &but("sub", json!("operator")), SECRET),
        signed(&plain, &but("sub", json!("' OR 1=1 --")), SECRET),
        signed(
            &plain,
            &but("sub", json!("{00000000-0000-0000-0000-0000000000e1}")),
            SECRET,
        ),
        signed(
            &plain,
            &but("sub", json!("00000000-0000-0000-0000-0000000000e1\u{0}")),
            SECRET,
        ),
        signed(&plain, &but("role", json!("Operator")), SECRET),
        signed(&plain, &but("role", json!(["operator"])), SECRET),
        signed(&plain, &but("role", json!("system")), SECRET),
        "a".repeat(8000),
        ".".repeat(5000),
        "..".to_owned(),
        format!("{good} {good}"),
        format!("{good},{good}"),
    ]
}

#[tokio::test]
async fn no_forged_token_is_taken_on_any_route() {
    let scene = Scene::set().await;
    let tokens = hostile_tokens();
    for operation in operations() {
        let path = operation.path.replace(['{', '}'], "");
        for token in &tokens {
            let call = scene.api.call(operation.method, path.as_str());
            let authorization = HeaderName::from_static("authorization");
            let call = call.header(authorization, &format!("Bearer {token}"));
            let reply = call.raw("{}").send().await;
            assert_eq!(reply.outcome(), "401 UNAUTHENTICATED", "{token:.60}");
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer realm=\"artisan-atlas\""));
            // What was sent is nowhere repeated.
            assert!(!reply.problem().to_string().contains("Eve"));
        }
    }
}

#[tokio::test]
async fn a_header_that_stands_twice_is_not_chosen_from() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let (once, name) = (
        format!("Bearer {}", token(COMMISSIONER)),
        HeaderName::from_static,
    );
    let confirm = || order.confirm(OAK);
    let twice = confirm().header(name("authorization"), &once);
    assert_eq!(twice.send().await.outcome(), "401 UNAUTHENTICATED");
    for call in [
        confirm().key("a").key("a"),
        confirm().key("a").key("b"),
        confirm().if_match("\"2\"").if_match("\"2\""),
        confirm().if_match("\"2\", \"3\""),
    ] {
        assert_eq!(call.send().await.outcome(), "400 MALFORMED_REQUEST");
    }
    let twice = confirm()
        .json(&json!({}))
        .header(name("content-type"), "text/plain");
    assert_eq!(twice.send().await.outcome(), "415 UNSUPPORTED_MEDIA_TYPE");
    // Headers that only tell of the request change nothing else of it.
    let odd = confirm()
        .header(
            name("traceparent"),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .header(name("traceparent"), "odd")
        .header(name("tracestate"), &"x=".repeat(1000));
    assert_eq!(odd.expect_done().await.accepted().1, "inProgress");
}

fn nested(depth: usize, open: &str, close: &str) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

#[tokio::test]
async fn no_body_is_too_odd_to_be_refused() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let whole = request(&[OAK]).to_string();
    let with = |value: &str| whole.replacen('{', &format!("{{\"extra\":{value},"), 1);
    let title = |json: &str| whole.replacen("\"Oak dining table\"", json, 1);
    let mut bodies: Vec<Vec<u8>> = [
        nested(50_000, "[", "]"),
        nested(30_000, "{\"a\":", "}"),
        with(&nested(200, "[", "]")),
        with(&nested(120_000, "[", "]")),
        with("1e400"),
        with("-"),
        with("01"),
        with("NaN"),
        with(&format!("1{}", "0".repeat(1000))),
        with("\"\\ud800\""),
        with("\"\\x00\""),
        with("\"\u{7}\""),
        with("{\"a\":1,\"a\":2}"),
        with("{\"a\":{\"b\":[{\"c\":1,\"c\":1}]}}"),
        with("1} {\"a\":1"),
        format!("\u{feff}{whole}"),
        format!("{whole}\u{0}"),
        format!("[{whole}]"),
        title("{\"$ne\":null}"),
        title("[\"Oak\"]"),
        title("true"),
        "\"".repeat(1000),
        "{\"request\":".to_owned(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    for invalid in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
    ] {
        let mut body = whole.as_bytes().to_vec();
        let at = whole.find("Oak").unwrap();
        body.splice(at..at, invalid.to_vec());
        bodies.push(body);
    }
    for body in bodies {
        let shown: String = String::from_utf8_lossy(&body).chars().take(80).collect();
        let reply = scene
            .api
            .post("/v1/orders")
            .by(COMMISSIONER)
            .raw(body)
            .send()
            .await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{shown}");
        assert!(
            reply.problem()["detail"].as_str().unwrap().len() < 300,
            "{shown}"
        );
    }
    // What is JSON and no text of ours is refused with its place.
    for (text, pointer) in [
        (title("\"a\\u0000b\""), "/request/title"),
        (title("\"a\\u001bb\""), "/request/title"),
        (title("\"\\u0085\""), "/request/title"),
        (
            whole.replacen("\"EUR\"", "\"EU\\u0000\"", 1),
            "/request/budget/currency",
        ),
        (
            whole.replacen("\"1250\"", "\"1e3\"", 1),
            "/request/budget/amount",
        ),
        (
            whole.replacen("\"1250\"", "\"٣\"", 1),
            "/request/budget/amount",
        ),
        (
            whole.replacen(&OAK.id.to_string(), "00000000-0000\\u0000", 1),
            "/workshops/0",
        ),
    ] {
        let reply = scene
            .api
            .post("/v1/orders")
            .by(COMMISSIONER)
            .raw(text.clone())
            .send()
            .await;
        assert_eq!(reply.outcome(), "422 VALIDATION_FAILED", "{text}");
        assert_eq!(reply.problem()["errors"][0]["pointer"], pointer);
    }
    // Nothing of all that is in the store.
    assert_eq!(order.event_names().await, ["OrderPlaced"]);
    let pool = scene.database.pool_app().await;
    let placed = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM store.events WHERE event_type = 'OrderPlaced'"#
    );
    assert_eq!(placed.fetch_one(&pool).await.unwrap(), 1);
}

#[tokio::test]
async fn a_large_body_is_not_waited_for() {
    let scene = Scene::set().await;
    for length in ["262145", "18446744073709551615"] {
        let call = scene.api.post("/v1/orders").by(COMMISSIONER);
        let call = call.header(HeaderName::from_static("content-length"), length);
        assert_eq!(
            call.raw("{}").send().await.outcome(),
            "413 PAYLOAD_TOO_LARGE"
        );
    }
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096]));
    let call = scene.api.post("/v1/orders").by(COMMISSIONER);
    let reply = call
        .raw(axum::body::Body::from_stream(endless))
        .send()
        .await;
    assert_eq!(reply.outcome(), "413 PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_key_of_one_principal_opens_nothing_for_another() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let confirm = || order.post(&format!("offers/{}/confirm", OAK.id)).key("k");
    let first = confirm().by(COMMISSIONER).expect_done().await;
    let namesake = Actor::new(Role::Workshop, COMMISSIONER.id);
    for (somebody, outcome) in [
        (STRANGER, "404 NOT_FOUND"),
        (namesake, "403 FORBIDDEN"),
        (OPERATOR, "409 ILLEGAL_TRANSITION"),
    ] {
        let reply = confirm().by(somebody).send().await;
        assert_eq!(reply.outcome(), outcome, "{somebody}");
        assert_eq!(reply.header("idempotency-replayed"), None);
    }
    let again = confirm().by(COMMISSIONER).expect_done().await;
    assert_eq!(again.body, first.body);
}

/// Keys are opaque: whatever they look like, they are stored and compared as they stand.
#[tokio::test]
async fn a_key_means_nothing_but_itself() {
    let scene = Scene::set().await;
    let mut ids = BTreeSet::new();
    for key in [
        "'",
        "';DROP/**/TABLE/**/store.events;--",
        "%00",
        "\\",
        "${jndi:ldap://x}",
        "k",
        "K",
        "*",
    ] {
        let place = || {
            let call = scene.api.post("/v1/orders").by(COMMISSIONER).key(key);
            call.json(&request(&[OAK]))
        };
        let first = place().expect_done().await;
        assert_eq!(place().expect_done().await.body, first.body);
        assert!(ids.insert(first.body["orderId"].to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_keys_leave_no_trace_unless_their_commands_do() {
    let scene = Scene::set().await;
    let refused = |number: u32| {
        let path = format!("/v1/orders/{}/accept", Uuid::from_u128(number.into()));
        let call = scene.api.post(path).by(COMMISSIONER);
        call.key(&format!("key-{number}")).send()
    };
    let replies = stream::iter((0..10_000).map(refused)).buffer_unordered(32);
    let outcomes: BTreeSet<_> = replies.map(|reply| reply.outcome()).collect().await;
    assert_eq!(outcomes, BTreeSet::from(["404 NOT_FOUND".to_owned()]));
    let pool = scene.database.pool_app().await;
    let kept = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM store.idempotency_keys"#);
    assert_eq!(kept.fetch_one(&pool).await.unwrap(), 0);
    // Each of them is still good for a command.
    let call = scene.api.post("/v1/orders").by(COMMISSIONER).key("key-1");
    call.json(&request(&[OAK])).expect_done().await;
}

/// What only a client of its own can send: bytes that no HTTP library writes.
#[tokio::test]
async fn raw_bytes_cannot_make_an_answer_say_what_they_like() {
    let scene = Scene::set().await;
    let secret = ("ATLAS_JWT_SECRET", SECRET);
    let process = Running::start(&scene.database.url_app(), &[secret]).await;
    process.is_ready().await;
    let address = process.url.strip_prefix("http://").unwrap();
    let bearer = format!("Authorization: Bearer {}", token(COMMISSIONER));
    for head in [
        format!("POST /v1/orders/%0d%0aSet-Cookie:%20x=y/accept HTTP/1.1\r\n{bearer}"),
        format!("POST /v1/orders/%00/accept HTTP/1.1\r\n{bearer}"),
        format!("POST /v1/orders/%ff%fe/accept HTTP/1.1\r\n{bearer}"),
        format!("POST /v1/orders/../../etc/passwd/accept HTTP/1.1\r\n{bearer}"),
        format!("POST //v1/orders HTTP/1.1\r\n{bearer}"),
        format!("POST /v1/orders/ HTTP/1.1\r\n{bearer}"),
        format!("POST http://evil.example/v1/nothing HTTP/1.1\r\n{bearer}"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\r\nX-Request-Id: a\tb"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\r\nX-Request-Id: <script>"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\r\nIdempotency-Key: a\r\n b"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\r\nIdempotency-Key: \u{e9}"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\r\nIf-Match: \"1\"\x01"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\rSet-Cookie: x=y"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\nSet-Cookie: x=y"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\r\n{bearer}"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\r\nContent-Length: 0\r\nContent-Length: 9"),
        format!("POST /v1/orders HTTP/1.1\r\n{bearer}\r\nTransfer-Encoding: chunked, identity"),
        format!("TRACE /v1/orders HTTP/1.1\r\n{bearer}"),
        format!("CONNECT evil.example:80 HTTP/1.1\r\n{bearer}"),
        format!("OPTIONS * HTTP/1.1\r\n{bearer}"),
        format!("p\u{f6}st /v1/orders HTTP/1.1\r\n{bearer}"),
        format!("GET /docs/../v1/orders HTTP/1.1\r\n{bearer}"),
        format!("GET /docs/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n{bearer}"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{head}\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .unwrap()
            .unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (status, _) = answer.split_once("\r\n").unwrap();
        assert!(status.starts_with("HTTP/1.1 4"), "{head}: {answer}");
        let lower = answer.to_ascii_lowercase();
        let headers = lower.split("\r\n\r\n").next().unwrap();
        assert!(!headers.contains("set-cookie"), "{head}: {answer}");
    }
    assert!(process.stop().await.success());
}
