//! The pages in a real browser, against running services: their own tests, run by Node.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dev_servers::{Process, Signal};
use serde_json::json;
use test_support::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::dead_letters::Message;
use crate::kafka;
use crate::schemathesis::start_broker;
use crate::system::{System, state_folder, target_folder};

const CLIENT: &str = "artisan-atlas-pages";
const TOPIC: &str = "atlas.order-events.v1";
/// The number of the dead letter that is redriven from the page.
const LETTER: u128 = 77;
const PEOPLE: [(&str, &str); 5] = [
    ("Olga", "operator"),
    ("Clara", "commissioner"),
    ("Oak & Iron", "workshop"),
    ("Brass Lantern", "workshop"),
    ("Ana", "analyst"),
];

/// A hundred thousand dead letters of one cause, and a large one of another.
const LETTERS: &str = "
    INSERT INTO ops.dead_letters
        (id, consumer, topic, topic_id, partition, \"offset\", key, value, header_names,
         header_values, ce_id, ce_type, code, kind, detail, cause, attempts, first_failed_at,
         last_failed_at, last_partition, last_offset)
    SELECT gen_random_uuid(), 'atlas-bonus', 'atlas.order-events.v1', 'before', 0, n, 'key'::bytea,
           CASE WHEN n = 0 THEN decode(repeat('41', 15728640), 'hex') ELSE '{' END,
           ARRAY['ce_type'], ARRAY['atlas.order.OrderPlaced'::bytea], NULL,
           'atlas.order.OrderPlaced',
           CASE WHEN n = 0 THEN 'VALUE_TOO_LARGE' ELSE 'INVALID_JSON' END, 'malformed',
           'what is wrong with ' || n, 'what is wrong', 1, now(), now(), 0, -1
    FROM generate_series(0, 100000) AS n;
    ANALYZE ops.dead_letters";

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

    let control = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let control_url = format!("http://{}", control.local_addr().unwrap());
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let mut tests = Command::new(state_folder().join("node/current/node"));
    tests
        .current_dir(web)
        .args(["--test", "--test-timeout=900000", "--test-concurrency=1"])
        .arg("test/*.test.ts")
        .env("ATLAS_PAGES_CONTROL", control_url)
        .env("ATLAS_SDK_COMMAND_URL", command)
        .env("ATLAS_SDK_QUERY_URL", origin)
        .env("ATLAS_PAGES_ISSUER", issuer)
        .env("ATLAS_PAGES_PEOPLE", json!(people).to_string())
        .stdin(Stdio::null());
    let status = tokio::task::spawn_blocking(move || tests.status().unwrap());
    let obeying = async {
        loop {
            obey(&control, &mut system).await;
        }
    };
    let status = tokio::select! {
        status = status => status.unwrap(),
        never = obeying => never,
    };
    assert!(status.success(), "what failed is above");
    // What the page had redriven was sent as it was.
    let letter = Message::good(LETTER);
    let sent = kafka::messages(&brokers, TOPIC).await;
    let sent = sent.iter().filter(|message| letter.is(message));
    assert_eq!(sent.count(), 1);
}

/// Does to the system what the tests ask for, by the path of a request.
async fn obey(control: &TcpListener, system: &mut System) {
    let (mut connection, _) = control.accept().await.unwrap();
    let mut request = [0; 4_096];
    let read = connection.read(&mut request).await.unwrap();
    let asked = std::str::from_utf8(&request[..read]).unwrap();
    match asked.split(' ').nth(1) {
        Some("/stop-query") => system.query.kill(),
        Some("/start-query") => {
            system.query.start();
            system.query.until(true).await;
        }
        Some("/lay-letter") => {
            let pool = system.database.pool_owner().await;
            Message::good(LETTER)
                .lie_in(&pool, "of another release")
                .await;
        }
        Some("/lay-letters") => as_owner(system, LETTERS).await,
        Some("/clear-letters") => as_owner(system, "DELETE FROM ops.dead_letters").await,
        other => panic!("nobody knows how to do {other:?}"),
    }
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    connection.write_all(answer).await.unwrap();
    connection.shutdown().await.unwrap();
}

async fn as_owner(system: &System, statement: &str) {
    let pool = system.database.pool_owner().await;
    sqlx::raw_sql(statement).execute(&pool).await.unwrap();
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
