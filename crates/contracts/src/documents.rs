//! The contracts as documents: a JSON Schema of every public event (`schemas/`), one AsyncAPI document
//! (`asyncapi.json`) of the topics with their keys and headers and of the live streams, and the codes
//! of dead letters (`codes/dead-letters.json`). They are written with `ATLAS_BLESS=1`, else compared;
//! and what they promised before, they promise still.

mod live_streams;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use test_support::added_to;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::{
    AccountFact, DeadLetterCode, Domain, OrderFact, account, dead_letter_header, header, order,
    topics,
};

/// One event: its domain, name and version, and the schema of its own fields.
struct Event {
    domain: Domain,
    name: &'static str,
    own: Value,
    parts: Map<String, Value>,
}

fn event<T: ToSchema>(domain: Domain, name: &'static str) -> Event {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    Event {
        domain,
        name,
        own: schema(&T::schema()),
        parts: parts
            .into_iter()
            .map(|(name, part)| (name, schema(&part)))
            .collect(),
    }
}

/// A schema whose references stay within the document, and whose members are all there: what may be
/// unknown is null.
fn schema(schema: &RefOr<Schema>) -> Value {
    let text = serde_json::to_string(schema).unwrap();
    let mut value: Value =
        serde_json::from_str(&text.replace("#/components/schemas/", "#/$defs/")).unwrap();
    require_all(&mut value);
    value
}

fn require_all(value: &mut Value) {
    if let Some(properties) = value.get("properties").and_then(Value::as_object) {
        let names: Vec<_> = properties.keys().cloned().collect();
        value["required"] = json!(names);
    }
}

macro_rules! events {
    ($domain:expr, $module:ident: $($name:ident),+ $(,)?) => {
        vec![$(event::<$module::$name>($domain, stringify!($name))),+]
    };
}

fn events() -> Vec<Event> {
    let mut all = events!(
        Domain::Order, order:
        OrderPlaced, RequestEdited, WorkshopsInvited, OfferSubmitted, OfferRevised, OfferWithdrawn,
        InvitationDeclined, AllResponsesReceived, AllInvitationsClosed, OfferConfirmed,
        StageMarkedComplete, StageApproved, StageChangesRequested, OrderFinished, OrderCompleted,
        OrderCancelled, CancellationDisputed, DisputeResolved, WorkshopCredited,
    );
    all.extend(events!(
        Domain::Bonus, account:
        PointsAwarded, GradeChanged, VipAcquired, VipLost, AwardDeferred, PolicyRecomputed,
    ));
    all
}

impl Event {
    /// The version of its schema. The name alone says it: no event has two at a time.
    fn version(&self) -> &'static str {
        "1.0"
    }

    fn urn(&self) -> String {
        let domain = self.domain.as_str();
        format!("urn:atlas:{domain}:{}:{}", self.name, self.version())
    }

    fn file(&self) -> String {
        let domain = self.domain.as_str();
        format!("schemas/{domain}/{}-{}.json", self.name, self.version())
    }

    /// The payload: what all events of the domain have, and the event's own fields.
    fn schema(&self) -> Value {
        let uuid = json!({ "type": "string", "format": "uuid" });
        let instant = json!({ "type": "string", "format": "date-time" });
        let mut properties = match self.domain {
            Domain::Order => json!({
                "orderId": uuid, "commissionerId": uuid, "occurredAt": instant,
            }),
            Domain::Bonus => json!({
                "beneficiaryId": uuid,
                "beneficiaryRole": { "type": "string" },
                "policyVersion": { "type": "integer", "minimum": 1 },
                "occurredAt": instant,
            }),
        };
        let own = self.own["properties"].as_object().cloned();
        let properties_of = properties.as_object_mut().unwrap();
        properties_of.extend(own.unwrap_or_default());
        let required: Vec<_> = properties_of.keys().cloned().collect();
        if self.domain == Domain::Bonus {
            // The beneficiary again, for a commissioner.
            properties_of.insert("commissionerId".to_owned(), uuid);
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": self.urn(),
            "title": self.name,
            "description": self.own["description"],
            "type": "object",
            "properties": properties,
            "required": required,
            "$defs": self.parts,
        })
    }
}

/// The headers of every message.
fn headers(event: &Event) -> Value {
    let domain = event.domain.as_str();
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let constant = |word: String| json!({ "type": "string", "const": word });
    json!({
        "type": "object",
        "properties": {
            header::SPECVERSION: constant("1.0".to_owned()),
            header::ID: { "type": "string", "format": "uuid" },
            header::TYPE: constant(format!("atlas.{domain}.{}", event.name)),
            header::SOURCE: { "type": "string" },
            header::SUBJECT: { "type": "string", "format": "uuid" },
            header::TIME: { "type": "string", "format": "date-time" },
            header::DATASCHEMA: constant(event.urn()),
            header::AGGREGATE_VERSION: text("^[1-9][0-9]*$"),
            header::POSITION: text("^[1-9][0-9]*$"),
            header::CORRELATION_ID: { "type": "string", "format": "uuid" },
            header::CAUSATION_ID: { "type": "string", "format": "uuid" },
            header::TRACEPARENT: text("^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"),
            header::CONTENT_TYPE: constant("application/json".to_owned()),
        },
        "required": [
            header::SPECVERSION, header::ID, header::TYPE, header::SOURCE, header::SUBJECT,
            header::TIME, header::DATASCHEMA, header::AGGREGATE_VERSION, header::POSITION,
            header::CORRELATION_ID, header::TRACEPARENT, header::CONTENT_TYPE,
        ],
    })
}

fn asyncapi(events: &[Event]) -> Value {
    let mut messages = Map::new();
    for event in events {
        let message = json!({
            "name": event.name,
            "title": event.name,
            "summary": event.own["description"],
            "contentType": "application/json",
            "headers": headers(event),
            "payload": { "$ref": format!("./{}", event.file()) },
            "bindings": { "kafka": { "key": { "type": "string", "format": "uuid" } } },
        });
        messages.insert(event.name.to_owned(), message);
    }
    let channel = |topic: &str, domain: Domain, key: &str| {
        let of_domain = events.iter().filter(|event| event.domain == domain);
        let refs: Map<_, _> = of_domain
            .map(|event| {
                let reference = format!("#/components/messages/{}", event.name);
                (event.name.to_owned(), json!({ "$ref": reference }))
            })
            .collect();
        json!({
            "address": topic,
            "description": format!(
                "At least once, in order for each key ({key}) by first occurrence of ce_id."
            ),
            "messages": refs,
            "bindings": { "kafka": { "topic": topic, "partitions": topics::PARTITIONS } },
        })
    };
    let mut channels = json!({
        "orderEvents": channel(topics::ORDER_EVENTS, Domain::Order, "the order's id"),
        "bonusEvents": channel(topics::BONUS_EVENTS, Domain::Bonus, "the beneficiary's id"),
    });
    let mut operations = json!({
        "sendOrderEvents": {
            "action": "send", "channel": { "$ref": "#/channels/orderEvents" },
        },
        "sendBonusEvents": {
            "action": "send", "channel": { "$ref": "#/channels/bonusEvents" },
        },
    });
    for stream in live_streams::ALL {
        channels[stream.channel()] = stream.described();
        operations[format!("stream{}", stream.name)] = stream.operation();
    }
    for (name, message) in live_streams::ends() {
        messages.insert(name.to_owned(), message);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Artisan Atlas events",
            "version": "1.0.0",
            "description": "CloudEvents 1.0 in binary mode. A major version has topics of its own; \
                within one, changes are additive, and readers are tolerant.",
        },
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages },
    })
}

fn dead_letter_codes() -> Value {
    let codes = DeadLetterCode::ALL
        .map(|code| json!({ "code": code.as_str(), "kind": code.kind().as_str() }));
    json!({
        "codes": codes,
        "headers": [
            dead_letter_header::CODE, dead_letter_header::KIND, dead_letter_header::DETAIL,
            dead_letter_header::TOPIC, dead_letter_header::PARTITION, dead_letter_header::OFFSET,
            dead_letter_header::ATTEMPTS, dead_letter_header::FIRST_FAILED_AT,
            dead_letter_header::CONSUMER,
        ],
    })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn the_documents_are_those_that_are_checked_in_and_only_ever_grow() {
    let events = events();
    let mut documents: Vec<_> = events.iter().map(|it| (it.file(), it.schema())).collect();
    documents.push(("asyncapi.json".to_owned(), asyncapi(&events)));
    documents.push(("codes/dead-letters.json".to_owned(), dead_letter_codes()));
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the test says whether it writes"
    )]
    let blessed = std::env::var_os("ATLAS_BLESS").is_some();
    for (file, document) in documents {
        let path = folder().join(&file);
        let kept = fs::read_to_string(&path).ok();
        if let Some(kept) = &kept {
            let kept: Value = serde_json::from_str(kept).unwrap();
            added_to(&kept, &document).unwrap_or_else(|lost| panic!("{file}: {lost}"));
        }
        let text = format!("{document:#}\n");
        if blessed {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == text,
            "crates/contracts/{file} is not what the code says: run the tests with ATLAS_BLESS=1"
        );
    }
}

/// A name that the exhaustive matches know, and these documents do not, fails.
#[test]
fn every_event_has_its_schema() {
    let told: BTreeSet<_> = events().iter().map(|event| event.name).collect();
    let source = [include_str!("order.rs"), include_str!("account.rs")].concat();
    let named: BTreeSet<_> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once("(_) => \""))
        .map(|(variant, _)| variant)
        .collect();
    assert_eq!(told, named);
}

#[test]
fn the_schemas_are_of_the_versions_that_are_sent() {
    let credited = OrderFact::WorkshopCredited(order::WorkshopCredited {
        workshop_id: uuid::Uuid::nil(),
        beneficiary_id: uuid::Uuid::nil(),
        beneficiary_role: "workshop".to_owned(),
    });
    let lost = AccountFact::VipLost(account::VipLost {});
    for event in events() {
        assert_eq!(event.version(), credited.schema_version());
        assert_eq!(event.version(), lost.schema_version());
    }
}
