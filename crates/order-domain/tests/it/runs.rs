//! Random runs: the order and the model of it are asked the same, and must say and be the same.

use std::collections::BTreeSet;
use std::sync::Mutex;

use order_domain::order::{Order, OrderEvent, decide, evolve, fold, stored};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use crate::audit::Audit;
use crate::model::{Ask, Edit, Model, Outcome, Price, Put, Terms, Who};
use crate::order::{assert_same, command, context};
use crate::toss::{self, Step};

/// The fewest runs; PROPTEST_CASES asks for more.
const RUNS: u32 = 10_000;
/// The most commands of a run.
const COMMANDS: usize = 60;

/// The model after a step, and what it said.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) model: Model,
    said: Outcome,
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            model: Model::new(),
            said: Ok(vec![]),
        })
        .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        toss::step(&state.model).boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.model.clock += step.minutes;
        state.said = state.model.take(step.who, &step.ask);
        state
    }
}

/// The order under test, how it came about, and what was seen on the way.
#[derive(Default)]
struct Tested {
    order: Order,
    history: Vec<OrderEvent>,
    audit: Audit,
    seen: BTreeSet<&'static str>,
}

/// What any run has seen: runs that lead nowhere would prove nothing.
static SEEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl StateMachineTest for Tested {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(_: &Reference) -> Self {
        Self::default()
    }

    fn apply(mut tested: Self, reference: &Reference, step: Step) -> Self {
        let command = command(&step.ask);
        let context = context(step.who, &command, reference.model.clock);
        let outcome = decide(&tested.order, command, &context);
        let said = match &outcome {
            Ok(events) => Ok(events.iter().map(|e| e.fact.event_type()).collect()),
            Err(rejection) => Err(rejection.code().as_str()),
        };
        assert_eq!(said, reference.said);
        match outcome {
            Ok(events) => {
                tested.audit.take(&events);
                tested.order = events.iter().try_fold(tested.order, evolve).unwrap();
                tested.seen.extend(said.unwrap());
                tested.history.extend(events);
            }
            Err(rejection) => {
                tested.seen.insert(rejection.code().as_str());
            }
        }
        tested
    }

    fn check_invariants(tested: &Self, reference: &Reference) {
        assert_same(&tested.order, &reference.model);
    }

    /// The store gives back what it was given, and the same order comes of it.
    fn teardown(mut tested: Self, _: Reference) {
        let read = tested.history.iter().flat_map(|event| {
            let encoded = stored::encode(event);
            let payload = encoded.payload.to_string();
            stored::decode(encoded.event_type, encoded.event_version, &payload).unwrap()
        });
        let read: Vec<_> = read.collect();
        assert_eq!(read, tested.history);
        assert_eq!(fold(&read).as_ref(), Ok(&tested.order));
        tested
            .seen
            .extend(tested.order.state().map(|state| state.as_str()));
        SEEN.lock().unwrap().append(&mut tested.seen);
    }
}

/// Longer than any random run: until no revision is left.
#[test]
fn a_long_negotiation_goes_as_the_model_says() {
    let title = |title| {
        let edit = Edit {
            title: Some(title),
            ..Edit::default()
        };
        Ask::Edit(edit)
    };
    let put = |amount| Put {
        workshop: 0,
        terms: Terms {
            price: Price {
                amount,
                in_dollars: false,
            },
            due: 300,
            plan: 0,
        },
        answers: None,
    };
    let mut asks = vec![(Who::Commissioner, Ask::Place { workshops: vec![0] })];
    for round in 0..60 {
        // The workshop withdraws, and is invited again; every other time it revises before.
        asks.push((Who::Workshop(0), Ask::Submit(put(1))));
        if round % 2 == 0 {
            asks.push((Who::Workshop(0), Ask::Revise(put(2))));
        }
        asks.extend([
            (Who::Workshop(0), Ask::Withdraw { workshop: 0 }),
            (Who::Commissioner, Ask::Invite { workshops: vec![0] }),
            (Who::Commissioner, title(round % 2 + 1)),
            (Who::Commissioner, title(0)),
        ]);
    }
    let mut reference = Reference {
        model: Model::new(),
        said: Ok(vec![]),
    };
    let mut tested = Tested::default();
    for (who, ask) in asks {
        let step = Step {
            minutes: 0,
            who,
            ask,
        };
        reference = Reference::apply(reference, &step);
        tested = <Tested as StateMachineTest>::apply(tested, &reference, step);
        <Tested as StateMachineTest>::check_invariants(&tested, &reference);
    }
    assert!(tested.seen.contains("REVISION_LIMIT"));
    assert_eq!(reference.model.request.revision, 100);
    assert_eq!(reference.model.seat(0).unwrap().offers, 50);
}

#[test]
fn any_run_of_commands_goes_as_the_model_says() {
    let default = Config::default();
    let config = Config {
        cases: default.cases.max(RUNS),
        failure_persistence: None,
        ..default
    };
    let runs = Reference::sequential_strategy(1..=COMMANDS);
    let outcome = TestRunner::new(config.clone()).run(&runs, |(model, steps, seen)| {
        Tested::test_sequential(config.clone(), model, steps, seen);
        Ok(())
    });
    outcome.unwrap();
    // Six states, eighteen facts, and every code but those that need a longer life than a run.
    let seen = SEEN.lock().unwrap();
    assert_eq!(seen.len(), 6 + 18 + 14, "{seen:?}");
}
