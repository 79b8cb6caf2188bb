//! `dev-broker` is a Kafka endpoint in memory, for the demo and for tests: librdkafka's mock
//! cluster as a process of its own. `dev-broker tail` prints a topic, of this broker or of a real
//! one.
//!
//! Deliberately absent: any proof of delivery. The mock keeps 5 MiB a partition and drops what is
//! older; it knows neither admin requests nor transactions. Claims about Kafka are proved on Apache
//! Kafka.

mod broker;
mod tail;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A Kafka endpoint in memory, on a free port of 127.0.0.1, with the topics of Artisan Atlas.
///
/// Prints `ready kafka=HOST:PORT` on standard output, and stays until SIGTERM, SIGINT, or the end
/// of the process that started it.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints a topic's messages as JSON lines: topic, partition, offset, key, headers, value.
    Tail(tail::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        None => broker::serve().map_err(|error| chain(&error)),
        Some(Command::Tail(options)) => tail::tail(&options).map_err(|error| chain(&error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("dev-broker: {message}");
            ExitCode::FAILURE
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
