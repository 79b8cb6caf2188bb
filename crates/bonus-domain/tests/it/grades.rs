//! The thresholds and rules of the shipped policies.

use bonus_domain::{Grade, Points, Policies, SourceType};
use kernel::Role;

use crate::policy;

#[test]
fn a_threshold_is_reached_by_its_very_points() {
    let thresholds = [
        (
            1,
            [
                (100, Grade::Silver),
                (300, Grade::Gold),
                (1_000, Grade::Platinum),
            ],
        ),
        (
            2,
            [
                (120, Grade::Silver),
                (400, Grade::Gold),
                (1_200, Grade::Platinum),
            ],
        ),
    ];
    for (number, above) in thresholds {
        let policy = policy(number);
        let mut below = Grade::Bronze;
        assert_eq!(policy.grade(Points::ZERO), below);
        for (points, grade) in above {
            assert_eq!(policy.grade(Points::new(points - 1)), below);
            assert_eq!(policy.grade(Points::new(points)), grade);
            below = grade;
        }
    }
}

#[test]
fn the_next_grade_says_what_is_missing() {
    let next = |points| {
        policy(1)
            .next_grade(Points::new(points))
            .map(|next| (next.grade, next.points_to_go.get()))
    };
    assert_eq!(next(0), Some((Grade::Silver, 100)));
    assert_eq!(next(140), Some((Grade::Gold, 160)));
    assert_eq!(next(300), Some((Grade::Platinum, 700)));
    assert_eq!(next(1_000), None);
}

#[test]
fn drafts_decide_too_what_is_kept() {
    let keep = |event: &str, role| {
        SourceType::known(event).is_some_and(|event| Policies::compiled().keep(event, role))
    };
    for event in [
        "OrderPlaced",
        "OrderCompleted",
        "OfferConfirmed",
        "OrderCancelled",
    ] {
        assert!(keep(event, Role::Commissioner), "{event}");
        assert!(!keep(event, Role::Operator), "{event}");
        assert!(!keep(event, Role::Workshop), "{event}");
    }
    assert!(keep("WorkshopCredited", Role::Workshop));
    assert!(!keep("WorkshopCredited", Role::Commissioner));
    assert!(!keep("RequestEdited", Role::Commissioner));
    let confirmed = SourceType::known("OfferConfirmed").expect("a rewarded event");
    assert!(!policy(1).minds(confirmed, Role::Commissioner));
}

#[test]
fn the_smallest_award_says_how_many_facts_make_vip() {
    let facts = |number, role| policy(number).facts_that_make_vip(role);
    assert_eq!(facts(1, Role::Commissioner), Some(5));
    assert_eq!(facts(1, Role::Workshop), None);
    assert_eq!(facts(2, Role::Commissioner), Some(25));
    assert_eq!(facts(2, Role::Workshop), Some(5));
}

#[test]
fn vip_rules_are_those_of_the_files() {
    let rule = |number| {
        let vip = policy(number).vip();
        (vip.window_days.get(), vip.threshold.get())
    };
    assert_eq!([rule(1), rule(2)], [(30, 200), (30, 250)]);
}

/// An activated policy is never edited: accounts were computed with it.
#[test]
fn policy_1_is_the_one_that_is_in_force() {
    assert_eq!(
        policy(1).hash().to_string(),
        "669aac5e47cc8b4a9dfa1a76cacfa08fcd49e3749d843494d67e472debbf3bdc"
    );
}
