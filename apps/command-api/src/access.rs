//! Who may use which route. Whether an order's party may give the command now, and what a passer-by
//! is told, is `order-domain`'s to say; a test asks every route as everybody, and compares.

use http_edge::{Access, Relation, Row};
use kernel::Role::{Commissioner, Operator, Workshop};

/// Roles and relations that may use a route.
type By = &'static [(kernel::Role, Relation)];

const ITS_COMMISSIONER: By = &[(Commissioner, Relation::Own), (Operator, Relation::Any)];
const NAMED_WORKSHOP: By = &[(Workshop, Relation::Named), (Operator, Relation::Any)];
const CONFIRMED_WORKSHOP: By = &[(Workshop, Relation::Confirmed), (Operator, Relation::Any)];
const EITHER_SIDE: By = &[
    (Commissioner, Relation::Own),
    (Workshop, Relation::Confirmed),
    (Operator, Relation::Any),
];

/// The table of this API.
#[rustfmt::skip]
pub const ACCESS: Access = Access(&[
    Row::post("/v1/orders", &[(Commissioner, Relation::Any)]),
    Row::patch("/v1/orders/{id}/request", ITS_COMMISSIONER),
    Row::post("/v1/orders/{id}/invitations", ITS_COMMISSIONER),
    Row::post("/v1/orders/{id}/invitations/{workshopId}/decline", NAMED_WORKSHOP),
    Row::put("/v1/orders/{id}/offers/{workshopId}", NAMED_WORKSHOP),
    Row::post("/v1/orders/{id}/offers/{workshopId}/withdraw", NAMED_WORKSHOP),
    Row::post("/v1/orders/{id}/offers/{workshopId}/confirm", ITS_COMMISSIONER),
    Row::post("/v1/orders/{id}/stages/{number}/complete", CONFIRMED_WORKSHOP),
    Row::post("/v1/orders/{id}/stages/{number}/approve", ITS_COMMISSIONER),
    Row::post("/v1/orders/{id}/stages/{number}/request-changes", ITS_COMMISSIONER),
    Row::post("/v1/orders/{id}/accept", ITS_COMMISSIONER),
    Row::post("/v1/orders/{id}/cancel", EITHER_SIDE),
    Row::post("/v1/orders/{id}/dispute/resolve", &[(Operator, Relation::Any)]),
    Row::put("/v1/workshops/{id}", &[(Operator, Relation::Any)]),
    Row::post("/v1/ops/acts", &[(Operator, Relation::Any)]),
]);
