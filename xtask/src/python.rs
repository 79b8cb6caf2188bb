//! Tools that come as Python packages, each in an environment of its own under `target/atlas`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dev_servers::packages::{self, Need};

use crate::command;
use crate::failure::Failure;
use crate::workspace;

/// The environment `name` with these packages, in pip's own words, and the folder of its programs.
/// It is made anew when it was made of others, or not to the end.
pub(crate) fn environment(name: &str, requirements: &str) -> Result<PathBuf, Failure> {
    let environment = workspace::make_state()?.join(name);
    let programs = environment.join("bin");
    let installed = environment.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == requirements) {
        return Ok(programs);
    }
    packages::ensure(&[Need::Python])?;
    let mut python = Command::new("python3");
    python.args(["-m", "venv", "--clear"]).arg(&environment);
    command::run(python)?;
    let wanted = environment.join("wanted.txt");
    fs::write(&wanted, requirements).map_err(Failure::file(&wanted))?;
    let mut pip = Command::new(programs.join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"])
        .arg("--requirement")
        .arg(&wanted);
    command::run(pip)?;
    fs::rename(&wanted, &installed).map_err(Failure::file(&installed))?;
    Ok(programs)
}
