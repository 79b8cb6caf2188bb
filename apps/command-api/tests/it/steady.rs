//! Clients that go on sending commands with keys whatever fails, believe what they are told, and
//! ask again where they were told to. In the end the store must hold what they believe.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use kernel::Actor;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use sqlx::PgPool;
use test_support::eventually;

use crate::people::{COMMISSIONER, OAK, OPERATOR, token, workshop};
use crate::scene::request;

const CLIENTS: usize = 16;
const BOUND: Duration = Duration::from_secs(60);

/// What is sent.
#[derive(Clone)]
struct Command {
    key: String,
    by: Actor,
    path: String,
    body: Value,
    /// How many facts it leads to; none where the rules refuse it.
    facts: i64,
}

/// What a client was told of a command.
enum Told {
    Done { body: Value, replayed: bool },
    Refused,
    Nothing,
    Unknown,
}

/// What all clients were told, and what they hold to be true.
#[derive(Default)]
pub(crate) struct Believed {
    done: Vec<(Command, Value)>,
    refused: Vec<Command>,
    /// Told that nothing was changed, and did not ask again.
    nothing: Vec<Command>,
    /// How many answers said that nothing was changed.
    pub(crate) told_nothing: usize,
    /// How many answers said that nobody knows, or never came.
    pub(crate) told_unknown: usize,
}

/// Two processes over one store, and the clients of both.
pub(crate) struct Steady {
    http: Client,
    urls: [Mutex<String>; 2],
    stop: AtomicBool,
    done: AtomicUsize,
    believed: Mutex<Believed>,
}

impl Steady {
    pub(crate) fn new(urls: [&str; 2]) -> Self {
        Self {
            http: Client::new(),
            urls: urls.map(|url| Mutex::new(url.to_owned())),
            stop: AtomicBool::new(false),
            done: AtomicUsize::new(0),
            believed: Mutex::default(),
        }
    }

    /// From now on the process of this number is reached there.
    pub(crate) fn moved(&self, process: usize, url: &str) {
        url.clone_into(&mut lock(&self.urls[process]));
    }

    /// Enters the workshop that is invited into the directory.
    pub(crate) async fn set_up(&self) {
        let url = lock(&self.urls[0]).clone();
        let register = self.http.put(format!("{url}/v1/workshops/{}", OAK.id));
        let register = register.bearer_auth(token(OPERATOR));
        let entry = json!({"name": "Oak", "acceptsCommissions": true});
        assert_eq!(register.json(&entry).send().await.unwrap().status(), 201);
    }

    /// Sends commands for as long as something is done to the servers.
    pub(crate) async fn while_troubled(&self, trouble: impl Future<Output = ()>) {
        let clients = join_all((0..CLIENTS).map(|client| self.client(client)));
        let ((), _) = tokio::join!(
            async {
                trouble.await;
                self.stop.store(true, Ordering::SeqCst);
            },
            clients
        );
    }

    /// Waits until so many more commands were carried out.
    pub(crate) async fn goes_on_for(&self, commands: usize) {
        let enough = self.done.load(Ordering::SeqCst) + commands;
        eventually("commands to be carried out", BOUND, || async {
            match self.done.load(Ordering::SeqCst) {
                done if done >= enough => Ok(()),
                done => Err(format!("{done} of {enough}")),
            }
        })
        .await;
    }

    /// Compares the store with what the clients believe, once as it is, and once when they have
    /// asked everything again.
    pub(crate) async fn is_true(&self, store: &PgPool) -> Believed {
        let believed = std::mem::take(&mut *lock(&self.believed));
        assert_eq!(facts(store).await, believed.facts(), "what was answered");

        let done = believed.done.iter().enumerate();
        let replays = done.map(|(index, (command, first))| async move {
            match self.ask(index, command).await {
                Told::Done { body, replayed } => assert!(replayed && body == *first, "{body}"),
                Told::Refused | Told::Nothing | Told::Unknown => {
                    panic!("{} is not answered again", command.key)
                }
            }
        });
        stream::iter(replays)
            .buffer_unordered(CLIENTS)
            .for_each(async |()| {})
            .await;
        let nothing = believed.nothing.iter().enumerate();
        let second_tries = nothing.map(|(index, command)| async move {
            match (command.facts, self.ask(index, command).await) {
                (0, Told::Refused)
                | (
                    1..,
                    Told::Done {
                        replayed: false, ..
                    },
                ) => {}
                _ => panic!("{} is not carried out for the first time", command.key),
            }
        });
        join_all(second_tries).await;
        assert_eq!(facts(store).await, believed.all_facts(), "asked again");
        believed
    }

    /// Orders that are placed and come to nothing, and refused commands between.
    async fn client(&self, client: usize) {
        for round in 0.. {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let command = |name: &str, by, path: String, body, facts| Command {
                key: format!("{name}-{client}-{round}"),
                by,
                path,
                body,
                facts,
            };
            let orders = || "/v1/orders".to_owned();
            let place = command("place", COMMISSIONER, orders(), request(&[OAK]), 1);
            let nobody = request(&[workshop(9)]);
            let astray = command("astray", COMMISSIONER, orders(), nobody, 0);
            self.carry_out(client + round, astray).await;
            let Some(placed) = self.carry_out(client + round, place).await else {
                continue;
            };
            let order = format!("/v1/orders/{}", placed["orderId"].as_str().unwrap());
            let accept = format!("{order}/accept");
            let decline = format!("{order}/invitations/{}/decline", OAK.id);
            let accept = command("accept", COMMISSIONER, accept, json!({}), 0);
            let decline = command("decline", OAK, decline, json!({}), 2);
            self.carry_out(client + round, accept).await;
            self.carry_out(client + round, decline).await;
        }
    }

    /// Sends a command until it is known what came of it; only every second one that changed
    /// nothing is sent again. Returns the answer, if there is a good one.
    async fn carry_out(&self, turn: usize, command: Command) -> Option<Value> {
        let tries = AtomicUsize::new(turn);
        let told = eventually("an answer that settles it", BOUND, || async {
            let told = self
                .ask(tries.fetch_add(1, Ordering::SeqCst), &command)
                .await;
            let mut believed = lock(&self.believed);
            match told {
                Told::Done { .. } | Told::Refused => Ok(told),
                Told::Nothing => {
                    believed.told_nothing += 1;
                    let first = tries.load(Ordering::SeqCst) == turn + 1;
                    if first && believed.told_nothing.is_multiple_of(2) {
                        Ok(told)
                    } else {
                        Err("nothing was changed")
                    }
                }
                Told::Unknown => {
                    believed.told_unknown += 1;
                    Err("nobody knows")
                }
            }
        })
        .await;
        let mut believed = lock(&self.believed);
        match told {
            Told::Done { body, .. } => {
                assert!(command.facts > 0, "{} was not to be done", command.key);
                self.done.fetch_add(1, Ordering::SeqCst);
                believed.done.push((command, body.clone()));
                Some(body)
            }
            Told::Refused => {
                assert_eq!(command.facts, 0, "{} was to be done", command.key);
                believed.refused.push(command);
                None
            }
            Told::Nothing | Told::Unknown => {
                believed.nothing.push(command);
                None
            }
        }
    }

    async fn ask(&self, turn: usize, command: &Command) -> Told {
        let url = lock(&self.urls[turn % 2]).clone();
        let request = self
            .http
            .request(Method::POST, format!("{url}{}", command.path))
            .bearer_auth(token(command.by))
            .header("idempotency-key", &command.key)
            .json(&command.body);
        match request.send().await {
            Ok(response) => told(response).await,
            Err(error) if error.is_connect() => Told::Nothing,
            Err(_) => Told::Unknown,
        }
    }
}

async fn told(response: Response) -> Told {
    let status = response.status();
    let replayed = response.headers().contains_key("idempotency-replayed");
    let Ok(body) = response.json::<Value>().await else {
        return Told::Unknown;
    };
    match (status.as_u16(), body["outcome"].as_str()) {
        (200 | 201, None) => Told::Done { body, replayed },
        (400..=499, None) => Told::Refused,
        (503 | 504, Some("none")) => Told::Nothing,
        (503 | 504, Some("unknown")) => Told::Unknown,
        _ => panic!("{status} {body}"),
    }
}

impl Believed {
    /// How many facts of each key are in the store.
    fn facts(&self) -> BTreeMap<String, i64> {
        let done = self.done.iter();
        done.map(|(command, _)| (command.key.clone(), command.facts))
            .collect()
    }

    /// The same, when also those are done that had come to nothing.
    fn all_facts(&self) -> BTreeMap<String, i64> {
        let late = self.nothing.iter().filter(|command| command.facts > 0);
        let late = late.map(|command| (command.key.clone(), command.facts));
        self.facts().into_iter().chain(late).collect()
    }

    /// How many commands were carried out, and how many refused.
    pub(crate) fn settled(&self) -> (usize, usize) {
        (self.done.len(), self.refused.len())
    }
}

async fn facts(store: &PgPool) -> BTreeMap<String, i64> {
    let rows = sqlx::query!(
        r#"SELECT metadata ->> 'idempotencyKey' AS "key!", count(*) AS "facts!"
           FROM store.events WHERE metadata ->> 'idempotencyKey' IS NOT NULL GROUP BY 1"#
    );
    let rows = rows.fetch_all(store).await.unwrap();
    rows.into_iter().map(|row| (row.key, row.facts)).collect()
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap()
}
