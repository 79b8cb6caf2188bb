//! Rate limits: what each principal may do how often, shared between processes where Redis is
//! configured and fit, else in the process.

mod in_process;
mod in_redis;
mod quota;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use kernel::Actor;

use crate::instruments::RATE_LIMITED;
use crate::{Code, Problem};
use in_process::OwnBuckets;
use quota::{Standing, whole_seconds};

pub use in_redis::{RedisUrlError, SharedBuckets};
pub use quota::Quota;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// For how long it is remembered that something was spent for: longer than its twins may be on
/// their way, before the store knows them by their key.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Every request of a principal.
    Requests,
    /// The orders that a commissioner places.
    Placing,
}

impl Policy {
    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Placing => "placing",
        }
    }
}

/// The names of the limits.
pub(crate) const POLICIES: [&str; 2] = [Policy::Requests.name(), Policy::Placing.name()];

/// What each principal may do how often. Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    requests: Option<Quota>,
    placing: Option<Quota>,
    own: OwnBuckets,
    shared: Option<SharedBuckets>,
}

impl Limits {
    /// Limits everything that a principal asks for, and the orders that it places. Where buckets
    /// are `shared`, the process decides only when these do not.
    #[must_use]
    pub fn new(
        requests: Option<Quota>,
        placing: Option<Quota>,
        shared: Option<SharedBuckets>,
    ) -> Self {
        Self(Arc::new(Inner {
            requests,
            placing,
            own: OwnBuckets::new(),
            shared,
        }))
    }

    /// No limits at all.
    #[must_use]
    pub fn none() -> Self {
        Self::new(None, None, None)
    }

    fn quota(&self, policy: Policy) -> Option<Quota> {
        match policy {
            Policy::Requests => self.0.requests,
            Policy::Placing => self.0.placing,
        }
    }

    async fn spend(
        &self,
        policy: Policy,
        actor: Actor,
        once: Option<&str>,
        report: &Report,
    ) -> Result<Spent, Limited> {
        let Some(quota) = self.quota(policy) else {
            return Ok(Spent::Nothing);
        };
        let bucket = Bucket::of(policy, actor, once);
        let shared = match &self.0.shared {
            Some(shared) => shared.spend(&bucket, quota).await,
            None => None,
        };
        let standing = shared.unwrap_or_else(|| self.0.own.spend(&bucket, quota));
        let looked_at = Limited {
            policy,
            quota,
            standing,
        };
        report.add(looked_at);
        if standing.allowed {
            return Ok(if standing.taken {
                Spent::One
            } else {
                Spent::Nothing
            });
        }
        RATE_LIMITED.of([policy.name()]).increment(1);
        Err(looked_at)
    }

    async fn give_back(&self, policy: Policy, actor: Actor) {
        let Some(quota) = self.quota(policy) else {
            return;
        };
        let bucket = Bucket::of(policy, actor, None);
        let shared = match &self.0.shared {
            Some(shared) => shared.give_back(&bucket, quota).await,
            None => None,
        };
        if shared.is_none() {
            self.0.own.give_back(&bucket, quota);
        }
    }

    /// Counts a request of this principal.
    pub(crate) async fn count(&self, actor: Actor, report: &Report) -> Result<(), Problem> {
        self.spend(Policy::Requests, actor, None, report)
            .await
            .map(drop)
            .map_err(Problem::from)
    }
}

/// What was taken out of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// One.
    One,
    /// Nothing: there is no limit, or a twin under the same name had spent it.
    Nothing,
}

/// Where a count is kept.
struct Bucket {
    key: String,
    /// What is spent for once only, if that has a name.
    once: Option<String>,
}

impl Bucket {
    /// The braces keep both keys in one slot of a cluster.
    fn of(policy: Policy, actor: Actor, once: Option<&str>) -> Self {
        let name = policy.name();
        Self {
            key: format!("atlas:rate:{name}:{{{actor}}}"),
            once: once.map(|once| format!("atlas:rate:{name}:{{{actor}}}:{once}")),
        }
    }

    /// What shows whether counts can be kept at all.
    fn probe() -> Self {
        Self {
            key: "atlas:rate:probe".to_owned(),
            once: None,
        }
    }
}

/// The budget of one principal for placing orders, to be spent of when everything that is free has
/// been answered.
#[derive(Clone)]
pub struct PlacingBudget {
    limits: Limits,
    actor: Actor,
    report: Report,
}

impl PlacingBudget {
    pub(crate) const fn new(limits: Limits, actor: Actor, report: Report) -> Self {
        Self {
            limits,
            actor,
            report,
        }
    }

    /// Spends one. `once` is the name under which the client may repeat the request: twins that are
    /// on their way at the same time spend one together.
    ///
    /// # Errors
    /// If none is left.
    pub async fn spend(&self, once: Option<&str>) -> Result<Spent, Limited> {
        self.limits
            .spend(Policy::Placing, self.actor, once, &self.report)
            .await
    }

    /// Puts back what was spent for nothing, and tells the client nothing of it. Where it is kept
    /// may have changed in between: then it is lost, which time mends.
    pub async fn give_back(&self, spent: Spent) {
        if spent == Spent::One {
            self.limits.give_back(Policy::Placing, self.actor).await;
        }
        self.report.remove(Policy::Placing);
    }
}

/// A limit that was looked at, and how it stands; as a refusal, one that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    policy: Policy,
    quota: Quota,
    standing: Standing,
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        let Limited {
            policy,
            quota,
            standing,
        } = limited;
        let seconds = whole_seconds(standing.until_next).max(1);
        let (burst, per_minute) = (quota.burst(), quota.per_minute());
        let what = match policy {
            Policy::Requests => "requests",
            Policy::Placing => "orders",
        };
        Self::new(
            Code::RateLimited,
            format!(
                "you may send {burst} {what} at once and {per_minute} a minute; come back in \
                 {seconds} s"
            ),
        )
        .with_retry_after(Some(u32::try_from(seconds).unwrap_or(u32::MAX)))
    }
}

/// Goes with a request from the outermost layer inwards, and collects the limits that were looked
/// at, for the answer's headers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report(Arc<Mutex<Vec<Limited>>>);

impl Report {
    /// The report of the request that has these extensions.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    fn add(&self, limited: Limited) {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits.push(limited);
    }

    fn remove(&self, policy: Policy) {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits.retain(|limited| limited.policy != policy);
    }

    /// `RateLimit` and `RateLimit-Policy`, as draft-ietf-httpapi-ratelimit-headers has them.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.is_empty() {
            return;
        }
        let items = |item: fn(&Limited) -> String| {
            let items: Vec<_> = limits.iter().map(item).collect();
            // Names and digits are legal in every header.
            HeaderValue::try_from(items.join(", ")).unwrap_or(HeaderValue::from_static(""))
        };
        headers.insert(RATE_LIMIT, items(Limited::state));
        headers.insert(RATE_LIMIT_POLICY, items(Limited::policy));
    }
}

impl Limited {
    fn state(&self) -> String {
        let Standing {
            left, until_full, ..
        } = self.standing;
        let name = self.policy.name();
        format!("\"{name}\";r={left};t={}", whole_seconds(until_full))
    }

    fn policy(&self) -> String {
        let (name, quota) = (self.policy.name(), self.quota);
        format!(
            "\"{name}\";q={};w={}",
            quota.burst(),
            quota.window_seconds()
        )
    }
}
