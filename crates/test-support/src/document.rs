//! An OpenAPI document that answers are held against: it must describe each, as it is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// An API's document.
#[derive(Debug)]
pub struct Document(Value);

/// An answer, and what it was given to.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The request's method, in capitals.
    pub method: &'a str,
    /// The request's path, without its query.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// The names of its headers, in small letters.
    pub headers: &'a [&'a str],
    /// Its body, or null.
    pub body: &'a Value,
}

impl Document {
    /// The document as JSON.
    #[must_use]
    pub const fn new(document: Value) -> Self {
        Self(document)
    }

    /// Why the document does not describe this answer, if it does not. What is answered to a
    /// method and path that it does not have is beyond it.
    ///
    /// # Errors
    /// The first difference.
    pub fn describes(&self, answered: Answered<'_>) -> Result<(), String> {
        let Some(operation) = self.operation(answered.method, answered.path) else {
            return Ok(());
        };
        let status = answered.status.to_string();
        let Some(response) = at(operation, &["responses"]).get(&status) else {
            return Err(format!("the status {status} is not described"));
        };
        self.has_headers(response, answered.headers)?;
        let content = at(response, &["content"]);
        let problem = at(content, &["application/problem+json"]);
        match at(answered.body, &["code"]).as_str() {
            Some(code) if problem.is_object() => self.has_problem(problem, code, answered.body),
            _ => has_shape_of_one(at(content, &["application/json"]), answered.body),
        }
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let paths = at(&self.0, &["paths"]).as_object()?;
        let (_, item) = paths.iter().find(|(template, _)| matches(template, path))?;
        item.get(method.to_ascii_lowercase())
    }

    /// Of the headers that the document knows, the answer has those that the response must have,
    /// and none that it may not have.
    fn has_headers(&self, response: &Value, headers: &[&str]) -> Result<(), String> {
        let known = at(&self.0, &["components", "headers"]).as_object();
        for (name, header) in known.into_iter().flatten() {
            let described = at(response, &["headers"]).get(name).is_some();
            let sent = headers.contains(&name.to_ascii_lowercase().as_str());
            if sent && !described {
                return Err(format!("the header {name} is not described"));
            }
            if described && !sent && at(header, &["required"]) == true {
                return Err(format!("the header {name} is described and missing"));
            }
        }
        Ok(())
    }

    fn has_problem(&self, problem: &Value, code: &str, body: &Value) -> Result<(), String> {
        let reference = at(problem, &["examples", code, "$ref"]).as_str();
        let pointer = reference.map(|reference| reference.trim_start_matches('#'));
        let Some(example) = pointer.and_then(|pointer| self.0.pointer(pointer)) else {
            return Err(format!("the code {code} is not described"));
        };
        let (members, sent) = (keys(at(example, &["value"])), keys(body));
        if let Some(member) = members.difference(&sent).next() {
            return Err(format!(
                "the member {member} of the example of {code} is missing"
            ));
        }
        let schema = format!("Problem_{code}");
        let reference = json!(format!("#/components/schemas/{schema}"));
        let meant = at(problem, &["schema"]);
        let alternatives = at(meant, &["oneOf"]).as_array().into_iter().flatten();
        if !alternatives
            .chain([meant])
            .any(|one| one.get("$ref") == Some(&reference))
        {
            return Err(format!("{schema} is none of the response's schemas"));
        }
        let schema = at(&self.0, &["components", "schemas", &schema]);
        conforms(schema, body)?;
        match sent.difference(&keys(at(schema, &["properties"]))).next() {
            Some(member) => Err(format!("the member {member} is not described")),
            None => Ok(()),
        }
    }
}

/// Whether an object has every member that a schema requires, each of its type and one of its words.
fn conforms(schema: &Value, body: &Value) -> Result<(), String> {
    let required = at(schema, &["required"]).as_array().into_iter().flatten();
    if let Some(name) = required
        .filter_map(Value::as_str)
        .find(|name| body.get(name).is_none())
    {
        return Err(format!("the member {name} is required and missing"));
    }
    let properties = at(schema, &["properties"]).as_object();
    for (name, property) in properties.into_iter().flatten() {
        let Some(value) = body.get(name) else {
            continue;
        };
        let fits = match at(property, &["type"]).as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64(),
            Some("boolean") => value.is_boolean(),
            Some("array") => value.is_array(),
            Some(_) | None => true,
        };
        let words = at(property, &["enum"]).as_array();
        if !fits || words.is_some_and(|words| !words.contains(value)) {
            return Err(format!("the member {name} is {value}"));
        }
    }
    Ok(())
}

/// Members whose own members are each event's or each act's own, and one that is seldom there.
const FREE: [&str; 4] = ["data", "subject", "result", "ignored"];

/// Whether a body has the shape of the example, or of one of the examples where there are several.
fn has_shape_of_one(content: &Value, body: &Value) -> Result<(), String> {
    let Some(examples) = at(content, &["examples"]).as_object() else {
        return has_shape(at(content, &["example"]), body);
    };
    let mut why = Ok(());
    for example in examples.values() {
        why = has_shape(at(example, &["value"]), body);
        if why.is_ok() {
            break;
        }
    }
    why
}

/// Whether a body has the keys of the example, as far as both have any, but for what is [`FREE`].
fn has_shape(example: &Value, body: &Value) -> Result<(), String> {
    match (example, body) {
        (Value::Object(example), Value::Object(body)) => {
            for name in example
                .keys()
                .chain(body.keys())
                .filter(|name| !FREE.contains(&name.as_str()))
            {
                match (example.get(name), body.get(name)) {
                    (Some(example), Some(body)) => has_shape(example, body)?,
                    _ => return Err(format!("the key {name} is not in example and answer both")),
                }
            }
            Ok(())
        }
        (Value::Array(example), Value::Array(body)) => {
            let both = example.first().zip(body.first());
            both.map_or(Ok(()), |(example, body)| has_shape(example, body))
        }
        _ => Ok(()),
    }
}

/// What lies at the end of these keys; null where there is nothing.
fn at<'v>(value: &'v Value, path: &[&str]) -> &'v Value {
    const NULL: &Value = &Value::Null;
    path.iter()
        .fold(value, |value, key| value.get(key).unwrap_or(NULL))
}

fn keys(object: &Value) -> BTreeSet<&str> {
    let fields = object.as_object().into_iter().flatten();
    fields.map(|(name, _)| name.as_str()).collect()
}

/// Whether a path is one of a template's.
fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let reference = |what: &str| json!({ "$ref": format!("#/components/{what}") });
        Document::new(json!({
            "paths": { "/things/{id}": { "get": { "responses": {
                "200": {
                    "headers": { "ETag": reference("headers/ETag") },
                    "content": { "application/json": { "example": { "id": 7, "in": [{ "a": 1 }] } } },
                },
                "404": { "content": { "application/problem+json": {
                    "schema": reference("schemas/Problem_NOT_FOUND"),
                    "examples": { "NOT_FOUND": reference("examples/NOT_FOUND") },
                } } },
            } } },
            "/either": { "get": { "responses": { "200": { "content": { "application/json": {
                "examples": { "one": { "value": { "a": 1 } }, "other": { "value": { "b": 1 } } },
            } } } } } } },
            "components": {
                "headers": { "ETag": { "required": true } },
                "examples": { "NOT_FOUND": { "value": { "code": "NOT_FOUND", "detail": "no" } } },
                "schemas": { "Problem_NOT_FOUND": {
                    "required": ["code", "detail"],
                    "properties": { "code": {}, "detail": { "type": "string" } },
                } },
            },
        }))
    }

    fn answered(status: u16, headers: &[&str], body: &Value) -> Result<(), String> {
        document().describes(Answered {
            method: "GET",
            path: "/things/1",
            status,
            headers,
            body,
        })
    }

    #[test]
    fn what_has_several_examples_has_the_shape_of_one() {
        for (body, described) in [
            (json!({ "a": 2 }), true),
            (json!({ "b": 2 }), true),
            (json!({ "a": 2, "b": 2 }), false),
            (json!({ "c": 2 }), false),
        ] {
            let outcome = document().describes(Answered {
                method: "GET",
                path: "/either",
                status: 200,
                headers: &[],
                body: &body,
            });
            assert_eq!(outcome.is_ok(), described, "{body}");
        }
    }

    #[test]
    fn what_is_described_is_admitted_and_nothing_else() {
        let thing = json!({ "id": 1, "in": [{ "a": null }] });
        let not_found = json!({ "code": "NOT_FOUND", "detail": "no such thing" });
        assert_eq!(answered(200, &["etag"], &thing), Ok(()));
        assert_eq!(answered(404, &[], &not_found), Ok(()));
        for (status, headers, body) in [
            (200, &[][..], thing.clone()),
            (200, &["etag"], json!({ "id": 1 })),
            (200, &["etag"], json!({ "id": 1, "in": [{ "b": 1 }] })),
            (404, &["etag"], not_found),
            (404, &[], json!({ "code": "GONE", "detail": "no" })),
            (404, &[], json!({ "code": "NOT_FOUND" })),
            (404, &[], json!({ "code": "NOT_FOUND", "detail": 7 })),
            (
                404,
                &[],
                json!({ "code": "NOT_FOUND", "detail": "no", "sql": "SELECT" }),
            ),
            (500, &[], thing),
        ] {
            assert!(answered(status, headers, &body).is_err(), "{status} {body}");
        }
    }
}
