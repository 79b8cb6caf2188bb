//! What schemathesis takes for a fault and is none, each with its reason. Whatever else a check
//! says is a finding.

use super::report::Case;

/// Cases of a check whose verdict does not count.
pub(super) struct Exclusion {
    pub(super) check: &'static str,
    pub(super) covers: fn(&Case) -> bool,
    /// Drawn in some runs only: one in which nothing needs it says nothing.
    pub(super) rare: bool,
    pub(super) reason: &'static str,
}

const ACCEPTANCE: &str = "positive_data_acceptance";

pub(super) const EXCLUSIONS: [Exclusion; 11] = [
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| case.code() == "VERSION_MISMATCH",
        rare: false,
        reason: "no schema says at which version an order is",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| all_invalid(case, &["must be later than now"]),
        rare: false,
        reason: "no schema speaks of the present",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| {
            all_invalid(
                case,
                &[
                    "must be later than now",
                    "must differ from the names of the stages before it",
                ],
            )
        },
        rare: false,
        reason: "no schema says that one property of a list's items is unique",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| {
            all_invalid(case, &["must leave the order with at most 20 seats"])
                || all_invalid(case, &["must be EUR, the currency of the request"])
        },
        rare: false,
        reason: "no schema says how many seats an order has, and in which currency its request is",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| all_invalid(case, &["is that of an account"]),
        rare: true,
        reason: "no schema of ours says that one property needs another",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| malformed(case, "If-Match"),
        rare: false,
        reason: "If-Match has no pattern in the document: of one with quotes, schemathesis draws \
                 nothing but illegal tags",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| malformed(case, "the cursor is none of this list"),
        rare: false,
        reason: "no schema says which cursors were given out, and for which filters",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| malformed(case, "Atlas-Min-Position is no token that was given out"),
        rare: false,
        reason: "no schema says which position tokens were given out",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| malformed(case, "say which moment is meant by exactly one of"),
        rare: false,
        reason: "OpenAPI cannot say that one of two parameters is needed, and no more than one",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| {
            case.details()
                .iter()
                .any(|it| it.contains("is not read here"))
        },
        rare: false,
        reason: "no schema says that strict handling refuses what nobody reads",
    },
    Exclusion {
        check: ACCEPTANCE,
        covers: |case| {
            case.details()
                .iter()
                .any(|it| it.contains("from 0 to 65535"))
        },
        rare: false,
        reason: "the document has no bound of a policy's version",
    },
];

/// Whether values were refused, each for one of these reasons, and some for the last.
fn all_invalid(case: &Case, reasons: &[&str]) -> bool {
    let details = case.details();
    let is = |reason: &str| details.iter().any(|detail| detail.starts_with(reason));
    case.code() == "VALIDATION_FAILED"
        && details
            .iter()
            .all(|detail| reasons.iter().any(|reason| detail.starts_with(reason)))
        && reasons.last().is_some_and(|last| is(last))
}

/// Whether the request was refused with such a detail.
fn malformed(case: &Case, detail: &str) -> bool {
    case.code() == "MALFORMED_REQUEST" && case.details().iter().all(|it| it.starts_with(detail))
}
