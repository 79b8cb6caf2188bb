//! Reads `fixtures/`: the payload of every version of every event that was ever stored, one file
//! `<kind>/<event>-<version>.json` each. A file is written once and never changed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(kind)
}

fn read_file(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The payload of one version.
pub(crate) fn read(kind: &str, event_type: &str, version: &str) -> Value {
    read_file(&folder(kind).join(format!("{event_type}-{version}.json")))
}

/// Every version of every event: name, version, payload.
pub(crate) fn all(kind: &str) -> Vec<(String, String, Value)> {
    let files = fs::read_dir(folder(kind)).unwrap();
    files
        .map(|file| {
            let path = file.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let (event_type, version) = stem.split_once('-').unwrap();
            (event_type.to_owned(), version.to_owned(), read_file(&path))
        })
        .collect()
}
