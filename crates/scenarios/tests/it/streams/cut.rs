//! Twenty readers, each cut off at random and going on at the other instance, while twelve writers
//! write, some of them in vain, and the store goes down hard: what each read at first and what it was
//! told since is what there is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use event_store::Position;
use rand::Rng as _;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::follower::{Connection, position};
use super::writers::Writers;
use crate::commission::Party;
use crate::system::{App, System};

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
const READERS: usize = 20;
/// How many commands are given before the store goes down, and after it is back.
const COMMANDS: usize = 300;
/// The longest time that a reader is left alone.
const LONGEST: Duration = Duration::from_secs(3);
const BOUND: Duration = Duration::from_secs(60);

/// One reader: what it read at first, and was told since.
struct Reader {
    client: Client,
    token: String,
    path: String,
    told: Vec<Value>,
    last_id: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_are_cut_off_miss_nothing_and_are_told_nothing_twice() {
    let system = System::start(NO_KAFKA).await;
    let mut other = system.another_query();
    other.start();
    other.until(true).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let mut writers = Writers::prepare(&system, &client).await;
    let timeline = format!("/v1/orders/{}/timeline", writers.busy);

    let (tell_end, end) = watch::channel(None);
    let urls = Arc::new([system.query.url(""), other.url("")]);
    let mut readers = Vec::new();
    for number in 0..READERS {
        let path = match number % 2 {
            0 => "/v1/orders",
            _ => &timeline,
        };
        let reader = Reader::begin(&client, &urls[number % 2], path).await;
        readers.push(tokio::spawn(reader.follow(Arc::clone(&urls), end.clone())));
    }
    writers.begin(&system).await;
    writers.until(COMMANDS).await;
    system.crash_postgres().await;
    writers.until(COMMANDS * 2).await;
    let last = writers.finish(&system).await;
    tell_end.send_replace(Some(position(&last)));

    let orders = all(&operator, &system.query, "/v1/orders", &last).await;
    let facts = all(&operator, &system.query, &timeline, &last).await;
    for (number, reader) in readers.into_iter().enumerate() {
        let told = timeout(BOUND, reader).await.expect("the end is told");
        let told = told.unwrap();
        match number % 2 {
            0 => assert_eq!(by_order(&told), by_order(&orders), "reader {number}"),
            _ => assert_eq!(told, facts, "reader {number}"),
        }
    }
}

impl Reader {
    /// Reads what there is, and from where on there is more.
    async fn begin(client: &Client, url: &str, path: &str) -> Self {
        let token = Party::new("operator", client).token;
        let request = client.get(format!("{url}{path}?limit=200"));
        let answer = request.bearer_auth(&token).send().await.unwrap();
        let last_id = answer.headers()["atlas-position"].to_str().unwrap();
        let last_id = last_id.to_owned();
        let list: Value = answer.json().await.unwrap();
        assert_eq!(list["nextCursor"], json!(null));
        Self {
            client: client.clone(),
            token,
            path: path.to_owned(),
            told: list["items"].as_array().unwrap().clone(),
            last_id,
        }
    }

    /// Follows up to the end, here and there in turn; everything that it was told.
    async fn follow(
        mut self,
        urls: Arc<[String; 2]>,
        end: watch::Receiver<Option<Position>>,
    ) -> Vec<Value> {
        for turn in 0.. {
            let url = format!("{}{}", urls[turn % 2], self.path);
            let longest = LONGEST.as_millis() as u64;
            let left = Duration::from_millis(rand::rng().random_range(0..longest));
            if self.connection(&url, Instant::now() + left, &end).await {
                break;
            }
        }
        self.told
    }

    /// Reads until the connection is cut off; whether the end was told.
    async fn connection(
        &mut self,
        url: &str,
        cut: Instant,
        end: &watch::Receiver<Option<Position>>,
    ) -> bool {
        let opened = Connection::open(&self.client, url, &self.token, Some(&self.last_id));
        // A server whose store is away refuses, or does not answer in time.
        let Ok(Ok(mut connection)) = timeout_at(cut, opened).await else {
            return false;
        };
        while let Ok(Some(frame)) = timeout_at(cut, connection.next()).await {
            if frame.event == "message" {
                self.told.push(frame.data["item"].clone());
            }
            self.last_id = frame.id.unwrap_or(std::mem::take(&mut self.last_id));
            if end
                .borrow()
                .is_some_and(|end| position(&self.last_id) >= end)
            {
                return true;
            }
        }
        false
    }
}

/// Everything that a list has, page by page, once it has come so far.
async fn all(reader: &Party, app: &App, path: &str, least: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = format!("{path}?limit=200{cursor}");
        let least = [("atlas-min-position", least)];
        let list = reader.get(app, &page, &least).await.ok();
        items.extend(list["items"].as_array().unwrap().clone());
        match list["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// The last of what was told of each order.
fn by_order(items: &[Value]) -> BTreeMap<&str, &Value> {
    let named = items.iter();
    named
        .map(|item| (item["orderId"].as_str().unwrap(), item))
        .collect()
}
