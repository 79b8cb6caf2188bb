//! How much of a bare route's rate the API keeps: an axum route that does one durable INSERT = 1.00,
//! against placing an order and confirming an offer, with token, checks and key.
//!
//! Run by `cargo xtask bench`, in release, on a private Postgres with fsync on; on a store of ten
//! thousand events and one of a million. Both servers are processes of their own.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use event_store::{Append, NewEvent, StreamAppend, StreamId, Version, append};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{EncodingKey, Header, encode};
use kernel::WorkshopId;
use kernel::{Actor, CommissionerId, EventId, IdSource as _, Metadata, OrderId, RandomIds, Role};
use order_domain::order::{OrderEvent, OrderFact, stored};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use test_support::TestDatabase;
use test_support::measure::{Plan, Way, fill, measure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use uuid::Uuid;

const SIZES: [i64; 2] = [10_000, 1_000_000];
const CONNECTIONS: [usize; 2] = [16, 128];
/// As many connections to Postgres as the command API has.
const POOL: u32 = 16;
/// The argument that makes this program serve the bare route on a database.
const SERVE_BARE: &str = "--serve-bare";
/// How many prepared orders are appended at once.
const PREPARED_AT_ONCE: usize = 200;

const SECRET: &str = "a secret of the benchmark, long enough for HS256";
const COMMISSIONER: Uuid = Uuid::from_u128(0xc1);
const WORKSHOP: Uuid = Uuid::from_u128(0xa1);

const BARE: &str = "
    CREATE TABLE public.bare (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id uuid NOT NULL UNIQUE,
        body jsonb NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp());";

fn token(role: Role, id: Uuid) -> String {
    let claims = json!({"sub": id, "role": role, "iss": "artisan-atlas", "aud": "artisan-atlas",
                        "exp": 4_102_444_800_u32});
    encode(
        &Header::default(),
        &claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .unwrap()
}

fn order_body() -> Value {
    json!({
        "request": {
            "title": "A writing desk",
            "brief": "Oak, 140 cm wide, one drawer, oiled; the top should be one board if there is \
                      one, and the legs may be turned.",
            "budget": {"amount": "1500.00", "currency": "EUR"},
            "deadline": "2999-06-01T00:00:00Z",
        },
        "workshops": [WORKSHOP],
    })
}

/// The bare route: parse, insert, answer.
async fn insert(State(pool): State<PgPool>, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    let id = RandomIds.next();
    let position: i64 =
        sqlx::query_scalar("INSERT INTO public.bare (id, body) VALUES ($1, $2) RETURNING position")
            .bind(id)
            .bind(&body)
            .fetch_one(&pool)
            .await
            .unwrap();
    let answer = json!({"id": id, "position": position});
    (StatusCode::CREATED, Json(answer))
}

async fn serve_bare(database: &str) {
    let options: PgConnectOptions = database.parse().unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(POOL)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    eprintln!(
        "{}",
        json!({"message": "listening", "fields": {"address": address.to_string()}})
    );
    let router = Router::new().route("/bare", post(insert)).with_state(pool);
    axum::serve(listener, router).await.unwrap();
}

/// A server as a child, and where it listens.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).ok()?;
            let address = line["fields"]["address"].as_str()?;
            (line["message"] == "listening").then(|| address.parse().unwrap())
        });
        // Reads on, so that the server never waits for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address: address.unwrap(),
        }
    }

    fn bare(database: &TestDatabase) -> Self {
        let program = std::env::current_exe().unwrap();
        Self::start(Command::new(program).args([SERVE_BARE, &database.url("atlas_owner")]))
    }

    fn command_api(database: &TestDatabase) -> Self {
        Self::start(
            Command::new(env!("CARGO_BIN_EXE_command-api"))
                .env_clear()
                .env("ATLAS_DATABASE_URL", database.url_app())
                .env("ATLAS_COMMAND_ADDR", "127.0.0.1:0")
                .env("ATLAS_JWT_SECRET", SECRET)
                // Counted, and never reached.
                .env("ATLAS_RATE_ALL_PER_MINUTE", "1000000")
                .env("ATLAS_RATE_PLACE_PER_MINUTE", "1000000")
                .env("ATLAS_RATE_PLACE_BURST", "1000000"),
        )
    }

    async fn connect(&self, count: usize) -> Connections {
        let mut connections = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect(self.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            connections.push(Mutex::new(sender));
        }
        Connections {
            all: connections.into(),
            host: self.address.to_string(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Kept connections to one server.
#[derive(Clone)]
struct Connections {
    all: Arc<[Mutex<SendRequest<Full<Bytes>>>]>,
    host: String,
}

impl Connections {
    async fn send(
        self,
        connection: usize,
        method: &'static str,
        path: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> StatusCode {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Full::new(body))
            .unwrap();
        *request.headers_mut() = headers;
        let host = self.host.parse().unwrap();
        request.headers_mut().insert(header::HOST, host);
        let mut sender = self.all[connection].lock().await;
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status();
        answer.into_body().collect().await.unwrap();
        status
    }
}

/// The headers of a command.
fn command(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {token}").parse().unwrap();
    headers.insert(header::AUTHORIZATION, bearer);
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    let key = RandomIds.next().to_string();
    headers.insert("idempotency-key", key.parse().unwrap());
    headers
}

/// What led to an order with one offer that stands.
fn history(id: OrderId) -> Vec<NewEvent> {
    let offer = json!({
        "budget": {"amount": "1400.00", "currency": "EUR"},
        "deadline": "2999-05-01T00:00:00Z",
        "description": "Oiled oak, brass fittings.",
        "stages": [{"name": "Drawings", "description": "To scale.", "durationDays": 7,
                    "requiresApproval": true},
                   {"name": "Desk", "description": "Built and oiled.", "durationDays": null,
                    "requiresApproval": false}],
        "requestRevision": 1,
        "offerRevision": 1,
    });
    let mut request = order_body()["request"].take();
    request["revision"] = json!(1);
    let placed = json!({"event": "OrderPlaced", "request": request, "workshops": [WORKSHOP]});
    let submitted = json!({"event": "OfferSubmitted", "workshopId": WORKSHOP, "offer": offer});
    let received = json!({"event": "AllResponsesReceived", "standing": [WORKSHOP]});
    let facts = [
        (placed, Role::Commissioner, COMMISSIONER),
        (submitted, Role::Workshop, WORKSHOP),
        (received, Role::Workshop, WORKSHOP),
    ];
    facts
        .into_iter()
        .map(|(fact, role, actor)| {
            let fact: OrderFact = serde_json::from_value(fact).unwrap();
            let encoded = stored::encode(&OrderEvent {
                order_id: id,
                commissioner_id: CommissionerId::from_uuid(COMMISSIONER),
                occurred_at: "2026-11-25T10:00:00Z".parse().unwrap(),
                fact,
            });
            NewEvent {
                event_id: EventId::from_uuid(RandomIds.next()),
                event_type: encoded.event_type,
                event_version: encoded.event_version,
                payload: encoded.payload,
                metadata: Metadata {
                    actor: Some(Actor::new(role, actor)),
                    on_behalf_of: None,
                    correlation_id: RandomIds.next(),
                    causation_id: None,
                    traceparent: None,
                    idempotency_key: None,
                },
            }
        })
        .collect()
}

/// Orders whose offer can be confirmed.
async fn prepared(database: &TestDatabase, count: usize) -> Vec<OrderId> {
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    let ids = (0..count).map(|_| OrderId::from_uuid(RandomIds.next()));
    let ids: Vec<OrderId> = ids.collect();
    for some in ids.chunks(PREPARED_AT_ONCE) {
        let streams = some.iter().map(|id| StreamAppend {
            stream: StreamId::order(*id),
            expected: Version::NONE,
            events: history(*id),
        });
        let request = Append {
            streams: streams.collect(),
            claim: None,
        };
        append(&mut connection, &request).await.unwrap();
    }
    ids
}

async fn list_workshop(api: &Server) {
    let token = token(Role::Operator, Uuid::from_u128(0xe1));
    let id = WorkshopId::from_uuid(WORKSHOP);
    let entry = Bytes::from(json!({"name": "Oak", "acceptsCommissions": true}).to_string());
    let path = format!("/v1/workshops/{id}");
    let connection = api.connect(1).await;
    let status = connection
        .send(0, "PUT", path, command(&token), entry)
        .await;
    assert_eq!(status, StatusCode::CREATED);
}

fn ways(
    bare: (&Server, Connections),
    api: (&Server, Connections),
    orders: Vec<OrderId>,
) -> [Way; 3] {
    let body = Bytes::from(order_body().to_string());
    let token: Arc<str> = token(Role::Commissioner, COMMISSIONER).into();
    let (bare, inserting) = bare;
    let (api, placing) = api;
    let confirming = placing.clone();
    let expect = |status, sent| async move { assert_eq!(sent.await, status) };
    let insert = {
        let body = body.clone();
        move |connection, _| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
            let path = "/bare".to_owned();
            let sent = inserting
                .clone()
                .send(connection, "POST", path, headers, body.clone());
            Box::pin(expect(StatusCode::CREATED, sent)) as test_support::measure::Doing
        }
    };
    let place = {
        let token = Arc::clone(&token);
        move |connection, _| {
            let path = "/v1/orders".to_owned();
            let headers = command(&token);
            let sent = placing
                .clone()
                .send(connection, "POST", path, headers, body.clone());
            Box::pin(expect(StatusCode::CREATED, sent)) as test_support::measure::Doing
        }
    };
    let confirm = move |connection, number: usize| {
        let path = format!("/v1/orders/{}/offers/{WORKSHOP}/confirm", orders[number]);
        let body = Bytes::from_static(br#"{"offerRevision":1}"#);
        let headers = command(&token);
        let sent = confirming
            .clone()
            .send(connection, "POST", path, headers, body);
        Box::pin(expect(StatusCode::OK, sent)) as test_support::measure::Doing
    };
    [
        Way::new("axum, one INSERT", insert).served_by(bare.child.id()),
        Way::new("POST /v1/orders", place).served_by(api.child.id()),
        Way::new("POST …/confirm", confirm).served_by(api.child.id()),
    ]
}

async fn compare() {
    let database = TestDatabase::create().await;
    let owner = database.pool_owner().await;
    sqlx::raw_sql(BARE).execute(&owner).await.unwrap();
    let bare = Server::bare(&database);
    let api = Server::command_api(&database);
    list_workshop(&api).await;
    for size in SIZES {
        fill(&database, size).await;
        for connections in CONNECTIONS {
            let plan = Plan {
                connections,
                rounds: 5,
                times: 4_000,
            };
            let orders = prepared(&database, plan.total()).await;
            let inserting = bare.connect(connections).await;
            let commanding = api.connect(connections).await;
            let ways = ways((&bare, inserting), (&api, commanding), orders);
            let title = format!("HTTP, {size} stored events");
            measure(&title, &database, plan, &ways).await;
        }
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some(SERVE_BARE), Some(database)) => serve_bare(&database).await,
        _ => compare().await,
    }
}
