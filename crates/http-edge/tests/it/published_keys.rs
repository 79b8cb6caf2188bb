//! How published keys are fetched and kept: rotation, outages, nonsense, and no hammering.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use futures::future::join_all;
use http_edge::PublishedKeys;
use serde_json::json;
use test_support::eventually;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{advance, sleep};

use crate::app::claims;
use crate::issuer::{PublishedFile, Publisher, SigningKey, key_set};
use crate::key_sets::{ask, trusting, who};

const BOUND: Duration = Duration::from_secs(10);

/// An application over keys that may not be there yet, and what its keeper found last: nothing
/// before the first time.
fn keeping(address: &str) -> (Router, watch::Receiver<Option<Result<(), String>>>) {
    let keys = PublishedKeys::at(address).unwrap();
    let (sender, found) = watch::channel(None);
    tokio::spawn(keys.clone().keep(move |outcome| {
        sender.send_replace(Some(outcome.map_err(|error| error.to_string())));
    }));
    (who(keys.into()), found)
}

fn path(file: &PublishedFile) -> &str {
    file.0.to_str().unwrap()
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_at_once() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::ed25519("new"));
    let publisher = Publisher::of(key_set([old.jwk()])).await;
    let app = trusting(&publisher.url).await;
    publisher.publish(key_set([old.jwk(), new.jwk()]));
    assert_eq!(ask(&app, &new.token()).await.status, 200);
    assert_eq!(ask(&app, &old.token()).await.status, 200);
    assert_eq!(publisher.times_asked(), 2);
}

#[tokio::test]
async fn strangers_cannot_make_us_hammer_the_issuer() {
    let (known, foreign) = (SigningKey::ed25519("known"), SigningKey::ed25519("foreign"));
    let publisher = Publisher::of(key_set([known.jwk()])).await;
    let app = trusting(&publisher.url).await;
    let tokens: Vec<_> = (0..100)
        .map(|n| {
            let header = json!({"alg": "EdDSA", "kid": format!("made-up-{n}")});
            foreign.sign(&header, &claims("operator"))
        })
        .collect();
    for answer in join_all(tokens.iter().map(|token| ask(&app, token))).await {
        assert_eq!(answer.problem(), (401, "UNAUTHENTICATED".to_owned()));
    }
    assert_eq!(
        publisher.times_asked(),
        2,
        "the first, and one for them all"
    );
    assert_eq!(ask(&app, &known.token()).await.status, 200);
}

#[tokio::test]
async fn a_slow_issuer_holds_up_only_a_few_who_name_unknown_keys() {
    let (known, foreign) = (SigningKey::ed25519("known"), SigningKey::ed25519("foreign"));
    let publisher = Publisher::of(key_set([known.jwk()])).await;
    let app = trusting(&publisher.url).await;
    publisher.was_asked.notified().await;
    let held = publisher.hold().await;
    let waiting: Vec<_> = (0..16)
        .map(|_| {
            let (app, token) = (app.clone(), foreign.token());
            tokio::spawn(async move { ask(&app, &token).await.status })
        })
        .collect();
    publisher.was_asked.notified().await;
    // The places are taken: one more is answered by what is known.
    eventually("places to be taken", BOUND, async || {
        let bound = Duration::from_millis(20);
        match tokio::time::timeout(bound, ask(&app, &foreign.token())).await {
            Ok(answer) => {
                assert_eq!(answer.status, 401);
                Ok(())
            }
            Err(_) => Err("it waits too"),
        }
    })
    .await;
    assert_eq!(ask(&app, &known.token()).await.status, 200);
    drop(held);
    for status in join_all(waiting).await {
        assert_eq!(status.unwrap(), 401);
    }
}

#[tokio::test]
async fn a_fetch_goes_on_when_the_client_who_caused_it_leaves() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let publisher = Publisher::of(key_set([old.jwk()])).await;
    let app = trusting(&publisher.url).await;
    publisher.was_asked.notified().await;
    let held = publisher.hold().await;
    publisher.publish(key_set([new.jwk()]));
    let client = tokio::spawn({
        let (app, token) = (app.clone(), new.token());
        async move { ask(&app, &token).await }
    });
    publisher.was_asked.notified().await;
    client.abort();
    drop(held);
    assert_eq!(ask(&app, &new.token()).await.status, 200);
    assert_eq!(publisher.times_asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_fetch_again_after_half_a_minute_and_not_before() {
    let file = PublishedFile::named("floor");
    let keys = [
        SigningKey::ed25519("one"),
        SigningKey::ed25519("two"),
        SigningKey::ed25519("three"),
    ];
    file.publish(key_set([keys[0].jwk()]));
    let app = trusting(path(&file)).await;
    sleep(Duration::from_secs(20)).await;
    file.publish(key_set([keys[1].jwk()]));
    assert_eq!(ask(&app, &keys[1].token()).await.status, 200);
    file.publish(key_set([keys[2].jwk()]));
    sleep(Duration::from_secs(9)).await;
    assert_eq!(ask(&app, &keys[2].token()).await.problem().0, 401);
    assert_eq!(ask(&app, &keys[1].token()).await.status, 200);
    // The keeper looks at 30 s, whoever asks.
    sleep(Duration::from_secs(2)).await;
    assert_eq!(ask(&app, &keys[2].token()).await.status, 200);
    assert_eq!(
        ask(&app, &keys[1].token()).await.problem().0,
        401,
        "it is published no more"
    );
}

#[tokio::test(start_paused = true)]
async fn keys_stay_good_while_their_address_is_away_or_answers_nonsense() {
    let file = PublishedFile::named("nonsense");
    let (key, next) = (SigningKey::p256("key"), SigningKey::p256("next"));
    file.publish(key_set([key.jwk()]));
    let app = trusting(path(&file)).await;
    let useless = json!({"kty": "oct", "kid": "key", "k": "c2VjcmV0"});
    for nonsense in [
        String::new(),
        "<html>502 Bad Gateway</html>".to_owned(),
        "{}".to_owned(),
        r#"{"keys": {}}"#.to_owned(),
        key_set([]),
        key_set([useless]),
        key_set([key.jwk(), key.jwk()]),
        format!("{}{}", key_set([next.jwk()]), " ".repeat(1024 * 1024)),
    ] {
        file.publish(&nonsense);
        sleep(Duration::from_secs(31)).await;
        let answer = ask(&app, &key.token()).await;
        assert_eq!(answer.status, 200, "after {:.40}", nonsense);
    }
    file.withdraw();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(ask(&app, &key.token()).await.status, 200);
    // A returned address is noticed within a minute.
    file.publish(key_set([next.jwk()]));
    sleep(Duration::from_secs(59)).await;
    assert_eq!(ask(&app, &key.token()).await.problem().0, 401);
    assert_eq!(ask(&app, &next.token()).await.status, 200);
}

#[tokio::test]
async fn an_address_that_fails_leaves_what_there_is() {
    let (old, new) = (SigningKey::ed25519("old"), SigningKey::ed25519("new"));
    let publisher = Publisher::of(key_set([old.jwk()])).await;
    let app = trusting(&publisher.url).await;
    publisher.answer(StatusCode::NOT_FOUND, key_set([new.jwk()]));
    assert_eq!(ask(&app, &new.token()).await.problem().0, 401);
    assert_eq!(ask(&app, &old.token()).await.status, 200);
}

#[tokio::test]
async fn without_any_keys_yet_a_token_is_not_refused_but_put_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (app, mut found) = keeping(&format!("http://{address}/keys"));
    found.changed().await.unwrap();
    let reason = found.borrow().clone().unwrap().unwrap_err();
    assert_eq!(reason, "the published keys cannot be fetched");

    let key = SigningKey::ed25519("key");
    let answer = ask(&app, &key.token()).await;
    assert_eq!(answer.problem(), (503, "KEYS_UNAVAILABLE".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(answer.json()["outcome"], "none");
    assert_eq!(answer.json()["retryable"], true);
    // What no key could make good is refused as ever.
    let unsigned = key.sign(&json!({"alg": "none", "kid": "key"}), &claims("operator"));
    assert_eq!(ask(&app, &unsigned).await.problem().0, 401);
    assert_eq!(ask(&app, "").await.problem().0, 401);

    let listener = TcpListener::bind(address).await.unwrap();
    let _publisher = Publisher::on(listener, key_set([key.jwk()]));
    found
        .wait_for(|found| *found == Some(Ok(())))
        .await
        .unwrap();
    assert_eq!(ask(&app, &key.token()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_comes_late_is_noticed_within_seconds() {
    let file = PublishedFile::named("late");
    let (app, mut found) = keeping(path(&file));
    found.changed().await.unwrap();
    let key = SigningKey::rsa("key");
    assert_eq!(ask(&app, &key.token()).await.problem().0, 503);
    file.publish(key_set([key.jwk()]));
    advance(Duration::from_secs(1)).await;
    found
        .wait_for(|found| *found == Some(Ok(())))
        .await
        .unwrap();
    assert_eq!(ask(&app, &key.token()).await.status, 200);
}

#[test]
fn an_address_is_a_url_or_a_path() {
    for address in ["http://[", "https://"] {
        assert!(PublishedKeys::at(address).is_err(), "{address}");
    }
    for address in ["/etc/keys.json", "keys.json", "https://issuer.example/keys"] {
        assert!(PublishedKeys::at(address).is_ok(), "{address}");
    }
}
