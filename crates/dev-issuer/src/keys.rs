//! The key of this process: made at its start, published, and gone with it.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A key that signs.
pub(crate) struct SigningKey {
    encoding: EncodingKey,
    public: String,
    kid: String,
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoKey {
    #[error("the machine gave no key")]
    Refused,
}

impl SigningKey {
    /// A fresh one.
    pub(crate) fn generate() -> Result<Self, NoKey> {
        let pair = Ed25519KeyPair::generate().map_err(|_| NoKey::Refused)?;
        let document = pair.to_pkcs8v1().map_err(|_| NoKey::Refused)?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key());
        // The thumbprint of RFC 8037, appendix A.3.
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(members));
        Ok(Self {
            encoding: EncodingKey::from_ed_der(document.as_ref()),
            public,
            kid,
        })
    }

    /// What others verify with.
    pub(crate) fn published(&self) -> Value {
        json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": self.kid, "x": self.public,
        }]})
    }

    /// A token of these claims.
    pub(crate) fn sign(
        &self,
        claims: &Map<String, Value>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &self.encoding)
    }
}
