//! Packages of npm are named once, in `web/package.json`, each at one version and with the reason why
//! it is here.

use serde_json::{Map, Value};

use super::Fault;

const ROOT: &str = "web/package.json";
const OURS: &str = "@artisan-atlas/";
const SECTIONS: [&str; 3] = ["dependencies", "devDependencies", "peerDependencies"];

/// Whether a file says which packages are used.
pub(super) fn is_checked(file: &str) -> bool {
    file.starts_with("web/") && file.ends_with("package.json")
}

/// Every package without a reason or an exact version, every reason without a package, and every
/// package that is named beside the root.
pub(super) fn check(file: &str, text: &str) -> Vec<Fault> {
    let fault = |problem: String| Fault::new(file, 0, problem);
    let Ok(Value::Object(manifest)) = serde_json::from_str(text) else {
        return vec![fault("it is no JSON object".to_owned())];
    };
    let empty = Map::new();
    let section = |name: &str| {
        manifest
            .get(name)
            .and_then(Value::as_object)
            .unwrap_or(&empty)
    };
    let foreign = |(name, _): &(&String, &Value)| !name.starts_with(OURS);
    let packages = SECTIONS.into_iter().flat_map(section).filter(foreign);
    if file != ROOT {
        let named = packages.map(|(name, _)| format!("{name} belongs into {ROOT}"));
        return named.map(fault).collect();
    }
    let packages: Map<String, Value> = packages.map(|(n, v)| (n.clone(), v.clone())).collect();
    let reasons = section("reasons");
    let without = packages.keys().filter(|name| !reasons.contains_key(*name));
    let without = without.map(|name| format!("{name} needs a reason, in `reasons`"));
    let stale = reasons.keys().filter(|name| !packages.contains_key(*name));
    let stale = stale.map(|name| format!("{name} has a reason and is not used"));
    let loose = packages.iter().filter(|(_, version)| {
        let exact = |text: &str| text.starts_with(|each: char| each.is_ascii_digit());
        !version.as_str().is_some_and(exact)
    });
    let loose = loose.map(|(name, _)| format!("{name} needs an exact version"));
    without.chain(stale).chain(loose).map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_a_reason_and_one_version() {
        let good = r#"{"reasons":{"a":"why"},"devDependencies":{"a":"1.2.3"}}"#;
        assert!(check(ROOT, good).is_empty());
        for bad in [
            r#"{"devDependencies":{"a":"1.2.3"}}"#,
            r#"{"reasons":{"a":"why"},"devDependencies":{"a":"^1.2.3"}}"#,
            r#"{"reasons":{"a":"why"}}"#,
            "[]",
        ] {
            assert_eq!(check(ROOT, bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn packages_are_named_in_the_root_alone() {
        let ours = r#"{"dependencies":{"@artisan-atlas/sdk":"0.1.0"}}"#;
        assert!(check("web/market/package.json", ours).is_empty());
        let theirs = r#"{"dependencies":{"svelte":"5.0.0"}}"#;
        assert_eq!(check("web/market/package.json", theirs).len(), 1);
    }
}
