//! What analysts read: the views of the schema `analytics`, as the role that reads nothing else.

mod counted;
mod days;
mod ledger;
mod page;
mod rights;
mod story;
mod swaps;
mod tools;
