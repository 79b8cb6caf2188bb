//! Random commands by random people, several at once through two processes: one serial order
//! explains every answer, and stream, rows and as-of come to what the model of the rules says.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use sqlx::PgPool;

use crate::commission::Answer;
use crate::model::{Ask, Model, Who};
use crate::people::{Order, People, answer, as_modelled};
use crate::system::System;
use crate::toss;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
/// How many orders there are, and how many of them at once.
const CASES: u32 = 300;
const AT_ONCE: u32 = 6;
/// The most waves of an order's life, and the most commands that come at once.
const WAVES: usize = 14;
const WAVE: usize = 4;

/// Commands that are sent at once.
type Wave = Vec<(Who, Ask)>;

/// The model, which takes a wave in the order in which it stands: it only steers what comes next.
struct Steering;

impl ReferenceStateMachine for Steering {
    type State = Model;
    type Transition = Wave;

    fn init_state() -> BoxedStrategy<Model> {
        let seats = subsequence((0..8).collect::<Vec<usize>>(), 1..5);
        seats
            .prop_map(|workshops| {
                let mut model = Model::new();
                let place = Ask::Place { workshops };
                model.take(Who::Commissioner, &place).unwrap();
                model
            })
            .boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Wave> {
        // Time stands still, and an order is placed once.
        let step = toss::step(model).prop_map(|step| (step.who, step.ask));
        let step = step.prop_filter("placed already", |(_, ask)| {
            !matches!(ask, Ask::Place { .. })
        });
        proptest::collection::vec(step, 1..=WAVE).boxed()
    }

    fn apply(mut model: Model, wave: &Wave) -> Model {
        for (who, ask) in wave {
            // A refusal changes nothing.
            let _ = answer(&mut model, *who, ask);
        }
        model
    }
}

/// One order's life so far, here and in the model.
struct Life<'a> {
    system: &'a System,
    pool: &'a PgPool,
    order: Order<'a>,
    model: Model,
    facts: Vec<&'static str>,
    position: String,
}

impl<'a> Life<'a> {
    async fn begin(system: &'a System, pool: &'a PgPool, people: &'a People, model: Model) -> Self {
        let seats: Vec<_> = model.seats.iter().map(|seat| seat.workshop).collect();
        let order = Order::place(people, &system.commands[0], &seats).await;
        Self {
            system,
            pool,
            position: order.placed.clone(),
            order,
            model,
            facts: vec!["OrderPlaced"],
        }
    }

    /// Sends a wave, and finds the serial order that explains what was answered.
    async fn take(&mut self, wave: &Wave) {
        let apps = self.system.commands.iter().cycle();
        let sent = wave
            .iter()
            .zip(apps)
            .map(|((who, ask), app)| self.order.send(app, *who, ask));
        let answers = futures::future::join_all(sent).await;
        let mut accepted: Vec<usize> = (0..wave.len())
            .filter(|index| answers[*index].status.is_success())
            .collect();
        accepted.sort_by_key(|index| answers[*index].body["version"].as_u64());

        // The order as it was after each accepted command.
        let mut moments = vec![self.model.clone()];
        for index in accepted {
            let (who, ask) = &wave[index];
            let body = &answers[index].body;
            let facts = answer(&mut self.model, *who, ask)
                .unwrap_or_else(|code| panic!("{ask:?} by {who:?} is {code} in {:?}", moments));
            self.facts.extend(facts);
            assert_eq!(body["version"], self.facts.len(), "{ask:?}");
            assert_eq!(body["state"].as_str(), self.model.state());
            body["position"]
                .as_str()
                .unwrap()
                .clone_into(&mut self.position);
            moments.push(self.model.clone());
        }
        for ((who, ask), refused) in wave.iter().zip(&answers) {
            if !refused.status.is_success() {
                let explained = moments
                    .iter()
                    .any(|moment| answer(&mut moment.clone(), *who, ask) == Err(refused.code()))
                    || was_given_up(ask, refused, wave, &answers);
                assert!(
                    explained,
                    "{who:?} {ask:?} came to {refused:?} in {moments:?}"
                );
            }
        }
    }

    /// Whatever it is read from, the order is what the model says.
    async fn compare(&self) {
        let query = &self.system.query;
        let position = self.position.as_str();
        let version = self.facts.len();
        let detail = self.order.read(query, "", position).await;
        for moment in [
            format!("version={version}"),
            "at=2999-01-01T00:00:00Z".to_owned(),
        ] {
            let moment = format!("/as-of?{moment}");
            let mut past = self.order.read(query, &moment, position).await;
            past.as_object_mut().unwrap().remove("asOf");
            assert_eq!(past, detail);
        }
        assert_eq!(
            as_modelled(detail),
            self.order.as_shown(&self.model, version)
        );
        let timeline = self
            .order
            .read(query, "/timeline?limit=200", position)
            .await;
        let told = timeline["items"].as_array().unwrap().iter();
        let told: Vec<_> = told.map(|item| item["event"].as_str().unwrap()).collect();
        assert_eq!(told, self.facts);
        assert_eq!(self.stored().await, self.facts);
        self.check_facts();
    }

    async fn stored(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT event_type FROM store.events
             WHERE aggregate_type = 'order' AND aggregate_id = $1 ORDER BY sequence",
        )
        .bind(&self.order.id)
        .fetch_all(self.pool)
        .await
        .unwrap()
    }

    /// What no life may show, whatever the model says.
    fn check_facts(&self) {
        let count = |name| self.facts.iter().filter(|fact| **fact == name).count();
        for once in ["OrderPlaced", "OfferConfirmed", "OrderFinished"] {
            assert!(count(once) <= 1, "{:?}", self.facts);
        }
        let ends = ["OrderCompleted", "OrderCancelled"];
        let end = self.facts.iter().position(|fact| ends.contains(fact));
        assert!(
            end.is_none_or(|end| end + 1 == self.facts.len()),
            "{:?}",
            self.facts
        );
    }
}

/// A command that stood in line is decided only on what it acted on when it came: not after one
/// beside it has put something else there.
fn was_given_up(ask: &Ask, refused: &Answer, wave: &Wave, answers: &[Answer]) -> bool {
    let replaces = |other: &Ask| match ask {
        Ask::Confirm {
            workshop,
            revision: None,
        } => {
            matches!(other, Ask::Submit(put) | Ask::Revise(put) if put.workshop == *workshop)
        }
        Ask::Approve { .. } | Ask::SendBack { .. } => matches!(other, Ask::Complete { .. }),
        Ask::Cancel => matches!(other, Ask::Confirm { .. } | Ask::Resolve(_)),
        Ask::Resolve(_) => matches!(other, Ask::Cancel),
        Ask::Place { .. }
        | Ask::Edit(_)
        | Ask::Invite { .. }
        | Ask::Submit(_)
        | Ask::Revise(_)
        | Ask::Withdraw { .. }
        | Ask::Decline { .. }
        | Ask::Confirm { .. }
        | Ask::Complete { .. }
        | Ask::Accept => false,
    };
    refused.code() == "CONCURRENT_MODIFICATION"
        && wave
            .iter()
            .zip(answers)
            .any(|((_, other), answer)| replaces(other) && answer.status.is_success())
}

#[test]
fn random_lives_go_as_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let system = runtime.block_on(System::start(NO_KAFKA));
    let pool = runtime.block_on(system.database.pool_app());
    let people = runtime.block_on(People::gather(&system));
    let seen_of_all = Mutex::new(BTreeSet::new());
    let config = Config {
        cases: CASES / AT_ONCE,
        failure_persistence: None,
        max_shrink_iters: 50,
        ..Config::default()
    };
    let live = |(model, waves, seen): (Model, Vec<Wave>, Option<Arc<AtomicUsize>>)| {
        runtime.block_on(async {
            let mut life = Life::begin(&system, &pool, &people, model).await;
            for wave in &waves {
                if let Some(seen) = &seen {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
                life.take(wave).await;
            }
            life.compare().await;
            let mut seen_of_all = seen_of_all.lock().unwrap();
            seen_of_all.extend(life.facts);
            seen_of_all.extend(life.model.state());
        });
        Ok::<_, TestCaseError>(())
    };
    thread::scope(|scope| {
        let runners: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let lives = Steering::sequential_strategy(1..=WAVES);
                let config = config.clone();
                scope.spawn(move || {
                    let outcome = TestRunner::new(config).run(&lives, live);
                    outcome.map_err(|failed| failed.to_string())
                })
            })
            .collect();
        for runner in runners {
            runner.join().unwrap().unwrap();
        }
    });
    // Lives that lead nowhere would prove nothing: six states, eighteen facts.
    let seen = seen_of_all.into_inner().unwrap();
    assert_eq!(seen.len(), 6 + 18, "{seen:?}");
}
