//! The public payload of an account's fact.

use bonus_domain::{AccountEvent, AccountFact};
use contracts::{
    AccountFact as Public, AccountPayload, AwardDeferred, GradeChanged, PointsAwarded,
    PolicyRecomputed, VipAcquired, VipLost,
};
use kernel::Role;

/// What the public learns of an account's fact.
#[must_use]
pub fn publish(event: &AccountEvent) -> AccountPayload {
    AccountPayload {
        beneficiary_id: event.beneficiary_id,
        beneficiary_role: event.beneficiary_role.to_string(),
        commissioner_id: matches!(event.beneficiary_role, Role::Commissioner)
            .then_some(event.beneficiary_id),
        policy_version: u32::from(event.policy_version.get()),
        occurred_at: event.occurred_at,
        fact: fact(&event.fact),
    }
}

fn fact(stored: &AccountFact) -> Public {
    match stored {
        AccountFact::PointsAwarded {
            source_event_id,
            source_type,
            source_occurred_at,
            order_id,
            points,
            lifetime_points,
        } => Public::PointsAwarded(PointsAwarded {
            source_event_id: source_event_id.as_uuid(),
            source_type: source_type.to_string(),
            source_occurred_at: *source_occurred_at,
            order_id: order_id.map(|id| id.as_uuid()),
            points: points.get(),
            lifetime_points: lifetime_points.get(),
        }),
        AccountFact::GradeChanged { from, to } => Public::GradeChanged(GradeChanged {
            from: from.to_string(),
            to: to.to_string(),
        }),
        AccountFact::VipAcquired { until } => Public::VipAcquired(VipAcquired { until: *until }),
        AccountFact::VipLost => Public::VipLost(VipLost {}),
        AccountFact::AwardDeferred { source_event_id } => Public::AwardDeferred(AwardDeferred {
            source_event_id: source_event_id.as_uuid(),
        }),
        AccountFact::PolicyRecomputed {
            from_version,
            to_version,
            points_before,
            points_after,
        } => Public::PolicyRecomputed(PolicyRecomputed {
            from_version: from_version.map(|version| u32::from(version.get())),
            to_version: u32::from(to_version.get()),
            points_before: points_before.get(),
            points_after: points_after.get(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use bonus_domain::stored;
    use serde_json::{Value, json};

    use super::publish;

    const BENEFICIARY: &str = "01938f6e-0000-7000-8000-000000000002";
    const SOURCE: &str = "01938f6e-0000-7000-8000-000000000005";

    fn published(name: &str, stored_payload: &Value) -> Value {
        let mut stored_payload = stored_payload.clone();
        stored_payload["event"] = json!(name);
        let event = stored::decode(name, "1.0", &stored_payload.to_string()).unwrap();
        let payload = publish(&event);
        assert_eq!(payload.fact.name(), name);
        assert_eq!(payload.fact.schema_version(), "1.0");
        serde_json::to_value(&payload).unwrap()
    }

    #[test]
    fn an_award_names_its_source_and_the_commissioner_twice() {
        let stored = json!({
            "beneficiaryId": BENEFICIARY,
            "beneficiaryRole": "commissioner",
            "policyVersion": 1,
            "occurredAt": "2026-11-25T10:00:01Z",
            "sourceEventId": SOURCE,
            "sourceType": "OrderPlaced",
            "sourceOccurredAt": "2026-11-25T10:00:00Z",
            "orderId": null,
            "points": 40,
            "lifetimePoints": 140,
        });
        let mut expected = stored.clone();
        expected["commissionerId"] = json!(BENEFICIARY);
        assert_eq!(published("PointsAwarded", &stored), expected);
    }

    #[test]
    fn an_account_of_a_workshop_has_no_commissioner() {
        let stored = json!({
            "beneficiaryId": BENEFICIARY,
            "beneficiaryRole": "workshop",
            "policyVersion": 2,
            "occurredAt": "2026-11-25T10:00:01Z",
            "from": "Bronze",
            "to": "Silver",
        });
        assert_eq!(published("GradeChanged", &stored), stored);
    }
}
