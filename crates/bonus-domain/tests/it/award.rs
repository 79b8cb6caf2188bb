//! Given what is known, when a fact comes, then these events.

use bonus_domain::{
    AccountAggregate, AccountError, AccountEvent, AccountFact, Award, Conflict, Corrupt, Fact,
    Grade, Points, Policy, Undecided,
};
use cqrs_es::test::TestFramework;

use crate::{ada, fact, instant, policy};

fn accounts(policy: &Policy) -> TestFramework<AccountAggregate> {
    TestFramework::with(policy.clone())
}

fn event(policy: &Policy, at: i64, fact: AccountFact) -> AccountEvent {
    AccountEvent {
        beneficiary_id: ada().id,
        beneficiary_role: ada().role,
        policy_version: policy.version(),
        occurred_at: instant(at),
        fact,
    }
}

fn awarded(policy: &Policy, at: i64, source: &Fact, points: i64, total: i64) -> AccountEvent {
    event(
        policy,
        at,
        AccountFact::PointsAwarded {
            source_event_id: source.source_event_id,
            source_type: source.source_type,
            source_occurred_at: source.occurred_at,
            order_id: source.order_id,
            points: Points::new(points),
            lifetime_points: Points::new(total),
        },
    )
}

fn graded(policy: &Policy, at: i64, from: Grade, to: Grade) -> AccountEvent {
    event(policy, at, AccountFact::GradeChanged { from, to })
}

fn award(known: &[&Fact], fact: &Fact, at: i64) -> Award {
    Award {
        known: known.iter().copied().copied().collect(),
        fact: *fact,
        now: instant(at),
    }
}

#[test]
fn the_first_award_opens_the_account_at_the_lowest_grade() {
    let placed = fact(1, "OrderPlaced", 7);
    accounts(policy(1))
        .given_no_previous_events()
        .when(award(&[], &placed, 5))
        .then_expect_events(vec![awarded(policy(1), 5, &placed, 40, 40)]);
}

#[test]
fn a_threshold_that_is_reached_changes_the_grade() {
    let placed = fact(1, "OrderPlaced", 7);
    let completed = fact(2, "OrderCompleted", 7);
    accounts(policy(1))
        .given(vec![awarded(policy(1), 5, &placed, 40, 40)])
        .when(award(&[&placed], &completed, 6))
        .then_expect_events(vec![
            awarded(policy(1), 6, &completed, 100, 140),
            graded(policy(1), 6, Grade::Bronze, Grade::Silver),
        ]);
}

#[test]
fn a_first_award_may_reach_a_threshold_at_once() {
    let completed = fact(2, "OrderCompleted", 7);
    accounts(policy(1))
        .given_no_previous_events()
        .when(award(&[], &completed, 5))
        .then_expect_events(vec![
            awarded(policy(1), 5, &completed, 100, 100),
            graded(policy(1), 5, Grade::Bronze, Grade::Silver),
        ]);
}

#[test]
fn a_known_fact_does_nothing() {
    let placed = fact(1, "OrderPlaced", 7);
    accounts(policy(1))
        .given(vec![awarded(policy(1), 5, &placed, 40, 40)])
        .when(award(&[&placed], &placed, 6))
        .then_expect_events(vec![]);
}

#[test]
fn a_fact_worth_nothing_opens_no_account() {
    let confirmed = fact(1, "OfferConfirmed", 7);
    accounts(policy(1))
        .given_no_previous_events()
        .when(award(&[], &confirmed, 5))
        .then_expect_events(vec![]);
}

#[test]
fn time_does_not_run_back_in_an_account() {
    let placed = fact(1, "OrderPlaced", 7);
    let another = fact(2, "OrderPlaced", 8);
    accounts(policy(1))
        .given(vec![awarded(policy(1), 50, &placed, 40, 40)])
        .when(award(&[], &another, 6))
        .then_expect_events(vec![awarded(policy(1), 50, &another, 40, 80)]);
}

#[test]
fn a_cancellation_takes_back_what_its_order_gave() {
    let placed = fact(1, "OrderPlaced", 7);
    let completed = fact(2, "OrderCompleted", 8);
    let cancelled = fact(3, "OrderCancelled", 7);
    accounts(policy(2))
        .given(vec![
            awarded(policy(2), 5, &completed, 120, 120),
            graded(policy(2), 5, Grade::Bronze, Grade::Silver),
            awarded(policy(2), 5, &placed, 10, 130),
        ])
        .when(award(&[&placed, &completed], &cancelled, 6))
        .then_expect_events(vec![awarded(policy(2), 6, &cancelled, -10, 120)]);
}

#[test]
fn a_cancellation_may_cost_the_grade() {
    let placed = fact(1, "OrderPlaced", 7);
    let confirmed = fact(2, "OfferConfirmed", 7);
    let cancelled = fact(3, "OrderCancelled", 7);
    accounts(policy(2))
        .given(vec![
            awarded(policy(2), 5, &confirmed, 30, 120),
            graded(policy(2), 5, Grade::Bronze, Grade::Silver),
        ])
        .when(award(&[&placed, &confirmed], &cancelled, 6))
        .then_expect_events(vec![
            awarded(policy(2), 6, &cancelled, -40, 80),
            graded(policy(2), 6, Grade::Silver, Grade::Bronze),
        ]);
}

#[test]
fn a_cancellation_by_dispute_takes_nothing() {
    let placed = fact(1, "OrderPlaced", 7);
    let cancelled = Fact {
        by_dispute: true,
        ..fact(2, "OrderCancelled", 7)
    };
    accounts(policy(2))
        .given(vec![awarded(policy(2), 5, &placed, 10, 10)])
        .when(award(&[&placed], &cancelled, 6))
        .then_expect_events(vec![]);
}

#[test]
fn what_is_placed_after_its_cancellation_gives_nothing() {
    let cancelled = fact(1, "OrderCancelled", 7);
    let placed = fact(2, "OrderPlaced", 7);
    accounts(policy(2))
        .given_no_previous_events()
        .when(award(&[&cancelled], &placed, 6))
        .then_expect_events(vec![]);
}

#[test]
fn an_account_of_another_policy_has_to_be_recomputed_first() {
    let placed = fact(1, "OrderPlaced", 7);
    accounts(policy(2))
        .given(vec![awarded(policy(1), 5, &placed, 40, 40)])
        .when(award(&[], &fact(2, "OfferConfirmed", 7), 6))
        .then_expect_error(AccountError::Undecided(Undecided::Conflict(
            Conflict::Account {
                account: policy(1).version(),
                active: policy(2).version(),
            },
        )));
}

#[test]
fn a_total_beyond_all_numbers_is_refused() {
    let placed = fact(1, "OrderPlaced", 7);
    accounts(policy(1))
        .given(vec![awarded(policy(1), 5, &placed, 40, i64::MAX)])
        .when(award(&[], &fact(2, "OrderPlaced", 8), 6))
        .then_expect_error_message("the award was refused");
}

#[test]
fn contradictions_are_corruption() {
    let placed = fact(1, "OrderPlaced", 7);
    let opened = awarded(policy(1), 5, &placed, 40, 40);
    let cases = [
        (
            vec![graded(policy(1), 5, Grade::Bronze, Grade::Silver)],
            Corrupt::Unopened,
        ),
        (
            vec![opened.clone(), awarded(policy(2), 5, &placed, 40, 80)],
            Corrupt::OtherPolicy {
                account: policy(1).version(),
                event: policy(2).version(),
            },
        ),
        (
            vec![opened.clone(), awarded(policy(1), 4, &placed, 40, 80)],
            Corrupt::TimeRunsBack,
        ),
        (
            vec![opened.clone(), awarded(policy(1), 5, &placed, 40, 90)],
            Corrupt::WrongTotal {
                before: Points::new(40),
                points: Points::new(40),
                after: Points::new(90),
            },
        ),
        (
            vec![opened, graded(policy(1), 5, Grade::Gold, Grade::Silver)],
            Corrupt::OtherGrade {
                account: Grade::Bronze,
                from: Grade::Gold,
            },
        ),
    ];
    for (events, corrupt) in cases {
        accounts(policy(1))
            .given(events)
            .when(award(&[], &placed, 6))
            .then_expect_error(AccountError::Corrupt(corrupt));
    }
}
