//! `projector rebuild back MODEL`: the version before is served again.

use std::time::Duration;

use event_store::acts::ActKind;
use projections::Model;
use serde_json::json;

use crate::acting::{Acting, Tells};
use crate::rebuild::{RebuildConfig, Teller, failure, rebuilder};
use crate::session::{ActOptions, Failure, Session};

/// Says what it will do, asks, and does it.
pub(crate) async fn rebuild_back(
    session: Session<RebuildConfig>,
    model: Model,
    act: ActOptions,
) -> Result<(), Failure> {
    let terminal = act.terminal(None);
    let acting = session.acting(&session.config.database, 4, &act, &terminal);
    carry_out(&acting, session.config.lease, model).await
}

/// Serves the version before, in one transaction with the fact of it.
pub(crate) async fn carry_out(
    acting: &Acting<'_>,
    lease: Duration,
    model: Model,
) -> Result<(), Failure> {
    let Acting {
        pool,
        connect,
        by,
        stop,
        tells,
    } = acting;
    if let Some(before) = acting.done_before(ActKind::Back).await? {
        let version = |member| before.text(member).unwrap_or_default();
        return told_end(*tells, version("from"), version("to"));
    }
    tells.say(&format!(
        "the version of {model} that was served before is served again; the one that is served now \
         is kept"
    ));
    tells.agreed("Go back?")?;
    let mut teller = Teller::new(*tells);
    let (from, to) = rebuilder(pool, connect, lease)
        .back(model, &by.authority(), stop, &mut |told| teller.tell(told))
        .await
        .map_err(failure)?;
    told_end(*tells, &from.to_string(), &to.to_string())
}

fn told_end(tells: &dyn Tells, from: &str, to: &str) -> Result<(), Failure> {
    tells.say(&format!("{to} is served, and {from} is kept"));
    tells.found(&json!({ "from": from, "to": to }), "")
}
