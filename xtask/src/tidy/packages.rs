//! The workspace as cargo describes it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::command;
use crate::failure::Failure;
use crate::workspace;

/// The packages of the workspace, and all that they are built from.
#[derive(Debug)]
pub(crate) struct Packages {
    pub(crate) ours: Vec<Package>,
    /// Of every package in the graph by id: its name, whether it links a C library, and what it is
    /// built from, tests apart.
    graph: BTreeMap<String, Node>,
}

#[derive(Debug)]
struct Node {
    name: String,
    links: bool,
    built_from: Vec<String>,
}

/// A package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) id: String,
    /// Its manifest, from the root of the checkout.
    pub(crate) manifest: String,
    pub(crate) description: String,
    /// What programs and libraries of it are built from, by name.
    pub(crate) uses: BTreeSet<String>,
    /// What only its tests use.
    pub(crate) tests_use: BTreeSet<String>,
    /// The files that its libraries, programs, tests and benchmarks begin with.
    roots: Vec<String>,
}

impl Packages {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self, Failure> {
        let mut cargo = command::cargo();
        cargo.args(["metadata", "--format-version", "1", "--quiet"]);
        cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
        let output = command::output(cargo)?;
        let metadata = serde_json::from_slice(&output).map_err(Failure::Metadata)?;
        Ok(Self::from_metadata(&metadata))
    }

    fn from_metadata(metadata: &Value) -> Self {
        let members: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
        let packages = || items(&metadata["packages"]);
        let mut graph: BTreeMap<String, Node> = packages()
            .map(|package| (text(&package["id"]), Node::new(package)))
            .collect();
        for resolved in resolved(metadata) {
            if let Some(node) = graph.get_mut(&text(&resolved["id"])) {
                node.built_from = built_from(resolved);
            }
        }
        let ours = packages()
            .filter(|package| members.contains(text(&package["id"]).as_str()))
            .map(Package::new)
            .collect();
        Self { ours, graph }
    }

    /// The root files of all packages whose queries sqlx checks.
    pub(crate) fn roots_with_queries(&self) -> impl Iterator<Item = &String> {
        self.ours
            .iter()
            .filter(|package| package.uses.contains("sqlx") || package.tests_use.contains("sqlx"))
            .flat_map(|package| &package.roots)
    }

    /// The packages with C in them that this one is built from.
    pub(super) fn c_in(&self, package: &Package) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![package.id.as_str()];
        while let Some(id) = open.pop() {
            let Some(node) = self.graph.get(id).filter(|_| seen.insert(id)) else {
                continue;
            };
            if node.links || node.name == "cc" {
                found.insert(node.name.as_str());
            }
            open.extend(node.built_from.iter().map(String::as_str));
        }
        found
    }
}

impl Node {
    fn new(package: &Value) -> Self {
        Self {
            name: text(&package["name"]),
            links: package["links"].is_string(),
            built_from: Vec::new(),
        }
    }
}

impl Package {
    fn new(package: &Value) -> Self {
        let of_kind = |tests: bool| {
            items(&package["dependencies"])
                .filter(|dependency| (dependency["kind"] == "dev") == tests)
                .map(|dependency| text(&dependency["name"]))
                .collect()
        };
        let manifest = text(&package["manifest_path"]);
        let root = format!("{}/", workspace::root().display());
        let targets = items(&package["targets"]);
        Self {
            name: text(&package["name"]),
            id: text(&package["id"]),
            manifest: manifest.strip_prefix(&root).unwrap_or(&manifest).to_owned(),
            description: text(&package["description"]),
            uses: of_kind(false),
            tests_use: of_kind(true),
            roots: targets.map(|target| text(&target["src_path"])).collect(),
        }
    }

    /// The folder that it lies in.
    pub(super) fn folder(&self) -> &str {
        let folder = self
            .manifest
            .strip_suffix("/Cargo.toml")
            .unwrap_or_default();
        folder.rsplit('/').next().unwrap_or_default()
    }
}

/// The nodes of the resolved graph.
fn resolved(metadata: &Value) -> impl Iterator<Item = &Value> {
    items(metadata.pointer("/resolve/nodes").unwrap_or(&Value::Null))
}

/// The ids that a node of the resolved graph is built from, tests apart.
fn built_from(resolved: &Value) -> Vec<String> {
    items(&resolved["deps"])
        .filter(|dependency| items(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
        .map(|dependency| text(&dependency["pkg"]))
        .collect()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    items(value).filter_map(Value::as_str)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A workspace of one package that uses `uses`, whose tests use `tests_use`, and that is built
    /// from a C library.
    pub(crate) fn workspace_of(name: &str, uses: &[&str], tests_use: &[&str]) -> Packages {
        let dependency = |kind: Value| move |name: &&str| json!({"name": name, "kind": kind});
        let dependencies: Vec<Value> = uses
            .iter()
            .map(dependency(Value::Null))
            .chain(tests_use.iter().map(dependency(json!("dev"))))
            .collect();
        Packages::from_metadata(&json!({
            "workspace_members": ["us"],
            "packages": [
                {
                    "name": name, "id": "us", "description": "It is.",
                    "manifest_path": workspace::root().join("crates").join(name).join("Cargo.toml"),
                    "dependencies": dependencies,
                    "targets": [{"src_path": "src/lib.rs"}, {"src_path": "tests/it/main.rs"}],
                },
                {"name": "z-sys", "id": "z", "links": "z"},
                {"name": "only-tests-sys", "id": "t", "links": "t"},
            ],
            "resolve": {"nodes": [{"id": "us", "deps": [
                {"pkg": "z", "dep_kinds": [{"kind": null}]},
                {"pkg": "t", "dep_kinds": [{"kind": "dev"}]},
            ]}]},
        }))
    }

    #[test]
    fn knows_uses_roots_and_c() {
        let packages = workspace_of("here", &["sqlx"], &["insta"]);
        let [package] = packages.ours.as_slice() else {
            panic!("one package, not {:?}", packages.ours);
        };
        assert_eq!(package.manifest, "crates/here/Cargo.toml");
        assert_eq!(package.folder(), "here");
        assert!(package.uses.contains("sqlx") && package.tests_use.contains("insta"));
        assert_eq!(packages.c_in(package), BTreeSet::from(["z-sys"]));
        assert_eq!(packages.roots_with_queries().count(), 2);
    }
}
