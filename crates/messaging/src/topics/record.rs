//! The record of which topics ours are: table `ops.kafka_topics`. It is written at first sight, and
//! over only where an operator said so.

use event_store::acts::{self, NewAct};
use sqlx::PgPool;
use tracing::{info, warn};

use super::difference::{self, Difference};
use super::probe::{DescribedTopic, Survey};

/// One topic as it is recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) topic: String,
    pub(super) cluster_id: String,
    /// None where the broker was too old to have one.
    pub(super) topic_id: Option<String>,
    pub(super) partitions: i32,
}

/// What is recorded of these topics.
pub(super) async fn read(
    database: impl sqlx::PgExecutor<'_>,
    names: &[String],
) -> Result<Vec<Recorded>, sqlx::Error> {
    sqlx::query_as!(
        Recorded,
        r#"
        SELECT topic, cluster_id, topic_id, partitions
        FROM ops.kafka_topics
        WHERE topic = ANY ($1)
        ORDER BY topic
        "#,
        names,
    )
    .fetch_all(database)
    .await
}

/// Records what was never seen before, unless anything is not as recorded: then nothing, and that
/// is returned.
pub(super) async fn keep(
    database: &PgPool,
    names: &[String],
    survey: &Survey,
) -> Result<Vec<Difference>, sqlx::Error> {
    let mut transaction = database.begin().await?;
    let mut new = Vec::new();
    for topic in &survey.topics {
        let inserted = sqlx::query!(
            r#"
            INSERT INTO ops.kafka_topics AS known (topic, cluster_id, topic_id, partitions)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (topic) DO UPDATE SET topic_id = excluded.topic_id
            WHERE known.topic_id IS NULL AND excluded.topic_id IS NOT NULL
            "#,
            topic.name,
            survey.cluster_id,
            topic.id,
            topic.partitions,
        )
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() > 0 {
            new.push(topic);
        }
    }
    // Another process may have been faster, on another cluster: what is there now counts.
    let recorded = read(&mut *transaction, names).await?;
    let differences = difference::between(&recorded, survey);
    if !differences.is_empty() {
        transaction.rollback().await?;
        return Ok(differences);
    }
    transaction.commit().await?;
    for topic in new {
        let DescribedTopic {
            name,
            id,
            partitions,
        } = topic;
        info!(
            topic = name,
            cluster.id = survey.cluster_id,
            topic.id = id,
            partitions,
            "topics.recorded"
        );
    }
    Ok(differences)
}

/// Records the topics as they are, in place of what was recorded, and who said so.
pub(super) async fn replace(
    database: &PgPool,
    survey: &Survey,
    act: &NewAct,
) -> Result<(), sqlx::Error> {
    let mut transaction = database.begin().await?;
    for topic in &survey.topics {
        let replaced = sqlx::query!(
            r#"
            INSERT INTO ops.kafka_topics AS known
                (topic, cluster_id, topic_id, partitions, accepted)
            VALUES ($1, $2, $3, $4, true)
            ON CONFLICT (topic) DO UPDATE
            SET cluster_id = excluded.cluster_id, topic_id = excluded.topic_id,
                partitions = excluded.partitions, recorded_at = excluded.recorded_at,
                accepted = true
            WHERE (known.cluster_id, known.topic_id, known.partitions)
                IS DISTINCT FROM (excluded.cluster_id, excluded.topic_id, excluded.partitions)
            "#,
            topic.name,
            survey.cluster_id,
            topic.id,
            topic.partitions,
        )
        .execute(&mut *transaction)
        .await?;
        if replaced.rows_affected() > 0 {
            warn!(
                topic = topic.name,
                cluster.id = survey.cluster_id,
                topic.id = topic.id,
                partitions = topic.partitions,
                "topics.accepted: messages sent before may be missing there"
            );
        }
    }
    acts::record(&mut transaction, act).await?;
    transaction.commit().await
}
