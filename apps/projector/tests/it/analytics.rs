//! What analysts read: the views of the schema `analytics`, as the role that reads nothing else.

mod counted;
mod days;
mod diff;
mod freshness;
mod ledger;
mod migrations;
mod page;
mod questions;
mod reference;
mod rights;
mod story;
mod swaps;
mod tools;
