//! Commands through the balancer: each is sent with a key until it is acknowledged, by people who
//! place an order and edit it twice, again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::http::Request;

use super::journal::{Acknowledged, Journal};
use super::until;
use crate::demo::next_year;
use crate::failure::Failure;
use crate::http::{Answer, Client};
use crate::interrupt::Interrupt;
use crate::people;
use crate::token::{self, Role};

/// As many people at once.
const PEOPLE: u32 = 6;
/// Less than an API waits: some answers are lost, and their commands sent again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries of one command.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a command may take to be acknowledged, by whatever number of tries.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(180);

/// People at work.
#[derive(Debug)]
pub(super) struct Load {
    origin: String,
    /// The first order's sender, and the order as it was sent.
    first: Command,
    journal: Arc<Mutex<Journal>>,
    stop: Arc<AtomicBool>,
    people: Vec<JoinHandle<Result<(), Failure>>>,
}

/// A command, which can be sent again.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) token: String,
    key: String,
    method: &'static str,
    path: String,
    body: String,
}

struct Person {
    origin: String,
    token: String,
    id: String,
    workshop: String,
    client: Client,
    journal: Arc<Mutex<Journal>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Lists a workshop, and sets people to work.
    pub(super) fn start(origin: &str) -> Result<Self, Failure> {
        let workshop = people::fresh_id()?;
        let client = Client::new(PATIENCE);
        let journal = Arc::new(Mutex::new(Journal::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let listed = Command {
            token: token::of_development(Role::Operator, &people::fresh_id()?)?,
            key: "workshop".to_owned(),
            method: "PUT",
            path: format!("/v1/workshops/{workshop}"),
            body: json!({"name": "Oak & Iron", "acceptsCommissions": true}).to_string(),
        };
        carry_out(&client, origin, &listed, &stop)?;
        let person = || {
            let id = people::fresh_id()?;
            Ok::<_, Failure>(Person {
                origin: origin.to_owned(),
                token: token::of_development(Role::Commissioner, &id)?,
                id,
                workshop: workshop.clone(),
                client: Client::new(PATIENCE),
                journal: Arc::clone(&journal),
                stop: Arc::clone(&stop),
            })
        };
        let early = person()?;
        let first = early.placing(0);
        early.place_and_edit(0)?;
        let people = (0..PEOPLE)
            .map(|_| {
                let person = person()?;
                Ok(thread::spawn(move || person.work()))
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Self {
            origin: origin.to_owned(),
            first,
            journal,
            stop,
            people,
        })
    }

    /// The placing of the first order, long done.
    pub(super) fn first(&self) -> &Command {
        &self.first
    }

    /// Sends a command once.
    pub(super) fn send(&self, command: &Command) -> Result<Answer, Failure> {
        let answer = send(&Client::new(PATIENCE), &self.origin, command);
        answer.map_err(|error| Failure::NotAsPromised(format!("{}: {error}", command.path)))
    }

    /// What was acknowledged so far.
    pub(super) fn journal(&self) -> Journal {
        lock(&self.journal).clone()
    }

    /// Waits until so many more commands are acknowledged, from now on.
    pub(super) fn wait_for_more(
        &self,
        count: usize,
        interrupt: &Interrupt,
    ) -> Result<Duration, Failure> {
        let from = Instant::now();
        let what = "commands are acknowledged again";
        until(what, ACKNOWLEDGED_WITHIN, interrupt, || {
            // Somebody who has given up says why.
            if self.people.iter().any(JoinHandle::is_finished) {
                return Err(Failure::NotAsPromised(
                    "somebody stopped to send commands; what is above says why".to_owned(),
                ));
            }
            Ok(lock(&self.journal).since(from) >= count)
        })
    }

    /// Lets everybody finish the command that is under way.
    pub(super) fn stop(&mut self) -> Result<Journal, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        for person in self.people.drain(..) {
            let worked = person.join();
            worked.map_err(|_| Failure::NotAsPromised("a sender broke".to_owned()))??;
        }
        Ok(self.journal())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Person {
    fn work(&self) -> Result<(), Failure> {
        let worked = (0..)
            .take_while(|_| !self.stop.load(Ordering::Relaxed))
            .try_for_each(|round: u32| self.place_and_edit(round));
        worked.inspect_err(|failure| eprintln!("{failure}"))
    }

    fn place_and_edit(&self, round: u32) -> Result<(), Failure> {
        let Some(order) = self.have_done(&self.placing(round))? else {
            return Ok(());
        };
        for edit in 1..=2 {
            let edited = self.have_done(&Command {
                key: format!("{round}-edit-{edit}"),
                method: "PATCH",
                path: format!("/v1/orders/{order}/request"),
                body: json!({"title": format!("A writing desk, {edit}")}).to_string(),
                token: self.token.clone(),
            })?;
            if edited.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn placing(&self, round: u32) -> Command {
        let request = json!({
            "title": "A writing desk",
            "brief": format!("For {}", self.id),
            "budget": {"amount": "1500.00", "currency": "EUR"},
            "deadline": format!("{}-06-30T12:00:00Z", next_year()),
        });
        Command {
            token: self.token.clone(),
            key: format!("{round}-place"),
            method: "POST",
            path: "/v1/orders".to_owned(),
            body: json!({"request": request, "workshops": [self.workshop]}).to_string(),
        }
    }

    /// Sends a command until it is acknowledged, and writes that down; the order, unless everybody is
    /// to stop before.
    fn have_done(&self, command: &Command) -> Result<Option<String>, Failure> {
        let done = carry_out(&self.client, &self.origin, command, &self.stop)?;
        let Some(done) = done else {
            return Ok(None);
        };
        let order = done.order.clone();
        lock(&self.journal).write(done);
        Ok(Some(order))
    }
}

/// Sends a command until it is acknowledged. Only what the contract calls retryable is sent again. One
/// that was never sent is not begun once everybody is to stop.
fn carry_out(
    client: &Client,
    origin: &str,
    command: &Command,
    stop: &AtomicBool,
) -> Result<Option<Acknowledged>, Failure> {
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let began = Instant::now();
    for tries in 1.. {
        let seen = match send(client, origin, command) {
            Ok(answer) if answer.status.is_success() => {
                return acknowledged(&answer, began, tries).map(Some);
            }
            Ok(answer) if matches!(answer.status.as_u16(), 429 | 502 | 503 | 504) => answer.body,
            Ok(answer) => {
                let Answer { status, body, .. } = answer;
                let what = format!("{} was answered {status}: {body}", command.path);
                return Err(Failure::NotAsPromised(what));
            }
            Err(error) => error.to_string(),
        };
        if began.elapsed() > ACKNOWLEDGED_WITHIN {
            let what = format!("{} was not acknowledged; last: {seen}", command.path);
            return Err(Failure::NotAsPromised(what));
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

fn send(client: &Client, origin: &str, command: &Command) -> Result<Answer, ureq::Error> {
    let request = Request::builder()
        .method(command.method)
        .uri(format!("{origin}{}", command.path))
        .header("Authorization", format!("Bearer {}", command.token))
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", &command.key)
        .body(command.body.as_str())?;
    client.send(request)
}

fn acknowledged(answer: &Answer, began: Instant, tries: u32) -> Result<Acknowledged, Failure> {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let text = |name: &str| body.get(name)?.as_str().map(str::to_owned);
    let read = || {
        Some(Acknowledged {
            order: text("orderId").or_else(|| text("workshopId"))?,
            version: body.get("version")?.as_i64()?,
            at: Instant::now(),
            took: began.elapsed(),
            tries,
            replayed: answer.headers.contains_key("idempotency-replayed"),
        })
    };
    read().ok_or_else(|| Failure::NotAsPromised(format!("an answer lacks parts: {}", answer.body)))
}

fn lock(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}
