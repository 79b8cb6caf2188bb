//! `projector explain account`: why an account is what it is, or what one event did to it.

use bonus_domain::{Beneficiary, Explanation, Part, explain};
use bonus_store::{account_facts, computed_with};
use clap::{Args, Subcommand};
use dead_letters::open_code;
use kernel::{Clock as _, EventId, Role, SystemClock};
use serde_json::{Value, json};
use service_runtime::DatabaseConfig;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::bonus::GROUP;
use crate::policy::compiled;
use crate::session::{Failure, Output, Session, instant};

/// What to explain.
#[derive(Debug, Subcommand)]
pub(crate) enum ExplainCommand {
    /// Show every fact of an account with what it does, and what is missing for the next grade and for
    /// VIP; or what one event did, or why it counts nothing.
    Account(ExplainOptions),
}

/// Which account, and which of its facts.
#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// The beneficiary.
    id: Uuid,
    /// The role in which the points were earned.
    #[arg(long, default_value = "commissioner")]
    role: Role,
    /// This event alone.
    #[arg(long, value_name = "ID")]
    event: Option<Uuid>,
    #[command(flatten)]
    output: Output,
}

/// Explains it.
pub(crate) async fn account(
    session: Session<DatabaseConfig>,
    options: ExplainOptions,
) -> Result<(), Failure> {
    let beneficiary = Beneficiary::new(options.role, options.id);
    let mut connection = session.pool(&session.config, 1).acquire().await?;
    let explained = read(&mut connection, beneficiary).await?;
    let Some(event) = options.event.map(EventId::from_uuid) else {
        let text = text(beneficiary, &explained);
        return options
            .output
            .object(&value(beneficiary, &explained), &text);
    };
    let part = explained
        .parts
        .iter()
        .find(|part| part.fact.source_event_id == event);
    let (value, sentence) = match part {
        Some(part) => (part_value(part, &explained), part.sentence(&explained)),
        None => {
            let sentence = elsewhere(&mut connection, event).await?;
            (
                json!({ "eventId": event.as_uuid(), "sentence": sentence }),
                sentence,
            )
        }
    };
    options.output.object(&value, &format!("{sentence}\n"))
}

/// The account as of its last version, out of one snapshot.
async fn read(
    connection: &mut PgConnection,
    beneficiary: Beneficiary,
) -> Result<Explanation, Failure> {
    let mut snapshot = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let Some(computed) = computed_with(&mut snapshot, beneficiary).await? else {
        let line = format!("nothing is known of {beneficiary}: no fact of theirs was kept");
        return Err(Failure::refused(line));
    };
    let policy = compiled(computed.policy_version)?;
    let facts = account_facts(&mut snapshot, beneficiary, computed.version).await?;
    snapshot.rollback().await?;
    let now = SystemClock.now();
    explain(policy, &facts.counted, &facts.deferred, now).map_err(Failure::failed)
}

/// What is known of an event that the account's ledger does not hold.
async fn elsewhere(connection: &mut PgConnection, event: EventId) -> Result<String, Failure> {
    let code = open_code(connection, GROUP, event).await?;
    Ok(match code {
        Some(code) => format!("{event} counts nothing: it is a dead letter ({code})."),
        None => format!(
            "{event} counts nothing: the account's ledger does not hold it. No policy rewards it, \
             it is another's, or it has not arrived."
        ),
    })
}

fn value(beneficiary: Beneficiary, explained: &Explanation) -> Value {
    let parts = explained.parts.iter().rev();
    json!({
        "id": beneficiary.id,
        "role": beneficiary.role.as_str(),
        "policyVersion": explained.policy_version.get(),
        "asOf": instant(explained.at),
        "lifetimePoints": explained.lifetime_points.get(),
        "grade": explained.grade.as_str(),
        "windowPoints": explained.window_points.get(),
        "vip": explained.is_vip(),
        "nextVipChange": explained.next_vip_change.map(instant),
        "sentences": explained.sentences(),
        "parts": parts.map(|part| part_value(part, explained)).collect::<Vec<_>>(),
    })
}

fn part_value(part: &Part, explained: &Explanation) -> Value {
    json!({
        "eventId": part.fact.source_event_id.as_uuid(),
        "event": part.fact.source_type.as_str(),
        "orderId": part.fact.order_id.map(kernel::OrderId::as_uuid),
        "occurredAt": instant(part.fact.occurred_at),
        "points": part.place.lifetime_points().get(),
        "windowPoints": part.place.window_points().get(),
        "sentence": part.sentence(explained),
    })
}

fn text(beneficiary: Beneficiary, explained: &Explanation) -> String {
    let mut lines = vec![format!(
        "{beneficiary} under policy {}, as of {}",
        explained.policy_version,
        instant(explained.at)
    )];
    lines.extend(explained.sentences());
    lines.push(String::new());
    lines.extend(explained.parts.iter().rev().map(|part| {
        format!(
            "{}  {:>6}  {}  {}",
            instant(part.fact.occurred_at),
            part.place.lifetime_points(),
            part.fact.source_event_id,
            part.sentence(explained)
        )
    }));
    lines.join("\n") + "\n"
}
