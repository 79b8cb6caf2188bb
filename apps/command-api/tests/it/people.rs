//! Who acts in the tests, and what their tokens are.

use jsonwebtoken::{EncodingKey, Header, encode};
use kernel::{Actor, Role};
use serde_json::json;
use uuid::Uuid;

/// Signs every token.
pub(crate) const SECRET: &str = "a secret of the tests, long enough for HS256";

/// The commissioner of the order.
pub(crate) const COMMISSIONER: Actor = Actor::new(Role::Commissioner, Uuid::from_u128(0xc1));
/// A commissioner who is no party to it.
pub(crate) const STRANGER: Actor = Actor::new(Role::Commissioner, Uuid::from_u128(0xc2));
/// Two workshops that are invited.
pub(crate) const OAK: Actor = Actor::new(Role::Workshop, Uuid::from_u128(0xa1));
/// See [`OAK`].
pub(crate) const ELM: Actor = Actor::new(Role::Workshop, Uuid::from_u128(0xa2));
/// A workshop of the directory that is not invited.
pub(crate) const ASH: Actor = Actor::new(Role::Workshop, Uuid::from_u128(0xa3));
/// Runs the marketplace.
pub(crate) const OPERATOR: Actor = Actor::new(Role::Operator, Uuid::from_u128(0xe1));
/// Reads.
pub(crate) const ANALYST: Actor = Actor::new(Role::Analyst, Uuid::from_u128(0xf1));

/// A workshop beyond the named ones.
pub(crate) const fn workshop(number: u128) -> Actor {
    Actor::new(Role::Workshop, Uuid::from_u128(0xa_0000 + number))
}

/// A token that is good for all of the tests.
pub(crate) fn token(actor: Actor) -> String {
    let claims = json!({
        "sub": actor.id,
        "role": actor.role,
        "iss": "artisan-atlas",
        "aud": "artisan-atlas",
        "exp": 4_102_444_800_u32,
    });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), &claims, &key).expect("claims can be signed")
}
