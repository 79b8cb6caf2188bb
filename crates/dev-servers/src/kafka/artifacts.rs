//! Kafka's program: the jars of its Maven artifacts, fetched once into a cache folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::ServerError;
use crate::folders::{make_folder, remove_folder, scratch_folder};
use crate::tool::run_tool;

/// The release of Apache Kafka that we run.
const VERSION: &str = "4.3.1";
const SCALA: &str = "2.13";
const SLF4J: &str = "1.7.36";

/// The folder of Kafka's jars, fetched by Maven if the cache lacks it. It appears under its name
/// only when it is whole.
pub(super) fn fetch(cache: &Path) -> Result<PathBuf, ServerError> {
    let jars = cache.join(format!("kafka-{VERSION}"));
    if jars.is_dir() {
        return Ok(jars);
    }
    let unfinished = scratch_folder(cache);
    make_folder(&unfinished, 0o755)?;
    let pom = unfinished.join("pom.xml");
    fs::write(&pom, project()).map_err(ServerError::folder(&pom))?;
    let fetched = unfinished.join("libs");
    let mut maven = Command::new("mvn");
    maven
        .args(["-q", "-B", "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", fetched.display()))
        .current_dir(&unfinished);
    run_tool("mvn", maven, "")?;
    match fs::rename(&fetched, &jars) {
        // Somebody else was faster.
        Err(_) if jars.is_dir() => {}
        outcome => outcome.map_err(ServerError::folder(&jars))?,
    }
    remove_folder(&unfinished)?;
    Ok(jars)
}

fn project() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    let dependencies = [
        dependency("org.apache.kafka", &format!("kafka_{SCALA}"), VERSION),
        dependency("org.apache.kafka", "kafka-tools", VERSION),
        dependency("org.slf4j", "slf4j-simple", SLF4J),
    ]
    .concat();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\
         <modelVersion>4.0.0</modelVersion><groupId>atlas</groupId>\
         <artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>\
         <dependencies>{dependencies}</dependencies></project>\n"
    )
}
