//! `projector topics accept`: the relay goes on with the topics as they are now.

use std::io;

use messaging::Kafka;
use messaging::topics::{TopicGuard, TopicsError};
use service_runtime::config::Reader;
use service_runtime::{chain, pool_options};

use crate::cli::Exit;
use crate::config::ProjectorConfig;

const NAME: &str = "projector topics accept";

/// Shows what is not as recorded, asks unless `yes`, and records it as it is.
pub(crate) fn accept_topics(yes: bool) -> Exit {
    let config: ProjectorConfig = match Reader::of_process().read() {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("{faults}");
            return Exit::Usage;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return Exit::Failed;
        }
    };
    match runtime.block_on(accept(&config, yes)) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("not accepted: {}", chain(&error));
            failed(&error)
        }
    }
}

async fn accept(config: &ProjectorConfig, yes: bool) -> Result<Exit, TopicsError> {
    let pool =
        pool_options(&config.database, 1).connect_lazy_with(config.database.connect_options(NAME));
    let guard = TopicGuard::new(Kafka::new(&config.brokers), pool, config.retention);
    let differences = guard.differences().await?;
    if differences.is_empty() {
        eprintln!("the topics are those that are recorded: nothing was done");
        return Ok(Exit::Done);
    }
    for difference in &differences {
        eprintln!("{difference}");
    }
    eprintln!(
        "Accepted, the relay goes on with them from its checkpoint. What it sent before may be \
         missing there."
    );
    if !yes && !agreed() {
        eprintln!("nothing was done");
        return Ok(Exit::Failed);
    }
    guard.accept().await?;
    eprintln!("accepted");
    Ok(Exit::Done)
}

/// Asks, and takes anything but a yes for a no.
fn agreed() -> bool {
    eprint!("Accept them? [y/N] ");
    let mut answer = String::new();
    // An input that cannot be read is no yes.
    io::stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

fn failed(error: &TopicsError) -> Exit {
    match error {
        TopicsError::Ask(_)
        | TopicsError::Make(_)
        | TopicsError::Record(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => Exit::Unreachable,
        TopicsError::Refused { .. } | TopicsError::NotYet(_) | TopicsError::Record(_) => {
            Exit::Failed
        }
        TopicsError::Changed(_) => Exit::Refused,
    }
}
