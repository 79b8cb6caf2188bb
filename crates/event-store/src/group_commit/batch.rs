//! One batch on one connection: what is done is answered, what has to go alone comes back.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc::Sender;

use super::{Job, Ticket, Undone};
use crate::failure::{SqlFailure, classify};
use crate::instruments::{GROUP_COMMIT_JOBS, GROUP_COMMIT_WAIT_SECONDS};

/// How long one statement may take: a little more than the server lets it run. Only a server that
/// is cut off takes longer; its connection is given up, so that the queue behind it goes on.
const STATEMENT_BOUND: Duration = Duration::from_secs(10);

/// Does a batch, and answers each that is done or will not be; whether the connection is still
/// good.
pub(super) async fn run<J: Job>(
    connection: &mut PgConnection,
    batch: Vec<Ticket<J>>,
    back: &Sender<Ticket<J>>,
) -> bool {
    let (mut batch, left): (Vec<_>, Vec<_>) = batch.into_iter().partition(|it| it.job.start());
    for ticket in left {
        ticket.answer(Err(Undone::Abandoned));
    }
    measure(&batch);
    match batch.len() {
        0 => true,
        1 => match batch.pop() {
            Some(ticket) => alone(connection, ticket).await,
            None => true,
        },
        _ => together(connection, batch, back).await,
    }
}

fn measure<J: Job>(batch: &[Ticket<J>]) {
    if batch.is_empty() {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a batch is short")]
    GROUP_COMMIT_JOBS.of([J::KIND]).record(batch.len() as f64);
    let waits = GROUP_COMMIT_WAIT_SECONDS.of([J::KIND]);
    for ticket in batch {
        waits.record(ticket.since.elapsed());
    }
}

async fn alone<J: Job>(connection: &mut PgConnection, ticket: Ticket<J>) -> bool {
    match bounded(ticket.job.alone(connection)).await {
        Ok(done) => {
            ticket.answer(Ok(done));
            true
        }
        Err(error) => {
            let good = is_good_after(&error) && forget_stale_plans(connection, &error).await;
            fail([ticket], error);
            good
        }
    }
}

async fn together<J: Job>(
    connection: &mut PgConnection,
    batch: Vec<Ticket<J>>,
    back: &Sender<Ticket<J>>,
) -> bool {
    let jobs: Vec<&J> = batch.iter().map(|ticket| &ticket.job).collect();
    match bounded(J::together(&jobs, connection)).await {
        Ok(done) => {
            let mut done = done.into_iter();
            for ticket in batch {
                match done.next().flatten() {
                    Some(done) => ticket.answer(Ok(done)),
                    None => put_back(ticket, back).await,
                }
            }
            true
        }
        // One has spoiled it for the others, or the plan is stale.
        Err(error) if J::did_nothing(&error) => {
            for ticket in batch {
                put_back(ticket, back).await;
            }
            forget_stale_plans(connection, &error).await
        }
        Err(error) => {
            let good = is_good_after(&error);
            fail(batch, error);
            good
        }
    }
}

/// What went with others and was not done goes next, by itself.
async fn put_back<J: Job>(mut ticket: Ticket<J>, back: &Sender<Ticket<J>>) {
    ticket.job.undone();
    ticket.alone = true;
    back.send(ticket).await.ok();
}

fn fail<J: Job>(batch: impl IntoIterator<Item = Ticket<J>>, error: sqlx::Error) {
    let error = Arc::new(error);
    for ticket in batch {
        ticket.answer(Err(Undone::Failed(Arc::clone(&error))));
    }
}

async fn bounded<T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(STATEMENT_BOUND, statement)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

fn is_good_after(error: &sqlx::Error) -> bool {
    classify(error) != SqlFailure::Unreachable
}

/// Whether the connection is good after that.
async fn forget_stale_plans(connection: &mut PgConnection, error: &sqlx::Error) -> bool {
    classify(error) != SqlFailure::StalePlan
        || bounded(connection.clear_cached_statements()).await.is_ok()
}
