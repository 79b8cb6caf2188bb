//! What is generated is what stands in the checkout: `ATLAS_BLESS=1` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use monitoring::{catalogue, check_expression, dashboard_json, dashboards, faults, metrics_page};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_page_of_metrics_is_the_catalogue() {
    same("docs/metrics.md", &metrics_page());
}

#[test]
fn the_dashboards_are_those_of_the_code() {
    let folder = root().join("deploy/grafana/dashboards");
    let mut files = BTreeSet::new();
    for dashboard in &dashboards::ALL {
        let file = format!("{}.json", dashboard.file);
        same(
            &format!("deploy/grafana/dashboards/{file}"),
            &dashboard_json(dashboard),
        );
        files.insert(file);
    }
    let there: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, files);
}

#[test]
fn every_panel_asks_for_metrics_that_there_are() {
    for dashboard in &dashboards::ALL {
        for panel in dashboard.panels {
            for (expression, _) in panel.queries {
                let checked = check_expression(expression);
                assert_eq!(checked, Ok(()), "{}: {}", dashboard.title, panel.title);
            }
        }
    }
}

#[test]
fn every_metric_is_on_a_dashboard() {
    let shown: Vec<&str> = dashboards::ALL
        .iter()
        .flat_map(|dashboard| dashboard.panels)
        .flat_map(|panel| panel.queries)
        .map(|(expression, _)| *expression)
        .collect();
    for part in catalogue() {
        for instrument in part.instruments {
            let name = instrument.name();
            let is_shown = shown.iter().any(|expression| expression.contains(name));
            assert!(is_shown, "{name} is on no dashboard");
        }
    }
}

#[test]
fn names_are_told_apart_and_say_what_they_count() {
    let mut names = BTreeSet::new();
    for part in catalogue() {
        for instrument in part.instruments {
            let name = instrument.name();
            assert!(names.insert(name), "{name} is there twice");
            assert!(name.starts_with("atlas_"), "{name}");
            let kind = instrument.kind();
            let counts = kind == instruments::Kind::Counter;
            assert_eq!(name.ends_with("_total"), counts, "{name}");
            let help = instrument.help();
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }
}

#[test]
fn the_matrix_of_faults_stands_in_its_page() {
    let rules = ["pages", "tickets"].map(|name| {
        let file = root().join(format!("deploy/prometheus/rules/{name}.yml"));
        fs::read_to_string(file).unwrap()
    });
    let alerts = rules.iter().flat_map(|rules| rules.lines());
    let alerts: BTreeSet<&str> = alerts
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    for fault in &faults::ALL {
        for alert in fault.raises.iter().chain(fault.may_raise) {
            assert!(alerts.contains(alert), "{}: no alert {alert}", fault.what);
        }
        assert!(!fault.raises.is_empty(), "{}", fault.what);
    }
    let alerts: Vec<&str> = alerts.into_iter().collect();
    let file = "docs/failure-modes.md";
    let page = fs::read_to_string(root().join(file)).unwrap();
    same(
        file,
        &faults::in_page(&page, &faults::matrix(&alerts)).unwrap(),
    );
}

/// Compares a file with what it has to be, or writes it.
fn same(file: &str, text: &str) {
    let path = root().join(file);
    #[expect(
        clippy::disallowed_methods,
        reason = "ATLAS_BLESS is for whoever runs the tests"
    )]
    if std::env::var_os("ATLAS_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{file} is not what the code says: run this test with ATLAS_BLESS=1"
    );
}
