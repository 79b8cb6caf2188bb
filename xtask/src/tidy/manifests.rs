//! Rules for Cargo.toml files: names, descriptions, and every dependency once, with its reason.

use super::Fault;
use super::packages::Packages;

/// Every package is named as its folder, and says what it is.
pub(super) fn check_packages(packages: &Packages) -> Vec<Fault> {
    let mut faults = Vec::new();
    for package in &packages.ours {
        if package.name != package.folder() {
            let problem = format!("package {} lies in a folder of another name", package.name);
            faults.push(Fault::new(&package.manifest, 0, problem));
        }
        if package.description.trim().is_empty() {
            let problem = "a description of one line is missing";
            faults.push(Fault::new(&package.manifest, 0, problem));
        }
    }
    faults
}

/// In the root, a comment above a dependency or a group of them says why it is there.
pub(super) fn check_root(text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut reason_given = false;
    for line in lines(text).filter(|line| line.section == "workspace.dependencies") {
        if line.text.is_empty() {
            reason_given = false;
        } else if line.text.starts_with('#') {
            reason_given = true;
        } else if !reason_given {
            let problem = "a dependency needs a comment above it that says why it is here";
            faults.push(Fault::new("Cargo.toml", line.number, problem));
        }
    }
    faults
}

/// Elsewhere, dependencies are only named; but not in a workspace of its own, which has no root.
pub(super) fn check_member(file: &str, text: &str) -> Vec<Fault> {
    if text.lines().any(|line| line == "[workspace]") {
        return Vec::new();
    }
    lines(text)
        .filter(|line| line.section.ends_with("dependencies"))
        .filter(|line| !line.text.is_empty() && !line.text.starts_with('#'))
        .filter(|line| !line.text.replace(' ', "").contains("workspace=true"))
        .map(|line| {
            let problem = "a dependency's version belongs to the root: write NAME.workspace = true";
            Fault::new(file, line.number, problem)
        })
        .collect()
}

struct Line<'a> {
    section: &'a str,
    number: usize,
    text: &'a str,
}

/// The lines between the headings of a TOML file.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(index, line)| {
        let line = line.trim();
        if let Some(heading) = line.strip_prefix('[') {
            section = heading.trim_end_matches(']');
            return None;
        }
        Some(Line {
            section,
            number: index + 1,
            text: line,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::packages::tests::workspace_of;
    use super::*;

    #[test]
    fn a_dependency_of_the_root_has_a_reason() {
        let good = "[workspace.dependencies]\n# Ids.\nuuid = \"1\"\n# HTTP.\naxum = \"1\"\ntower = \"1\"\n";
        assert!(check_root(good).is_empty());
        let bad = "[workspace.dependencies]\n# Ids.\nuuid = \"1\"\n\naxum = \"1\"\n[profile.dev]\na = 1\n";
        let faults = check_root(bad);
        assert_eq!(
            faults.iter().map(|fault| fault.line).collect::<Vec<_>>(),
            [5]
        );
    }

    #[test]
    fn a_member_only_names_its_dependencies() {
        let good = "[dependencies]\nuuid.workspace = true\nx = { workspace = true }\n[lints]\nworkspace = true\n";
        assert!(check_member("a/Cargo.toml", good).is_empty());
        let bad = "[dev-dependencies]\nuuid = \"1\"\n";
        assert_eq!(check_member("a/Cargo.toml", bad).len(), 1);
        let apart = format!("[workspace]\n{bad}");
        assert!(check_member("a/Cargo.toml", &apart).is_empty());
    }

    #[test]
    fn a_package_is_named_as_its_folder_and_described() {
        let mut packages = workspace_of("here", &[], &[]);
        assert!(check_packages(&packages).is_empty());
        for package in &mut packages.ours {
            package.name = "there".to_owned();
            package.description = " ".to_owned();
        }
        assert_eq!(check_packages(&packages).len(), 2);
    }
}
