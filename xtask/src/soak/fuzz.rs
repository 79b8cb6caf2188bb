//! Fuzz targets, run by cargo-fuzz for so long each.
//!
//! They are built by the compiler of everything else: libFuzzer's instrumentation is stable, and
//! only the sanitizers are not, of which code without `unsafe` has little.

use std::fs;
use std::path::Path;
use std::process::Command;

use dev_servers::packages::{self, Need};

use super::install;
use crate::command;
use crate::failure::Failure;
use crate::workspace;

const CARGO_FUZZ: &str = "0.13.2";
/// The longest input, in bytes; longer ones are slower and bring nothing new.
const LONGEST: u32 = 4096;
/// How many seconds one input may take.
const PATIENCE: u32 = 10;

/// Runs each target, and stops at the first that finds something; what it found lies in
/// `fuzz/artifacts` then.
pub(super) fn run(seconds: u32) -> Result<(), Failure> {
    packages::ensure(&[Need::Compilers])?;
    let program = install("cargo-fuzz", CARGO_FUZZ)?;
    let folder = workspace::root().join("fuzz");
    take_versions_over(&folder)?;
    let corpora = workspace::make_state()?.join("corpora");
    let tool = |subcommand: &str| {
        let mut tool = Command::new(&program);
        tool.current_dir(&folder)
            .args([subcommand, "--fuzz-dir", "."]);
        tool
    };
    let listed = command::output(tool("list"))?;
    for target in String::from_utf8_lossy(&listed).lines() {
        let corpus = corpora.join(target);
        fs::create_dir_all(&corpus).map_err(Failure::file(&corpus))?;
        let mut run = tool("run");
        run.args(["--sanitizer", "none", "--codegen-units", "16"])
            .arg("--target-dir")
            .arg(workspace::root().join("target/fuzz"))
            .arg(target)
            .arg(&corpus)
            .arg(Path::new("seeds").join(target))
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-timeout={PATIENCE}"))
            .env("SQLX_OFFLINE", "true");
        command::run(run)?;
    }
    Ok(())
}

/// The targets are built with the versions that the workspace is built with.
fn take_versions_over(folder: &Path) -> Result<(), Failure> {
    let lock = folder.join("Cargo.lock");
    fs::copy(workspace::root().join("Cargo.lock"), &lock)
        .map(drop)
        .map_err(Failure::file(&lock))
}
