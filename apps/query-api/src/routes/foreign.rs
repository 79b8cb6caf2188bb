//! Bytes of somebody else's in an answer: shown, bounded, and never interpreted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

/// Bytes of somebody else's: as text where they are some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Foreign {
    /// How `content` shows them.
    encoding: Encoding,
    /// The bytes, or the first of them.
    content: String,
    /// How many bytes there are.
    #[schema(minimum = 0)]
    length: usize,
    /// Whether `content` leaves bytes out at the end.
    cut: bool,
}

/// How bytes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// They are UTF-8, and shown as the text that they are.
    Utf8,
    /// They are no UTF-8, and shown in base64.
    Base64,
}

impl Foreign {
    /// The first `longest` of `length` bytes, of which `bytes` are those that are at hand.
    pub(super) fn of(bytes: &[u8], length: usize, longest: usize) -> Self {
        let shown = bytes.get(..longest).unwrap_or(bytes);
        let cut = shown.len() < length;
        let (encoding, content) = match text(shown, cut) {
            Some(text) => (Encoding::Utf8, text.to_owned()),
            None => (Encoding::Base64, STANDARD.encode(shown)),
        };
        Self {
            encoding,
            content,
            length,
            cut,
        }
    }

    /// All the bytes, `longest` of which are shown.
    pub(super) fn whole(bytes: &[u8], longest: usize) -> Self {
        Self::of(bytes, bytes.len(), longest)
    }
}

/// The bytes as text; a character that the cut goes through is left out.
fn text(bytes: &[u8], is_cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => bytes
            .get(..error.valid_up_to())
            .and_then(|whole| std::str::from_utf8(whole).ok()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], longest: usize) -> (Encoding, String, bool) {
        let foreign = Foreign::whole(bytes, longest);
        assert_eq!(foreign.length, bytes.len());
        (foreign.encoding, foreign.content, foreign.cut)
    }

    #[test]
    fn text_is_shown_as_it_is_and_the_rest_in_base64() {
        use Encoding::{Base64, Utf8};
        for (bytes, longest, expected) in [
            (&b""[..], 4, (Utf8, "", false)),
            (b"\0\x1b[", 4, (Utf8, "\0\u{1b}[", false)),
            (b"abcd", 4, (Utf8, "abcd", false)),
            (b"abcde", 4, (Utf8, "abcd", true)),
            ("abc\u{e4}".as_bytes(), 4, (Utf8, "abc", true)),
            ("abc\u{e4}".as_bytes(), 5, (Utf8, "abc\u{e4}", false)),
            (b"abc\xc3", 4, (Base64, "YWJjww==", false)),
            (b"\xff\0\0\0\0", 4, (Base64, "/wAAAA==", true)),
        ] {
            let (encoding, content, is_cut) = expected;
            let expected = (encoding, content.to_owned(), is_cut);
            assert_eq!(shown(bytes, longest), expected, "{bytes:?}");
        }
    }
}
