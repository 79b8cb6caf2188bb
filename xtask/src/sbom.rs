//! `sbom`: the bill of materials of the three programs in CycloneDX's JSON, from what cargo itself
//! says of them: every crate that they are built from, with its version, licence
//! and what it depends on. What only tests use is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command;
use crate::failure::Failure;
use crate::workspace;

/// What is deployed.
const PROGRAMS: [&str; 3] = ["command-api", "query-api", "projector"];

/// Writes the file, and says where it is.
pub(crate) fn run() -> Result<(), Failure> {
    let file = write()?;
    println!("{}", file.display());
    Ok(())
}

/// Writes the file.
pub(crate) fn write() -> Result<PathBuf, Failure> {
    let mut cargo = command::cargo();
    cargo.args(["metadata", "--format-version", "1", "--quiet", "--locked"]);
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = command::output(cargo)?;
    let metadata: Value = serde_json::from_slice(&output).map_err(Failure::Metadata)?;
    let file = workspace::make_state()?.join("sbom.cdx.json");
    let text = format!("{:#}\n", bill(&metadata));
    fs::write(&file, text).map_err(Failure::file(&file))?;
    Ok(file)
}

/// The bill of the programs in a workspace.
fn bill(metadata: &Value) -> Value {
    let packages: BTreeMap<&str, &Value> = items(&metadata["packages"])
        .map(|package| (text(&package["id"]), package))
        .collect();
    let uses: BTreeMap<&str, Vec<&str>> =
        items(metadata.pointer("/resolve/nodes").unwrap_or(&Value::Null))
            .map(|node| (text(&node["id"]), built_from(node)))
            .collect();
    let programs: Vec<&str> = packages
        .iter()
        .filter(|(_, package)| PROGRAMS.contains(&text(&package["name"])))
        .map(|(id, _)| *id)
        .collect();
    let mut reached = BTreeSet::new();
    let mut open = programs;
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(uses.get(id).into_iter().flatten());
        }
    }
    let built: Vec<(&str, &Value)> = reached
        .iter()
        .filter_map(|id| Some((*id, *packages.get(id)?)))
        .collect();
    let purls: BTreeMap<&str, String> = built
        .iter()
        .map(|(id, package)| (*id, purl(package)))
        .collect();
    let dependencies: Vec<Value> = purls
        .iter()
        .map(|(id, purl)| {
            let on = uses.get(id).into_iter().flatten();
            let on: BTreeSet<&String> = on.filter_map(|id| purls.get(id)).collect();
            json!({"ref": purl, "dependsOn": on})
        })
        .collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": "artisan-atlas",
            "name": "artisan-atlas",
        }},
        "components": built.iter().map(|(_, package)| component(package)).collect::<Vec<_>>(),
        "dependencies": dependencies,
    })
}

fn component(package: &Value) -> Value {
    let is_program = PROGRAMS.contains(&text(&package["name"]));
    // Some still write the old form of OR.
    let licenses: Vec<Value> = package["license"]
        .as_str()
        .map(|license| json!({"expression": license.replace('/', " OR ")}))
        .into_iter()
        .collect();
    json!({
        "type": if is_program { "application" } else { "library" },
        "bom-ref": purl(package),
        "purl": purl(package),
        "name": package["name"],
        "version": package["version"],
        "licenses": licenses,
    })
}

fn purl(package: &Value) -> String {
    format!(
        "pkg:cargo/{}@{}",
        text(&package["name"]),
        text(&package["version"])
    )
}

/// The ids that a node is built from, tests apart.
fn built_from(node: &Value) -> Vec<&str> {
    items(&node["deps"])
        .filter(|dependency| items(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
        .map(|dependency| text(&dependency["pkg"]))
        .collect()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_programs_are_built_from_is_listed_and_what_tests_use_is_not() {
        let package = |name: &str| json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0"});
        let names = ["projector", "kernel", "serde", "insta", "elsewhere"];
        let metadata = json!({
            "packages": names.map(package),
            "resolve": {"nodes": [
                {"id": "projector", "deps": [
                    {"pkg": "kernel", "dep_kinds": [{"kind": null}]},
                    {"pkg": "insta", "dep_kinds": [{"kind": "dev"}]},
                ]},
                {"id": "kernel", "deps": [{"pkg": "serde", "dep_kinds": [{"kind": null}]}]},
            ]},
        });
        let bill = bill(&metadata);
        let found: Vec<&str> = items(&bill["components"])
            .map(|component| text(&component["purl"]))
            .collect();
        let expected = ["kernel", "projector", "serde"].map(|it| format!("pkg:cargo/{it}@1.0.0"));
        assert_eq!(found, expected);
        assert_eq!(
            bill["components"][2]["licenses"],
            json!([{"expression": "MIT OR Apache-2.0"}])
        );
        let first =
            json!({"ref": "pkg:cargo/kernel@1.0.0", "dependsOn": ["pkg:cargo/serde@1.0.0"]});
        assert_eq!(bill["dependencies"][0], first);
    }
}
