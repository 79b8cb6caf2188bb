//! What happens to the leases of projectors: a trigger notes every change of an owner, an epoch and
//! a position, and who wrote it.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::PgPool;
use test_support::{TestDatabase, eventually};

use crate::system::App;

const BOUND: Duration = Duration::from_secs(60);
/// The three read models and the relay; the auditor, the VIP clock, the recompute and the acts.
pub(crate) const ROLES: i64 = 8;

/// A session's name is its owner's, so `writer` is who really moved a checkpoint. The auditor has
/// no epoch, and its sessions have a longer name.
const JOURNAL: &str = "
    CREATE TABLE public.journal (
        id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
        name text NOT NULL, owner text, owner_before text, epoch bigint, epoch_before bigint,
        position bigint, position_before bigint, writer text NOT NULL
    );
    CREATE FUNCTION public.note_checkpoint() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO public.journal (name, owner, owner_before, epoch, epoch_before, position,
                                    position_before, writer)
        VALUES (NEW.name, NEW.owner, OLD.owner, NEW.epoch, OLD.epoch, NEW.position, OLD.position,
                current_setting('application_name'));
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER UPDATE ON store.checkpoints FOR EACH ROW
        WHEN ((OLD.owner, OLD.epoch, OLD.position)
              IS DISTINCT FROM (NEW.owner, NEW.epoch, NEW.position))
        EXECUTE FUNCTION public.note_checkpoint();
    CREATE FUNCTION public.note_lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO public.journal (name, owner, owner_before, writer)
        VALUES (NEW.name, NEW.owner, OLD.owner,
                replace(current_setting('application_name'), ' auditor', ''));
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER UPDATE ON ops.leases FOR EACH ROW
        WHEN (OLD.owner IS DISTINCT FROM NEW.owner) EXECUTE FUNCTION public.note_lease();";

/// The leases of one system.
pub(crate) struct Leases {
    pool: PgPool,
}

impl Leases {
    /// Begins to note.
    pub(crate) async fn watch(database: &TestDatabase) -> Self {
        let pool = database.pool_superuser().await;
        sqlx::raw_sql(JOURNAL).execute(&pool).await.unwrap();
        Self { pool }
    }

    /// Starts a projector; its name as an owner, once it waits for what others own, or owns all.
    pub(crate) async fn join(&self, projector: &mut App) -> String {
        let before = self.running().await;
        projector.start();
        self.newcomer(&before).await
    }

    /// The owner who was not there before.
    pub(crate) async fn newcomer(&self, before: &[String]) -> String {
        eventually("another projector", BOUND, || async {
            let now = self.running().await;
            let new = now.into_iter().find(|owner| !before.contains(owner));
            new.ok_or("there is none")
        })
        .await
    }

    async fn running(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT owner FROM ops.processes
             WHERE seen_at > clock_timestamp() - interval '3 seconds'",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    /// How many leases each owner has.
    pub(crate) async fn shares(&self) -> BTreeMap<String, i64> {
        let shares: Vec<(String, i64)> = sqlx::query_as(
            "SELECT owner, count(*) FROM (
                 SELECT owner FROM store.checkpoints
                 WHERE expires_at > clock_timestamp() AND name <> 'verification'
                 UNION ALL
                 SELECT owner FROM ops.leases WHERE expires_at > clock_timestamp()
             ) leases GROUP BY owner",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        shares.into_iter().collect()
    }

    /// Waits until every role has an owner, and so many processes own about as much.
    pub(crate) async fn shared_by(&self, processes: usize) {
        eventually("the roles to be shared", BOUND, || async {
            let shares = self.shares().await;
            let (least, most) = (shares.values().min(), shares.values().max());
            let spread = most.zip(least).map_or(ROLES, |(most, least)| most - least);
            let all = shares.values().sum::<i64>() == ROLES;
            if all && shares.len() == processes && spread <= 1 {
                Ok(())
            } else {
                Err(format!("{shares:?}"))
            }
        })
        .await;
    }

    /// Does what ends or stops an owner, and waits until others have taken every lease of its own;
    /// how long the last of them took.
    pub(crate) async fn taken_from(&self, owner: &str, act: impl FnOnce()) -> Duration {
        let held = self.shares().await.remove(owner).unwrap_or_default();
        assert!(held > 0, "{owner} owns nothing");
        let at: f64 = self.clock().await;
        act();
        let seconds: f64 = eventually("the leases to be taken", BOUND, || async {
            let (taken, last): (i64, Option<f64>) = sqlx::query_as(
                "SELECT count(*), max(extract(epoch FROM at)::float8) FROM (
                     SELECT name, min(at) AS at FROM public.journal
                     WHERE at > to_timestamp($1) AND owner <> $2 AND writer = owner
                       AND (epoch IS NULL OR epoch > epoch_before) AND name <> 'verification'
                     GROUP BY name) taken",
            )
            .bind(at)
            .bind(owner)
            .fetch_one(&self.pool)
            .await
            .unwrap();
            last.filter(|_| taken >= held)
                .ok_or(format!("{taken} of {held}"))
        })
        .await;
        Duration::from_secs_f64((seconds - at).max(0.0))
    }

    async fn clock(&self) -> f64 {
        let now = sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp())::float8");
        now.fetch_one(&self.pool).await.unwrap()
    }

    /// How often a lease was taken so far.
    pub(crate) async fn taken(&self) -> i64 {
        self.count(
            "SELECT count(*) FROM public.journal
             WHERE name <> 'verification' AND owner IS DISTINCT FROM owner_before",
        )
        .await
    }

    /// How long a role was without an owner at most, where one gave it back or handed it over.
    pub(crate) async fn longest_gap(&self) -> Duration {
        let seconds: Option<f64> = sqlx::query_scalar(
            "SELECT max(extract(epoch FROM at - left_at))::float8 FROM (
                 SELECT at, lag(at) OVER each AS left_at, owner, lag(owner) OVER each AS before,
                        writer, lag(writer) OVER each AS writer_before
                 FROM public.journal
                 WHERE name <> 'verification'
                   AND (owner IS DISTINCT FROM owner_before OR epoch > epoch_before)
                 WINDOW each AS (PARTITION BY name ORDER BY id)
             ) changes
             WHERE owner = writer AND before IS DISTINCT FROM writer_before",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap();
        Duration::from_secs_f64(seconds.unwrap_or_default())
    }

    /// Ends all database sessions of an owner; how many there were.
    pub(crate) async fn end_sessions(&self, owner: &str) -> i64 {
        let ended = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE starts_with(application_name, $1) AND datname = current_database()",
        );
        ended.bind(owner).fetch_one(&self.pool).await.unwrap()
    }

    /// Epochs and positions only grew, each new owner had the next epoch, and nobody but the owner
    /// moved a position.
    pub(crate) async fn hold(&self) {
        for (what, wrong) in [
            (
                "went back",
                "SELECT count(*) FROM public.journal
                 WHERE epoch < epoch_before OR position < position_before",
            ),
            (
                "epochs were skipped or came twice",
                "SELECT count(*) FROM (
                     SELECT epoch_before, lag(epoch) OVER (PARTITION BY name ORDER BY id) AS last
                     FROM public.journal WHERE epoch IS NOT NULL) notes
                 WHERE epoch_before <> last",
            ),
            (
                "taken without a new epoch",
                "SELECT count(*) FROM public.journal
                 WHERE epoch = epoch_before AND owner <> owner_before AND owner = writer",
            ),
            (
                "moved by somebody else than the owner",
                "SELECT count(*) FROM public.journal
                 WHERE position > position_before AND writer IS DISTINCT FROM owner",
            ),
        ] {
            assert_eq!(self.count(wrong).await, 0, "{what}");
        }
        let moved = self
            .count("SELECT count(*) FROM public.journal WHERE position > position_before")
            .await;
        assert!(moved > 0);
        println!("{moved} moves of checkpoints, each by the lease's owner");
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}
