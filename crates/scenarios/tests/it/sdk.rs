//! The TypeScript client against running services: its own tests, run by Node.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::schemathesis::start_broker;
use crate::system::{SECRET, System, state_folder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_typescript_client_keeps_what_it_says() {
    // Awards come by way of Kafka.
    let (_broker, brokers) = start_broker("sdk").await;
    let system = System::start(&brokers).await;
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let mut tests = Command::new(state_folder().join("node/current/node"));
    tests
        .current_dir(web)
        .args(["--test", "--test-timeout=120000", "sdk/test/**/*.test.ts"])
        .env("ATLAS_SDK_COMMAND_URL", system.commands[0].url(""))
        .env("ATLAS_SDK_QUERY_URL", system.query.url(""))
        .env("ATLAS_JWT_SECRET", SECRET)
        .stdin(Stdio::null());
    let status = tokio::task::spawn_blocking(move || {
        let ended = tests.status();
        ended.unwrap()
    });
    assert!(status.await.unwrap().success(), "what failed is above");
}
