//! Who may import whom: the layers of the architecture. A new edge is an architectural decision: it
//! needs a line here and one in an ADR.

use super::Fault;
use super::packages::{Package, Packages};

/// What one of our packages may use.
struct Layer {
    name: &'static str,
    /// Of ours, for what it is built from.
    uses: &'static [&'static str],
    /// Of ours, for its tests beside that and beside test-support.
    tests_use: &'static [&'static str],
}

const fn layer(name: &'static str, uses: &'static [&'static str]) -> Layer {
    Layer {
        name,
        uses,
        tests_use: &[],
    }
}

const LAYERS: &[Layer] = &[
    layer("kernel", &[]),
    layer("order-domain", &["kernel"]),
    layer("bonus-domain", &["kernel"]),
    layer("contracts", &["kernel"]),
    layer(
        "publishing",
        &["kernel", "order-domain", "bonus-domain", "contracts"],
    ),
    Layer {
        // A stock repository must read our store: its test needs a domain to read.
        tests_use: &["order-domain"],
        ..layer("event-store", &["kernel", "instruments"])
    },
    layer(
        "bonus-store",
        &["kernel", "bonus-domain", "event-store", "instruments"],
    ),
    layer("dead-letters", &["kernel", "contracts", "instruments"]),
    layer(
        "messaging",
        &[
            "kernel",
            "contracts",
            "event-store",
            "dead-letters",
            "instruments",
        ],
    ),
    layer(
        "projections",
        &[
            "kernel",
            "order-domain",
            "bonus-domain",
            "publishing",
            "event-store",
        ],
    ),
    layer("http-edge", &["kernel", "service-runtime", "instruments"]),
    layer("service-runtime", &["instruments"]),
    layer("instruments", &[]),
    Layer {
        tests_use: &["dev-servers"],
        ..layer(
            "monitoring",
            &[
                "event-store",
                "bonus-store",
                "dead-letters",
                "messaging",
                "http-edge",
                "service-runtime",
                "instruments",
            ],
        )
    },
    layer("dev-servers", &[]),
    layer("dev-broker", &[]),
    Layer {
        tests_use: &["dev-servers"],
        ..layer("dev-issuer", &[])
    },
    layer("test-support", &["dev-servers"]),
    layer(
        "command-api",
        &[
            "kernel",
            "order-domain",
            "event-store",
            "http-edge",
            "service-runtime",
        ],
    ),
    layer(
        "query-api",
        &[
            "kernel",
            "order-domain",
            "bonus-domain",
            "contracts",
            "publishing",
            "event-store",
            "bonus-store",
            "dead-letters",
            "projections",
            "http-edge",
            "service-runtime",
        ],
    ),
    layer(
        "projector",
        &[
            "kernel",
            "order-domain",
            "bonus-domain",
            "contracts",
            "publishing",
            "event-store",
            "bonus-store",
            "dead-letters",
            "messaging",
            "projections",
            "service-runtime",
        ],
    ),
    Layer {
        // Scenarios drive the built programs from outside, and compare with what the domain says.
        tests_use: &[
            "dev-servers",
            "kernel",
            "order-domain",
            "event-store",
            "projections",
            // For what follows the commit, measured by itself.
            "contracts",
            "messaging",
            "publishing",
            // For the questions that operators ask.
            "monitoring",
        ],
        ..layer("scenarios", &[])
    },
    layer("xtask", &["dev-servers"]),
];

/// What only some of our packages may be built from.
const OWNED: &[(&str, &[&str])] = &[
    ("rdkafka", &["messaging", "dev-broker"]),
    ("cqrs-es", &["order-domain", "bonus-domain"]),
    ("clap", &["dev-broker", "dev-issuer", "projector", "xtask"]),
];

/// The domains decide; how facts are stored, sent and asked for is not theirs to know.
const PURE: &[&str] = &["order-domain", "bonus-domain"];
const IMPURE: &[&str] = &["sqlx", "axum", "rdkafka", "tokio"];

/// `cargo xtask` must build in seconds.
const WITHOUT_C: &[&str] = &["dev-servers", "xtask"];

/// Every import that the layers do not have.
pub(super) fn check(packages: &Packages) -> Vec<Fault> {
    packages
        .ours
        .iter()
        .flat_map(|package| check_package(packages, package))
        .collect()
}

fn check_package(packages: &Packages, package: &Package) -> Vec<Fault> {
    let name = package.name.as_str();
    let mut problems = Vec::new();
    match LAYERS.iter().find(|layer| layer.name == name) {
        Some(layer) => problems.extend(forbidden_layers(layer, package)),
        None => problems.push(format!("{name} has no line in the table of layers")),
    }
    for (outside, owners) in OWNED {
        if package.uses.contains(*outside) && !owners.contains(&name) {
            let owners = owners.join(" and ");
            problems.push(format!("{outside} belongs to {owners}"));
        }
    }
    for outside in IMPURE {
        if PURE.contains(&name) && uses(package, outside) {
            problems.push(format!("{name} is pure and must not know {outside}"));
        }
    }
    if WITHOUT_C.contains(&name) {
        let c = packages.c_in(package).into_iter();
        problems.extend(c.map(|c| format!("{name} must be built without C, but uses {c}")));
    }
    let fault = |problem| Fault::new(&package.manifest, 0, problem);
    problems.into_iter().map(fault).collect()
}

fn forbidden_layers(layer: &Layer, package: &Package) -> Vec<String> {
    let name = layer.name;
    let is_ours = |other: &&String| LAYERS.iter().any(|layer| layer.name == **other);
    let built = package
        .uses
        .iter()
        .filter(is_ours)
        .filter(|other| !layer.uses.contains(&other.as_str()))
        .map(|other| format!("{name} must not use {other}"));
    let allowed_in_tests = |other: &&String| {
        let other = other.as_str();
        other == "test-support" || layer.uses.contains(&other) || layer.tests_use.contains(&other)
    };
    let tests = package
        .tests_use
        .iter()
        .filter(is_ours)
        .filter(|other| !allowed_in_tests(other))
        .map(|other| format!("tests of {name} must not use {other}"));
    built.chain(tests).collect()
}

fn uses(package: &Package, outside: &str) -> bool {
    package.uses.contains(outside) || package.tests_use.contains(outside)
}

#[cfg(test)]
mod tests {
    use super::super::packages::tests::workspace_of;
    use super::*;

    fn problems(name: &str, uses: &[&str], tests_use: &[&str]) -> Vec<String> {
        check(&workspace_of(name, uses, tests_use))
            .into_iter()
            .map(|fault| fault.problem)
            .collect()
    }

    #[test]
    fn takes_what_the_table_has() {
        assert!(problems("event-store", &["kernel", "sqlx"], &["order-domain"]).is_empty());
        assert!(problems("projections", &["publishing"], &["test-support"]).is_empty());
    }

    #[test]
    fn refuses_another_layer() {
        assert_eq!(
            problems("kernel", &["contracts"], &[]),
            ["kernel must not use contracts"]
        );
        assert_eq!(
            problems("projections", &["test-support"], &["messaging"]),
            [
                "projections must not use test-support",
                "tests of projections must not use messaging"
            ]
        );
    }

    #[test]
    fn refuses_what_belongs_to_others() {
        assert_eq!(
            problems("projections", &["rdkafka"], &[]),
            ["rdkafka belongs to messaging and dev-broker"]
        );
        assert_eq!(
            problems("order-domain", &[], &["tokio"]),
            ["order-domain is pure and must not know tokio"]
        );
        assert_eq!(
            problems("dev-servers", &[], &[]),
            ["dev-servers must be built without C, but uses z-sys"]
        );
        assert_eq!(
            problems("stranger", &[], &[]),
            ["stranger has no line in the table of layers"]
        );
    }
}
