//! Documents that others build on may only grow.

use serde_json::Value;

/// Members that say something to people alone.
const PROSE: [&str; 6] = [
    "description",
    "summary",
    "title",
    "example",
    "examples",
    "info",
];

/// Whether `new` still says everything that `old` said: what was there is there, and is what it was.
/// Lists may have more items, objects more members; prose and examples may change.
///
/// # Errors
/// The first thing that is gone or another, by its place.
pub fn added_to(old: &Value, new: &Value) -> Result<(), String> {
    compare("", old, new)
}

fn compare(at: &str, old: &Value, new: &Value) -> Result<(), String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, was) in old {
                if PROSE.contains(&name.as_str()) && !at.ends_with("/properties") {
                    continue;
                }
                let at = format!("{at}/{name}");
                match new.get(name) {
                    Some(is) => compare(&at, was, is)?,
                    None => return Err(format!("{at} is gone")),
                }
            }
            Ok(())
        }
        (Value::Array(old), Value::Array(new)) => {
            let lost = old
                .iter()
                .find(|was| !new.iter().any(|is| compare(at, was, is).is_ok()));
            lost.map_or(Ok(()), |was| Err(format!("{at} has no {was} any more")))
        }
        (was, is) if was == is => Ok(()),
        (was, is) => Err(format!("{at} is {is}, and was {was}")),
    }
}

/// Words of a schema that narrow what it takes.
const NARROWING: [&str; 9] = [
    "enum",
    "const",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "maxItems",
];

/// Deeper than any schema of a request lies.
const DEEPEST: usize = 20;

/// Whether whoever keeps to the OpenAPI document `old` is served by the API that `new` describes: it
/// says all that was said, and asks for nothing that was not asked for.
///
/// # Errors
/// The first thing that is gone, another, or asked for anew, by its place.
pub fn api_added_to(old: &Value, new: &Value) -> Result<(), String> {
    added_to(old, new)?;
    let paths = old["paths"].as_object().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let at = format!("{method} {path}");
            asks_no_more(
                &at,
                (old, operation),
                (new, named_member(named_member(&new["paths"], path), method)),
            )?;
        }
    }
    Ok(())
}

/// A document, and a part of it.
type Part<'a> = (&'a Value, &'a Value);

/// Whether an operation asks for what it asked for, and no more.
fn asks_no_more(at: &str, was: Part<'_>, is: Part<'_>) -> Result<(), String> {
    let named = |parameter: &Value| (parameter["name"].clone(), parameter["in"].clone());
    for parameter in is.1["parameters"].as_array().into_iter().flatten() {
        let parameters = was.1["parameters"].as_array().into_iter().flatten();
        let mut same = parameters.filter(|it| named(it) == named(parameter));
        let at = format!("{at} {}", parameter["name"]);
        let before = same.next();
        let asked_before = before.is_some_and(|it| it["required"] == true);
        if parameter["required"] == true && !asked_before {
            return Err(format!("{at} is required, and was not"));
        }
        if let Some(before) = before {
            let schemas = (&before["schema"], &parameter["schema"]);
            takes_no_less(&at, (was.0, schemas.0), (is.0, schemas.1), 0)?;
        }
    }
    let (was_body, is_body) = (&was.1["requestBody"], &is.1["requestBody"]);
    if is_body["required"] == true && was_body["required"] != true {
        return Err(format!("{at} wants a body, and did not"));
    }
    let schema = "/content/application~1json/schema";
    match (was_body.pointer(schema), is_body.pointer(schema)) {
        (Some(before), Some(now)) => takes_no_less(at, (was.0, before), (is.0, now), 0),
        (_, _) => Ok(()),
    }
}

/// Whether a schema takes whatever it took.
fn takes_no_less(at: &str, was: Part<'_>, is: Part<'_>, depth: usize) -> Result<(), String> {
    let (before, now) = (resolved(was), resolved(is));
    if depth > DEEPEST {
        return Err(format!("{at} has no end"));
    }
    for word in NARROWING {
        if !now[word].is_null() && before[word].is_null() {
            return Err(format!("{at} has a {word}, and had none"));
        }
    }
    let required = |schema: &Value| schema["required"].as_array().cloned().unwrap_or_default();
    let asked = required(before);
    if let Some(name) = required(now).iter().find(|name| !asked.contains(name)) {
        return Err(format!("{at} requires {name}, and did not"));
    }
    let members = before["properties"].as_object().into_iter().flatten();
    for (name, member) in members {
        let at = format!("{at}/{name}");
        let now = named_member(&now["properties"], name);
        takes_no_less(&at, (was.0, member), (is.0, now), depth + 1)?;
    }
    if before["items"].is_object() {
        let items = ((was.0, &before["items"]), (is.0, &now["items"]));
        takes_no_less(&format!("{at}/items"), items.0, items.1, depth + 1)?;
    }
    Ok(())
}

/// A member of an object; null where there is none.
fn named_member<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// The schema that a reference is to.
fn resolved<'a>((document, schema): Part<'a>) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
    let found = reference.and_then(|pointer| document.pointer(pointer));
    found.unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_added_passes_and_what_is_taken_away_does_not() {
        let old = json!({
            "description": "One.",
            "required": ["id"],
            "properties": { "id": { "type": "string" }, "title": { "type": "string" } },
        });
        let mut new = old.clone();
        new["description"] = json!("Another.");
        new["required"] = json!(["at", "id"]);
        new["properties"]["at"] = json!({ "type": "string" });
        assert_eq!(added_to(&old, &new), Ok(()));
        assert!(added_to(&new, &old).is_err());
        let mut retyped = old.clone();
        retyped["properties"]["id"]["type"] = json!("integer");
        assert_eq!(
            added_to(&old, &retyped),
            Err("/properties/id/type is \"integer\", and was \"string\"".to_owned())
        );
        let mut untitled = old.clone();
        untitled["properties"] = json!({ "id": { "type": "string" } });
        assert!(added_to(&old, &untitled).is_err());
    }

    fn api(body: Value, parameters: Value) -> Value {
        json!({
            "paths": { "/things": { "post": {
                "parameters": parameters,
                "requestBody": { "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Thing" },
                } } },
                "responses": { "200": { "description": "done" } },
            } } },
            "components": { "schemas": { "Thing": body } },
        })
    }

    #[test]
    fn an_api_may_say_more_and_ask_for_no_more() {
        let thing = json!({
            "type": "object",
            "required": ["id"],
            "properties": { "id": { "type": "string" }, "note": { "type": "string" } },
        });
        let limit = json!({ "name": "limit", "in": "query", "schema": { "type": "integer" } });
        let old = api(thing.clone(), json!([limit]));
        let mut more = old.clone();
        more["paths"]["/others"] = json!({});
        more["paths"]["/things"]["post"]["responses"]["409"] = json!({ "description": "no" });
        more["components"]["schemas"]["Thing"]["properties"]["at"] = json!({ "type": "string" });
        assert_eq!(api_added_to(&old, &more), Ok(()));
        assert!(api_added_to(&more, &old).is_err());

        let mut wants = thing.clone();
        wants["required"] = json!(["id", "note"]);
        let mut narrow = thing.clone();
        narrow["properties"]["note"]["maxLength"] = json!(9);
        let mut must = limit.clone();
        must["required"] = json!(true);
        let mut small = limit.clone();
        small["schema"]["maximum"] = json!(5);
        for (new, told) in [
            (
                api(wants, json!([limit])),
                "post /things requires \"note\", and did not",
            ),
            (
                api(narrow, json!([limit])),
                "post /things/note has a maxLength, and had none",
            ),
            (
                api(thing.clone(), json!([must])),
                "post /things \"limit\" is required, and was not",
            ),
            (
                api(thing.clone(), json!([small])),
                "post /things \"limit\" has a maximum, and had none",
            ),
        ] {
            assert_eq!(api_added_to(&old, &new), Err(told.to_owned()));
        }
        let mut body = old.clone();
        body["paths"]["/things"]["post"]["requestBody"]["required"] = json!(true);
        assert!(api_added_to(&old, &body).is_err());
    }
}
