//! A published key set (RFC 7517): which of its keys can verify tokens here.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// How long an RSA key must be to be trusted, and may be.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// A key, bound to the one algorithm that it verifies.
#[derive(Clone)]
pub(crate) struct VerifyingKey {
    pub(crate) key: DecodingKey,
    pub(crate) algorithm: Algorithm,
}

/// The keys of a set that can verify tokens here, by `kid`.
pub(crate) struct KeySet {
    keys: HashMap<String, VerifyingKey>,
    passed_over: BTreeMap<PassedOver, usize>,
}

/// A document that brings no key, and so is no reason to give up the keys that there are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Nonsense {
    /// It is no JWK Set.
    #[error("it is no JWK Set")]
    NoSet(#[source] serde_json::Error),
    /// None of its keys can be used.
    #[error("it has no key that can verify tokens ({})", told(.0))]
    NoKey(BTreeMap<PassedOver, usize>),
}

/// Why a key of a set is of no use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PassedOver {
    NoKid,
    DoubledKid,
    NotForSignatures,
    Secret,
    UnknownType,
    OtherAlgorithm,
    Broken,
}

impl PassedOver {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NoKid => "without kid",
            Self::DoubledKid => "with a doubled kid",
            Self::NotForSignatures => "not for signatures",
            Self::Secret => "secret",
            Self::UnknownType => "of an unknown type or curve",
            Self::OtherAlgorithm => "for another algorithm",
            Self::Broken => "broken",
        }
    }
}

fn told(counts: &BTreeMap<PassedOver, usize>) -> String {
    let texts: Vec<_> = counts
        .iter()
        .map(|(why, count)| format!("{count} {}", why.as_str()))
        .collect();
    if texts.is_empty() {
        return "none at all".to_owned();
    }
    texts.join(", ")
}

impl KeySet {
    /// Reads a JWK Set. Keys of no use here are passed over and counted.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, Nonsense> {
        let Document { keys: entries } =
            serde_json::from_slice(document).map_err(Nonsense::NoSet)?;
        let mut kids: HashMap<&str, usize> = HashMap::new();
        for kid in entries.iter().filter_map(kid) {
            *kids.entry(kid).or_default() += 1;
        }
        let mut set = Self {
            keys: HashMap::new(),
            passed_over: BTreeMap::new(),
        };
        for entry in &entries {
            let usable = match kid(entry) {
                None => Err(PassedOver::NoKid),
                Some(kid) if kids.get(kid) != Some(&1) => Err(PassedOver::DoubledKid),
                Some(kid) => verifying_key(entry).map(|key| (kid.to_owned(), key)),
            };
            match usable {
                Ok((kid, key)) => drop(set.keys.insert(kid, key)),
                Err(why) => *set.passed_over.entry(why).or_default() += 1,
            }
        }
        if set.keys.is_empty() {
            return Err(Nonsense::NoKey(set.passed_over));
        }
        Ok(set)
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.get(kid)
    }

    /// How many keys it has.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many entries are of no use here.
    pub(crate) fn passed_over(&self) -> usize {
        self.passed_over.values().sum()
    }

    /// The same in words, by reason.
    pub(crate) fn why_passed_over(&self) -> String {
        told(&self.passed_over)
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

fn kid(entry: &Value) -> Option<&str> {
    entry.get("kid")?.as_str().filter(|kid| !kid.is_empty())
}

fn verifying_key(entry: &Value) -> Result<VerifyingKey, PassedOver> {
    let entry = Entry::deserialize(entry).map_err(|_| PassedOver::Broken)?;
    let verifies = |operations: &Vec<String>| operations.iter().any(|one| one == "verify");
    if entry
        .r#use
        .as_deref()
        .is_some_and(|purpose| purpose != "sig")
        || !entry.key_ops.as_ref().is_none_or(verifies)
    {
        return Err(PassedOver::NotForSignatures);
    }
    let (algorithm, name, key) = match (entry.kty.as_str(), entry.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA", entry.edwards()),
        ("EC", Some("P-256")) => (Algorithm::ES256, "ES256", entry.elliptic()),
        ("RSA", _) => (Algorithm::RS256, "RS256", entry.rsa()),
        ("oct", _) => return Err(PassedOver::Secret),
        (_, _) => return Err(PassedOver::UnknownType),
    };
    if entry.alg.as_deref().is_some_and(|alg| alg != name) {
        return Err(PassedOver::OtherAlgorithm);
    }
    let key = key.ok_or(PassedOver::Broken)?;
    Ok(VerifyingKey { key, algorithm })
}

/// Each of these tries the key, so that a broken one is known before a token comes.
impl Entry {
    fn edwards(&self) -> Option<DecodingKey> {
        let point = bytes(self.x.as_ref())?;
        ParsedPublicKey::new(&ED25519, &point).ok()?;
        Some(DecodingKey::from_ed_der(&point))
    }

    fn elliptic(&self) -> Option<DecodingKey> {
        const UNCOMPRESSED: u8 = 4;
        const COORDINATE: usize = 32;
        let (x, y) = (bytes(self.x.as_ref())?, bytes(self.y.as_ref())?);
        if x.len() != COORDINATE || y.len() != COORDINATE {
            return None;
        }
        let point = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).ok()?;
        Some(DecodingKey::from_ec_der(&point))
    }

    fn rsa(&self) -> Option<DecodingKey> {
        let (n, e) = (number(self.n.as_ref())?, number(self.e.as_ref())?);
        if !RSA_BITS.contains(&bit_length(&n)) {
            return None;
        }
        RsaPublicKeyComponents { n: &n, e: &e }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .ok()?;
        Some(DecodingKey::from_rsa_raw_components(&n, &e))
    }
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// A number without the leading zeros that some publishers write.
fn number(text: Option<&String>) -> Option<Vec<u8>> {
    let bytes = bytes(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).map(<[u8]>::to_vec)
}

fn bit_length(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    number.len() * 8 - unused as usize
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base64url(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn what_is_passed_over_is_counted_by_reason() {
        let good = json!({"kty": "RSA", "kid": "good", "n": base64url([255; 256]), "e": "AQAB"});
        let zeros = base64url([0; 32]);
        let entries = [
            good.clone(),
            json!({"kty": "RSA", "kid": "a", "n": base64url([255; 255]), "e": "AQAB"}),
            json!({"kty": "RSA", "kid": "b", "n": base64url([127; 256]), "e": "AQAB"}),
            json!({"kty": "RSA", "kid": "c", "n": base64url([255; 1025]), "e": "AQAB"}),
            json!({"kty": "RSA", "kid": "d", "n": base64url([255; 256]), "e": ""}),
            json!({"kty": "RSA", "kid": "e"}),
            json!({"kty": "EC", "crv": "P-256", "kid": "f", "x": zeros, "y": zeros}),
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "g", "x": base64url([1; 33])}),
            json!({"kty": 7, "kid": "h"}),
            json!({"kty": "oct", "kid": "i", "k": zeros}),
            json!({"kty": "OKP", "crv": "X25519", "kid": "j", "x": zeros}),
            json!({"kty": "RSA", "kid": "k", "use": "enc"}),
            json!({"kty": "RSA", "kid": "l", "alg": "RS512", "n": "AQ", "e": "AQ"}),
            json!({"kty": "RSA", "kid": "twice"}),
            json!({"kty": "oct", "kid": "twice"}),
            json!({"kty": "RSA", "kid": ""}),
            json!([]),
        ];
        let document = json!({"keys": entries, "unheard of": true}).to_string();
        let Ok(set) = KeySet::parse(document.as_bytes()) else {
            panic!("a set with a good key")
        };
        assert_eq!((set.len(), set.passed_over()), (1, 16));
        assert_eq!(
            set.why_passed_over(),
            "2 without kid, 2 with a doubled kid, 1 not for signatures, 1 secret, 1 of an unknown \
             type or curve, 1 for another algorithm, 8 broken"
        );
        assert!(set.find("good").is_some() && set.find("b").is_none());
    }

    #[test]
    fn a_set_without_a_good_key_is_nonsense() {
        for document in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","kid":"a"}]}"#] {
            let outcome = KeySet::parse(document.as_bytes());
            assert!(matches!(outcome, Err(Nonsense::NoKey(_))), "{document}");
        }
        for document in ["", "[]", "{}", r#"{"keys":{}}"#, "\u{feff}{}"] {
            let outcome = KeySet::parse(document.as_bytes());
            assert!(matches!(outcome, Err(Nonsense::NoSet(_))), "{document}");
        }
    }
}
