//! Where things are in the checkout.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The folder for everything that a run leaves behind.
pub(crate) fn state() -> PathBuf {
    root().join("target/atlas")
}

/// The same folder, made where it is missing.
pub(crate) fn make_state() -> Result<PathBuf, Failure> {
    let state = state();
    fs::create_dir_all(&state).map_err(Failure::file(&state))?;
    Ok(state)
}

/// A program of the workspace, as cargo builds it: beside the folder that we run from.
pub(crate) fn program(name: &str, release: bool) -> PathBuf {
    let profile = if release { "release" } else { "debug" };
    let target = env::current_exe().ok().and_then(|us| {
        let target = us.parent()?.parent()?;
        Some(target.to_owned())
    });
    target
        .unwrap_or_else(|| root().join("target"))
        .join(profile)
        .join(name)
}
