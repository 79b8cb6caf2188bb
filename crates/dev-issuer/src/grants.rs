//! What was granted and not used yet: codes, and refresh tokens. Each is good once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::distr::{Alphanumeric, SampleString};

use crate::clock;
use crate::people::Person;

/// How long a code is good, in seconds: a browser redeems it at once.
const CODE_SECONDS: u64 = 60;
/// How long a refresh token is good, in seconds.
const REFRESH_SECONDS: u64 = 24 * 3_600;
/// How many there are at most of each kind: a development system has few people.
const MOST: usize = 10_000;
const LENGTH: usize = 43;

/// What a code was given for.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) person: Person,
    pub(crate) redirect_uri: String,
    pub(crate) code_challenge: String,
    pub(crate) nonce: Option<String>,
}

/// Everything granted. Secrets are the keys of the maps.
#[derive(Default)]
pub(crate) struct Grants {
    codes: Mutex<HashMap<String, (u64, Code)>>,
    refreshes: Mutex<HashMap<String, (u64, Person)>>,
}

impl Grants {
    /// A code for a browser to redeem.
    pub(crate) fn code(&self, code: Code) -> String {
        keep(&self.codes, CODE_SECONDS, code)
    }

    /// What a code was given for, once.
    pub(crate) fn redeem(&self, code: &str) -> Option<Code> {
        take(&self.codes, code)
    }

    /// A refresh token for somebody.
    pub(crate) fn refresh_token(&self, person: Person) -> String {
        keep(&self.refreshes, REFRESH_SECONDS, person)
    }

    /// Whose refresh token it is, once: the next one comes with the answer.
    pub(crate) fn refresh(&self, token: &str) -> Option<Person> {
        take(&self.refreshes, token)
    }
}

type Kept<T> = Mutex<HashMap<String, (u64, T)>>;

fn keep<T>(kept: &Kept<T>, seconds: u64, value: T) -> String {
    let secret = Alphanumeric.sample_string(&mut rand::rng(), LENGTH);
    let now = clock::now();
    let mut kept = lock(kept);
    kept.retain(|_, (ends, _)| *ends > now);
    if kept.len() >= MOST {
        kept.clear();
    }
    kept.insert(secret.clone(), (now + seconds, value));
    secret
}

fn take<T>(kept: &Kept<T>, secret: &str) -> Option<T> {
    let (ends, value) = lock(kept).remove(secret)?;
    (ends > clock::now()).then_some(value)
}

fn lock<T>(kept: &Kept<T>) -> MutexGuard<'_, HashMap<String, (u64, T)>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
