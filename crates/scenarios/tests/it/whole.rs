//! Whether scenarios run at their whole size: `cargo xtask soak` asks for it, and has the time. And
//! the seed of those that are left to chance.

use std::hash::{BuildHasher as _, RandomState};

/// The one or the other, by what is asked for.
pub(crate) fn sized<T>(whole: T, short: T) -> T {
    if variable("ATLAS_TEST_WHOLE").is_some() {
        whole
    } else {
        short
    }
}

/// The seed that `ATLAS_TEST_SEED` names, or any; printed, so that a run can be had again.
pub(crate) fn seed() -> u64 {
    let named = variable("ATLAS_TEST_SEED").map(|seed| seed.parse().unwrap());
    let seed = named.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("ATLAS_TEST_SEED={seed}");
    seed
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the owner of the scenarios' variables"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
