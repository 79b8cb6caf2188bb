//! What a process measures of itself, as Prometheus would read it.

use crate::system::App;

/// The sum of a metric over all its series; none where there is no series.
pub(crate) async fn sum(app: &App, metric: &str) -> Option<f64> {
    let answer = reqwest::get(app.url("/metrics")).await.ok()?;
    let text = answer.text().await.ok()?;
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let name = series.split('{').next()?;
        (name == metric).then(|| value.parse::<f64>().unwrap())
    });
    values.reduce(|one, other| one + other)
}
