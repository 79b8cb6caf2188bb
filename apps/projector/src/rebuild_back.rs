//! `projector rebuild back MODEL`: the version before is served again.

use projections::Model;

use crate::rebuild::{RebuildConfig, Teller, failure};
use crate::session::{ActOptions, Failure, Session};

/// Says what it will do, asks, and does it.
pub(crate) async fn rebuild_back(
    session: Session<RebuildConfig>,
    model: Model,
    act: ActOptions,
) -> Result<(), Failure> {
    eprintln!(
        "the version of {model} that was served before is served again; the one that is served now \
         is kept"
    );
    act.agreed("Go back?")?;
    let mut teller = Teller::default();
    let (from, to) = session
        .rebuilder()
        .back(model, &act.authority(), &session.stop, &mut |told| {
            teller.tell(told);
        })
        .await
        .map_err(failure)?;
    teller.end();
    eprintln!("{to} is served, and {from} is kept");
    Ok(())
}
