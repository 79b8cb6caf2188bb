//! `projector policy activate`: puts a policy in force, as an operator's act.

use bonus_domain::PolicyVersion;
use bonus_store::{ActivateError, ConflictMode, Queue, queue_under};
use event_store::acts::{self, ActKind};
use serde_json::json;

use super::{PolicyConfig, checked, compiled};
use crate::session::{ActOptions, Failure, Session};

/// Says who will be recomputed, asks unless told not to, and puts it in force.
pub(super) async fn activate(
    session: Session<PolicyConfig>,
    version: PolicyVersion,
    act: ActOptions,
) -> Result<(), Failure> {
    let policy = compiled(version)?;
    let pool = session.pool(&session.config.database, 1);
    checked(&pool).await?;
    let queue = queue_under(&mut *pool.acquire().await?, version).await?;
    for line in lines(version, queue, session.config.conflict.0) {
        eprintln!("{line}");
    }
    act.agreed("Put it in force?")?;

    let mut transaction = pool.begin().await?;
    bonus_store::activate(&mut transaction, version, act.operator())
        .await
        .map_err(failure)?;
    let queue = queue_under(&mut transaction, version).await?;
    let subject = json!({
        "version": version.get(),
        "hash": policy.hash().to_string(),
        "accounts": queue.accounts,
        "withoutAccount": queue.without_account,
    });
    acts::record(&mut transaction, &act.act(ActKind::Activate, subject)).await?;
    transaction.commit().await?;
    eprintln!(
        "policy {version} is in force; {} beneficiaries are to be recomputed",
        queue.accounts + queue.without_account
    );
    Ok(())
}

fn lines(version: PolicyVersion, queue: Queue, mode: ConflictMode) -> Vec<String> {
    let Queue {
        accounts,
        without_account,
    } = queue;
    let mut lines = vec![format!(
        "under policy {version} {accounts} accounts are computed anew, and {without_account} \
         beneficiaries who have facts and no account"
    )];
    lines.push(match mode {
        ConflictMode::Ingest => {
            "until an account is recomputed its new facts are kept, and count from then on"
                .to_owned()
        }
        ConflictMode::Refuse => format!(
            "until they are recomputed {accounts} accounts refuse new facts: these become dead \
             letters, which can be redriven then"
        ),
    });
    lines
}

fn failure(error: ActivateError) -> Failure {
    match error {
        ActivateError::Database(error) => error.into(),
        ActivateError::Missing { version, .. } => Failure::refused(format!(
            "{error}: `projector policy backfill {version}` reads them from the order events"
        )),
        ActivateError::Unknown(_) | ActivateError::InForce(_) => {
            Failure::refused(error.to_string())
        }
    }
}
