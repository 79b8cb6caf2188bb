//! What holds after any run of commands, told to the order through its cqrs-es adapter.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use kernel::{Actor, WorkshopId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::scenario::*;
use super::{
    Context, InvitationStatus, Order, OrderAggregate, OrderAggregateError, OrderCommand,
    OrderEvent, OrderFact, OrderState, StageStatus, fold, stored,
};

/// One command of a run, and by how many minutes the clock has moved, either way.
#[derive(Debug, Clone)]
struct Step {
    actor: Actor,
    command: OrderCommand,
    minutes: i64,
}

fn workshop() -> impl Strategy<Value = WorkshopId> {
    prop_oneof![
        4 => Just(ALDER),
        4 => Just(BIRCH),
        4 => Just(CEDAR),
        1 => Just(STRANGER),
    ]
}

fn offer() -> impl Strategy<Value = OrderCommand> {
    let stages = prop_oneof![
        Just(&[][..]),
        Just(&["Make"][..]),
        Just(&["Sketch!", "Make"][..]),
        Just(&["Make", "Oil", "Deliver!"][..]),
    ];
    (workshop(), stages).prop_map(|(workshop_id, stages)| submit(workshop_id, stages))
}

fn command() -> impl Strategy<Value = OrderCommand> {
    prop_oneof![
        1 => Just(place(&[ALDER, BIRCH])),
        6 => offer(),
        3 => workshop().prop_map(decline),
        3 => workshop().prop_map(confirm),
        8 => (1_u32..5).prop_map(complete),
        6 => (1_u32..5).prop_map(approve),
        2 => Just(OrderCommand::AcceptWork),
        1 => Just(cancel()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let actor = prop_oneof![
        6 => Just(OPERATOR),
        3 => Just(COMMISSIONER),
        3 => workshop().prop_map(by),
        1 => Just(OTHER_COMMISSIONER),
        1 => Just(ANALYST),
    ];
    (actor, command(), -5_i64..20).prop_map(|(actor, command, minutes)| Step {
        actor,
        command,
        minutes,
    })
}

/// A run that begins with an order, as most would come to nothing without one.
fn run() -> impl Strategy<Value = Vec<Step>> {
    let seats = prop_oneof![
        Just(&[ALDER][..]),
        Just(&[ALDER, BIRCH][..]),
        Just(&[CEDAR, ALDER, BIRCH][..]),
    ];
    let first = seats.prop_map(|seats| Step {
        actor: COMMISSIONER,
        command: place(seats),
        minutes: 0,
    });
    (first, prop::collection::vec(step(), 0..60))
        .prop_map(|(first, rest)| [first].into_iter().chain(rest).collect())
}

/// The result of a future that has nothing to wait for.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the adapter waits for something"),
    }
}

/// Tells the order one command, and what it answers.
fn tell(
    aggregate: &mut OrderAggregate,
    step: &Step,
    minutes: i64,
) -> Result<Vec<OrderEvent>, OrderAggregateError> {
    let everywhere = directory(&[(ALDER, true), (BIRCH, true), (CEDAR, true)]);
    let context = Context::new(step.actor, minute(minutes)).with_directory(everywhere);
    let sink = EventSink::default();
    let before = aggregate.clone();
    let told = (step.command.clone(), context);
    let answer = ready(aggregate.handle(told, &(), &sink));
    let events = ready(sink.collect());
    if answer.is_err() {
        assert!(events.is_empty(), "a refused command emits nothing");
        assert_eq!(*aggregate, before, "a refused command changes nothing");
    }
    answer.map(|()| events)
}

fn count(history: &[OrderEvent], is_it: impl Fn(&OrderFact) -> bool) -> usize {
    history.iter().filter(|event| is_it(&event.fact)).count()
}

fn is_terminal(state: Option<OrderState>) -> bool {
    matches!(state, Some(OrderState::Completed | OrderState::Cancelled))
}

/// A step's events follow the order's earlier ones as the rules promise.
fn check_step(before: Option<OrderState>, history: &[OrderEvent], events: &[OrderEvent]) {
    assert!(!events.is_empty(), "an accepted command says what it did");
    assert!(!is_terminal(before), "nothing follows the end");
    let at = events[0].occurred_at;
    assert!(events.iter().all(|event| event.occurred_at == at));
    assert!(history.iter().all(|event| event.occurred_at <= at));
}

fn check_order(order: &Order, history: &[OrderEvent]) {
    let seats = order.placement().unwrap().invitations();
    let with = |status| seats.iter().filter(|seat| seat.status() == status).count();
    let confirmed = count(history, |f| matches!(f, OrderFact::OfferConfirmed { .. }));
    assert_eq!(with(InvitationStatus::Confirmed), confirmed);
    assert_eq!(order.work().is_some(), confirmed == 1);
    assert!(confirmed <= 1);

    // One round in the spine: closed once nobody is pending, by one fact of the right kind.
    let received = count(history, |f| {
        matches!(f, OrderFact::AllResponsesReceived { .. })
    });
    let closed = count(history, |f| matches!(f, OrderFact::AllInvitationsClosed {}));
    if order.state() == Some(OrderState::Negotiating) {
        let is_closed = with(InvitationStatus::Pending) == 0;
        let stands = with(InvitationStatus::Offered) > 0;
        assert_eq!(received == 1, is_closed && stands);
        assert_eq!(closed == 1, is_closed && !stands);
    } else {
        assert_eq!(with(InvitationStatus::Pending), 0);
        assert_eq!(with(InvitationStatus::Offered), 0);
    }
    assert!(received + closed <= 1);

    let finished = count(history, |f| matches!(f, OrderFact::OrderFinished { .. }));
    assert!(finished <= 1);
    check_stages(order, finished == 1);
}

fn check_stages(order: &Order, finished: bool) {
    let Some(work) = order.work() else { return };
    let mut stages = work
        .stages()
        .skip_while(|s| s.status.completed_at().is_some());
    match stages.next() {
        Some(current) => {
            assert!(!finished);
            if order.state() == Some(OrderState::InProgress) {
                assert_eq!(order.current_stage(), Some(current.number));
            }
        }
        None => assert!(finished),
    }
    assert!(stages.all(|stage| stage.status == StageStatus::Pending));
    let times: Vec<_> = work
        .stages()
        .filter_map(|s| s.status.completed_at())
        .collect();
    assert!(times.is_sorted());
}

/// The store gives back what it was given, and the same order comes of it.
fn check_stored(order: &Order, history: &[OrderEvent]) {
    let read: Vec<_> = history
        .iter()
        .map(|event| {
            let encoded = stored::encode(event);
            stored::decode(encoded.event_type, encoded.event_version, &encoded.payload).unwrap()
        })
        .collect();
    assert_eq!(read, history);
    assert_eq!(fold(&read).as_ref(), Ok(order));
}

#[test]
fn the_promises_hold_after_any_run_of_commands() {
    let reached = RefCell::new(BTreeSet::new());
    let config = Config {
        cases: 500,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&run(), |steps| {
        let mut aggregate = OrderAggregate::default();
        let mut history: Vec<OrderEvent> = Vec::new();
        let mut minutes = 0;
        for step in &steps {
            minutes += step.minutes;
            let before = aggregate.clone().into_order().unwrap().state();
            if let Ok(events) = tell(&mut aggregate, step, minutes) {
                check_step(before, &history, &events);
                history.extend(events);
                check_order(&aggregate.clone().into_order().unwrap(), &history);
            }
        }
        let order = aggregate.into_order().unwrap();
        check_stored(&order, &history);
        reached
            .borrow_mut()
            .extend(order.state().map(OrderState::as_str));
        Ok(())
    });
    outcome.unwrap();
    // Runs that end nowhere would prove nothing.
    assert_eq!(reached.into_inner().len(), 6);
}
