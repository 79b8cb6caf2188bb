//! Both APIs in process, as the fuzz targets ask them. Their store is away: whoever gets as far is
//! answered 503.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use event_store::Executor;
use http_body_util::BodyExt;
use http_edge::{Access, Edge, Gate, Keys, Limits, TokenVerifier};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use kernel::{Actor, Clock, RandomIds, Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use uuid::Uuid;

/// The id of everything that a path names.
pub const ID: &str = "01890000-0000-7000-8000-000000000001";
/// The roles by number.
pub const ROLES: [Role; 4] = Role::ALL;

const SECRET: &[u8] = b"a secret of the fuzz targets, and of nothing else";
const NAME: &str = "artisan-atlas";
/// Whoever waits for the store has waited in vain after this.
const PATIENCE: Duration = Duration::from_millis(1);

/// The command API.
pub static COMMANDS: LazyLock<Api> = LazyLock::new(|| Api::commands(our_keys()));
/// The query API.
pub static QUERIES: LazyLock<Api> = LazyLock::new(Api::queries);

/// Where time stands still.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("an instant")
    }
}

fn our_keys() -> Keys {
    Keys::hs256(SECRET).expect("a long secret")
}

fn gate(keys: Keys, access: Access) -> Gate {
    let verifier = TokenVerifier::new(keys, NAME.to_owned(), NAME.to_owned(), Arc::new(Noon));
    Gate::new(verifier, access, Limits::none())
}

fn edge() -> Edge {
    Edge {
        ids: Arc::new(RandomIds),
        timeout: Duration::from_secs(10),
        max_in_flight: 100,
        continue_trace: service_runtime::continue_trace,
    }
}

/// Nobody listens there.
fn no_store() -> PgPool {
    PgPoolOptions::new()
        .acquire_timeout(PATIENCE)
        .connect_lazy("postgres://atlas_app@127.0.0.1:1/atlas")
        .expect("a URL")
}

/// An application, and what drives it.
pub struct Api {
    runtime: Runtime,
    router: Router,
}

impl Api {
    /// The command API, which trusts these keys.
    pub fn commands(keys: Keys) -> Self {
        Self::over(|| {
            let executor = Executor::new(no_store(), TaskTracker::new());
            let gate = gate(keys, command_api::ACCESS);
            let (clock, ids) = (Arc::new(Noon), Arc::new(RandomIds));
            let patience = Duration::from_secs(10);
            let state = command_api::AppState::new(executor, gate, clock, ids, patience);
            command_api::app(state, edge(), Router::new())
        })
    }

    fn queries() -> Self {
        Self::over(|| {
            let gate = gate(our_keys(), query_api::ACCESS);
            let state = query_api::AppState::new(no_store(), gate, Arc::new(Noon), PATIENCE);
            query_api::app(state, edge(), Router::new())
        })
    }

    fn over(router: impl FnOnce() -> Router) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let router = runtime.block_on(async { router() });
        Self { runtime, router }
    }

    /// What becomes of this in the application's runtime.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Sends a request, and insists on an answer that is in order: a success, a problem of 4xx, or
    /// one that says that the store is away. Returns its status.
    pub fn answer(&self, request: Request<Body>) -> u16 {
        self.run(async {
            let shown = format!("{request:?}");
            let response = self.router.clone().oneshot(request).await;
            let (head, body) = response.expect("an answer").into_parts();
            let body = body.collect().await.expect("a whole body").to_bytes();
            let status = head.status.as_u16();
            assert!(head.headers.contains_key("x-request-id"), "{shown}");
            if status < 400 {
                return status;
            }
            assert_eq!(
                head.headers["content-type"], "application/problem+json",
                "{shown}"
            );
            let problem: Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(problem["status"], status, "{shown}: {problem}");
            assert!(problem["requestId"].is_string(), "{shown}: {problem}");
            let detail = problem["detail"].as_str().expect("a detail");
            assert!(
                !detail.is_empty() && !detail.contains('\n'),
                "{shown}: {detail}"
            );
            let code = problem["code"].as_str().expect("a code");
            let away = ["STORE_UNAVAILABLE", "KEYS_UNAVAILABLE"];
            assert!(status < 500 || away.contains(&code), "{shown}: {problem}");
            status
        })
    }
}

/// The value of `Authorization` for somebody in this role.
pub fn bearer(role: Role) -> String {
    let actor = Actor::new(role, ID.parse::<Uuid>().expect("an id"));
    let claims = json!({
        "sub": actor.id, "role": actor.role, "iss": NAME, "aud": NAME, "exp": 4_102_444_800_u32,
    });
    let header = json!({"alg": "HS256", "typ": "JWT"});
    signed(header.to_string().as_bytes(), claims.to_string().as_bytes())
}

/// The same, with whatever is said to be a token's header and claims, signed with our secret.
pub fn signed(header: &[u8], claims: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    let key = EncodingKey::from_secret(SECRET);
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("Bearer {message}.{}", signature.expect("a signature"))
}

/// Lines of bytes as headers: the first byte chooses the name, the others are the value.
pub fn with_headers(request: request::Builder, lines: &[u8]) -> request::Builder {
    const NAMES: [&str; 12] = [
        "idempotency-key",
        "if-match",
        "if-none-match",
        "atlas-min-position",
        "x-request-id",
        "traceparent",
        "content-type",
        "content-length",
        "content-encoding",
        "authorization",
        "accept",
        "expect",
    ];
    lines
        .split(|byte| *byte == b'\n')
        .fold(request, |request, line| {
            let Some((name, value)) = line.split_first() else {
                return request;
            };
            let name = HeaderName::from_static(NAMES[usize::from(*name) % NAMES.len()]);
            match HeaderValue::from_bytes(value) {
                Ok(value) => request.header(name, value),
                Err(_) => request,
            }
        })
}
