//! A schema for each problem: its code a constant, and every member that it always carries required.
//! Which those are, its example says, which tests hold against what is really sent.

use serde_json::{Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{Discriminator, Object, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

use crate::examples::problem;
use crate::{Code, Problem};

/// The name of a problem's schema.
pub(crate) fn name(code: Code) -> String {
    format!("Problem_{}", code.as_str())
}

fn reference(code: Code) -> Ref {
    Ref::from_schema_name(name(code))
}

/// What the problem of an answer is: one of these.
pub(crate) fn one_of(codes: &[Code]) -> RefOr<Schema> {
    if let [only] = codes {
        return RefOr::Ref(reference(*only));
    }
    let mut by_code = Discriminator::new("code");
    by_code.mapping = codes
        .iter()
        .map(|code| (code.as_str().to_owned(), reference(*code).ref_location))
        .collect();
    let mut one_of = OneOfBuilder::new().discriminator(Some(by_code));
    for code in codes {
        one_of = one_of.item(reference(*code));
    }
    RefOr::T(Schema::OneOf(one_of.build()))
}

/// The schema of a problem.
pub(crate) fn schema(code: Code) -> RefOr<Schema> {
    let sent = problem(code);
    let mut object = Object::new();
    if let RefOr::T(Schema::Object(whole)) = Problem::schema() {
        object = whole;
    }
    let always_there = |name: &str| sent.get(name).is_some();
    // What cannot be read may have a place that can be named.
    let may_have_errors = code == Code::MalformedRequest;
    object
        .properties
        .retain(|name, _| always_there(name) || (may_have_errors && name == "errors"));
    let names = object.properties.keys();
    object.required = names.filter(|name| always_there(name)).cloned().collect();
    for (name, constant) in [
        ("type", json!(code.urn())),
        ("title", json!(code.title())),
        ("code", json!(code.as_str())),
        ("status", json!(code.status().as_u16())),
        ("retryable", json!(code.retryable())),
    ] {
        let always = RefOr::T(Schema::Object(always(constant)));
        object.properties.insert(name.to_owned(), always);
    }
    object.description = Some(format!("{}: {}.", code.title(), code.when()));
    object.extensions = Some(Extensions::from_iter([("x-retryable", code.retryable())]));
    RefOr::T(Schema::Object(object))
}

fn always(constant: Value) -> Object {
    let kind = match &constant {
        Value::Bool(_) => Type::Boolean,
        Value::Number(_) => Type::Integer,
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => Type::String,
    };
    ObjectBuilder::new()
        .schema_type(kind)
        .enum_values(Some([constant.clone()]))
        .extensions(Some(Extensions::from_iter([("const", constant)])))
        .build()
}
