//! Builds an optimised program again when its pages change. While developing they are read from
//! where they were built.

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script everything by variables"
)]
fn main() {
    let optimised = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let watched = if optimised { "pages" } else { "build.rs" };
    println!("cargo::rerun-if-changed={watched}");
}
