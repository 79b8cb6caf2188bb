//! The numbers of the two policies, told as stories.

use bonus_domain::{
    AccountFact, Fact, Facts, Grade, Head, KnownFacts, Moved, Place, Points, Taken, explain, settle,
};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{ada, fact, instant, policy};

const WINDOW: TimeDelta = TimeDelta::hours(30 * 24);

/// Policy `number`'s account of Ada, told of facts at their own instants.
struct Story {
    number: u16,
    head: Head,
    facts: Facts,
}

impl Story {
    fn under(number: u16) -> Self {
        Self {
            number,
            head: Head::new(policy(number)),
            facts: Facts::default(),
        }
    }

    fn known(&self) -> KnownFacts {
        KnownFacts::all(self.facts.clone())
    }

    fn tell(&mut self, fact: Fact) -> Vec<AccountFact> {
        let (policy, known) = (policy(self.number), self.known());
        let settled = settle(self.head, ada(), &known, policy, fact.occurred_at).expect("settled");
        let taken = settled.award(&known, &fact, policy).expect("taken");
        self.facts.insert(fact);
        match taken {
            Taken::Repeated | Taken::Kept => Vec::new(),
            Taken::Awarded { moved, .. } => self.take(moved),
        }
    }

    fn wait(&mut self, now: DateTime<Utc>) -> Vec<(AccountFact, DateTime<Utc>)> {
        let known = self.known();
        let settled = settle(self.head, ada(), &known, policy(self.number), now).expect("settled");
        let moved = settled.into_moved();
        let told = moved
            .events
            .iter()
            .map(|event| (event.fact.clone(), event.occurred_at));
        let told = told.collect();
        self.take(moved);
        told
    }

    fn recompute(&mut self, number: u16, now: DateTime<Utc>) -> Vec<AccountFact> {
        let known = self.known();
        let settled = settle(self.head, ada(), &known, policy(self.number), now).expect("settled");
        let moved = settled
            .recompute(&self.facts, policy(number))
            .expect("recomputed");
        self.number = number;
        self.take(moved)
    }

    fn take(&mut self, moved: Moved) -> Vec<AccountFact> {
        self.head = moved.head;
        moved.events.into_iter().map(|event| event.fact).collect()
    }

    fn stands(&self) -> (i64, Grade, bool) {
        let account = self.head.account();
        (
            self.head.lifetime_points().get(),
            account.grade(),
            account.is_vip(),
        )
    }
}

fn placed(id: u128) -> Fact {
    fact(id, "OrderPlaced", id)
}

fn completed(id: u128) -> Fact {
    fact(id, "OrderCompleted", id)
}

#[test]
fn vip_begins_once_at_its_very_points() {
    let mut story = Story::under(1);
    story.tell(placed(1));
    assert_eq!(story.stands(), (40, Grade::Bronze, false));
    story.tell(completed(2));
    assert_eq!(story.stands(), (140, Grade::Silver, false));
    story.tell(placed(3));
    assert_eq!(story.stands(), (180, Grade::Silver, false));
    let events = story.tell(placed(4));
    assert_eq!(story.stands(), (220, Grade::Silver, true));
    // All four are needed to reach 200.
    let until = placed(1).occurred_at + WINDOW;
    assert_eq!(events[1..], [AccountFact::VipAcquired { until }]);
    let events = story.tell(placed(5));
    assert!(
        matches!(events[..], [AccountFact::PointsAwarded { .. }]),
        "VIP only once"
    );
}

#[test]
fn vip_takes_200_points_and_no_less() {
    let mut story = Story::under(1);
    story.tell(completed(1));
    story.tell(placed(2));
    story.tell(placed(3));
    assert_eq!(story.stands(), (180, Grade::Silver, false));
    let mut story = Story::under(1);
    story.tell(completed(1));
    story.tell(completed(2));
    assert_eq!(story.stands(), (200, Grade::Silver, true));
}

#[test]
fn points_age_to_the_microsecond() {
    let mut story = Story::under(1);
    story.tell(completed(1));
    story.tell(completed(2));
    let ends = completed(1).occurred_at + WINDOW;
    assert_eq!(story.head.next_vip_change(), Some(ends));
    assert_eq!(story.wait(ends - TimeDelta::microseconds(1)), []);
    assert_eq!(story.wait(ends), [(AccountFact::VipLost, ends)]);
    assert_eq!(
        story.stands(),
        (200, Grade::Silver, false),
        "the grade stays"
    );
    assert_eq!(story.head.next_vip_change(), None);
}

#[test]
fn points_that_age_in_part_leave_vip() {
    let mut story = Story::under(1);
    for id in 1..=3 {
        story.tell(completed(id));
    }
    assert_eq!(
        story.head.next_vip_change(),
        Some(completed(2).occurred_at + WINDOW)
    );
    assert_eq!(story.wait(completed(1).occurred_at + WINDOW), []);
    assert_eq!(story.stands(), (300, Grade::Gold, true));
}

#[test]
fn flips_that_fell_due_come_before_what_is_appended_then() {
    let mut story = Story::under(1);
    story.tell(completed(1));
    story.tell(completed(2));
    let late = Fact {
        occurred_at: instant(60 * 86_400),
        ..completed(3)
    };
    let events = story.tell(late);
    assert!(
        matches!(
            events[..],
            [
                AccountFact::VipLost,
                AccountFact::PointsAwarded { .. },
                AccountFact::GradeChanged { .. }
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn a_fact_that_lies_ahead_counts_for_vip_when_it_occurs() {
    let mut story = Story::under(1);
    story.tell(completed(1));
    let ahead = Fact {
        occurred_at: instant(100),
        ..completed(2)
    };
    let known = story.known();
    let settled = settle(story.head, ada(), &known, policy(1), instant(5)).expect("settled");
    let Taken::Awarded { moved, .. } = settled.award(&known, &ahead, policy(1)).expect("taken")
    else {
        panic!("it is worth something")
    };
    story.facts.insert(ahead);
    story.take(moved);
    assert_eq!(story.stands(), (200, Grade::Silver, false));
    assert_eq!(story.head.next_vip_change(), Some(instant(100)));
    let ends = completed(1).occurred_at + WINDOW;
    let gained = AccountFact::VipAcquired { until: ends };
    // After a long stop both have fallen due: each has its own instant.
    let told = story.wait(instant(100 * 86_400));
    assert_eq!(told, [(gained, instant(100)), (AccountFact::VipLost, ends)]);
}

#[test]
fn a_cancellation_takes_the_same_before_and_after_what_it_cancels() {
    let confirmed = fact(2, "OfferConfirmed", 1);
    let cancelled = fact(3, "OrderCancelled", 1);
    for order in [
        [placed(1), confirmed, cancelled],
        [cancelled, placed(1), confirmed],
    ] {
        let mut story = Story::under(2);
        story.tell(completed(9));
        for fact in order {
            story.tell(fact);
        }
        assert_eq!(story.stands(), (120, Grade::Silver, false));
    }
}

#[test]
fn another_policy_tells_the_net_change_and_the_first_one_is_back_as_it_was() {
    let mut story = Story::under(1);
    for id in 1..=5 {
        story.tell(placed(id));
    }
    story.tell(fact(6, "OfferConfirmed", 1));
    assert_eq!(story.stands(), (200, Grade::Silver, true));
    let before = story.head.next_vip_change();
    let now = instant(10);
    let events = story.recompute(2, now);
    assert_eq!(
        events,
        [
            AccountFact::PolicyRecomputed {
                from_version: Some(policy(1).version()),
                to_version: policy(2).version(),
                points_before: Points::new(200),
                points_after: Points::new(80),
            },
            AccountFact::GradeChanged {
                from: Grade::Silver,
                to: Grade::Bronze,
            },
            AccountFact::VipLost,
        ]
    );
    assert_eq!(story.recompute(2, now), [], "nothing is left to say");
    assert_eq!(story.recompute(1, now).len(), 3);
    assert_eq!(story.stands(), (200, Grade::Silver, true));
    assert_eq!(story.head.next_vip_change(), before);
}

#[test]
fn facts_that_were_worth_nothing_open_an_account_under_another_policy() {
    let mut story = Story::under(1);
    assert_eq!(story.tell(fact(1, "OfferConfirmed", 1)), []);
    let events = story.recompute(2, instant(5));
    assert!(matches!(
        events[..],
        [AccountFact::PolicyRecomputed {
            from_version: None,
            points_before: Points::ZERO,
            ..
        }]
    ));
    assert_eq!(story.stands(), (30, Grade::Bronze, false));

    let mut nothing = Story::under(1);
    nothing.tell(fact(1, "OrderCancelled", 1));
    assert_eq!(nothing.recompute(2, instant(5)), []);
    assert_eq!(
        nothing.head,
        Head::new(policy(2)),
        "it is of the new policy all the same"
    );
}

#[test]
fn an_account_is_not_of_its_policy_while_facts_are_deferred() {
    let mut story = Story::under(1);
    story.tell(placed(1));
    let settled = settle(story.head, ada(), &story.known(), policy(1), instant(2));
    let moved = settled
        .expect("settled")
        .defer(&placed(2))
        .expect("deferred");
    story.facts.insert(placed(2));
    let deferred = placed(2).source_event_id;
    let events = story.take(moved);
    assert_eq!(
        events,
        [AccountFact::AwardDeferred {
            source_event_id: deferred
        }]
    );
    assert!(
        story.head.conflict(policy(1)).is_some(),
        "policy 1 is active again"
    );
    let events = story.recompute(1, instant(3));
    assert!(matches!(events[..], [AccountFact::PolicyRecomputed { .. }]));
    assert_eq!(story.stands(), (80, Grade::Bronze, false));
    assert_eq!(story.head.conflict(policy(1)), None);
}

#[test]
fn an_explanation_names_what_is_missing_and_why_a_fact_counts_nothing() {
    let cancelled = fact(3, "OrderCancelled", 1);
    let facts: Facts = [placed(1), completed(2), cancelled].into_iter().collect();
    let explained = explain(policy(2), &facts, &Facts::default(), instant(9)).expect("explained");
    assert_eq!(
        explained.sentences(),
        [
            "120 points make Silver; 280 more make Gold.",
            "120 points in the window; VIP takes 130 more.",
        ]
    );
    assert_eq!(
        explained.parts[0].place,
        Place::Reversed {
            points: Points::new(10),
            by: cancelled.source_event_id,
        }
    );
    assert_eq!(
        explained.parts[2].sentence(&explained),
        "OrderCancelled counts nothing: policy 2 gives no points for it in the role commissioner."
    );
}
