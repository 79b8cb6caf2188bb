//! `projector topics accept`: the relay goes on with the topics as they are now.

use event_store::acts::ActKind;
use messaging::Kafka;
use messaging::topics::{TopicGuard, TopicsError};
use serde_json::json;
use service_runtime::chain;

use crate::cli::Exit;
use crate::config::ProjectorConfig;
use crate::session::{ActOptions, Failure, Session};

/// Shows what is not as recorded, asks unless told not to, and records it as it is.
pub(crate) async fn accept_topics(
    session: Session<ProjectorConfig>,
    act: ActOptions,
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
    act.agreed("Accept them?")?;
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    let act = act.act(ActKind::AcceptTopics, json!({ "differences": told }));
    guard.accept(&act).await.map_err(failure)?;
    eprintln!("accepted");
    Ok(())
}

/// How a command ends that the topics have stopped.
pub(crate) fn failure(error: TopicsError) -> Failure {
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
