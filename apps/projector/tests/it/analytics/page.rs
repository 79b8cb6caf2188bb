//! `docs/analytics.md`: its story is told, and each of its queries answers what the page says.
//! `ATLAS_BLESS=1` writes the answers.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use super::ledger;
use super::story::Told;

/// A query, and where its answer stands in the page: after it, up to the next heading.
struct Question {
    query: String,
    answer: std::ops::Range<usize>,
}

pub(crate) fn docs() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))
}

fn page() -> String {
    fs::read_to_string(docs().join("analytics.md")).unwrap()
}

/// The text of the block with this mark.
fn block<'p>(page: &'p str, mark: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("```{mark}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// The page's story, told.
pub(crate) async fn told() -> Told {
    let page = page();
    let told = Told::new(block(&page, "story")).await;
    ledger::keep(&told, block(&page, "ledger")).await;
    told.catch_up().await;
    told
}

fn questions(page: &str) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut at = 0;
    while let Some(found) = page[at..].find("```sql\n") {
        let begins = at + found + "```sql\n".len();
        let ends = begins + page[begins..].find("```").unwrap();
        let answer = ends + "```\n".len();
        let next = page[answer..]
            .find("\n### ")
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

/// A table of the page.
fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let mut line = |cells: &[String]| writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    line(header);
    line(&vec!["---".to_owned(); header.len()]);
    rows.iter().for_each(|row| line(row));
    if rows.is_empty() {
        text.push_str("\nNo row.\n");
    }
    format!("\n{text}")
}

#[tokio::test]
async fn each_query_of_the_page_answers_what_the_page_says_in_any_zone() {
    let told = told().await;
    let page = page();
    let questions = questions(&page);
    assert!(questions.len() >= 20);
    let analyst = told.analyst().await;
    let mut connection = analyst.acquire().await.unwrap();
    let mut written = page.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever blesses a test says so in its environment"
    )]
    let blessed = env::var_os("ATLAS_BLESS").is_some();
    for zone in ["America/Los_Angeles", "Pacific/Kiritimati", "UTC"] {
        written.clone_from(&page);
        told.names
            .ask(&mut connection, &format!("SET TIME ZONE '{zone}'"))
            .await;
        for question in questions.iter().rev() {
            let query = question.query.trim().trim_end_matches(';');
            let header = told.names.columns(&mut connection, query).await;
            let rows = told.names.ask(&mut connection, query).await;
            written.replace_range(question.answer.clone(), &table(&header, &rows));
        }
        if !blessed {
            assert_eq!(written, page, "{zone}");
        }
    }
    if blessed {
        fs::write(docs().join("analytics.md"), written).unwrap();
    }
}

/// The views that the page lists are those that there are.
#[tokio::test]
async fn the_page_names_every_view_and_asks_something_of_each() {
    let told = Told::new("").await;
    let page = page();
    let asked: String = questions(&page).into_iter().map(|it| it.query).collect();
    let views = told
        .ask("SELECT relname FROM pg_class WHERE relnamespace = 'analytics'::regnamespace")
        .await;
    assert_eq!(views.len(), 16);
    for view in views.concat() {
        assert!(page.contains(&format!("`{view}`")), "{view} is not named");
        assert!(asked.contains(&view), "nothing is asked of {view}");
    }
}
