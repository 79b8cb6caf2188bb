//! Clients of both APIs, made by generators from the documents alone: they compile, and read an order
//! with agreed terms and without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dev_servers::packages::{self, Need};
use serde_json::Value;

use crate::command;
use crate::failure::Failure;
use crate::node::Node;
use crate::python;
use crate::workspace;

/// openapi-generator, with its Java program inside; the machine that runs Kafka runs it too.
const GENERATOR: &str = "openapi-generator-cli==7.26.0";
/// What its Python clients stand on.
const PYTHON_CLIENT: &str = "pydantic==2.14.4\npython-dateutil==4.0.0\n\
                             typing-extensions==4.16.0\nurllib3==2.8.0\n";
const APIS: [&str; 2] = [COMMANDS, QUERIES];
const COMMANDS: &str = "command-api";
const QUERIES: &str = "query-api";
/// Where the query API's document has an order.
const ORDER: &str = "/paths/~1v1~1orders~1{id}/get/responses/200/content/application~1json/example";

const READ_BY_TYPESCRIPT: &str = r#"
import { OrderDetailFromJSON } from "./models/OrderDetail";
declare const require: (name: string) => { readFileSync(path: string, encoding: string): string };
declare const process: { argv: string[] };
const { readFileSync } = require("node:fs");
const read = (path = "") => OrderDetailFromJSON(JSON.parse(readFileSync(path, "utf8"))).terms;
console.log(process.argv.slice(2).map((path) => read(path)?.budget.amount ?? "none").join(" "));
"#;
const TYPESCRIPT: &str = r#"{
  "compilerOptions": {
    "target": "es2022", "module": "commonjs", "strict": true, "lib": ["es2022", "dom"],
    "types": [], "outDir": "dist"
  },
  "include": ["**/*.ts"],
  "exclude": ["dist"]
}
"#;
/// Reads every module of a client.
const IMPORT_IN_PYTHON: &str = "
import importlib, pkgutil, openapi_client
for module in pkgutil.walk_packages(openapi_client.__path__, 'openapi_client.'):
    importlib.import_module(module.name)
";
const READ_BY_PYTHON: &str = r#"
import pathlib, sys
from openapi_client.models.order_detail import OrderDetail

terms = [OrderDetail.from_json(pathlib.Path(path).read_text()).terms for path in sys.argv[1:]]
print(*["none" if it is None else it.budget.amount for it in terms])
"#;
const READ_BY_RUST: &str = r#"
fn main() {
    let read = |path: String| {
        let text = std::fs::read_to_string(path).expect("a file");
        let order: openapi::models::OrderDetail = serde_json::from_str(&text).expect("an order");
        order.terms.map_or("none".to_owned(), |terms| terms.budget.amount)
    };
    let terms: Vec<_> = std::env::args().skip(1).map(read).collect();
    println!("{}", terms.join(" "));
}
"#;

/// Two orders: with terms, and without.
struct Orders {
    files: [PathBuf; 2],
    /// What a program has to say of them.
    said: String,
}

/// Compiles a client, and has it read the orders.
type Check = fn(&Path, Option<&Orders>) -> Result<(), Failure>;

/// Makes them all, and has each read.
pub(super) fn run() -> Result<(), Failure> {
    packages::ensure(&[Need::Compilers, Need::Kafka, Need::Python])?;
    let folder = workspace::make_state()?.join("clients");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::file(&folder))?;
    }
    let orders = Orders::write(&folder)?;
    let clients: [(&str, Check); 3] = [
        ("typescript-fetch", typescript),
        ("python", python_client),
        ("rust", rust),
    ];
    for (language, check) in clients {
        for api in APIS {
            let client = folder.join(api).join(language);
            generate(api, language, &client)?;
            // Of the command API nobody reads orders.
            check(&client, (api == QUERIES).then_some(&orders))?;
            eprintln!("the {language} client of the {api} holds");
        }
    }
    Ok(())
}

impl Orders {
    fn write(folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
        let document = workspace::root().join("apps/query-api/openapi.json");
        let text = fs::read(&document).map_err(Failure::file(&document))?;
        let document: Value = serde_json::from_slice(&text).unwrap_or_default();
        let mut order = document.pointer(ORDER).cloned().unwrap_or_default();
        let amount = order
            .pointer("/terms/budget/amount")
            .and_then(Value::as_str);
        let said = format!("{} none", amount.unwrap_or("no terms in the document"));
        let files = ["full.json", "null.json"].map(|name| folder.join(name));
        for file in &files {
            fs::write(file, order.to_string()).map_err(Failure::file(file))?;
            if let Some(terms) = order.pointer_mut("/terms") {
                *terms = Value::Null;
            }
        }
        Ok(Self { files, said })
    }

    /// Has them read.
    fn read_by(&self, mut program: Command) -> Result<(), Failure> {
        program.args(&self.files);
        let words = format!("{program:?}");
        let said = command::output(program)?;
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        if said == self.said {
            return Ok(());
        }
        Err(Failure::Misread {
            command: words,
            said,
            expected: self.said.clone(),
        })
    }
}

fn generate(api: &str, language: &str, client: &Path) -> Result<(), Failure> {
    let programs = python::environment("openapi-generator", GENERATOR)?;
    let mut generate = Command::new(programs.join("openapi-generator-cli"));
    generate
        .env("JAVA_OPTS", "-Dlog.level=error")
        .args(["generate", "--generator-name", language, "--input-spec"])
        .arg(
            workspace::root()
                .join("apps")
                .join(api)
                .join("openapi.json"),
        )
        .arg("--output")
        .arg(client);
    command::output(generate).map(drop)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Failure> {
    let file = folder.join(name);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    }
    fs::write(&file, text).map_err(Failure::file(&file))?;
    Ok(file)
}

fn typescript(client: &Path, orders: Option<&Orders>) -> Result<(), Failure> {
    let node = Node::install()?;
    node.install_packages()?;
    write(client, "package.json", "{}\n")?;
    write(client, "tsconfig.json", TYPESCRIPT)?;
    if orders.is_some() {
        write(client, "reads.ts", READ_BY_TYPESCRIPT)?;
    }
    let mut compile = node.program("typescript/bin/tsc");
    compile.arg("--project").arg(client);
    command::run(compile)?;
    let Some(orders) = orders else {
        return Ok(());
    };
    let mut read = node.command();
    read.arg(client.join("dist/reads.js"));
    orders.read_by(read)
}

fn python_client(client: &Path, orders: Option<&Orders>) -> Result<(), Failure> {
    let python = python::environment("python-client", PYTHON_CLIENT)?.join("python");
    let mut import = Command::new(&python);
    import.current_dir(client).args(["-c", IMPORT_IN_PYTHON]);
    command::run(import)?;
    let Some(orders) = orders else {
        return Ok(());
    };
    let mut read = Command::new(python);
    read.arg(write(client, "reads.py", READ_BY_PYTHON)?);
    orders.read_by(read)
}

fn rust(client: &Path, orders: Option<&Orders>) -> Result<(), Failure> {
    let manifest = client.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(Failure::file(&manifest))?;
    // It lies within our workspace, and is none of it.
    write(client, "Cargo.toml", &format!("{text}\n[workspace]\n"))?;
    if orders.is_some() {
        write(client, "examples/reads.rs", READ_BY_RUST)?;
    }
    // Both are built in one folder: what they stand on is the same.
    let target = workspace::make_state()?.join("clients-target");
    let mut build = command::cargo();
    build
        .args(["build", "--quiet", "--no-default-features", "--lib"])
        .args(orders.map(|_| "--examples"))
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target);
    command::run(build)?;
    let Some(orders) = orders else {
        return Ok(());
    };
    orders.read_by(Command::new(target.join("debug/examples/reads")))
}
