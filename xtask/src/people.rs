//! Whom one can be in a system with the development issuer.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::failure::Failure;
use crate::token::Role;

/// The kernel makes a fresh UUID for whoever reads it.
const FRESH_ID: &str = "/proc/sys/kernel/random/uuid";

/// Somebody with a name.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// A UUID.
    pub(crate) id: String,
}

impl Person {
    /// As the issuer's command line takes it.
    pub(crate) fn argument(&self) -> String {
        json!({"name": self.name, "role": self.role.claim(), "sub": self.id}).to_string()
    }
}

/// An id that nobody has.
pub(crate) fn fresh_id() -> Result<String, Failure> {
    let file = Path::new(FRESH_ID);
    let id = fs::read_to_string(file).map_err(Failure::file(file))?;
    Ok(id.trim_end().to_owned())
}

/// Those of `up`: always the same, so that a kept database knows them again.
pub(crate) fn of_up() -> Vec<Person> {
    [
        ("Olga", Role::Operator),
        ("Clara", Role::Commissioner),
        ("Oak & Iron", Role::Workshop),
        ("Brass Lantern", Role::Workshop),
        ("Ana", Role::Analyst),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, (name, role))| Person {
        name,
        role,
        id: format!("0195f9a2-7c1e-7d3a-9b1e-3f4c5d6e7f8{number}"),
    })
    .collect()
}
