//! The messages on both topics, and whether they are what the store holds.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use ureq::http::Request;

use crate::children;
use crate::demo::comparison::{Difference, compare, firsts};
use crate::demo::error::{DemoError, list};
use crate::demo::events::{Domain, Event};
use crate::demo::json;
use crate::demo::message::Message;
use crate::demo::teller::{Teller, say};
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// What is looked at: everything, or what has one of these keys.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    Everything,
    Keys([&'a str; 2]),
}

impl Scope<'_> {
    pub(crate) fn covers(self, key: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Keys(keys) => keys.contains(&key),
        }
    }
}

/// Waits until the projector reaches the broker, which may be one that the caller named.
pub(crate) fn wait_for_broker(teller: &mut Teller<'_>) -> Result<(), Failure> {
    let url = format!("{}/health/ready", teller.stack.projector_url());
    let what = format!("the projector to reach Kafka at {}", teller.stack.kafka());
    teller.wait_for(&what, |teller| {
        let answer = teller.send(&url, Request::get(&url).body(()))?;
        let reached = json::items(&answer.body, "/dependencies")
            .iter()
            .any(|dependency| {
                json::text(dependency, "/name") == Some("kafka")
                    && dependency.pointer("/ok") == Some(&Value::Bool(true))
            });
        Ok(reached.then_some(()).ok_or(answer.body.to_string()))
    })
}

/// Waits until every event of a domain is on its topic, and tells the messages. One that should not
/// be there, or not like that, is a failure at once. Returns how many events there are.
pub(crate) fn tell(
    teller: &mut Teller<'_>,
    domain: Domain,
    events: &[Event],
    scope: Scope<'_>,
) -> Result<usize, Failure> {
    let topic = domain.topic();
    let concerns = |event: &&Event| event.domain == domain && scope.covers(&event.key);
    let events: Vec<Event> = events.iter().filter(concerns).cloned().collect();
    let messages = teller.wait_for(&format!("every event on {topic}"), |teller| {
        let mut tail = Command::new(teller.stack.program("dev-broker"));
        tail.args(["tail", "--brokers", teller.stack.kafka()]);
        let mut messages = read(tail, topic, &teller.folder, teller.interrupt)?;
        messages.retain(|message| scope.covers(message.key()));
        let differences = compare(&events, &messages);
        if differences.iter().all(Difference::may_pass) {
            let complete = differences.is_empty();
            return Ok(complete.then_some(messages).ok_or(list(&differences)));
        }
        Err(DemoError::TopicDiffers { topic, differences }.into())
    })?;
    say(&format!("\n{topic}\n{}", Message::columns()))?;
    for message in firsts(&messages) {
        say(&message.line())?;
    }
    Ok(events.len())
}

/// Every message that is on a topic now, as a `dev-broker tail` of some brokers prints them into a
/// file in `folder`.
pub(crate) fn read(
    mut tail: Command,
    topic: &str,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Vec<Message>, Failure> {
    tail.args(["--topic", topic])
        .args(["--from-beginning", "--until-idle", "--timeout", "60"]);
    let mut tail = children::start(topic, tail, folder)?;
    let status = loop {
        if let Some(status) = tail.ended()? {
            break status;
        }
        interrupt.pause()?;
    };
    if !status.success() {
        children::check(&mut tail)?;
    }
    let text = fs::read_to_string(tail.log()).map_err(Failure::file(tail.log()))?;
    Ok(text.lines().filter_map(Message::parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_its_keys_alone() {
        assert!(Scope::Everything.covers("c"));
        assert!(Scope::Keys(["a", "b"]).covers("b"));
        assert!(!Scope::Keys(["a", "b"]).covers("c"));
    }
}
