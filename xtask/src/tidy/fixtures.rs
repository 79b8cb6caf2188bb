//! What was once stored is never changed: every file of `fixtures/` is what `SHA256SUMS` beside it says,
//! and is named there.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Fault, files, read, relative};
use crate::failure::Failure;

const SUMS: &str = "SHA256SUMS";

/// Whether the file is such a list.
pub(super) fn is_list(file: &str) -> bool {
    file.ends_with(&format!("/fixtures/{SUMS}"))
}

/// What of the folder of the list is not what it says.
pub(super) fn check(list: &Path) -> Result<Vec<Fault>, Failure> {
    let Some(folder) = list.parent() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for file in files(folder)? {
        if file != list {
            let bytes = fs::read(&file).map_err(Failure::file(&file))?;
            let name = file.strip_prefix(folder).unwrap_or(&file);
            let digest = Sha256::digest(&bytes);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            found.push((name.to_string_lossy().into_owned(), digest));
        }
    }
    Ok(compare(&relative(list), &read(list)?, &found))
}

/// Compares what a list says with the digests that there are, by file.
fn compare(list: &str, text: &str, found: &[(String, String)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let said: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once("  "))
        .collect();
    for (name, digest) in found {
        let problem = match said.iter().find(|(_, said)| said == name) {
            Some((said, _)) if said == digest => continue,
            Some(_) => format!("{name} was stored as it was, and is not to be changed"),
            None => format!("{name} is not listed: add its line (sha256sum)"),
        };
        faults.push(Fault::new(list, 0, problem));
    }
    for (line, (_, name)) in said.iter().enumerate() {
        if !found.iter().any(|(found, _)| found == name) {
            let problem = format!("{name} is gone: it is still stored somewhere");
            faults.push(Fault::new(list, line + 1, problem));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_gone_or_not_listed_is_told() {
        let found = |files: &[(&str, &str)]| -> Vec<(String, String)> {
            let files = files.iter();
            files
                .map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned()))
                .collect()
        };
        let text = "aa  a.json\nbb  order/b.json\n";
        let problems = |files: &[(&str, &str)]| -> Vec<String> {
            let faults = compare("x/fixtures/SHA256SUMS", text, &found(files));
            faults.into_iter().map(|fault| fault.problem).collect()
        };
        let whole = [("a.json", "aa"), ("order/b.json", "bb")];
        assert_eq!(problems(&whole), [""; 0]);
        assert_eq!(
            problems(&[("a.json", "ab"), ("c.json", "cc")]),
            [
                "a.json was stored as it was, and is not to be changed",
                "c.json is not listed: add its line (sha256sum)",
                "order/b.json is gone: it is still stored somewhere",
            ]
        );
    }
}
