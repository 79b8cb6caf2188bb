//! What a run tells of itself, and what of it is a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::exclusions::EXCLUSIONS;

/// All checks that schemathesis has.
pub(super) const CHECKS: [&str; 14] = [
    "allow_header_conformance",
    "content_type_conformance",
    "ensure_resource_availability",
    "ignored_auth",
    "missing_required_header",
    "negative_data_rejection",
    "not_a_server_error",
    "object_level_authorization",
    "positive_data_acceptance",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
    "use_after_free",
];

/// A request that was sent, what was answered, and what the checks said of it.
#[derive(Debug)]
pub(super) struct Case {
    /// Method and path of the operation, as the document has them.
    pub(super) operation: String,
    pub(super) request: String,
    pub(super) status: u64,
    pub(super) body: Value,
    verdicts: Vec<Verdict>,
}

#[derive(Debug)]
struct Verdict {
    check: String,
    /// Why it says no.
    failure: Option<String>,
}

impl Case {
    /// The code of the problem that was answered; none is empty.
    pub(super) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// What the problem says, and what it says of each value.
    pub(super) fn details(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        let of_errors: Vec<_> = errors
            .filter_map(|error| error["detail"].as_str())
            .collect();
        if of_errors.is_empty() {
            self.body["detail"].as_str().into_iter().collect()
        } else {
            of_errors
        }
    }
}

pub(super) struct Report {
    name: String,
    cases: Vec<Case>,
}

impl Report {
    pub(super) fn read(name: String, events: &Path) -> Self {
        let mut cases = Vec::new();
        for line in fs::read_to_string(events).unwrap().lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            for error in ["NonFatalError", "FatalError", "Interrupted"] {
                assert!(event.get(error).is_none(), "{name}: {event:#}");
            }
            cases.extend(recorded(&event["ScenarioFinished"]["recorder"]));
        }
        Self { name, cases }
    }
}

fn recorded(recorder: &Value) -> Vec<Case> {
    let interactions = recorder["interactions"].as_object().into_iter().flatten();
    let answered = interactions.filter(|(_, interaction)| interaction["response"].is_object());
    answered
        .map(|(id, interaction)| {
            let case = &recorder["cases"][id]["value"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (request, response) = (&interaction["request"], &interaction["response"]);
            let sent = |key: &str| bytes(&request[key]);
            Case {
                operation: format!("{} {}", text(&case["method"]), text(&case["path"])),
                request: format!(
                    "{} {} {} {}",
                    text(&request["method"]),
                    text(&request["uri"]),
                    request["headers"],
                    String::from_utf8_lossy(&sent("body")),
                ),
                status: response["status_code"].as_u64().unwrap(),
                body: serde_json::from_slice(&bytes(&response["content"])).unwrap_or_default(),
                verdicts: verdicts(&recorder["checks"][id]),
            }
        })
        .collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value["$base64"].as_str().unwrap_or_default();
    STANDARD.decode(text).unwrap()
}

/// None for a case that only fed others; a few for one that is of a method without an operation.
fn verdicts(checks: &Value) -> Vec<Verdict> {
    let checks = checks.as_array().into_iter().flatten();
    checks
        .map(|check| Verdict {
            check: check["name"].as_str().unwrap().to_owned(),
            failure: (check["status"] != "success")
                .then(|| check["failure_info"]["failure"]["message"].to_string()),
        })
        .collect()
}

/// How many findings are told; the files of the runs have the others.
const SHOWN: usize = 20;

/// All runs together.
#[derive(Default)]
pub(super) struct Tally {
    cases: usize,
    checks: BTreeSet<String>,
    findings: Vec<String>,
    used: [usize; EXCLUSIONS.len()],
    statuses: BTreeMap<String, BTreeMap<u64, usize>>,
}

impl Tally {
    pub(super) fn add(&mut self, report: &Report) {
        self.cases += report.cases.len();
        for case in &report.cases {
            // A method that is no operation of the document is tried too.
            if case.status != 405 {
                let statuses = self.statuses.entry(case.operation.clone()).or_default();
                *statuses.entry(case.status).or_default() += 1;
            }
            for Verdict { check, failure } in &case.verdicts {
                self.checks.insert(check.clone());
                if let Some(message) = failure {
                    self.judge(report, case, check, message);
                }
            }
        }
    }

    fn judge(&mut self, report: &Report, case: &Case, check: &str, message: &str) {
        let exclusion = EXCLUSIONS
            .iter()
            .position(|exclusion| exclusion.check == check && (exclusion.covers)(case));
        if let Some(exclusion) = exclusion {
            self.used[exclusion] += 1;
            return;
        }
        let Case {
            operation,
            request,
            status,
            body,
            ..
        } = case;
        self.findings.push(format!(
            "{}: {check} on {operation}: {message}\n  {request}\n  {status} {body}",
            report.name,
        ));
    }

    /// The checks that were run.
    pub(super) fn checks(&self) -> Vec<&str> {
        self.checks.iter().map(String::as_str).collect()
    }

    /// What no exclusion covers.
    pub(super) fn findings(&self) -> String {
        let shown: Vec<_> = self.findings.iter().take(SHOWN).cloned().collect();
        shown.join("\n")
    }

    /// How often each exclusion was needed.
    pub(super) fn used(&self) -> impl Iterator<Item = usize> {
        self.used.into_iter()
    }

    /// Operations that never succeeded, as whomever.
    pub(super) fn never_succeeded(&self) -> Vec<&str> {
        let failed = self
            .statuses
            .iter()
            .filter(|(_, statuses)| !statuses.keys().any(|status| (200..300).contains(status)));
        failed.map(|(operation, _)| operation.as_str()).collect()
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cases", self.cases)?;
        for (operation, statuses) in &self.statuses {
            writeln!(f, "  {operation}: {statuses:?}")?;
        }
        for (exclusion, used) in EXCLUSIONS.iter().zip(self.used) {
            writeln!(
                f,
                "  {used} times {}: {}",
                exclusion.check, exclusion.reason
            )?;
        }
        Ok(())
    }
}
