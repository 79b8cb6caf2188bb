//! Every version of every account event ever stored can be read, and today's is written so.

use bonus_domain::stored::{Undecodable, decode, encode};
use serde_json::Value;

const STORED: [(&str, &str, &str); 6] = [
    (
        "PointsAwarded",
        "1.0",
        include_str!("../../fixtures/PointsAwarded-1.0.json"),
    ),
    (
        "GradeChanged",
        "1.0",
        include_str!("../../fixtures/GradeChanged-1.0.json"),
    ),
    (
        "VipAcquired",
        "1.0",
        include_str!("../../fixtures/VipAcquired-1.0.json"),
    ),
    (
        "VipLost",
        "1.0",
        include_str!("../../fixtures/VipLost-1.0.json"),
    ),
    (
        "AwardDeferred",
        "1.0",
        include_str!("../../fixtures/AwardDeferred-1.0.json"),
    ),
    (
        "PolicyRecomputed",
        "1.0",
        include_str!("../../fixtures/PolicyRecomputed-1.0.json"),
    ),
];

fn payload(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture is JSON")
}

#[test]
fn what_was_stored_reads_back_as_it_was() {
    for (name, version, text) in STORED {
        let event = decode(name, version, text).expect(name);
        assert_eq!(encode(&event), (name, version, payload(text)));
    }
}

#[test]
fn what_a_later_release_stored_is_not_guessed_at() {
    let (name, _, text) = STORED[0];
    for (name, version) in [(name, "1.1"), ("PointsExpired", "1.0")] {
        let error = decode(name, version, text).expect_err("an unknown event");
        assert!(matches!(error, Undecodable::Unknown { .. }), "{error}");
    }
}

#[test]
fn a_payload_has_to_be_that_of_its_name() {
    let error = decode("GradeChanged", "1.0", STORED[0].2).expect_err("another's");
    assert!(matches!(error, Undecodable::Mislabelled { .. }), "{error}");
    let error = decode("GradeChanged", "1.0", "{}").expect_err("nobody's");
    assert!(matches!(error, Undecodable::Malformed { .. }), "{error}");
}
