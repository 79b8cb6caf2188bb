//! Why the story was not told to its end.

use crate::demo::comparison::Difference;

/// Why the story was not told to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("{request} was not answered")]
    NoAnswer {
        request: String,
        #[source]
        source: Box<ureq::Error>,
    },
    #[error("{request} was answered with {answer}, not with {expected}")]
    WrongAnswer {
        request: String,
        expected: String,
        answer: String,
    },
    #[error(
        "waited {seconds} s for {what} in vain; see target/atlas/demo/logs; what there is: {seen}"
    )]
    NotSeen {
        what: String,
        seconds: u64,
        seen: String,
    },
    #[error("{said_by} said what was not understood: {text}")]
    NotUnderstood { said_by: String, text: String },
    #[error("the timeline tells {timeline}, the store holds {store}")]
    TimelineDiffers { timeline: String, store: String },
    #[error("{topic} is not what the store holds: {}", list(.differences))]
    TopicDiffers {
        topic: &'static str,
        differences: Vec<Difference>,
    },
}

impl DemoError {
    /// What [`DemoError::NotUnderstood`] is made of.
    pub(crate) fn not_understood(said_by: &str, text: &str) -> Self {
        Self::NotUnderstood {
            said_by: said_by.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// The first differences, in one line.
pub(crate) fn list(differences: &[Difference]) -> String {
    const SHOWN: usize = 3;
    let shown = differences.iter().take(SHOWN);
    let mut words: Vec<String> = shown.map(ToString::to_string).collect();
    if differences.len() > SHOWN {
        words.push(format!("and {} more", differences.len() - SHOWN));
    }
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_differences_are_counted() {
        let scattered = |key: &str| Difference::Scattered {
            key: key.to_owned(),
        };
        let one = "the messages of a lie in several partitions";
        assert_eq!(list(&[scattered("a")]), one);
        let five = ["a", "a", "a", "b", "c"].map(scattered);
        assert_eq!(list(&five), format!("{one}; {one}; {one}; and 2 more"));
    }
}
