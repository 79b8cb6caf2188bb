//! A gateway that compresses, and so weakens the tags that it hands on: a client can use what it
//! was given, or is told what to do instead.

use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, VIA,
};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use test_support::{TestGateway, eventually};

use crate::commission::{Party, placement};
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
const READ_BOUND: Duration = Duration::from_secs(20);

/// Both APIs through the gateway, as a client that takes gzip. Its requests name the proxies that
/// they came through, if they did.
struct Through {
    client: Client,
    commands: String,
    queries: String,
    via: Option<&'static str>,
}

impl Through {
    fn request(&self, method: Method, api: &str, party: &Party, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{api}{path}"));
        let request = request.bearer_auth(&party.token);
        self.via
            .iter()
            .fold(request, |request, via| request.header(VIA, *via))
    }

    /// Changes what is asked for, if the order is as the tag says.
    async fn edit(
        &self,
        party: &Party,
        path: &str,
        title: &str,
        tag: &str,
        encoding: &str,
    ) -> Response {
        let path = format!("{path}/request");
        let request = self.request(Method::PATCH, &self.commands, party, &path);
        let request = request
            .header(IF_MATCH, tag)
            .header(ACCEPT_ENCODING, encoding);
        let body = json!({ "title": title });
        request.json(&body).send().await.unwrap()
    }

    async fn read(&self, party: &Party, path: &str, tag: &str) -> Response {
        let request = self.request(Method::GET, &self.queries, party, path);
        let request = request
            .header(IF_NONE_MATCH, tag)
            .header(ACCEPT_ENCODING, "gzip");
        request.send().await.unwrap()
    }
}

/// The tag of an answer that was compressed on the way, though it asks not to be.
#[track_caller]
fn weakened(answer: &Response) -> String {
    let header = |name| answer.headers()[name].to_str().unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    assert_eq!(header(CONTENT_ENCODING), "gzip");
    assert_eq!(header(CACHE_CONTROL), "private, no-cache, no-transform");
    let tag = header(ETAG);
    assert!(tag.starts_with("W/\""), "{tag}");
    tag.to_owned()
}

#[tokio::test]
async fn a_tag_that_was_weakened_serves_a_read_and_is_explained_to_a_command() {
    let system = System::start(NO_KAFKA).await;
    let backends = [system.commands[0].port(), system.query.port()];
    let gateway = TestGateway::in_front_of(&backends).await;
    let urls = gateway.urls();
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    operator.register(&system.commands[0], &workshops).await;

    for via in [None, Some("1.1 edge")] {
        let through = Through {
            client: client.clone(),
            commands: urls[0].clone(),
            queries: urls[1].clone(),
            via,
        };
        let place = through.request(Method::POST, &through.commands, &commissioner, "/v1/orders");
        let mut body = placement(&[workshops[0].id]);
        body["request"]["brief"] = "Oak, for a bay window. ".repeat(400).into();
        let place = place.header(ACCEPT_ENCODING, "gzip").json(&body);
        let placed = place.send().await.unwrap();
        // It compresses no 201.
        assert_eq!(placed.headers()[ETAG], "\"1\"");
        let order = placed.headers()[LOCATION].to_str().unwrap();
        let edit = async |title, tag: &str, encoding| {
            let edited = through.edit(&commissioner, order, title, tag, encoding);
            edited.await
        };
        let given = weakened(&edit("A desk", "\"1\"", "gzip").await);
        assert_eq!(given, "W/\"2\"");

        assert_eq!(edit("A chair", &given, "gzip").await.status(), 400);
        let refused = edit("A chair", &given, "identity").await;
        assert_eq!(refused.status(), 400);
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "MALFORMED_REQUEST");
        let detail = problem["detail"].as_str().unwrap();
        for told in [
            "a gateway between us may have weakened it",
            "without the W/",
        ] {
            assert!(detail.contains(told), "{detail}");
        }
        // The client does as it is told.
        let strong = given.strip_prefix("W/").unwrap();
        let edited = edit("A chair", strong, "gzip").await;
        assert_eq!(weakened(&edited), "W/\"3\"");
        assert_eq!(edit("A stool", strong, "gzip").await.status(), 412);

        let read = async |tag: &str| through.read(&commissioner, order, tag).await;
        let seen = eventually("the edit to be read", READ_BOUND, || async {
            let answer = read("").await;
            let headers = answer.headers();
            match (answer.status().as_u16(), headers.get(ETAG)) {
                (200, Some(tag)) if tag == "W/\"3\"" => Ok(weakened(&answer)),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        for tag in [seen.as_str(), "\"3\""] {
            assert_eq!(read(tag).await.status(), 304, "{tag}");
        }
    }
}
