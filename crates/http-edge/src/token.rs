//! Bearer tokens: what they are verified by, and what their claims must say.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Validation};
use kernel::{Actor, Clock, Role};
use serde::Deserialize;
use uuid::Uuid;

use crate::key_set::VerifyingKey;
use crate::keys::Keys;

/// How far clocks may lie apart.
const LEEWAY_SECONDS: f64 = 60.0;
/// Why a token is not valid here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no JWT, or of an algorithm that is not taken.
    #[error("the token is no JWT of an accepted algorithm")]
    Malformed,
    /// It names no key that is known here.
    #[error("the token names no key that is known here")]
    UnknownKey,
    /// There are no keys to verify it with yet; it may be valid.
    #[error("the keys that verify tokens could not be fetched yet")]
    KeysUnavailable,
    /// Another key signed it, or it was changed.
    #[error("the token's signature is not valid")]
    Signature,
    /// A claim is missing or odd.
    #[error("the token lacks a claim, or has an odd one")]
    Claims,
    /// Somebody else issued it.
    #[error("the token was issued by somebody else")]
    Issuer,
    /// It is meant for somebody else.
    #[error("the token is meant for somebody else")]
    Audience,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// Verifies bearer tokens.
#[derive(Clone)]
pub struct TokenVerifier {
    keys: Keys,
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
}

impl TokenVerifier {
    /// Takes tokens that one of `keys` signed, `issuer` issued, and that are meant for `audience`.
    #[must_use]
    pub fn new(keys: Keys, issuer: String, audience: String, clock: Arc<dyn Clock>) -> Self {
        Self {
            keys,
            issuer,
            audience,
            clock,
        }
    }

    /// Who the bearer of a token is, and until when it is good: its `exp` and the leeway.
    ///
    /// # Errors
    /// The first reason why it is not valid.
    pub async fn verify(&self, token: &str) -> Result<(Actor, DateTime<Utc>), TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        if header.crit.is_some() {
            // It names extensions that must be understood, and none is here.
            return Err(TokenError::Malformed);
        }
        let VerifyingKey { key, algorithm } = self.keys.find(&header).await?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &signature_only(algorithm))
            .map_err(|error| refusal(&error))?
            .claims;
        self.check(&claims)?;
        Ok((actor(&claims)?, claims.good_until()))
    }

    fn check(&self, claims: &Claims) -> Result<(), TokenError> {
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(TokenError::Audience);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 are far below 2^52"
        )]
        let now = self.clock.now().timestamp() as f64;
        if claims.exp + LEEWAY_SECONDS <= now {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|nbf| nbf - LEEWAY_SECONDS > now) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

fn actor(claims: &Claims) -> Result<Actor, TokenError> {
    const HYPHENATED: usize = 36;
    let id = Uuid::try_parse(&claims.sub)
        .ok()
        .filter(|_| claims.sub.len() == HYPHENATED)
        .ok_or(TokenError::Claims)?;
    Ok(Actor::new(claims.role, id))
}

/// Claims are checked here, by our clock and to the letter; the library checks the signature.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

fn refusal(error: &jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    if matches!(error.kind(), ErrorKind::InvalidSignature) {
        TokenError::Signature
    } else if matches!(error.kind(), ErrorKind::Json(_)) {
        TokenError::Claims
    } else {
        TokenError::Malformed
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    role: Role,
    iss: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    #[expect(dead_code, reason = "read so that an odd one is refused, and not used")]
    name: Option<String>,
}

impl Claims {
    fn good_until(&self) -> DateTime<Utc> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is too late is taken for never"
        )]
        let seconds = (self.exp + LEEWAY_SECONDS) as i64;
        DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}
