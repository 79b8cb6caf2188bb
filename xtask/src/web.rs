//! `web`: the pages as files for the binary of the query API, and the types of the SDK from the two
//! OpenAPI documents.

use std::fs;
use std::path::Path;

use clap::Args;
use sha2::{Digest, Sha256};

use crate::command::{self, step};
use crate::failure::{self, Failure};
use crate::node::{self, Node};
use crate::tidy;
use crate::workspace;

/// The pages, by the folder of each under `web/` and under the address that serves them.
const PAGES: [&str; 2] = ["market", "console"];
/// Where the query API takes them from.
const BUILT: &str = "apps/query-api/pages";
/// What is shown in the pages and lies elsewhere.
const SHOWN: [&str; 1] = ["docs/sql/policy-diff.sql"];
/// What the pages were built from, in the folder where they were built.
const FINGERPRINT: &str = ".built-from";

/// What to do beside building.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Writes the types of the SDK from the OpenAPI documents, and builds nothing.
    #[arg(long, conflicts_with = "check")]
    generate: bool,
    /// Checks types, and that those of the SDK are fresh, and builds nothing.
    #[arg(long)]
    check: bool,
}

/// Builds the pages, generates or checks.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let node = install()?;
    if options.generate {
        return generate(&node, &[]);
    }
    if options.check {
        return check(&node);
    }
    step("build pages", "half a minute", || build(&node))
}

/// Builds the pages unless they are there, built from what there is now. A machine without a way to
/// the registries gets a system without pages, and is told so.
pub(crate) fn build_where_possible() {
    if let Err(failure) = build_if_stale(install) {
        let why = failure::chain(&failure);
        eprintln!("the pages were not built ({why}); everything else is there");
    }
}

/// Builds the pages for their tests, and installs what those run with.
pub(crate) fn build_for_tests() -> Result<(), Failure> {
    let node = install()?;
    build_if_stale(|| Ok(node))
}

fn build_if_stale(node: impl FnOnce() -> Result<Node, Failure>) -> Result<(), Failure> {
    let wanted = fingerprint()?;
    let built = workspace::root().join(BUILT).join(FINGERPRINT);
    if fs::read_to_string(built).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    let node = node()?;
    step("build pages", "half a minute", || build(&node))
}

/// Node and the packages, installed where they are missing.
pub(crate) fn install() -> Result<Node, Failure> {
    let node = Node::install()?;
    step("install npm packages", "what the lock file names", || {
        node.install_packages()
    })?;
    Ok(node)
}

/// Types everywhere, and the SDK's generated ones as the documents have them.
pub(crate) fn check(node: &Node) -> Result<(), Failure> {
    generate(node, &["--check"])?;
    let mut compiler = node.program("typescript/bin/tsc");
    compiler.args(["--project", "tsconfig.json"]);
    command::run(compiler)?;
    for page in PAGES {
        prepare(node, page)?;
        let mut svelte = node.program("svelte-check/bin/svelte-check");
        svelte.current_dir(node::web().join(page)).args([
            "--fail-on-warnings",
            "--output",
            "human",
        ]);
        command::run(svelte)?;
    }
    Ok(())
}

fn generate(node: &Node, arguments: &[&str]) -> Result<(), Failure> {
    let mut generate = node.command();
    generate.arg("sdk/generate.ts").args(arguments);
    command::run(generate)
}

fn build(node: &Node) -> Result<(), Failure> {
    let fingerprint = fingerprint()?;
    let built = workspace::root().join(BUILT);
    let mark = built.join(FINGERPRINT);
    let _ = fs::remove_file(&mark);
    for page in PAGES {
        let mut vite = node.program("vite/bin/vite.js");
        vite.current_dir(node::web().join(page))
            .args(["build", "--logLevel", "warn"]);
        command::run(vite)?;
    }
    fs::write(&mark, fingerprint).map_err(Failure::file(&mark))
}

/// What SvelteKit writes before types can be checked.
fn prepare(node: &Node, page: &str) -> Result<(), Failure> {
    let mut kit = node.program("@sveltejs/kit/svelte-kit.js");
    kit.current_dir(node::web().join(page)).arg("sync");
    command::run(kit)
}

/// A digest of every file that the pages are built from.
fn fingerprint() -> Result<String, Failure> {
    let mut digest = Sha256::new();
    let shown = SHOWN.iter().map(|file| workspace::root().join(file));
    for file in tidy::files(&node::web())?.into_iter().chain(shown) {
        let name = file.strip_prefix(node::web()).unwrap_or(&file);
        if is_of_tests(name) {
            continue;
        }
        let bytes = fs::read(&file).map_err(Failure::file(&file))?;
        digest.update(name.to_string_lossy().as_bytes());
        digest.update([0]);
        digest.update(bytes.len().to_be_bytes());
        digest.update(&bytes);
    }
    let hexadecimal = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(hexadecimal)
}

fn is_of_tests(name: &Path) -> bool {
    name.iter().any(|part| part == "test")
}
