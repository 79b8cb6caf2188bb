//! Every variable that the processes read, or that a deployment sets, is listed in `.env.example`.

use std::collections::BTreeSet;

use super::Fault;

/// Variables of tests and of xtask's own children, which nobody configures a process with.
const NOT_CONFIGURATION: &[&str] = &[
    "ATLAS_BLESS",
    "ATLAS_PAGES_EVENTS",
    "ATLAS_TEST_POSTGRES",
    "ATLAS_TEST_KAFKA",
    "ATLAS_TEST_SEED",
    "ATLAS_TEST_WHOLE",
];
/// Variables of what pages show of clients.
const OF_CLIENTS: &[&str] = &["ATLAS_COMMAND_URL", "ATLAS_QUERY_URL", "ATLAS_TOKEN"];

/// The names in a source file that look like our variables and are not listed.
pub(super) fn check(file: &str, text: &str, listed: &BTreeSet<String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !file.contains("/src/") {
        return faults;
    }
    for (index, line) in text.lines().enumerate() {
        let quoted = line.split('"').skip(1).step_by(2);
        for name in quoted.filter(|text| is_variable(text)) {
            if !is_known(name, listed) {
                let problem = format!("{name} is not listed in .env.example");
                faults.push(Fault::new(file, index + 1, problem));
            }
        }
    }
    faults
}

/// Whether a file says how processes are deployed, or tells people how to.
pub(super) fn tells_how_to_configure(file: &str) -> bool {
    file == "compose.yaml"
        || (file.starts_with("deploy/kubernetes/") && file.ends_with(".yaml"))
        || (file.ends_with(".md") && (file.starts_with("docs/") || !file.contains('/')))
}

/// The names in such a file that look like our variables and are not listed. Whatever is listed is
/// read: a test of `service-runtime` says so.
pub(super) fn check_told(file: &str, text: &str, listed: &BTreeSet<String>) -> Vec<Fault> {
    let is_of_a_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = line.split(|it| !is_of_a_name(it));
        for name in words.filter(|word| is_variable(word) && !is_known(word, listed)) {
            let problem = format!("{name} is not listed in .env.example: nobody reads it");
            faults.push(Fault::new(file, index + 1, problem));
        }
    }
    faults
}

fn is_known(name: &str, listed: &BTreeSet<String>) -> bool {
    listed.contains(name) || NOT_CONFIGURATION.contains(&name) || OF_CLIENTS.contains(&name)
}

/// The variables of `.env.example`, also those that are commented out.
pub(super) fn listed(text: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| line.split_once('='));
    names
        .map(|(name, _)| name.trim_start_matches(['#', ' ']).to_owned())
        .collect()
}

fn is_variable(text: &str) -> bool {
    text.strip_prefix("ATLAS_").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_or_told_of_is_listed() {
        let listed = listed("ATLAS_ONE=1\n");
        let text = "a:\n  ATLAS_ONE: ${ATLAS_ONE:-1}\n  - name: ATLAS_TWO\n";
        let faults = check_told("compose.yaml", text, &listed);
        assert_eq!(
            faults.iter().map(|fault| fault.line).collect::<Vec<_>>(),
            [3]
        );
        let text = "Set `ATLAS_TOKEN` and `ATLAS_GONE`.\n";
        assert_eq!(check_told("docs/a.md", text, &listed).len(), 1);
        for file in [
            "deploy/kubernetes/base/route.yaml",
            "docs/how-to/a.md",
            "README.md",
        ] {
            assert!(tells_how_to_configure(file), "{file}");
        }
        for file in ["deploy/prometheus/rules/pages.yml", "web/sdk/README.md"] {
            assert!(!tells_how_to_configure(file), "{file}");
        }
    }

    #[test]
    fn a_variable_that_is_not_listed_is_found() {
        let listed = listed("# Text.\nATLAS_ONE=1\n# ATLAS_TWO=2\n");
        let text = "let a = (\"ATLAS_ONE\", \"ATLAS_TWO\");\nlet b = \"ATLAS_THREE\";\n\
                    let c = \"ATLAS_ in a sentence\"; // ATLAS_FOUR\n";
        let faults = check("a/src/lib.rs", text, &listed);
        assert_eq!(
            faults.iter().map(|fault| fault.line).collect::<Vec<_>>(),
            [2]
        );
    }
}
