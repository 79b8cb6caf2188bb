//! What the pages in `docs/` say about files: each path in backticks is there. A part in angle
//! brackets stands for anything, so `decide/<verb>.rs` is there while any file in `decide` is.

use std::collections::BTreeSet;

use super::Fault;

/// What a path from the root of the checkout begins with.
const FOLDERS: &[&str] = &["apps/", "crates/", "docs/", "migrations/", "web/", "xtask/"];
/// Decisions are told as they were when they were taken.
const HISTORY: &str = "docs/adr/";

/// Whether a file is a page whose paths are to be there.
pub(super) fn is_checked(file: &str) -> bool {
    file.starts_with("docs/") && file.ends_with(".md") && !file.starts_with(HISTORY)
}

/// Every path of a page that names nothing among `files`, which are the whole checkout.
pub(super) fn check(page: &str, text: &str, files: &BTreeSet<String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    // What is in backticks may go on in the next line, but not past a paragraph or a block of code.
    let mut in_backticks = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with("```") {
            in_backticks = false;
            continue;
        }
        let mut quoted = Vec::new();
        for (part, text) in line.split('`').enumerate() {
            in_backticks ^= part > 0;
            if in_backticks {
                quoted.push(text);
            }
        }
        let paths = quoted
            .into_iter()
            .filter(|text| FOLDERS.iter().any(|folder| text.starts_with(folder)));
        for path in paths.filter(|path| !exists(path, files)) {
            let problem = format!("{path} is not there: name the file that took its place");
            faults.push(Fault::new(page, index + 1, problem));
        }
    }
    faults
}

/// Whether a path is that of a file or of a folder with files.
fn exists(path: &str, files: &BTreeSet<String>) -> bool {
    let wanted: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    files.iter().any(|file| {
        let mut parts = file.split('/');
        wanted
            .iter()
            .all(|pattern| parts.next().is_some_and(|part| matches(pattern, part)))
    })
}

/// Whether a part of a path is what a pattern such as `<verb>.rs` says.
fn matches(pattern: &str, part: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('<') else {
        return pattern == part;
    };
    let (_, after) = rest.split_once('>').unwrap_or_default();
    let Some(rest) = part.strip_prefix(before) else {
        return false;
    };
    // The bracket stands for one character at least.
    rest.char_indices()
        .skip(1)
        .map(|(index, _)| index)
        .chain([rest.len()])
        .any(|end| end > 0 && rest.get(end..).is_some_and(|rest| matches(after, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let files = [
            "crates/a/src/decide/confirm.rs",
            "crates/a/fixtures/Confirmed-1.0.json",
            "docs/how-to/x.md",
        ];
        let files = files.map(str::to_owned).into();
        let faults = check("docs/how-to/x.md", text, &files);
        faults.iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn a_path_is_a_file_or_a_folder() {
        assert!(
            lines("`crates/a/src/decide/confirm.rs` and `crates/a`, `crates/a/src/`").is_empty()
        );
        assert_eq!(lines("\n`crates/a/src/decide/cancel.rs`"), [2]);
        assert_eq!(
            lines("`crates/a/sr` `crates/a/src/decide/confirm.rs/x`"),
            [1, 1]
        );
    }

    #[test]
    fn a_bracket_stands_for_anything_but_nothing() {
        assert!(lines("`crates/<name>/src/decide/<verb>.rs`").is_empty());
        assert!(lines("`crates/a/fixtures/<Event>-<version>.json`").is_empty());
        assert_eq!(lines("`crates/a/src/decide/confirm<more>.rs`"), [1]);
        assert_eq!(lines("`crates/a/fixtures/<Event>-<version>.toml`"), [1]);
    }

    #[test]
    fn what_is_in_backticks_may_go_on_in_the_next_line() {
        assert_eq!(lines("`cargo\nxtask tidy` `crates/gone`"), [2]);
        assert_eq!(lines("it`s\n\n`crates/gone`"), [3]);
        assert_eq!(lines("```sh\nls\n```\n`crates/gone`"), [4]);
    }

    #[test]
    fn what_is_no_path_from_the_root_is_passed_over() {
        assert!(lines("`decide/cancel.rs`, `cargo xtask tidy`, crates/gone.rs").is_empty());
    }

    #[test]
    fn decisions_of_the_past_are_left_alone() {
        assert!(is_checked("docs/how-to/x.md") && is_checked("docs/architecture.md"));
        assert!(!is_checked("docs/adr/0001-x.md") && !is_checked("crates/a/README.md"));
    }
}
