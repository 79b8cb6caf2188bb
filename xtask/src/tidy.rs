//! `tidy`: the rules of the house that neither compiler nor clippy knows. Each rule is a function
//! from text or from cargo's own description of the workspace to faults.

mod fixtures;
mod imports;
mod manifests;
mod packages;
mod pages;
mod sources;
mod variables;
mod web_packages;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::workspace;

pub(crate) use packages::Packages;

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    /// The file, from the root of the checkout.
    file: String,
    /// Its line, from 1; 0 where the whole file is meant.
    line: usize,
    /// The rule, and what to do.
    problem: String,
}

impl Fault {
    fn new(file: &str, line: usize, problem: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.problem),
            line => write!(f, "{}:{line}: {}", self.file, self.problem),
        }
    }
}

/// Prints every fault on standard error.
pub(crate) fn run() -> Result<(), Failure> {
    let packages = Packages::load()?;
    let mut faults = imports::check(&packages);
    faults.extend(manifests::check_packages(&packages));
    let variables = variables::listed(&read(&workspace::root().join(".env.example"))?);
    let files = files(workspace::root())?;
    let names: BTreeSet<String> = files.iter().map(|file| relative(file)).collect();
    for file in files {
        let name = relative(&file);
        if name.ends_with(".rs") {
            let text = read(&file)?;
            faults.extend(sources::check(&name, &text));
            faults.extend(variables::check(&name, &text, &variables));
        } else if variables::tells_how_to_configure(&name) {
            faults.extend(variables::check_told(&name, &read(&file)?, &variables));
        } else if name == "Cargo.toml" {
            faults.extend(manifests::check_root(&read(&file)?));
        } else if name.ends_with("/Cargo.toml") {
            faults.extend(manifests::check_member(&name, &read(&file)?));
        } else if web_packages::is_checked(&name) {
            faults.extend(web_packages::check(&name, &read(&file)?));
        } else if fixtures::is_list(&name) {
            faults.extend(fixtures::check(&file)?);
        } else if pages::is_checked(&name) {
            faults.extend(pages::check(&name, &read(&file)?, &names));
        }
    }
    faults.extend(sources::check_kernel(&kernel_files()?));
    faults.sort();
    for fault in &faults {
        eprintln!("{fault}");
    }
    match faults.len() {
        0 => Ok(()),
        count => Err(Failure::Untidy(count)),
    }
}

/// Every file of the checkout, but for what is built, hidden or fetched.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let fetched = path == workspace::root().join("target") || name == "node_modules";
            if name.starts_with('.') || fetched {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn kernel_files() -> Result<Vec<String>, Failure> {
    let folder = workspace::root().join("crates/kernel/src");
    let files = files(&folder)?;
    Ok(files.iter().map(|file| relative(file)).collect())
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(Failure::file(file))
}

fn relative(file: &Path) -> String {
    let path = file.strip_prefix(workspace::root()).unwrap_or(file);
    path.to_string_lossy().into_owned()
}
