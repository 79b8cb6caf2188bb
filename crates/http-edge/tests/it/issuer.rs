//! An issuer of tokens: its keys, what it publishes of them, and tokens that they sign. It signs by
//! itself, so that no two sides of one library agree with each other.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::app::claims;

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key pair, under the name by which it is published.
pub(crate) struct SigningKey {
    pub(crate) kid: &'static str,
    pair: Pair,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    pub(crate) fn ed25519(kid: &'static str) -> Self {
        let pair = Pair::Ed25519(Ed25519KeyPair::generate().unwrap());
        Self { kid, pair }
    }

    pub(crate) fn p256(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pair = Pair::P256(pair);
        Self { kid, pair }
    }

    pub(crate) fn rsa(kid: &'static str) -> Self {
        let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let pair = Pair::Rsa(pair);
        Self { kid, pair }
    }

    /// The algorithm of its signatures.
    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::P256(_) => "ES256",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// The public key's bytes, as somebody who takes them for a secret would use them.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Pair::P256(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// What is published of it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ed25519(_) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(self.public_bytes())})
            }
            Pair::P256(_) => {
                let point = self.public_bytes();
                let (x, y) = point[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Pair::Rsa(pair) => {
                let (n, e) = (
                    pair.public_key()
                        .modulus()
                        .big_endian_without_leading_zero(),
                    pair.public_key()
                        .exponent()
                        .big_endian_without_leading_zero(),
                );
                json!({"kty": "RSA", "n": base64url(n), "e": base64url(e)})
            }
        };
        jwk["kid"] = self.kid.into();
        jwk["alg"] = self.algorithm().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// A token that is valid in every respect.
    pub(crate) fn token(&self) -> String {
        self.sign(
            &json!({"alg": self.algorithm(), "kid": self.kid}),
            &claims("operator"),
        )
    }

    /// A token with this header, signed by this key whatever the header says.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            base64url(header.to_string()),
            base64url(claims.to_string())
        );
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Pair::P256(pair) => {
                let signature = pair.sign(&random, message.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    message.as_bytes(),
                    &mut signature,
                )
                .unwrap();
                signature
            }
        };
        format!("{message}.{}", base64url(signature))
    }
}

/// A set of these entries.
pub(crate) fn key_set(entries: impl IntoIterator<Item = Value>) -> String {
    json!({"keys": entries.into_iter().collect::<Vec<_>>()}).to_string()
}

/// An address that publishes a document, counts who asks, and may keep them waiting.
pub(crate) struct Publisher {
    pub(crate) url: String,
    document: watch::Sender<(StatusCode, String)>,
    pub(crate) asked: Arc<AtomicU32>,
    pub(crate) was_asked: Arc<Notify>,
    hold: Arc<tokio::sync::RwLock<()>>,
}

impl Publisher {
    pub(crate) async fn of(document: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, document)
    }

    /// Publishes where a listener was left open for it.
    pub(crate) fn on(listener: TcpListener, document: impl Into<String>) -> Self {
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let (sender, document) = watch::channel((StatusCode::OK, document.into()));
        let asked = Arc::new(AtomicU32::new(0));
        let was_asked = Arc::new(Notify::new());
        let hold = Arc::new(tokio::sync::RwLock::new(()));
        let answer = {
            let (asked, was_asked, hold) = (
                Arc::clone(&asked),
                Arc::clone(&was_asked),
                Arc::clone(&hold),
            );
            async move || {
                asked.fetch_add(1, Ordering::SeqCst);
                was_asked.notify_one();
                let _released = hold.read().await;
                document.borrow().clone()
            }
        };
        let router = Router::new().route("/keys", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            document: sender,
            asked,
            was_asked,
            hold,
        }
    }

    pub(crate) fn publish(&self, document: impl Into<String>) {
        self.answer(StatusCode::OK, document);
    }

    pub(crate) fn answer(&self, status: StatusCode, document: impl Into<String>) {
        self.document.send_replace((status, document.into()));
    }

    pub(crate) fn times_asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Nobody is answered until the guard is dropped.
    pub(crate) async fn hold(&self) -> tokio::sync::OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.hold).write_owned().await
    }
}

/// A file that publishes a document.
pub(crate) struct PublishedFile(pub(crate) PathBuf);

impl PublishedFile {
    /// A path of this test's own, at which there is nothing yet.
    pub(crate) fn named(test: &str) -> Self {
        let name = format!("atlas-keys-{}-{test}.json", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn publish(&self, document: impl AsRef<[u8]>) {
        // As publishers of files do it: whole, or not at all.
        let unfinished = self.0.with_extension("new");
        std::fs::write(&unfinished, document).unwrap();
        std::fs::rename(unfinished, &self.0).unwrap();
    }

    pub(crate) fn withdraw(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

impl Drop for PublishedFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}
