//! Shares: how many leases each process owns. Whoever owns at least two more than a process that
//! waits for one of them hands that one over, so that after a restart not one process does
//! everything.
//!
//! A lease is handed over as such: it is kept for its next owner for a moment, and is anybody's
//! after that. Each hand-over makes the shares more equal, so they come to an end. No share decides
//! who may move a checkpoint: the lease alone does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::Lease;

/// How often a process says what it waits for, and looks at the others.
const BEAT: Duration = Duration::from_secs(1);
/// Who was not seen for so long is not given anything: it has died, or was stopped.
const SEEN: Duration = Duration::from_secs(3);
/// Whose lease was handed over waits so long before the next one.
const SETTLE: Duration = Duration::from_secs(2);
/// What comes back from a process is not given to the same one again for so long: it did not keep
/// it.
const NOT_AGAIN: Duration = Duration::from_secs(600);
/// More processes than this are not looked at.
const PROCESSES: i64 = 100;
/// How long it may take to say that this process ends.
const LONGEST_END: Duration = Duration::from_millis(500);
/// For how long a lease that is handed over is kept for its next owner, in seconds. Whoever waits
/// asks four times a second.
pub(crate) const KEPT_SECONDS: f64 = 0.75;

/// The share of one process, and whom it hands leases over to.
#[derive(Debug, Clone)]
pub struct Shares {
    owner: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// When this process last asked for each lease that another owns.
    waits: BTreeMap<String, Instant>,
    /// What is to be handed over next.
    next: Option<HandOver>,
    /// What was handed over, and when.
    done: BTreeMap<HandOver, Instant>,
}

/// A lease, and who is to have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct HandOver {
    lease: String,
    to: String,
}

/// A process that runs, as the database has it.
#[derive(Debug)]
struct Share {
    owner: String,
    /// The leases that it waits for.
    waits_for: Vec<String>,
    /// The leases that it owns, by name.
    owns: Vec<String>,
}

impl Shares {
    /// The share of this owner.
    #[must_use]
    pub fn of(owner: &str) -> Self {
        Self {
            owner: owner.into(),
            state: Arc::default(),
        }
    }

    /// Notes that this process has asked for a lease which another owns.
    pub fn waits_for(&self, lease: &str) {
        self.state().waits.insert(lease.to_owned(), Instant::now());
    }

    /// Who is to have this lease, if it is to be handed over now: the caller does so.
    #[must_use]
    pub fn successor(&self, lease: &str) -> Option<String> {
        let mut state = self.state();
        let next = state.next.take_if(|next| next.lease == lease)?;
        state.done.insert(next.clone(), Instant::now());
        Some(next.to)
    }

    /// Says what this process waits for, and looks whether it owns more than its share, until
    /// `stop`.
    pub async fn keep(self, pool: PgPool, stop: CancellationToken) {
        if let Err(error) = forget(&pool).await {
            debug!(%error, "shares.not_forgotten");
        }
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let beat = async {
                let mut connection = pool.acquire().await?;
                self.beat(&mut connection).await
            };
            if let Some(Err(error)) = stop.run_until_cancelled(beat).await {
                // Nothing is handed over on what may have changed since.
                self.state().next = None;
                debug!(%error, "shares.unknown");
            }
        }
        // Else it is not seen any more, soon.
        let leave = tokio::time::timeout(LONGEST_END, leave(&pool, &self.owner));
        leave.await.map(drop).ok();
    }

    async fn beat(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let waits: Vec<String> = {
            let mut state = self.state();
            state.waits.retain(|_, asked| asked.elapsed() < BEAT);
            state.waits.keys().cloned().collect()
        };
        sqlx::query!(
            r#"
            INSERT INTO ops.processes (owner, waits_for) VALUES ($1, $2)
            ON CONFLICT (owner) DO UPDATE SET
                waits_for = excluded.waits_for, seen_at = excluded.seen_at
            "#,
            &*self.owner,
            waits.as_slice(),
        )
        .execute(&mut *connection)
        .await?;
        let shares = shares(connection).await?;
        let mut state = self.state();
        state.done.retain(|_, at| at.elapsed() < NOT_AGAIN);
        let settles = state.done.values().any(|at| at.elapsed() < SETTLE);
        let next = next(&self.owner, &shares, |one| state.done.contains_key(one));
        state.next = next.filter(|_| !settles);
        if let Some(HandOver { lease, to }) = &state.next {
            info!(lease, to, "shares.hands_over");
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `owner` is to hand over next: of a lease that it owns, to the process with the fewest among
/// those that wait for it. The auditor goes last: its successor begins with all of history.
fn next(owner: &str, shares: &[Share], done: impl Fn(&HandOver) -> bool) -> Option<HandOver> {
    let own = &shares.iter().find(|share| share.owner == owner)?.owns;
    let mut leases: Vec<&String> = own.iter().collect();
    leases.sort_by_key(|lease| *lease == Lease::AUDITOR);
    let mut poorer: Vec<&Share> = shares
        .iter()
        .filter(|share| share.owns.len() + 2 <= own.len())
        .collect();
    poorer.sort_by_key(|share| share.owns.len());
    poorer.iter().find_map(|share| {
        let possible = leases.iter().map(|lease| HandOver {
            lease: (*lease).clone(),
            to: share.owner.clone(),
        });
        let mut wanted = possible.filter(|one| share.waits_for.contains(&one.lease));
        wanted.find(|one| !done(one))
    })
}

/// The processes that run.
async fn shares(connection: &mut PgConnection) -> Result<Vec<Share>, sqlx::Error> {
    sqlx::query_as!(
        Share,
        r#"
        SELECT p.owner, p.waits_for,
               ARRAY(SELECT c.name FROM store.checkpoints c
                     WHERE c.owner = p.owner AND c.expires_at > clock_timestamp()
                     UNION ALL
                     SELECT l.name FROM ops.leases l
                     WHERE l.owner = p.owner AND l.expires_at > clock_timestamp()
                     ORDER BY 1) AS "owns!"
        FROM ops.processes p
        WHERE p.seen_at > clock_timestamp() - make_interval(secs => $1)
        ORDER BY p.owner
        LIMIT $2
        "#,
        SEEN.as_secs_f64(),
        PROCESSES,
    )
    .fetch_all(connection)
    .await
}

/// Forgets the processes that ended without saying so.
async fn forget(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM ops.processes WHERE seen_at < clock_timestamp() - interval '1 minute'"
    )
    .execute(pool)
    .await
    .map(drop)
}

async fn leave(pool: &PgPool, owner: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM ops.processes WHERE owner = $1", owner)
        .execute(pool)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 5] = ["auditor", "bonus@1", "orders@1", "relay", "workshops@1"];

    /// A process that owns these, and waits for others of `roles`.
    fn share(owner: &str, owns: &[&str], roles: &[&str]) -> Share {
        let waits = roles.iter().filter(|role| !owns.contains(role));
        Share {
            owner: owner.to_owned(),
            waits_for: waits.map(|role| (*role).to_owned()).collect(),
            owns: owns.iter().map(|role| (*role).to_owned()).collect(),
        }
    }

    fn full(owner: &str, owns: &[&str]) -> Share {
        share(owner, owns, &ALL)
    }

    /// Lets every process hand over, all on the same view, until nobody does; how often that was.
    fn settle(shares: &mut [Share]) -> usize {
        for round in 0..20 {
            let owners: Vec<String> = shares.iter().map(|share| share.owner.clone()).collect();
            let steps: Vec<(String, HandOver)> = owners
                .into_iter()
                .filter_map(|owner| next(&owner, shares, |_| false).map(|step| (owner, step)))
                .collect();
            if steps.is_empty() {
                return round;
            }
            for (from, HandOver { lease, to }) in steps {
                for share in shares.iter_mut() {
                    if share.owner == from {
                        share.owns.retain(|own| *own != lease);
                        share.waits_for.push(lease.clone());
                    } else if share.owner == to {
                        share.waits_for.retain(|other| *other != lease);
                        share.owns.push(lease.clone());
                    }
                }
            }
        }
        panic!("it goes on for ever: {shares:?}");
    }

    fn counts(shares: &[Share]) -> Vec<usize> {
        shares.iter().map(|share| share.owns.len()).collect()
    }

    #[test]
    fn shares_become_equal_and_stay_so() {
        let mut two = [full("a", &ALL), full("b", &[])];
        assert_eq!(settle(&mut two), 2);
        assert_eq!(counts(&two), [3, 2]);
        let mut three = [full("a", &ALL), full("b", &[]), full("c", &[])];
        settle(&mut three);
        let mut found = counts(&three);
        found.sort_unstable();
        assert_eq!(found, [1, 2, 2]);
        let (first, rest) = ALL.split_at(2);
        let mut late = [full("a", first), full("b", rest), full("c", &[])];
        settle(&mut late);
        assert!(counts(&late).iter().all(|own| (1..=2).contains(own)));
    }

    #[test]
    fn the_auditor_is_handed_over_last() {
        let shares = [full("a", &ALL), full("b", &[])];
        let step = next("a", &shares, |_| false).unwrap();
        assert_eq!(step.lease, "bonus@1");
        let step = next("a", &shares, |one| one.lease != Lease::AUDITOR).unwrap();
        assert_eq!(step.lease, Lease::AUDITOR);
    }

    #[test]
    fn whoever_runs_some_roles_is_given_no_other() {
        let mut shares = [full("a", &ALL), share("b", &[], &["relay"])];
        settle(&mut shares);
        assert_eq!(counts(&shares), [4, 1]);
        assert_eq!(shares[1].owns, ["relay"]);
        let mut apart = [
            share("a", &["bonus@1", "orders@1", "workshops@1"], &[]),
            share("b", &["relay"], &["relay", "auditor"]),
        ];
        assert_eq!(settle(&mut apart), 0);
    }

    #[test]
    fn what_came_back_is_not_given_to_the_same_process_again() {
        let shares = [full("a", &ALL), full("b", &[]), full("c", &[])];
        let again = |one: &HandOver| one.to == "b";
        let step = next("a", &shares, again).unwrap();
        assert_eq!(step.to, "c");
        assert_eq!(next("a", &shares, |_| true), None);
        // Nor is anything by a process that nobody has seen for a while.
        assert_eq!(next("d", &shares, |_| false), None);
    }
}
