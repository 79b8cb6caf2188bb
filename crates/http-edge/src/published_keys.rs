//! Keys that the issuer of tokens publishes: fetched, kept, and fetched again.
//!
//! What was fetched once stays good while the address is away or answers nonsense. The set is
//! looked at again every half minute, and at once for a token that names a key nobody knows yet;
//! that at most twice a minute, so that strangers cannot make us hammer the issuer.

use std::convert::Infallible;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::{Client, Url};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep};

use crate::key_set::{KeySet, Nonsense, VerifyingKey};
use crate::token::TokenError;

/// How often the set is looked at.
const INTERVAL: Duration = Duration::from_secs(30);
/// How often while there never was one.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
/// How far two fetches for unknown keys lie apart at least.
const FLOOR: Duration = Duration::from_secs(30);
/// How long one fetch may take.
const BOUND: Duration = Duration::from_secs(5);
/// The largest document that is read, in bytes.
const LARGEST: usize = 1024 * 1024;
/// How many requests may wait for a fetch at once; more are answered by what is known.
const MOST_WAITING: usize = 16;

/// Where keys cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum KeyAddressError {
    /// It looks like a URL and is none.
    #[error("the address of the published keys is no URL")]
    NoUrl(#[source] Box<dyn Error + Send + Sync>),
    /// No client for it can be made.
    #[error("the client that fetches published keys cannot be made")]
    NoClient(#[source] reqwest::Error),
}

/// The keys that the issuer of tokens publishes as a JWK Set. Cheap to clone.
#[derive(Clone)]
pub struct PublishedKeys(Arc<Published>);

struct Published {
    address: Address,
    current: RwLock<Option<Arc<Current>>>,
    /// When a fetch for an unknown key was begun last; held while it lasts.
    sought: Mutex<Option<Instant>>,
    waiting: Semaphore,
}

enum Address {
    File(PathBuf),
    Url(Client, Url),
}

struct Current {
    document: Vec<u8>,
    set: KeySet,
}

/// Why the address brought no keys.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the file of published keys cannot be read")]
    File(#[source] std::io::Error),
    #[error("the published keys cannot be fetched")]
    Request(#[source] reqwest::Error),
    #[error("the address of the published keys answers {0}")]
    Status(reqwest::StatusCode),
    #[error("the document at the address of the published keys is larger than 1 MiB")]
    TooLarge,
    #[error("what is published cannot be used")]
    Nonsense(#[from] Nonsense),
}

impl PublishedKeys {
    /// The keys at `address`: a URL of `http` or `https`, or else the path of a file. Nothing is
    /// fetched before [`keep`](Self::keep) runs.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub fn at(address: &str) -> Result<Self, KeyAddressError> {
        let address = if address.contains("://") {
            let url = Url::parse(address).map_err(|error| KeyAddressError::NoUrl(error.into()))?;
            let client = Client::builder()
                .timeout(BOUND)
                .build()
                .map_err(KeyAddressError::NoClient)?;
            Address::Url(client, url)
        } else {
            Address::File(address.into())
        };
        Ok(Self(Arc::new(Published {
            address,
            current: RwLock::new(None),
            sought: Mutex::new(None),
            waiting: Semaphore::new(MOST_WAITING),
        })))
    }

    /// Fetches the keys now and again, for as long as it is polled. `found` is told after each
    /// time whether there are keys to work with, and if not, why.
    pub async fn keep(self, found: impl Fn(Result<(), &dyn Error>)) -> Infallible {
        let mut was_away = false;
        loop {
            let outcome = self.fetch().await;
            let known = self.current().is_some();
            match &outcome {
                Err(error) if !known => found(Err(error)),
                Ok(()) | Err(_) => found(Ok(())),
            }
            let away = outcome.is_err();
            if let Err(error) = outcome
                && !was_away
            {
                let reason: &dyn Error = &error;
                tracing::warn!(reason, "the published keys are away");
            } else if was_away && !away {
                tracing::info!("the published keys are back");
            }
            was_away = away;
            sleep(if known { INTERVAL } else { FIRST_INTERVAL }).await;
        }
    }

    /// The key of this name. One that nobody knows is looked for at the address first, unless that
    /// was done a short while ago.
    pub(crate) async fn find(&self, kid: &str) -> Result<Option<VerifyingKey>, TokenError> {
        let known = self.current().ok_or(TokenError::KeysUnavailable)?;
        if let Some(key) = known.set.find(kid) {
            return Ok(Some(key.clone()));
        }
        self.seek().await;
        Ok(self
            .current()
            .and_then(|current| current.set.find(kid).cloned()))
    }

    /// Fetches because of a key that nobody knows. All who ask meanwhile wait for the one fetch,
    /// which goes on when they leave.
    async fn seek(&self) {
        let Ok(_place) = self.0.waiting.try_acquire() else {
            return;
        };
        let keys = self.clone();
        let fetch = tokio::spawn(async move {
            let mut sought = keys.0.sought.lock().await;
            if sought.is_some_and(|at| at.elapsed() < FLOOR) {
                return;
            }
            *sought = Some(Instant::now());
            if let Err(error) = keys.fetch().await {
                let reason: &dyn Error = &error;
                tracing::warn!(reason, "no keys were fetched for an unknown one");
            }
        });
        // Should it have died, what is known has to do.
        drop(fetch.await);
    }

    /// Fetches, and takes the set over if it is one.
    async fn fetch(&self) -> Result<(), FetchError> {
        let document = self.0.address.read().await?;
        if self
            .current()
            .is_some_and(|current| current.document == document)
        {
            return Ok(());
        }
        let set = KeySet::parse(&document)?;
        tracing::info!(
            keys = set.len(),
            passed_over = set.passed_over(),
            why = set.why_passed_over(),
            "published keys are taken over"
        );
        let current = Arc::new(Current { document, set });
        let mut slot = self.0.current.write();
        *slot
            .as_deref_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut()) = Some(current);
        Ok(())
    }

    fn current(&self) -> Option<Arc<Current>> {
        let current = self.0.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Address {
    async fn read(&self) -> Result<Vec<u8>, FetchError> {
        match self {
            Self::File(path) => {
                let document = tokio::fs::read(path).await.map_err(FetchError::File)?;
                within_bounds(document)
            }
            Self::Url(client, url) => download(client, url.clone()).await,
        }
    }
}

async fn download(client: &Client, url: Url) -> Result<Vec<u8>, FetchError> {
    let failed = |error: reqwest::Error| FetchError::Request(error.without_url());
    let mut response = client.get(url).send().await.map_err(failed)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let mut document = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        document.extend_from_slice(&chunk);
        document = within_bounds(document)?;
    }
    Ok(document)
}

fn within_bounds(document: Vec<u8>) -> Result<Vec<u8>, FetchError> {
    if document.len() > LARGEST {
        return Err(FetchError::TooLarge);
    }
    Ok(document)
}
