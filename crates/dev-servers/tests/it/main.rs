//! Real servers and processes of this machine.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, in its helpers too"
)]

mod kafka;
mod postgres;
mod process;
mod redis;

use std::path::PathBuf;

use dev_servers::{reachable_folder, scratch_folder};

/// A folder for one test's server, which removes it.
fn scratch() -> PathBuf {
    scratch_folder(&reachable_folder(&workspace().join("target/atlas/tests")))
}

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
