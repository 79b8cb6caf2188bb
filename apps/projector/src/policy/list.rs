//! `projector policy list`: the policies of this release, and which one is in force.

use bonus_domain::Policies;
use bonus_store::activations;
use serde::Serialize;
use service_runtime::DatabaseConfig;

use crate::session::{Failure, Output, Row, Session, instant};

/// More activations than this are not looked at.
const ACTIVATIONS: i64 = 1_000;

/// A policy of this release.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    version: u16,
    /// `inForce`, `replaced` or `draft`.
    state: &'static str,
    activated_at: Option<String>,
    operator: Option<String>,
    hash: String,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] =
        &["VERSION", "STATE", "ACTIVATED AT", "OPERATOR", "HASH"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.to_string(),
            self.state.to_owned(),
            self.activated_at.clone().unwrap_or_default(),
            self.operator.clone().unwrap_or_default(),
            self.hash.clone(),
        ]
    }
}

/// Shows them.
pub(super) async fn list(session: Session<DatabaseConfig>, output: Output) -> Result<(), Failure> {
    let pool = session.pool(&session.config, 1);
    let activations = activations(&mut *pool.acquire().await?, ACTIVATIONS).await?;
    let lines: Vec<Line> = Policies::compiled()
        .iter()
        .map(|policy| {
            let last = activations.iter().find(|it| it.version == policy.version());
            Line {
                version: policy.version().get(),
                state: match last {
                    None => "draft",
                    Some(last) if last.replaced_at.is_none() => "inForce",
                    Some(_) => "replaced",
                },
                activated_at: last.map(|it| instant(it.activated_at)),
                operator: last.and_then(|it| Some(it.operator?.to_string())),
                hash: policy.hash().to_string(),
            }
        })
        .collect();
    let unknown = activations.first().filter(|first| {
        first.replaced_at.is_none() && Policies::compiled().get(first.version).is_none()
    });
    output.rows("policies", &lines)?;
    if let Some(unknown) = unknown {
        eprintln!(
            "policy {} is in force, and this release does not know it",
            unknown.version
        );
    }
    Ok(())
}
