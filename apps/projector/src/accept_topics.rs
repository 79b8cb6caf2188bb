//! `projector topics accept`: the relay goes on with the topics as they are now.

use messaging::Kafka;
use messaging::topics::{TopicGuard, TopicsError};
use service_runtime::chain;

use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::session::{Failure, Session, agreed};

/// Shows what is not as recorded, asks unless `yes`, and records it as it is.
pub(crate) async fn accept_topics(
    session: Session<ProjectorConfig>,
    yes: bool,
) -> Result<(), Failure> {
    let config = &session.config;
    let pool = session.pool(&config.database, 1);
    let guard = TopicGuard::new(Kafka::new(&config.brokers), pool, config.retention);
    let differences = guard.differences().await.map_err(failure)?;
    if differences.is_empty() {
        eprintln!("the topics are those that are recorded: nothing was done");
        return Ok(());
    }
    for difference in &differences {
        eprintln!("{difference}");
    }
    eprintln!(
        "Accepted, the relay goes on with them from its checkpoint. What it sent before may be \
         missing there."
    );
    agreed("Accept them?", yes)?;
    guard.accept().await.map_err(failure)?;
    eprintln!("accepted");
    Ok(())
}

fn failure(error: TopicsError) -> Failure {
    let exit = match &error {
        TopicsError::Ask(_)
        | TopicsError::Make(_)
        | TopicsError::Record(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => Exit::Unreachable,
        TopicsError::Refused { .. } | TopicsError::NotYet(_) | TopicsError::Record(_) => {
            Exit::Failed
        }
        TopicsError::Changed(_) => Exit::Refused,
    };
    Failure::new(exit, chain(&error)).during("not accepted")
}
