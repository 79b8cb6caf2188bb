//! The rules once more, by the words of the domain and without the code of the policies: slow, and
//! simple enough to be seen to be right.

use std::collections::BTreeMap;

use bonus_domain::{Fact, Grade};
use chrono::{DateTime, TimeDelta, Utc};
use kernel::Role;

/// What each fact is worth under policy `number`.
pub(crate) fn worths(number: u16, facts: &[Fact]) -> Vec<(DateTime<Utc>, i64)> {
    let prices: BTreeMap<(&str, Role), i64> = match number {
        1 => [("OrderPlaced", 40), ("OrderCompleted", 100)]
            .map(|(event, points)| ((event, Role::Commissioner), points))
            .into(),
        _ => [
            (("OrderPlaced", Role::Commissioner), 10),
            (("OfferConfirmed", Role::Commissioner), 30),
            (("OrderCompleted", Role::Commissioner), 120),
            (("WorkshopCredited", Role::Workshop), 50),
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
    let worth = |fact: &Fact| {
        let price = prices.get(&(fact.source_type.as_str(), fact.beneficiary.role));
        price.copied().filter(|_| !cancelled(fact)).unwrap_or(0)
    };
    facts
        .iter()
        .map(|fact| (fact.occurred_at, worth(fact)))
        .collect()
}

pub(crate) fn total(number: u16, facts: &[Fact]) -> i64 {
    worths(number, facts).iter().map(|(_, points)| points).sum()
}

pub(crate) fn grade(number: u16, total: i64) -> Grade {
    let [silver, gold, platinum] = match number {
        1 => [100, 300, 1_000],
        _ => [120, 400, 1_200],
    };
    match total {
        _ if total >= platinum => Grade::Platinum,
        _ if total >= gold => Grade::Gold,
        _ if total >= silver => Grade::Silver,
        _ => Grade::Bronze,
    }
}

pub(crate) fn window(number: u16, facts: &[Fact], t: DateTime<Utc>) -> i64 {
    worths(number, facts)
        .iter()
        .filter(|(at, _)| *at > t - TimeDelta::days(30) && *at <= t)
        .map(|(_, points)| points)
        .sum()
}

pub(crate) fn vip(number: u16, facts: &[Fact], t: DateTime<Utc>) -> bool {
    window(number, facts, t) >= if number == 1 { 200 } else { 250 }
}

/// The first flip after `t`: every instant is tried at which the window changes at all.
pub(crate) fn next_change(number: u16, facts: &[Fact], t: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let now = vip(number, facts, t);
    let instants = facts
        .iter()
        .flat_map(|fact| [fact.occurred_at, fact.occurred_at + TimeDelta::days(30)]);
    instants
        .filter(|at| *at > t && vip(number, facts, *at) != now)
        .min()
}
