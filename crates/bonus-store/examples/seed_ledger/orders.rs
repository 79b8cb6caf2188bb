//! Facts of orders as they might have been, the same for the same seed.

use bonus_domain::{Beneficiary, Fact, SourceType};
use bonus_store::Delivery;
use chrono::{DateTime, TimeDelta, Utc};
use kernel::{EventId, OrderId, Role};
use uuid::Uuid;

/// Facts that one beneficiary has on average.
const FACTS_EACH: usize = 20;
/// Whole days before now in which no order begins: their facts would leave the VIP window while the
/// ledger is written or read.
const AGES: [std::ops::Range<u64>; 2] = [1..28, 33..400];

/// Facts, order by order.
pub(crate) struct Orders {
    left: usize,
    beneficiaries: u64,
    now: DateTime<Utc>,
    random: u64,
    order: u64,
    steps: Vec<Delivery>,
}

impl Orders {
    /// So many facts.
    pub(crate) fn new(rows: usize, seed: u64, now: DateTime<Utc>) -> Self {
        Self {
            left: rows,
            beneficiaries: u64::try_from((rows / FACTS_EACH).max(2)).unwrap_or(u64::MAX),
            now,
            random: seed,
            order: 0,
            steps: Vec::new(),
        }
    }

    /// SplitMix64: the next of the numbers that the seed begins.
    fn number(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit.max(1)
    }

    /// The facts of one order, the last first. One in five is called off, one in ten of these by
    /// a dispute; one in twenty has a workshop that earns by it.
    fn begin(&mut self) {
        self.order += 1;
        let commissioner = self.person(Role::Commissioner, self.beneficiaries * 9 / 10);
        let ages = if self.below(4) == 0 {
            AGES[0].clone()
        } else {
            AGES[1].clone()
        };
        let age = ages.start + self.below(ages.end - ages.start);
        let days = i64::try_from(age).unwrap_or_default();
        let begun = self.now - TimeDelta::days(days);
        let ended = self.below(5);
        let by_dispute = ended == 0 && self.below(10) == 0;
        let workshop = self.person(Role::Workshop, self.beneficiaries / 10);
        let mut steps = vec![("OrderPlaced", commissioner, false)];
        if self.below(4) > 0 {
            steps.push(("OfferConfirmed", commissioner, false));
        }
        if ended == 0 {
            steps.push(("OrderCancelled", commissioner, by_dispute));
        } else if ended < 4 {
            steps.push(("OrderCompleted", commissioner, false));
            steps.push(("WorkshopCredited", workshop, false));
        }
        self.steps = steps
            .into_iter()
            .zip(1_i64..)
            .filter_map(|((event, who, by_dispute), step)| {
                let at = begun + TimeDelta::minutes(step);
                self.delivery(event, who, by_dispute, at)
            })
            .collect();
        self.steps.reverse();
    }

    fn person(&mut self, role: Role, of: u64) -> Beneficiary {
        let number = self.below(of.max(1)) + 1;
        Beneficiary::new(role, Uuid::from_u64_pair(0x7000, number))
    }

    fn delivery(
        &mut self,
        event: &str,
        beneficiary: Beneficiary,
        by_dispute: bool,
        occurred_at: DateTime<Utc>,
    ) -> Option<Delivery> {
        let id = Uuid::from_u64_pair(self.number(), self.number());
        Some(Delivery {
            fact: Fact {
                source_event_id: EventId::from_uuid(id),
                source_type: SourceType::known(event)?,
                beneficiary,
                order_id: Some(OrderId::from_uuid(Uuid::from_u64_pair(0x0d, self.order))),
                by_dispute,
                occurred_at,
            },
            correlation_id: id,
            traceparent: None,
        })
    }
}

impl Iterator for Orders {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        self.left = self.left.checked_sub(1)?;
        if self.steps.is_empty() {
            self.begin();
        }
        self.steps.pop()
    }
}
