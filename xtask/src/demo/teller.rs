//! Telling: what is printed, and the requests that are told of.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dev_servers::scratch_folder;
use serde_json::Value;
use ureq::AsSendBody;
use ureq::http::{self, Request, StatusCode};

use crate::demo::cast::Party;
use crate::demo::error::DemoError;
use crate::demo::json;
use crate::failure::Failure;
use crate::http::Client;
use crate::interrupt::Interrupt;
use crate::stack::Stack;
use crate::workspace;

/// Longer than the APIs give themselves for an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// How long what follows from a command may take to be seen elsewhere.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// Tells on standard output what happens in a running system.
#[derive(Debug)]
pub(crate) struct Teller<'a> {
    pub(crate) stack: &'a mut Stack,
    pub(crate) interrupt: &'a Interrupt,
    /// For what is written down on the way; ours alone.
    pub(crate) folder: PathBuf,
    client: Client,
    /// How many steps were taken.
    steps: u32,
}

/// One step of a commission.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) by: &'a Party,
    /// What happens, in words.
    pub(crate) what: &'a str,
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    pub(crate) body: Value,
    /// What must be answered, as [`in_short`] says it.
    pub(crate) answer: &'static str,
}

/// What was answered to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(stack: &'a mut Stack, interrupt: &'a Interrupt) -> Result<Self, Failure> {
        let folder = scratch_folder(&workspace::make_state()?.join("demo"));
        fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
        Ok(Self {
            stack,
            interrupt,
            folder,
            client: Client::new(ANSWERED_WITHIN),
            steps: 0,
        })
    }

    /// Takes a step, and prints it with its answer; returns the answer's body.
    pub(crate) fn take(&mut self, step: &Step<'_>) -> Result<Value, Failure> {
        self.interrupt.check()?;
        self.steps += 1;
        let line = format!("{} {}", step.method, step.path);
        say(&format!("\n{:2}. {}\n    {line}", self.steps, step.what))?;

        let request = Request::builder()
            .method(step.method)
            .uri(format!("{}{}", self.stack.command_url(), step.path))
            .header("Authorization", format!("Bearer {}", step.by.token))
            .header("Content-Type", "application/json")
            .body(step.body.to_string());
        let answer = self.send(&line, request)?;
        let in_short = in_short(&answer);
        say(&format!("    {in_short}"))?;
        if let Some(detail) = json::text(&answer.body, "/detail") {
            say(&format!("    “{detail}”"))?;
        }
        if in_short == step.answer {
            return Ok(answer.body);
        }
        Err(DemoError::WrongAnswer {
            request: line,
            expected: step.answer.to_owned(),
            answer: format!("{in_short}: {}", answer.body),
        }
        .into())
    }

    /// Reads from the query API; `least` is the position that the answer must have come to.
    pub(crate) fn read(
        &self,
        by: &Party,
        path: &str,
        least: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::get(format!("{}{path}", self.stack.query_url()))
            .header("Authorization", format!("Bearer {}", by.token));
        if let Some(position) = least {
            request = request.header("Atlas-Min-Position", position);
        }
        self.send(&format!("GET {path}"), request.body(()))
    }

    /// Looks until there is what is looked for; `look` else says what there is instead.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self) -> Result<Result<T, String>, Failure>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + SEEN_WITHIN;
        loop {
            let seen = match look(self)? {
                Ok(found) => return Ok(found),
                Err(seen) => seen,
            };
            self.stack.check()?;
            if Instant::now() > deadline {
                return Err(DemoError::NotSeen {
                    what: what.to_owned(),
                    seconds: SEEN_WITHIN.as_secs(),
                    seen,
                }
                .into());
            }
            self.interrupt.pause()?;
        }
    }

    /// Sends a request that is called `name` where it fails.
    pub(crate) fn send(
        &self,
        name: &str,
        request: http::Result<Request<impl AsSendBody>>,
    ) -> Result<Answer, Failure> {
        let sent = request
            .map_err(ureq::Error::from)
            .and_then(|request| self.client.send(request));
        let answer = sent.map_err(|source| DemoError::NoAnswer {
            request: name.to_owned(),
            source: Box::new(source),
        })?;
        let body = serde_json::from_str(&answer.body);
        Ok(Answer {
            status: answer.status,
            body: body.map_err(|_| DemoError::not_understood(name, &answer.body))?,
        })
    }
}

/// Prints lines.
pub(crate) fn say(lines: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{lines}").map_err(Failure::Output)
}

/// Prints the heading of what follows.
pub(crate) fn head(heading: &str) -> Result<(), Failure> {
    say(&format!("\n\n{heading}\n{}", "=".repeat(heading.len())))
}

/// The answer to a command in a line: the status, and the version and state that the order has now,
/// or the code of the refusal.
pub(crate) fn in_short(answer: &Answer) -> String {
    let text = |pointer| json::text(&answer.body, pointer).map(str::to_owned);
    let version = json::number(&answer.body, "/version");
    let mut words = vec![answer.status.to_string()];
    words.extend(version.map(|version| format!("version {version}")));
    words.extend(text("/state"));
    words.extend(text("/code"));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn short(status: u16, body: Value) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        in_short(&Answer { status, body })
    }

    #[test]
    fn an_answer_is_its_status_version_and_state() {
        let order = json!({"orderId": "0195", "version": 4, "state": "negotiating"});
        assert_eq!(short(200, order), "200 OK, version 4, negotiating");
        let workshop = json!({"workshopId": "0195", "version": 1, "position": "MS0x"});
        assert_eq!(short(201, workshop), "201 Created, version 1");
    }

    #[test]
    fn a_refusal_is_its_status_and_code() {
        let problem = json!({"status": 409, "code": "NOT_CURRENT_STAGE", "detail": "…"});
        assert_eq!(short(409, problem), "409 Conflict, NOT_CURRENT_STAGE");
        assert_eq!(short(500, json!(null)), "500 Internal Server Error");
    }
}
