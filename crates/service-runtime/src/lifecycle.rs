//! A process's life: its tasks, the signals that end it, and the code that it exits with.
//!
//! A signal is heard in steps. First the process *drains*: it says that it is not ready, and goes on as
//! ever for a while, so that whoever sends it requests has looked elsewhere by then. Two tokens end
//! work. *Finish* asks tasks to complete what they hold and take nothing new; it
//! is cancelled after the first SIGTERM or SIGINT, or when a task dies. *Drop* ends what is still
//! running after the bound or a further signal.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use futures::FutureExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::log_lines::chain;
use crate::serve::{Bounds, Ends, serve};

/// How long tasks have to finish.
const FINISH_BOUND: Duration = Duration::from_secs(20);
/// How long dropping may take before the process exits anyway.
const DROP_BOUND: Duration = Duration::from_secs(2);
/// The first signal asks to drain and then to finish; each further one ends what is waited for:
/// draining, then finishing.
const SIGNALS_THAT_COUNT: usize = 3;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub source: std::io::Error,
}

/// Starts tasks of the process and tells them when to end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasks {
    draining: CancellationToken,
    finish: CancellationToken,
    drop: CancellationToken,
    tracker: TaskTracker,
    failed: Arc<AtomicBool>,
    drain_for: Arc<OnceLock<Duration>>,
}

impl Tasks {
    fn new() -> Self {
        let drop = CancellationToken::new();
        Self {
            draining: drop.child_token(),
            finish: drop.child_token(),
            drop,
            tracker: TaskTracker::new(),
            failed: Arc::new(AtomicBool::new(false)),
            drain_for: Arc::default(),
        }
    }

    /// Cancelled when the process was told to stop: it is not ready from then on, and answers what
    /// comes until *finish* is cancelled too. Nothing long is to be begun.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// For how long the process drains once it was told to stop; the first call counts, and without
    /// one it does not.
    pub fn drain_for(&self, time: Duration) {
        self.drain_for.get_or_init(|| time);
    }

    /// Cancelled when work is to be finished and nothing new begun.
    #[must_use]
    pub fn finish(&self) -> CancellationToken {
        self.finish.clone()
    }

    /// Cancelled when work is to be dropped.
    #[must_use]
    pub fn drop_work(&self) -> CancellationToken {
        self.drop.clone()
    }

    /// Keeps the process alive for short work that must not be cut off. What is spawned here has
    /// bounds of its own, and may fail without failing the process.
    #[must_use]
    pub fn tracker(&self) -> TaskTracker {
        self.tracker.clone()
    }

    /// Runs a task that lasts as long as the process. Returning before *finish* is cancelled,
    /// an error and a panic each fail the process; it is dropped when *drop* is cancelled.
    pub fn spawn<F, E>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let tasks = self.clone();
        self.tracker.spawn(async move {
            let outcome = tasks
                .drop
                .run_until_cancelled(AssertUnwindSafe(task).catch_unwind())
                .await;
            match outcome {
                None => tracing::warn!(task = name, "task dropped"),
                Some(Ok(Ok(()))) if tasks.finish.is_cancelled() => {
                    tracing::debug!(task = name, "task finished");
                }
                Some(Ok(Ok(()))) => tasks.fail(name, "it ended though nobody asked it to"),
                Some(Ok(Err(error))) => tasks.fail(name, &chain(&*error.into())),
                Some(Err(_)) => tasks.fail(name, "it panicked"),
            }
        });
    }

    /// Serves `router` on `address` until work is to be finished; then requests under way are
    /// still answered. Returns the address, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn serve(
        &self,
        name: &'static str,
        address: SocketAddr,
        router: Router,
    ) -> Result<SocketAddr, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        tracing::info!(task = name, address = %local, "listening");
        let ends = Ends {
            draining: self.draining.clone(),
            finish: self.finish.clone(),
        };
        let serve = serve(listener, router, ends, Bounds::default());
        self.spawn(name, async move {
            serve.await;
            Ok::<(), Infallible>(())
        });
        Ok(local)
    }

    /// Runs work that never ends by itself, until work is to be finished.
    pub fn keep(
        &self,
        name: &'static str,
        work: impl Future<Output = Infallible> + Send + 'static,
    ) {
        let finish = self.finish.clone();
        self.spawn(name, async move {
            finish.run_until_cancelled(work).await;
            Ok::<(), Infallible>(())
        });
    }

    /// Runs `work` every `interval` until work is to be finished.
    pub fn repeat(
        &self,
        name: &'static str,
        interval: Duration,
        mut work: impl FnMut() + Send + 'static,
    ) {
        let finish = self.finish.clone();
        self.spawn(name, async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while finish.run_until_cancelled(ticks.tick()).await.is_some() {
                work();
            }
            Ok::<(), Infallible>(())
        });
    }

    /// Fails the process: it finishes its work and exits with code 1.
    fn fail(&self, task: &'static str, reason: &str) {
        tracing::error!(task, reason, "task died, the process shuts down");
        self.failed.store(true, Ordering::SeqCst);
        self.finish.cancel();
    }
}

/// Waits for the end of a process, and brings it about in good order.
pub struct Lifecycle {
    tasks: Tasks,
    signals: mpsc::Receiver<&'static str>,
}

impl Lifecycle {
    /// Begins to watch for SIGTERM and SIGINT.
    ///
    /// # Errors
    /// If the system refuses the signal handlers.
    pub fn start() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, signals) = mpsc::channel(SIGNALS_THAT_COUNT);
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if sender.send(name).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self::driven_by(signals))
    }

    fn driven_by(signals: mpsc::Receiver<&'static str>) -> Self {
        Self {
            tasks: Tasks::new(),
            signals,
        }
    }

    /// What starts the tasks of this process.
    #[must_use]
    pub const fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Waits for a signal or a dead task, then for the tasks to finish. The code is 0 if all did
    /// what they were asked to, else 1.
    pub async fn run(mut self) -> ExitCode {
        if self.end_in_good_order().await {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// Waits until the time is over, a task dies, or another signal comes.
    async fn drain(&mut self, time: Duration) {
        if time.is_zero() {
            return;
        }
        tokio::select! {
            () = self.tasks.finish.cancelled() => {}
            Some(signal) = self.signals.recv() => tracing::info!(signal, "draining is cut short"),
            () = tokio::time::sleep(time) => {}
        }
    }

    async fn end_in_good_order(&mut self) -> bool {
        let Tasks {
            draining,
            finish,
            drop,
            tracker,
            failed,
            drain_for,
        } = self.tasks.clone();
        tokio::select! {
            () = finish.cancelled() => {}
            Some(signal) = self.signals.recv() => {
                let drain = drain_for.get().copied().unwrap_or_default();
                tracing::info!(signal, drain_seconds = drain.as_secs_f64(), "shutting down");
                draining.cancel();
                self.drain(drain).await;
            }
        }
        draining.cancel();
        finish.cancel();
        tracker.close();
        let finished = tokio::select! {
            biased;
            () = tracker.wait() => true,
            Some(signal) = self.signals.recv() => {
                tracing::warn!(signal, tasks = tracker.len(), "second signal, work is dropped");
                false
            }
            () = tokio::time::sleep(FINISH_BOUND) => {
                tracing::warn!(
                    bound_seconds = FINISH_BOUND.as_secs(),
                    tasks = tracker.len(),
                    "work did not finish in time and is dropped"
                );
                false
            }
        };
        drop.cancel();
        if !finished && timeout(DROP_BOUND, tracker.wait()).await.is_err() {
            tracing::warn!(tasks = tracker.len(), "tasks could not be dropped");
        }
        finished && !failed.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    fn lifecycle() -> (mpsc::Sender<&'static str>, Lifecycle) {
        let (sender, signals) = mpsc::channel(SIGNALS_THAT_COUNT);
        (sender, Lifecycle::driven_by(signals))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_lets_tasks_finish_their_work() {
        let (signals, mut lifecycle) = lifecycle();
        let (done, was_done) = oneshot::channel();
        let finish = lifecycle.tasks().finish();
        lifecycle.tasks().spawn("worker", async move {
            finish.cancelled().await;
            tokio::time::sleep(FINISH_BOUND / 2).await;
            done.send("the last of it").unwrap();
            Ok::<(), Infallible>(())
        });
        signals.send("SIGTERM").await.unwrap();
        assert!(lifecycle.end_in_good_order().await);
        assert_eq!(was_done.await, Ok("the last of it"));
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_while_the_process_drains_and_another_signal_ends_that() {
        const DRAIN: Duration = Duration::from_secs(10);
        for (signals_sent, drained) in [(1, DRAIN), (2, Duration::ZERO)] {
            let (signals, mut lifecycle) = lifecycle();
            let tasks = lifecycle.tasks().clone();
            tasks.drain_for(DRAIN);
            let began = tokio::time::Instant::now();
            let (done, was_done) = oneshot::channel();
            let (draining, finish) = (tasks.draining(), tasks.finish());
            tasks.spawn("worker", async move {
                draining.cancelled().await;
                let told_at_once = began.elapsed().is_zero() && !finish.is_cancelled();
                finish.cancelled().await;
                done.send((told_at_once, began.elapsed())).unwrap();
                Ok::<(), Infallible>(())
            });
            signals.send("SIGTERM").await.unwrap();
            let ending = tokio::spawn(async move { lifecycle.end_in_good_order().await });
            // It has to be heard before the second.
            tokio::time::sleep(Duration::from_millis(1)).await;
            for _ in 1..signals_sent {
                signals.send("SIGTERM").await.unwrap();
            }
            assert!(ending.await.unwrap());
            let (told_at_once, took) = was_done.await.unwrap();
            assert!(told_at_once);
            assert_eq!(took.as_secs(), drained.as_secs());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn short_work_is_waited_for_even_if_it_began_after_the_signal() {
        let (signals, mut lifecycle) = lifecycle();
        let (finish, tracker) = (lifecycle.tasks().finish(), lifecycle.tasks().tracker());
        let (done, was_done) = oneshot::channel();
        lifecycle.tasks().spawn("worker", async move {
            finish.cancelled().await;
            tracker.spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                done.send("appended").unwrap();
            });
            Ok::<(), Infallible>(())
        });
        signals.send("SIGINT").await.unwrap();
        assert!(lifecycle.end_in_good_order().await);
        assert_eq!(was_done.await, Ok("appended"));
    }

    #[tokio::test(start_paused = true)]
    async fn past_the_bound_work_is_dropped_and_the_process_fails() {
        let (signals, mut lifecycle) = lifecycle();
        lifecycle
            .tasks()
            .spawn("stuck", pending::<Result<(), Infallible>>());
        let began = tokio::time::Instant::now();
        signals.send("SIGTERM").await.unwrap();
        assert!(!lifecycle.end_in_good_order().await);
        assert_eq!(began.elapsed().as_secs(), FINISH_BOUND.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_drops_work_at_once() {
        let (signals, mut lifecycle) = lifecycle();
        lifecycle
            .tasks()
            .spawn("stuck", pending::<Result<(), Infallible>>());
        let began = tokio::time::Instant::now();
        signals.send("SIGTERM").await.unwrap();
        signals.send("SIGTERM").await.unwrap();
        assert!(!lifecycle.end_in_good_order().await);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_dropped_does_not_keep_the_process() {
        let (signals, mut lifecycle) = lifecycle();
        lifecycle.tasks().tracker().spawn(pending::<()>());
        signals.send("SIGTERM").await.unwrap();
        assert!(!lifecycle.end_in_good_order().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_fails_the_process_and_lets_the_others_finish() {
        async fn fails() -> Result<(), &'static str> {
            Err("the reason")
        }
        async fn panics() -> Result<(), Infallible> {
            panic!("the reason")
        }
        async fn ends() -> Result<(), Infallible> {
            Ok(())
        }
        type Start = fn(&Tasks);
        let starts: [Start; 3] = [
            |tasks| tasks.spawn("fails", fails()),
            |tasks| tasks.spawn("panics", panics()),
            |tasks| tasks.spawn("ends", ends()),
        ];
        for start in starts {
            let (_signals, mut lifecycle) = lifecycle();
            let (done, was_done) = oneshot::channel();
            let finish = lifecycle.tasks().finish();
            lifecycle.tasks().spawn("other", async move {
                finish.cancelled().await;
                done.send("finished").unwrap();
                Ok::<(), Infallible>(())
            });
            start(lifecycle.tasks());
            assert!(!lifecycle.end_in_good_order().await);
            assert_eq!(was_done.await, Ok("finished"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_without_an_end_is_kept_up_until_the_end() {
        let (signals, mut lifecycle) = lifecycle();
        lifecycle.tasks().keep("endless", pending());
        signals.send("SIGTERM").await.unwrap();
        let began = tokio::time::Instant::now();
        assert!(lifecycle.end_in_good_order().await);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_work_is_done_until_the_end() {
        let (signals, mut lifecycle) = lifecycle();
        let (did, mut done) = mpsc::unbounded_channel();
        lifecycle
            .tasks()
            .repeat("tick", Duration::from_secs(1), move || {
                did.send(()).unwrap();
            });
        for _ in 0..3 {
            assert_eq!(done.recv().await, Some(()));
        }
        signals.send("SIGTERM").await.unwrap();
        assert!(lifecycle.end_in_good_order().await);
        assert_eq!(done.recv().await, None);
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let (_signals, lifecycle) = lifecycle();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let taken = lifecycle
            .tasks()
            .serve("first", any, Router::new())
            .await
            .unwrap();
        let refused = lifecycle
            .tasks()
            .serve("second", taken, Router::new())
            .await
            .unwrap_err();
        assert_eq!(refused.to_string(), format!("cannot listen on {taken}"));
    }
}
