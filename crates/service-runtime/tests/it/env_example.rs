//! `.env.example` lists nothing that nobody reads. That everything read is listed, with its
//! default, is for each process to test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn every_variable_that_is_listed_is_read() {
    let text = fs::read_to_string(Path::new(ROOT).join(".env.example")).unwrap();
    let listed: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('='))
        .map(|(name, _)| name)
        .filter(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect();
    assert!(listed.len() > 15, "{listed:?}");
    let mut sources = String::new();
    for folder in ["apps", "crates", "xtask"] {
        collect(&Path::new(ROOT).join(folder), &mut sources);
    }
    let unread: Vec<_> = listed
        .iter()
        .filter(|name| !sources.contains(&format!("\"{name}\"")))
        .collect();
    assert!(unread.is_empty(), "nobody reads {unread:?}");
}

/// All that is built into our programs.
fn collect(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                collect(&path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
