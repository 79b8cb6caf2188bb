//! Who may use which route. What a viewer sees of what they may read is cut by
//! `projections::redaction`; a test asks every route as everybody, and compares.

use http_edge::{Access, Relation, Row};
use kernel::Role::{Analyst, Commissioner, Operator, Workshop};

/// Roles and relations that may use a route.
type By = &'static [(kernel::Role, Relation)];

const EVERYBODY: By = &[
    (Commissioner, Relation::Any),
    (Workshop, Relation::Any),
    (Operator, Relation::Any),
    (Analyst, Relation::Any),
];
const PARTIES_OF_THE_ORDER: By = &[
    (Commissioner, Relation::Own),
    (Workshop, Relation::Invited),
    (Operator, Relation::Any),
    (Analyst, Relation::Any),
];
const OWNER_OF_THE_ACCOUNT: By = &[
    (Commissioner, Relation::Own),
    (Workshop, Relation::Own),
    (Operator, Relation::Any),
    (Analyst, Relation::Any),
];
const OPERATORS_AND_ANALYSTS: By = &[(Operator, Relation::Any), (Analyst, Relation::Any)];
const OPERATORS: By = &[(Operator, Relation::Any)];

/// The table of this API.
#[rustfmt::skip]
pub const ACCESS: Access = Access(&[
    Row::get("/v1/orders", EVERYBODY),
    Row::get("/v1/orders/{id}", PARTIES_OF_THE_ORDER),
    Row::get("/v1/orders/{id}/situation", PARTIES_OF_THE_ORDER),
    Row::get("/v1/orders/{id}/timeline", PARTIES_OF_THE_ORDER),
    Row::get("/v1/orders/{id}/as-of", PARTIES_OF_THE_ORDER),
    Row::get("/v1/invitations", &[(Workshop, Relation::Any)]),
    Row::get("/v1/workshops", EVERYBODY),
    Row::get("/v1/bonus/accounts/{id}", OWNER_OF_THE_ACCOUNT),
    Row::get("/v1/bonus/accounts/{id}/ledger", OWNER_OF_THE_ACCOUNT),
    Row::get("/v1/bonus/accounts/{id}/explain", OWNER_OF_THE_ACCOUNT),
    Row::get("/v1/bonus/policies", EVERYBODY),
    Row::get("/v1/bonus/policies/{version}", EVERYBODY),
    Row::get("/v1/bonus/policies/{version}/diff/{to}", OPERATORS_AND_ANALYSTS),
    Row::get("/v1/ops/order-states", OPERATORS_AND_ANALYSTS),
    Row::get("/v1/ops/projections", OPERATORS_AND_ANALYSTS),
    Row::get("/v1/ops/rebuilds", OPERATORS_AND_ANALYSTS),
    Row::get("/v1/ops/dead-letters", OPERATORS),
    Row::get("/v1/ops/dead-letters/groups", OPERATORS),
    Row::get("/v1/ops/dead-letters/{id}", OPERATORS),
    Row::get("/v1/ops/acts", OPERATORS_AND_ANALYSTS),
    Row::get("/v1/ops/acts/{id}", OPERATORS_AND_ANALYSTS),
]);
