//! Which keys of a published set are taken, and which tokens they make good.

use axum::Router;
use axum::routing::get as route_get;
use http_edge::{Keys, Principal, PublishedKeys};
use serde_json::{Value, json};

use crate::app::{Answer, app_with, claims, get, send, sign};
use crate::issuer::{Publisher, SigningKey, base64url, key_set};

/// An application that trusts the keys at an address, and keeps them until the test ends.
pub(crate) async fn trusting(address: &str) -> Router {
    let keys = PublishedKeys::at(address).unwrap();
    let (sender, mut found) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(keys.clone().keep(move |outcome| {
        // The test may be over.
        sender.send(outcome.is_ok()).ok();
    }));
    found.recv().await.unwrap();
    who(keys.into())
}

pub(crate) fn who(keys: Keys) -> Router {
    let route = route_get(|principal: Principal| async move { principal.actor().to_string() });
    app_with(keys, Router::new().route("/who", route))
}

pub(crate) async fn ask(app: &Router, token: &str) -> Answer {
    let header = format!("Bearer {token}");
    send(app, get("/who").header("authorization", header)).await
}

#[tokio::test]
async fn each_of_the_three_families_signs_good_tokens() {
    let keys = [
        SigningKey::ed25519("ed"),
        SigningKey::p256("ec"),
        SigningKey::rsa("rsa"),
    ];
    let publisher = Publisher::of(key_set(keys.iter().map(SigningKey::jwk))).await;
    let app = trusting(&publisher.url).await;
    for key in &keys {
        let answer = ask(&app, &key.token()).await;
        assert_eq!(answer.status, 200, "{}: {}", key.kid, answer.body);
    }
    assert_eq!(publisher.times_asked(), 1, "known keys fetch nothing");
}

#[tokio::test]
async fn a_key_is_bound_to_its_algorithm() {
    let keys = [
        SigningKey::ed25519("ed"),
        SigningKey::p256("ec"),
        SigningKey::rsa("rsa"),
    ];
    let publisher = Publisher::of(key_set(keys.iter().map(SigningKey::jwk))).await;
    let app = trusting(&publisher.url).await;
    for key in &keys {
        let algorithms = [
            "none", "None", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256",
            "ES384", "EdDSA", "", "x",
        ];
        for algorithm in algorithms {
            if algorithm == key.algorithm() {
                continue;
            }
            let header = json!({"alg": algorithm, "kid": key.kid});
            let token = key.sign(&header, &claims("operator"));
            let answer = ask(&app, &token).await;
            assert_eq!(answer.problem().0, 401, "{algorithm} with {}", key.kid);
        }
        // The public key, taken for a secret that is shared.
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some(key.kid.to_owned());
        for secret in [key.public_bytes(), key.jwk().to_string().into_bytes()] {
            let token = sign(&header, &claims("operator"), &secret);
            assert_eq!(ask(&app, &token).await.problem().0, 401);
        }
    }
    assert_eq!(publisher.times_asked(), 1, "none of these fetches anything");
}

#[tokio::test]
async fn a_token_names_its_key_and_brings_none() {
    let (trusted, foreign) = (SigningKey::ed25519("ours"), SigningKey::ed25519("theirs"));
    let publisher = Publisher::of(key_set([trusted.jwk()])).await;
    let app = trusting(&publisher.url).await;
    let elsewhere = Publisher::of(key_set([foreign.jwk()])).await;
    let claims = claims("operator");
    for header in [
        json!({"alg": "EdDSA"}),
        json!({"alg": "EdDSA", "kid": "theirs"}),
        json!({"alg": "EdDSA", "kid": "ours"}),
        json!({"alg": "EdDSA", "kid": ["ours"]}),
        json!({"alg": "EdDSA", "kid": "ours", "jwk": foreign.jwk()}),
        json!({"alg": "EdDSA", "kid": "theirs", "jku": elsewhere.url}),
        json!({"alg": "EdDSA", "kid": "theirs", "x5u": elsewhere.url}),
        json!({"alg": "EdDSA", "kid": "../ours"}),
        json!({"alg": "EdDSA", "kid": "ours\u{0}"}),
    ] {
        let answer = ask(&app, &foreign.sign(&header, &claims)).await;
        assert_eq!(answer.problem().0, 401, "{header}");
    }
    assert_eq!(elsewhere.times_asked(), 0, "no token says where keys are");
    // Nor is a key needed to know one that names none.
    let nameless = trusted.sign(&json!({"alg": "EdDSA"}), &claims);
    assert_eq!(ask(&app, &nameless).await.problem().0, 401);
}

/// What of a set is of no use, each with a token that it would make good.
fn useless(seed: &SigningKey) -> Vec<(&'static str, Value, String)> {
    let sign = |kid: &'static str| {
        seed.sign(
            &json!({"alg": seed.algorithm(), "kid": kid}),
            &claims("operator"),
        )
    };
    let but = |kid: &'static str, name: &str, value: Value| {
        let mut jwk = seed.jwk();
        jwk["kid"] = kid.into();
        jwk[name] = value;
        (kid, jwk, sign(kid))
    };
    let oct = {
        let secret = b"a secret in a published set is no secret";
        let jwk = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": base64url(secret)});
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some("oct".to_owned());
        let token = crate::app::sign(&header, &claims("operator"), secret);
        ("oct", jwk, token)
    };
    let nameless = {
        let mut jwk = seed.jwk();
        jwk.as_object_mut().unwrap().remove("kid");
        (
            "",
            jwk,
            seed.sign(&json!({"alg": seed.algorithm()}), &claims("operator")),
        )
    };
    vec![
        but("enc", "use", json!("enc")),
        but("wraps", "key_ops", json!(["wrapKey"])),
        but("kty", "kty", json!("AKP")),
        but("crv", "crv", json!("P-521")),
        but("alg", "alg", json!("ES384")),
        but("short", "x", json!(base64url([7; 31]))),
        but("odd", "x", json!("+/=")),
        but("off", "y", json!(base64url([1; 32]))),
        but("list", "x", json!([1, 2])),
        but("doubled", "use", json!("sig")),
        oct,
        nameless,
    ]
}

#[tokio::test]
async fn keys_of_no_use_are_passed_over_and_the_good_ones_work() {
    let seed = SigningKey::p256("seed");
    for rotated in [false, true] {
        let good = SigningKey::ed25519("good");
        let useless = useless(&seed);
        let entries = || {
            let useless = useless.iter().map(|(_, jwk, _)| jwk.clone());
            let doubled = seed.jwk().as_object().cloned().map(|mut jwk| {
                jwk.insert("kid".to_owned(), "doubled".into());
                Value::Object(jwk)
            });
            useless
                .chain(doubled)
                .chain([good.jwk(), json!("no key"), json!(null), json!({})])
        };
        let before = SigningKey::rsa("before");
        let first = if rotated {
            key_set([before.jwk()])
        } else {
            key_set(entries())
        };
        let publisher = Publisher::of(first).await;
        let app = trusting(&publisher.url).await;
        if rotated {
            assert_eq!(ask(&app, &before.token()).await.status, 200);
            publisher.publish(key_set(entries()));
        }
        let answer = ask(&app, &good.token()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        for (name, _, token) in &useless {
            let answer = ask(&app, token).await;
            assert_eq!(answer.problem().0, 401, "{name:?}, rotated: {rotated}");
        }
        if rotated {
            assert_eq!(
                ask(&app, &before.token()).await.problem().0,
                401,
                "it is published no more"
            );
        }
    }
}

#[tokio::test]
async fn a_modulus_may_be_written_with_leading_zeros() {
    let key = SigningKey::rsa("rsa");
    let mut jwk = key.jwk();
    let modulus = format!("AAAA{}", jwk["n"].as_str().unwrap());
    jwk["n"] = modulus.into();
    let publisher = Publisher::of(key_set([jwk])).await;
    let app = trusting(&publisher.url).await;
    assert_eq!(ask(&app, &key.token()).await.status, 200);
}
