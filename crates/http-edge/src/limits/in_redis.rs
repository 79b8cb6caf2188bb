//! Buckets in Redis, which all processes share.
//!
//! A request asks once and waits 50 ms at most; where that brings no answer the process decides,
//! and goes on deciding, without asking, until the keeper has found Redis fit again. So an outage
//! costs the few requests that meet it first 50 ms, and all others nothing.

use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, Script, ScriptInvocation};
use tokio::time::{Instant, sleep, timeout};

use super::quota::{Quota, Standing};
use super::{Bucket, REMEMBERED};
use crate::instruments::RATE_LIMIT_FALLBACKS;

/// How long an answer may take.
const BOUND: Duration = Duration::from_millis(50);
/// How long connecting may take.
const CONNECT_BOUND: Duration = Duration::from_secs(1);
/// How often the keeper looks whether Redis is fit.
const INTERVAL: Duration = Duration::from_millis(500);
/// How far two log lines lie apart at least.
const QUIET: Duration = Duration::from_secs(60);

/// The URL of Redis cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the URL of Redis cannot be read")]
pub struct RedisUrlError(#[source] RedisError);

/// Buckets in Redis, which all processes share. Cheap to clone.
#[derive(Clone)]
pub struct SharedBuckets(Arc<Shared>);

struct Shared {
    client: Client,
    spend: Script,
    give_back: Script,
    /// None while Redis is not fit.
    connection: RwLock<Option<MultiplexedConnection>>,
    told: Mutex<Option<Instant>>,
}

/// Why Redis did not decide.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("it is away")]
    Away,
    #[error("it does not answer within {} ms", BOUND.as_millis())]
    Slow,
    #[error("it refuses")]
    Refused(#[source] RedisError),
    #[error("it cannot be connected to")]
    Unconnected(#[source] RedisError),
    #[error("it cannot be connected to within {} ms", CONNECT_BOUND.as_millis())]
    Unreachable,
}

impl Unfit {
    const fn label(&self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Slow => "slow",
            Self::Refused(_) => "refused",
            Self::Unconnected(_) | Self::Unreachable => "unreachable",
        }
    }
}

impl SharedBuckets {
    /// Buckets in the Redis at `url`. Nothing is connected before [`keep`](Self::keep) runs.
    ///
    /// # Errors
    /// If it is no `redis://` URL.
    pub fn at(url: &str) -> Result<Self, RedisUrlError> {
        Ok(Self(Arc::new(Shared {
            client: Client::open(url).map_err(RedisUrlError)?,
            spend: Script::new(include_str!("spend.lua")),
            give_back: Script::new(include_str!("give_back.lua")),
            connection: RwLock::new(None),
            told: Mutex::new(None),
        })))
    }

    /// Connects, and looks now and again whether Redis is fit, for as long as it is polled. `found`
    /// is told each time. Logs by itself, a line a minute at most.
    pub async fn keep(self, found: impl Fn(Result<(), &dyn Error>)) -> Infallible {
        loop {
            let Err(unfit) = self.keep_connected(&found).await;
            self.put(None);
            found(Err(&unfit));
            self.tell_that_it_is_unfit(&unfit);
            sleep(INTERVAL).await;
        }
    }

    /// Connects, and gives the connection to requests for as long as Redis is fit.
    async fn keep_connected(
        &self,
        found: &impl Fn(Result<(), &dyn Error>),
    ) -> Result<Infallible, Unfit> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connect = self
            .0
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let connection = timeout(CONNECT_BOUND, connect)
            .await
            .map_err(|_| Unfit::Unreachable)?
            .map_err(Unfit::Unconnected)?;
        let probe = Bucket::probe();
        loop {
            self.ask(connection.clone(), &probe, Quota::PROBE).await?;
            if self.put(Some(connection.clone())) {
                self.tell_that_it_is_fit();
            }
            found(Ok(()));
            sleep(INTERVAL).await;
        }
    }

    /// Takes one from a bucket; none where the process has to decide.
    pub(super) async fn spend(&self, bucket: &Bucket, quota: Quota) -> Option<Standing> {
        let outcome = match self.connection() {
            Some(connection) => self.ask(connection, bucket, quota).await,
            None => Err(Unfit::Away),
        };
        self.decided(outcome)
    }

    /// Puts one back into a bucket; none where the process has to.
    pub(super) async fn give_back(&self, bucket: &Bucket, quota: Quota) -> Option<()> {
        let mut call = self.0.give_back.key(&bucket.key);
        call.arg(quota.interval());
        let outcome = match self.connection() {
            Some(connection) => answered(&call, connection).await,
            None => Err(Unfit::Away),
        };
        self.decided(outcome)
    }

    fn connection(&self) -> Option<MultiplexedConnection> {
        let connection = self.0.connection.read();
        connection.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn decided<T>(&self, outcome: Result<T, Unfit>) -> Option<T> {
        match outcome {
            Ok(decided) => Some(decided),
            Err(unfit) => {
                RATE_LIMIT_FALLBACKS.of([unfit.label()]).increment(1);
                if !matches!(unfit, Unfit::Away) && self.put(None) {
                    self.tell_that_it_is_unfit(&unfit);
                }
                None
            }
        }
    }

    async fn ask(
        &self,
        connection: MultiplexedConnection,
        bucket: &Bucket,
        quota: Quota,
    ) -> Result<Standing, Unfit> {
        let mut call = self.0.spend.key(&bucket.key);
        if let Some(once) = &bucket.once {
            call.key(once);
        }
        call.arg(quota.interval())
            .arg(quota.window())
            .arg(REMEMBERED.as_millis() as u64);
        let (allowed, taken, until_full, until_next) = answered(&call, connection).await?;
        let standing = quota.standing(allowed, until_full, until_next);
        Ok(if taken { standing.taken() } else { standing })
    }

    /// Gives requests a connection, or takes theirs away; says whether that changed whether they
    /// have one.
    fn put(&self, connection: Option<MultiplexedConnection>) -> bool {
        let mut slot = self
            .0
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let changed = slot.is_some() != connection.is_some();
        *slot = connection;
        changed
    }

    fn tell_that_it_is_unfit(&self, unfit: &Unfit) {
        if self.may_tell() {
            let reason: &dyn Error = unfit;
            tracing::warn!(
                reason,
                "rate limits are decided in the process: Redis is unfit"
            );
        }
    }

    fn tell_that_it_is_fit(&self) {
        if self.may_tell() {
            tracing::info!("rate limits are shared through Redis");
        }
    }

    fn may_tell(&self) -> bool {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let may = told.is_none_or(|told| told.elapsed() >= QUIET);
        if may {
            *told = Some(Instant::now());
        }
        may
    }
}

/// What a script answers, if it does so in time.
async fn answered<T: redis::FromRedisValue>(
    call: &ScriptInvocation<'_>,
    mut connection: MultiplexedConnection,
) -> Result<T, Unfit> {
    timeout(BOUND, call.invoke_async(&mut connection))
        .await
        .map_err(|_| Unfit::Slow)?
        .map_err(Unfit::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_lie_a_minute_apart_however_often_redis_comes_and_goes() {
        let buckets = SharedBuckets::at("redis://127.0.0.1").unwrap();
        let mut lines = 0;
        for _ in 0..1200 {
            lines += u32::from(buckets.may_tell());
            tokio::time::advance(Duration::from_millis(250)).await;
        }
        assert_eq!(lines, 5, "in five minutes");
    }
}
