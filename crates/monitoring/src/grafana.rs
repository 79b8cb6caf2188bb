//! Dashboards in Grafana's JSON.

use serde_json::{Value, json};

use crate::dashboards::{Dashboard, Panel};

/// How many panels lie side by side; Grafana's grid has 24 columns.
const ABREAST: usize = 2;
const WIDTH: usize = 24 / ABREAST;
const HEIGHT: usize = 8;

/// The dashboard as Grafana provisions it, with a line break at its end.
#[must_use]
pub fn dashboard_json(dashboard: &Dashboard) -> String {
    let panels: Vec<Value> = dashboard.panels.iter().enumerate().map(panel).collect();
    let document = json!({
        "uid": format!("atlas-{}", dashboard.file),
        "title": dashboard.title,
        "tags": ["artisan-atlas"],
        "timezone": "utc",
        "editable": false,
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
        }]},
        "panels": panels,
    });
    format!("{document:#}\n")
}

fn panel((index, panel): (usize, &Panel)) -> Value {
    let targets: Vec<Value> = panel
        .queries
        .iter()
        .zip('A'..='Z')
        .map(|((expression, legend), name)| {
            json!({
                "refId": name.to_string(),
                "expr": expression,
                "legendFormat": legend,
            })
        })
        .collect();
    json!({
        "id": index + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.what,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {
            "defaults": {"unit": panel.unit.as_str(), "min": 0},
            "overrides": [],
        },
        "gridPos": {
            "h": HEIGHT,
            "w": WIDTH,
            "x": index % ABREAST * WIDTH,
            "y": index / ABREAST * HEIGHT,
        },
        "targets": targets,
    })
}
