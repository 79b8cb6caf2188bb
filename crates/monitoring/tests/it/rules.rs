//! The rules of Prometheus, tried by its own `promtool`: each alert fires where it should and is
//! silent where it should be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dev_servers::packages::{Need, ensure};
use monitoring::{check_expression, dashboards};

use crate::generated::root;

/// The files of a folder, in order.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

fn texts(folder: &str) -> String {
    let read = |file: &PathBuf| fs::read_to_string(file).unwrap();
    files(folder).iter().map(read).collect()
}

/// Runs promtool, which says what is wrong.
fn promtool(arguments: &[&str], files: &[PathBuf]) {
    ensure(&[Need::Prometheus]).unwrap();
    let output = Command::new("promtool")
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "promtool {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The names after `key:` in these lines.
fn named<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key))
        .map(str::trim)
        .collect()
}

#[test]
fn the_rules_can_be_read() {
    promtool(&["check", "rules"], &files("deploy/prometheus/rules"));
}

#[test]
fn alerts_fire_for_what_they_are_for_and_for_nothing_else() {
    promtool(&["test", "rules"], &files("deploy/prometheus/tests"));
}

#[test]
fn every_alert_is_tried_both_ways() {
    let rules = texts("deploy/prometheus/rules");
    let tests = texts("deploy/prometheus/tests");
    let alerts: BTreeSet<&str> = named(&rules, "alert:").into_iter().collect();
    let (mut fires, mut is_silent) = (BTreeSet::new(), BTreeSet::new());
    for case in tests.split("alertname:").skip(1) {
        let mut lines = case.lines();
        let alert = lines.next().unwrap().trim();
        let rest: Vec<&str> = lines.map(str::trim).take(2).collect();
        let set = match rest.first() {
            Some(&"exp_alerts: []") => &mut is_silent,
            Some(&"exp_alerts:") => &mut fires,
            _ => panic!("{alert}: exp_alerts follows alertname: {rest:?}"),
        };
        set.insert(alert);
    }
    assert_eq!(fires, alerts, "each fires in a test");
    assert_eq!(is_silent, alerts, "each is silent in a test");
}

#[test]
fn every_alert_has_a_severity_and_a_runbook() {
    let rules = texts("deploy/prometheus/rules");
    let runbooks = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let sections: BTreeSet<&str> = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("### Atlas"))
        .collect();
    let mut alerts = BTreeSet::new();
    for rule in rules.split("- alert:").skip(1) {
        let alert = rule.lines().next().unwrap().trim();
        let name = alert.strip_prefix("Atlas").unwrap();
        alerts.insert(name);
        let severities = ["severity: page", "severity: ticket"];
        assert!(severities.iter().any(|it| rule.contains(it)), "{alert}");
        let runbook = format!("runbook: docs/operations.md#{}", alert.to_lowercase());
        assert!(rule.contains(&runbook), "{alert} is to have {runbook}");
    }
    assert_eq!(sections, alerts, "the runbooks are those of the alerts");
}

#[test]
fn the_rules_ask_for_metrics_that_there_are() {
    let rules = texts("deploy/prometheus/rules");
    assert_eq!(check_expression(&rules), Ok(()));
    let recorded: BTreeSet<&str> = named(&rules, "record:").into_iter().collect();
    let is_of_a_name = |it: char| it.is_ascii_alphanumeric() || "_:".contains(it);
    for word in rules.split(|it: char| !is_of_a_name(it)) {
        if word.starts_with("atlas:") {
            assert!(recorded.contains(word), "{word} is not recorded");
        }
    }
}

#[test]
fn every_panel_can_be_read_by_prometheus() {
    let mut rules = "groups:\n- name: panels\n  rules:\n".to_owned();
    let panels = dashboards::ALL.iter().flat_map(|it| it.panels);
    for (number, (expression, _)) in panels.flat_map(|panel| panel.queries).enumerate() {
        rules += &format!("  - record: panel:{number}\n    expr: '{expression}'\n");
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panels.yml");
    fs::write(&file, rules).unwrap();
    promtool(&["check", "rules"], &[file]);
}
