//! The rules of points and grades, told from outside.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod award;
mod grades;
mod oracle;
mod set;
mod standing;
mod stored;

use bonus_domain::{Beneficiary, Fact, Policies, Policy, PolicyVersion, SourceType};
use chrono::{DateTime, TimeDelta, Utc};
use kernel::{EventId, OrderId, Role};
use uuid::Uuid;

fn policy(number: u16) -> &'static Policy {
    PolicyVersion::new(number)
        .and_then(|version| Policies::compiled().get(version))
        .expect("a compiled policy")
}

fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn ada() -> Beneficiary {
    Beneficiary::new(Role::Commissioner, Uuid::from_u128(0xada))
}

/// A fact of Ada's, a second after the epoch for each step of its id.
fn fact(id: u128, event: &str, order: u128) -> Fact {
    Fact {
        source_event_id: EventId::from_uuid(Uuid::from_u128(id)),
        source_type: SourceType::known(event).expect("a rewarded event"),
        beneficiary: ada(),
        order_id: Some(OrderId::from_uuid(Uuid::from_u128(order))),
        by_dispute: false,
        occurred_at: instant(i64::try_from(id).expect("a small id")),
    }
}
