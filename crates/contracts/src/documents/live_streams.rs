//! The live streams of the query API, as channels of the AsyncAPI document.

use serde_json::{Value, json};

/// A live stream of the query API: the address of a list, asked for as `text/event-stream`.
pub(super) struct LiveStream {
    pub(super) name: &'static str,
    address: &'static str,
    /// The list's schema in the OpenAPI document.
    list: &'static str,
    /// What its items are.
    items: &'static str,
}

pub(super) const ALL: [LiveStream; 5] = [
    LiveStream {
        name: "Orders",
        address: "/v1/orders",
        list: "List_OrderItem",
        items: "The order as the list shows it when the frame is made, in place of an older one.",
    },
    LiveStream {
        name: "Timeline",
        address: "/v1/orders/{id}/timeline",
        list: "List_TimelineEntry",
        items: "The next fact of the order.",
    },
    LiveStream {
        name: "Invitations",
        address: "/v1/invitations",
        list: "List_InvitationItem",
        items: "The invitation as the list shows it when the frame is made, in place of an older one.",
    },
    LiveStream {
        name: "Ledger",
        address: "/v1/bonus/accounts/{id}/ledger",
        list: "List_LedgerItem",
        items: "The next award. Where awards are taken away or counted anew, reset is sent.",
    },
    LiveStream {
        name: "Projections",
        address: "/v1/ops/projections",
        list: "Projections",
        items: "A reader as it is, in place of what was said of it before; all of them at the start.",
    },
];

impl LiveStream {
    pub(super) fn channel(&self) -> String {
        format!("live{}", self.name)
    }

    pub(super) fn operation(&self) -> Value {
        json!({
            "action": "send",
            "channel": { "$ref": format!("#/channels/{}", self.channel()) },
            "bindings": { "http": { "method": "GET", "bindingVersion": "0.3.0" } },
        })
    }

    /// Where the schema of its items is, in the OpenAPI document.
    fn item(&self) -> String {
        format!("/components/schemas/{}/properties/items/items", self.list)
    }

    pub(super) fn described(&self) -> Value {
        let item = format!("../../apps/query-api/openapi.json#{}", self.item());
        let mut messages = json!({
            "item": {
                "name": "message",
                "title": "item",
                "summary": self.items,
                "contentType": "application/json",
                "payload": frame(json!({ "item": { "$ref": item } }), &["prev", "item"]),
            },
        });
        for (name, _) in ends() {
            let reference = format!("#/components/messages/{name}");
            messages[name] = json!({ "$ref": reference });
        }
        let mut channel = json!({
            "address": self.address,
            "description": "Server-sent events of the query API, to who accepts text/event-stream \
                with a bearer token. The name of a message is its event field; its id field is the \
                token to go on after, by Last-Event-ID.",
            "messages": messages,
        });
        if self.address.contains("{id}") {
            channel["parameters"] = json!({ "id": { "description": "a UUID" } });
        }
        channel
    }
}

/// The data of a frame.
fn frame(more: Value, required: &[&str]) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "prev": {
                "type": ["string", "null"],
                "description": "The id of the frame before it to this viewer; after a resume the \
                    token that was given.",
            },
        },
        "required": required,
    });
    let properties = more.as_object().cloned().unwrap_or_default();
    let all = schema["properties"].as_object_mut().unwrap();
    all.extend(properties);
    schema
}

/// The frames that are no items.
pub(super) fn ends() -> [(&'static str, Value); 3] {
    let message = |name: &str, summary: &str, payload: Value| {
        json!({
            "name": name,
            "title": name,
            "summary": summary,
            "contentType": "application/json",
            "payload": payload,
        })
    };
    let empty = || json!({ "type": "object" });
    [
        (
            "caughtUp",
            message(
                "caught-up",
                "There is nothing more up to its id.",
                frame(json!({}), &["prev"]),
            ),
        ),
        (
            "reset",
            message("reset", "Everything is to be read anew.", empty()),
        ),
        (
            "moved",
            message("moved", "This server leaves: go on at another.", empty()),
        ),
    ]
}

/// Each is in the OpenAPI document, and what it refers to there.
#[test]
fn the_streams_are_those_of_the_query_api() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../apps/query-api/openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for stream in ALL {
        assert!(
            document.pointer(&stream.item()).is_some(),
            "{}",
            stream.list
        );
    }
    let mut streaming = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if item["get"]["responses"]["200"]["content"]["text/event-stream"].is_object() {
            streaming.push(path.as_str());
        }
    }
    let mut told = ALL.map(|stream| stream.address);
    told.sort_unstable();
    assert_eq!(streaming, told);
}
