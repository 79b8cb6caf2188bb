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
}
