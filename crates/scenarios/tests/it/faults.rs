//! The matrix of `docs/failure-modes.md`: while a real Prometheus watches, each fault is brought about;
//! what it is said to raise is raised, nothing else is, and all of it ends when the fault is mended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dev_servers::packages::{Need, ensure};
use dev_servers::{PrivateKafka, Process, ServerError, Signal, scratch_folder};
use monitoring::faults::{self, Fault};
use monitoring::shortened;
use reqwest::Client;
use serde_json::json;
use sqlx::PgPool;
use test_support::{Proxy, TestPrometheus, TestRedis, eventually};
use tokio::task::JoinHandle;

use crate::commission::{Party, offer};
use crate::dead_letters::{OPERATOR, projector};
use crate::kafka::{self, blocking};
use crate::producer::Producer;
use crate::system::{System, state_folder};
use crate::traffic::{self, Rate, Traffic};
use crate::watched::Watcher;

/// The longest: what is parked is looked at again every minute.
const BOUND: Duration = Duration::from_secs(150);
const LOOK: Duration = Duration::from_millis(300);
/// As many commands as spend a budget while somebody waits, and no more.
const RATE: Rate = Rate {
    interval: Duration::from_millis(50),
    one_command_of: 2,
};

/// When each alert was first seen to fire, since it was last forgotten.
type Seen = Arc<Mutex<BTreeMap<String, Instant>>>;

/// A system in which something is to fail.
struct Stage {
    system: System,
    broker: Option<PrivateKafka>,
    redis: TestRedis,
    proxy: Proxy,
    asking: Arc<Watcher>,
    seen: Seen,
    watching: JoinHandle<()>,
    /// What fires because of a fault that is not mended yet.
    standing: BTreeSet<String>,
    matrix: String,
}

/// The rules of `deploy/prometheus`, in less time.
fn short_rules() -> Vec<std::path::PathBuf> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus/rules");
    let folder = scratch_folder(&state_folder().join("scenarios"));
    fs::create_dir_all(&folder).unwrap();
    let entries = fs::read_dir(rules).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let short = folder.join(entry.file_name());
            let text = fs::read_to_string(entry.path()).unwrap();
            fs::write(&short, shortened(&text)).unwrap();
            short
        })
        .collect()
}

impl Stage {
    async fn set() -> Self {
        let broker = kafka::start().await;
        let redis = TestRedis::start().await;
        let variables = [
            ("ATLAS_REDIS_URL", redis.url()),
            ("ATLAS_AUDIT_INTERVAL_MS", "1000".to_owned()),
            ("ATLAS_AUDIT_WINDOW_HOURS", "1".to_owned()),
        ];
        let variables = variables
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let mut system = System::start_with(&broker.address(), &variables).await;
        let proxy = Proxy::to(system.database.options("atlas_app").get_port()).await;
        system.go_through(&proxy).await;
        let prometheus = TestPrometheus::watching_by(short_rules(), system.targets()).await;
        let asking = Arc::new(Watcher::through(prometheus));
        let seen = Seen::default();
        let watching = tokio::spawn(watch(Arc::clone(&asking), Arc::clone(&seen)));
        let stage = Self {
            system,
            broker: Some(broker),
            redis,
            proxy,
            asking,
            seen,
            watching,
            standing: BTreeSet::new(),
            matrix: String::new(),
        };
        stage.settles().await;
        stage
    }

    /// Requests as they come on any day.
    async fn traffic(&self) -> (Traffic, traffic::Asking) {
        let (commands, queries) = (&self.system.commands[0], &self.system.query);
        let (commands, queries) = (commands.at_same_address(), queries.at_same_address());
        let asking = traffic::Asking::of(Client::new(), commands, queries).await;
        (Traffic::start(asking.clone(), RATE), asking)
    }

    /// Waits until nothing fires that is not known to stand, and forgets what did.
    async fn settles(&self) {
        eventually("the alerts to end", BOUND, async || {
            let firing = self.asking.firing_at_all().await;
            if firing == self.standing {
                Ok(())
            } else {
                Err(format!("{firing:?}, not {:?}", self.standing))
            }
        })
        .await;
        self.seen.lock().unwrap().clear();
    }

    /// Breaks something, and waits until what is said to fire does.
    async fn breaks(&mut self, fault: &Fault, breaks: impl AsyncFnOnce(&mut Self)) {
        self.settles().await;
        let began = Instant::now();
        breaks(self).await;
        let raised = eventually(fault.what, BOUND, async || {
            let seen = self.seen.lock().unwrap().clone();
            if fault.raises.iter().all(|alert| seen.contains_key(*alert)) {
                Ok(seen)
            } else {
                Err(format!("{seen:?}"))
            }
        })
        .await;
        let after = |alert: &&str| {
            let seconds = raised[*alert].saturating_duration_since(began).as_secs();
            format!("{alert} after {seconds} s")
        };
        let raised: Vec<String> = fault.raises.iter().map(after).collect();
        self.matrix += &format!("{}: {}", fault.what, raised.join(", "));
    }

    /// Mends it, and waits until nothing fires for it. Nothing else fired meanwhile.
    async fn mends(&mut self, fault: &Fault, mends: impl AsyncFnOnce(&mut Self)) {
        mends(self).await;
        let unsettled: BTreeSet<String> = eventually("the alerts to end", BOUND, async || {
            let firing = self.asking.firing_at_all().await;
            if firing == self.standing {
                Ok(self.seen.lock().unwrap().keys().cloned().collect())
            } else {
                Err(format!("{}: {firing:?}", fault.what))
            }
        })
        .await;
        let is_said = |alert: &str| {
            fault.raises.contains(&alert)
                || fault.may_raise.contains(&alert)
                || self.standing.contains(alert)
        };
        let (said, unsaid): (Vec<String>, Vec<String>) =
            unsettled.into_iter().partition(|alert| is_said(alert));
        let besides: Vec<String> = said
            .into_iter()
            .filter(|alert| {
                !fault.raises.contains(&alert.as_str()) && !self.standing.contains(alert)
            })
            .collect();
        let besides = match besides.as_slice() {
            [] => String::new(),
            besides => format!("; besides {}", besides.join(", ")),
        };
        self.matrix += &format!("{besides}\n");
        assert_eq!(
            unsaid,
            Vec::<String>::new(),
            "{}\n{}",
            fault.what,
            self.matrix
        );
        self.seen.lock().unwrap().clear();
    }

    async fn owner(&self) -> PgPool {
        self.system.database.pool_owner().await
    }

    async fn broker(&mut self, action: fn(&mut PrivateKafka) -> Result<(), ServerError>) {
        let mut broker = self.broker.take().unwrap();
        let broker = blocking(move || {
            action(&mut broker).unwrap();
            broker
        });
        self.broker = Some(broker.await);
    }

    async fn end(self) {
        self.watching.abort();
        println!("{}", self.matrix);
    }
}

async fn watch(asking: Arc<Watcher>, seen: Seen) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let firing = asking.firing_at_all().await;
        let now = Instant::now();
        for alert in firing {
            seen.lock().unwrap().entry(alert).or_insert(now);
        }
    }
}

async fn run(pool: &PgPool, statements: &str) {
    sqlx::raw_sql(statements).execute(pool).await.unwrap();
}

async fn redis_is_gone(stage: &mut Stage) {
    let fault = &faults::REDIS_GONE;
    stage
        .breaks(fault, async |stage| stage.redis.kill().await)
        .await;
    stage
        .mends(fault, async |stage| stage.redis.restart().await)
        .await;
}

async fn a_message_is_nonsense(stage: &mut Stage) {
    let fault = &faults::POISON_MESSAGE;
    let brokers = stage.broker.as_ref().unwrap().address();
    let producer = Producer::of(&brokers);
    stage
        .breaks(fault, async |_| producer.send_nonsense().await)
        .await;
    stage
        .mends(fault, async |stage| {
            let words = ["dlq", "discard", "--yes", "--kind", "malformed"];
            let who = ["--operator", OPERATOR, "--reason", "nonsense"];
            let mut discard = projector(&stage.system, &brokers, &[&words[..], &who].concat());
            let discarded = blocking(move || discard.output()).await.unwrap();
            assert!(discarded.status.success(), "{discarded:?}");
        })
        .await;
}

/// The audit walks by id, page after page: through orders that come faster than it walks it takes long.
async fn a_row_is_wrong(stage: &mut Stage) {
    let fault = &faults::ROW_DRIFTED;
    let owner = stage.owner().await;
    stage
        .breaks(fault, async |_| {
            run(
                &owner,
                "UPDATE \"orders@1\".orders SET title = 'Elm chair' WHERE order_id = \
                         (SELECT min(order_id::text) FROM \"orders@1\".orders)::uuid",
            )
            .await;
        })
        .await;
    stage
        .mends(fault, async |_| {
            run(
                &owner,
                "UPDATE \"orders@1\".orders SET title = 'A writing desk'",
            )
            .await;
        })
        .await;
}

mod soaked {
    //! Every fault; minutes.

    use super::*;

    async fn an_event_is_missing(stage: &mut Stage) {
        let fault = &faults::EVENT_MISSING;
        let owner = stage.owner().await;
        let position: i64 = sqlx::query_scalar("SELECT nextval('store.position')")
            .fetch_one(&owner)
            .await
            .unwrap();
        eventually("the readers to pass it", BOUND, async || {
            let behind: i64 = sqlx::query_scalar(
                "SELECT min(position) FROM store.checkpoints WHERE owner IS NOT NULL",
            )
            .fetch_one(&owner)
            .await
            .unwrap();
            if behind > position {
                Ok(())
            } else {
                Err(behind)
            }
        })
        .await;
        stage
            .breaks(fault, async |_| {
                let insert = format!(
                    "INSERT INTO store.events (position, aggregate_type, aggregate_id, sequence,
                         event_type, event_version, payload, metadata, event_id, recorded_at)
                     SELECT {position}, aggregate_type, gen_random_uuid()::text, 1, event_type,
                         event_version, payload, metadata, gen_random_uuid(), clock_timestamp()
                     FROM store.events WHERE aggregate_type = 'workshop' LIMIT 1"
                );
                run(&owner, &insert).await;
            })
            .await;
        stage
            .mends(fault, async |_| {
                run(
                    &owner,
                    &format!("DELETE FROM store.events WHERE position = {position}"),
                )
                .await;
            })
            .await;
    }

    async fn kafka_is_gone(stage: &mut Stage) {
        let fault = &faults::KAFKA_GONE;
        stage
            .breaks(fault, async |stage| stage.broker(PrivateKafka::stop).await)
            .await;
        stage
            .mends(fault, async |stage| {
                stage.broker(PrivateKafka::restart).await
            })
            .await;
    }

    async fn kafka_is_frozen(stage: &mut Stage) {
        let fault = &faults::KAFKA_FROZEN;
        stage
            .breaks(fault, async |stage| stage.broker(PrivateKafka::pause).await)
            .await;
        stage
            .mends(fault, async |stage| {
                stage.broker(PrivateKafka::resume).await
            })
            .await;
    }

    async fn postgres_is_gone(stage: &mut Stage) {
        let fault = &faults::POSTGRES_GONE;
        stage
            .breaks(fault, async |stage| stage.system.stop_postgres().await)
            .await;
        stage
            .mends(fault, async |stage| stage.system.start_postgres().await)
            .await;
    }

    async fn postgres_is_slow(stage: &mut Stage) {
        let fault = &faults::POSTGRES_SLOW;
        let slow_by = |millis| {
            async move |stage: &mut Stage| {
                stage.proxy.slow_by(Duration::from_millis(millis));
            }
        };
        stage.breaks(fault, slow_by(400)).await;
        stage.mends(fault, slow_by(0)).await;
    }

    /// A tracer that has every `fdatasync` of the server and of its children take longer.
    async fn slow_disk(superuser: &PgPool) -> Process {
        let pids: Vec<String> = sqlx::query_scalar(
            "SELECT pid::text FROM pg_stat_activity
             UNION ALL SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)",
        )
        .fetch_all(superuser)
        .await
        .unwrap();
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null"]);
        command.args(["-e", "trace=fdatasync"]);
        command.args(["-e", "inject=fdatasync:delay_enter=700000"]);
        command.args(pids.iter().flat_map(|pid| ["-p", pid.as_str()]));
        let log = state_folder().join("scenarios/strace.log");
        Process::spawn("strace", command, &log, Signal::TERM).unwrap()
    }

    async fn the_disk_is_slow(stage: &mut Stage) {
        let fault = &faults::DISK_SLOW;
        blocking(|| ensure(&[Need::Strace])).await.unwrap();
        let superuser = stage.system.database.pool_superuser().await;
        let mut tracer = None;
        stage
            .breaks(fault, async |_| tracer = Some(slow_disk(&superuser).await))
            .await;
        let mut tracer = tracer.unwrap();
        assert!(
            tracer.ended().unwrap().is_none(),
            "{}",
            tracer.last_log_lines(3)
        );
        stage
            .mends(fault, async move |_| {
                let ended = blocking(move || tracer.stop(Signal::TERM, BOUND)).await;
                ended.unwrap();
            })
            .await;
    }

    async fn the_watermark_is_stalled(stage: &mut Stage) {
        let fault = &faults::WATERMARK_STALLED;
        let owner = stage.owner().await;
        let mut append = owner.begin().await.unwrap();
        stage
            .breaks(fault, async |_| {
                let lock = "SELECT pg_advisory_xact_lock_shared(
                                (store.lock_namespace() << 48) | store.last_drawn())";
                sqlx::raw_sql(lock).execute(&mut *append).await.unwrap();
            })
            .await;
        stage
            .mends(fault, async |_| append.rollback().await.unwrap())
            .await;
    }

    async fn the_projector_is_killed(stage: &mut Stage) {
        let fault = &faults::PROJECTOR_KILLED;
        stage
            .breaks(fault, async |stage| stage.system.projector.kill())
            .await;
        stage
            .mends(fault, async |stage| {
                stage.system.projector.start();
                stage.system.projector.until(true).await;
            })
            .await;
    }

    /// An event of no release that is known, and a command on its order; then the event is of one.
    async fn an_event_is_of_no_release(stage: &mut Stage, asking: &traffic::Asking) {
        let owner = stage.owner().await;
        let commands = stage.system.commands[0].at_same_address();
        let (commissioner, workshop) = (&asking.commissioner, &asking.workshop);
        let client = Client::new();
        let rival = Party::new("workshop", &client);
        let operator = Party::new("operator", &client);
        operator
            .register(&commands, std::slice::from_ref(&rival))
            .await;
        let invited = [workshop.clone(), rival.clone()];
        let told = commissioner.place(&commands, &invited).await;
        let path = format!("/v1/orders/{told}/invitations/{}/decline", rival.id);
        rival.post(&commands, &path, &json!({})).await.ok();
        let order = commissioner.place(&commands, &invited).await;

        let parked = &faults::STREAM_PARKED;
        stage
            .breaks(parked, async |_| {
                let insert = format!(
                    "INSERT INTO store.events (position, aggregate_type, aggregate_id, sequence,
                         event_type, event_version, payload, metadata, event_id, recorded_at)
                     SELECT nextval('store.position'), 'order', '{order}', 2, 'OrderGilded',
                         event_version, payload, metadata, gen_random_uuid(), clock_timestamp()
                     FROM store.events WHERE aggregate_id = '{told}' AND sequence = 2"
                );
                run(&owner, &insert).await;
            })
            .await;
        stage
            .standing
            .extend(parked.raises.iter().map(|it| (*it).to_owned()));

        let failed = &faults::REQUEST_FAILED;
        stage.matrix += "\n";
        stage
            .breaks(failed, async |_| {
                let path = format!("/v1/orders/{order}/offers/{}", workshop.id);
                let answer = workshop.put(&commands, &path, &offer()).await;
                assert_eq!(answer.code(), "UNREADABLE_EVENT");
            })
            .await;
        stage.mends(failed, async |_| ()).await;

        stage.standing.clear();
        stage
            .mends(parked, async |_| {
                let update = format!(
                    "UPDATE store.events SET event_type = (SELECT event_type FROM store.events
                         WHERE aggregate_id = '{told}' AND sequence = 2)
                     WHERE aggregate_id = '{order}' AND sequence = 2"
                );
                run(&owner, &update).await;
            })
            .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_fault_raises_what_is_said_and_nothing_else() {
        let mut stage = Stage::set().await;
        let (traffic, _) = stage.traffic().await;
        traffic.goes_on_for(100).await;
        traffic.stop().await;
        a_row_is_wrong(&mut stage).await;
        an_event_is_missing(&mut stage).await;
        let (traffic, asking) = stage.traffic().await;
        a_message_is_nonsense(&mut stage).await;
        redis_is_gone(&mut stage).await;
        kafka_is_gone(&mut stage).await;
        kafka_is_frozen(&mut stage).await;
        the_watermark_is_stalled(&mut stage).await;
        the_projector_is_killed(&mut stage).await;
        postgres_is_slow(&mut stage).await;
        the_disk_is_slow(&mut stage).await;
        postgres_is_gone(&mut stage).await;
        an_event_is_of_no_release(&mut stage, &asking).await;
        traffic.stop().await;
        stage.end().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn some_faults_raise_what_is_said_and_nothing_else() {
        let mut stage = Stage::set().await;
        let (traffic, _) = stage.traffic().await;
        traffic.goes_on_for(40).await;
        traffic.stop().await;
        a_row_is_wrong(&mut stage).await;
        let (traffic, _) = stage.traffic().await;
        a_message_is_nonsense(&mut stage).await;
        redis_is_gone(&mut stage).await;
        traffic.stop().await;
        stage.end().await;
    }
}
