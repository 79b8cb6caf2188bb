//! The account is a function of the set of facts: order, repetition and the way there do not matter.

use bonus_domain::{
    Account, AccountFact, Assessment, Earnings, Fact, Facts, Head, Holdings, KnownFacts, Place,
    Points, Policy, Taken, Undecided, diff, evolve, explain, settle,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::{ada, fact, instant, oracle, policy};

const EVENTS: [&str; 5] = [
    "OrderPlaced",
    "OfferConfirmed",
    "OrderCompleted",
    "OrderCancelled",
    "WorkshopCredited",
];

/// The day on which every fact has been told.
const TOLD: i64 = 50;

fn day(number: i64) -> DateTime<Utc> {
    instant(number * 86_400)
}

/// Facts of a few orders over fifty days, many at equal instants, each event with an id of its own.
fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let one = (0..EVENTS.len(), 1..=4_u128, any::<bool>(), 0..TOLD);
    prop::collection::vec(one, 0..28).prop_map(|drawn| {
        (1..)
            .zip(drawn)
            .map(|(id, (event, order, by_dispute, at))| Fact {
                by_dispute,
                occurred_at: day(at),
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

/// What is read beside a fact: those of its order, and the newest of all with their orders, as many
/// pages of two as are asked for.
fn read(ledger: &Facts, fact: &Fact, pages: usize) -> KnownFacts {
    let newest: Vec<Fact> = ledger.iter().rev().take(2 * pages).copied().collect();
    let with_orders = |seed: &[Fact]| -> Facts {
        let of_orders = seed
            .iter()
            .flat_map(|one| ledger.of_its_order(one).iter().copied().collect::<Vec<_>>());
        of_orders.chain(seed.iter().copied()).collect()
    };
    let beside: Vec<Fact> = ledger.of_its_order(fact).iter().copied().collect();
    let facts = with_orders(&[newest.clone(), beside].concat());
    match newest.last() {
        Some(last) if newest.len() < ledger.len() => KnownFacts::all_after(last.occurred_at, facts),
        _ => KnownFacts::all(ledger.clone()),
    }
}

/// Decides with as little as suffices.
fn paged<T>(
    ledger: &Facts,
    fact: &Fact,
    mut decide: impl FnMut(&KnownFacts) -> Result<T, Undecided>,
) -> T {
    for pages in 1.. {
        match decide(&read(ledger, fact, pages)) {
            Err(Undecided::More(more)) => {
                assert!(2 * pages < ledger.len(), "{more} of facts that are known");
            }
            decided => return decided.expect("no refusal"),
        }
    }
    unreachable!("the ledger has an end")
}

/// An account that is told of facts, one by one.
struct Told {
    head: Head,
    account: Account,
    ledger: Facts,
    awarded: i64,
    /// When VIP began and ended.
    vip: Vec<(bool, DateTime<Utc>)>,
}

impl Told {
    fn new(policy: &Policy) -> Self {
        Self {
            head: Head::new(policy),
            account: Account::Unopened,
            ledger: Facts::default(),
            awarded: 0,
            vip: Vec::new(),
        }
    }

    fn moved(&mut self, moved: &bonus_domain::Moved) {
        for event in &moved.events {
            self.account = evolve(self.account, event).expect("no contradiction");
            match event.fact {
                AccountFact::PointsAwarded { points, .. } => self.awarded += points.get(),
                AccountFact::VipAcquired { .. } => self.vip.push((true, event.occurred_at)),
                AccountFact::VipLost => self.vip.push((false, event.occurred_at)),
                AccountFact::GradeChanged { .. }
                | AccountFact::AwardDeferred { .. }
                | AccountFact::PolicyRecomputed { .. } => {}
            }
        }
        self.head = moved.head;
        assert_eq!(self.head.account(), self.account);
    }

    fn tell(&mut self, policy: &Policy, fact: &Fact, now: DateTime<Utc>) {
        if self.ledger.contains(fact.source_event_id) {
            return;
        }
        let head = self.head;
        let taken = paged(&self.ledger, fact, |known| {
            settle(head, ada(), known, policy, now)?.award(known, fact, policy)
        });
        match taken {
            Taken::Repeated => panic!("it was not told before"),
            Taken::Kept => {}
            Taken::Awarded { moved, counted_by } => {
                assert!(matches!(
                    moved.events[counted_by - 1].fact,
                    AccountFact::PointsAwarded { source_event_id, .. }
                        if source_event_id == fact.source_event_id
                ));
                self.moved(&moved);
            }
        }
        self.ledger.insert(*fact);
    }

    fn expire(&mut self, counted: &Facts, policy: &Policy, now: DateTime<Utc>) {
        let (head, any) = (self.head, fact(1, "OrderPlaced", 1));
        let moved = paged(counted, &any, |known| {
            Ok(settle(head, ada(), known, policy, now)?.into_moved())
        });
        self.moved(&moved);
    }

    fn recompute(&mut self, counted: &Facts, old: &Policy, new: &Policy, now: DateTime<Utc>) {
        let known = KnownFacts::all(counted.clone());
        let settled = settle(self.head, ada(), &known, old, now).expect("no refusal");
        let moved = settled.recompute(&self.ledger, new).expect("no refusal");
        self.moved(&moved);
    }

    /// The account is what the oracle says of the facts at `now`, under policy `number`.
    fn agrees(&self, number: u16, now: DateTime<Utc>) {
        let facts: Vec<Fact> = self.ledger.iter().copied().collect();
        let total = oracle::total(number, &facts);
        match self.head {
            Head::Unopened { .. } => assert_eq!(total, 0),
            Head::Open {
                standing,
                next_vip_change,
            } => {
                assert_eq!(standing.lifetime_points.get(), total);
                assert_eq!(standing.grade, oracle::grade(number, total));
                assert_eq!(standing.policy_version, policy(number).version());
                assert_eq!(standing.vip, oracle::vip(number, &facts, now));
                assert_eq!(next_vip_change, oracle::next_change(number, &facts, now));
            }
        }
    }
}

/// An account as a difference tells it.
fn assessed(account: Account) -> Option<Assessment> {
    match account {
        Account::Unopened => None,
        Account::Open(standing) => Some(Assessment {
            lifetime_points: standing.lifetime_points,
            grade: standing.grade,
            vip: standing.vip,
        }),
    }
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(
        (facts, delivery) in deliveries(),
        number in 1..=2_u16,
    ) {
        let policy = policy(number);
        let set: Facts = facts.iter().copied().collect();
        prop_assert_eq!(policy.total(&set), Ok(Points::new(oracle::total(number, &facts))));

        let mut told = Told::new(policy);
        for fact in &delivery {
            told.tell(policy, fact, day(TOLD));
            told.agrees(number, day(TOLD));
        }
        prop_assert_eq!(told.awarded, oracle::total(number, &facts));
        let before = told.head;
        told.recompute(&set, policy, policy, day(TOLD));
        prop_assert_eq!(before, told.head, "a recompute has nothing to say");
    }

    /// Facts come while time passes, late or ahead of it, and the clock looks now and then.
    #[test]
    fn vip_comes_and_goes_at_the_right_instants(
        delivery in facts(),
        lags in prop::collection::vec(-1..40_i64, 28),
        number in 1..=2_u16,
    ) {
        let policy = policy(number);
        let mut told = Told::new(policy);
        let mut now = day(0);
        for (fact, lag) in delivery.iter().zip(&lags) {
            now = now.max(fact.occurred_at + TimeDelta::days(*lag));
            told.tell(policy, fact, now);
            if lag % 3 == 0 {
                now += TimeDelta::days(2);
                told.expire(&told.ledger.clone(), policy, now);
                told.agrees(number, now);
            }
        }
        told.expire(&told.ledger.clone(), policy, day(400));
        told.agrees(number, day(400));
        prop_assert!(told.vip.iter().enumerate().all(|(at, (vip, _))| *vip == (at % 2 == 0)));
        prop_assert!(told.vip.windows(2).all(|two| two[0].1 <= two[1].1));
        let last: Vec<Fact> = told.ledger.iter().copied().collect();
        // From the last fact on nothing but time made it flip.
        for (vip, at) in told.vip.iter().filter(|(_, at)| *at > now) {
            prop_assert_eq!(*vip, oracle::vip(number, &last, *at));
            prop_assert_ne!(*vip, oracle::vip(number, &last, *at - TimeDelta::microseconds(1)));
        }
    }

    #[test]
    fn the_next_change_is_the_first_one_of_all(facts in facts(), number in 1..=2_u16, at in -1..100_i64) {
        let set: Facts = facts.iter().copied().collect();
        let earnings = Earnings::new(policy(number), &KnownFacts::all(set));
        for t in [day(at), day(at) + TimeDelta::microseconds(1), day(at) - TimeDelta::microseconds(1)] {
            prop_assert_eq!(earnings.is_vip(t), Ok(oracle::vip(number, &facts, t)));
            prop_assert_eq!(earnings.next_change(t), Ok(oracle::next_change(number, &facts, t)));
        }
    }

    /// One policy follows another in the middle: facts are deferred, and counted by the recompute.
    #[test]
    fn a_recompute_does_what_the_diff_said(facts in facts(), split in 0..28_usize, late in 0..60_i64) {
        let now = day(TOLD);
        let (before, after) = facts.split_at(split.min(facts.len()));
        let mut told = Told::new(policy(1));
        for fact in before {
            told.tell(policy(1), fact, now);
        }
        let counted = told.ledger.clone();
        for fact in after {
            prop_assert!(told.head.conflict(policy(2)).is_some());
            let settled = settle(told.head, ada(), &KnownFacts::all(counted.clone()), policy(1), now);
            let moved = settled.expect("no refusal").defer(fact).expect("no refusal");
            told.moved(&moved);
            told.ledger.insert(*fact);
        }

        let later = now + TimeDelta::days(late);
        told.expire(&counted, policy(1), later);
        let of = Holdings {
            policy_version: policy(1).version(),
            opened: matches!(told.account, Account::Open(_)),
            counted: &counted,
            all: &told.ledger,
        };
        let said = diff(policy(1), policy(2), of, later).expect("small numbers");
        prop_assert_eq!(said.before, assessed(told.account));
        told.recompute(&counted, policy(1), policy(2), later);
        told.agrees(2, later);
        prop_assert_eq!(said.after, assessed(told.account));
        // Back again: as if nothing had been.
        let all = told.ledger.clone();
        told.recompute(&all, policy(2), policy(1), later);
        told.agrees(1, later);
        let settled = told.head;
        told.recompute(&all, policy(1), policy(1), later);
        prop_assert_eq!(settled, told.head);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn an_explanation_sums_to_the_numbers_and_has_every_fact_once(
        facts in facts(),
        number in 1..=2_u16,
        kept in 0..28_usize,
        at in 0..90_i64,
    ) {
        let (counted, deferred) = facts.split_at(kept.min(facts.len()));
        let set: Facts = counted.iter().copied().collect();
        let aside: Facts = deferred.iter().copied().collect();
        let explained = explain(policy(number), &set, &aside, day(at)).expect("small numbers");
        prop_assert_eq!(explained.lifetime_points.get(), oracle::total(number, counted));
        prop_assert_eq!(explained.window_points.get(), oracle::window(number, counted, day(at)));
        prop_assert_eq!(explained.is_vip(), oracle::vip(number, counted, day(at)));
        prop_assert_eq!(explained.next_vip_change, oracle::next_change(number, counted, day(at)));

        let mut ids: Vec<_> = explained.parts.iter().map(|part| part.fact.source_event_id).collect();
        prop_assert_eq!(ids.len(), facts.len());
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), facts.len());
        for part in &explained.parts {
            let aside = deferred.contains(&part.fact);
            prop_assert_eq!(part.place == Place::Deferred, aside);
            prop_assert!(part.sentence(&explained).starts_with(part.fact.source_type.as_str()));
        }
    }
}
