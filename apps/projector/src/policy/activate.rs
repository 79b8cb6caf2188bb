//! `projector policy activate`: puts a policy in force, as an operator's act.

use bonus_domain::PolicyVersion;
use bonus_store::{ActivateError, ConflictMode, Queue, queue_under};
use event_store::acts::{self, ActKind};
use serde_json::json;

use super::{PolicyConfig, checked, compiled};
use crate::acting::{Acting, Tells};
use crate::config::Conflicts;
use crate::session::{ActOptions, Failure, Session};

/// Says who will be recomputed, asks unless told not to, and puts it in force.
pub(super) async fn activate(
    session: Session<PolicyConfig>,
    version: PolicyVersion,
    act: ActOptions,
) -> Result<(), Failure> {
    let terminal = act.terminal(None);
    let acting = session.acting(&session.config.database, 1, &act, &terminal);
    carry_out(&acting, version, session.config.conflict).await
}

/// Puts a policy in force, in one transaction with the fact of it.
pub(crate) async fn carry_out(
    acting: &Acting<'_>,
    version: PolicyVersion,
    conflict: Conflicts,
) -> Result<(), Failure> {
    let Acting {
        pool, by, tells, ..
    } = acting;
    if let Some(before) = acting.done_before(ActKind::Activate).await? {
        let number = |member| before.number(member).unwrap_or_default();
        let (accounts, others) = (number("accounts"), number("withoutAccount"));
        return told_end(*tells, version, accounts, others);
    }
    let policy = compiled(version)?;
    checked(pool).await?;
    let queue = queue_under(&mut *pool.acquire().await?, version).await?;
    for line in lines(version, queue, conflict.0) {
        tells.say(&line);
    }
    tells.agreed("Put it in force?")?;

    let mut transaction = pool.begin().await?;
    bonus_store::activate(&mut transaction, version, by.operator)
        .await
        .map_err(failure)?;
    let queue = queue_under(&mut transaction, version).await?;
    let subject = json!({
        "version": version.get(),
        "hash": policy.hash().to_string(),
        "accounts": queue.accounts,
        "withoutAccount": queue.without_account,
    });
    acts::record(&mut transaction, &by.act(ActKind::Activate, subject)).await?;
    transaction.commit().await?;
    let others = queue.without_account.unsigned_abs();
    told_end(*tells, version, queue.accounts.unsigned_abs(), others)
}

fn told_end(
    tells: &dyn Tells,
    version: PolicyVersion,
    accounts: u64,
    without_account: u64,
) -> Result<(), Failure> {
    tells.say(&format!(
        "policy {version} is in force; {} beneficiaries are to be recomputed",
        accounts + without_account
    ));
    let found = json!({
        "version": version.get(), "accounts": accounts, "withoutAccount": without_account,
    });
    tells.found(&found, "")
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
