//! `docs/analytics.md`: its story is told, and each of its queries answers what the page says.
//! `ATLAS_BLESS=1` writes the answers.

use std::fmt::Write as _;
use std::{env, fs};

use super::ledger;
pub(crate) use super::questions::docs;
use super::questions::questions;
use super::reference;
use super::story::Told;

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
    ledger::keep(&told, &facts()).await;
    told.catch_up().await;
    told
}

/// Whether pages are to be written, and not compared.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever blesses a test says so in its environment"
)]
fn blessed() -> bool {
    env::var_os("ATLAS_BLESS").is_some()
}

/// The facts that the page tells of.
pub(crate) fn facts() -> String {
    block(&page(), "ledger").to_owned()
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
    let blessed = blessed();
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
    let written = reference::written(&told, &written).await;
    if blessed {
        fs::write(docs().join("analytics.md"), written).unwrap();
    } else {
        assert_eq!(written, page);
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
