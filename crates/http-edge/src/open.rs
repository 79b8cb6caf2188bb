//! Lists of words in answers are open: the document says so of each.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::{Components, OpenApi, RefOr, Schema};

/// What is said of the words of an answer.
const OPEN: &str =
    "Open: a later release may send others; take one that you do not know as unknown.";

/// Says of every list of words in an answer that it is open. Those of requests are closed.
pub(crate) fn say_open(document: &OpenApi, components: &mut Components) {
    let asked = asked_for(document, components);
    for (name, schema) in &mut components.schemas {
        if !asked.contains(name) {
            open(schema);
        }
    }
}

/// One word alone is a constant.
fn open(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) => {
            if object.enum_values.as_ref().is_some_and(|it| it.len() > 1) {
                let said = object.description.take();
                let said = said.map_or(String::new(), |said| format!("{said}\n\n"));
                object.description = Some(said + OPEN);
                object.extensions = Some(Extensions::from_iter([("x-open-enum", true)]));
            }
            object.properties.values_mut().for_each(open);
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                open(items);
            }
        }
        Schema::OneOf(one_of) => one_of.items.iter_mut().for_each(open),
        Schema::AllOf(all_of) => all_of.items.iter_mut().for_each(open),
        Schema::AnyOf(any_of) => any_of.items.iter_mut().for_each(open),
        _ => {}
    }
}

/// The names of the schemas that bodies of requests are made of.
fn asked_for(document: &OpenApi, components: &Components) -> BTreeSet<String> {
    let (paths, schemas) = (json!(document.paths), json!(components.schemas));
    let mut asked = BTreeSet::new();
    let mut found = Vec::new();
    for item in members(&paths) {
        for operation in members(item) {
            let body = operation.get("requestBody").unwrap_or(&Value::Null);
            named_in(body, &mut found);
        }
    }
    while let Some(name) = found.pop() {
        let schema = schemas.get(&name);
        if asked.insert(name) {
            named_in(schema.unwrap_or(&Value::Null), &mut found);
        }
    }
    asked
}

/// The names of the schemas that a value refers to.
fn named_in(value: &Value, found: &mut Vec<String>) {
    let reference = value.get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|it| it.strip_prefix("#/components/schemas/"));
    found.extend(name.map(str::to_owned));
    members(value).for_each(|member| named_in(member, found));
}

fn members(value: &Value) -> impl Iterator<Item = &Value> {
    let fields = value.as_object().into_iter().flat_map(|it| it.values());
    fields.chain(value.as_array().into_iter().flatten())
}
