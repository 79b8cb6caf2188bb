//! What both HTTP APIs share: problems, principals, what is read from a request, and the layers
//! around every route.
//!
//! Deliberately absent: routes, and anything of a domain or of storage; versions are bare numbers
//! and position tokens bare text here. Start at [`Edge`], which surrounds the routes, and at
//! [`Problem`], which every refusal is.

mod access;
mod code;
mod cross_origin;
mod describe;
mod edge;
mod etag;
mod examples;
mod gate;
mod headers;
mod ignored;
pub mod instruments;
mod json_body;
mod key_set;
mod keys;
mod limits;
mod observe;
mod open;
mod paging;
mod path;
mod place;
mod principal;
mod problem;
mod problem_schema;
mod published_keys;
mod query;
mod request_id;
mod responses;
mod strict_json;
mod token;
mod write_mark;

pub use access::{Access, Relation, Row};
pub use code::Code;
pub use cross_origin::cross_origin;
pub use describe::{AnswerHeader, Form, describe};
pub use edge::Edge;
pub use etag::{ETag, IfNoneMatch};
pub use gate::Gate;
pub use headers::{IdempotencyKey, IfMatch, MinPosition, NoIfMatch};
pub use ignored::Ignored;
pub use json_body::{JsonBody, MAX_BODY_BYTES};
pub use keys::{Keys, WeakSecret};
pub use limits::{Limited, Limits, PlacingBudget, Quota, RedisUrlError, SharedBuckets, Spent};
pub use observe::ContinueTrace;
pub use paging::{List, Listing, Page, PageParams};
pub use path::{Path, Segment, Segments};
pub use principal::Principal;
pub use problem::{FieldError, Outcome, Problem};
pub use published_keys::{KeyAddressError, PublishedKeys};
pub use query::Query;
pub use request_id::RequestId;
pub use responses::problem_responses;
pub use token::{TokenError, TokenVerifier};
