//! What the caller's environment says. Nothing else in xtask reads it.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the owner of the environment in xtask"
)]

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::Failure;

/// A variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The variables that configure our processes.
pub(crate) fn configuration() -> Vec<(String, String)> {
    env::vars()
        .filter(|(name, _)| name.starts_with("ATLAS_"))
        .collect()
}

/// Where the private Postgres listens.
pub(crate) fn postgres_port() -> Result<u16, Failure> {
    const VARIABLE: &str = "ATLAS_PG_PORT";
    let Some(value) = variable(VARIABLE) else {
        return Ok(55_432);
    };
    match value.parse() {
        Ok(0) | Err(_) => Err(Failure::BadVariable {
            variable: VARIABLE,
            value,
            expected: "a port, 1 to 65535",
        }),
        Ok(port) => Ok(port),
    }
}

/// Where the caller says that Postgres's server binaries are.
pub(crate) fn postgres_binaries() -> Option<PathBuf> {
    variable("PG_BIN").map(PathBuf::from)
}

/// The cargo that runs us.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What `cargo run` tells us about ourselves: build scripts of a cargo that we run would take it
/// for a change, and build again.
pub(crate) fn about_ourselves() -> Vec<String> {
    env::vars()
        .map(|(name, _)| name)
        .filter(|name| {
            name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_MANIFEST_")
                || name == "CARGO_PRIMARY_PACKAGE"
        })
        .collect()
}
