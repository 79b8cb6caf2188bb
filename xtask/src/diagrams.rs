//! `diagrams`: makes the pages in `docs/` that are made by running the rules.

use crate::command;
use crate::failure::Failure;

/// Lets the test that compares each page write it. Whatever else is wrong fails in `test`.
pub(crate) fn run() -> Result<(), Failure> {
    let mut cargo = command::cargo();
    cargo
        .args(["test", "--quiet", "--package", "order-domain", "--lib"])
        .args(["--", "the_page_says_what_the_rules_do"])
        .env("ATLAS_BLESS", "1");
    command::run(cargo)
}
