//! Two at once, through two processes: only what one after the other could have come to.

use futures::StreamExt as _;
use serde_json::Value;

use crate::commission::Answer;
use crate::model::{Ask, Edit, Model, Price, Put, Terms, Who};
use crate::people::{Order, People, answer, as_modelled};
use crate::system::System;

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
/// How often each pair races, and how many races there are at once.
const RACES: usize = 20;
const AT_ONCE: usize = 6;

const FIRST: usize = 0;
const SECOND: usize = 1;
const PENDING: usize = 2;

/// A command, and who gives it.
type Given = (&'static str, Who, Ask);
type Pair<'a> = [&'a Given; 2];

/// The commands that race, on an order where two offers stand and a third workshop is pending.
fn commands() -> Vec<Given> {
    let confirm = |workshop, revision| Ask::Confirm { workshop, revision };
    let edit = Edit {
        title: Some(1),
        ..Edit::default()
    };
    let withdraw = Ask::Withdraw { workshop: FIRST };
    let decline = Ask::Decline { workshop: PENDING };
    vec![
        ("confirm", Who::Commissioner, confirm(FIRST, None)),
        (
            "confirm what was read",
            Who::Commissioner,
            confirm(FIRST, Some(1)),
        ),
        (
            "confirm another",
            Who::Commissioner,
            confirm(SECOND, Some(1)),
        ),
        ("cancel", Who::Commissioner, Ask::Cancel),
        ("revise", Who::Workshop(FIRST), Ask::Revise(put(FIRST, 2))),
        ("withdraw", Who::Workshop(FIRST), withdraw),
        ("decline", Who::Workshop(PENDING), decline),
        ("edit", Who::Commissioner, Ask::Edit(edit)),
    ]
}

fn put(workshop: usize, amount: u32) -> Put {
    Put {
        workshop,
        terms: Terms {
            price: Price {
                amount,
                in_dollars: false,
            },
            due: 200,
            plan: 0,
        },
        answers: None,
    }
}

/// What the two were answered: the version after an accepted command, or the code.
type Told = [Result<usize, String>; 2];

/// What both came to: here, or one after the other in the model.
#[derive(Debug)]
struct Outcome {
    told: Told,
    facts: Vec<String>,
    shown: Value,
}

/// Both orders, and what a command may come to under which another thing takes the place of what it
/// acts on: a confirmation that names no revision is given up if the terms change, and a wish to
/// cancel the negotiation if an offer is confirmed.
fn explanations(order: &Order<'_>, begin: &Begin, pair: Pair<'_>) -> Vec<Outcome> {
    let mut explanations = vec![
        begin.serially(order, pair, &[0, 1]),
        begin.serially(order, pair, &[1, 0]),
    ];
    for (index, other) in [(0, 1), (1, 0)] {
        if matches!(
            (&pair[index].2, &pair[other].2),
            (Ask::Confirm { revision: None, .. }, Ask::Revise(_))
                | (Ask::Cancel, Ask::Confirm { .. })
        ) {
            explanations.push(begin.serially(order, pair, &[other]));
        }
    }
    explanations
}

/// The order before the race, in the model.
struct Begin {
    model: Model,
    facts: usize,
}

impl Begin {
    fn serially(&self, order: &Order<'_>, pair: Pair<'_>, turns: &[usize]) -> Outcome {
        let given_up = || Err("CONCURRENT_MODIFICATION".to_owned());
        let mut told = [given_up(), given_up()];
        let mut model = self.model.clone();
        let mut facts = Vec::new();
        for turn in turns {
            let (_, who, ask) = pair[*turn];
            told[*turn] = match answer(&mut model, *who, ask) {
                Ok(more) => {
                    facts.extend(more.into_iter().map(str::to_owned));
                    Ok(self.facts + facts.len())
                }
                Err(code) => Err(code.to_owned()),
            };
        }
        Outcome {
            told,
            shown: order.as_shown(&model, self.facts + facts.len()),
            facts,
        }
    }
}

struct Racecourse {
    system: System,
    people: People,
}

impl Racecourse {
    /// An order with two offers that stand and one pending invitation.
    async fn begin(&self, race: usize) -> (Order<'_>, Begin) {
        let app = &self.system.commands[race % 2];
        let workshops = vec![FIRST, SECOND, PENDING];
        let order = Order::place(&self.people, app, &workshops).await;
        let mut model = Model::new();
        let place = Ask::Place { workshops };
        model.take(Who::Commissioner, &place).unwrap();
        for workshop in [FIRST, SECOND] {
            let (who, ask) = (Who::Workshop(workshop), Ask::Submit(put(workshop, 1)));
            order.send(app, who, &ask).await.ok();
            model.take(who, &ask).unwrap();
        }
        (order, Begin { model, facts: 3 })
    }

    /// One race; says whose turn was the first, if only one order explains it.
    async fn race(&self, pair: Pair<'_>, race: usize) -> Option<usize> {
        let (order, begin) = self.begin(race).await;
        let [first, second] = &self.system.commands;
        let (left, right) = tokio::join!(
            order.send(first, pair[0].1, &pair[0].2),
            order.send(second, pair[1].1, &pair[1].2)
        );
        let outcome = self.outcome(&order, &begin, [left, right]).await;
        let explanations = explanations(&order, &begin, pair);
        let explained: Vec<_> = (0..explanations.len())
            .filter(|one| {
                let one = &explanations[*one];
                one.told == outcome.told && one.facts == outcome.facts && one.shown == outcome.shown
            })
            .collect();
        let names = [pair[0].0, pair[1].0];
        assert!(!explained.is_empty(), "{names:?} came to {outcome:#?}");
        (explained.len() == 1).then(|| explained[0])
    }

    async fn outcome(&self, order: &Order<'_>, begin: &Begin, answers: [Answer; 2]) -> Outcome {
        let done = answers.iter().filter(|answer| answer.status.is_success());
        let last = done.max_by_key(|answer| answer.body["version"].as_u64());
        let position = last.unwrap().body["position"].as_str().unwrap();
        let query = &self.system.query;
        let timeline = order.read(query, "/timeline", position).await;
        let facts = timeline["items"].as_array().unwrap()[begin.facts..].iter();
        let told = answers.each_ref().map(|answer| {
            if answer.status.is_success() {
                Ok(answer.body["version"].as_u64().unwrap().try_into().unwrap())
            } else {
                Err(answer.code().to_owned())
            }
        });
        Outcome {
            told,
            facts: facts
                .map(|f| f["event"].as_str().unwrap().to_owned())
                .collect(),
            shown: as_modelled(order.read(query, "", position).await),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_comes_to_what_a_serial_order_explains() {
    let system = System::start(NO_KAFKA).await;
    let people = People::gather(&system).await;
    let course = Racecourse { system, people };
    let commands = commands();
    let mut races = Vec::new();
    for (index, left) in commands.iter().enumerate() {
        for right in &commands[index..] {
            for race in 0..RACES {
                // Each of them is sent first, and through either process.
                let [left, right] = if race % 4 < 2 {
                    [left, right]
                } else {
                    [right, left]
                };
                races.push(course.race([left, right], race));
            }
        }
    }
    let turns = futures::stream::iter(races).buffer_unordered(AT_ONCE);
    let turns: Vec<_> = turns.collect().await;
    // Where one order alone explains a race, it was not always the same one.
    for turn in [0, 1] {
        let first = turns.iter().filter(|first| **first == Some(turn)).count();
        assert!(first > RACES, "{first} of {}", turns.len());
    }
}
