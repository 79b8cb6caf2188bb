//! The account is a function of the set of facts: neither order nor repetition of their delivery
//! matters, and knowing the facts of one order is knowing enough.

use std::collections::BTreeMap;

use bonus_domain::{Account, AccountFact, Fact, Facts, Points, Policy, award, evolve};
use proptest::prelude::*;

use crate::{fact, instant, policy};

const EVENTS: [&str; 5] = [
    "OrderPlaced",
    "OfferConfirmed",
    "OrderCompleted",
    "OrderCancelled",
    "WorkshopCredited",
];

/// Facts of a few orders, each event with an id of its own.
fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let one = (0..EVENTS.len(), 1..=3_u128, any::<bool>());
    prop::collection::vec(one, 0..24).prop_map(|drawn| {
        (1..)
            .zip(drawn)
            .map(|(id, (event, order, by_dispute))| Fact {
                by_dispute,
                ..fact(id, EVENTS[event], order)
            })
            .collect()
    })
}

/// Facts, and a delivery of them: each at least once, in any order.
fn deliveries() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    facts().prop_flat_map(|facts| {
        let repeated = prop::sample::subsequence(facts.clone(), 0..=facts.len());
        let delivery = repeated
            .prop_map({
                let facts = facts.clone();
                move |repeated| [facts.clone(), repeated].concat()
            })
            .prop_shuffle();
        (Just(facts), delivery)
    })
}

/// Delivers facts one by one; `beside` says which of the facts taken in so far are known.
fn deliver(
    policy: &Policy,
    delivery: &[Fact],
    beside: impl Fn(&Account, &Facts, &Fact) -> Facts,
) -> (Account, i64) {
    let mut ledger = Facts::default();
    let mut account = Account::default();
    let mut awarded = 0;
    for (at, fact) in (0..).zip(delivery) {
        let known = beside(&account, &ledger, fact);
        for event in award(&account, &known, fact, policy, instant(at)).expect("no refusal") {
            account = evolve(account, &event).expect("no contradiction");
            if let AccountFact::PointsAwarded { points, .. } = event.fact {
                awarded += points.get();
            }
        }
        ledger.insert(*fact);
    }
    (account, awarded)
}

fn everything(_: &Account, ledger: &Facts, _: &Fact) -> Facts {
    ledger.clone()
}

/// What an open account has to know: the facts of the same order.
fn one_order(account: &Account, ledger: &Facts, fact: &Fact) -> Facts {
    match account {
        Account::Unopened => ledger.clone(),
        Account::Open(_) => ledger
            .iter()
            .filter(|known| known.order_id == fact.order_id)
            .copied()
            .collect(),
    }
}

/// The total by the words of the rules, without the code of the policies.
fn oracle(number: u16, facts: &[Fact]) -> i64 {
    let worth: BTreeMap<&str, i64> = match number {
        1 => [("OrderPlaced", 40), ("OrderCompleted", 100)].into(),
        _ => [
            ("OrderPlaced", 10),
            ("OfferConfirmed", 30),
            ("OrderCompleted", 120),
        ]
        .into(),
    };
    let cancelled = |fact: &Fact| {
        number == 2
            && fact.source_type.as_str() != "OrderCompleted"
            && facts.iter().any(|other| {
                other.source_type.as_str() == "OrderCancelled"
                    && !other.by_dispute
                    && other.order_id == fact.order_id
            })
    };
    facts
        .iter()
        .filter(|fact| !cancelled(fact))
        .filter_map(|fact| worth.get(fact.source_type.as_str()))
        .sum()
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(
        (facts, delivery) in deliveries(),
        number in 1..=2_u16,
    ) {
        let policy = policy(number);
        let total = oracle(number, &facts);
        let set: Facts = facts.into_iter().collect();
        prop_assert_eq!(policy.total(&set), Ok(Points::new(total)));

        let (account, awarded) = deliver(policy, &delivery, everything);
        prop_assert_eq!(awarded, total);
        match account {
            Account::Unopened => prop_assert_eq!(total, 0),
            Account::Open(standing) => {
                prop_assert_eq!(standing.lifetime_points.get(), total);
                prop_assert_eq!(standing.grade, policy.grade(Points::new(total)));
                prop_assert_eq!(standing.policy_version, policy.version());
            }
        }
        prop_assert_eq!(deliver(policy, &delivery, one_order), (account, awarded));
    }
}
