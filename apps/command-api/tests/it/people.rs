//! Who acts in the tests, and what their tokens are.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use kernel::{Actor, Role};
use serde_json::{Value, json};
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

/// An Ed25519 key pair of the tests, as PKCS #8 and the public half of it.
const SIGNING_KEY: [u8; 48] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    0xac, 0xac, 0x70, 0x4b, 0xfd, 0x9e, 0x57, 0xe0, 0x2a, 0xaa, 0xe8, 0x55, 0xb2, 0xa8, 0x5c, 0x1a,
    0x11, 0x8d, 0x5e, 0x4a, 0x10, 0xc5, 0x4d, 0x28, 0x29, 0xbe, 0x96, 0x45, 0xf1, 0x7c, 0x5e, 0x17,
];
/// See [`SIGNING_KEY`].
const PUBLIC_KEY: &str = "9dwS1eArOgQ3GWxDOKVjlXZfcDn2xYPSVgtlAtKFN8A";

/// A token that is good for all of the tests.
pub(crate) fn token(actor: Actor) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), &claims(actor), &key).expect("claims can be signed")
}

/// The same, signed by the key of [`published_keys`].
pub(crate) fn published_token(actor: Actor) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("test".to_owned());
    let key = EncodingKey::from_ed_der(&SIGNING_KEY);
    encode(&header, &claims(actor), &key).expect("claims can be signed")
}

/// What the issuer of the tests publishes.
pub(crate) fn published_keys() -> Value {
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "test", "x": PUBLIC_KEY}]})
}

fn claims(actor: Actor) -> Value {
    json!({
        "sub": actor.id,
        "role": actor.role,
        "iss": "artisan-atlas",
        "aud": "artisan-atlas",
        "exp": 4_102_444_800_u32,
    })
}
