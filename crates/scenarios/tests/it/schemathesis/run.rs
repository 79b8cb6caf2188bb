//! One run of schemathesis: one API, as one role.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use dev_servers::{Process, Signal};
use serde::Serialize;
use serde_json::{Value, json};
use test_support::eventually;

use super::prepared::{COMMANDS, Prepared, stranger};
use super::report::Report;
use crate::system::{App, state_folder};

/// How many cases are drawn for each operation, beside those that cover its description.
const EXAMPLES: u32 = 8;
const BOUND: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Command,
    Query,
}

pub(super) struct Run {
    name: String,
    folder: PathBuf,
    document: String,
    configuration: String,
    users: Value,
    values: Value,
}

impl Run {
    pub(super) fn of(api: Api, app: &App, role: &'static str, prepared: &Prepared) -> Self {
        let name = format!("{api:?}-{role}").to_lowercase();
        let folder = state_folder().join("scenarios/schemathesis").join(&name);
        let users = folder.join("users.json");
        let mut configuration = format!(
            "base-url = {base}\n\
             continue-on-failure = true\n\
             hooks = \"hooks\"\n\
             [generation]\n\
             max-examples = {EXAMPLES}\n\
             deterministic = true\n\
             database = \"none\"\n\
             [cache]\n\
             enabled = false\n\
             [auth.wfc]\n\
             path = {users}\n\
             user = {role}\n",
            base = toml(&app.url("")),
            users = toml(&users),
            role = toml(&role),
        );
        // Who must not see what the other has; operators and analysts see everything.
        if matches!(role, "commissioner" | "workshop") {
            let peers = [role.to_owned(), stranger(role)];
            writeln!(configuration, "peers = {}", toml(&peers)).unwrap();
        }
        Self {
            document: app.url("/openapi.json"),
            users: prepared.users(),
            values: match api {
                Api::Command => commands(role, prepared),
                Api::Query => queries(prepared),
            },
            name,
            folder,
            configuration,
        }
    }

    pub(super) async fn finish(self) -> Report {
        drop(fs::remove_dir_all(&self.folder));
        fs::create_dir_all(&self.folder).unwrap();
        let file = |name: &str| self.folder.join(name);
        let (configuration, events) = (file("schemathesis.toml"), file("events.ndjson"));
        fs::write(&configuration, &self.configuration).unwrap();
        fs::write(file("users.json"), self.users.to_string()).unwrap();
        fs::write(file("values.json"), self.values.to_string()).unwrap();
        fs::write(file("hooks.py"), include_str!("hooks.py")).unwrap();
        let program = state_folder().join("schemathesis/bin/schemathesis");
        assert!(
            program.is_file(),
            "{} is missing: `cargo xtask test` installs it",
            program.display()
        );
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .env("PYTHONPATH", &self.folder)
            .arg("--config-file")
            .arg(&configuration)
            .args(["run", &self.document, "--no-color", "--report", "ndjson"])
            // A live stream ends with its token.
            .args(["--header", "Accept: application/json"])
            .arg("--report-ndjson-path")
            .arg(&events);
        let log = file("output.txt");
        let mut process = Process::spawn("schemathesis", command, &log, Signal::KILL).unwrap();
        let status = eventually("the end of schemathesis", BOUND, || {
            let ended = process.ended().unwrap();
            async move { ended.ok_or("running") }
        });
        let status = status.await;
        assert!(has_judged(status), "{}", process.last_log_lines(usize::MAX));
        Report::read(self.name, &events)
    }
}

/// Whether it came to a verdict, whatever that is.
fn has_judged(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 1))
}

/// Legal values of the parameters of each path, by their place.
fn commands(role: &str, prepared: &Prepared) -> Value {
    let mut values = json!({
        "/v1/workshops/{id}": { "path": { "id": [prepared.changing()] } },
    });
    for (path, _) in COMMANDS {
        values[path] = json!({ "path": {
            "id": prepared.orders(role, path),
            "workshopId": prepared.workshops(),
            "number": [1, 2],
        } });
    }
    values
}

/// The same, of reads.
fn queries(prepared: &Prepared) -> Value {
    let header = json!({ "Atlas-Min-Position": [prepared.position] });
    let order = json!({ "path": { "id": prepared.all_orders() }, "header": header });
    let account = json!({ "path": { "id": [prepared.commissioner()] }, "header": header });
    let filters = json!({
        "workshopId": prepared.workshops(),
        "commissionerId": [prepared.commissioner()],
    });
    json!({
        "/v1/orders": { "query": filters, "header": header },
        "/v1/orders/{id}": order,
        "/v1/orders/{id}/timeline": order,
        "/v1/orders/{id}/as-of": order,
        "/v1/orders/{id}/situation": order,
        "/v1/bonus/accounts/{id}": account,
        "/v1/bonus/accounts/{id}/explain": account,
        "/v1/bonus/accounts/{id}/ledger": account,
        "/v1/bonus/policies": { "header": header },
        "/v1/invitations": { "header": header },
        "/v1/workshops": { "header": header },
        "/v1/ops/acts/{id}": { "path": { "id": [prepared.act] } },
        "/v1/ops/dead-letters/{id}": { "path": { "id": [prepared.dead_letter] } },
    })
}

/// A text, a number, or a list of them: TOML has them as JSON does.
fn toml<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}
