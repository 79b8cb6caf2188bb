//! A commission's parties over HTTP: tokens, requests, and the steps that they take.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::{App, SECRET};

/// A deadline that no run of a test reaches.
const DEADLINE: &str = "9000-01-01T00:00:00Z";

/// Somebody with a token.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) id: Uuid,
    pub(crate) token: String,
    client: Client,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// `Atlas-Lag-Seconds`, where it was answered.
    pub(crate) lag: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of an answer that must be a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }

    /// The code of an answer that must be a refusal.
    #[track_caller]
    pub(crate) fn code(&self) -> &str {
        self.body["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{self:?}"))
    }
}

impl Party {
    /// Somebody new.
    #[expect(clippy::disallowed_methods, reason = "ids are to be fresh")]
    pub(crate) fn new(role: &str, client: &Client) -> Self {
        Self::of(Uuid::now_v7(), role, client)
    }

    /// Somebody who is known.
    #[expect(
        clippy::disallowed_methods,
        reason = "tokens of real processes expire by the real clock"
    )]
    pub(crate) fn of(id: Uuid, role: &str, client: &Client) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let claims = json!({
            "sub": id, "role": role, "iss": "artisan-atlas", "aud": "artisan-atlas",
            "exp": now.as_secs() + 3600,
        });
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        Self {
            id,
            token: encode(&Header::default(), &claims, &key).unwrap(),
            client: client.clone(),
        }
    }

    /// Sends a request; a connection that fails is an error, whatever is answered is not.
    pub(crate) async fn send(
        &self,
        app: &App,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .client
            .request(method.clone(), app.url(path))
            .bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method != Method::GET {
            request = request.json(body);
        }
        let answer = request.send().await?;
        Ok(Answer {
            status: answer.status(),
            lag: answer
                .headers()
                .get("atlas-lag-seconds")
                .map(|lag| lag.to_str().unwrap().to_owned()),
            body: answer.json().await?,
        })
    }

    pub(crate) async fn post(&self, app: &App, path: &str, body: &Value) -> Answer {
        self.send(app, Method::POST, path, &[], body).await.unwrap()
    }

    pub(crate) async fn put(&self, app: &App, path: &str, body: &Value) -> Answer {
        self.send(app, Method::PUT, path, &[], body).await.unwrap()
    }

    pub(crate) async fn patch(&self, app: &App, path: &str, body: &Value) -> Answer {
        self.send(app, Method::PATCH, path, &[], body)
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, app: &App, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(app, Method::GET, path, headers, &Value::Null)
            .await
            .unwrap()
    }

    /// Registers workshops, as an operator; they take commissions.
    pub(crate) async fn register(&self, app: &App, workshops: &[Self]) {
        for workshop in workshops {
            let body = json!({ "name": "Oak and Brass", "acceptsCommissions": true });
            self.put(app, &format!("/v1/workshops/{}", workshop.id), &body)
                .await
                .ok();
        }
    }

    /// Places an order with these workshops, as a commissioner; returns its id.
    pub(crate) async fn place(&self, app: &App, workshops: &[Self]) -> String {
        let workshops: Vec<Uuid> = workshops.iter().map(|w| w.id).collect();
        let placed = self
            .post(app, "/v1/orders", &placement(&workshops))
            .await
            .ok();
        placed["orderId"].as_str().unwrap().to_owned()
    }
}

/// The body of a placement.
pub(crate) fn placement(workshops: &[Uuid]) -> Value {
    json!({
        "request": {
            "title": "A writing desk",
            "brief": "Oak, for a bay window.",
            "budget": { "amount": "2400.00", "currency": "EUR" },
            "deadline": DEADLINE,
        },
        "workshops": workshops,
    })
}

/// The body of an offer with one blocking and one plain stage.
pub(crate) fn offer() -> Value {
    json!({
        "budget": { "amount": "2250.00", "currency": "EUR" },
        "deadline": DEADLINE,
        "description": "Solid oak, oiled.",
        "stages": [
            { "name": "Drawings", "description": "To scale.", "requiresApproval": true },
            { "name": "Build", "description": "The desk itself." },
        ],
    })
}
