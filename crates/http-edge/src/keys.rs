//! The keys that verify tokens: a secret that is shared, or keys that somebody publishes.

use jsonwebtoken::{Algorithm, DecodingKey, Header};

use crate::key_set::VerifyingKey;
use crate::published_keys::PublishedKeys;
use crate::token::TokenError;

/// HS256 asks for a key as long as its hash.
const SHORTEST_SECRET: usize = 32;
/// What published keys verify.
const PUBLISHED: [Algorithm; 3] = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256];

/// A secret that is too short to sign anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret has {0} bytes where HS256 needs {SHORTEST_SECRET}")]
pub struct WeakSecret(usize);

/// The keys that verify tokens. Each is bound to its algorithm: a token that names another is
/// refused whatever it was signed with.
#[derive(Clone)]
pub struct Keys(KeySource);

#[derive(Clone)]
enum KeySource {
    /// One shared secret; for development.
    Secret(DecodingKey),
    /// Keys that the issuer of tokens publishes.
    Published(PublishedKeys),
}

impl Keys {
    /// One HS256 secret, by its bytes as they stand.
    ///
    /// # Errors
    /// If it has fewer than 32 bytes.
    pub fn hs256(secret: &[u8]) -> Result<Self, WeakSecret> {
        if secret.len() < SHORTEST_SECRET {
            return Err(WeakSecret(secret.len()));
        }
        Ok(Self(KeySource::Secret(DecodingKey::from_secret(secret))))
    }

    /// The key that a token's header names, of the algorithm that the header names.
    ///
    /// # Errors
    /// If there is none, or keys are not known yet.
    pub(crate) async fn find(&self, header: &Header) -> Result<VerifyingKey, TokenError> {
        let key = match &self.0 {
            KeySource::Secret(key) => VerifyingKey {
                key: key.clone(),
                algorithm: Algorithm::HS256,
            },
            KeySource::Published(keys) => {
                // What no published key could have signed fetches nothing.
                let kid = header.kid.as_deref().ok_or(TokenError::UnknownKey)?;
                if !PUBLISHED.contains(&header.alg) {
                    return Err(TokenError::Malformed);
                }
                keys.find(kid).await?.ok_or(TokenError::UnknownKey)?
            }
        };
        if key.algorithm == header.alg {
            Ok(key)
        } else {
            Err(TokenError::Malformed)
        }
    }
}

impl From<PublishedKeys> for Keys {
    fn from(keys: PublishedKeys) -> Self {
        Self(KeySource::Published(keys))
    }
}
