//! What of the topics is not as recorded.

use std::fmt;

use super::probe::Survey;
use super::record::Recorded;

/// Something about a topic that is not as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is asked for on another cluster.
    Cluster {
        /// The topic.
        topic: String,
        /// The id of the cluster that is recorded.
        recorded: String,
        /// The id of the cluster that answers.
        found: String,
    },
    /// It was made anew under the same name.
    Topic {
        /// The topic.
        topic: String,
        /// The id that is recorded.
        recorded: String,
        /// The id that it has; none where the broker is too old to have one.
        found: Option<String>,
    },
    /// It has another number of partitions, so that keys lie on others than before.
    Partitions {
        /// The topic.
        topic: String,
        /// The number that is recorded.
        recorded: i32,
        /// The number that it has.
        found: i32,
    },
    /// It is not there.
    Gone {
        /// The topic.
        topic: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster {
                topic,
                recorded,
                found,
            } => write!(
                f,
                "{topic} is recorded on cluster {recorded}, and this is {found}"
            ),
            Self::Topic {
                topic,
                recorded,
                found,
            } => {
                let found = found.as_deref().unwrap_or("none");
                write!(
                    f,
                    "{topic} is recorded with topic id {recorded}, and has {found}"
                )
            }
            Self::Partitions {
                topic,
                recorded,
                found,
            } => write!(
                f,
                "{topic} is recorded with {recorded} partitions, and has {found}"
            ),
            Self::Gone { topic } => write!(f, "{topic} is recorded, and is not there"),
        }
    }
}

/// All of them, in one line.
pub(super) fn list(differences: &[Difference]) -> String {
    let texts: Vec<_> = differences.iter().map(Difference::to_string).collect();
    texts.join(", ")
}

/// What was found otherwise than it is recorded. Where no id is recorded, any is the same.
pub(super) fn between(recorded: &[Recorded], survey: &Survey) -> Vec<Difference> {
    recorded
        .iter()
        .flat_map(|known| of_topic(known, survey))
        .collect()
}

fn of_topic(known: &Recorded, survey: &Survey) -> Vec<Difference> {
    let topic = || known.topic.clone();
    if known.cluster_id != survey.cluster_id {
        return vec![Difference::Cluster {
            topic: topic(),
            recorded: known.cluster_id.clone(),
            found: survey.cluster_id.clone(),
        }];
    }
    let Some(found) = survey.topics.iter().find(|found| found.name == known.topic) else {
        return vec![Difference::Gone { topic: topic() }];
    };
    let other_id = known
        .topic_id
        .as_ref()
        .filter(|recorded| found.id.as_ref() != Some(recorded))
        .map(|recorded| Difference::Topic {
            topic: topic(),
            recorded: recorded.clone(),
            found: found.id.clone(),
        });
    let other_partitions = (known.partitions != found.partitions).then(|| Difference::Partitions {
        topic: topic(),
        recorded: known.partitions,
        found: found.partitions,
    });
    other_id.into_iter().chain(other_partitions).collect()
}

#[cfg(test)]
mod tests {
    use super::super::probe::DescribedTopic;
    use super::*;

    fn recorded(topic_id: Option<&str>) -> Recorded {
        Recorded {
            topic: "facts".to_owned(),
            cluster_id: "c1".to_owned(),
            topic_id: topic_id.map(str::to_owned),
            partitions: 6,
        }
    }

    fn survey(cluster_id: &str, id: Option<&str>, partitions: i32) -> Survey {
        Survey {
            brokers: vec![1],
            cluster_id: cluster_id.to_owned(),
            topics: vec![DescribedTopic {
                name: "facts".to_owned(),
                id: id.map(str::to_owned),
                partitions,
            }],
        }
    }

    #[test]
    fn each_difference_is_told_with_what_is_recorded_and_found() {
        for (found, text) in [
            (survey("c1", Some("t1"), 6), ""),
            (
                survey("c2", Some("t1"), 6),
                "facts is recorded on cluster c1, and this is c2",
            ),
            (
                survey("c1", Some("t2"), 6),
                "facts is recorded with topic id t1, and has t2",
            ),
            (
                survey("c1", Some("t1"), 12),
                "facts is recorded with 6 partitions, and has 12",
            ),
            (
                survey("c1", None, 1),
                "facts is recorded with topic id t1, and has none, \
                 facts is recorded with 6 partitions, and has 1",
            ),
            (
                Survey {
                    topics: Vec::new(),
                    ..survey("c1", None, 1)
                },
                "facts is recorded, and is not there",
            ),
        ] {
            let differences = between(&[recorded(Some("t1"))], &found);
            assert_eq!(list(&differences), text);
        }
    }

    #[test]
    fn where_no_id_is_recorded_any_is_the_same() {
        for id in [None, Some("t1")] {
            assert_eq!(between(&[recorded(None)], &survey("c1", id, 6)), []);
        }
    }
}
