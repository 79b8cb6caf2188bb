//! xtask as its users run it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, in its helpers too"
)]

mod db;
mod demo;
mod token;
