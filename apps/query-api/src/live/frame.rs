//! Frames as they are sent: `text/event-stream` of the HTML standard. JSON has no line breaks here,
//! so that each frame has one line of data.

use std::fmt::Write as _;

use axum::body::Bytes;
use serde::Serialize;
use serde_json::json;

/// Something that is shown: the default event, so that a browser's `onmessage` has it. Without an id
/// there is more to come before a client can go on from here.
pub(super) fn item(
    frames: &mut String,
    prev: Option<&str>,
    id: Option<&str>,
    item: &impl Serialize,
) {
    let data = json!({ "prev": prev, "item": item });
    // Writing to a text cannot fail.
    if let Some(id) = id {
        writeln!(frames, "id: {id}").ok();
    }
    write!(frames, "data: {data}\n\n").ok();
}

/// The client has everything up to this id.
pub(super) fn caught_up(frames: &mut String, prev: Option<&str>, id: &str) {
    let data = json!({ "prev": prev });
    write!(frames, "event: caught-up\nid: {id}\ndata: {data}\n\n").ok();
}

/// The log is another one: what the client has is to be read anew.
pub(super) const fn reset() -> Bytes {
    Bytes::from_static(b"event: reset\ndata: {}\n\n")
}

/// This server leaves: the client goes on at another.
pub(super) const fn moved() -> Bytes {
    Bytes::from_static(b"event: moved\ndata: {}\n\n")
}

/// Nothing, so that whoever waits knows that the stream lives.
pub(super) const fn comment() -> Bytes {
    Bytes::from_static(b": alive\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_line_of_data_and_names_the_one_before() {
        let mut frames = String::new();
        item(&mut frames, None, None, &json!(1));
        item(
            &mut frames,
            None,
            Some("A"),
            &json!({"title": "two\nlines"}),
        );
        caught_up(&mut frames, Some("A"), "B");
        assert_eq!(
            frames,
            "data: {\"item\":1,\"prev\":null}\n\n\
             id: A\ndata: {\"item\":{\"title\":\"two\\nlines\"},\"prev\":null}\n\n\
             event: caught-up\nid: B\ndata: {\"prev\":\"A\"}\n\n"
        );
    }
}
