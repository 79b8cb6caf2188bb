//! The pages in a real browser, against running services: their own tests, run by Node.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dev_servers::{Process, Signal};
use serde_json::json;
use test_support::eventually;

use crate::schemathesis::start_broker;
use crate::system::{System, state_folder, target_folder};

const CLIENT: &str = "artisan-atlas-pages";
const PEOPLE: [(&str, &str); 5] = [
    ("Olga", "operator"),
    ("Clara", "commissioner"),
    ("Oak & Iron", "workshop"),
    ("Brass Lantern", "workshop"),
    ("Ana", "analyst"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_do_in_a_browser_what_the_story_tells() {
    let (_broker, brokers) = start_broker("pages").await;
    let mut system = System::start(&brokers).await;
    let people: serde_json::Map<_, _> = PEOPLE
        .into_iter()
        .enumerate()
        .map(|(number, (name, role))| {
            let sub = format!("0195f9a2-7c1e-7d3a-9b1e-3f4c5d6e7f8{number}");
            (name.to_owned(), json!({"role": role, "sub": sub}))
        })
        .collect();
    let origin = system.query.url("");
    let (_issuer, issuer) = start_issuer(&origin, &people).await;
    let command = system.commands[0].url("");
    let variables = [
        // An empty value is none.
        ("ATLAS_JWT_SECRET", ""),
        ("ATLAS_JWT_ISSUER", &issuer),
        ("ATLAS_JWT_JWKS", &format!("{issuer}/jwks")),
        ("ATLAS_PAGES_ORIGINS", &origin),
        ("ATLAS_PAGES_COMMAND_URL", &command),
        ("ATLAS_PAGES_CLIENT_ID", CLIENT),
    ];
    system.restart_with(&variables).await;

    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let mut tests = Command::new(state_folder().join("node/current/node"));
    tests
        .current_dir(web)
        .args(["--test", "--test-timeout=900000", "test/*.test.ts"])
        .env("ATLAS_SDK_COMMAND_URL", command)
        .env("ATLAS_SDK_QUERY_URL", origin)
        .env("ATLAS_PAGES_ISSUER", issuer)
        .env("ATLAS_PAGES_PEOPLE", json!(people).to_string())
        .stdin(Stdio::null());
    let status = tokio::task::spawn_blocking(move || tests.status().unwrap());
    assert!(status.await.unwrap().success(), "what failed is above");
}

async fn start_issuer(
    origin: &str,
    people: &serde_json::Map<String, serde_json::Value>,
) -> (Process, String) {
    let log = state_folder().join(format!("scenarios/dev-issuer-{}.log", std::process::id()));
    let mut command = Command::new(target_folder().join("dev-issuer"));
    command
        .args(["--listen", "127.0.0.1:0", "--origin", origin])
        .args(["--client", CLIENT, "--audience", "artisan-atlas"]);
    for (name, person) in people {
        let mut person = person.clone();
        person["name"] = json!(name);
        command.args(["--person", &person.to_string()]);
    }
    let process = Process::spawn("dev-issuer", command, &log, Signal::KILL).unwrap();
    let url = eventually("the issuer", Duration::from_secs(20), || async {
        let said = process.last_log_lines(usize::MAX);
        let url = said
            .lines()
            .find_map(|line| line.strip_prefix("ready issuer="));
        url.map(str::to_owned).ok_or(said.clone())
    });
    let url = url.await;
    (process, url)
}
