//! The record of which topics ours are: table `ops.kafka_topics`.

use sqlx::PgPool;
use tracing::{info, warn};

use super::probe::{DescribedTopic, Identity};

/// Writes down what was found. What was found otherwise before is told in the log.
pub(super) async fn record(database: &PgPool, identity: &Identity) -> Result<(), sqlx::Error> {
    let mut transaction = database.begin().await?;
    for topic in &identity.topics {
        let before = sqlx::query!(
            "SELECT cluster_id, topic_id, partitions FROM ops.kafka_topics WHERE topic = $1",
            topic.name,
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let unchanged = before.as_ref().is_some_and(|before| {
            before.cluster_id == identity.cluster_id
                && before.topic_id == topic.id
                && before.partitions == topic.partitions
        });
        if unchanged {
            continue;
        }
        sqlx::query!(
            r#"
            INSERT INTO ops.kafka_topics (topic, cluster_id, topic_id, partitions)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (topic) DO UPDATE
            SET cluster_id = excluded.cluster_id, topic_id = excluded.topic_id,
                partitions = excluded.partitions, recorded_at = excluded.recorded_at
            "#,
            topic.name,
            identity.cluster_id,
            topic.id,
            topic.partitions,
        )
        .execute(&mut *transaction)
        .await?;
        tell(&identity.cluster_id, topic, before.is_some());
    }
    transaction.commit().await
}

fn tell(cluster_id: &str, topic: &DescribedTopic, known: bool) {
    let DescribedTopic {
        name,
        id,
        partitions,
    } = topic;
    if known {
        warn!(
            topic = name,
            cluster.id = cluster_id,
            topic.id = id,
            partitions,
            "topics.changed: messages sent before may be missing there"
        );
    } else {
        info!(
            topic = name,
            cluster.id = cluster_id,
            topic.id = id,
            partitions,
            "topics.recorded"
        );
    }
}
