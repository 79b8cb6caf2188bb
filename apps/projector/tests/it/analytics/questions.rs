//! The questions of `docs/analytics.md`.

use std::fs;
use std::path::PathBuf;

/// A query, and where its answer stands in the page: after it, up to the next heading.
pub(crate) struct Question {
    pub(crate) query: String,
    pub(crate) answer: std::ops::Range<usize>,
}

/// Where the pages are.
pub(crate) fn docs() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))
}

/// All that the page asks, in its order.
pub(crate) fn questions(page: &str) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut at = 0;
    while let Some(found) = page[at..].find("```sql\n") {
        let begins = at + found + "```sql\n".len();
        let ends = begins + page[begins..].find("```").unwrap();
        let answer = ends + "```\n".len();
        let next = page[answer..]
            .find("\n##")
            .map_or(page.len(), |it| answer + it);
        let mut query = page[begins..ends].to_owned();
        if let Some(file) = query.trim().strip_prefix("\\i ") {
            query = fs::read_to_string(docs().join(file)).unwrap();
        }
        questions.push(Question {
            query,
            answer: answer..next,
        });
        at = next;
    }
    questions
}
