//! A message, as `dev-broker tail` prints it.

use serde_json::Value;

use crate::demo::json;

/// A message of a topic.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message(Value);

impl Message {
    /// A line of `dev-broker tail`, unless it is none.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        json::number(&value, "/offset")?;
        Some(Self(value))
    }

    pub(crate) fn key(&self) -> &str {
        json::text(&self.0, "/key").unwrap_or_default()
    }

    pub(crate) fn partition(&self) -> Option<i64> {
        json::number(&self.0, "/partition")
    }

    /// A header; empty where it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        json::text(&self.0, &format!("/headers/{name}")).unwrap_or_default()
    }

    /// A member of the value; empty where it is missing.
    pub(crate) fn value(&self, name: &str) -> &str {
        json::text(&self.0, &format!("/value/{name}")).unwrap_or_default()
    }

    /// The columns of [`Message::line`].
    pub(crate) fn columns() -> String {
        format!(
            "{:<36}  {:<32}  {:>7}  {}",
            "key", "ce_type", "version", "ce_id"
        )
    }

    /// The message in a line: key, type, version in its stream, and id.
    pub(crate) fn line(&self) -> String {
        let [kind, version, id] =
            ["ce_type", "ce_aggregateversion", "ce_id"].map(|name| self.header(name));
        format!("{:<36}  {kind:<32}  {version:>7}  {id}", self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"topic": "t", "partition": 3, "offset": 7, "key": "0195",
        "headers": {"ce_id": "01a2", "ce_type": "atlas.order.OrderPlaced",
                    "ce_aggregateversion": "1"},
        "value": {"orderId": "0195"}}"#;

    #[test]
    fn a_line_of_the_tail_is_a_message() {
        let message = Message::parse(LINE).unwrap();
        assert_eq!(message.key(), "0195");
        assert_eq!(message.partition(), Some(3));
        assert_eq!(message.value("orderId"), "0195");
        assert_eq!(message.header("ce_time"), "");
        let words: Vec<_> = message
            .line()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        assert_eq!(words, ["0195", "atlas.order.OrderPlaced", "1", "01a2"]);
    }

    #[test]
    fn complaints_between_the_messages_are_none() {
        assert_eq!(Message::parse("dev-broker: broker transport failure"), None);
        assert_eq!(Message::parse("{}"), None);
    }

    #[test]
    fn a_message_of_others_may_lack_everything() {
        let line = r#"{"topic":"t","partition":0,"offset":0,"key":null,"headers":{},"value":"?"}"#;
        let message = Message::parse(line).unwrap();
        assert_eq!((message.key(), message.value("orderId")), ("", ""));
    }
}
