//! The edge as a client meets it: a small application behind the whole stack.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod app;
mod bodies;
mod cross_origin;
mod fuzz;
mod headers;
mod issuer;
mod key_sets;
mod layers;
mod limits;
mod lists;
mod observed;
mod openapi;
mod paths;
mod principals;
mod published_keys;
mod redis;
