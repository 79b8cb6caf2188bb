//! Rules for Rust files: what they open with, how long they are, what they are called, and what
//! tests must not do.

use super::Fault;

const MOST_LINES: usize = 600;
const NAMES_THAT_SAY_NOTHING: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "misc", "shared", "manager", "base", "service",
    "services",
];
/// Only the files of the kernel that there were when it was frozen.
const KERNEL: &[&str] = &["actor.rs", "clock.rs", "ids.rs", "lib.rs", "metadata.rs"];
/// The file of an aggregate that is cqrs-es's view of it.
const ADAPTER: &str = "aggregate.rs";

/// Every fault of one file.
pub(super) fn check(file: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let first = text.lines().find(|line| !line.trim().is_empty());
    if !first.is_some_and(|line| line.starts_with("//!")) {
        faults.push(Fault::new(
            file,
            1,
            "a file opens with //! and what lives in it",
        ));
    }
    if file.ends_with("/mod.rs") {
        faults.push(Fault::new(file, 0, "a module is x.rs beside its folder x"));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        let problem = format!("{lines} lines are more than {MOST_LINES}: split it by subject");
        faults.push(Fault::new(file, 0, problem));
    }
    let parts = file.split('/').map(|part| part.trim_end_matches(".rs"));
    for part in parts.filter(|part| NAMES_THAT_SAY_NOTHING.contains(part)) {
        let problem = format!("{part} says nothing: name the file for what it does");
        faults.push(Fault::new(file, 0, problem));
    }
    faults.extend(check_lines(file, text));
    faults
}

fn check_lines(file: &str, text: &str) -> Vec<Fault> {
    // Written so that this file does not break its own rules.
    let ignored = concat!("#[", "ignore");
    let sleep = concat!("sleep", "(");
    let in_domain =
        file.starts_with("crates/order-domain/src") || file.starts_with("crates/bonus-domain/src");
    let may_adapt = !in_domain || file.ends_with(ADAPTER);

    let mut faults = Vec::new();
    let mut in_test = is_all_test(file, text);
    let mut paused = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let mut fault = |problem: &str| faults.push(Fault::new(file, index + 1, problem));
        in_test |= line.starts_with("#[cfg(test)]");
        if line.starts_with("#[tokio::test") {
            // Where tokio's clock stands still, sleeping is how a test moves it.
            paused = line.contains("start_paused = true");
        }
        if line.starts_with(ignored) {
            fault("a test that does not run proves nothing: run it, or move it to soak");
        }
        if in_test && !paused && line.contains(sleep) {
            fault("a test waits for a state with a bound (test_support::eventually)");
        }
        if !may_adapt && !in_test && line.contains("cqrs_es::") {
            fault("cqrs-es stays in the adapter, aggregate.rs");
        }
    }
    faults
}

/// Whether a file is part of an integration test, or a module of tests that its parent declares so.
fn is_all_test(file: &str, text: &str) -> bool {
    let has = |wanted: &str| text.lines().any(|line| line.trim().starts_with(wanted));
    let has_tests = has("#[test]") || has("#[tokio::test") || has("proptest!");
    file.contains("/tests/") || (has_tests && !has("#[cfg(test)]"))
}

/// Whatever the kernel has beside its frozen files.
pub(super) fn check_kernel(files: &[String]) -> Vec<Fault> {
    files
        .iter()
        .filter(|file| {
            let name = file.strip_prefix("crates/kernel/src/").unwrap_or(file);
            !KERNEL.contains(&name)
        })
        .map(|file| {
            let problem = "the kernel's list of files is frozen: this belongs to another crate";
            Fault::new(file, 0, problem)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str, text: &str) -> Vec<usize> {
        check(file, text).iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn takes_a_tidy_file() {
        let text = "//! What it is.\n\nfn main() {}\n";
        assert!(check("crates/order-domain/src/order/place.rs", text).is_empty());
    }

    #[test]
    fn a_file_says_what_it_is() {
        assert_eq!(lines("a/src/lib.rs", "use std::io;\n//! Late.\n"), [1]);
        assert_eq!(lines("a/src/lib.rs", ""), [1]);
    }

    #[test]
    fn a_file_is_short_and_has_a_name() {
        let long = "//! Long.\n".repeat(MOST_LINES + 1);
        assert_eq!(lines("a/src/lib.rs", &long), [0]);
        assert_eq!(lines("a/src/util/x.rs", "//! x\n"), [0]);
        assert_eq!(lines("a/src/helpers.rs", "//! x\n"), [0]);
        assert!(lines("a/src/service_runtime.rs", "//! x\n").is_empty());
    }

    #[test]
    fn a_module_has_one_form() {
        assert_eq!(lines("a/src/x/mod.rs", "//! x\n"), [0]);
        assert!(lines("a/src/x.rs", "//! x\n").is_empty());
    }

    #[test]
    fn tests_neither_sleep_nor_stay_away() {
        let sleep = format!("thread::{}1)", concat!("sleep", "("));
        let production = format!("//! x\n{sleep}\n");
        assert!(lines("a/src/lib.rs", &production).is_empty());
        assert_eq!(lines("a/tests/it/main.rs", &production), [2]);
        let unit = format!("//! x\n#[cfg(test)]\nmod tests {{\n{sleep}\n}}\n");
        assert_eq!(lines("a/src/lib.rs", &unit), [4]);
        let module = format!("//! x\n#[test]\nfn a() {{\n{sleep}\n}}\n");
        assert_eq!(lines("a/src/properties.rs", &module), [4]);
        let paused = format!("//! x\n#[tokio::test(start_paused = true)]\n{sleep}\n");
        assert!(lines("a/tests/it/main.rs", &paused).is_empty());
        let ignored = format!("//! x\n    {}]\n", concat!("#[", "ignore"));
        assert_eq!(lines("a/tests/it/main.rs", &ignored), [2]);
    }

    #[test]
    fn only_the_adapter_knows_cqrs_es() {
        let text = "//! x\nuse cqrs_es::Aggregate;\n";
        let tests = "//! x\nuse cqrs_es::test::TestFramework;\n#[test]\nfn a() {}\n";
        assert!(lines("crates/order-domain/src/order/properties.rs", tests).is_empty());
        assert_eq!(lines("crates/order-domain/src/order/decide.rs", text), [2]);
        assert!(lines("crates/order-domain/src/order/aggregate.rs", text).is_empty());
        assert!(lines("crates/event-store/tests/it/stock.rs", text).is_empty());
    }

    #[test]
    fn the_kernel_is_frozen() {
        let files = ["crates/kernel/src/ids.rs", "crates/kernel/src/money.rs"];
        let faults = check_kernel(&files.map(str::to_owned));
        assert_eq!(faults.len(), 1);
        assert!(faults.iter().all(|fault| fault.file.ends_with("money.rs")));
    }
}
