//! `.sqlx`, the record of every checked query, from which they are checked where there is no
//! database: made, and compared with what the code says now.
//!
//! sqlx's macros write a file for each query that they check against a database. Cargo does not
//! know that, so the crates with queries are made to look changed before they are checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use dev_servers::Port;

use crate::command;
use crate::database;
use crate::failure::Failure;
use crate::tidy::Packages;
use crate::workspace;

/// The schemas of the first version of each read model, quoted for a URL.
const READ_MODELS: &str = "%22orders%401%22%2C%22workshops%401%22%2C%22bonus%401%22";

/// Writes `.sqlx` anew.
pub(crate) fn prepare() -> Result<(), Failure> {
    let fresh = collect("check", &[])?;
    let folder = workspace::root().join(".sqlx");
    let committed = read(&folder)?;
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        let file = folder.join(name);
        fs::remove_file(&file).map_err(Failure::file(&file))?;
    }
    for (name, text) in &fresh {
        let file = folder.join(name);
        fs::write(&file, text).map_err(Failure::file(&file))?;
    }
    eprintln!(".sqlx has {} queries", fresh.len());
    Ok(())
}

/// Compares `.sqlx` with the queries that a pass of cargo over the workspace meets. The pass is
/// named so that one that is needed anyway serves for this too.
pub(crate) fn check(pass: &str, arguments: &[&str]) -> Result<(), Failure> {
    let fresh = collect(pass, arguments)?;
    let committed = read(&workspace::root().join(".sqlx"))?;
    let differences = differences(&committed, &fresh);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::StaleQueries(differences))
}

/// What the macros record while cargo passes over all targets against a database of its own.
fn collect(pass: &str, arguments: &[&str]) -> Result<BTreeMap<String, String>, Failure> {
    let postgres = database::start_with_schema(Port::Free)?;
    let folder = workspace::make_state()?.join("sqlx");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::file(&folder))?;
    }
    fs::create_dir(&folder).map_err(Failure::file(&folder))?;
    let mut touch = Command::new("touch");
    touch.args(Packages::load()?.roots_with_queries());
    command::run(touch)?;

    // Statements name the tables of read models without a schema.
    let url = postgres.url("atlas_owner", database::NAME);
    let url = format!("{url}?options=-c%20search_path%3D{READ_MODELS}");
    let mut cargo = command::cargo();
    cargo
        .args([pass, "--workspace", "--all-targets"])
        .args(arguments)
        .env("DATABASE_URL", url)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &folder);
    command::run(cargo)?;
    read(&folder)
}

/// The files of a folder by name; none where there is no folder.
fn read(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(files);
    };
    let paths = entries.flatten().map(|entry| entry.path());
    for path in paths.filter(|path| path.is_file()) {
        let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
        files.insert(name(&path), text);
    }
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn differences(
    committed: &BTreeMap<String, String>,
    fresh: &BTreeMap<String, String>,
) -> Vec<String> {
    let missing = fresh
        .iter()
        .filter_map(|(name, text)| match committed.get(name) {
            Some(same) if same == text => None,
            Some(_) => Some(format!("{name} has changed")),
            None => Some(format!("{name} is missing")),
        });
    let left_over = committed
        .keys()
        .filter(|name| !fresh.contains_key(*name))
        .map(|name| format!("{name} belongs to no query"));
    missing.chain(left_over).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn tells_every_difference() {
        let committed = files(&[("same", "1"), ("other", "1"), ("old", "1")]);
        let fresh = files(&[("same", "1"), ("other", "2"), ("new", "1")]);
        let told = differences(&committed, &fresh);
        assert_eq!(
            told,
            [
                "new is missing",
                "other has changed",
                "old belongs to no query"
            ]
        );
        assert!(differences(&fresh, &fresh).is_empty());
    }
}
