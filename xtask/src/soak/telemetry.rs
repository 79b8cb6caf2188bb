//! A real OpenTelemetry collector and a real OpenSearch for one scenario: what is not to be had as a
//! package is built and fetched once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dev_servers::packages::{self, Need};

use crate::command;
use crate::failure::Failure;
use crate::test;
use crate::workspace;

const COLLECTOR: &str = "v0.165.0";
/// The oldest Go that builds it.
const GO: (u32, u32) = (1, 25);
const OPENSEARCH: &str = "2.19.6";
const LOG4J: &str = "2.25.4";

/// Makes both, and runs the scenario with them.
pub(super) fn run() -> Result<(), Failure> {
    packages::ensure(&[Need::Kafka, Need::JavaCompiler])?;
    collector()?;
    opensearch()?;
    test::run(&test::Options::named(&["telemetry::soaked::"]).whole())
}

/// Its folder, where the scenario looks for it.
fn folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = workspace::make_state()?.join("telemetry").join(name);
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    Ok(folder)
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(Failure::file(file))
}

fn collector() -> Result<(), Failure> {
    let folder = folder("collector")?;
    if folder.join("built/otelcol").is_file() {
        return Ok(());
    }
    let mut version = Command::new("go");
    version.arg("version");
    let version = command::output(version).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    if go_version(&version).is_none_or(|found| found < GO) {
        let (major, minor) = GO;
        eprintln!(
            "the OpenTelemetry collector is built by Go {major}.{minor} or newer, and here is \"{}\": \
             install one from https://go.dev/dl (Debian's own is too old)",
            version.trim()
        );
        return Err(Failure::Told);
    }
    let part = |kind: &str, name: &str| {
        format!("{kind}s:\n  - gomod: go.opentelemetry.io/collector/{kind}/{name} {COLLECTOR}\n")
    };
    let parts = [
        part("receiver", "otlpreceiver"),
        part("processor", "batchprocessor"),
        part("exporter", "debugexporter"),
    ];
    let settings = folder.join("builder.yaml");
    let dist = "dist:\n  name: otelcol\n  output_path: ./built\n";
    write(&settings, &format!("{dist}{}", parts.concat()))?;
    command::step("build the OpenTelemetry collector", "once", || {
        let mut go = Command::new("go");
        go.current_dir(&folder)
            .arg("run")
            .arg(format!(
                "go.opentelemetry.io/collector/cmd/builder@{COLLECTOR}"
            ))
            .args(["--config", "builder.yaml"]);
        command::run(go)
    })
}

/// The first two numbers of what `go version` says.
fn go_version(said: &str) -> Option<(u32, u32)> {
    let number = said.split(' ').find_map(|word| word.strip_prefix("go1."))?;
    let minor = number.split(['.', 'r', 'b']).next()?;
    Some((1, minor.parse().ok()?))
}

fn opensearch() -> Result<(), Failure> {
    let folder = folder("opensearch")?;
    let whole = folder.join("whole");
    if fs::read_to_string(&whole).is_ok_and(|version| version == OPENSEARCH) {
        return Ok(());
    }
    let dependencies = [
        ("org.opensearch", "opensearch", OPENSEARCH),
        (
            "org.opensearch.plugin",
            "transport-netty4-client",
            OPENSEARCH,
        ),
        ("org.apache.logging.log4j", "log4j-core", LOG4J),
    ]
    .map(|(group, artifact, version)| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    });
    let project = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\
         <modelVersion>4.0.0</modelVersion><groupId>atlas</groupId>\
         <artifactId>opensearch</artifactId><version>1</version><packaging>pom</packaging>\
         <dependencies>{}</dependencies></project>\n",
        dependencies.concat()
    );
    write(&folder.join("pom.xml"), &project)?;
    command::step("fetch OpenSearch", "once", || {
        let mut maven = Command::new("mvn");
        maven
            .current_dir(&folder)
            .args(["-q", "-B", "dependency:copy-dependencies"])
            .arg("-DoutputDirectory=libs");
        command::run(maven)
    })?;
    write(&whole, OPENSEARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_go_is_read() {
        for (said, version) in [
            ("go version go1.26.8 linux/amd64\n", Some((1, 26))),
            ("go version go1.19.8 linux/amd64", Some((1, 19))),
            ("go version go1.27rc1 linux/amd64", Some((1, 27))),
            ("", None),
        ] {
            assert_eq!(go_version(said), version, "{said}");
        }
    }
}
